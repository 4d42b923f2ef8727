//! The entities, each declared once: the items of `quickq-websocket.txt`, with the fields of newer
//! builds, and what becomes of them on a topic.
//!
//! Numbers come as strings here and there, switches as 0/1 or true/false, none as −1.

mod books;
mod info;
mod operation_state;
mod services;
mod states;
mod users;
mod values;
mod visitors;

pub(crate) use books::{
    Operation, QBoard, Registrator, ScoreBoard, Service, TicketRange, Workplace,
};
pub(crate) use info::ServerInfo;
pub(crate) use operation_state::OperationState;
pub(crate) use states::LAST_STATES;
pub(crate) use users::{User, UserRole};
pub(crate) use visitors::{Consumer, ConsumerPreRegistered, QueuedConsumer};

#[cfg(test)]
mod tests {
    use talon_sdk::entity::assert_checked_in;

    use super::*;

    macro_rules! checked_in {
        ($name:literal) => {
            include_str!(concat!("../../../../schemas/quickq/", $name, ".avsc"))
        };
    }

    #[test]
    fn schemas_are_what_is_declared() {
        assert_checked_in::<Operation<'_>>(checked_in!("operation"));
        assert_checked_in::<Service<'_>>(checked_in!("service"));
        assert_checked_in::<TicketRange<'_>>(checked_in!("ticket_range"));
        assert_checked_in::<Workplace<'_>>(checked_in!("workplace"));
        assert_checked_in::<UserRole<'_>>(checked_in!("user_role"));
        assert_checked_in::<User<'_>>(checked_in!("user"));
        assert_checked_in::<QBoard<'_>>(checked_in!("qboard"));
        assert_checked_in::<ScoreBoard<'_>>(checked_in!("scoreboard"));
        assert_checked_in::<Registrator<'_>>(checked_in!("registrator"));
        assert_checked_in::<Consumer<'_>>(checked_in!("consumer"));
        assert_checked_in::<ConsumerPreRegistered<'_>>(checked_in!("consumer_preregistered"));
        assert_checked_in::<QueuedConsumer<'_>>(checked_in!("queue"));
        assert_checked_in::<OperationState<'_>>(checked_in!("operation_state"));
        assert_checked_in::<ServerInfo<'_>>(checked_in!("server_info"));
    }
}
