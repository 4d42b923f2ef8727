//! What processes tell each other of dead letters: a request, on the store of configurations, and its answer, on that
//! of states, both under the key of the connector.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use talon_runtime::bus::write_id;
use talon_runtime::engine::{Action, Order};
use talon_runtime::{Places, Ruling, Verdict};

/// What stands before the name of the connector in both keys.
const KEY: &str = "dead-letters-";

/// A request that nobody has answered is carried out for so long after it was asked for.
const LIVES_MS: i64 = 600_000;

/// Letters that an answer names; of the others it says how many there are of each kind.
const NAMED: usize = 1_000;

/// Longest note of one, characters.
const NOTE: usize = 300;

/// Somebody asks for dead letters of a connector to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) order: Order,
    /// Milliseconds since 1970 UTC, by the clock of who asks.
    pub(crate) asked_ms: i64,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Of the request.
    pub(crate) id: String,
    /// Who has carried it out.
    pub(crate) worker: String,
    pub(crate) report: Report,
}

/// What became of dead letters, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) counts: BTreeMap<Verdict, u64>,
    /// The first of them.
    pub(crate) rulings: Vec<Ruling>,
    /// Why it ended early: then the rest is as it was.
    pub(crate) trouble: Option<String>,
}

pub(crate) fn key(connector: &str) -> String {
    format!("{KEY}{connector}")
}

/// The connector that a key is about; none where it is about something else.
pub(crate) fn connector(key: &str) -> Option<&str> {
    key.strip_prefix(KEY)
}

impl Request {
    pub(crate) fn new(order: Order, asked_ms: i64) -> Request {
        Request { id: write_id(), order, asked_ms }
    }

    /// Whether it is too old to be carried out.
    pub(crate) fn is_over(&self, now_ms: i64) -> bool {
        now_ms - self.asked_ms > LIVES_MS
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let Order { action, places, dry_run } = &self.order;
        let (word, once_more) = match action {
            Action::Redrive { once_more } => ("redrive", *once_more),
            Action::Discard => ("discard", false),
        };
        let value = json!({
            "id": self.id, "action": word, "once_more": once_more, "dry_run": dry_run,
            "places": places.to_string(), "asked_ms": self.asked_ms,
        });
        value.to_string().into_bytes()
    }

    /// None where it cannot be read.
    pub(crate) fn of_json(json: &[u8]) -> Option<Request> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let action = match value["action"].as_str()? {
            "redrive" => Action::Redrive { once_more: value["once_more"].as_bool()? },
            "discard" => Action::Discard,
            _ => return None,
        };
        let places: Places = value["places"].as_str()?.parse().ok()?;
        let order = Order { action, places, dry_run: value["dry_run"].as_bool()? };
        let id = value["id"].as_str()?.to_owned();
        Some(Request { id, order, asked_ms: value["asked_ms"].as_i64()? })
    }
}

impl Report {
    pub(crate) fn of(rulings: Vec<Ruling>) -> Report {
        let mut report = Report::default();
        for ruling in rulings {
            *report.counts.entry(ruling.verdict).or_default() += 1;
            if report.rulings.len() < NAMED {
                let note = ruling.note.chars().take(NOTE).collect();
                report.rulings.push(Ruling { note, ..ruling });
            }
        }
        report
    }

    pub(crate) fn failed(why: impl ToString) -> Report {
        Report { trouble: Some(why.to_string()), ..Report::default() }
    }

    /// Of so many letters this became.
    pub(crate) fn count(&self, verdict: Verdict) -> u64 {
        self.counts.get(&verdict).copied().unwrap_or(0)
    }

    /// As REST and `--json` give it.
    pub(crate) fn to_value(&self) -> Value {
        let counts: BTreeMap<&str, u64> =
            self.counts.iter().map(|(verdict, count)| (verdict.word(), *count)).collect();
        let one = |Ruling { at, verdict, note }: &Ruling| json!({"at": at, "verdict": verdict.word(), "note": note});
        let letters: Vec<Value> = self.rulings.iter().map(one).collect();
        json!({"counts": counts, "letters": letters, "trouble": self.trouble})
    }

    fn of_value(value: &Value) -> Option<Report> {
        let count = |(word, count): (&String, &Value)| Some((Verdict::of(word)?, count.as_u64()?));
        let counts = value["counts"].as_object()?.iter().map(count).collect::<Option<_>>()?;
        let one = |value: &Value| {
            let (at, verdict) = (value["at"].as_u64()?, Verdict::of(value["verdict"].as_str()?)?);
            Some(Ruling { at, verdict, note: value["note"].as_str()?.to_owned() })
        };
        let rulings = value["letters"].as_array()?.iter().map(one).collect::<Option<_>>()?;
        let trouble = value["trouble"].as_str().map(str::to_owned);
        Some(Report { counts, rulings, trouble })
    }
}

impl Answer {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut value = self.report.to_value();
        value["id"] = json!(self.id);
        value["worker"] = json!(self.worker);
        value.to_string().into_bytes()
    }

    /// None where it cannot be read.
    pub(crate) fn of_json(json: &[u8]) -> Option<Answer> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Answer { id: text("id")?, worker: text("worker")?, report: Report::of_value(&value)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_are_read_as_they_were_written() {
        for action in [Action::Discard, Action::Redrive { once_more: true }] {
            let places = "3-5,9".parse().unwrap();
            let request = Request::new(Order { action, places, dry_run: true }, 7);
            assert_eq!(Request::of_json(&request.to_json()), Some(request.clone()));
            assert!(!request.is_over(600_007) && request.is_over(600_008));
        }
        let ruling = |at, verdict| Ruling { at, verdict, note: "so it is".to_owned() };
        let report = Report::of(vec![ruling(3, Verdict::Redriven), ruling(5, Verdict::Refused)]);
        let answer = Answer { id: "i".to_owned(), worker: "w".to_owned(), report };
        assert_eq!(Answer::of_json(&answer.to_json()), Some(answer));
        for odd in ["", "{}", "[]", r#"{"id":"i","action":"burn"}"#] {
            assert_eq!(Request::of_json(odd.as_bytes()), None);
            assert_eq!(Answer::of_json(odd.as_bytes()), None);
        }
    }

    #[test]
    fn an_answer_for_many_letters_stays_small_and_counts_them_all() {
        let note = "n".repeat(10_000);
        let one = |at| Ruling { at, verdict: Verdict::Again, note: note.clone() };
        let report = Report::of((0..5_000).map(one).collect());
        assert_eq!((report.count(Verdict::Again), report.rulings.len()), (5_000, 1_000));
        assert!(report.to_value().to_string().len() < 500_000);
    }
}
