use std::borrow::Cow;

use talon_sdk::RowFault;
use talon_sdk::entity::{Code, How, Item, Place, Record, Required, Stamp};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

use super::department::{Department, ToldZone};
use super::operation::Operation;
use super::parts::SourceInfo;
use super::personal::Personal;
use super::product::Product;
use super::states::{TicketState, is_open};
use crate::export::day::Day;
use crate::export::zone::Zone;

/// A ticket (талон) with its services. Upstream: GET /api/1/queue/statistics/tickets/history, or .../tickets where the server is too old.
#[derive(Record)]
#[record(namespace = "talon.enter", finish = Ticket::take_parts)]
pub(crate) struct Ticket<'a> {
    /// First part of the key. A Guid.
    #[record(made)]
    pub(crate) branch_id: Cow<'a, str>,
    /// Second part of the key. A Guid.
    #[from("Id")]
    pub(crate) id: Text<'a>,
    /// The day of its creation in the branch’s zone, 2024-07-10: under this day the upstream lists it for ever.
    #[record(made)]
    day: Cow<'a, str>,
    /// The zone in which local times of this ticket were read: a name of the time zone database, or an offset +03:00.
    #[record(made)]
    time_zone: Cow<'a, str>,
    /// Where time_zone is from: upstream (its name), offset (upstream’s UtcOffset), branch (the setting time.zone.{branch}), default (the setting time.zone).
    #[record(made)]
    time_zone_origin: Cow<'a, str>,
    /// Whether a service is in a state that can still change, or that is not known.
    #[record(made)]
    is_open: bool,
    /// Ids of its operations in the feed ticket_operation: services in their order, the operations of each in that of time. Empty from the old method.
    #[record(made)]
    operations: Vec<Cow<'a, str>>,
    /// Full number. Numbers begin anew each day; prefixes of different alphabets look alike.
    #[from("Number")]
    number: Option<Text<'a>>,
    /// TicketState.
    #[from("State")]
    state: Code<TicketState>,
    /// When it was created. Upstream: CreatedTime or Created, in the zone of time_zone.
    #[from("CreatedTime")]
    created: Stamp<'a>,
    /// The name in the old method.
    #[from("Created")]
    #[record(hidden)]
    old_created: Stamp<'a>,
    /// What created it; from the old method only its id.
    #[from("Source")]
    source: Option<SourceInfo<'a>>,
    #[from("SourceId")]
    #[record(hidden)]
    source_id: Option<Text<'a>>,
    #[from("Activation")]
    #[record(hidden)]
    activation: Option<Activation<'a>>,
    /// When a booked ticket was activated. Upstream: Activation.ActivationTime, in the zone of time_zone.
    #[record(made)]
    activated: Stamp<'a>,
    /// Where it was activated.
    #[record(made)]
    activation_source: Option<SourceInfo<'a>>,
    /// Its services, in the order of their creation.
    #[from("Products")]
    pub(crate) products: Vec<Product<'a>>,
    pub(super) extra: Extra<'a>,
    /// Name of the branch when the ticket was read; its change alone is no change of the ticket.
    #[record(made, volatile)]
    branch_name: Option<Text<'a>>,
    /// Upstream: Department.ClientId.
    #[record(made, volatile)]
    branch_client_id: Option<Text<'a>>,
    #[record(made, volatile)]
    branch_integration_id: Option<Text<'a>>,
    /// Whether the branch was connected when the ticket was read; while it is not, the ticket may be stale.
    #[record(made, volatile)]
    branch_is_connected: Option<bool>,
    /// What else the reply says of the branch, as JSON text under its upstream name.
    #[record(made, volatile)]
    branch_extra: Extra<'a>,
    /// The last thing that is known to have happened, microseconds since 1970 UTC.
    #[record(made, hidden)]
    pub(crate) changed_at: Option<i64>,
}

/// A row as [`slice`](crate::export::slice) makes it: a ticket, and what the reply says of its branch.
/// `Department` is of the method with the history, the rest is of the old one.
#[derive(Record)]
pub(crate) struct TicketRow<'a> {
    #[from("Ticket")]
    pub(crate) ticket: Required<Ticket<'a>>,
    #[from("Department")]
    department: Option<Department<'a>>,
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
    extra: Extra<'a>,
}

