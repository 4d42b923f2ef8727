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
    use talon_sdk::entity::assert_checked_in;

    use super::*;

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Call<'_>>(include_str!("../../../../schemas/contractor/call.avsc"));
        assert_checked_in::<Message<'_>>(include_str!(
            "../../../../schemas/contractor/call_message.avsc"
        ));
        assert_checked_in::<Jeopardy<'_>>(include_str!(
            "../../../../schemas/contractor/call_jeopardy.avsc"
        ));
        assert_checked_in::<Task<'_>>(include_str!(
            "../../../../schemas/contractor/call_task.avsc"
        ));
        assert_checked_in::<CallCost<'_>>(include_str!(
            "../../../../schemas/contractor/call_cost.avsc"
        ));
    }
}
