//! The ticket export of СУО Enter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use serde_json::value::RawValue;
use talon_enter::contracts;
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};
use tokio::task::JoinHandle;

use super::codecs::Codecs;
use super::upstream::{Feed, Subject, Truth};
use crate::scenario::Upstream;

const TOKEN: &str = "canary-token-3e90";
/// Stands in the login of every operator.
const LOGIN: &str = "operator1-";
const BRANCHES: usize = 2;
const TICKETS_PER_DAY: usize = 120;
/// The hour of the branches' day at which a run begins: a step of the clock by hours must not lead out
/// of the day, because the upstream goes on by its own clock.
const HOUR: i8 = 9;
/// Days before today that are read.
const PAST_DAYS: i32 = 2;
/// How many seconds of the upstream's day pass in one, for each edit a second that is asked for.
const HASTE: f64 = 8.0;
const TICK: Duration = Duration::from_millis(20);
/// The upstream's day is not lived past this, ms after the beginning of a run.
const LONGEST_MS: i64 = 13 * 3_600_000;

/// Its life follows from its clock, which runs ahead of the machine's while it is lively.
pub(super) struct EnterExport {
    upstream: Simulator,
    codecs: Codecs,
    backfill_from: Date,
    days: Vec<Date>,
    zone: String,
    /// Milliseconds of the upstream's day in a second.
    pace: Arc<AtomicU64>,
    clock: JoinHandle<()>,
    lists: BTreeMap<&'static str, Truth>,
    /// By branch and day, how many states each ticket had been in when everything began.
    initial: BTreeMap<(String, Date), BTreeMap<String, usize>>,
}

impl EnterExport {
    pub(super) async fn start(seed: u64) -> anyhow::Result<EnterExport> {
        let now = Timestamp::now();
        let zone = zone_of_morning(now);
        let upstream = Simulator::start(Settings {
            seed,
            branches: BRANCHES,
            zones: vec![zone.clone()],
            tickets_per_day: TICKETS_PER_DAY,
            token: Some(TOKEN.to_owned()),
            ..Settings::noisy()
        })
        .await?;
        let began_ms = now.as_millisecond();
        upstream.clock().store(began_ms, Ordering::SeqCst);
        let today = now.to_zoned(TimeZone::get(&zone)?).date();
        let days: Vec<Date> =
            (0..=PAST_DAYS).map(|back| today.checked_sub(back.days())).collect::<Result<_, _>>()?;
        let backfill_from = *days.last().context("no days")?;
        let codecs = Codecs::of(
            &talon_enter::EnterExport,
            settings(address(&upstream), &zone, backfill_from),
        )?;
        let pace = Arc::new(AtomicU64::new(0));
        let clock = tokio::spawn(run_clock(upstream.clock(), pace.clone(), began_ms));
        let lists = BTreeMap::new();
        let initial = BTreeMap::new();
        let mut subject = EnterExport {
            upstream,
            codecs,
            backfill_from,
            days,
            zone,
            pace,
            clock,
            lists,
            initial,
        };
        subject.read_lists().await?;
        for (branch, name) in subject.upstream.branches().into_iter().enumerate() {
            for day in subject.days.clone() {
                let states = subject.upstream.states(branch, day, began_ms);
                let counts = states.into_iter().map(|(id, states)| (id, states.len())).collect();
                subject.initial.insert((name.clone(), day), counts);
            }
        }
        Ok(subject)
    }

