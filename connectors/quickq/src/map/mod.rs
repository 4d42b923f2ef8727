//! From what the upstream sends to entities: names, instants, order, personal data.

mod visitors;

use std::borrow::Cow;

use crate::contracts;
use jiff::tz::TimeZone;
use talon_schemas::Contract;
use talon_sdk::instant;
use talon_sdk::privacy::{Policy, Privacy};
use talon_sdk::record::{Extra, Text};

use crate::entity::{
    Clerk, Device, Operation, ServerInfo, Service, Stage, TicketRange, User, UserRole, Workplace,
};
use crate::model::{
    ClerkDto, DeviceDto, Flag, InfoDto, Int, OperationDto, ServiceDto, TicketRangeDto, UserDto,
    UserRoleDto, WorkplaceDto,
};

/// Maps rows under one configuration.
#[derive(Debug)]
pub(crate) struct Mapper {
    privacy: Privacy,
    login: Policy,
    surname: Policy,
    first_name: Policy,
    patronymic: Policy,
    comment: Policy,
    comments: Policy,
    pin_code: Policy,
    photo: Policy,
}

/// All contracts of the connector.
pub(crate) fn all_contracts() -> [&'static Contract; 14] {
    [
        &contracts::OPERATION,
        &contracts::SERVICE,
        &contracts::TICKET_RANGE,
        &contracts::WORKPLACE,
        &contracts::USER_ROLE,
        &contracts::USER,
        &contracts::QBOARD,
        &contracts::SCOREBOARD,
        &contracts::REGISTRATOR,
        &contracts::CONSUMER,
        &contracts::CONSUMER_PREREGISTERED,
        &contracts::QUEUE,
        &contracts::OPERATION_STATE,
        &contracts::SERVER_INFO,
    ]
}

impl Mapper {
    pub(crate) fn new(privacy: Privacy) -> Mapper {
        Mapper {
            login: privacy.field("login"),
            surname: privacy.field("surname"),
            first_name: privacy.field("first_name"),
            patronymic: privacy.field("patronymic"),
            comment: privacy.field("comment"),
            comments: privacy.field("comments"),
            pin_code: privacy.field("pin_code"),
            photo: privacy.field("photo"),
            privacy,
        }
    }

