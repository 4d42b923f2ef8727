//! The cost estimate of a call, as the upstream sends it.

use serde::Deserialize;
use talon_http::order::Order;
use talon_sdk::action::Unseen;

use super::scene::{Scene, Who};

use crate::entity::words;

/// CallCostDTO.
#[derive(Deserialize)]
pub(super) struct Estimate {
    status: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) expenses: Vec<ExpenseRow>,
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(super) materials: Vec<MaterialRow>,
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Estimate {
    pub(super) fn known_status(&self) -> Option<&'static str> {
        words::COST_STATUS.iter().find(|word| self.status.as_deref() == Some(**word)).copied()
    }
}

/// The estimate of a call; `None` where it has none.
pub(super) async fn estimate(scene: &Scene<'_>, call_id: i64) -> Result<Option<Estimate>, Unseen> {
    scene.read(Who::External, Order::new("GET /callCost/call/{callId}", &[call_id])).await
}

/// ExpenseDTO.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExpenseRow {
    pub(super) id: i64,
    pub(super) status: Option<String>,
    pub(super) expenditure_item_id: Option<i64>,
    pub(super) count: Option<f64>,
}

/// MaterialDTO.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MaterialRow {
    pub(super) id: i64,
    pub(super) status: Option<String>,
    pub(super) name: Option<String>,
    pub(super) serial_number: Option<String>,
    pub(super) owner_type: Option<String>,
    pub(super) count: Option<f64>,
    pub(super) price: Option<f64>,
}
