//! Entities as their schemas have them (`schemas/quickq/*.avsc`): fields in the schemas' order.

use std::borrow::Cow;

use serde::Serialize;
use talon_sdk::record::Extra;

type Str<'a> = Option<Cow<'a, str>>;

/// Operation.
#[derive(Serialize)]
pub(crate) struct Operation<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) description: Str<'a>,
    pub(crate) disabled: Option<bool>,
    pub(crate) regulated_seconds: Option<i64>,
    pub(crate) danger_seconds: Option<i64>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

/// Service.
#[derive(Serialize)]
pub(crate) struct Service<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) alias: Str<'a>,
    pub(crate) description: Str<'a>,
    pub(crate) disabled: Option<bool>,
    pub(crate) priority: Option<i64>,
    pub(crate) ticket_range_id: Option<i64>,
    pub(crate) registrable: Option<bool>,
    pub(crate) dynamic: Option<bool>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) pin_code: Str<'a>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

/// ServiceStage.
#[derive(Serialize)]
pub(crate) struct Stage {
    pub(crate) stage: i64,
    pub(crate) operation_ids: Vec<i64>,
}

/// TicketRange.
#[derive(Serialize)]
pub(crate) struct TicketRange<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) prefix: Str<'a>,
    pub(crate) number_min: Option<i64>,
    pub(crate) number_max: Option<i64>,
    pub(crate) number_width_min: Option<i64>,
    pub(crate) number_width_max: Option<i64>,
    pub(crate) restarts_every: Str<'a>,
    pub(crate) cyclic: Option<bool>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

/// Workplace.
#[derive(Serialize)]
pub(crate) struct Workplace<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) alias: Str<'a>,
    pub(crate) description: Str<'a>,
    pub(crate) disabled: Option<bool>,
    pub(crate) state_id: Option<i64>,
    pub(crate) clerk_id: Option<i64>,
    pub(crate) consumer_id: Option<i64>,
    pub(crate) department_id: Option<i64>,
    pub(crate) all_operations: Option<bool>,
    pub(crate) operation_ids: Vec<i64>,
    pub(crate) current_operation_ids: Vec<i64>,
    pub(crate) service_priority_enabled: Option<bool>,
    pub(crate) audio_notification_enabled: Option<bool>,
    pub(crate) auto_call: Option<bool>,
    pub(crate) auto_call_timeout: Option<i64>,
    pub(crate) auto_serve: Option<bool>,
    pub(crate) auto_serve_timeout: Option<i64>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

/// UserRole.
#[derive(Serialize)]
pub(crate) struct UserRole<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) description: Str<'a>,
    pub(crate) disabled: Option<bool>,
    pub(crate) administrator_id: Option<i64>,
    pub(crate) clerk: Option<Clerk<'a>>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

/// RoleClerk, UserClerk.
#[derive(Serialize)]
pub(crate) struct Clerk<'a> {
    pub(crate) id: Option<i64>,
    pub(crate) priority: Option<i64>,
    pub(crate) default_workplace_id: Option<i64>,
    pub(crate) all_operations: Option<bool>,
    pub(crate) operation_ids: Vec<i64>,
    pub(crate) extra: Extra<'a>,
}

/// User.
#[derive(Serialize)]
pub(crate) struct User<'a> {
    pub(crate) id: i64,
    pub(crate) login: Str<'a>,
    pub(crate) surname: Str<'a>,
    pub(crate) first_name: Str<'a>,
    pub(crate) patronymic: Str<'a>,
    pub(crate) created_at: Option<i64>,
    pub(crate) disabled: Option<bool>,
    pub(crate) role_id: Option<i64>,
    pub(crate) clerk: Option<Clerk<'a>>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) role: Option<UserRole<'a>>,
}