    fn personal<'a>(&self, policy: Policy, text: Option<Text<'a>>) -> Option<Cow<'a, str>> {
        self.privacy.text(policy, plain(text))
    }

    pub(crate) fn operation<'a>(&self, dto: OperationDto<'a>) -> Operation<'a> {
        let mut extra = dto.extra;
        Operation {
            id: dto.id.0,
            name: plain(dto.name),
            description: plain(dto.description),
            disabled: flag(dto.disabled),
            regulated_seconds: number(dto.regulated_sec),
            danger_seconds: number(dto.danger_sec),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    pub(crate) fn service<'a>(&self, dto: ServiceDto<'a>) -> Service<'a> {
        let mut extra = guarded(dto.extra, &[("pin_code", self.pin_code)]);
        let mut stages = Vec::new();
        for (stage, operations) in dto.operations.unwrap_or_default() {
            let operation_ids = ids(operations);
            match stage.trim().parse() {
                Ok(stage) => stages.push(Stage { stage, operation_ids }),
                Err(_) => extra.keep(
                    format!("operations.{stage}"),
                    serde_json::Value::from(operation_ids).to_string(),
                ),
            }
        }
        stages.sort_by_key(|stage| stage.stage);
        Service {
            id: dto.id.0,
            name: plain(dto.name),
            alias: plain(dto.alias),
            description: plain(dto.description),
            disabled: flag(dto.disabled),
            priority: number(dto.priority),
            ticket_range_id: reference(dto.ticket_range_id),
            registrable: flag(dto.registrable),
            dynamic: flag(dto.dynamic),
            stages,
            pin_code: self.personal(self.pin_code, dto.pin_code),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    pub(crate) fn ticket_range<'a>(&self, dto: TicketRangeDto<'a>) -> TicketRange<'a> {
        let mut extra = dto.extra;
        TicketRange {
            id: dto.id.0,
            name: plain(dto.name),
            prefix: plain(dto.prefix),
            number_min: number(dto.ticket_min),
            number_max: number(dto.ticket_max),
            number_width_min: number(dto.width_min),
            number_width_max: number(dto.width_max),
            restarts_every: plain(dto.clear_number_every),
            cyclic: flag(dto.cycled_counter),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    pub(crate) fn workplace<'a>(&self, dto: WorkplaceDto<'a>) -> Workplace<'a> {
        let mut extra = dto.extra;
        Workplace {
            id: dto.id.0,
            name: plain(dto.name),
            alias: plain(dto.alias),
            description: plain(dto.description),
            disabled: flag(dto.disabled),
            state_id: number(dto.state_id),
            clerk_id: reference(dto.clerk_id),
            consumer_id: reference(dto.consumer_id),
            department_id: reference(dto.department),
            all_operations: flag(dto.all_operations),
            operation_ids: ids(dto.operations),
            current_operation_ids: ids(dto.current_operations),
            service_priority_enabled: flag(dto.service_priority_enabled),
            audio_notification_enabled: flag(dto.audio_notification_enabled),
            auto_call: flag(dto.auto_call),
            auto_call_timeout: number(dto.auto_call_timeout),
            auto_serve: flag(dto.auto_serve),
            auto_serve_timeout: number(dto.auto_serve_timeout),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    pub(crate) fn user_role<'a>(&self, dto: UserRoleDto<'a>) -> UserRole<'a> {
        let mut extra = dto.extra;
        let administrator_id = dto.administrator.and_then(|administrator| {
            for (name, json) in administrator.extra.0 {
                extra.keep(format!("administrator.{name}"), json);
            }
            number(administrator.id)
        });
        UserRole {
            id: dto.id.0,
            name: plain(dto.name),
            description: plain(dto.description),
            disabled: flag(dto.disabled),
            administrator_id,
            clerk: dto.clerk.map(clerk),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    /// The password hash is dropped for good, whatever the policy.
    pub(crate) fn user<'a>(&self, dto: UserDto<'a>) -> User<'a> {
        let personal = [
            ("login", self.login),
            ("surname", self.surname),
            ("name", self.first_name),
            ("patronymic", self.patronymic),
        ];
        let mut extra = guarded(dto.extra, &personal);
        User {
            id: dto.id.0,
            login: self.personal(self.login, dto.login),
            surname: self.personal(self.surname, dto.surname),
            first_name: self.personal(self.first_name, dto.name),
            patronymic: self.personal(self.patronymic, dto.patronymic),
            created_at: instant("create_time", dto.create_time, &mut extra),
            disabled: flag(dto.disabled),
            role_id: reference(dto.role_id),
            clerk: dto.clerk.map(clerk),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            role: dto.role.map(|role| self.user_role(role)),
            extra,
        }
    }

    pub(crate) fn device<'a>(&self, dto: DeviceDto<'a>) -> Device<'a> {
        let mut extra = dto.extra;
        Device {
            id: dto.id.0,
            name: plain(dto.name),
            alias: plain(dto.alias),
            description: plain(dto.description),
            disabled: flag(dto.disabled),
            priority: number(dto.priority),
            updated_at: instant("last_update", dto.last_update, &mut extra),
            extra,
        }
    }

    /// The licence's number is dropped for good.
    pub(crate) fn server_info<'a>(&self, dto: InfoDto<'a>) -> ServerInfo<'a> {
        ServerInfo {
            common: plain(dto.common),
            core: plain(dto.core),
            database: plain(dto.database),
            jsengine: plain(dto.jsengine),
            wssserver: plain(dto.wssserver),
            db: plain(dto.db),
            extra: dto.extra,
            sessions: number(dto.sessions),
        }
    }
}

fn clerk(dto: ClerkDto<'_>) -> Clerk<'_> {
    Clerk {
        id: number(dto.id),
        priority: number(dto.priority),
        default_workplace_id: reference(dto.default_workplace),
        all_operations: flag(dto.all_operations),
        operation_ids: ids(dto.operations),
        extra: dto.extra,
    }
}

/// A personal field of another type than declared ends up in `extra`, where the policy holds too.
fn guarded<'a>(mut extra: Extra<'a>, personal: &[(&str, Policy)]) -> Extra<'a> {
    for (name, policy) in personal {
        match policy {
            Policy::Keep => {}
            Policy::Drop => {
                extra.0.remove(*name);
            }
            Policy::Mask | Policy::Hash => {
                if let Some(json) = extra.0.get_mut(*name) {
                    *json = Cow::Borrowed("\"****\"");
                }
            }
        }
    }
    extra
}

/// An instant; one without a zone is UTC (`done` of statistics). A text that is none goes to `extra`.
fn instant<'a>(name: &'static str, text: Option<Text<'a>>, extra: &mut Extra<'a>) -> Option<i64> {
    let text = text?.0;
    let micros = instant::micros(&text, &TimeZone::UTC);
    if micros.is_none() && !text.is_empty() {
        extra.keep_text(name, &text);
    }
    micros
}

fn plain(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0)
}

fn number(number: Option<Int>) -> Option<i64> {
    number.map(|number| number.0)
}

/// The id of something else; −1 is none.
fn reference(id: Option<Int>) -> Option<i64> {
    number(id).filter(|id| *id != -1)
}

fn flag(flag: Option<Flag>) -> Option<bool> {
    flag.map(|flag| flag.0)
}

/// In the order of ids: another order is no change.
fn ids(list: Vec<Int>) -> Vec<i64> {
    let mut ids: Vec<i64> = list.into_iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}
