//! What lines of a cost estimate are: expenses and materials.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use talon_sdk::{CommandSpec, Repeat};

use super::estimate::{Estimate, ExpenseRow, MaterialRow};
use super::keys::{CALL, COST_STATUS};

/// A kind of line.
pub(super) trait Line: Send + Sync + 'static {
    /// What may be given of it.
    type Given: DeserializeOwned + Send + Sync;
    const ADD: &'static CommandSpec;
    const PATCH: &'static CommandSpec;
    const DELETE: &'static CommandSpec;
    /// How many fields a line has: a new one needs all.
    const FIELDS: usize;
    /// Under the upstream's names, without what is not given.
    fn given(given: &Self::Given) -> Map<String, Json>;
    /// The lines of an estimate: id and content under the upstream's names.
    fn all(estimate: &Estimate) -> Vec<(i64, Map<String, Json>)>;
    /// Fields that a person would take for the identity of a line.
    const NAMED_BY: &'static [&'static str];
}

pub(super) struct Expense;

#[derive(Deserialize)]
pub(super) struct GivenExpense {
    expenditure_item_id: Option<i64>,
    count: Option<f64>,
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Line for Expense {
    type Given = GivenExpense;
    const ADD: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "POST /callCost/call/{callId}/expense",
        probe: "a new line of the estimate with the same content",
        ..CommandSpec::of("AddExpense", CALL, Repeat::Never)
    };
    const PATCH: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "PATCH /callCost/call/{callId}/expense/{expenseId}",
        probe: "the line, before and after",
        ..CommandSpec::of("PatchExpense", CALL, Repeat::Converges)
    };
    const DELETE: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "DELETE /callCost/call/{callId}/expense/{expenseId}",
        probe: "whether the line is there",
        ..CommandSpec::of("DeleteExpense", CALL, Repeat::Converges)
    };
    const FIELDS: usize = 2;
    const NAMED_BY: &'static [&'static str] = &["expenditureItemId"];

    fn given(given: &GivenExpense) -> Map<String, Json> {
        fields([
            ("expenditureItemId", json!(given.expenditure_item_id)),
            ("count", json!(given.count)),
        ])
    }

    fn all(estimate: &Estimate) -> Vec<(i64, Map<String, Json>)> {
        let content = |row: &ExpenseRow| {
            fields([
                ("expenditureItemId", json!(row.expenditure_item_id)),
                ("count", json!(row.count)),
            ])
        };
        estimate.expenses.iter().map(|row| (row.id, content(row))).collect()
    }
}

pub(super) struct Material;

#[derive(Deserialize)]
pub(super) struct GivenMaterial {
    name: Option<String>,
    serial_number: Option<String>,
    owner_type: Option<String>,
    count: Option<f64>,
    price: Option<f64>,
}

impl Line for Material {
    type Given = GivenMaterial;
    const ADD: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "POST /callCost/call/{callId}/material",
        probe: "a new line of the estimate with the same content",
        ..CommandSpec::of("AddMaterial", CALL, Repeat::Never)
    };
    const PATCH: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "PATCH /callCost/call/{callId}/material/{materialId}",
        probe: "the line, before and after",
        ..CommandSpec::of("PatchMaterial", CALL, Repeat::Converges)
    };
    const DELETE: &'static CommandSpec = &CommandSpec {
        expect: COST_STATUS,
        call: "DELETE /callCost/call/{callId}/material/{materialId}",
        probe: "whether the line is there",
        ..CommandSpec::of("DeleteMaterial", CALL, Repeat::Converges)
    };
    const FIELDS: usize = 5;
    const NAMED_BY: &'static [&'static str] = &["name", "serialNumber"];

    fn given(given: &GivenMaterial) -> Map<String, Json> {
        fields([
            ("name", json!(given.name)),
            ("serialNumber", json!(given.serial_number)),
            ("ownerType", json!(given.owner_type)),
            ("count", json!(given.count)),
            ("price", json!(given.price)),
        ])
    }

    fn all(estimate: &Estimate) -> Vec<(i64, Map<String, Json>)> {
        let content = |row: &MaterialRow| {
            fields([
                ("name", json!(row.name)),
                ("serialNumber", json!(row.serial_number)),
                ("ownerType", json!(row.owner_type)),
                ("count", json!(row.count)),
                ("price", json!(row.price)),
            ])
        };
        estimate.materials.iter().map(|row| (row.id, content(row))).collect()
    }
}

/// Whether a line has what was given of these fields.
pub(super) fn has(
    line: &Map<String, Json>,
    given: &Map<String, Json>,
    of: impl Fn(&str) -> bool,
) -> bool {
    given.iter().filter(|(name, _)| of(name)).all(|(name, wanted)| {
        match (line.get(name), wanted) {
            (Some(Json::String(found)), Json::String(wanted)) => found.trim() == wanted.trim(),
            (Some(Json::Number(found)), Json::Number(wanted)) => {
                // Money and counts come back as decimals of the upstream.
                let (found, wanted) = (found.as_f64(), wanted.as_f64());
                found.zip(wanted).is_some_and(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(1.0))
            }
            (None, Json::String(wanted)) => wanted.trim().is_empty(),
            (found, wanted) => found == Some(wanted),
        }
    })
}
