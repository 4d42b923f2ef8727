//! A service in a ticket that is shown at a place: on a board, in a queue.

use std::borrow::Cow;

use talon_sdk::entity::Record;
use talon_sdk::record::Extra;

use super::ticket::Service;

/// A service in a ticket, as a board or the queue of a workplace shows it. Key: client_id/id.
#[derive(Record)]
#[record(name = "Line", namespace = "talon.enter_rest")]
pub(crate) struct Line<'a> {
    /// First part of the key: the board or the workplace.
    #[record(made)]
    pub(crate) client_id: Cow<'a, str>,
    /// Second part of the key: the service in the ticket.
    #[record(made)]
    pub(crate) id: Cow<'a, str>,
    #[record(made)]
    pub(crate) service: Option<Service<'a>>,
    /// What the line says that is not known of a service, as JSON text under its upstream name.
    extra: Extra<'a>,
}

impl<'a> Line<'a> {
    /// A service with an identifier, at a place.
    pub(crate) fn at(client_id: &'a str, id: &str, mut service: Service<'a>) -> Line<'a> {
        let extra = std::mem::take(&mut service.extra);
        let (client_id, id) = (Cow::Borrowed(client_id), Cow::Owned(id.to_owned()));
        Line { client_id, id, service: Some(service), extra }
    }
}