/// When and where a booked ticket was activated.
#[derive(Record)]
struct Activation<'a> {
    #[from("ActivationTime")]
    time: Stamp<'a>,
    #[from("Source")]
    source: Option<SourceInfo<'a>>,
    extra: Extra<'a>,
}

/// Under which branch and day a ticket was found, and how it is read.
pub(crate) struct Found<'a> {
    pub(crate) branch: &'a str,
    pub(crate) day: &'a str,
    pub(crate) zone: &'a Zone,
    pub(crate) personal: &'a Personal,
}

impl<'a> TicketRow<'a> {
    /// The zone that the reply tells.
    pub(crate) fn zone(&self) -> Option<&ToldZone<'a>> {
        self.department.as_ref()?.time_zone.as_ref()
    }

    /// The ticket, as it is written.
    pub(crate) fn settled(self, found: &Found<'a>) -> Ticket<'a> {
        let Required(mut ticket) = self.ticket;
        let how = How { zone: &found.zone.zone, zones: &[], privacy: &found.personal.privacy };
        let place = Place { from: "Ticket", policy: Policy::Keep, how: &how };
        ticket.settle(&place, &mut Extra::default());
        ticket.products.iter_mut().for_each(|product| found.personal.settle(product));
        found.personal.guard("Products", &mut ticket.extra);
        ticket.take_found(found);
        ticket.take_facts();
        match self.department {
            Some(department) => ticket.take_department(department),
            None => {
                ticket.branch_integration_id = self.integration_id;
                ticket.branch_extra = self.extra;
            }
        }
        ticket
    }
}

impl<'a> Ticket<'a> {
    fn take_parts(&mut self, _: &How<'_>) {
        if self.created.text().is_none() {
            self.created = std::mem::take(&mut self.old_created);
        }
        if self.source.is_none() {
            self.source = self.source_id.take().map(SourceInfo::of);
        }
        if let Some(activation) = self.activation.take() {
            self.activated = activation.time;
            self.activation_source = activation.source;
            self.extra.take_beside("Activation", activation.extra);
        }
    }

    fn take_found(&mut self, found: &Found<'a>) {
        let day = self.created.text().and_then(|text| text.get(..10));
        let day = day.filter(|text| Day::parse(text).is_some()).map(|day| day.to_owned().into());
        self.day = day.unwrap_or(found.day.into());
        self.branch_id = found.branch.into();
        self.time_zone = found.zone.name.as_str().into();
        self.time_zone_origin = found.zone.origin.into();
    }

    /// What its services tell of it.
    fn take_facts(&mut self) {
        let mut changed_at = self.created.micros().max(self.activated.micros());
        for product in &self.products {
            self.is_open |= is_open(product.state.number);
            changed_at = changed_at.max(product.ended.micros());
            for operation in &product.history {
                changed_at = changed_at.max(operation.operated.micros());
                self.operations.extend(operation.told_id.as_ref().map(|id| id.0.clone()));
            }
        }
        self.changed_at = changed_at;
    }

    fn take_department(&mut self, department: Department<'a>) {
        self.branch_name = department.name;
        self.branch_client_id = department.client_id;
        self.branch_integration_id = department.integration_id;
        self.branch_is_connected = department.is_connected;
        self.branch_extra = department.extra;
        let Some(ToldZone { id, name, utc_offset, extra }) = department.time_zone else { return };
        self.branch_extra.take_beside("TimeZone", extra);
        let told =
            [("TimeZone.Id", id), ("TimeZone.Name", name), ("TimeZone.UtcOffset", utc_offset)];
        for (field, text) in told {
            if let Some(text) = text {
                self.branch_extra.keep_text(field, &text.0);
            }
        }
    }

    /// Gives the operations on it, each with what it was done on, or why one cannot be told.
    pub(crate) fn tell(&mut self, mut each: impl FnMut(Result<Operation<'a>, RowFault>)) {
        for product in &mut self.products {
            for mut operation in std::mem::take(&mut product.history) {
                operation.branch_id = self.branch_id.clone();
                operation.ticket_id = self.id.0.clone();
                operation.ticket_number = self.number.clone();
                operation.time_zone = self.time_zone.clone();
                each(product.told(operation));
            }
        }
    }
}
