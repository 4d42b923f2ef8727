use talon_sdk::RowFault;
use talon_sdk::entity::{Code, How, Record, Stamp};
use talon_sdk::record::{Extra, Text};

use super::operation::Operation;
use super::parts::{DataField, Operator, Workplace};
use super::states::ProductState;

/// A service within a ticket. Its id is that of the service in this ticket; product_id is the catalogue’s, and a ticket may have it several times.
#[derive(Record)]
#[record(name = "TicketProduct", order(created, id), finish = Product::take_parts)]
pub(crate) struct Product<'a> {
    /// A Guid, unique.
    #[from("Id")]
    pub(super) id: Text<'a>,
    /// With history, the service of the catalogue is an object.
    #[from("Product")]
    #[record(hidden)]
    service: Option<Service<'a>>,
    #[from("ProductId")]
    pub(super) product_id: Option<Text<'a>>,
    #[from("ProductIntegrationId")]
    product_integration_id: Option<Text<'a>>,
    #[from("Name")]
    pub(super) name: Option<Text<'a>>,
    /// TicketProductState.
    #[from("State")]
    pub(super) state: Code<ProductState>,
    /// Upstream: IsPending. The document contradicts itself; in its samples true is a booking.
    #[from("IsPending")]
    is_booked: Option<bool>,
    /// When the service was added to the ticket. Upstream: CreatedTime or Created, in the zone of time_zone.
    #[from("CreatedTime")]
    created: Stamp<'a>,
    /// The name in the old method.
    #[from("Created")]
    #[record(hidden)]
    old_created: Stamp<'a>,
    /// When the ticket was printed, or the time that is booked; only from the old method. Upstream: StartTime, in the zone of time_zone.
    #[from("StartTime")]
    starts: Stamp<'a>,
    /// When it was queued. Upstream: InQueueStartTime, in the zone of time_zone.
    #[from("InQueueStartTime")]
    queued: Stamp<'a>,
    /// First invitation to a workplace. Upstream: InvitedStartTime, in the zone of time_zone.
    #[from("InvitedStartTime")]
    first_invited: Stamp<'a>,
    /// When serving began first. Upstream: OperatingStartTime, in the zone of time_zone.
    #[from("OperatingStartTime")]
    first_operated: Stamp<'a>,
    /// When serving ended last. Upstream: EndTime, in the zone of time_zone.
    #[from("EndTime")]
    pub(super) ended: Stamp<'a>,
    /// Time in the queue, in all. Upstream: AwaitingDuration.
    #[from("AwaitingDuration")]
    awaiting_seconds: Option<f64>,
    /// Time of being served, in all; 0 while it is being served. Upstream: OperatingDuration.
    #[from("OperatingDuration")]
    operating_seconds: Option<f64>,
    /// Where the last operation was done.
    #[from("Workplace")]
    workplace: Option<Workplace<'a>>,
    /// Who did the last operation. Upstream: User.
    #[from("User")]
    operator: Option<Operator<'a>>,
    /// Data fields, where data.fields is true.
    #[from("Fields")]
    pub(super) fields: Vec<DataField<'a>>,
    /// In the order of time.
    #[from("History")]
    #[record(hidden)]
    pub(super) history: Vec<Operation<'a>>,
    pub(super) extra: Extra<'a>,
}

impl<'a> Product<'a> {
    /// An operation on it, with what it says of itself.
    ///
    /// # Errors
    /// Where the operation has no id.
    pub(super) fn told(&self, mut operation: Operation<'a>) -> Result<Operation<'a>, RowFault> {
        let id = operation.told_id.take();
        operation.id = id.ok_or_else(|| RowFault("an operation without `Id`".to_owned()))?.0;
        operation.ticket_product_id = Some(self.id.clone());
        operation.product_id = self.product_id.clone();
        operation.product_name = self.name.clone();
        Ok(operation)
    }

    fn take_parts(&mut self, _: &How<'_>) {
        if self.created.text().is_none() {
            self.created = std::mem::take(&mut self.old_created);
        }
        if let Some(service) = self.service.take() {
            self.product_id = service.id;
            self.name = service.name;
            self.product_integration_id = service.integration_id;
            self.extra.take_beside("Product", service.extra);
        }
    }
}

/// A service of the catalogue.
#[derive(Record)]
struct Service<'a> {
    #[from("Id")]
    id: Option<Text<'a>>,
    #[from("Name")]
    name: Option<Text<'a>>,
    #[from("IntegrationId")]
    integration_id: Option<Text<'a>>,
    extra: Extra<'a>,
}
