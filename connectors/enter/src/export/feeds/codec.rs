use std::sync::Arc;

use serde::Serialize;
use talon_schemas::{Contract, enter as contracts};
use talon_sdk::record::{decode, peek_scalar};
use talon_sdk::{FactCodec, Row, RowCodec, RowFault};

use crate::export::day::Day;
use crate::export::late::{self, Late};
use crate::export::map::Mapper;
use crate::export::model::{BranchDto, SourceDto};

/// How the rows of a feed read.
pub(crate) fn codec(
    feed: &str,
    mapper: &Arc<Mapper>,
    late: &Arc<Late>,
    deletes: bool,
) -> Arc<dyn RowCodec> {
    let mapper = mapper.clone();
    match feed {
        "branch" => Arc::new(Listed { mapper, read: branch }),
        "ticket_source" => Arc::new(Listed { mapper, read: source }),
        "ticket_operation" => Arc::new(Operations { mapper }),
        _ => Arc::new(Tickets { mapper, late: late.clone(), deletes }),
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
        put(&contracts::BRANCH, &branch, None, out)
    })
}

fn source(mapper: &Mapper, row: &[u8], out: &mut Row) -> Result<(), RowFault> {
    decode::<SourceDto<'_>, _>(row, |dto| {
        let source = mapper.source(dto);
        out.key.push_str(&source.id);
        put(&contracts::TICKET_SOURCE, &source, None, out)
    })
}

/// Rows as `slice` makes them; the scope says branch and day.
struct Tickets {
    mapper: Arc<Mapper>,
    late: Arc<Late>,
    deletes: bool,
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
        self.mapper.ticket(row, branch, day, |ticket| {
            out.key.push_str(branch);
            out.key.push('/');
            out.key.push_str(&ticket.id);
            put(&contracts::TICKET, &ticket, ticket.changed_at, out)
        })
    }

    fn tells_absence(&self) -> bool {
        self.deletes
    }

    fn covers(&self, scope: &str, key: &str, value: Option<&[u8]>) -> bool {
        let (branch, day) = split(scope);
        let is_of_branch = key.strip_prefix(branch).is_some_and(|rest| rest.starts_with('/'));
        is_of_branch && Day::parse(day).is_some_and(|day| value.and_then(late::day_of) == Some(day))
    }

    fn forget(&self) {
        self.late.forget();
    }

    fn remember(&self, key: &str, value: Option<&[u8]>) {
        self.late.remember(key, value);
    }
}

/// The log that the rows of `ticket` tell.
struct Operations {
    mapper: Arc<Mapper>,
}

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

    fn decode(&self, row: &[u8], scope: &str, each: &mut dyn FnMut(Result<&Row, RowFault>)) {
        let mut out = Row::default();
        let told = self.mapper.operations(row, split(scope).0, &mut |operation| {
            let fact = operation.and_then(|operation| {
                out.clear();
                out.key.push_str(&operation.id);
                put(&contracts::TICKET_OPERATION, &operation, operation.operated_at, &mut out)
            });
            each(fact.map(|()| &out));
        });
        if let Err(fault) = told {
            each(Err(fault));
        }
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

fn put<T: Serialize>(
    contract: &Contract,
    entity: &T,
    at_micros: Option<i64>,
    out: &mut Row,
) -> Result<(), RowFault> {
    contract
        .encode(entity, &mut out.value)
        .map_err(|_| RowFault("the row does not fit the schema of its feed".to_owned()))?;
    out.ts_ms = at_micros.map(|micros| micros.div_euclid(1000));
    Ok(())
}
