//! The entities, each declared once: the data types of `contractor-personal-area.txt`, section
//! Definitions, and what becomes of them on a topic.

mod call;
mod cost;
mod message;
pub(crate) mod words;

pub(crate) use call::{Call, Jeopardy, Task};
pub(crate) use cost::CallCost;
pub(crate) use message::Message;

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;
    use talon_sdk::entity::{Item, schema_of};

    use super::*;

    fn is_as_checked_in<'a, T: Item<'a>>(text: &str) {
        let checked_in: Json = serde_json::from_str(text).unwrap();
        let declared = schema_of::<T>();
        assert_eq!(declared, checked_in, "\n{declared:#}\n");
    }

    #[test]
    fn schemas_are_what_is_declared() {
        is_as_checked_in::<Call<'_>>(include_str!("../../../../schemas/contractor/call.avsc"));
        is_as_checked_in::<Message<'_>>(include_str!(
            "../../../../schemas/contractor/call_message.avsc"
        ));
        is_as_checked_in::<Jeopardy<'_>>(include_str!(
            "../../../../schemas/contractor/call_jeopardy.avsc"
        ));
        is_as_checked_in::<Task<'_>>(include_str!("../../../../schemas/contractor/call_task.avsc"));
        is_as_checked_in::<CallCost<'_>>(include_str!(
            "../../../../schemas/contractor/call_cost.avsc"
        ));
    }
}
