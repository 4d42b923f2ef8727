//! How the rows of each feed read.

use std::sync::Arc;

use talon_schemas::Datum;
use talon_sdk::entity::{Codec, Entity, How, Item, Place};
use talon_sdk::privacy::{Policy, Privacy};
use talon_sdk::record::{Extra, decode, peek_scalar};
use talon_sdk::{Row, RowCodec, RowFault};

use super::known::Known;
use super::schedule::hour_of;
use crate::export::Branch;
use crate::rest::config::Config;
use crate::rest::entity::{
    Awaiting, Booking, BookingDay, BookingSlot, Indicator, Line, Menu, MenuItem, Product, Service,
    Statistics, Survey, Ticket, TicketHistory, Workplace,
};

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, config: &Config, known: &Arc<Known>) -> Arc<dyn RowCodec> {
    fn of<E: Entity + 'static>(config: &Config) -> Arc<dyn RowCodec> {
        Arc::new(Codec::<E>::new(config.zone.clone(), config.privacy.clone()))
    }
    let dated = |rows, scope| Arc::new(Dated { rows, scope, known: known.clone() });
    match feed {
        "ticket" => of::<Ticket<'_>>(config),
        "ticket_history" => of::<TicketHistory<'_>>(config),
        "service_indicator" => of::<Indicator<'_>>(config),
        "booking" => dated(of::<Booking<'_>>(config), day_of_value),
        "booking_day" => dated(of::<BookingDay<'_>>(config), day_of_key),
        "booking_slot" => dated(of::<BookingSlot<'_>>(config), hour_of_key),
        "product" => of::<Product<'_>>(config),
        "menu" => of::<Menu<'_>>(config),
        "menu_item" => of::<MenuItem<'_>>(config),
        "branch" => of::<Branch<'_>>(config),
        "awaiting" => of::<Awaiting<'_>>(config),
        "workplace" => of::<Workplace<'_>>(config),
        "survey" => of::<Survey<'_>>(config),
        "queue_statistics" | "network_load" => of::<Statistics<'_>>(config),
        _ => {
            let (zone, privacy) = (config.zone.clone(), config.privacy.clone());
            Arc::new(Lines { zone, privacy })
        }
    }
}

/// Services that are shown at a place, the scope.
struct Lines {
    zone: jiff::tz::TimeZone,
    privacy: Privacy,
}

impl RowCodec for Lines {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        let mut id = String::new();
        let is_key =
            peek_scalar(row, "Id", &mut id) && id.bytes().any(|byte| !byte.is_ascii_digit());
        if is_key {
            key.push_str(scope);
            key.push('/');
            key.push_str(&id);
        }
        is_key
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        decode::<Service<'_>, _>(row, |mut service| {
            let how = How { zone: &self.zone, zones: &[], privacy: &self.privacy };
            service.settle(
                &Place { from: "", policy: Policy::Keep, how: &how },
                &mut Extra::default(),
            );
            let id = service.id.as_ref().map(|id| id.0.clone().into_owned());
            let id = id.ok_or_else(|| RowFault("missing field `Id`".to_owned()))?;
            out.key.push_str(scope);
            out.key.push('/');
            out.key.push_str(&id);
            out.ts_ms = service.changed_at().map(|micros| micros.div_euclid(1000));
            Line::at(scope, &id, service).write(&mut out.value);
            Ok(())
        })
    }
}

/// Rows of days or hours: which of these hold what was published is remembered.
struct Dated {
    rows: Arc<dyn RowCodec>,
    /// The scope of an entity, by its key and its value.
    scope: fn(&str, &[u8]) -> Option<String>,
    known: Arc<Known>,
}

impl RowCodec for Dated {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        self.rows.peek_key(row, scope, key)
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        self.rows.decode(row, scope, out)
    }

    fn forget(&self) {
        self.known.forget();
    }

    fn remember(&self, key: &str, value: Option<&[u8]>) {
        if let Some(scope) = value.and_then(|value| (self.scope)(key, value)) {
            self.known.remember(scope);
        }
    }
}

/// The leading field of a booking is its day.
fn day_of_value(_: &str, value: &[u8]) -> Option<String> {
    Datum::new(value).text().ok().map(str::to_owned)
}

/// `product/date`, which is the scope.
fn day_of_key(key: &str, _: &[u8]) -> Option<String> {
    Some(key.to_owned())
}

/// `product/date/time`.
fn hour_of_key(key: &str, _: &[u8]) -> Option<String> {
    let (day, time) = key.rsplit_once('/')?;
    Some(format!("{day}/{}", hour_of(time)))
}
