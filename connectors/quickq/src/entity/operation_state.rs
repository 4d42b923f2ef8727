//! The row is made by `feeds/operation_state.rs`: a state with what surrounds it.

use talon_sdk::entity::{How, Instant, Int, Record, Required, Word};
use talon_sdk::record::{Extra, Text};

use super::states::{LAST_STATES, State};
use super::values::Reference;

/// A state of one operation of one visitor that is over: who served what, when, and how long. Told once; again only where the upstream edits the state itself. What surrounds it is as it was when it was told. Upstream: statistics.
#[derive(Record)]
#[record(namespace = "talon.quickq", finish = OperationState::take_levels)]
pub(crate) struct OperationState<'a> {
    #[from("key")]
    #[record(hidden)]
    key: Option<Text<'a>>,
    /// The state that follows; it is a row of its own.
    #[from("next")]
    #[record(hidden)]
    next: Option<Next<'a>>,
    #[from("state")]
    #[record(hidden)]
    now: Option<OneOfStates<'a>>,
    #[from("operation")]
    #[record(hidden)]
    operation: Option<OneOfOperations<'a>>,
    #[from("stage")]
    #[record(hidden)]
    of_stage: Option<OneOfStages<'a>>,
    #[from("service")]
    #[record(hidden)]
    service: Option<OneOfServices<'a>>,
    #[from("visit")]
    #[record(hidden)]
    visit: Option<Visit<'a>>,
    /// Whether no level is missing.
    #[record(made, hidden)]
    pub(crate) is_whole: bool,
    /// Key.
    #[record(made)]
    pub(crate) consumer_id: i64,
    /// Key.
    #[record(made)]
    pub(crate) service_id: i64,
    /// Key. Upstream: priority of the stage.
    #[record(made)]
    pub(crate) stage: i64,
    /// Key.
    #[record(made)]
    pub(crate) operation_id: i64,
    /// Key: place among the states of the operation, from 0.
    #[from("index")]
    pub(crate) index: Required<Int>,
    #[record(made)]
    state: Option<Word<'a, State>>,
    /// Upstream: time_in.
    #[record(made)]
    pub(crate) entered_at: Option<Instant<'a>>,
    /// When the next state began; of one that no other followed, when the visitor was done. Null after SERVED and REJECTED, which are the end, and where a state left the statistics before it was over.
    #[record(made)]
    left_at: Option<Instant<'a>>,
    #[record(made)]
    user_id: Option<Reference>,
    /// null: none (upstream −1).
    #[record(made)]
    workplace_id: Option<Reference>,
    #[record(made, pii)]
    comment: Option<Text<'a>>,
    #[record(made, volatile)]
    ticket: Option<Text<'a>>,
    /// Arrival of the visitor.
    #[record(made, volatile)]
    registered_at: Option<Instant<'a>>,
    /// When the visitor was done; null where the state was told before.
    #[record(made, volatile)]
    done_at: Option<Instant<'a>>,
    #[record(made, volatile)]
    service_priority: Option<Int>,
    #[record(made, volatile)]
    service_registered_at: Option<Instant<'a>>,
    #[record(made, volatile)]
    stage_registered_at: Option<Instant<'a>>,
    #[record(made, volatile)]
    operation_registered_at: Option<Instant<'a>>,
    /// How long the operation should take. Upstream: regulated_sec.
    #[record(made, volatile)]
    regulated_seconds: Option<Int>,
    /// From when it takes too long. Upstream: danger_sec.
    #[record(made, volatile)]
    danger_seconds: Option<Int>,
    #[record(volatile)]
    extra: Extra<'a>,
    /// As it is called when this is read.
    #[record(made, volatile)]
    service_name: Option<Text<'a>>,
    /// As it is called when this is read.
    #[record(made, volatile)]
    operation_name: Option<Text<'a>>,
}

impl OperationState<'_> {
    fn take_levels(&mut self, _: &How<'_>) {
        let (Some(now), Some(operation), Some(stage), Some(service), Some(visit)) = (
            self.now.take(),
            self.operation.take(),
            self.of_stage.take(),
            self.service.take(),
            self.visit.take(),
        ) else {
            return;
        };
        let next = self.next.take().and_then(|next| next.time_in);
        let is_last = now.state.as_ref().is_some_and(|state| LAST_STATES.contains(&state.text()));
        self.is_whole = true;
        self.consumer_id = visit.consumer_id.0.0;
        self.service_id = service.service_id.0.0;
        self.stage = stage.priority.0.0;
        self.operation_id = operation.operation_id.0.0;
        self.state = now.state;
        self.entered_at = now.time_in;
        self.left_at = next.or_else(|| visit.done.clone().filter(|_| !is_last));
        self.user_id = now.user_id;
        self.workplace_id = now.workplace_id;
        self.comment = now.comment;
        self.ticket = visit.ticket;
        self.registered_at = visit.registration;
        self.done_at = visit.done;
        self.service_priority = service.priority;
        self.service_registered_at = service.registration;
        self.stage_registered_at = stage.registration;
        self.operation_registered_at = operation.registration;
        self.regulated_seconds = operation.regulated_sec;
        self.danger_seconds = operation.danger_sec;
        self.service_name = service.name;
        self.operation_name = operation.name;
        self.extra = now.extra;
        self.extra.take("operation", operation.extra);
        self.extra.take("stage", stage.extra);
        self.extra.take("service", service.extra);
        self.extra.take("visit", visit.extra);
    }
}

#[derive(Record)]
struct Next<'a> {
    #[from("time_in")]
    time_in: Option<Instant<'a>>,
    extra: Extra<'a>,
}

/// One of `states`.
#[derive(Record)]
struct OneOfStates<'a> {
    #[from("state")]
    state: Option<Word<'a, State>>,
    #[from("time_in")]
    time_in: Option<Instant<'a>>,
    #[from("comment")]
    #[record(pii)]
    comment: Option<Text<'a>>,
    #[from("user_id")]
    user_id: Option<Reference>,
    #[from("workplace_id")]
    workplace_id: Option<Reference>,
    extra: Extra<'a>,
}

/// One of `operations`.
#[derive(Record)]
struct OneOfOperations<'a> {
    #[from("operation_id")]
    operation_id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("regulated_sec")]
    regulated_sec: Option<Int>,
    #[from("danger_sec")]
    danger_sec: Option<Int>,
    #[from("registration")]
    registration: Option<Instant<'a>>,
    extra: Extra<'a>,
}

/// One of `stages`.
#[derive(Record)]
struct OneOfStages<'a> {
    #[from("priority")]
    priority: Required<Int>,
    #[from("registration")]
    registration: Option<Instant<'a>>,
    extra: Extra<'a>,
}

/// One of `services`.
#[derive(Record)]
struct OneOfServices<'a> {
    #[from("service_id")]
    service_id: Required<Int>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("priority")]
    priority: Option<Int>,
    #[from("registration")]
    registration: Option<Instant<'a>>,
    extra: Extra<'a>,
}

/// An element of `statistics`.
#[derive(Record)]
struct Visit<'a> {
    #[from("consumer_id")]
    consumer_id: Required<Int>,
    #[from("ticket")]
    ticket: Option<Text<'a>>,
    #[from("registration")]
    registration: Option<Instant<'a>>,
    #[from("done")]
    done: Option<Instant<'a>>,
    extra: Extra<'a>,
}
