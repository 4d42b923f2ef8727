//! Treatments, declared.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use talon_schemas::datum::put_text;
use talon_sdk::entity::{Entity, How, Instant, Int, Item, Names, Place, Record, Required};
use talon_sdk::record::{Extra, Text, peek_scalar};
use talon_sdk::{RowFault, privacy::Policy};

/// The upstream's stand-in for "nobody".
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// An identifier, in small letters as the upstream writes it; the empty one, and nobody's, are none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text<'a>")]
pub(crate) struct Id<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> From<Text<'a>> for Id<'a> {
    fn from(text: Text<'a>) -> Id<'a> {
        Id(text.0)
    }
}

impl<'a> Item<'a> for Id<'a> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'a>) -> bool {
        let plain = self.0.trim();
        if plain.len() != self.0.len() || plain.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.0 = Cow::Owned(plain.to_ascii_lowercase());
        }
        !self.0.is_empty() && self.0 != NOBODY && place.policy == Policy::Keep
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.0);
    }
}

/// A closed treatment of a support line.
#[derive(Record)]
#[record(namespace = "talon.connect1c", finish = Treatment::finish)]
pub(crate) struct Treatment<'a> {
    /// Key.
    #[from("ServiceTreatmentID")]
    id: Required<Id<'a>>,
    /// The organisation whose employee was supported; it may be another partner's, who uses the line.
    #[from("ClientID")]
    client_id: Option<Id<'a>>,
    /// The account of 1C-Connect that asked.
    #[from("ServiceUserID")]
    service_user_id: Option<Id<'a>>,
    /// The support line.
    #[from("ServiceID")]
    service_id: Option<Id<'a>>,
    #[from("Initialized")]
    opened_at: Option<Instant<'a>>,
    #[from("SpecAppointed")]
    specialist_appointed_at: Option<Instant<'a>>,
    /// Null where a specialist was appointed at once, or never.
    #[from("QueueWaitingTime")]
    queue_waiting_seconds: Option<Int>,
    /// How many were waiting without a specialist when it was opened.
    #[from("QueueLength")]
    queue_length: Option<Int>,
    #[from("ClosedSpecialistID")]
    closed_by_specialist_id: Option<Id<'a>>,
    /// When the specialist first reacted, after the appointment.
    #[from("ReactionStarted")]
    reaction_started_at: Option<Instant<'a>>,
    #[from("Closed")]
    closed_at: Option<Instant<'a>>,
    /// As the upstream counts it, which need not be from opening to closing.
    #[from("Duration")]
    duration_seconds: Option<Int>,
    /// 1 to 5; null where it is not rated. It may come long after the closing.
    #[from("ServiceQualityAssessment")]
    rating: Option<Int>,
    extra: Extra<'a>,
}

impl Treatment<'_> {
    /// 0 is not rated. A rating that no document knows is kept.
    fn finish(&mut self, _: &How<'_>) {
        self.rating.take_if(|Int(rating)| *rating == 0);
    }
}

/// A treatment of a support line that is open.
#[derive(Record)]
#[record(namespace = "talon.connect1c")]
pub(crate) struct OpenTreatment<'a> {
    /// Key; `treatment` has it under the same one when it is closed.
    #[from("ServiceTreatmentID")]
    id: Required<Id<'a>>,
    /// The organisation whose employee is supported; it may be another partner's, who uses the line.
    #[from("ClientID")]
    client_id: Option<Id<'a>>,
    /// The account of 1C-Connect that asks.
    #[from("ServiceUserID")]
    service_user_id: Option<Id<'a>>,
    /// The support line.
    #[from("ServiceID")]
    service_id: Option<Id<'a>>,
    #[from("Initialized")]
    opened_at: Option<Instant<'a>>,
    #[from("SpecAppointed")]
    specialist_appointed_at: Option<Instant<'a>>,
    /// Null where a specialist was appointed at once, or not yet.
    #[from("QueueWaitingTime")]
    queue_waiting_seconds: Option<Int>,
    /// How many were waiting without a specialist when it was opened.
    #[from("QueueLength")]
    queue_length: Option<Int>,
    #[from("CurrentSpecialist")]
    current_specialist_id: Option<Id<'a>>,
    /// When the specialist first reacted, after the appointment.
    #[from("ReactionStarted")]
    reaction_started_at: Option<Instant<'a>>,
    extra: Extra<'a>,
}

macro_rules! by_id {
    ($($entity:ident at $at:expr;)*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "ServiceTreatmentID";

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                let Required(Id(id)) = &of.id;
                if id.is_empty() || id == NOBODY {
                    return Err(RowFault("`ServiceTreatmentID` is nobody's".to_owned()));
                }
                key.push_str(id);
                Ok(())
            }

            fn changed_at(of: &$entity<'_>) -> Option<i64> {
                let at: fn(&$entity<'_>) -> Option<i64> = $at;
                at(of)
            }

            fn peek(row: &[u8], _scope: &str, key: &mut String) -> bool {
                let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'-');
                peek_scalar(row, Self::KEY, key) && key.bytes().all(is_plain) && key != NOBODY
            }
        }
    )*};
}

