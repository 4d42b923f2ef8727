use std::fmt::Write;
use std::sync::Arc;

use jiff::tz::TimeZone;
use talon_sdk::entity::{Codec, Entity, Instant};
use talon_sdk::privacy::Privacy;
use talon_sdk::record::peek_scalar;
use talon_sdk::{Row, RowCodec, RowFault};

use super::UNREADABLE;
use crate::entity::{
    Consumer, ConsumerPreRegistered, Operation, OperationState, QBoard, QueuedConsumer,
    Registrator, ScoreBoard, ServerInfo, Service, TicketRange, User, UserRole, Workplace,
};

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, privacy: &Privacy) -> Arc<dyn RowCodec> {
    match feed {
        "operation" => of::<Operation<'_>>(privacy),
        "service" => of::<Service<'_>>(privacy),
        "ticket_range" => of::<TicketRange<'_>>(privacy),
        "workplace" => of::<Workplace<'_>>(privacy),
        "user_role" => of::<UserRole<'_>>(privacy),
        "user" => of::<User<'_>>(privacy),
        "qboard" => of::<QBoard<'_>>(privacy),
        "scoreboard" => of::<ScoreBoard<'_>>(privacy),
        "registrator" => of::<Registrator<'_>>(privacy),
        "consumer" => of::<Consumer<'_>>(privacy),
        "consumer_preregistered" => of::<ConsumerPreRegistered<'_>>(privacy),
        "queue" => of::<QueuedConsumer<'_>>(privacy),
        "operation_state" => of::<OperationState<'_>>(privacy),
        _ => of::<ServerInfo<'_>>(privacy),
    }
}

/// An instant without a zone is UTC (`done` of statistics).
fn of<E: Entity + 'static>(privacy: &Privacy) -> Arc<dyn RowCodec> {
    Arc::new(Readable(Codec::<E>::new(TimeZone::UTC, privacy.clone())))
}

/// Refuses messages that could not be read, whatever they look like.
struct Readable<C>(C);

impl<C: RowCodec> RowCodec for Readable<C> {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        scope != UNREADABLE && self.0.peek_key(row, scope, key)
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        if scope == UNREADABLE {
            return Err(RowFault("a message that is no answer of the protocol".to_owned()));
        }
        self.0.decode(row, scope, out)
    }
}

/// A number, also as a text; the same number is the same key.
fn peek_id(row: &[u8], key: &mut String) -> bool {
    let is_there = peek_scalar(row, "id", key);
    let id = key.trim().parse::<i64>();
    key.clear();
    is_there && id.is_ok_and(|id| put(key, format_args!("{id}")).is_ok())
}

fn put(key: &mut String, text: std::fmt::Arguments<'_>) -> Result<(), RowFault> {
    key.write_fmt(text).map_err(|_| RowFault("the key cannot be written".to_owned()))
}

macro_rules! by_id {
    ($($entity:ident at $at:expr;)*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "id";

            fn peek(row: &[u8], _scope: &str, key: &mut String) -> bool {
                peek_id(row, key)
            }

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                put(key, format_args!("{}", of.id.0.0))
            }

            fn changed_at(of: &$entity<'_>) -> Option<i64> {
                let at: fn(&$entity<'_>) -> Option<i64> = $at;
                at(of)
            }
        }
    )*};
}

by_id! {
    Operation at |of| of.updated_at.as_ref().map(Instant::micros);
    Service at |of| of.updated_at.as_ref().map(Instant::micros);
    TicketRange at |of| of.updated_at.as_ref().map(Instant::micros);
    Workplace at |of| of.updated_at.as_ref().map(Instant::micros);
    UserRole at |of| of.updated_at.as_ref().map(Instant::micros);
    User at |of| of.updated_at.as_ref().map(Instant::micros);
    QBoard at |of| of.updated_at.as_ref().map(Instant::micros);
    ScoreBoard at |of| of.updated_at.as_ref().map(Instant::micros);
    Registrator at |of| of.updated_at.as_ref().map(Instant::micros);
    Consumer at |of| of.changed_at();
    ConsumerPreRegistered at |of| of.changed_at();
}

impl Entity for QueuedConsumer<'_> {
    const KEY: &'static str = "id";

    fn peek(row: &[u8], scope: &str, key: &mut String) -> bool {
        let is_id = peek_id(row, key);
        key.insert(0, '/');
        key.insert_str(0, scope);
        is_id
    }

    fn take_scope(of: &mut QueuedConsumer<'_>, scope: &str) -> Result<(), RowFault> {
        of.queue_workplace_id =
            scope.parse().map_err(|_| RowFault("the scope is no workplace".to_owned()))?;
        Ok(())
    }

    fn key(of: &QueuedConsumer<'_>, key: &mut String) -> Result<(), RowFault> {
        put(key, format_args!("{}/{}", of.queue_workplace_id, of.id.0.0))
    }

    fn changed_at(of: &QueuedConsumer<'_>) -> Option<i64> {
        of.changed_at()
    }
}

impl Entity for OperationState<'_> {
    const KEY: &'static str = "key";

    fn peek(row: &[u8], _scope: &str, key: &mut String) -> bool {
        peek_scalar(row, Self::KEY, key)
    }

    fn key(of: &OperationState<'_>, key: &mut String) -> Result<(), RowFault> {
        if !of.is_whole {
            return Err(RowFault("a level of the statistics is missing".to_owned()));
        }
        let OperationState { consumer_id, service_id, stage, operation_id, index, .. } = of;
        put(key, format_args!("{consumer_id}/{service_id}/{stage}/{operation_id}/{}", index.0.0))
    }

    fn changed_at(of: &OperationState<'_>) -> Option<i64> {
        of.entered_at.as_ref().map(Instant::micros)
    }
}

/// There is only one.
impl Entity for ServerInfo<'_> {
    const KEY: &'static str = "server";

    fn peek(_row: &[u8], _scope: &str, key: &mut String) -> bool {
        key.push_str(Self::KEY);
        true
    }

    fn key(_: &ServerInfo<'_>, key: &mut String) -> Result<(), RowFault> {
        key.push_str(Self::KEY);
        Ok(())
    }
}
