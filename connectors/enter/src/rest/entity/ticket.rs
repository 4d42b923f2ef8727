//! Tickets, and the services in them.

use std::borrow::Cow;

use talon_sdk::entity::{Code, Entity, Flag, How, Int, Record, Stamp};
use talon_sdk::record::{Extra, Text};
use talon_sdk::{RowFault, record};

use super::parts::{DataField, Operator, ServiceInfo, WorkplaceInfo};
use super::values::AnyText;
use crate::export::{ProductState, TicketState};

/// A service within a ticket. Its id is that of the service in this ticket; product_id is the catalogue’s, and a ticket may have it several times. Upstream: ticketProduct.
#[derive(Record)]
#[record(name = "TicketService", order(created, id), finish = Service::take_parts)]
pub(crate) struct Service<'a> {
    /// Upstream: Id, or TicketProductId on boards.
    #[from("Id")]
    pub(crate) id: Option<Text<'a>>,
    #[from("TicketProductId")]
    #[record(hidden)]
    ticket_product_id: Option<Text<'a>>,
    /// The ticket that it is in, where it is shown on its own.
    #[from("Ticket")]
    ticket: Option<TicketHead<'a>>,
    #[from("Product")]
    #[record(hidden)]
    product: Option<ServiceInfo<'a>>,
    #[from("ProductId")]
    product_id: Option<Text<'a>>,
    #[record(made)]
    product_integration_id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    /// TicketProductState.
    #[from("State")]
    state: Code<ProductState>,
    /// Upstream: IsPending.
    #[from("IsPending")]
    is_booked: Option<Flag>,
    /// Services of one route share it.
    #[from("Chain")]
    chain: Option<Int>,
    /// Upstream: CurrentPriority.
    #[from("CurrentPriority")]
    priority: Option<Int>,
    /// When the service was added to the ticket. Upstream: Created, or CreatedTime.
    #[from("Created")]
    created: Stamp<'a>,
    #[from("CreatedTime")]
    #[record(hidden)]
    new_created: Stamp<'a>,
    /// When it was queued, or the time that is booked. Upstream: StartTime.
    #[from("StartTime")]
    starts: Stamp<'a>,
    /// When it was queued first. Upstream: InQueueStartTime.
    #[from("InQueueStartTime")]
    queued: Stamp<'a>,
    /// When a booked one was activated. Upstream: ActivatedStartTime.
    #[from("ActivatedStartTime")]
    activated: Stamp<'a>,
    /// Upstream: InvitedStartTime.
    #[from("InvitedStartTime")]
    first_invited: Stamp<'a>,
    /// Upstream: OperatingStartTime.
    #[from("OperatingStartTime")]
    first_operated: Stamp<'a>,
    /// Upstream: CompletedEndTime, or EndTime.
    #[from("CompletedEndTime")]
    ended: Stamp<'a>,
    #[from("EndTime")]
    #[record(hidden)]
    new_ended: Stamp<'a>,
    /// Where the last operation was done.
    #[from("Workplace")]
    workplace: Option<WorkplaceInfo<'a>>,
    /// Who did the last operation. Upstream: User.
    #[from("User")]
    operator: Option<Operator<'a>>,
    /// What the visitor typed in. Upstream: TicketProductDataFields, or Fields.
    #[from("TicketProductDataFields")]
    fields: Vec<DataField<'a>>,
    #[from("Fields")]
    #[record(hidden)]
    new_fields: Vec<DataField<'a>>,
    pub(super) extra: Extra<'a>,
}

impl Service<'_> {
    fn take_parts(&mut self, _: &How<'_>) {
        if self.id.is_none() {
            self.id = self.ticket_product_id.take();
        } else if let Some(other) = self.ticket_product_id.take() {
            self.extra.keep_text("TicketProductId", &other.0);
        }
        for (known, newer) in
            [(&mut self.created, &mut self.new_created), (&mut self.ended, &mut self.new_ended)]
        {
            if known.text().is_none() {
                *known = std::mem::take(newer);
            }
        }
        if self.fields.is_empty() {
            self.fields = std::mem::take(&mut self.new_fields);
        }
        if let Some(product) = self.product.take() {
            self.product_id = self.product_id.take().or(product.id);
            self.name = self.name.take().or(product.name);
            self.product_integration_id = product.integration_id;
            self.extra.take("Product", product.extra);
        }
    }

    /// The last thing that is known to have happened, microseconds since 1970 UTC.
    pub(crate) fn changed_at(&self) -> Option<i64> {
        let stamps = [
            &self.created,
            &self.queued,
            &self.activated,
            &self.first_invited,
            &self.first_operated,
            &self.ended,
        ];
        stamps.into_iter().filter_map(Stamp::micros).max()
    }
}

/// A ticket without its services, where a service is shown on its own.
#[derive(Record)]
#[record(finish = TicketHead::take_parts)]
pub(super) struct TicketHead<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    /// Full number, prefix and digits. Upstream: FullNumber, or Number where it is a text.
    #[from("FullNumber")]
    full_number: Option<AnyText<'a>>,
    #[from("Prefix")]
    prefix: Option<Text<'a>>,
    /// Upstream: Number.
    #[from("Number")]
    number: Option<AnyText<'a>>,
    /// TicketState.
    #[from("State")]
    state: Code<TicketState>,
    /// When it was created. Upstream: Created, or CreatedTime.
    #[from("Created")]
    created: Stamp<'a>,
    #[from("CreatedTime")]
    #[record(hidden)]
    new_created: Stamp<'a>,
    /// By which a visitor activates a booking; null unless pin.code is true.
    #[from("PinCode")]
    #[record(pii)]
    pin_code: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl TicketHead<'_> {
    fn take_parts(&mut self, _: &How<'_>) {
        if self.created.text().is_none() {
            self.created = std::mem::take(&mut self.new_created);
        }
        if self.full_number.is_none() {
            self.full_number = self.number.clone();
        }
    }
}

