use talon_sdk::entity::{Flag, Instant, Int, Record, Required};
use talon_sdk::record::{Extra, Text};

use super::values::{Reference, Stages};

/// An operation, of which services are made. Upstream: Operation.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct Operation<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("description")]
    description: Option<Text<'a>>,
    #[from("disabled")]
    disabled: Option<Flag>,
    /// How long it should take. Upstream: regulated_sec.
    #[from("regulated_sec")]
    regulated_seconds: Option<Int>,
    /// From when it takes too long. Upstream: danger_sec.
    #[from("danger_sec")]
    danger_seconds: Option<Int>,
    extra: Extra<'a>,
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[from("last_update")]
    #[record(volatile)]
    pub(crate) updated_at: Option<Instant<'a>>,
}

/// A service. Upstream: Service.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct Service<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("alias")]
    alias: Option<Text<'a>>,
    #[from("description")]
    description: Option<Text<'a>>,
    #[from("disabled")]
    disabled: Option<Flag>,
    /// 50 is usual.
    #[from("priority")]
    priority: Option<Int>,
    #[from("ticket_range_id")]
    ticket_range_id: Option<Reference>,
    #[from("registrable")]
    registrable: Option<Flag>,
    #[from("dynamic")]
    dynamic: Option<Flag>,
    /// In their order. Upstream: operations.
    #[from("operations")]
    stages: Stages<'a>,
    #[from("pin_code")]
    #[record(pii)]
    pin_code: Option<Text<'a>>,
    extra: Extra<'a>,
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[from("last_update")]
    #[record(volatile)]
    pub(crate) updated_at: Option<Instant<'a>>,
}

/// A range of ticket numbers; the upstream document does not describe it. Upstream: TicketRange.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct TicketRange<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("prefix")]
    prefix: Option<Text<'a>>,
    /// Upstream: ticketMin.
    #[from("ticketMin")]
    number_min: Option<Int>,
    /// Upstream: ticketMax.
    #[from("ticketMax")]
    number_max: Option<Int>,
    /// Upstream: ticketNumberMinWidth.
    #[from("ticketNumberMinWidth")]
    number_width_min: Option<Int>,
    /// Upstream: ticketNumberMaxWidth.
    #[from("ticketNumberMaxWidth")]
    number_width_max: Option<Int>,
    /// When numbers begin anew. Upstream: clearNumberEvery.
    #[from("clearNumberEvery")]
    restarts_every: Option<Text<'a>>,
    /// Whether numbers begin anew at the end of the range. Upstream: cycledCounter.
    #[from("cycledCounter")]
    cyclic: Option<Flag>,
    extra: Extra<'a>,
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[from("last_update")]
    #[record(volatile)]
    pub(crate) updated_at: Option<Instant<'a>>,
}

/// A workplace, and whom it serves. Upstream: Workplace.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct Workplace<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("alias")]
    alias: Option<Text<'a>>,
    #[from("description")]
    description: Option<Text<'a>>,
    #[from("disabled")]
    disabled: Option<Flag>,
    /// The document does not name the states.
    #[from("state_id")]
    state_id: Option<Int>,
    #[from("clerk_id")]
    clerk_id: Option<Reference>,
    /// The visitor who is there; null: nobody (upstream −1).
    #[from("consumer_id")]
    consumer_id: Option<Reference>,
    /// Upstream: department.
    #[from("department")]
    department_id: Option<Reference>,
    #[from("all_operations")]
    all_operations: Option<Flag>,
    /// By id. Upstream: operations.
    #[from("operations")]
    operation_ids: Vec<Int>,
    /// By id. Upstream: currentOperations.
    #[from("currentOperations")]
    current_operation_ids: Vec<Int>,
    #[from("service_priority_enabled")]
    service_priority_enabled: Option<Flag>,
    #[from("audio_notification_enabled")]
    audio_notification_enabled: Option<Flag>,
    #[from("auto_call")]
    auto_call: Option<Flag>,
    /// The document names no unit.
    #[from("auto_call_timeout")]
    auto_call_timeout: Option<Int>,
    #[from("auto_serve")]
    auto_serve: Option<Flag>,
    /// The document names no unit.
    #[from("auto_serve_timeout")]
    auto_serve_timeout: Option<Int>,
    extra: Extra<'a>,
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[from("last_update")]
    #[record(volatile)]
    pub(crate) updated_at: Option<Instant<'a>>,
}

macro_rules! devices {
    ($($(#[$about:meta])* $name:ident $(#[$priority:meta])*;)*) => {$(
        $(#[$about])*
        #[derive(Record)]
        #[record(namespace = "talon.quickq")]
        pub(crate) struct $name<'a> {
            /// Key.
            #[from("id")]
            pub(crate) id: Required<Int>,
            #[from("name")]
            name: Option<Text<'a>>,
            #[from("alias")]
            alias: Option<Text<'a>>,
            #[from("description")]
            description: Option<Text<'a>>,
            #[from("disabled")]
            disabled: Option<Flag>,
            $(#[$priority])*
            #[from("priority")]
            priority: Option<Int>,
            extra: Extra<'a>,
            /// Changes with every touch, so that it alone is no change. Upstream: last_update.
            #[from("last_update")]
            #[record(volatile)]
            pub(crate) updated_at: Option<Instant<'a>>,
        }
    )*};
}

devices! {
    /// An LCD board; the upstream document does not describe it. Upstream: QBoard.
    QBoard;
    /// An LED board; the upstream document does not describe it. Upstream: ScoreBoard.
    ScoreBoard;
    /// A terminal that gives out tickets; the upstream document does not describe it. Upstream: Registrator.
    Registrator
    /// What a ticket's priority is changed by.
    ;
}