/// QBoard, ScoreBoard, Registrator.
#[derive(Serialize)]
pub(crate) struct Device<'a> {
    pub(crate) id: i64,
    pub(crate) name: Str<'a>,
    pub(crate) alias: Str<'a>,
    pub(crate) description: Str<'a>,
    pub(crate) disabled: Option<bool>,
    pub(crate) priority: Option<i64>,
    pub(crate) extra: Extra<'a>,
    pub(crate) updated_at: Option<i64>,
}

macro_rules! consumers {
    ($($field:ident: $type:ty),* $(,)?) => {
        /// Consumer, ConsumerPreRegistered.
        #[derive(Serialize)]
        pub(crate) struct Consumer<'a> {
            $(pub(crate) $field: $type,)*
        }

        /// QueuedConsumer.
        #[derive(Serialize)]
        pub(crate) struct QueuedConsumer<'a> {
            pub(crate) queue_workplace_id: i64,
            $(pub(crate) $field: $type,)*
        }

        impl<'a> Consumer<'a> {
            /// The visitor in the queue of a workplace.
            pub(crate) fn queued(self, queue_workplace_id: i64) -> QueuedConsumer<'a> {
                QueuedConsumer { queue_workplace_id, $($field: self.$field,)* }
            }
        }
    };
}

consumers! {
    id: i64,
    prefix: Str<'a>,
    number: Option<i64>,
    ticket: Str<'a>,
    priority: Option<i64>,
    registered_at: Option<i64>,
    active: Option<bool>,
    workplace_id: Option<i64>,
    called_at: Option<i64>,
    postponed_until: Option<i64>,
    may_call: Option<bool>,
    state: Str<'a>,
    state_changed_at: Option<i64>,
    vanish_count: Option<i64>,
    comment: Str<'a>,
    pin_code: Str<'a>,
    photo: Str<'a>,
    operations: Vec<ConsumerOperation<'a>>,
    extra: Extra<'a>,
    updated_at: Option<i64>,
    workplace: Str<'a>,
}

/// ConsumerOperation.
#[derive(Serialize)]
pub(crate) struct ConsumerOperation<'a> {
    pub(crate) service_id: i64,
    pub(crate) stage: i64,
    pub(crate) operation_id: i64,
    pub(crate) state: Str<'a>,
    pub(crate) user_id: Option<i64>,
    pub(crate) comments: Vec<Cow<'a, str>>,
    pub(crate) extra: Extra<'a>,
}

/// OperationState.
#[derive(Serialize)]
pub(crate) struct OperationState<'a> {
    pub(crate) consumer_id: i64,
    pub(crate) service_id: i64,
    pub(crate) stage: i64,
    pub(crate) operation_id: i64,
    pub(crate) index: i64,
    pub(crate) state: Str<'a>,
    pub(crate) entered_at: Option<i64>,
    pub(crate) left_at: Option<i64>,
    pub(crate) user_id: Option<i64>,
    pub(crate) workplace_id: Option<i64>,
    pub(crate) comment: Str<'a>,
    pub(crate) ticket: Str<'a>,
    pub(crate) registered_at: Option<i64>,
    pub(crate) done_at: Option<i64>,
    pub(crate) service_priority: Option<i64>,
    pub(crate) service_registered_at: Option<i64>,
    pub(crate) stage_registered_at: Option<i64>,
    pub(crate) operation_registered_at: Option<i64>,
    pub(crate) regulated_seconds: Option<i64>,
    pub(crate) danger_seconds: Option<i64>,
    pub(crate) extra: Extra<'a>,
    pub(crate) service_name: Str<'a>,
    pub(crate) operation_name: Str<'a>,
}

/// ServerInfo.
#[derive(Serialize)]
pub(crate) struct ServerInfo<'a> {
    pub(crate) common: Str<'a>,
    pub(crate) core: Str<'a>,
    pub(crate) database: Str<'a>,
    pub(crate) jsengine: Str<'a>,
    pub(crate) wssserver: Str<'a>,
    pub(crate) db: Str<'a>,
    pub(crate) extra: Extra<'a>,
    pub(crate) sessions: Option<i64>,
}