    /// The whole lists, which stay as they are.
    async fn read_lists(&mut self) -> anyhow::Result<()> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::new();
        for (feed, path) in [("branch", "servers"), ("ticket_source", "ticketSources")] {
            let url = format!("{}/api/1/config/{path}", self.upstream.url());
            let reply = client.get(url).header("Token", TOKEN).send().await?.error_for_status()?;
            // As they came: a generic value has not all digits of all numbers.
            let rows: Vec<Box<RawValue>> = serde_json::from_str(&reply.text().await?)?;
            let mut truth = Truth::new();
            for row in rows {
                let read: Value = serde_json::from_str(row.get())?;
                let key = read["Id"].as_str().context("a row without `Id`")?.to_owned();
                let datum = self.codecs.datum(feed, row.get().as_bytes(), "")?;
                truth.insert(key, vec![Some(datum)]);
            }
            self.lists.insert(feed, truth);
        }
        Ok(())
    }

    /// All states of all tickets until now as rows, with the scope and the key of each ticket.
    fn tickets(
        &self,
        mut each: impl FnMut(&str, &str, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let now_ms = self.upstream.now_ms();
        for (branch, name) in self.upstream.branches().into_iter().enumerate() {
            let department = self.upstream.department(branch);
            for day in &self.days {
                let scope = format!("{name}/{day}");
                for (id, states) in self.upstream.states(branch, *day, now_ms) {
                    for state in states {
                        let row = format!("{{\"Ticket\":{state},\"Department\":{department}}}");
                        each(&scope, &format!("{name}/{id}"), row.as_bytes())?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for EnterExport {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

/// Lets the upstream's clock go on at its pace.
async fn run_clock(clock: Arc<AtomicI64>, pace: Arc<AtomicU64>, began_ms: i64) {
    let mut ticks = tokio::time::interval(TICK);
    let mut last = ticks.tick().await;
    loop {
        let now = ticks.tick().await;
        let by = (now - last).as_secs_f64() * pace.load(Ordering::Relaxed) as f64;
        last = now;
        let ms = clock.load(Ordering::SeqCst) + by as i64;
        clock.store(ms.min(began_ms + LONGEST_MS), Ordering::SeqCst);
    }
}

/// A zone in which it is [`HOUR`] o'clock.
fn zone_of_morning(now: Timestamp) -> String {
    let hour = now.to_zoned(TimeZone::UTC).hour();
    let ahead = (HOUR - hour).rem_euclid(24);
    let ahead = if ahead > 14 { ahead - 24 } else { ahead };
    // The names of these zones count westwards.
    match ahead {
        0 => "Etc/GMT".to_owned(),
        1.. => format!("Etc/GMT-{ahead}"),
        _ => format!("Etc/GMT+{}", -ahead),
    }
}

fn address(upstream: &Simulator) -> SocketAddr {
    let url = upstream.url();
    url.trim_start_matches("http://").parse().expect("the simulator listens on an address")
}

fn settings(upstream: SocketAddr, zone: &str, backfill_from: Date) -> Vec<(String, String)> {
    let (url, from) = (format!("http://{upstream}"), backfill_from.to_string());
    [
        ("upstream.url", url.as_str()),
        ("upstream.requests.per.second", "10000"),
        ("upstream.request.timeout.ms", "2000"),
        ("auth.token", TOKEN),
        ("poll.interval.ms", "150"),
        ("late.poll.interval.ms", "500"),
        ("catalogue.poll.interval.ms", "1000"),
        ("time.zone", zone),
        ("backfill.from", from.as_str()),
        ("backfill.concurrency", "2"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec()
}

/// The days that a cursor says to be done, by branch.
fn done(cursor: &str) -> anyhow::Result<BTreeMap<String, Vec<(Date, Date)>>> {
    let cursor: BTreeMap<String, Value> = serde_json::from_str(cursor)?;
    let range = |text: &str| -> anyhow::Result<(Date, Date)> {
        let (first, last) = text.split_once("..").context("no range of days")?;
        Ok((first.parse()?, last.parse()?))
    };
    let days = |branch: &Value| -> anyhow::Result<Vec<(Date, Date)>> {
        let done = branch["done"].as_str().unwrap_or_default();
        done.split(',').filter(|part| !part.is_empty()).map(range).collect()
    };
    cursor.into_iter().map(|(id, branch)| Ok((id, days(&branch)?))).collect()
}

impl Subject for EnterExport {
    fn class(&self) -> &'static str {
        "enter-export"
    }

    fn address(&self) -> SocketAddr {
        address(&self.upstream)
    }

    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)> {
        settings(upstream, &self.zone, self.backfill_from)
    }

    fn rolled(&self, roll: u64) -> Vec<(String, String)> {
        vec![
            ("poll.interval.ms".to_owned(), (100 + roll % 4 * 50).to_string()),
            ("backfill.concurrency".to_owned(), (1 + roll % 3).to_string()),
        ]
    }

    fn feeds(&self) -> Vec<Feed> {
        [
            ("branch", &*contracts::BRANCH),
            ("ticket_source", &*contracts::TICKET_SOURCE),
            ("ticket", &*contracts::TICKET),
            ("ticket_operation", &*contracts::TICKET_OPERATION),
        ]
        .map(|(name, contract)| Feed { name, contract })
        .into()
    }

    fn live(&self, edits_per_second: f64) {
        self.pace.store((edits_per_second * HASTE * 1_000.0) as u64, Ordering::Relaxed);
    }

    fn quiet(&self) {
        self.live(0.0);
        self.upstream.faults().clear();
    }

    fn fault(&self, kind: Upstream, times: u64) {
        let status = |code, retry_after_seconds| FaultKind::Status { code, retry_after_seconds };
        let kind = match kind {
            Upstream::Unavailable => status(503, None),
            Upstream::TooMany => status(429, Some(1)),
            Upstream::Unauthorized => status(401, None),
            Upstream::Slow => FaultKind::Slow { ms: 1_000 },
            Upstream::Cut => FaultKind::Cut { tickets: 7 },
            Upstream::LostReply => FaultKind::Cut { tickets: 0 },
            // Longer than is waited for.
            Upstream::LostRequest => FaultKind::Slow { ms: 3_000 },
            Upstream::EmptyList => FaultKind::HtmlError,
            Upstream::ShortList => FaultKind::Unfinished { tickets: 3 },
        };
        self.upstream.fault(Fault::from(kind).times(times));
    }

    fn stick_scope(&self) -> Option<&'static str> {
        let away = FaultKind::Status { code: 503, retry_after_seconds: None };
        self.upstream.fault(Fault::from(away).branch(BRANCHES - 1));
        Some("ticket")
    }

    fn free_scope(&self) {
        self.upstream.faults().clear();
    }

    fn truth(&self, feed: &str) -> anyhow::Result<Truth> {
        if let Some(list) = self.lists.get(feed) {
            return Ok(list.clone());
        }
        let mut truth = Truth::new();
        match feed {
            "ticket" => self.tickets(|scope, key, row| {
                let datum = self.codecs.datum(feed, row, scope)?;
                truth.entry(key.to_owned()).or_default().push(Some(datum));
                Ok(())
            })?,
            "ticket_operation" => self.tickets(|scope, _, row| {
                for (key, datum) in self.codecs.facts(feed, row, scope)? {
                    let known = truth.entry(key).or_insert_with(|| vec![Some(datum.clone())]);
                    ensure!(known[0].as_ref() == Some(&datum), "a fact that changes");
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(truth)
    }

    fn claimed(&self, feed: &str, cursor: &str) -> BTreeMap<String, usize> {
        let mut claimed = BTreeMap::new();
        if feed != "ticket" {
            return claimed;
        }
        // What is done was read after everything began.
        let done = done(cursor).unwrap_or_default();
        for ((branch, day), counts) in &self.initial {
            let ranges = done.get(branch).map_or(&[][..], Vec::as_slice);
            if ranges.iter().any(|(first, last)| first <= day && day <= last) {
                let counts = counts.iter().map(|(id, count)| (format!("{branch}/{id}"), *count));
                claimed.extend(counts);
            }
        }
        claimed
    }

    fn has_commands(&self) -> bool {
        false
    }

    fn command(&self, _id: &str, _random: &mut ChaCha8Rng) -> Option<(String, Value)> {
        None
    }

    fn effects(&self) -> Vec<String> {
        Vec::new()
    }

    fn canaries(&self) -> Vec<String> {
        [TOKEN, LOGIN].map(str::to_owned).to_vec()
    }
}
