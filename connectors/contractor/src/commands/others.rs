//! What can be sent again and again, or not be read back: notifications, settings, users.

use serde::Deserialize;
use serde_json::json;
use talon_sdk::ApplyFault;

use super::action::{Action, unseen};
use super::answer::Field;
use super::scene::{Order, Scene, Who};

#[derive(Deserialize)]
pub(super) struct ReadNotification {
    notification_id: i64,
}

impl Action for ReadNotification {
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Itself("id")];
    unseen!("notifications cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new("POST /notification/{id}/read", &[self.notification_id]))
    }
}

#[derive(Deserialize)]
pub(super) struct ReadAllNotifications {}

impl Action for ReadAllNotifications {
    const WHO: Who = Who::User;
    const ANSWER: &'static [Field] = &[Field::Itself("count")];
    unseen!("notifications cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new("POST /notification/readAll", &[]))
    }
}

#[derive(Deserialize)]
pub(super) struct SetCostDeadlineDay {
    day: i64,
}

impl Action for SetCostDeadlineDay {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Itself("day")];
    unseen!("settings cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "callCostDeadlineDayOfMonth": self.day });
        Ok(Order::new("PATCH /systemSettings", &[]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct RegisterUser {
    user_name: String,
    password: String,
}

impl Action for RegisterUser {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[Field::Id("id")];
    unseen!(
        "users cannot be listed, and that a name exists does not say whose registration made it"
    );

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "userName": self.user_name, "password": self.password });
        Ok(Order::new("POST /user/register", &[]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct ChangePassword {
    user_id: i64,
    password: String,
}

impl Action for ChangePassword {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[];
    unseen!("passwords cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        let body = json!({ "newPassword": self.password });
        Ok(Order::new("POST /user/{id}/changePassword", &[self.user_id]).json(&body))
    }
}

#[derive(Deserialize)]
pub(super) struct LockUser {
    user_id: i64,
}

impl Action for LockUser {
    const WHO: Who = Who::External;
    const ANSWER: &'static [Field] = &[];
    unseen!("whether a user is locked cannot be read");

    async fn order(&self, _: &Scene<'_>) -> Result<Order, ApplyFault> {
        Ok(Order::new("POST /user/{id}/lock", &[self.user_id]))
    }
}
