use std::fmt::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;
use talon_sdk::entity::{Codec, Entity};
use talon_sdk::privacy::Privacy;
use talon_sdk::{RowCodec, RowFault};

use crate::entity::{Call, CallCost, Jeopardy, Message, Task};

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, zone: &TimeZone, privacy: &Privacy) -> Arc<dyn RowCodec> {
    let (zone, privacy) = (zone.clone(), privacy.clone());
    match feed {
        "call" => Arc::new(Codec::<Call<'_>>::new(zone, privacy)),
        "call_message" => Arc::new(Codec::<Message<'_>>::new(zone, privacy)),
        "call_jeopardy" => Arc::new(Codec::<Jeopardy<'_>>::new(zone, privacy)),
        "call_task" => Arc::new(Codec::<Task<'_>>::new(zone, privacy)),
        _ => Arc::new(Codec::<CallCost<'_>>::new(zone, privacy)),
    }
}

/// Keys are numbers. A text is no key of this upstream: the row may be any entity's.
macro_rules! by_number {
    ($($entity:ident by $name:literal as $field:ident, at $at:expr;)*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = $name;

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                write!(key, "{}", of.$field)
                    .map_err(|_| RowFault("the key cannot be written".to_owned()))
            }

            fn changed_at(of: &$entity<'_>) -> Option<i64> {
                let at: fn(&$entity<'_>) -> Option<i64> = $at;
                at(of)
            }
        }
    )*};
}

by_number! {
    // The upstream does not say when a call changed, so the time of reading stands for it.
    Call by "id" as id, at |_| None;
    Message by "id" as id, at |of| of.written_at.as_ref().map(|at| at.micros());
    Jeopardy by "id" as id, at |of| {
        of.answered_at.as_ref().or(of.raised_at.as_ref()).map(|at| at.micros())
    };
    Task by "id" as id, at |_| None;
}

impl Entity for CallCost<'_> {
    const KEY: &'static str = "callId";

    fn key(of: &CallCost<'_>, key: &mut String) -> Result<(), RowFault> {
        if !of.is_estimate {
            return Err(RowFault("no cost estimate in the row".to_owned()));
        }
        write!(key, "{}", of.call_id).map_err(|_| RowFault("the key cannot be written".to_owned()))
    }
}
