//! The REST services of a branch of СУО Enter.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use talon_enter::rest_contracts as contracts;
use talon_simulators::enter_rest::{Fault, FaultKind, Settings, Simulator};
use talon_simulators::noise;
use tokio::task::JoinHandle;

use super::codecs::Codecs;
use super::upstream::{Feed, Subject, Truth};
use crate::scenario::Upstream;

const PASSWORD: &str = "canary-password-91d4";
const OPERATOR_PASSWORD: &str = "canary-password-47e0";
/// Stands in every `PinCode`.
const PIN: &str = "pin-";
const VISITORS: usize = 60;
const WORKPLACES: usize = 5;
/// Workplaces from this one on, counted from 0, are left to the commands.
const QUIET_FROM: usize = 3;
/// A step of the hall's life, ms.
const STEP_MS: i64 = 250;
const VISITORS_PER_HOUR: f64 = 6_000.0;
const TICK: Duration = Duration::from_millis(20);

/// Its life follows from its clock, which goes on with the machine's while it is lively.
pub(super) struct EnterRest {
    upstream: Simulator,
    codecs: Codecs,
    issued: Mutex<Issued>,
    is_lively: Arc<AtomicBool>,
    clock: JoinHandle<()>,
}

async fn run_clock(clock: Arc<AtomicI64>, is_lively: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(TICK).await;
        if is_lively.load(Ordering::SeqCst) {
            clock.store(Timestamp::now().as_millisecond(), Ordering::SeqCst);
        }
    }
}

impl Drop for EnterRest {
    fn drop(&mut self) {
        self.clock.abort();
    }
}

/// What commands were made of.
#[derive(Default)]
struct Issued {
    /// By the visitor that is to be rejected.
    rejects: HashMap<String, String>,
    /// By the ticket to which a service is to be added.
    additions: HashMap<String, String>,
}

