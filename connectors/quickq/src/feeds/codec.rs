use std::fmt::Write;
use std::sync::Arc;

use crate::contracts;
use serde::Serialize;
use talon_schemas::Contract;
use talon_sdk::record::{decode, peek_scalar};
use talon_sdk::{Row, RowCodec, RowFault};

use super::UNREADABLE;
use crate::entity::Consumer;
use crate::map::Mapper;
use crate::model::{
    ConsumerDto, DeviceDto, InfoDto, OperationDto, ServiceDto, StateRow, TicketRangeDto, UserDto,
    UserRoleDto, WorkplaceDto,
};

/// How the rows of a feed read.
pub(crate) fn codec(feed: &str, mapper: Arc<Mapper>) -> Arc<dyn RowCodec> {
    let of = |key, read| -> Arc<dyn RowCodec> { Arc::new(Codec { key, mapper, read }) };
    match feed {
        "operation" => of(Key::Id, operation),
        "service" => of(Key::Id, service),
        "ticket_range" => of(Key::Id, ticket_range),
        "workplace" => of(Key::Id, workplace),
        "user_role" => of(Key::Id, user_role),
        "user" => of(Key::Id, user),
        "qboard" => of(Key::Id, qboard),
        "scoreboard" => of(Key::Id, scoreboard),
        "registrator" => of(Key::Id, registrator),
        "consumer" => of(Key::Id, consumer),
        "consumer_preregistered" => of(Key::Id, consumer_preregistered),
        "queue" => of(Key::IdInScope, queue),
        "operation_state" => of(Key::Own, operation_state),
        _ => of(Key::Server, server_info),
    }
}

type Decode = fn(&Mapper, &[u8], &str, &mut Row) -> Result<(), RowFault>;

/// What a row's key is made of.
#[derive(Clone, Copy)]
enum Key {
    /// `id`.
    Id,
    /// The scope, and `id`.
    IdInScope,
    /// `key`.
    Own,
    /// There is only one.
    Server,
}

struct Codec {
    key: Key,
    mapper: Arc<Mapper>,
    read: Decode,
}

impl RowCodec for Codec {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        let is_key = scope != UNREADABLE
            && match self.key {
                Key::Id => peek_id(row, key),
                Key::IdInScope => write!(key, "{scope}/").is_ok() && peek_id(row, key),
                Key::Own => peek_scalar(row, "key", key),
                Key::Server => {
                    key.push_str(SERVER);
                    true
                }
            };
        if !is_key {
            key.clear();
        }
        is_key
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        if scope == UNREADABLE {
            return Err(RowFault("a message that is no answer of the protocol".to_owned()));
        }
        (self.read)(&self.mapper, row, scope, out)
    }
}

const SERVER: &str = "server";

/// A number, also as a text; the same number is the same key.
fn peek_id(row: &[u8], key: &mut String) -> bool {
    let mut text = String::new();
    let id = peek_scalar(row, "id", &mut text).then(|| text.trim().parse::<i64>().ok()).flatten();
    id.is_some_and(|id| write!(key, "{id}").is_ok())
}

macro_rules! by_id {
    ($($name:ident: $dto:ident via $map:ident as $contract:ident),* $(,)?) => {
        $(fn $name(mapper: &Mapper, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
            decode::<$dto<'_>, _>(row, |dto| {
                let entity = mapper.$map(dto);
                put(&contracts::$contract, entity.id, &entity, entity.updated_at, out)
            })
        })*
    };
}

by_id! {
    operation: OperationDto via operation as OPERATION,
    service: ServiceDto via service as SERVICE,
    ticket_range: TicketRangeDto via ticket_range as TICKET_RANGE,
    workplace: WorkplaceDto via workplace as WORKPLACE,
    user_role: UserRoleDto via user_role as USER_ROLE,
    user: UserDto via user as USER,
    qboard: DeviceDto via device as QBOARD,
    scoreboard: DeviceDto via device as SCOREBOARD,
    registrator: DeviceDto via device as REGISTRATOR,
}

fn consumer(mapper: &Mapper, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
    visitor(&contracts::CONSUMER, mapper, row, out)
}

fn consumer_preregistered(
    mapper: &Mapper,
    row: &[u8],
    _: &str,
    out: &mut Row,
) -> Result<(), RowFault> {
    visitor(&contracts::CONSUMER_PREREGISTERED, mapper, row, out)
}

fn visitor(
    contract: &Contract,
    mapper: &Mapper,
    row: &[u8],
    out: &mut Row,
) -> Result<(), RowFault> {
    decode::<ConsumerDto<'_>, _>(row, |dto| {
        let entity = mapper.consumer(dto);
        put(contract, entity.id, &entity, changed_at(&entity), out)
    })
}

fn changed_at(consumer: &Consumer<'_>) -> Option<i64> {
    consumer.updated_at.or(consumer.state_changed_at).or(consumer.called_at)
}

fn queue(mapper: &Mapper, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
    let workplace = scope.parse().map_err(|_| RowFault("the scope is no workplace".to_owned()))?;
    decode::<ConsumerDto<'_>, _>(row, |dto| {
        let entity = mapper.consumer(dto);
        let (id, changed_at) = (entity.id, changed_at(&entity));
        put(&contracts::QUEUE, format!("{scope}/{id}"), &entity.queued(workplace), changed_at, out)
    })
}

fn operation_state(mapper: &Mapper, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
    decode::<StateRow<'_>, _>(row, |dto| {
        let entity = mapper
            .operation_state(dto)
            .ok_or_else(|| RowFault("a level of the statistics is missing".to_owned()))?;
        let key = format!(
            "{}/{}/{}/{}/{}",
            entity.consumer_id, entity.service_id, entity.stage, entity.operation_id, entity.index
        );
        put(&contracts::OPERATION_STATE, key, &entity, entity.entered_at, out)
    })
}

fn server_info(mapper: &Mapper, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
    decode::<InfoDto<'_>, _>(row, |dto| {
        put(&contracts::SERVER_INFO, SERVER, &mapper.server_info(dto), None, out)
    })
}

fn put<T: Serialize>(
    contract: &Contract,
    key: impl std::fmt::Display,
    entity: &T,
    at_micros: Option<i64>,
    out: &mut Row,
) -> Result<(), RowFault> {
    contract
        .encode(entity, &mut out.value)
        .map_err(|_| RowFault("the row does not fit the schema of its feed".to_owned()))?;
    write!(out.key, "{key}").map_err(|_| RowFault("the key cannot be written".to_owned()))?;
    out.ts_ms = at_micros.map(|micros| micros.div_euclid(1000));
    Ok(())
}
