use std::sync::Arc;

use jiff::tz::TimeZone;
use talon_sdk::entity::{Codec, Entity, Item};
use talon_sdk::record::peek_scalar;
use talon_sdk::{FactCodec, Row, RowCodec, RowFault};

use crate::export::config::Config;
use crate::export::entity::{Branch, Found, Personal, Source};
use crate::export::late::{self, Late};
use crate::export::row;
use crate::export::zone::Zones;

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, late: &Arc<Late>, config: &Config) -> Arc<dyn RowCodec> {
    // Neither has instants.
    let (zone, personal) = (TimeZone::UTC, config.privacy.clone());
    match feed {
        "branch" => Arc::new(Codec::<Branch<'_>>::new(zone, personal.privacy)),
        "ticket_source" => Arc::new(Codec::<Source<'_>>::new(zone, personal.privacy)),
        "ticket_operation" => Arc::new(Operations),
        _ => Arc::new(Tickets {
            zones: config.zones.clone(),
            personal,
            late: late.clone(),
            deletes: config.plan.deletes,
            tells: config.feeds.iter().any(|spec| &*spec.name == "ticket_operation"),
        }),
    }
}

macro_rules! by_guid {
    ($($entity:ident),*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "Id";

            fn peek(row: &[u8], _scope: &str, key: &mut String) -> bool {
                peek_guid(row, key)
            }

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                key.push_str(&of.id.0);
                Ok(())
            }
        }
    )*};
}

by_guid!(Branch, Source);

/// Rows as `slice` makes them; the scope says branch and day.
struct Tickets {
    zones: Zones,
    personal: Personal,
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
        row::read(row, |row| {
            let zone = self.zones.of(branch, row.zone());
            let found = Found { branch, day, zone: &zone, personal: &self.personal };
            let mut ticket = row.settled(&found);
            key.push_str(branch);
            key.push('/');
            key.push_str(&ticket.id.0);
            *ts_ms = ticket.changed_at.map(millis);
            ticket.write(value);
            if self.tells {
                ticket.tell(|operation| {
                    facts.put(|fact| {
                        let operation = operation?;
                        fact.key.push_str(&operation.id);
                        fact.ts_ms = operation.operated.micros().map(millis);
                        operation.write(&mut fact.value);
                        Ok(())
                    });
                });
            }
            Ok(())
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

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}
