//! The change event: Debezium's envelope around an entity.

use crate::datum::{Malformed, put_long, put_text, take_long, take_text};
use crate::plan::Plan;

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
}

/// The field `source`: where the change comes from.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Version of Talon.
    pub version: &'a str,
    /// Class of the connector, `contractor`.
    pub connector: &'a str,
    /// Name of the instance.
    pub name: &'a str,
    /// Feed, `call`.
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
        for text in [source.version, source.connector, source.name, source.feed, source.scope] {
            put_text(out, text);
        }
        put_long(out, source.ts_ms);
        put_text(out, if source.snapshot { "true" } else { "false" });
        out.push(u8::from(source.absent));
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
}

impl<'a> Parts<'a> {
    /// Cuts an envelope's datum; `entity` is the plan of the entity in it.
    pub(crate) fn cut(entity: &Plan, datum: &'a [u8]) -> Result<Parts<'a>, Malformed> {
        let mut input = datum;
        let before = cut_nullable(entity, &mut input)?;
        let after = cut_nullable(entity, &mut input)?;
        // Read on, so that a datum of another schema is noticed.
        for _ in 0..4 {
            take_text(&mut input)?;
        }
        let scope = take_text(&mut input)?;
        take_long(&mut input)?;
        take_text(&mut input)?;
        Plan::Fixed(1).skip(&mut input)?;
        take_text(&mut input)?;
        take_long(&mut input)?;
        if input.is_empty() { Ok(Parts { before, after, scope }) } else { Err(Malformed) }
    }
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
