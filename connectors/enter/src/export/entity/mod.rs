//! The entities, each declared once: what the four methods of `enter-central-export.txt` send, and what
//! becomes of it on a topic.

mod catalogue;
mod department;
mod operation;
mod parts;
mod personal;
mod product;
mod states;
mod ticket;

pub(crate) use catalogue::{Branch, Source};
pub(crate) use department::{Head, ToldZone};
#[cfg(test)]
use operation::Operation;
pub(crate) use personal::Personal;
pub(crate) use product::Product;
pub(crate) use states::{ProductState, TicketState};
pub(crate) use ticket::{Found, Ticket, TicketRow};

#[cfg(test)]
mod tests {
    use talon_sdk::entity::assert_checked_in;

    use super::*;

    macro_rules! checked_in {
        ($name:literal) => {
            include_str!(concat!("../../../../../schemas/enter-export/", $name, ".avsc"))
        };
    }

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Branch<'_>>(checked_in!("branch"));
        assert_checked_in::<Source<'_>>(checked_in!("ticket_source"));
        assert_checked_in::<Ticket<'_>>(checked_in!("ticket"));
        assert_checked_in::<Operation<'_>>(checked_in!("ticket_operation"));
    }
}
