//! From what the upstream sends to entities: names, instants, states, personal data.

mod parts;

use serde_json::value::RawValue;
use talon_schemas::{Contract, enter as contracts};
use talon_sdk::privacy::Policy;
use talon_sdk::record::{Extra, Record, decode, fit};
use talon_sdk::{RowFault, instant};

use super::config::Personal;
use super::day::Day;
use super::entity::{Branch, Operation, Source, SourceInfo, Ticket};
use super::model::{
    BranchDto, OperationDto, PRODUCT_STATES, ProductDto, RowDto, SOURCE_TYPES, SourceDto,
    TICKET_STATES, TicketDto, is_open,
};
use super::zone::{Zone, Zones};
use parts::{named, of_branch, operations, place, plain, source_info};

/// All contracts of the connector.
pub(crate) fn all_contracts() -> [&'static Contract; 4] {
    [
        &contracts::BRANCH,
        &contracts::TICKET_SOURCE,
        &contracts::TICKET,
        &contracts::TICKET_OPERATION,
    ]
}

/// Maps rows under one configuration.
#[derive(Debug)]
pub(crate) struct Mapper {
    zones: Zones,
    personal: Personal,
    data_fields: bool,
    login: Policy,
    given_name: Policy,
    surname: Policy,
    value: Policy,
}

/// A ticket with the products that belong to it, decoded.
struct Whole<'a> {
    ticket: TicketDto<'a>,
    products: Vec<ProductDto<'a>>,
    row: RowDto<'a>,
    zone: Zone,
}

impl Mapper {
    pub(crate) fn new(zones: Zones, personal: Personal, data_fields: bool) -> Mapper {
        let policy = |name: &str| personal.privacy.field(name);
        let (login, given_name) = (policy("login"), policy("given_name"));
        let (surname, value) = (policy("surname"), policy("value"));
        Mapper { zones, personal, data_fields, login, given_name, surname, value }
    }

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

