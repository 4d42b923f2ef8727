//! The simulated central server as a process of its own, so that its work is not counted.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use jiff::Timestamp;

use super::past::Backfill;
use crate::program::ask;

/// Killed when dropped. Its clock stands still, so that no ticket changes.
pub(super) struct Upstream {
    child: Child,
    pub(super) url: String,
}

impl Upstream {
    pub(super) fn start(bench: &Backfill) -> anyhow::Result<Upstream> {
        let binary = std::env::current_exe()?.with_file_name("talon-simulators");
        anyhow::ensure!(
            binary.exists(),
            "build it first: `cargo build --release -p talon-simulators`"
        );
        let mut child = Command::new(binary)
            .arg("enter-export")
            .args(["--branches", &bench.branches.to_string()])
            .args(["--tickets-per-day", &bench.tickets.to_string()])
            .args(["--seed", &bench.seed.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("the simulator's output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url)?;
        let upstream = Upstream { child, url: url.trim().to_owned() };
        let address = upstream.url.strip_prefix("http://").context("an address")?.parse()?;
        let now = format!("{{\"now_ms\":{}}}", Timestamp::now().as_millisecond());
        let reply = ask(address, "POST", "/_sim/time", &now)?;
        anyhow::ensure!(reply.starts_with("HTTP/1.1 204"), "the clock goes on: {reply}");
        Ok(upstream)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
