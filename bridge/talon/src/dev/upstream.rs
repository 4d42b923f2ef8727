//! The upstreams that `talon dev` simulates, and how their connectors are set.

use std::collections::BTreeMap;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use talon_simulators::contractor::Kind;
use talon_simulators::{connect1c, contractor, enter_export, enter_rest, quickq};

/// An upstream; its names are those of the connectors' classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Upstream {
    /// ContractorPersonalArea
    Contractor,
    /// QuickQ
    Quickq,
    /// The central export of СУО Enter
    EnterExport,
    /// The REST services of a branch of СУО Enter
    EnterRest,
    /// 1C-Connect
    Connect1c,
}

/// How much there is, and how much happens.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) seed: u64,
    pub(super) calls: usize,
    pub(super) edits_per_second: f64,
}

/// One that runs, and the connector that reads it.
pub(super) struct Simulated {
    /// Of the connector.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) url: String,
    class: &'static str,
    simulator: Simulator,
}

enum Simulator {
    Contractor(contractor::Simulator),
    Quickq(quickq::Simulator),
    EnterExport(enter_export::Simulator),
    EnterRest(enter_rest::Simulator),
    Connect1c(connect1c::Simulator),
}

const TOKEN: &str = "dev-token";
const ZONE: &str = "Europe/Moscow";

/// The workplaces of QuickQ; the last one is left to commands.
const WORKPLACES: i64 = 4;

/// The workplaces of the branch of СУО Enter; the last one is left to commands.
const WINDOWS: usize = 4;
const WINDOW: &str = "window04";

impl Upstream {
    /// Starts it, on a free port.
    pub(super) async fn start(self, life: Life) -> anyhow::Result<Simulated> {
        let Life { seed, calls, edits_per_second } = life;
        let pace = edits_per_second.max(0.01);
        let (name, title, class) = match self {
            Upstream::Contractor => ("field-service", "ContractorPersonalArea", "contractor"),
            Upstream::Quickq => ("queue", "QuickQ", "quickq"),
            Upstream::EnterExport => ("queue-history", "СУО Enter, central export", "enter-export"),
            Upstream::EnterRest => ("hall", "СУО Enter, a branch", "enter-rest"),
            Upstream::Connect1c => ("lines", "1C-Connect", "connect1c"),
        };
        let (simulator, url) = match self {
            Upstream::Contractor => {
                let simulator = contractor::Simulator::start(contractor::Settings {
                    seed,
                    calls,
                    edits_per_second,
                    external_token: TOKEN.to_owned(),
                    ..contractor::Settings::default()
                })
                .await?;
                let url = simulator.url();
                (Simulator::Contractor(simulator), url)
            }
            Upstream::Quickq => {
                let simulator = quickq::Simulator::start(quickq::Settings {
                    seed,
                    workplaces: WORKPLACES,
                    quiet_from: WORKPLACES,
                    edits_per_second: edits_per_second / 2.0,
                    ..quickq::Settings::default()
                })
                .await?;
                let url = simulator.url();
                (Simulator::Quickq(simulator), url)
            }
            Upstream::EnterExport => {
                let simulator = enter_export::Simulator::start(enter_export::Settings {
                    seed,
                    zones: vec![ZONE.to_owned()],
                    tickets_per_day: 1_000,
                    opens_at: 0.0,
                    closes_at: 24.0,
                    ..enter_export::Settings::default()
                })
                .await?;
                let url = simulator.url();
                (Simulator::EnterExport(simulator), url)
            }
            Upstream::EnterRest => {
                let simulator = enter_rest::Simulator::start(enter_rest::Settings {
                    seed,
                    zone: ZONE.to_owned(),
                    workplaces: WINDOWS,
                    quiet_from: WINDOWS - 1,
                    visitors_per_hour: 300.0 * pace,
                    ..enter_rest::Settings::default()
                })
                .await?;
                let url = simulator.url();
                (Simulator::EnterRest(simulator), url)
            }
            Upstream::Connect1c => {
                let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
                let simulator = connect1c::Simulator::start(connect1c::Settings {
                    seed,
                    zone: ZONE.to_owned(),
                    since: yesterday.to_string(),
                    opened_every_ms: 20_000,
                    lasts_ms: (10_000, 15 * 60_000),
                    // Ten calls an hour are nothing to look at.
                    day_limit: 1_000_000,
                    night_limit: 1_000_000,
                    accounts: BTreeMap::from([("dev".to_owned(), TOKEN.to_owned())]),
                    ..connect1c::Settings::default()
                })
                .await?;
                let url = simulator.url();
                (Simulator::Connect1c(simulator), url)
            }
        };
        Ok(Simulated { name, title, url, class, simulator })
    }

