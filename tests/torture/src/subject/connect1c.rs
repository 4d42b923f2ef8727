//! 1C-Connect.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use talon_connect1c::contracts;
use talon_simulators::connect1c::{Fault, FaultKind, Operation, Settings, Simulator};

use super::codecs::Codecs;
use super::upstream::{Feed, Subject, Truth};
use crate::scenario::Upstream;

const USER: &str = "partner";
const PASSWORD: &str = "canary-password-7b11";
/// As it goes over the wire: as good as the password.
const PASSWORD_BASE64: &str = "cGFydG5lcjpjYW5hcnktcGFzc3dvcmQtN2IxMQ==";
/// How long before a run life began, ms.
const PAST_MS: i64 = 90_000;
/// One is opened so often, ms; as many seconds as they last make a list of which a gap hides a part only.
const OPENED_EVERY_MS: i64 = 250;

/// Its life follows from its clock: the machine's while it is lively.
pub(super) struct Connect1C {
    upstream: Simulator,
    codecs: Codecs,
}

impl Connect1C {
    pub(super) async fn start(seed: u64) -> anyhow::Result<Connect1C> {
        let now_ms = Timestamp::now().as_millisecond();
        let upstream = Simulator::start(Settings {
            seed,
            since: Timestamp::from_millisecond(now_ms - PAST_MS)?.to_string(),
            opened_every_ms: OPENED_EVERY_MS,
            lasts_ms: (5_000, 120_000),
            rated_after_ms: (1_000, 30_000),
            accounts: BTreeMap::from([(USER.to_owned(), PASSWORD.to_owned())]),
            day_limit: 200_000,
            night_limit: 200_000,
            ..Settings::noisy()
        })
        .await?;
        upstream.clock().store(now_ms, Ordering::SeqCst);
        let codecs = Codecs::of(&talon_connect1c::Connect1C, settings(address(&upstream)))?;
        Ok(Connect1C { upstream, codecs })
    }
}

fn address(upstream: &Simulator) -> SocketAddr {
    let url = upstream.url();
    let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    address.parse().expect("the simulator listens on an address")
}

fn settings(upstream: SocketAddr) -> Vec<(String, String)> {
    let url = format!("http://{upstream}/cus/ws/PartnerWebAPI2");
    [
        ("upstream.url", url.as_str()),
        ("upstream.requests.per.second", "10000"),
        ("upstream.request.timeout.ms", "2000"),
        ("auth.user", USER),
        ("auth.password", PASSWORD),
        ("time.zone", "Asia/Yekaterinburg"),
        ("treatment.poll.interval.ms", "400"),
        ("open_treatment.poll.interval.ms", "400"),
        ("lag.ms", "1000"),
        ("quota.day", "200000"),
        // Without a checkpoint, as many are left for the first hour.
        ("quota.reserve", "90000"),
        // Treatments are closed while nobody looks.
        ("deletes.guard.ratio", "0.9"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec()
}

impl Subject for Connect1C {
    fn class(&self) -> &'static str {
        "connect1c"
    }

    fn address(&self) -> SocketAddr {
        address(&self.upstream)
    }

    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)> {
        settings(upstream)
    }

    fn rolled(&self, roll: u64) -> Vec<(String, String)> {
        vec![
            ("treatment.poll.interval.ms".to_owned(), (400 + roll % 4 * 50).to_string()),
            ("open_treatment.poll.interval.ms".to_owned(), (400 + roll % 3 * 100).to_string()),
        ]
    }

    fn feeds(&self) -> Vec<Feed> {
        [("treatment", &*contracts::TREATMENT), ("open_treatment", &*contracts::OPEN_TREATMENT)]
            .map(|(name, contract)| Feed { name, contract })
            .into()
    }

    fn live(&self, edits_per_second: f64) {
        let now = if edits_per_second > 0.0 { 0 } else { self.upstream.now_ms() };
        self.upstream.clock().store(now, Ordering::SeqCst);
    }

    fn quiet(&self) {
        self.live(0.0);
        self.upstream.faults().clear();
    }

    fn fault(&self, kind: Upstream, times: u64) {
        let status = |code, retry_after_seconds| FaultKind::Status { code, retry_after_seconds };
        let fault = match kind {
            Upstream::Unavailable => status(503, None).into(),
            Upstream::TooMany => status(429, Some(1)).into(),
            Upstream::Unauthorized => status(401, None).into(),
            Upstream::Slow => FaultKind::Slow { ms: 1_000 }.into(),
            Upstream::Cut => FaultKind::Cut { rows: 7 }.into(),
            Upstream::LostReply => FaultKind::LostReply.into(),
            Upstream::LostRequest => FaultKind::LostRequest.into(),
            Upstream::EmptyList => Fault::from(FaultKind::EmptyTable),
            Upstream::ShortList => FaultKind::Unfinished { rows: 3, between: true }.into(),
        };
        self.upstream.fault(fault.times(times));
    }

    fn truth(&self, feed: &str) -> anyhow::Result<Truth> {
        let operation = match feed {
            "treatment" => Operation::GetHistoryOfServiceTreatments,
            _ => Operation::GetOpenedServiceTreatments,
        };
        let encode = |row: Option<Value>| {
            row.map(|row| self.codecs.datum(feed, row.to_string().as_bytes(), "")).transpose()
        };
        let states = self.upstream.states(operation).into_iter();
        states
            .map(|(id, states)| {
                Ok((id, states.into_iter().map(encode).collect::<anyhow::Result<_>>()?))
            })
            .collect()
    }

    fn claimed(&self, _feed: &str, _cursor: &str) -> BTreeMap<String, usize> {
        // What was closed late is read with the overlap, so a cursor says nothing of a single one.
        BTreeMap::new()
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
        [PASSWORD, PASSWORD_BASE64].map(str::to_owned).to_vec()
    }
}
