//! What the upstream sends: the items of `quickq-websocket.txt`, with the fields of newer builds.
//!
//! Numbers come as strings here and there, switches as 0/1 or true/false, none as −1.

mod level;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use talon_sdk::record::Text;
use talon_sdk::upstream_record;

pub(crate) use level::Level;
pub use values::{Flag, Id, Int, Texts};

/// `{"<stage>": [operation ids]}` of a service.
pub type Stages<'a> = BTreeMap<Cow<'a, str>, Vec<Int>>;

/// `{"<service>": {"<stage>": {"<operation>": …}}}` of a visitor.
pub type Services<'a> =
    BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, BTreeMap<Cow<'a, str>, OperationOfDto<'a>>>>;

upstream_record! {
    /// An item of Operation.
    pub struct OperationDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        description: Option<Text<'a>> = "description",
        disabled: Option<Flag> = "disabled",
        regulated_sec: Option<Int> = "regulated_sec",
        danger_sec: Option<Int> = "danger_sec",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// An item of Service.
    pub struct ServiceDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        alias: Option<Text<'a>> = "alias",
        description: Option<Text<'a>> = "description",
        disabled: Option<Flag> = "disabled",
        priority: Option<Int> = "priority",
        ticket_range_id: Option<Int> = "ticket_range_id",
        registrable: Option<Flag> = "registrable",
        dynamic: Option<Flag> = "dynamic",
        operations: Option<Stages<'a>> = "operations",
        pin_code: Option<Text<'a>> = "pin_code",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// An item of TicketRange; the document has none.
    pub struct TicketRangeDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        prefix: Option<Text<'a>> = "prefix",
        ticket_min: Option<Int> = "ticketMin",
        ticket_max: Option<Int> = "ticketMax",
        width_min: Option<Int> = "ticketNumberMinWidth",
        width_max: Option<Int> = "ticketNumberMaxWidth",
        clear_number_every: Option<Text<'a>> = "clearNumberEvery",
        cycled_counter: Option<Flag> = "cycledCounter",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// An item of Workplace.
    pub struct WorkplaceDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        alias: Option<Text<'a>> = "alias",
        description: Option<Text<'a>> = "description",
        disabled: Option<Flag> = "disabled",
        state_id: Option<Int> = "state_id",
        clerk_id: Option<Int> = "clerk_id",
        consumer_id: Option<Int> = "consumer_id",
        department: Option<Int> = "department",
        all_operations: Option<Flag> = "all_operations",
        operations: Vec<Int> = "operations",
        current_operations: Vec<Int> = "currentOperations",
        service_priority_enabled: Option<Flag> = "service_priority_enabled",
        audio_notification_enabled: Option<Flag> = "audio_notification_enabled",
        auto_call: Option<Flag> = "auto_call",
        auto_call_timeout: Option<Int> = "auto_call_timeout",
        auto_serve: Option<Flag> = "auto_serve",
        auto_serve_timeout: Option<Int> = "auto_serve_timeout",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// An item of UserRole.
    pub struct UserRoleDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        description: Option<Text<'a>> = "description",
        disabled: Option<Flag> = "disabled",
        administrator: Option<AdministratorDto<'a>> = "administrator",
        clerk: Option<ClerkDto<'a>> = "clerk",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// `administrator` of a role.
    pub struct AdministratorDto<'a> {
        id: Option<Int> = "id",
    }
}

upstream_record! {
    /// `clerk` of a role or a user.
    pub struct ClerkDto<'a> {
        id: Option<Int> = "id",
        priority: Option<Int> = "priority",
        default_workplace: Option<Int> = "default_workplace",
        all_operations: Option<Flag> = "all_operations",
        operations: Vec<Int> = "operations",
    }
}

