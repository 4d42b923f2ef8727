use std::collections::BTreeMap;

use serde::Deserialize;

use super::body::Input;
use crate::contractor::model::{ItemStatus, OwnerType};

/// `PatchCallCostApprovalStatusInputDTO`: maps keyed by ids as strings.
#[derive(Debug, Deserialize)]
pub(in crate::contractor) struct Approval {
    pub(in crate::contractor) expenses: Option<BTreeMap<i64, ItemStatus>>,
    pub(in crate::contractor) materials: Option<BTreeMap<i64, ItemStatus>>,
}

impl Input for Approval {
    fn is_valid(&self) -> bool {
        true
    }
}

/// `PostExpenseInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct NewExpense {
    pub(in crate::contractor) count: f64,
    pub(in crate::contractor) expenditure_item_id: i64,
}

impl Input for NewExpense {
    fn is_valid(&self) -> bool {
        self.count >= 0.0
    }
}

/// `PatchExpenseInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct PatchExpense {
    pub(in crate::contractor) count: Option<f64>,
    pub(in crate::contractor) expenditure_item_id: Option<i64>,
}

impl Input for PatchExpense {
    fn is_valid(&self) -> bool {
        self.count.is_none_or(|count| count >= 0.0)
    }
}

/// `PostMaterialInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct NewMaterial {
    pub(in crate::contractor) count: f64,
    pub(in crate::contractor) name: String,
    pub(in crate::contractor) owner_type: OwnerType,
    pub(in crate::contractor) price: f64,
    pub(in crate::contractor) serial_number: String,
}

impl Input for NewMaterial {
    fn is_valid(&self) -> bool {
        self.count >= 0.0 && self.price >= 0.0 && !self.name.is_empty()
    }
}

/// `PatchMaterialInputDTO`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::contractor) struct PatchMaterial {
    pub(in crate::contractor) count: Option<f64>,
    pub(in crate::contractor) name: Option<String>,
    pub(in crate::contractor) owner_type: Option<OwnerType>,
    pub(in crate::contractor) price: Option<f64>,
    pub(in crate::contractor) serial_number: Option<String>,
}

impl Input for PatchMaterial {
    fn is_valid(&self) -> bool {
        self.count.is_none_or(|count| count >= 0.0) && self.price.is_none_or(|price| price >= 0.0)
    }
}
