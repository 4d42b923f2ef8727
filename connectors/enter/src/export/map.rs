//! From what the upstream sends to entities: names, instants, states, personal data.

mod mapper;
mod operation;
mod parts;
mod row;

use talon_sdk::RowFault;

use super::day::Day;
use super::entity::{Branch, Operation, Source, Ticket};
use super::model::{BranchDto, RowDto, SOURCE_TYPES, SourceDto, TICKET_STATES, is_open};
pub(crate) use mapper::Mapper;
use operation::{Of, by_time};
use parts::{at, in_order, named, of_branch, plain, source_info, source_of};

/// Takes the operations on a ticket, or why one cannot be told.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(Result<Operation<'_>, RowFault>);

impl Mapper {
    pub(crate) fn branch<'a>(&self, dto: BranchDto<'a>) -> Branch<'a> {
        Branch {
            id: dto.id.0.0,
            name: plain(dto.name),
            is_connected: dto.is_connected,
            has_wrong_protocol: dto.wrong_protocol,
            organization_name: plain(dto.organization_name),
            organization_full_name: plain(dto.organization_full_name),
            organization_address: plain(dto.organization_address),
            organization_phone: plain(dto.organization_phone),
            organization_fax: plain(dto.organization_fax),
            organization_email: plain(dto.organization_email),
            integration_id: plain(dto.integration_id),
            extra: dto.extra,
        }
    }

    pub(crate) fn source<'a>(&self, dto: SourceDto<'a>) -> Source<'a> {
        Source {
            id: dto.id.0.0,
            name: plain(dto.name),
            type_code: dto.kind,
            r#type: named(dto.kind, &SOURCE_TYPES),
            external_system_id: plain(dto.external_system_id),
            administrator_id: plain(dto.administrator_id),
            extra: dto.extra,
        }
    }

    /// Maps the ticket of a row, which was found under a day of a branch. Before that, `tell` is given
    /// the operations on it, if somebody wants them.
    pub(crate) fn ticket<R>(
        &self,
        row: &[u8],
        branch: &str,
        day: &str,
        mut tell: Option<Tell<'_>>,
        use_ticket: impl FnOnce(Ticket<'_>) -> Result<R, RowFault>,
    ) -> Result<R, RowFault> {
        row::read(row, |RowDto { ticket: mut dto, department, integration_id, extra: rest }| {
            let told = department.as_ref().and_then(|branch| branch.time_zone.as_ref());
            let zone = self.zones.of(branch, told);
            let of =
                Of { branch, ticket: &dto.id.0.0.clone(), number: dto.number.clone(), zone: &zone };
            let mut changed_at = None;
            let mut listed = Vec::new();
            let mut products = Vec::with_capacity(dto.products.len());
            for mut product in in_order(std::mem::take(&mut dto.products), &zone) {
                for (at, operation) in by_time(std::mem::take(&mut product.history), &zone) {
                    changed_at = changed_at.max(at);
                    listed.extend(operation.id.as_ref().map(|id| id.0.clone()));
                    if let Some(tell) = &mut tell {
                        tell(self.operation(&of, &product, at, operation));
                    }
                }
                let product = self.product(&zone, product);
                changed_at = changed_at.max(product.ended_at);
                products.push(product);
            }
            let mut extra = self.extra(dto.extra);
            let created = dto.created_time.or(dto.created);
            let local_day = created.as_ref().and_then(|text| text.0.get(..10));
            let local_day = local_day.filter(|text| Day::parse(text).is_some());
            let day = local_day.unwrap_or(day).to_owned();
            let (created_at, created_local) = at(&zone, "CreatedTime", created, &mut extra);
            let (activated, activation_source) = match dto.activation {
                None => (None, None),
                Some(activation) => {
                    extra.0.extend(activation.extra.0);
                    (activation.activation_time, activation.source.map(source_info))
                }
            };
            let (activated_at, activated_local) =
                at(&zone, "ActivationTime", activated, &mut extra);
            let source = match (dto.source, dto.source_id) {
                (Some(source), _) => Some(source_info(source)),
                (None, id) => id.map(source_of),
            };
            let (branch_name, branch_client_id, integration_id, is_connected, branch_extra) =
                match department {
                    Some(dto) => (
                        plain(dto.name),
                        plain(dto.client_id),
                        plain(dto.integration_id),
                        dto.is_connected,
                        of_branch(dto.extra, dto.time_zone),
                    ),
                    None => (None, None, plain(integration_id), None, rest),
                };
            use_ticket(Ticket {
                branch_id: branch,
                id: dto.id.0.0,
                day,
                time_zone: &zone.name,
                time_zone_origin: zone.origin,
                is_open: products.iter().any(|product| is_open(product.state_code)),
                operations: listed,
                number: plain(dto.number),
                state_code: dto.state,
                state: named(dto.state, &TICKET_STATES),
                created_at,
                created_local,
                source,
                activated_at,
                activated_local,
                activation_source,
                products,
                extra,
                branch_name,
                branch_client_id,
                branch_integration_id: integration_id,
                branch_is_connected: is_connected,
                branch_extra,
                changed_at: changed_at.max(created_at).max(activated_at),
            })
        })
    }
}
