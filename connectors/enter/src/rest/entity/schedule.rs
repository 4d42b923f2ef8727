//! What can be booked.

use talon_sdk::RowFault;
use talon_sdk::entity::{Entity, Flag, How, Int, Record};
use talon_sdk::record::{Extra, Text};

/// A day on which a service can be booked, or not. Key: product_id/date. Upstream: GET booking/schedule/days.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = BookingDay::take_day)]
pub(crate) struct BookingDay<'a> {
    /// First part of the key.
    #[from("ProductId")]
    product_id: Text<'a>,
    /// Second part of the key, 2024-07-10.
    #[from("Date")]
    date: Text<'a>,
    /// Upstream: Free.
    #[record(made)]
    is_free: Option<Flag>,
    #[from("Of")]
    #[record(hidden)]
    of: Option<Day<'a>>,
    extra: Extra<'a>,
}

#[derive(Record)]
struct Day<'a> {
    #[from("Day")]
    #[record(hidden)]
    _day: Option<Int>,
    #[from("Free")]
    is_free: Option<Flag>,
    extra: Extra<'a>,
}

impl BookingDay<'_> {
    fn take_day(&mut self, _: &How<'_>) {
        if let Some(day) = self.of.take() {
            self.is_free = day.is_free;
            self.extra.0.extend(day.extra.0);
        }
    }
}

impl Entity for BookingDay<'_> {
    const KEY: &'static str = "Date";

    fn key(of: &BookingDay<'_>, key: &mut String) -> Result<(), RowFault> {
        key.push_str(&of.product_id.0);
        key.push('/');
        key.push_str(&of.date.0);
        Ok(())
    }

    fn peek(_: &[u8], _: &str, _: &mut String) -> bool {
        false
    }
}

/// A time at which a service can be booked. Key: product_id/date/time. Upstream: GET booking/schedule/days/:date.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = BookingSlot::take_slot)]
pub(crate) struct BookingSlot<'a> {
    /// First part of the key.
    #[from("ProductId")]
    product_id: Text<'a>,
    /// Second part of the key, 2024-07-10.
    #[from("Date")]
    date: Text<'a>,
    /// Third part of the key, 09:30; by the branch’s clock.
    #[from("Time")]
    time: Text<'a>,
    #[from("Of")]
    #[record(hidden)]
    of: Option<Slot<'a>>,
    extra: Extra<'a>,
}

#[derive(Record)]
struct Slot<'a> {
    extra: Extra<'a>,
}

impl BookingSlot<'_> {
    fn take_slot(&mut self, _: &How<'_>) {
        if let Some(slot) = self.of.take() {
            self.extra.0.extend(slot.extra.0);
        }
    }
}

impl Entity for BookingSlot<'_> {
    const KEY: &'static str = "Time";

    fn key(of: &BookingSlot<'_>, key: &mut String) -> Result<(), RowFault> {
        for part in [&of.product_id.0, "/", &of.date.0, "/", &of.time.0] {
            key.push_str(part);
        }
        Ok(())
    }

    fn peek(_: &[u8], _: &str, _: &mut String) -> bool {
        false
    }
}
