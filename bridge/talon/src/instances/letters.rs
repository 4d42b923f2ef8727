//! Carries out what is asked of dead letters ([`crate::dead_letters`]), for the connectors that run here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use talon_runtime::Ruling;
use talon_runtime::engine::NotSettled;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::shared::Shared;
use crate::dead_letters::{Answer, Report, Request, key};

/// How often it is looked whether a connector runs here by now.
const GLANCE: Duration = Duration::from_millis(500);

/// So often a request is tried that the end of the shard interrupts.
const TRIES: u32 = 3;

/// A connector, a request, and what it came to.
type Ended = (String, String, Result<Vec<Ruling>, NotSettled>);

/// Carries requests out for as long as the process lives, those of different connectors side by side.
pub(super) async fn carry_out(shared: Arc<Shared>) {
    let mut version = shared.version.subscribe();
    let mut tries: BTreeMap<String, u32> = BTreeMap::new();
    let (mut at_work, mut tasks) = (BTreeSet::new(), JoinSet::<Ended>::new());
    loop {
        tokio::select! {
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                let Ok((name, id, settled)) = ended else { continue };
                at_work.remove(&name);
                match settled {
                    Ok(rulings) => answer(&shared, &name, id, Report::of(rulings)),
                    // It opens, or runs elsewhere by now: who runs it then finds the request.
                    Err(NotSettled::NotHere) => {}
                    Err(fault) => {
                        let tried = tries.entry(id.clone()).or_default();
                        *tried += 1;
                        if *tried >= TRIES {
                            answer(&shared, &name, id, Report::failed(fault));
                        }
                    }
                }
                // What is next is looked at in a moment: it may be the same.
                continue;
            }
            // The end of the sender is that of the process.
            _ = timeout(GLANCE, version.changed()) => {}
        }
        let now_ms = shared.checks.clock.now_ms();
        let open: Vec<(String, Request)> = shared.picture().open_requests(now_ms);
        tries.retain(|id, _| open.iter().any(|(_, request)| request.id == *id));
        for (name, request) in open {
            if at_work.contains(&name) || shared.connectors.whereabouts(&name).owner.is_err() {
                continue;
            }
            at_work.insert(name.clone());
            let shared = shared.clone();
            tasks.spawn(async move {
                let settled = shared.connectors.settle_letters(&name, &request.order).await;
                (name, request.id, settled)
            });
        }
    }
}

/// Tells everybody what became of a request.
fn answer(shared: &Shared, name: &str, id: String, report: Report) {
    let counts: Vec<String> = report
        .counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    tracing::info!(
        connector = name,
        request = id,
        trouble = report.trouble.as_deref().unwrap_or_default(),
        "dead letters were looked at: {}",
        counts.join(", ")
    );
    let answer = Answer { id, worker: shared.worker.clone(), report };
    // Known here at once, so that it is not carried out again before it is read back.
    shared.picture().take_answer(name, answer.clone());
    shared.states.put(&key(name), Some(&answer.to_json()));
}
