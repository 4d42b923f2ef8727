//! What commands are ordered by, and what can be expected of what they are about.

use talon_sdk::OrderingKey;

pub(super) const CALL: OrderingKey = OrderingKey::Params(&["call_id"]);
pub(super) const TASK: OrderingKey = OrderingKey::Params(&["task_id"]);
pub(super) const USER: OrderingKey = OrderingKey::Params(&["user_id"]);

pub(super) const STATUS: &[&str] = &["status"];
pub(super) const COST_STATUS: &[&str] = &["cost_status"];
