//! How much of a past there is, and how it is read.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::{ToSpan, Zoned};
use talon_enter::EnterExport;
use talon_runtime::Setup;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context as Lent};

use crate::measure::Lap;

/// `backfill`
#[derive(Args)]
pub(crate) struct Backfill {
    /// Branches of the central server
    #[arg(long, default_value_t = 50)]
    pub(super) branches: usize,
    /// Days before today
    #[arg(long, default_value_t = 365)]
    pub(super) days: i32,
    /// Tickets of a branch in a day
    #[arg(long, default_value_t = 200)]
    pub(super) tickets: usize,
    /// Days that are read at once, on both sides
    #[arg(long, default_value_t = 8)]
    pub(super) concurrency: usize,
    /// Where records go
    #[arg(long, value_enum, default_value = "kafka")]
    pub(super) to: To,
    /// Whether updates carry the value before
    #[arg(long, value_enum, default_value = "none")]
    before_image: Image,
    /// Seed of the tickets
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Runs `talon run` as a process to a real Kafka, kills it so often on its way, and compares what is
    /// on the topics in the end with what the server says
    #[arg(long)]
    pub(super) kill: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(super) enum To {
    /// Nowhere: without the client and the broker
    Void,
    /// librdkafka's broker inside this process
    Mock,
    /// A real Kafka
    Kafka,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Image {
    None,
    Full,
}

impl Backfill {
    /// Of the connector.
    pub(super) fn settings(&self, url: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let image = if self.before_image == Image::Full { "full" } else { "none" };
        let texts = [
            ("class", "enter-export".to_owned()),
            ("upstream.url", url.to_owned()),
            ("upstream.requests.per.second", "100000".to_owned()),
            ("backfill.from", self.first_day()?.to_string()),
            ("backfill.concurrency", self.concurrency.to_string()),
            ("before.image", image.to_owned()),
            // Only the backfill, and today once.
            ("poll.interval.ms", "3600000".to_owned()),
            ("late.max.age.days", "0".to_owned()),
            // So that yesterday is done whatever the time of day is.
            ("day.settle.ms", "0".to_owned()),
        ];
        Ok(texts.into_iter().map(|(key, text)| (key.to_owned(), text)).collect())
    }

    pub(super) fn first_day(&self) -> anyhow::Result<Date> {
        Ok(Zoned::now().date().checked_sub(self.days.days())?)
    }

    pub(super) fn setup(&self, url: &str, metrics: &Metrics) -> anyhow::Result<Setup> {
        let texts = self.settings(url)?;
        let mut keys = options::keys();
        keys.extend(EnterExport.keys());
        let secrets = Secrets::Unresolved;
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let options = Options::read(&settings);
        let connector = EnterExport.configure(&mut settings, lent(metrics));
        let connector = connector.with_context(|| format!("{:?}", settings.problems()))?;
        Ok(Setup {
            name: "bench".to_owned(),
            class: "enter-export",
            options,
            connector,
            commands: None,
        })
    }

    pub(super) fn all_tickets(&self) -> anyhow::Result<usize> {
        Ok(self.branches * self.tickets * usize::try_from(self.days)?)
    }

    pub(super) fn print(&self, what: &str, lap: Lap, largest: u64) -> anyhow::Result<()> {
        let tickets = self.all_tickets()?;
        let rate = |time: Duration| tickets as f64 / time.as_secs_f64() / 1e3;
        println!(
            "{what:<20} {:>8.1} s wall ({:.1} k tickets/s), {:.1} s cpu ({:.1} k tickets/s), \
             largest {:.0} MB",
            lap.wall.as_secs_f64(),
            rate(lap.wall),
            lap.cpu.as_secs_f64(),
            rate(lap.cpu),
            largest as f64 / 1e6,
        );
        Ok(())
    }
}

/// What a connector of this benchmark is lent.
pub(super) fn lent(metrics: &Metrics) -> Lent {
    Lent { name: "bench".to_owned(), clock: Clock::System, metrics: metrics.upstream.clone() }
}
