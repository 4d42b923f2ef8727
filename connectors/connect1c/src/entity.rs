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
    use talon_sdk::entity::assert_checked_in;

    use super::*;

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Treatment<'_>>(include_str!(
            "../../../schemas/connect1c/treatment.avsc"
        ));
        assert_checked_in::<OpenTreatment<'_>>(include_str!(
            "../../../schemas/connect1c/open_treatment.avsc"
        ));
    }
}
