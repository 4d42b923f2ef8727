//! A small script of commands, put on the bus as any client would.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use talon_runtime::bus::Bus;
use talon_runtime::{Setup, lane_spec};
use talon_sdk::Command;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::upstream::{Simulated, Upstream};
use crate::send::check;

/// From one command to the next.
const PAUSE: Duration = Duration::from_secs(3);

/// Sends a command every few seconds, to one upstream after the other; does not end by itself.
pub(super) async fn play(
    upstreams: &[(Upstream, Simulated)],
    setups: &[Setup],
    prefix: &str,
    bus: &Arc<dyn Bus>,
) {
    for turn in 0.. {
        for (_, upstream) in upstreams {
            let setup = setups.iter().find(|setup| setup.name == upstream.name);
            let (Some(setup), Some((kind, params))) = (setup, upstream.command(turn)) else {
                continue;
            };
            sleep(PAUSE).await;
            let command = json!({
                "id": format!("dev-{:016x}", rand::random::<u64>()),
                "type": kind,
                "params": params,
                "issued_at": Timestamp::now().to_string(),
            });
            send(bus, setup, prefix, command.to_string()).await;
        }
        if turn == 0 {
            // None of them may take commands.
            sleep(PAUSE).await;
        }
    }
}

async fn send(bus: &Arc<dyn Bus>, setup: &Setup, prefix: &str, command: String) {
    let mut problems = Vec::new();
    let sound = check(setup, command.as_bytes(), &mut problems).await;
    let Ok(Some(Command { key, .. })) = sound else {
        tracing::warn!(
            connector = setup.name,
            "a command of the script is not sound: {problems:?}"
        );
        return;
    };
    let (bus, lane) = (bus.clone(), lane_spec(prefix, setup));
    let sent = spawn_blocking(move || bus.send(&lane, &key, command.as_bytes())).await;
    if let Ok(Err(fault)) = sent {
        // The next one may get through.
        tracing::warn!(connector = setup.name, "a command of the script was not sent: {fault}");
    }
}