upstream_record! {
    /// An item of User. `password` is a hash, blanked already, and goes nowhere.
    pub struct UserDto<'a> {
        id: Id = "id",
        login: Option<Text<'a>> = "login",
        password: Option<&'a RawValue> = "password",
        surname: Option<Text<'a>> = "surname",
        name: Option<Text<'a>> = "name",
        patronymic: Option<Text<'a>> = "patronymic",
        create_time: Option<Text<'a>> = "create_time",
        disabled: Option<Flag> = "disabled",
        role_id: Option<Int> = "role_id",
        clerk: Option<ClerkDto<'a>> = "clerk",
        role: Option<UserRoleDto<'a>> = "role",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// An item of QBoard, ScoreBoard or Registrator; the document has none.
    pub struct DeviceDto<'a> {
        id: Id = "id",
        name: Option<Text<'a>> = "name",
        alias: Option<Text<'a>> = "alias",
        description: Option<Text<'a>> = "description",
        disabled: Option<Flag> = "disabled",
        priority: Option<Int> = "priority",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// A visitor: of Consumer, of ConsumerPreRegistered, of a queue.
    pub struct ConsumerDto<'a> {
        id: Id = "id",
        prefix: Option<Text<'a>> = "prefix",
        number: Option<Int> = "number",
        ticket: Option<Text<'a>> = "ticket",
        priority: Option<Int> = "priority",
        registration: Option<Text<'a>> = "registration",
        active: Option<Flag> = "active",
        workplace_id: Option<Int> = "workplace_id",
        last_call: Option<Text<'a>> = "last_call",
        postpone_to: Option<Text<'a>> = "postpone_to",
        may_call: Option<Flag> = "mayCall",
        state: Option<Text<'a>> = "state",
        state_changed: Option<Text<'a>> = "state_changed",
        vanish_count: Option<Int> = "vanish_count",
        comment: Option<Text<'a>> = "comment",
        pin_code: Option<Text<'a>> = "pin_code",
        photo: Option<Text<'a>> = "photo",
        services: Option<Services<'a>> = "services",
        workplace: Option<&'a RawValue> = "workplace",
        last_update: Option<Text<'a>> = "last_update",
    }
}

upstream_record! {
    /// One operation of a visitor.
    pub struct OperationOfDto<'a> {
        state: Option<Text<'a>> = "state",
        user_id: Option<Int> = "user_id",
        comment: Option<Texts<'a>> = "comment",
    }
}

upstream_record! {
    /// A state of `statistics` with what surrounds it; see `feeds/operation_state.rs`.
    pub struct StateRow<'a> {
        key: Option<Text<'a>> = "key",
        index: Id = "index",
        next: Option<NextDto<'a>> = "next",
        state: Option<StateDto<'a>> = "state",
        operation: Option<OperationLevelDto<'a>> = "operation",
        stage: Option<StageLevelDto<'a>> = "stage",
        service: Option<ServiceLevelDto<'a>> = "service",
        visit: Option<VisitDto<'a>> = "visit",
    }
}

upstream_record! {
    /// The state that follows; it is a row of its own.
    pub struct NextDto<'a> {
        time_in: Option<Text<'a>> = "time_in",
    }
}

upstream_record! {
    /// One of `states`.
    pub struct StateDto<'a> {
        state: Option<Text<'a>> = "state",
        time_in: Option<Text<'a>> = "time_in",
        comment: Option<Text<'a>> = "comment",
        user_id: Option<Int> = "user_id",
        workplace_id: Option<Int> = "workplace_id",
    }
}

upstream_record! {
    /// One of `operations`.
    pub struct OperationLevelDto<'a> {
        operation_id: Id = "operation_id",
        name: Option<Text<'a>> = "name",
        regulated_sec: Option<Int> = "regulated_sec",
        danger_sec: Option<Int> = "danger_sec",
        registration: Option<Text<'a>> = "registration",
    }
}

upstream_record! {
    /// One of `stages`.
    pub struct StageLevelDto<'a> {
        priority: Id = "priority",
        registration: Option<Text<'a>> = "registration",
    }
}

upstream_record! {
    /// One of `services`.
    pub struct ServiceLevelDto<'a> {
        service_id: Id = "service_id",
        name: Option<Text<'a>> = "name",
        priority: Option<Int> = "priority",
        registration: Option<Text<'a>> = "registration",
    }
}

upstream_record! {
    /// An element of `statistics`.
    pub struct VisitDto<'a> {
        consumer_id: Id = "consumer_id",
        ticket: Option<Text<'a>> = "ticket",
        registration: Option<Text<'a>> = "registration",
        done: Option<Text<'a>> = "done",
    }
}

upstream_record! {
    /// `info`. `hasp` is the licence's number, blanked already, and goes nowhere.
    pub struct InfoDto<'a> {
        common: Option<Text<'a>> = "common",
        core: Option<Text<'a>> = "core",
        database: Option<Text<'a>> = "database",
        jsengine: Option<Text<'a>> = "jsengine",
        wssserver: Option<Text<'a>> = "wssserver",
        db: Option<Text<'a>> = "db",
        hasp: Option<&'a RawValue> = "hasp",
        sessions: Option<Int> = "sessions",
    }
}

/// Words of the document.
pub(crate) const STATES: &[&str] = &["WAITING", "SERVING", "SERVED", "REJECTED", "POSTPONE"];

/// Those that nothing follows.
pub(crate) const LAST_STATES: &[&str] = &["SERVED", "REJECTED"];
