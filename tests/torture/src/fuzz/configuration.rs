//! Configurations.

use std::collections::BTreeMap;

use super::samples;

/// Stands in the seeds where a secret stands in the open.
const SECRET: &str = "5ecret-in-the-open";
/// The ends of names whose values are never shown.
const HIDDEN: [&str; 6] = ["password", "token", "user.info", "salt", "seed", "login.secret"];

/// The input is the text of a file.
pub(super) fn run(data: &[u8]) {
    let Ok(yaml) = std::str::from_utf8(data) else { return };
    let settings = match talon::settings(yaml) {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in &problems {
                assert!(!problem.message.contains(SECRET), "{problem}");
            }
            assert!(!problems.is_empty(), "refused without a reason");
            return;
        }
    };
    let bytes: usize = settings.iter().map(|(key, text)| key.len() + text.len()).sum();
    assert!(bytes <= 64 * data.len() + 1024, "{bytes} bytes of settings from {}", data.len());

    let flat: String = settings.iter().map(|(key, text)| line(key, text)).collect();
    assert_eq!(talon::settings(&flat).as_ref(), Ok(&settings), "the same keys flat");

    let problems = talon::problems(settings.clone());
    for problem in &problems {
        let is_hidden = HIDDEN.iter().any(|name| problem.key.ends_with(name));
        assert!(!is_hidden || !problem.message.contains(SECRET), "{problem}");
        assert!(!problem.key.is_empty() && !problem.message.is_empty());
    }
    assert_eq!(talon::problems(settings), problems, "the same problems again");
}

fn line(key: &str, text: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!("{}: {}\n", quoted(key), quoted(text))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let connectors = ["contractor", "enter", "quickq"];
    let examples = connectors.iter().map(|connector| samples::example(connector));
    let open = examples.clone().map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        // Every reference becomes what it might refer to.
        let mut parts = text.split("${env:");
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.filter_map(|part| part.split_once('}'));
        let shown = rest.fold(first, |text, (_, after)| text + SECRET + after);
        shown.into_bytes()
    });
    let settings: BTreeMap<&str, &str> = BTreeMap::from([
        ("bus.nats.servers", "tls://a:4222,nats://b"),
        ("bus.nats.nkey.seed", SECRET),
        ("schema.registry.basic.auth.user.info", SECRET),
        ("connectors.f.class", "contractor"),
        ("connectors.f.upstream.url", "http://localhost:5000"),
        ("connectors.f.auth.user.password", SECRET),
    ]);
    let flat: String = settings.iter().map(|(key, text)| line(key, text)).collect();
    examples.clone().chain(open).chain([flat.into_bytes()]).collect()
}
