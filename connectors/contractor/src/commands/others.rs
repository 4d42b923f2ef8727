//! What can be sent again and again, or not be read back: notifications, settings, users.

use serde::Deserialize;
use serde_json::json;
use talon_http::order::{Field, Order};
use talon_sdk::{ApplyFault, CommandSpec, OrderingKey, Repeat};

use super::action::{Action, unseen};
use super::keys::USER;
use super::scene::{Scene, Who};

#[derive(Deserialize)]
pub(super) struct ReadNotification {
    notification_id: i64,
}

impl Action for ReadNotification {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /notification/{id}/read",
        probe: "not needed",
        ..CommandSpec::of("ReadNotification", OrderingKey::Fixed("notifications"), Repeat::Always)
    };
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Itself("id")];
    unseen!("notifications cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.notification_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct ReadAllNotifications {}

impl Action for ReadAllNotifications {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /notification/readAll",
        probe: "not needed",
        ..CommandSpec::of(
            "ReadAllNotifications",
            OrderingKey::Fixed("notifications"),
            Repeat::Always,
        )
    };
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Itself("count")];
    unseen!("notifications cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::plain(Self::SPEC.call))
    }
}

#[derive(Deserialize)]
pub(super) struct SetCostDeadlineDay {
    day: i64,
}

impl Action for SetCostDeadlineDay {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "PATCH /systemSettings",
        probe: "not needed",
        ..CommandSpec::of("SetCostDeadlineDay", OrderingKey::Fixed("settings"), Repeat::Always)
    };
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Itself("day")];
    unseen!("settings cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "callCostDeadlineDayOfMonth": self.day });
        Ok(Order::plain(Self::SPEC.call).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct RegisterUser {
    user_name: String,
    password: String,
}

impl Action for RegisterUser {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /user/register",
        probe: "impossible: users cannot be listed",
        is_dangerous: true,
        ..CommandSpec::of("RegisterUser", OrderingKey::Own, Repeat::Never)
    };
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Id("id")];
    unseen!(
        "users cannot be listed, and that a name exists does not say whose registration made it"
    );

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "userName": self.user_name, "password": self.password });
        Ok(Order::plain(Self::SPEC.call).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct ChangePassword {
    user_id: i64,
    password: String,
}

impl Action for ChangePassword {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /user/{id}/changePassword",
        probe: "not needed",
        is_dangerous: true,
        ..CommandSpec::of("ChangePassword", USER, Repeat::Always)
    };
    const WHO: Who = Who::External;
    unseen!("passwords cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "newPassword": self.password });
        Ok(Order::new(Self::SPEC.call, &[self.user_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct LockUser {
    user_id: i64,
}

impl Action for LockUser {
    const SPEC: &'static CommandSpec = &CommandSpec {
        call: "POST /user/{id}/lock",
        probe: "not needed",
        is_dangerous: true,
        ..CommandSpec::of("LockUser", USER, Repeat::Always)
    };
    const WHO: Who = Who::External;
    unseen!("whether a user is locked cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new(Self::SPEC.call, &[self.user_id]))
    }
}
