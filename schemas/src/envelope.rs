//! The change event: Debezium's envelope around an entity.

use crate::datum::{Malformed, put_long, put_text, take_long, take_text};
use crate::instants::Instants;
use crate::plan::Plan;

/// When events can have been made: from 2000 to 2200, milliseconds since 1970 UTC.
const EVENTS_MS: std::ops::Range<i64> = 946_684_800_000..7_258_118_400_000;

/// What happened to the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// First sight, in a snapshot.
    Read,
    /// It appeared.
    Create,
    /// Its content changed.
    Update,
    /// It is gone.
    Delete,
}

impl Op {
    /// The letter in the field `op`, as in Debezium.
    pub fn letter(self) -> &'static str {
        match self {
            Op::Read => "r",
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
        }
    }

    fn of(letter: &str) -> Option<Op> {
        [Op::Read, Op::Create, Op::Update, Op::Delete].into_iter().find(|op| op.letter() == letter)
    }

    /// Of an event in JSON, with its `ts_ms`, whichever version wrote it; `None` where it is none.
    pub fn in_json(json: &[u8]) -> Option<(Op, i64)> {
        #[derive(serde::Deserialize)]
        struct Event<'a> {
            op: &'a str,
            ts_ms: i64,
        }
        let Event { op, ts_ms } = serde_json::from_slice(json).ok()?;
        Some((Op::of(op)?, ts_ms))
    }

    /// Of an event's datum whose schema is not known, with its `ts_ms`, by its end: these are the last two
    /// fields of an envelope, in every version and whatever the entity. `None` where the datum ends in
    /// another way, or at a time that no event has.
    pub fn at_end_of(datum: &[u8]) -> Option<(Op, i64)> {
        let inside = datum.iter().rev().skip(1).take_while(|byte| **byte & 0x80 != 0).count();
        let (front, mut time) = datum.split_at_checked(datum.len().checked_sub(inside + 1)?)?;
        let [.., 2, letter] = front else { return None };
        let op = Op::of(std::str::from_utf8(std::slice::from_ref(letter)).ok()?)?;
        let ts_ms = take_long(&mut time).ok()?;
        EVENTS_MS.contains(&ts_ms).then_some((op, ts_ms))
    }
}

/// The field `source`: where the change comes from.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Version of Talon.
    pub version: &'a str,
    /// Class of the connector, `contractor`.
    pub connector: &'a str,
    /// Name of the instance; also in the field `db`, by which software that was made for databases goes.
    pub name: &'a str,
    /// Feed, `call`; also in the field `table`.
    pub feed: &'a str,
    /// Scope of the observation; empty where the feed has only one.
    pub scope: &'a str,
    /// Upstream time, milliseconds since 1970 UTC: of the change where the row tells it, else when
    /// the row was asked for.
    pub ts_ms: i64,
    /// Whether the event belongs to the first read.
    pub snapshot: bool,
    /// Whether the delete was inferred from absence.
    pub absent: bool,
    /// The unit of instants in the entities.
    pub instants: Instants,
}

impl Source<'_> {
    /// The scope in an event's datum whose schema is not known: what stands behind the last place where
    /// class, name (once more as `db`), feed (before it as `table`) follow one another, as they do in
    /// every version; the first one had neither `db` nor `table`.
    pub fn scope_in<'d>(datum: &'d [u8], [connector, name, feed]: [&str; 3]) -> Option<&'d str> {
        let last = |texts: &[&str]| {
            let mut before = Vec::new();
            texts.iter().for_each(|text| put_text(&mut before, text));
            let at = datum.windows(before.len()).rposition(|window| window == before)?;
            Some(at + before.len())
        };
        let (now, first) =
            (last(&[connector, name, name, feed, feed]), last(&[connector, name, feed]));
        // The one that ends later: of a connector that is named as its class or feed, a part of what
        // stands there now looks like all that stood there first.
        take_text(&mut &datum[now.max(first)?..]).ok()
    }

    /// The scope of an event in JSON, whichever version wrote it.
    pub fn scope_in_json(json: &[u8]) -> Option<&str> {
        #[derive(serde::Deserialize)]
        struct Event<'a> {
            #[serde(borrow)]
            source: Scoped<'a>,
        }
        #[derive(serde::Deserialize)]
        struct Scoped<'a> {
            scope: &'a str,
        }
        serde_json::from_slice::<Event<'_>>(json).ok().map(|event| event.source.scope)
    }
}

