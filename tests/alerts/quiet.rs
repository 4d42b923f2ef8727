//! A day on which nothing is wrong: traffic, commands, a restart, a rolling restart, a pause.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use talon_simulators::contractor::Simulator;
use talon_simulators::{connect1c, enter_export};

use crate::commands::send_message;
use crate::site::{Site, Texts};
use crate::stage::Stage;
use crate::support::connect;
use crate::upstream::{contractor, field};

/// A pause that is shorter than a session and than what makes a target unreachable.
const PAUSE: Duration = Duration::from_secs(1);

/// What is read on that day.
struct World {
    field: Simulator,
    hall: enter_export::Simulator,
    lines: connect1c::Simulator,
}

impl World {
    async fn start() -> World {
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(3_600);
        let lines = connect1c::Settings {
            since: since.to_string(),
            opened_every_ms: 20_000,
            ..connect1c::Settings::default()
        };
        World {
            field: contractor(5.0).await,
            hall: enter_export::Simulator::start(enter_export::Settings::default()).await.unwrap(),
            lines: connect1c::Simulator::start(lines).await.unwrap(),
        }
    }

    fn texts(&self, site: &Site, number: usize) -> Texts {
        let mut texts = field(site, &self.field.url(), &[]);
        if let Some(id) = texts.get_mut("bus.kafka.group.instance.id") {
            *id = format!("{}-{number}", site.prefix);
        }
        let from = (jiff::Zoned::now() - jiff::Span::new().days(2)).date().to_string();
        let url = self.hall.url();
        let hall = [("class", "enter-export"), ("upstream.url", &*url), ("backfill.from", &from)];
        connect(&mut texts, "hall", &hall);
        let url = self.lines.url();
        let lines = [
            ("class", "connect1c"),
            ("upstream.url", &*url),
            ("auth.user", "partner"),
            ("auth.password", "пароль:1"),
            ("time.zone", "Asia/Yekaterinburg"),
        ];
        connect(&mut texts, "lines", &lines);
        texts
    }
}

/// Lives through it; says which alerts fired.
pub(crate) async fn day(stage: &Arc<Stage>, address: &str, lasts: Duration) -> BTreeSet<String> {
    let bus = if address.starts_with("nats://") { "nats" } else { "kafka" };
    let mut site = Site::new(stage, &format!("quiet {bus}"), address);
    let world = World::start().await;
    let texts = [0, 1].map(|number| world.texts(&site, number));
    let begun = Instant::now();
    site.run_ready(0, &texts[0]).await;
    site.run_ready(1, &texts[1]).await;
    let part = lasts / 4;
    let mut ends = begun;
    for event in 0..4 {
        match event {
            // The first part has nothing but traffic.
            0 => {}
            // A restart of one.
            1 => {
                site.retire(0).await;
                site.run_ready(0, &texts[0]).await;
            }
            // A rolling restart, the last one first.
            2 => {
                for number in [1, 0] {
                    site.retire(number).await;
                    site.run_ready(number, &texts[number]).await;
                }
            }
            _ => {
                site.pod(0).signal("STOP");
                tokio::time::sleep(PAUSE).await;
                site.pod(0).signal("CONT");
            }
        }
        ends += part;
        while Instant::now() < ends {
            send_message(&site, json!({})).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }
    let fired = stage.fired(&site.job, begun);
    for (one, after) in &fired {
        eprintln!("the quiet day on {bus}: {} after {after:?}: {}", one.alert, one.summary);
    }
    fired.into_iter().map(|(one, _)| one.alert).collect()
}
