//! ContractorPersonalArea.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use talon_contractor::contracts;
use talon_simulators::contractor::{Fault, FaultKind, Kind, Settings, Simulator};

use super::codecs::Codecs;
use super::upstream::{Feed, Size, Subject, Truth};
use crate::scenario::Upstream;

const TOKEN: &str = "canary-token-77f1";
/// Stands in the text of every message that is sent.
const TEXT: &str = "кенар";
/// Calls that exist at the start.
const CALLS: usize = 150;
/// Commands are about so many of them.
const BUSY: usize = 12;

pub(super) struct Contractor {
    upstream: Simulator,
    /// Calls that commands are about.
    busy: Vec<i64>,
    codecs: Codecs,
    /// The states that were encoded already: there are many, and none changes.
    encoded: Mutex<BTreeMap<Kind, Truth>>,
}

impl Contractor {
    pub(super) async fn start(seed: u64, size: Size) -> anyhow::Result<Contractor> {
        let upstream = Simulator::start(Settings {
            seed,
            calls: match size {
                Size::Usual => CALLS,
                Size::Calls(calls) => calls,
            },
            keep_history: true,
            external_token: TOKEN.to_owned(),
            ..Settings::noisy()
        })
        .await?;
        let busy = upstream.history().current(Kind::Calls).into_keys().take(BUSY).collect();
        let codecs = Codecs::of(&talon_contractor::Contractor, settings(upstream.addr()))?;
        Ok(Contractor { upstream, busy, codecs, encoded: Mutex::default() })
    }
}

fn settings(upstream: SocketAddr) -> Vec<(String, String)> {
    let url = format!("http://{upstream}");
    [
        ("upstream.url", url.as_str()),
        ("upstream.requests.per.second", "10000"),
        ("upstream.request.timeout.ms", "2000"),
        ("auth.external.token", TOKEN),
        ("feeds", "call,call_message,call_jeopardy,call_task"),
        ("call.poll.interval.ms", "100"),
        ("call_message.poll.interval.ms", "100"),
        ("call_jeopardy.poll.interval.ms", "100"),
        ("call_task.poll.interval.ms", "300"),
        ("commands", "SendDispatcherMessage"),
        ("commands.settle.ms", "2500"),
        ("commands.retry.budget.ms", "60000"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec()
}

fn kind(feed: &str) -> Option<Kind> {
    Some(match feed {
        "call" => Kind::Calls,
        "call_message" => Kind::Messages,
        "call_jeopardy" => Kind::Jeopardies,
        "call_task" => Kind::Tasks,
        _ => return None,
    })
}

impl Subject for Contractor {
    fn class(&self) -> &'static str {
        "contractor"
    }

    fn address(&self) -> SocketAddr {
        self.upstream.addr()
    }

    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)> {
        settings(upstream)
    }

    fn rolled(&self, roll: u64) -> Vec<(String, String)> {
        let interval = (50 + roll % 4 * 40).to_string();
        vec![
            ("call.poll.interval.ms".to_owned(), interval),
            ("commands.max.in.flight".to_owned(), (8 + roll % 3).to_string()),
        ]
    }

    fn feeds(&self) -> Vec<Feed> {
        [
            ("call", &*contracts::CALL),
            ("call_message", &*contracts::CALL_MESSAGE),
            ("call_jeopardy", &*contracts::CALL_JEOPARDY),
            ("call_task", &*contracts::CALL_TASK),
        ]
        .map(|(name, contract)| Feed { name, contract })
        .into()
    }

    fn live(&self, edits_per_second: f64) {
        let patch = json!({ "edits_per_second": edits_per_second });
        self.upstream.change_settings(&patch).expect("a setting that there is");
    }

    fn quiet(&self) {
        self.live(0.0);
        self.upstream.faults().clear();
        self.upstream.settle();
    }

    fn fault(&self, kind: Upstream, times: u64) {
        let status = |code, retry_after_seconds| {
            Fault::from(FaultKind::Status { code, retry_after_seconds, body: None })
        };
        // Of a list of all it can be known that it is not plausible.
        let list = |kind: FaultKind| Fault::from(kind).at("/calltask");
        let fault = match kind {
            Upstream::Unavailable => status(503, None),
            Upstream::TooMany => status(429, Some(1)),
            Upstream::Unauthorized => status(401, None),
            Upstream::Slow => FaultKind::Slow { ms: 1_000 }.into(),
            Upstream::Cut => FaultKind::Cut { chunked: times.is_multiple_of(2) }.into(),
            Upstream::LostReply => Fault::from(FaultKind::LostReply).method("POST"),
            Upstream::LostRequest => Fault::from(FaultKind::LostRequest).method("POST"),
            Upstream::EmptyList => list(FaultKind::EmptyList),
            Upstream::ShortList => list(FaultKind::ShortList { keep: 3 }),
        };
        self.upstream.fault(fault.times(times));
    }

    fn truth(&self, feed: &str) -> anyhow::Result<Truth> {
        let Some(kind) = kind(feed) else { return Ok(Truth::new()) };
        let history = self.upstream.history();
        let mut encoded = self.encoded.lock().unwrap_or_else(PoisonError::into_inner);
        let truth = encoded.entry(kind).or_default();
        // Nothing vanishes from this upstream.
        for id in history.current(kind).into_keys() {
            let known = truth.entry(id.to_string()).or_default();
            for state in history.states(kind, id).into_iter().skip(known.len()) {
                known.push(Some(self.codecs.datum(feed, state.json.as_bytes(), "")?));
            }
        }
        Ok(truth.clone())
    }

    fn claimed(&self, feed: &str, cursor: &str) -> BTreeMap<String, usize> {
        let (Some(kind), Ok(mark)) = (kind(feed), cursor.parse::<i64>()) else {
            return BTreeMap::new();
        };
        let history = self.upstream.history();
        let ids = history.current(kind).into_keys();
        let seen = |id| {
            let states = history.states(kind, id);
            states.iter().filter(|state| state.mark.is_some_and(|own| own <= mark)).count()
        };
        ids.map(|id| (id.to_string(), seen(id))).collect()
    }

    fn command(&self, id: &str, random: &mut ChaCha8Rng) -> Option<(String, Value)> {
        let call = match random.random_range(0..12) {
            // There is none: refused.
            0 => 999_999_999,
            _ => self.busy[random.random_range(0..self.busy.len())],
        };
        let params = json!({
            "call_id": call,
            "written_at": "2026-01-20T10:00:00Z",
            "message": format!("{TEXT} {id}"),
        });
        let mut command = json!({"id": id, "type": "SendDispatcherMessage", "params": params});
        if random.random_range(0..15) == 0 {
            command["expires_at"] = json!("2026-01-01T00:00:00Z");
        }
        Some((call.to_string(), command))
    }

    fn effects(&self) -> Vec<String> {
        let effects = self.upstream.journal().effects_of("POST /call/{id}/dispatcher/message");
        let text =
            |body: &Value| Some(body["message"].as_str()?.strip_prefix(TEXT)?[1..].to_owned());
        effects.iter().filter_map(|effect| text(&effect.body)).collect()
    }

    fn canaries(&self) -> Vec<String> {
        vec![TOKEN.to_owned(), TEXT.to_owned()]
    }
}