/// One change event whose entities are already encoded.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    /// The previous value, where there was one and before images are kept.
    pub before: Option<&'a [u8]>,
    /// The value now; none for a delete.
    pub after: Option<&'a [u8]>,
    /// Where it comes from.
    pub source: Source<'a>,
    /// What happened.
    pub op: Op,
    /// When Talon made the event, milliseconds since 1970 UTC.
    pub ts_ms: i64,
}

impl Envelope<'_> {
    /// Appends the Avro datum.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for entity in [self.before, self.after] {
            match entity {
                None => put_long(out, 0),
                Some(bytes) => {
                    put_long(out, 1);
                    out.extend_from_slice(bytes);
                }
            }
        }
        let source = &self.source;
        let Source { version, connector, name, feed, scope, .. } = *source;
        for text in [version, connector, name, name, feed, feed, scope] {
            put_text(out, text);
        }
        put_long(out, source.ts_ms);
        put_text(out, if source.snapshot { "true" } else { "false" });
        out.push(u8::from(source.absent));
        if source.instants == Instants::Millis {
            put_text(out, source.instants.word());
        }
        put_text(out, self.op.letter());
        put_long(out, self.ts_ms);
    }
}

/// The parts of an encoded envelope that recovery needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The encoded previous value.
    pub before: Option<&'a [u8]>,
    /// The encoded value.
    pub after: Option<&'a [u8]>,
    /// The scope of the observation that brought it; empty where it was of the whole feed.
    pub scope: &'a str,
    /// Name of the connector instance.
    pub name: &'a str,
    /// The feed.
    pub feed: &'a str,
    /// When Talon made the event, milliseconds since 1970 UTC.
    pub ts_ms: i64,
}

impl<'a> Parts<'a> {
    /// Cuts an envelope's datum; `entity` is the plan of the entity in it.
    pub(crate) fn cut(
        entity: &Plan,
        instants: Instants,
        datum: &'a [u8],
    ) -> Result<Parts<'a>, Malformed> {
        let mut input = datum;
        let before = cut_nullable(entity, &mut input)?;
        let after = cut_nullable(entity, &mut input)?;
        // Read on, so that a datum of another schema is noticed.
        let [_version, _connector, name, _db, _table, feed, scope] = take_texts(&mut input)?;
        take_long(&mut input)?;
        take_text(&mut input)?;
        Plan::Flag.skip(&mut input)?;
        if instants == Instants::Millis && take_text(&mut input)? != instants.word() {
            return Err(Malformed);
        }
        Op::of(take_text(&mut input)?).ok_or(Malformed)?;
        let ts_ms = take_long(&mut input)?;
        let parts = Parts { before, after, scope, name, feed, ts_ms };
        if input.is_empty() { Ok(parts) } else { Err(Malformed) }
    }
}

fn take_texts<'a, const N: usize>(input: &mut &'a [u8]) -> Result<[&'a str; N], Malformed> {
    let mut texts = [""; N];
    for text in &mut texts {
        *text = take_text(input)?;
    }
    Ok(texts)
}

fn cut_nullable<'a>(entity: &Plan, input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    match take_long(input)? {
        0 => Ok(None),
        1 => {
            let start = *input;
            entity.skip(input)?;
            Ok(Some(&start[..start.len() - input.len()]))
        }
        _ => Err(Malformed),
    }
}
