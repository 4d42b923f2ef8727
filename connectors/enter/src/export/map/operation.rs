//! The operations on a ticket.

use std::borrow::Cow;

use talon_sdk::record::Text;
use talon_sdk::{RowFault, instant};

use super::mapper::Mapper;
use super::parts::{named, place, plain, stamped};
use crate::export::entity::Operation;
use crate::export::model::{OperationDto, PRODUCT_STATES, ProductDto};
use crate::export::zone::Zone;

/// Whose operations they are.
pub(super) struct Of<'a> {
    pub(super) branch: &'a str,
    pub(super) ticket: &'a str,
    pub(super) number: Option<Text<'a>>,
    pub(super) zone: &'a Zone,
}

/// The operations on a product in the order of time, with it.
pub(super) fn by_time<'a>(
    history: Vec<OperationDto<'a>>,
    zone: &Zone,
) -> Vec<(Option<i64>, OperationDto<'a>)> {
    let with_time = history.into_iter().map(|operation| {
        let time = operation.operation_time.as_ref();
        (time.and_then(|text| instant::micros(&text.0, &zone.zone)), operation)
    });
    let mut history: Vec<_> = with_time.collect();
    let id = |operation: &OperationDto<'a>| -> Cow<'a, str> {
        operation.id.as_ref().map(|id| id.0.clone()).unwrap_or_default()
    };
    history.sort_by(|(at, one), (then, other)| at.cmp(then).then_with(|| id(one).cmp(&id(other))));
    history
}

impl Mapper {
    /// Maps an operation on a product, which was done then.
    pub(super) fn operation<'a>(
        &self,
        of: &Of<'a>,
        product: &ProductDto<'a>,
        at: Option<i64>,
        dto: OperationDto<'a>,
    ) -> Result<Operation<'a>, RowFault> {
        let id = dto.id.ok_or_else(|| RowFault("an operation without `Id`".to_owned()))?;
        let (catalogue_id, name) = match &product.product {
            Some(product) => (&product.id, &product.name),
            None => (&product.product_id, &product.name),
        };
        let mut extra = self.extra(dto.extra);
        let (operated_at, operated_local) =
            stamped("OperationTime", at, dto.operation_time, &mut extra);
        Ok(Operation {
            id: id.0,
            branch_id: of.branch,
            ticket_id: of.ticket,
            ticket_number: plain(of.number.clone()),
            ticket_product_id: Some(product.id.0.0.clone()),
            product_id: plain(catalogue_id.clone()),
            product_name: plain(name.clone()),
            state_code: dto.state,
            state: named(dto.state, &PRODUCT_STATES),
            operated_at,
            operated_local,
            time_zone: &of.zone.name,
            workplace: dto.workplace.map(place),
            operator: dto.user.map(|user| self.operator(user)),
            extra,
        })
    }
}
