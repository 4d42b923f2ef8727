//! What is done for a visitor.

use serde_json::Value as Json;
use talon_sdk::entity::{Described, Description, Field, How, Item, Place, Record, Word};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Text};

use super::states::State;
use super::values::{ByText, Reference, Texts};

/// What is done for a visitor.
#[derive(Record)]
#[record(order(service_id, stage, operation_id))]
pub(super) struct ConsumerOperation<'a> {
    #[record(made)]
    service_id: i64,
    /// Orders the stages of a service.
    #[record(made)]
    stage: i64,
    #[record(made)]
    operation_id: i64,
    #[from("state")]
    state: Option<Word<'a, State>>,
    /// Who serves, or did.
    #[from("user_id")]
    user_id: Option<Reference>,
    /// Upstream: comment.
    #[from("comment")]
    #[record(pii)]
    comments: Texts<'a>,
    extra: Extra<'a>,
}

impl<'a> ConsumerOperation<'a> {
    /// Keeps what is done under an id that is no number: its state under that name, and the rest under
    /// names inside it.
    fn keep(mut self, name: String, place: &Place<'_>, extra: &mut Extra<'a>) {
        let state = self.state.as_ref().map_or("", |state| state.text());
        let state = Json::from(state).to_string();
        Item::settle(&mut self, &Place { policy: Policy::Keep, ..*place }, extra);
        if let Some(user) = self.user_id {
            extra.keep(format!("{name}.user_id"), user.to_string());
        }
        if !self.comments.is_empty() {
            extra.keep(format!("{name}.comment"), self.comments.to_json());
        }
        extra.take(&name, self.extra);
        extra.keep(name, state);
    }
}

/// What is done for a visitor: `{"<service>": {"<stage>": {"<operation>": …}}}`.
pub(super) struct Services<'a> {
    by_text: ByText<'a, ByText<'a, ByText<'a, ConsumerOperation<'a>>>>,
    operations: Vec<ConsumerOperation<'a>>,
}

impl<'a> Field<'a> for Services<'a> {
    type Wire = Option<ByText<'a, ByText<'a, ByText<'a, ConsumerOperation<'a>>>>>;

    fn read(wire: Option<Self::Wire>) -> Option<Services<'a>> {
        Some(Services { by_text: wire.flatten().unwrap_or_default(), operations: Vec::new() })
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        for (Text(service), stages) in std::mem::take(&mut self.by_text) {
            for (Text(stage), operations) in stages {
                for (Text(id), mut operation) in operations {
                    let (Ok(service_id), Ok(stage_id), Ok(operation_id)) =
                        (service.parse(), stage.parse(), id.parse())
                    else {
                        let name = format!("{}.{service}.{stage}.{id}", place.from);
                        operation.keep(name, place, extra);
                        continue;
                    };
                    operation.service_id = service_id;
                    operation.stage = stage_id;
                    operation.operation_id = operation_id;
                    self.operations.push(operation);
                }
            }
        }
        self.operations.settle(place, extra);
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        <Vec<ConsumerOperation<'_>> as Field<'_>>::describe(of, record);
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.operations.write(out);
    }

    fn strictest(how: &How<'_>) -> Policy {
        <Vec<ConsumerOperation<'_>> as Field<'_>>::strictest(how)
    }
}
