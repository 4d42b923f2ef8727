use std::borrow::Cow;

use talon_sdk::entity::{Code, Record, Stamp};
use talon_sdk::record::{Extra, Text};

use super::parts::{Operator, Workplace};
use super::states::ProductState;

/// One step in the life of a service within a ticket: an immutable fact. Upstream: History of a product.
#[derive(Record)]
#[record(name = "TicketOperation", namespace = "talon.enter", order(operated, told_id))]
pub(crate) struct Operation<'a> {
    /// Without it, the operation cannot be told, and costs no other.
    #[from("Id")]
    #[record(hidden)]
    pub(super) told_id: Option<Text<'a>>,
    /// Key. A Guid.
    #[record(made)]
    pub(crate) id: Cow<'a, str>,
    /// A Guid.
    #[record(made)]
    pub(super) branch_id: Cow<'a, str>,
    /// A Guid; branch_id/ticket_id is the key in the feed ticket.
    #[record(made)]
    pub(super) ticket_id: Cow<'a, str>,
    #[record(made)]
    pub(super) ticket_number: Option<Text<'a>>,
    /// The service within the ticket.
    #[record(made)]
    pub(super) ticket_product_id: Option<Text<'a>>,
    /// The service in the catalogue.
    #[record(made)]
    pub(super) product_id: Option<Text<'a>>,
    #[record(made)]
    pub(super) product_name: Option<Text<'a>>,
    /// TicketProductState after the step.
    #[from("State")]
    state: Code<ProductState>,
    /// When it was done. Upstream: OperationTime, in the zone of time_zone.
    #[from("OperationTime")]
    pub(crate) operated: Stamp<'a>,
    /// As in the feed ticket.
    #[record(made)]
    pub(super) time_zone: Cow<'a, str>,
    /// Where it was done.
    #[from("Workplace")]
    workplace: Option<Workplace<'a>>,
    /// Who did it. Upstream: User.
    #[from("User")]
    operator: Option<Operator<'a>>,
    extra: Extra<'a>,
}
