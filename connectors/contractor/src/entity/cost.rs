use talon_sdk::entity::{How, Record, Word};
use talon_sdk::record::{Extra, Text};

use super::words::{CostStatus, ItemStatus, MaterialOwner};

/// The cost estimate of a call. Upstream: CallCostDTO.
#[derive(Record)]
#[record(namespace = "talon.contractor", finish = CallCost::take_cost)]
pub(crate) struct CallCost<'a> {
    /// Key.
    #[from("callId")]
    pub(crate) call_id: i64,
    /// The estimate itself: the upstream does not repeat in it whose it is; see `feeds/call_cost.rs`.
    #[from("cost")]
    #[record(hidden)]
    cost: Option<Cost<'a>>,
    #[record(made)]
    status: Option<Word<'a, CostStatus>>,
    /// In the order of their ids.
    #[record(made)]
    expenses: Vec<Expense<'a>>,
    /// In the order of their ids.
    #[record(made)]
    materials: Vec<Material<'a>>,
    extra: Extra<'a>,
    #[record(made, hidden)]
    pub(crate) is_estimate: bool,
}

impl CallCost<'_> {
    fn take_cost(&mut self, _: &How<'_>) {
        if let Some(cost) = self.cost.take() {
            (self.status, self.expenses, self.materials) =
                (cost.status, cost.expenses, cost.materials);
            self.extra.take_beside("cost", cost.extra);
            self.is_estimate = true;
        }
    }
}

/// CallCostDTO.
#[derive(Record)]
struct Cost<'a> {
    #[from("status")]
    status: Option<Word<'a, CostStatus>>,
    #[from("expenses")]
    expenses: Vec<Expense<'a>>,
    #[from("materials")]
    materials: Vec<Material<'a>>,
    extra: Extra<'a>,
}

/// Upstream: ExpenseDTO.
#[derive(Record)]
#[record(order(id))]
struct Expense<'a> {
    #[from("id")]
    id: Option<i64>,
    #[from("expenditureItemId")]
    expenditure_item_id: Option<i64>,
    #[from("count")]
    count: Option<f64>,
    #[from("status")]
    status: Option<Word<'a, ItemStatus>>,
    extra: Extra<'a>,
}

/// Spare part used. Upstream: MaterialDTO.
#[derive(Record)]
#[record(order(id))]
struct Material<'a> {
    #[from("id")]
    id: Option<i64>,
    #[from("name")]
    name: Option<Text<'a>>,
    #[from("serialNumber")]
    serial_number: Option<Text<'a>>,
    #[from("ownerType")]
    owner_type: Option<Word<'a, MaterialOwner>>,
    #[from("count")]
    count: Option<f64>,
    /// Currency is not stated by the upstream.
    #[from("price")]
    price: Option<f64>,
    #[from("status")]
    status: Option<Word<'a, ItemStatus>>,
    extra: Extra<'a>,
}