/// A ticket (талон) in the list of today, with its services. Upstream: GET queue/admin/tickets.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = Ticket::take_parts)]
pub(crate) struct Ticket<'a> {
    /// Key.
    #[from("Id")]
    id: Text<'a>,
    /// The day in whose list it was seen last, 2024-07-10.
    #[record(made)]
    day: Cow<'a, str>,
    /// Full number, prefix and digits; begins anew each day. Upstream: FullNumber, or Number where it is a text.
    #[from("FullNumber")]
    full_number: Option<AnyText<'a>>,
    #[from("Prefix")]
    prefix: Option<Text<'a>>,
    /// Upstream: Number.
    #[from("Number")]
    number: Option<AnyText<'a>>,
    /// TicketState.
    #[from("State")]
    state: Code<TicketState>,
    /// When it was created. Upstream: Created, or CreatedTime.
    #[from("Created")]
    created: Stamp<'a>,
    #[from("CreatedTime")]
    #[record(hidden)]
    new_created: Stamp<'a>,
    /// By which a visitor activates a booking; null unless pin.code is true.
    #[from("PinCode")]
    #[record(pii)]
    pin_code: Option<Text<'a>>,
    /// Its services, in the order of their creation. Upstream: Products.
    #[from("Products")]
    services: Vec<Service<'a>>,
    extra: Extra<'a>,
}

/// A text is a key; a number is none: the row may be any entity's.
pub(super) fn peek_id(row: &[u8], key: &mut String) -> bool {
    record::peek_scalar(row, "Id", key) && key.bytes().any(|byte| !byte.is_ascii_digit())
}

/// A booked ticket. Upstream: GET queue/admin/booking, grouped by days.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = Booking::take_parts)]
pub(crate) struct Booking<'a> {
    /// The day that is booked, 2024-07-10.
    #[record(made)]
    day: Cow<'a, str>,
    /// Key.
    #[from("Id")]
    id: Text<'a>,
    #[from("FullNumber")]
    full_number: Option<AnyText<'a>>,
    #[from("Prefix")]
    prefix: Option<Text<'a>>,
    /// Upstream: Number.
    #[from("Number")]
    number: Option<AnyText<'a>>,
    /// TicketState.
    #[from("State")]
    state: Code<TicketState>,
    /// When it was created. Upstream: Created, or CreatedTime.
    #[from("Created")]
    created: Stamp<'a>,
    #[from("CreatedTime")]
    #[record(hidden)]
    new_created: Stamp<'a>,
    /// By which a visitor activates the booking; null unless pin.code is true.
    #[from("PinCode")]
    #[record(pii)]
    pin_code: Option<Text<'a>>,
    /// Its services, in the order of their creation. Upstream: Products.
    #[from("Products")]
    services: Vec<Service<'a>>,
    extra: Extra<'a>,
}

/// A ticket as the history has it. Upstream: GET tickets/history/list.
#[derive(Record)]
#[record(namespace = "talon.enter_rest", finish = TicketHistory::take_parts)]
pub(crate) struct TicketHistory<'a> {
    /// Key.
    #[from("Id")]
    id: Text<'a>,
    /// Full number, prefix and digits; begins anew each day. Upstream: FullNumber, or Number where it is a text.
    #[from("FullNumber")]
    full_number: Option<AnyText<'a>>,
    #[from("Prefix")]
    prefix: Option<Text<'a>>,
    /// Upstream: Number.
    #[from("Number")]
    number: Option<AnyText<'a>>,
    /// TicketState.
    #[from("State")]
    state: Code<TicketState>,
    /// When it was created. Upstream: Created, or CreatedTime.
    #[from("Created")]
    created: Stamp<'a>,
    #[from("CreatedTime")]
    #[record(hidden)]
    new_created: Stamp<'a>,
    /// By which a visitor activates a booking; null unless pin.code is true.
    #[from("PinCode")]
    #[record(pii)]
    pin_code: Option<Text<'a>>,
    /// Its services, in the order of their creation. Upstream: Products.
    #[from("Products")]
    services: Vec<Service<'a>>,
    extra: Extra<'a>,
}

/// A ticket, known by its `Id`; `day` is the field of its scope, where it has one.
macro_rules! tickets {
    ($($ticket:ident $(in $day:ident)?;)*) => {$(
        impl $ticket<'_> {
            fn take_parts(&mut self, _: &How<'_>) {
                if self.created.text().is_none() {
                    self.created = std::mem::take(&mut self.new_created);
                }
                if self.full_number.is_none() {
                    self.full_number = self.number.clone();
                }
            }
        }

        impl Entity for $ticket<'_> {
            const KEY: &'static str = "Id";

            $(fn take_scope(of: &mut $ticket<'_>, scope: &str) -> Result<(), RowFault> {
                of.$day = Cow::Owned(scope.to_owned());
                Ok(())
            })?

            fn key(of: &$ticket<'_>, key: &mut String) -> Result<(), RowFault> {
                key.push_str(&of.id.0);
                Ok(())
            }

            fn changed_at(of: &$ticket<'_>) -> Option<i64> {
                let services = of.services.iter().filter_map(Service::changed_at);
                services.chain(of.created.micros()).max()
            }

            fn peek(row: &[u8], _: &str, key: &mut String) -> bool {
                peek_id(row, key)
            }
        }
    )*};
}

tickets! {
    Ticket in day;
    Booking in day;
    TicketHistory;
}