by_id! {
    // A rating that comes later has no time of its own.
    Treatment at |of| of.closed_at.as_ref().map(Instant::micros);
    OpenTreatment at |of| {
        let latest = of.reaction_started_at.as_ref().or(of.specialist_appointed_at.as_ref());
        latest.or(of.opened_at.as_ref()).map(Instant::micros)
    };
}

/// The columns that the document and recordings name.
pub(crate) const COLUMNS: &[&str] = &[
    "ServiceTreatmentID",
    "ClientID",
    "ServiceUserID",
    "ServiceID",
    "Initialized",
    "SpecAppointed",
    "QueueWaitingTime",
    "ClosedSpecialistID",
    "CurrentSpecialist",
    "ReactionStarted",
    "Closed",
    "Duration",
    "ServiceQualityAssessment",
    "QueueLength",
];

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use talon_http::soap::{Limits, TableReader};
    use talon_schemas::{Contract, Envelope, Instants, Op, Source};
    use talon_sdk::entity::{Codec, assert_checked_in};
    use talon_sdk::privacy::Privacy;
    use talon_sdk::{Row, RowCodec};

    use super::*;
    use crate::contracts;
    use crate::soap::{HISTORY, SERVICE};

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Treatment<'_>>(include_str!(
            "../../../schemas/connect1c/treatment.avsc"
        ));
        assert_checked_in::<OpenTreatment<'_>>(include_str!(
            "../../../schemas/connect1c/open_treatment.avsc"
        ));
    }

    /// The entity of a row, as JSON, and its key.
    fn read(row: &[u8]) -> Result<(String, Json), RowFault> {
        let contract: &Contract = &contracts::TREATMENT;
        let zone = TimeZone::get("Asia/Yekaterinburg").unwrap();
        let codec = Codec::<Treatment<'_>>::new(zone, Privacy::keep_all(&[contract]));
        let mut out = Row::default();
        codec.decode(row, "", &mut out)?;
        let source = Source {
            version: "",
            connector: "",
            name: "",
            feed: "",
            scope: "",
            ts_ms: 0,
            snapshot: false,
            absent: false,
            instants: Instants::Micros,
        };
        let mut event = Vec::new();
        let after = Some(&*out.value);
        Envelope { before: None, after, source, op: Op::Create, ts_ms: 0 }.encode(&mut event);
        Ok((out.key, contract.to_json(&event).unwrap()["after"].take()))
    }

    #[test]
    fn the_documents_reply_is_its_treatment() {
        let mut reader = TableReader::new(SERVICE, HISTORY, COLUMNS, Limits::default());
        reader.push(include_bytes!("../samples/reply.xml")).unwrap();
        let rows = reader.take_rows();
        assert_eq!(reader.finish().unwrap().rows, 1);
        let (key, treatment) = read(rows.iter().next().unwrap()).unwrap();
        assert_eq!(key, "8f659c86-2003-4276-93f5-481adf48dd74");
        let expected = json!({
            "id": key,
            "client_id": "90028e2b-ff47-2003-80e6-0025904f970f",
            "service_user_id": "0e0a9b78-ee6b-4f6c-2003-ca248f7f9baf",
            "service_id": "fbe839ae-07ec-11e8-80e6-2003904f2003",
            "opened_at": 1_568_891_794_000_000_i64,
            "specialist_appointed_at": 1_568_891_795_000_000_i64,
            "queue_waiting_seconds": 0,
            "queue_length": 1,
            "closed_by_specialist_id": "79d4067b-6f12-451a-2003-1ba1d6a61c1e",
            "reaction_started_at": 1_569_504_573_000_000_i64,
            "closed_at": 1_569_580_420_000_000_i64,
            "duration_seconds": 102_003,
            "rating": null,
            "extra": {},
        });
        assert_eq!(treatment, expected);
    }

    #[test]
    fn stand_ins_are_null_and_what_does_not_fit_is_kept() {
        let row = r#"{"ServiceTreatmentID":" 8F659C86-2003-4276-93F5-481ADF48DD74",
            "ClientID":"00000000-0000-0000-0000-000000000000","ServiceUserID":"",
            "SpecAppointed":"0001-01-01T00:00:00","Closed":"yesterday","QueueWaitingTime":null,
            "QueueLength":1.5,"Duration":102003.00,"ServiceQualityAssessment":6,"Topic":"a"}"#;
        let (key, treatment) = read(row.as_bytes()).unwrap();
        assert_eq!(key, "8f659c86-2003-4276-93f5-481adf48dd74");
        for none in ["client_id", "service_user_id", "specialist_appointed_at", "closed_at"] {
            assert_eq!(treatment[none], Json::Null, "{none}");
        }
        assert_eq!(treatment["queue_waiting_seconds"], Json::Null, "which is not 0");
        assert_eq!(
            (&treatment["duration_seconds"], &treatment["rating"]),
            (&json!(102_003), &json!(6))
        );
        let extra = json!({"Closed": "\"yesterday\"", "QueueLength": "1.5", "Topic": "\"a\""});
        assert_eq!(treatment["extra"], extra);
        for row in [r#"{}"#, r#"{"ServiceTreatmentID":""}"#] {
            assert!(read(row.as_bytes()).is_err(), "{row}");
        }
        let nobodys = format!(r#"{{"ServiceTreatmentID":"{NOBODY}"}}"#);
        assert!(read(nobodys.as_bytes()).is_err());
    }
}