    /// The settings of its connector, but for its class and its address.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Upstream::Contractor => &[
                ("upstream.requests.per.second", "200"),
                ("auth.external.token", TOKEN),
                ("call.poll.interval.ms", "500"),
                ("call_message.poll.interval.ms", "500"),
                ("call_jeopardy.poll.interval.ms", "500"),
                ("call_task.poll.interval.ms", "1000"),
                ("call_cost.poll.interval.ms", "1000"),
                ("call_cost.cycle.interval.ms", "60000"),
            ],
            Upstream::Quickq => &[
                ("auth.login", "admin"),
                ("auth.password", "12345"),
                ("auth.workplace", "4"),
                ("queue.workplaces", "1,2,3,4"),
                ("statistics.poll.interval.ms", "2000"),
            ],
            Upstream::EnterExport => {
                &[("time.zone", ZONE), ("before.image", "none"), ("poll.interval.ms", "2000")]
            }
            Upstream::EnterRest => &[
                ("time.zone", ZONE),
                ("auth.admin.login", "admin"),
                ("auth.admin.password", "12345"),
                ("auth.booking.identity", TOKEN),
                ("auth.operator.window04.login", "operator04"),
                ("auth.operator.window04.password", "54321"),
                ("workplaces", WINDOW),
                ("boards", "board01"),
                ("surveys", "survey01"),
                ("booking.products", "310"),
                // The script of commands is the only one at this workplace.
                ("commands.unguarded", "true"),
            ],
            Upstream::Connect1c => &[
                ("time.zone", ZONE),
                ("auth.user", "dev"),
                ("auth.password", TOKEN),
                ("lag.ms", "1000"),
                ("quota.day", "1000000"),
                // The reserve is all that a first hour has.
                ("quota.reserve", "500000"),
                ("treatment.poll.interval.ms", "2000"),
                ("open_treatment.poll.interval.ms", "2000"),
            ],
        }
    }

    /// The settings of all that run, by their keys in a file.
    pub(super) fn configuration(all: &[(Upstream, Simulated)]) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (upstream, Simulated { name, url, class, .. }) in all {
            let own = [("class", *class), ("upstream.url", url)];
            // Each partition takes memory of the broker in the process.
            let usual = [("topic.creation.default.partitions", "1")];
            for (key, text) in own.iter().chain(&usual).chain(upstream.settings()) {
                texts.insert(format!("connectors.{name}.{key}"), (*text).to_owned());
            }
        }
        texts
    }
}

impl Simulated {
    /// The next command of a small script, and its parameters; `None` where there is nothing to do.
    pub(super) fn command(&self, turn: usize) -> Option<(&'static str, Value)> {
        match &self.simulator {
            Simulator::Contractor(simulator) => {
                let (mut done, mut open) = (None, Vec::new());
                for (id, call) in simulator.history().current(Kind::Calls) {
                    let call: Value = serde_json::from_str(&call).ok()?;
                    match call["status"].as_str() {
                        Some("Done") => done = done.or(Some(id)),
                        Some("New" | "Committed") => open.push(id),
                        _ => {}
                    }
                }
                if turn % 2 == 1
                    && let Some(call) = done
                {
                    return Some(("CloseCall", json!({ "call_id": call })));
                }
                let call = *open.get(turn % open.len().max(1))?;
                let params = json!({
                    "call_id": call,
                    "message": "Is there any news?",
                    "written_at": Timestamp::now().to_string(),
                });
                Some(("SendDispatcherMessage", params))
            }
            Simulator::Quickq(_) => {
                let kinds = ["NextConsumer", "ServeConsumer"];
                Some((kinds[turn % kinds.len()], json!({ "workplace_id": WORKPLACES })))
            }
            Simulator::EnterRest(_) => {
                let kinds = ["InviteNext", "StartService", "CompleteService"];
                Some((kinds[turn % kinds.len()], json!({ "client_id": WINDOW })))
            }
            // They take none.
            Simulator::EnterExport(_) | Simulator::Connect1c(_) => None,
        }
    }

    /// A command that somebody could type.
    pub(super) fn example(&self) -> Option<String> {
        let (kind, params) = self.command(0)?;
        let params = params.as_object()?.iter().map(|(key, value)| match value.as_str() {
            Some(text) if text.contains(' ') => format!("{key}='{text}'"),
            Some(text) => format!("{key}={text}"),
            None => format!("{key}={value}"),
        });
        Some(format!("{} {kind} {} --wait", self.name, params.collect::<Vec<_>>().join(" ")))
    }

    pub(super) async fn stop(self) {
        match self.simulator {
            Simulator::Contractor(simulator) => simulator.stop().await,
            Simulator::Quickq(simulator) => simulator.stop().await,
            Simulator::EnterExport(simulator) => simulator.stop(),
            Simulator::EnterRest(simulator) => simulator.stop(),
            Simulator::Connect1c(simulator) => simulator.stop(),
        }
    }
}