    /// Maps the ticket of a row, which was found under a day of a branch.
    pub(crate) fn ticket<R>(
        &self,
        row: &[u8],
        branch: &str,
        day: &str,
        use_ticket: impl FnOnce(Ticket<'_>) -> Result<R, RowFault>,
    ) -> Result<R, RowFault> {
        self.whole(row, branch, |whole| {
            let Whole { ticket: dto, mut products, row, zone } = whole;
            let mut extra = self.extra(dto.extra);
            let created = dto.created_time.or(dto.created);
            let local_day = created.as_ref().and_then(|text| text.0.get(..10));
            let local_day = local_day.filter(|text| Day::parse(text).is_some());
            let day = local_day.unwrap_or(day).to_owned();
            let mut activation_extra = Extra::default();
            let mut at = |name, text| self.instant(&zone, name, text, &mut extra);
            let (created_at, created_local) = at("CreatedTime", created);
            let (activated, activation_source) = match dto.activation {
                None => (None, None),
                Some(activation) => {
                    activation_extra = activation.extra;
                    let source = activation.source.map(source_info);
                    (activation.activation_time, source)
                }
            };
            let (activated_at, activated_local) = at("ActivationTime", activated);
            extra.0.extend(activation_extra.0);
            let source = match (dto.source, dto.source_id) {
                (Some(source), _) => Some(source_info(source)),
                (None, Some(id)) => Some(SourceInfo {
                    id: Some(id.0),
                    name: None,
                    type_code: None,
                    r#type: None,
                    extra: Extra::default(),
                }),
                (None, None) => None,
            };
            products.sort_by(|a, b| {
                let key = |dto: &'_ ProductDto<'_>| {
                    let created = dto.created_time.as_ref().or(dto.created.as_ref());
                    created.and_then(|text| instant::micros(&text.0, &zone.zone))
                };
                key(a).cmp(&key(b)).then_with(|| a.id.0.0.cmp(&b.id.0.0))
            });
            let (branch_name, branch_client_id, integration_id, is_connected, branch_extra) =
                match row.department {
                    Some(dto) => (
                        plain(dto.name),
                        plain(dto.client_id),
                        plain(dto.integration_id),
                        dto.is_connected,
                        of_branch(dto.extra, dto.time_zone),
                    ),
                    None => (None, None, plain(row.integration_id), None, row.extra),
                };
            let happened = products.iter().flat_map(|dto| &dto.history);
            let happened = happened.filter_map(|operation| operation.operation_time.as_ref());
            let ended = products.iter().filter_map(|dto| dto.end_time.as_ref());
            let changed_at = happened
                .chain(ended)
                .filter_map(|text| instant::micros(&text.0, &zone.zone))
                .chain(created_at)
                .chain(activated_at)
                .max();
            use_ticket(Ticket {
                branch_id: branch,
                id: dto.id.0.0,
                day,
                time_zone: &zone.name,
                time_zone_origin: zone.origin,
                is_open: products.iter().any(|product| is_open(product.state)),
                operations: products.iter().flat_map(|dto| operations(dto, &zone)).collect(),
                number: plain(dto.number),
                state_code: dto.state,
                state: named(dto.state, &TICKET_STATES),
                created_at,
                created_local,
                source,
                activated_at,
                activated_local,
                activation_source,
                products: products.into_iter().map(|dto| self.product(&zone, dto)).collect(),
                extra,
                branch_name,
                branch_client_id,
                branch_integration_id: integration_id,
                branch_is_connected: is_connected,
                branch_extra,
                changed_at,
            })
        })
    }

    /// Maps the operations on the ticket of a row.
    pub(crate) fn operations(
        &self,
        row: &[u8],
        branch: &str,
        each: &mut dyn FnMut(Result<Operation<'_>, RowFault>),
    ) -> Result<(), RowFault> {
        self.whole(row, branch, |Whole { ticket, products, zone, .. }| {
            let number = plain(ticket.number);
            for dto in products {
                let (catalogue_id, name) = match &dto.product {
                    Some(product) => (&product.id, &product.name),
                    None => (&dto.product_id, &dto.name),
                };
                for operation in dto.history {
                    let OperationDto { id, state, operation_time, workplace, user, extra } =
                        operation;
                    let Some(id) = id else {
                        each(Err(RowFault("an operation without `Id`".to_owned())));
                        continue;
                    };
                    let mut extra = self.extra(extra);
                    let (operated_at, operated_local) =
                        self.instant(&zone, "OperationTime", operation_time, &mut extra);
                    each(Ok(Operation {
                        id: id.0,
                        branch_id: branch,
                        ticket_id: &ticket.id.0.0,
                        ticket_number: number.clone(),
                        ticket_product_id: Some(dto.id.0.0.clone()),
                        product_id: catalogue_id.clone().map(|text| text.0),
                        product_name: name.clone().map(|text| text.0),
                        state_code: state,
                        state: named(state, &PRODUCT_STATES),
                        operated_at,
                        operated_local,
                        time_zone: &zone.name,
                        workplace: workplace.map(place),
                        operator: user.map(|user| self.operator(user)),
                        extra,
                    }));
                }
            }
            Ok(())
        })
    }

    /// Decodes a row down to its products. A value of an unexpected type costs neither its product nor
    /// its ticket: it goes to the `extra` of the nearest of them.
    fn whole<R>(
        &self,
        row: &[u8],
        branch: &str,
        use_whole: impl FnOnce(Whole<'_>) -> Result<R, RowFault>,
    ) -> Result<R, RowFault> {
        decode::<RowDto<'_>, _>(row, |row| {
            let told = row.department.as_ref().and_then(|branch| branch.time_zone.as_ref());
            let zone = self.zones.of(branch, told);
            let text = row.ticket.0.get();
            decode::<TicketDto<'_>, _>(text.as_bytes(), |mut ticket| {
                let list = std::mem::take(&mut ticket.products);
                let plain = list.iter().map(|raw| serde_json::from_str(raw.get())).collect();
                if let Ok(products) = plain {
                    return use_whole(Whole { ticket, products, row, zone });
                }
                let fitted =
                    list.iter().map(|raw: &&RawValue| fit::<ProductDto<'_>>(raw.get().as_bytes()));
                let fitted = fitted.collect::<Result<Vec<_>, _>>()?;
                let mut products = Vec::with_capacity(fitted.len());
                for product in &fitted {
                    let mut dto: ProductDto<'_> = serde_json::from_str(&product.json)
                        .map_err(|_| RowFault("a product that does not decode".to_owned()))?;
                    for (name, json) in &product.odd {
                        <ProductDto<'_> as Record>::keep(&mut dto, name, json);
                    }
                    products.push(dto);
                }
                use_whole(Whole { ticket, products, row, zone })
            })
        })
    }
}
