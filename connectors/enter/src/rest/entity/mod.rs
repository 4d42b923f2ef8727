//! The entities, each declared once: what the services of `enter-rest.txt` send, as far as public pages
//! say it, and what becomes of it on a topic. All else of a row is in its `extra`.

mod catalogue;
mod indicator;
mod line;
mod parts;
mod places;
mod schedule;
mod ticket;
mod values;

pub(crate) use catalogue::{Awaiting, Menu, MenuItem, Product};
pub(crate) use indicator::Indicator;
pub(crate) use line::Line;
pub(crate) use places::{Statistics, Survey, Workplace};
pub(crate) use schedule::{BookingDay, BookingSlot};
pub(crate) use ticket::{Booking, Service, Ticket, TicketHistory};

#[cfg(test)]
mod tests {
    use talon_sdk::entity::assert_checked_in;

    use super::*;
    use crate::export::Branch;

    macro_rules! checked_in {
        ($name:literal) => {
            include_str!(concat!("../../../../../schemas/enter-rest/", $name, ".avsc"))
        };
    }

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Line<'_>>(checked_in!("board_call"));
        assert_checked_in::<Line<'_>>(checked_in!("operator_queue"));
        assert_checked_in::<Line<'_>>(checked_in!("personal_queue"));
        assert_checked_in::<Ticket<'_>>(checked_in!("ticket"));
        assert_checked_in::<Booking<'_>>(checked_in!("booking"));
        assert_checked_in::<Product<'_>>(checked_in!("product"));
        assert_checked_in::<Menu<'_>>(checked_in!("menu"));
        assert_checked_in::<MenuItem<'_>>(checked_in!("menu_item"));
        assert_checked_in::<Branch<'_>>(checked_in!("branch"));
        assert_checked_in::<Awaiting<'_>>(checked_in!("awaiting"));
        assert_checked_in::<BookingDay<'_>>(checked_in!("booking_day"));
        assert_checked_in::<BookingSlot<'_>>(checked_in!("booking_slot"));
        assert_checked_in::<Workplace<'_>>(checked_in!("workplace"));
        assert_checked_in::<Survey<'_>>(checked_in!("survey"));
        assert_checked_in::<Statistics<'_>>(checked_in!("queue_statistics"));
        assert_checked_in::<Statistics<'_>>(checked_in!("network_load"));
        assert_checked_in::<Indicator<'_>>(checked_in!("service_indicator"));
        assert_checked_in::<TicketHistory<'_>>(checked_in!("ticket_history"));
    }
}
