use std::sync::Arc;

use crate::export::contracts;
use serde::Serialize;
use talon_schemas::Contract;
use talon_sdk::record::{decode, peek_scalar};
use talon_sdk::{FactCodec, Row, RowCodec, RowFault};

use crate::export::config::Config;
use crate::export::entity::Operation;
use crate::export::late::{self, Late};
use crate::export::map::{Mapper, Tell};
use crate::export::model::{BranchDto, SourceDto};

/// How the rows of a feed read.
pub(crate) fn codec(
    feed: &str,
    mapper: &Arc<Mapper>,
    late: &Arc<Late>,
    config: &Config,
) -> Arc<dyn RowCodec> {
    let mapper = mapper.clone();
    match feed {
        "branch" => Arc::new(Listed { mapper, read: branch }),
        "ticket_source" => Arc::new(Listed { mapper, read: source }),
        "ticket_operation" => Arc::new(Operations),
        _ => Arc::new(Tickets {
            mapper,
            late: late.clone(),
            deletes: config.plan.deletes,
            tells: config.feeds.iter().any(|spec| &*spec.name == "ticket_operation"),
        }),
    }
}

/// Rows of a whole list, under their `Id`.
struct Listed {
    mapper: Arc<Mapper>,
    read: fn(&Mapper, &[u8], &mut Row) -> Result<(), RowFault>,
}

impl RowCodec for Listed {
    fn peek_key(&self, row: &[u8], _scope: &str, key: &mut String) -> bool {
        peek_guid(row, key)
    }

    fn decode(&self, row: &[u8], _scope: &str, out: &mut Row) -> Result<(), RowFault> {
        (self.read)(&self.mapper, row, out)
    }
}

fn branch(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<BranchDto<'_>, _>(row, |dto| {
        let branch = mapper.branch(dto);
        out.key.push_str(&branch.id);
        encode(&contracts::BRANCH, &branch, &mut out.value)
    })
}

fn source(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<SourceDto<'_>, _>(row, |dto| {
        let source = mapper.source(dto);
        out.key.push_str(&source.id);
        encode(&contracts::TICKET_SOURCE, &source, &mut out.value)
    })
}

/// Rows as `slice` makes them; the scope says branch and day.
struct Tickets {
    mapper: Arc<Mapper>,
    late: Arc<Late>,
    deletes: bool,
    /// Whether the operations are read too.
    tells: bool,
}

impl RowCodec for Tickets {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        let Some(ticket) = row.strip_prefix(b"{\"Ticket\":") else { return false };
        let mut id = String::new();
        if !peek_guid(ticket, &mut id) {
            return false;
        }
        key.push_str(split(scope).0);
        key.push('/');
        key.push_str(&id);
        true
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        let (branch, day) = split(scope);
        let Row { key, value, ts_ms, facts } = out;
        let mut tell = |operation: Result<Operation<'_>, RowFault>| {
            facts.put(|fact| {
                let operation = operation?;
                fact.key.push_str(&operation.id);
                fact.ts_ms = operation.operated_at.map(millis);
                encode(&contracts::TICKET_OPERATION, &operation, &mut fact.value)
            });
        };
        let tell: Option<Tell<'_>> = if self.tells { Some(&mut tell) } else { None };
        self.mapper.ticket(row, branch, day, tell, |ticket| {
            key.push_str(branch);
            key.push('/');
            key.push_str(&ticket.id);
            *ts_ms = ticket.changed_at.map(millis);
            encode(&contracts::TICKET, &ticket, value)
        })
    }

    fn tells_absence(&self) -> bool {
        self.deletes
    }

    fn forget(&self) {
        self.late.forget();
    }

    fn remember(&self, key: &str, value: Option<&[u8]>) {
        self.late.remember(key, value);
    }
}

/// The log that the rows of `ticket` tell.
struct Operations;

impl RowCodec for Operations {
    fn peek_key(&self, _row: &[u8], _scope: &str, _key: &mut String) -> bool {
        false
    }

    fn decode(&self, _row: &[u8], _scope: &str, _out: &mut Row) -> Result<(), RowFault> {
        Err(RowFault("operations come with the rows of `ticket`".to_owned()))
    }

    fn facts(&self) -> Option<&dyn FactCodec> {
        Some(self)
    }
}

impl FactCodec for Operations {
    fn told_by(&self) -> &'static str {
        "ticket"
    }

    fn told(&self, value: &[u8], each: &mut dyn FnMut(&str)) {
        // A value of an earlier form lists none; its operations are in the log or gone.
        late::operations_of(value, each).ok();
    }
}

/// Branch and day.
fn split(scope: &str) -> (&str, &str) {
    scope.split_once('/').unwrap_or((scope, ""))
}

/// An identifier is a text. A number is none: the row may be any entity's.
fn peek_guid(row: &[u8], key: &mut String) -> bool {
    let is_guid = peek_scalar(row, "Id", key) && key.bytes().any(|byte| !byte.is_ascii_digit());
    if !is_guid {
        key.clear();
    }
    is_guid
}

fn encode<T: Serialize>(
    contract: &Contract,
    entity: &T,
    value: &mut Vec<u8>,
) -> Result<(), RowFault> {
    let encoded = contract.encode(entity, value);
    encoded.map_err(|_| RowFault("the row does not fit the schema of its feed".to_owned()))
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}