impl EnterRest {
    pub(super) async fn start(seed: u64) -> anyhow::Result<EnterRest> {
        let now = Timestamp::now();
        let zone = zone_of_noon(now);
        let upstream = Simulator::start(Settings {
            seed,
            zone: zone.clone(),
            workplaces: WORKPLACES,
            quiet_from: QUIET_FROM,
            visitors: VISITORS,
            visitors_per_hour: VISITORS_PER_HOUR,
            bookings: 0,
            bookings_per_hour: 0.0,
            step_ms: STEP_MS,
            hall: ("hall".to_owned(), PASSWORD.to_owned()),
            operator_password: OPERATOR_PASSWORD.to_owned(),
            ..Settings::noisy()
        })
        .await?;
        upstream.clock().store(now.as_millisecond(), Ordering::SeqCst);
        // The life begins.
        upstream.look("queue/statistics", None)?;
        let codecs = Codecs::of(
            &talon_enter::EnterRest,
            settings(address(&upstream), &zone, &upstream.workplaces()),
        )?;
        let is_lively = Arc::new(AtomicBool::new(false));
        let clock = tokio::spawn(run_clock(upstream.clock(), is_lively.clone()));
        Ok(EnterRest { upstream, codecs, issued: Mutex::default(), is_lively, clock })
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is at a quiet workplace and was not named by a command yet; somebody is called where nobody is.
    fn visitor(&self, place: &str) -> Option<String> {
        let state = self.upstream.look("operation/state", Some(place)).ok()?;
        if let Some(id) = state["TicketProduct"]["Id"].as_str() {
            return (!self.issued().rejects.contains_key(id)).then(|| id.to_owned());
        }
        let called = self.upstream.act("operation/invite", Value::Null, Some(place)).ok()?;
        called["Id"].as_str().map(str::to_owned)
    }

    /// A ticket of its own.
    fn ticket(&self, random: &mut ChaCha8Rng) -> Option<(String, String)> {
        let products = self.upstream.look("config/products", None).ok()?;
        let at = random.random_range(0..products.as_array()?.len());
        let product = products[at]["Id"].as_str()?.to_owned();
        let made = self.upstream.act("queue/admin/tickets/new", json!([product]), None).ok()?;
        Some((made["Id"].as_str()?.to_owned(), product))
    }
}

/// A zone in which it is about noon, so that no day ends during a run.
fn zone_of_noon(now: Timestamp) -> String {
    let names = (-12..=14).map(|hours: i32| format!("Etc/GMT{:+}", -hours));
    let is_noon =
        |name: &String| TimeZone::get(name).is_ok_and(|zone| now.to_zoned(zone).hour() == 12);
    names.into_iter().find(is_noon).unwrap_or_else(|| "Etc/UTC".to_owned())
}

fn address(upstream: &Simulator) -> SocketAddr {
    let url = upstream.url();
    let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    address.parse().expect("the simulator listens on an address")
}

fn settings(upstream: SocketAddr, zone: &str, places: &[String]) -> Vec<(String, String)> {
    let url = format!("http://{upstream}/api/1");
    let mut all: Vec<(String, String)> = [
        ("upstream.url", url.as_str()),
        ("upstream.requests.per.second", "10000"),
        ("upstream.request.timeout.ms", "2000"),
        ("time.zone", zone),
        ("auth.admin.login", "hall"),
        ("auth.admin.password", PASSWORD),
        ("workplaces", &places.join(",")),
        ("feeds", "ticket,ticket_history,product"),
        ("ticket.poll.interval.ms", "300"),
        ("ticket_history.poll.interval.ms", "400"),
        ("product.poll.interval.ms", "1000"),
        ("lag.ms", "1000"),
        // Visitors are served while nobody looks.
        ("deletes.guard.ratio", "0.9"),
        ("commands", "RejectVisitor,AddProduct"),
        ("commands.settle.ms", "2500"),
        ("commands.retry.budget.ms", "60000"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec();
    for (number, place) in places.iter().enumerate() {
        let login = format!("operator{:02}", number + 1);
        all.push((format!("auth.operator.{place}.login"), login));
        all.push((format!("auth.operator.{place}.password"), OPERATOR_PASSWORD.to_owned()));
    }
    all
}

impl Subject for EnterRest {
    fn class(&self) -> &'static str {
        "enter-rest"
    }

    fn address(&self) -> SocketAddr {
        address(&self.upstream)
    }

    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)> {
        settings(upstream, &self.upstream.settings().zone, &self.upstream.workplaces())
    }

    fn rolled(&self, roll: u64) -> Vec<(String, String)> {
        vec![
            ("ticket.poll.interval.ms".to_owned(), (300 + roll % 4 * 50).to_string()),
            ("ticket_history.poll.interval.ms".to_owned(), (400 + roll % 3 * 100).to_string()),
            ("commands.max.in.flight".to_owned(), (8 + roll % 3).to_string()),
        ]
    }

    fn feeds(&self) -> Vec<Feed> {
        [
            ("ticket", &*contracts::TICKET),
            ("ticket_history", &*contracts::TICKET_HISTORY),
            ("product", &*contracts::PRODUCT),
        ]
        .map(|(name, contract)| Feed { name, contract })
        .into()
    }

    fn live(&self, edits_per_second: f64) {
        self.is_lively.store(edits_per_second > 0.0, Ordering::SeqCst);
    }

    fn quiet(&self) {
        self.live(0.0);
        self.upstream.faults().clear();
    }

    fn fault(&self, kind: Upstream, times: u64) {
        const COMMANDS: [&str; 2] =
            ["POST operation/reject", "POST queue/admin/tickets/:ticketId/addProduct/:productId"];
        let status = |code, retry_after_seconds| FaultKind::Status { code, retry_after_seconds };
        let all = |kind: FaultKind| self.upstream.fault(Fault::from(kind).times(times));
        let only = |kind: &FaultKind, row: &str| {
            self.upstream.fault(Fault::from(kind.clone()).only(row).times(times));
        };
        match kind {
            Upstream::Unavailable => all(status(503, None)),
            Upstream::TooMany => all(status(429, Some(1))),
            Upstream::Unauthorized => self.upstream.revoke(),
            Upstream::Slow => all(FaultKind::Slow { ms: 1_000 }),
            Upstream::Cut => all(FaultKind::Cut),
            Upstream::LostReply => COMMANDS.iter().for_each(|row| only(&FaultKind::LostReply, row)),
            Upstream::LostRequest => COMMANDS.iter().for_each(|row| only(&FaultKind::Dropped, row)),
            Upstream::EmptyList => only(&FaultKind::EmptyList, "GET queue/admin/tickets"),
            Upstream::ShortList => only(&FaultKind::Cut, "GET tickets/history/list"),
        }
    }

    fn truth(&self, feed: &str) -> anyhow::Result<Truth> {
        let mut truth = Truth::new();
        let datum = |mut row: Value, scope: &str| {
            noise::extend(&mut row);
            self.codecs.datum(feed, row.to_string().as_bytes(), scope)
        };
        if feed == "product" {
            for path in ["config/products/simple", "config/products"] {
                let rows = self.upstream.look(path, None)?;
                for row in rows.as_array().context("a list")? {
                    let id = row["Id"].as_str().context("an `Id`")?.to_owned();
                    truth.insert(id, vec![Some(datum(row.clone(), "")?)]);
                }
            }
            return Ok(truth);
        }
        for (id, states) in self.upstream.history() {
            let mut shown = Vec::new();
            for mut row in states {
                // It leaves the process nowhere.
                row["PinCode"] = Value::Null;
                let day = row["Created"].as_str().context("`Created`")?;
                let day = day.split('T').next().unwrap_or_default().to_owned();
                // Who is done with leaves the list of today.
                let is_listed = feed == "ticket_history" || row["State"] != 3;
                shown.push(is_listed.then(|| datum(row, &day)).transpose()?);
            }
            truth.insert(id, shown);
        }
        Ok(truth)
    }

    fn claimed(&self, _feed: &str, _cursor: &str) -> BTreeMap<String, usize> {
        // The list of today has lost some by any time, and the history is read with an overlap.
        BTreeMap::new()
    }

    fn command(&self, id: &str, random: &mut ChaCha8Rng) -> Option<(String, Value)> {
        let places = self.upstream.workplaces();
        let place = &places[random.random_range(QUIET_FROM..places.len())];
        let (adds, is_odd) = (random.random_range(0..3) == 0, random.random_range(0..12) == 0);
        let there = if adds { None } else { self.visitor(place) };
        let (key, mut command) = match there {
            None => {
                let (ticket, product) = self.ticket(random)?;
                self.issued().additions.insert(ticket.clone(), id.to_owned());
                let params = json!({ "ticket_id": ticket, "product_id": product });
                (ticket, json!({ "id": id, "type": "AddProduct", "params": params }))
            }
            Some(visitor) => {
                // Somebody else: refused.
                let expected = if is_odd { "nobody" } else { &visitor };
                if !is_odd {
                    self.issued().rejects.insert(visitor.clone(), id.to_owned());
                }
                let command = json!({
                    "id": id, "type": "RejectVisitor", "params": { "client_id": place },
                    "expect": { "ticket_product_id": expected },
                });
                (place.clone(), command)
            }
        };
        if is_odd && random.random_range(0..2) == 0 {
            command["expires_at"] = json!("2026-01-01T00:00:00Z");
        }
        Some((key, command))
    }

    fn effects(&self) -> Vec<String> {
        let issued = self.issued();
        let mut tickets: HashMap<String, String> = HashMap::new();
        for (ticket, states) in self.upstream.history() {
            if !issued.additions.contains_key(&ticket) {
                continue;
            }
            let services = states.last().and_then(|last| last["Products"].as_array().cloned());
            for service in services.unwrap_or_default() {
                let id = service["Id"].as_str().unwrap_or_default().to_owned();
                tickets.insert(id, ticket.clone());
            }
        }
        let journal = self.upstream.journal().into_iter();
        let asked = journal.filter(|effect| effect.asked);
        asked
            .map(|effect| {
                let of_ticket = || issued.additions.get(tickets.get(&effect.to)?);
                let id = match effect.what {
                    "reject" => issued.rejects.get(&effect.to),
                    "add_product" => of_ticket(),
                    _ => None,
                };
                id.cloned().unwrap_or_else(|| format!("none: {} {}", effect.what, effect.to))
            })
            .collect()
    }

    fn canaries(&self) -> Vec<String> {
        [PASSWORD, OPERATOR_PASSWORD, PIN].map(str::to_owned).to_vec()
    }
}
