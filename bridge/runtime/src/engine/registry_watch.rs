//! Looks now and then whether the schema registry is still there.
//!
//! Connectors ask it when they are opened and when they meet a schema that they do not know, which may be days
//! from now, at the next restart. So that it is not noticed then, the process asks by itself. Until somebody needs
//! it, a registry that is away stops nothing: it is shown as degraded, and the process stays ready.

use std::time::Duration;

use tokio::time::sleep;

use crate::service::health::{Health, State};
use crate::service::registry::{Registry, Seen};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(10);

/// In the health report, where connectors report under their names.
const COMPONENT: &str = "registry";
const REPORTER: &str = "";

/// Asks until it is dropped.
pub(super) async fn watch(registry: Registry, health: Health) {
    let mut is_told = false;
    loop {
        sleep(EVERY).await;
        let trouble = trouble(&registry.probe().await);
        let known = health.components().remove(COMPONENT);
        match trouble {
            // Where a connector waits for it, that connector says so.
            Some(why) if is_told || known.is_none_or(|known| known.state.is_well()) => {
                let message = format!(
                    "what runs goes on with the schemas that it has, and nothing that needs a new one can start: {why}"
                );
                health.report(COMPONENT, REPORTER, State::Degraded, &message);
                is_told = true;
            }
            None if is_told => {
                health.report(COMPONENT, REPORTER, State::Up, "");
                is_told = false;
            }
            Some(_) | None => {}
        }
    }
}

/// Why no address answers; one that does is enough.
fn trouble(seen: &[Seen]) -> Option<String> {
    if seen.iter().any(|seen| seen.result.is_ok()) {
        return None;
    }
    let faults = seen.iter().filter_map(|seen| seen.result.as_ref().err());
    Some(faults.map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::BusFault;

    #[test]
    fn one_address_that_answers_is_enough() {
        let away = |url: &str| {
            let result = Err(BusFault::Unavailable(format!("{url} does not answer")));
            Seen { url: url.to_owned(), result }
        };
        let there = Seen { url: "b".to_owned(), result: Ok(()) };
        assert_eq!(trouble(&[away("a"), there]), None);
        let why = trouble(&[away("a"), away("b")]).unwrap();
        assert!(why.contains("a does not answer; b does not answer"), "{why}");
    }
}
