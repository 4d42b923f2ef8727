//! What a shard knows of each of its feeds.

use talon_schemas::wire::{Payload, Wire};
use talon_sdk::Cursor;

use crate::bus::{BusFault, Recovered};
use crate::service::metrics::Tally;
use crate::service::registry::Schemas;
use crate::shard::diff::Differ;
use crate::shard::facts::PublishedFacts;
use crate::shard::publish::{FeedFrame, chain_of};

/// What is known of a feed's records.
pub(crate) enum Known {
    /// Entities, and the way from rows to their changes.
    Entities(Box<Differ>),
    /// Facts that another feed's rows tell.
    Facts(PublishedFacts),
}

impl Known {
    pub(crate) fn len(&self) -> usize {
        match self {
            Known::Entities(differ) => differ.index().len(),
            Known::Facts(facts) => facts.len(),
        }
    }
}

/// One feed of the shard.
pub(crate) struct FeedState {
    pub(crate) frame: FeedFrame,
    pub(crate) known: Known,
    /// Place of the log that its rows tell.
    pub(crate) told: Option<usize>,
    pub(crate) tally: Tally,
    pub(crate) cursor: Option<Cursor>,
    /// When the checkpoint was written last; none if there is none yet.
    pub(crate) checkpointed_ms: Option<i64>,
    pub(crate) cursor_moved: bool,
    /// Recovered records that are no events of this feed.
    pub(crate) strange: u64,
}

impl FeedState {
    pub(crate) fn new(frame: FeedFrame, known: Known) -> FeedState {
        let tally = frame.metrics.tally();
        FeedState {
            frame,
            known,
            told: None,
            tally,
            cursor: None,
            checkpointed_ms: None,
            cursor_moved: false,
            strange: 0,
        }
    }

    /// Takes in a record of the feed's topic; `told` is the log that the feed's rows tell.
    pub(crate) fn take_in(
        &mut self,
        told: Option<&mut FeedState>,
        record: &Recovered<'_>,
        schemas: &Schemas,
    ) -> Result<(), BusFault> {
        let FeedState { frame, known, strange, .. } = self;
        let differ = match known {
            Known::Entities(differ) => differ,
            Known::Facts(facts) => {
                facts.recover(record.key);
                return Ok(());
            }
        };
        let Some(message) = record.value else {
            // It carries the id of the delete event before it, which may not be there any more.
            differ.recover(record.key, None, chain_of(record.event_id));
            return Ok(());
        };
        let datum = datum_of(frame.wire, frame, message, schemas)?;
        match datum.as_deref().map(|datum| frame.contract.cut(datum)) {
            Some(Ok(parts)) => {
                if let (Some(value), Some(told)) = (parts.after, told)
                    && let Known::Facts(facts) = &mut told.known
                {
                    facts.recover_told(value);
                }
                let chain = chain_of(record.event_id);
                differ.recover_in(parts.scope, record.key, parts.after, chain);
            }
            _ => *strange += 1,
        }
        Ok(())
    }
}

/// A feed, and the log that its rows tell.
pub(crate) fn with_told(
    feeds: &mut [FeedState],
    place: usize,
) -> Option<(&mut FeedState, Option<&mut FeedState>)> {
    match feeds.get(place)?.told {
        None => Some((&mut feeds[place], None)),
        Some(told) => {
            let [feed, told] = feeds.get_disjoint_mut([place, told]).ok()?;
            Some((feed, Some(told)))
        }
    }
}

/// Notes with each feed the log that its rows tell.
pub(crate) fn pair(feeds: &mut [FeedState]) {
    for log in 0..feeds.len() {
        let Known::Facts(facts) = &feeds[log].known else { continue };
        let teller = facts.told_by();
        if let Some(table) = feeds.iter_mut().find(|feed| feed.frame.feed == teller) {
            table.told = Some(log);
        }
    }
}

/// The event's datum in today's schema; `None` where the message is no event that can be read.
fn datum_of<'m>(
    wire: Wire,
    frame: &FeedFrame,
    message: &'m [u8],
    schemas: &Schemas,
) -> Result<Option<std::borrow::Cow<'m, [u8]>>, BusFault> {
    Ok(match wire.open(frame.contract, message) {
        Payload::Own(datum) => Some(datum.into()),
        Payload::Registered(id, datum) => match schemas.by_id(id)? {
            Some(writer) => frame.contract.upgrade(&writer, datum).ok().map(Into::into),
            None => None,
        },
        Payload::Json(json) => frame.contract.from_json(json).ok().map(Into::into),
        Payload::Unknown(_) | Payload::Foreign => None,
    })
}
