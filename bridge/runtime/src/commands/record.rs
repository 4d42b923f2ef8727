//! Intents and outcomes as records of the results topic.

use serde::{Deserialize, Serialize};
use talon_schemas::SchemaError;
use talon_schemas::result::RESULT;
use talon_schemas::wire::Wire;
use talon_sdk::Answer;

use crate::bus::{LaneRecord, LaneTopic, Position};

/// Longest answer of an upstream that a record carries; a longer one is left out.
const RESPONSE_MAX: usize = 64 * 1024;

/// Characters of a message that are kept where the record is too large for the bus.
const MESSAGE_CUT: usize = 200;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The upstream did it: seen in its reply, or read back.
    Applied,
    /// The upstream, or validation, refused it.
    Rejected,
    /// It expired before it was sent.
    Expired,
    /// Its id has an outcome already.
    Duplicate,
    /// It could not be delivered within the retry budget, and was surely not applied.
    Failed,
    /// It may or may not have been applied, and reading back could not tell.
    Unknown,
}

impl Outcome {
    const ALL: [Outcome; 6] = [
        Outcome::Applied,
        Outcome::Rejected,
        Outcome::Expired,
        Outcome::Duplicate,
        Outcome::Failed,
        Outcome::Unknown,
    ];

    /// The word in the record and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Applied => "APPLIED",
            Outcome::Rejected => "REJECTED",
            Outcome::Expired => "EXPIRED",
            Outcome::Duplicate => "DUPLICATE",
            Outcome::Failed => "FAILED",
            Outcome::Unknown => "UNKNOWN",
        }
    }

    fn of(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// A record of the results topic: `schemas/talon/result.avsc`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
// The Avro library compares it with the schema's name.
#[serde(rename = "Result")]
pub struct ResultRecord {
    /// Id of the command.
    pub command_id: String,
    /// Its type; empty where it could not be read.
    pub r#type: String,
    /// Its ordering key.
    pub key: String,
    /// `INTENT` or `OUTCOME`.
    pub phase: String,
    /// The word of an [`Outcome`].
    pub outcome: Option<String>,
    /// How often it was sent, or is about to be with this one.
    pub attempts: i32,
    /// Microseconds since 1970 UTC.
    pub sent_at: Option<i64>,
    /// Microseconds since 1970 UTC.
    pub settled_at: Option<i64>,
    /// Status of the upstream's reply.
    pub upstream_status: Option<i32>,
    /// The upstream's own code.
    pub upstream_code: Option<i64>,
    /// For people.
    pub message: Option<String>,
    /// The upstream's answer as JSON text.
    pub response: Option<String>,
    /// What was read of the upstream as JSON text.
    pub evidence: Option<String>,
    /// Where the command stands.
    pub position: String,
}

impl ResultRecord {
    /// The outcome; `None` for an intent, or a word of a later version.
    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::of(self.outcome.as_deref()?)
    }

    /// Where the command stands; `None` where that cannot be read.
    pub fn position(&self) -> Option<Position> {
        self.position.parse().ok()
    }

    /// Takes over what the upstream said.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.upstream_status = answer.status.map(i32::from);
        self.upstream_code = answer.code;
        self.message = Some(answer.message).filter(|message| !message.is_empty());
        self.response = answer.response.filter(|response| response.len() <= RESPONSE_MAX);
    }

    /// What fits any bus: who, what and how it ended, without what the upstream said.
    pub(crate) fn cut(&self) -> ResultRecord {
        let note = |text: &str| {
            format!("{} bytes, left out because the bus takes no record of that size", text.len())
        };
        let message = self.message.as_deref().map(|message| {
            let end = message.char_indices().nth(MESSAGE_CUT).map_or(message.len(), |(at, _)| at);
            message[..end].to_owned()
        });
        ResultRecord {
            message,
            response: None,
            evidence: self.evidence.as_deref().map(note),
            ..self.clone()
        }
    }

    /// As a record of the lane.
    pub(crate) fn encode(&self, wire: Wire) -> Result<LaneRecord, SchemaError> {
        let mut value = Vec::with_capacity(256);
        wire.put_prefix(&*RESULT, &mut value);
        RESULT.encode(self, &mut value)?;
        wire.finish(&*RESULT, &mut value)?;
        let step = match &self.outcome {
            None => format!("intent/{}", self.attempts),
            Some(_) => "outcome".to_owned(),
        };
        Ok(LaneRecord {
            topic: LaneTopic::Results,
            key: self.command_id.clone(),
            value,
            headers: vec![("talon-schema", RESULT.full_name().as_bytes().to_vec())],
            id: format!("{}/{}/{step}", self.command_id, self.position),
        })
    }
}

#[cfg(test)]
mod tests {
    use talon_schemas::wire::Payload;

    use super::*;

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let record = ResultRecord {
            command_id: "c-1".to_owned(),
            r#type: "SetCallStatus".to_owned(),
            key: "42".to_owned(),
            phase: "OUTCOME".to_owned(),
            outcome: Some("APPLIED".to_owned()),
            attempts: 2,
            sent_at: Some(1_769_842_800_000_000),
            settled_at: Some(1_769_842_800_100_000),
            upstream_status: Some(200),
            upstream_code: None,
            message: Some("done".to_owned()),
            response: Some("{}".to_owned()),
            evidence: None,
            position: "2/17".to_owned(),
        };
        for wire in [Wire::SingleObject, Wire::Confluent { id: 3 }] {
            let written = record.encode(wire).unwrap();
            assert_eq!((written.key.as_str(), written.id.as_str()), ("c-1", "c-1/2/17/outcome"));
            let Payload::Own(datum) = wire.open(&*RESULT, &written.value) else {
                panic!("not this schema's")
            };
            let read: ResultRecord = RESULT.decode(datum).unwrap();
            assert_eq!(read, record);
            assert_eq!(read.outcome(), Some(Outcome::Applied));
            assert_eq!(read.position(), Some(Position { partition: 2, offset: 17 }));
        }
        let json = record.encode(Wire::Json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json.value).unwrap();
        assert_eq!(json["outcome"], "APPLIED");
        let read: ResultRecord = serde_json::from_value(json).unwrap();
        assert_eq!(read, record);
    }

    #[test]
    fn every_outcome_has_its_word() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::of(outcome.word()), Some(outcome));
        }
        assert_eq!(Outcome::of("LATER"), None);
    }
}
