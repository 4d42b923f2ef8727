use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;
use talon_schemas::{Contract, contractor as contracts};
use talon_sdk::record::{decode, peek_scalar};
use talon_sdk::{Row, RowCodec, RowFault};

use crate::map::Mapper;
use crate::model::{CallDto, CostOfCall, JeopardyDto, MessageDto, TaskDto};

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, mapper: Arc<Mapper>) -> Arc<dyn RowCodec> {
    match feed {
        "call" => Arc::new(Codec { key: "id", mapper, read: call }),
        "call_message" => Arc::new(Codec { key: "id", mapper, read: message }),
        "call_jeopardy" => Arc::new(Codec { key: "id", mapper, read: jeopardy }),
        "call_task" => Arc::new(Codec { key: "id", mapper, read: task }),
        _ => Arc::new(Codec { key: "callId", mapper, read: cost }),
    }
}

struct Codec {
    /// The upstream's name of the key.
    key: &'static str,
    mapper: Arc<Mapper>,
    read: fn(&Mapper, &[u8], &mut Row) -> Result<(), RowFault>,
}

impl RowCodec for Codec {
    fn peek_key(&self, row: &[u8], _scope: &str, key: &mut String) -> bool {
        // Keys are numbers. A text is no key of this upstream: the row may be any entity's.
        let is_key = peek_scalar(row, self.key, key) && key.parse::<i64>().is_ok();
        if !is_key {
            key.clear();
        }
        is_key
    }

    fn decode(&self, row: &[u8], _scope: &str, out: &mut Row) -> Result<(), RowFault> {
        (self.read)(&self.mapper, row, out)
    }
}

fn call(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<CallDto<'_>, _>(row, |dto| {
        let call = mapper.call(dto);
        // The upstream does not say when a call changed, so the time of reading stands for it.
        put(&contracts::CALL, call.id, &call, None, out)
    })
}

fn message(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<MessageDto<'_>, _>(row, |dto| {
        let message = mapper.message(dto);
        put(&contracts::CALL_MESSAGE, message.id, &message, message.written_at, out)
    })
}

fn jeopardy(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<JeopardyDto<'_>, _>(row, |dto| {
        let risk = mapper.jeopardy(dto);
        put(&contracts::CALL_JEOPARDY, risk.id, &risk, risk.answered_at.or(risk.raised_at), out)
    })
}

fn task(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<TaskDto<'_>, _>(row, |dto| {
        let task = mapper.task(dto);
        put(&contracts::CALL_TASK, task.id, &task, None, out)
    })
}

fn cost(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<CostOfCall<'_>, _>(row, |dto| {
        let cost =
            mapper.cost(dto).ok_or_else(|| RowFault("no cost estimate in the row".to_owned()))?;
        put(&contracts::CALL_COST, cost.call_id, &cost, None, out)
    })
}

fn put<T: Serialize>(
    contract: &Contract,
    id: i64,
    entity: &T,
    at_micros: Option<i64>,
    out: &mut Row,
) -> Result<(), RowFault> {
    contract
        .encode(entity, &mut out.value)
        .map_err(|_| RowFault("the row does not fit the schema of its feed".to_owned()))?;
    write!(out.key, "{id}").map_err(|_| RowFault("the key cannot be written".to_owned()))?;
    out.ts_ms = at_micros.map(|micros| micros.div_euclid(1000));
    Ok(())
}
