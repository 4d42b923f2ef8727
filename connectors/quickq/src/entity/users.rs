use talon_sdk::entity::{Flag, How, Instant, Int, RawJson, Record, Required};
use talon_sdk::record::{Extra, Text};

use super::values::Reference;

/// A user. The password, which the upstream sends as a hash, is dropped for good. Upstream: User.
#[derive(Record)]
#[record(namespace = "talon.quickq")]
pub(crate) struct User<'a> {
    /// Key.
    #[from("id")]
    pub(crate) id: Required<Int>,
    #[from("login")]
    #[record(pii)]
    login: Option<Text<'a>>,
    #[from("surname")]
    #[record(pii)]
    surname: Option<Text<'a>>,
    /// Upstream: name.
    #[from("name")]
    #[record(pii)]
    first_name: Option<Text<'a>>,
    #[from("patronymic")]
    #[record(pii)]
    patronymic: Option<Text<'a>>,
    /// Upstream: create_time.
    #[from("create_time")]
    created_at: Option<Instant<'a>>,
    #[from("disabled")]
    disabled: Option<Flag>,
    #[from("role_id")]
    role_id: Option<Reference>,
    /// Set for clerks.
    #[from("clerk")]
    clerk: Option<UserClerk<'a>>,
    extra: Extra<'a>,
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[from("last_update")]
    #[record(volatile)]
    pub(crate) updated_at: Option<Instant<'a>>,
    /// A copy of the feed user_role, which alone is no change.
    #[from("role")]
    #[record(volatile)]
    role: Option<RoleOfUser<'a>>,
    /// Blanked already.
    #[from("password")]
    #[record(hidden)]
    password: Option<RawJson<'a>>,
}

macro_rules! clerks {
    ($($(#[$about:meta])* $name:ident)*) => {$(
        $(#[$about])*
        #[derive(Record)]
        pub(crate) struct $name<'a> {
            #[from("id")]
            id: Option<Int>,
            #[from("priority")]
            priority: Option<Int>,
            /// Upstream: default_workplace.
            #[from("default_workplace")]
            default_workplace_id: Option<Reference>,
            #[from("all_operations")]
            all_operations: Option<Flag>,
            /// By id. Upstream: operations.
            #[from("operations")]
            operation_ids: Vec<Int>,
            extra: Extra<'a>,
        }
    )*};
}

clerks! {
    /// What the user may do as a clerk.
    UserClerk
    /// What clerks of the role may do.
    RoleClerk
}

macro_rules! roles {
    ($($(#[$about:meta])* $name:ident administrator $(#[$administrator:meta])* clerk $(#[$clerk:meta])* updated $(#[$updated:meta])*;)*) => {$(
        $(#[$about])*
        pub(crate) struct $name<'a> {
            /// Key.
            #[from("id")]
            pub(crate) id: Required<Int>,
            #[from("name")]
            name: Option<Text<'a>>,
            #[from("description")]
            description: Option<Text<'a>>,
            #[from("disabled")]
            disabled: Option<Flag>,
            #[from("administrator")]
            #[record(hidden)]
            administrator: Option<Administrator<'a>>,
            $(#[$administrator])*
            #[record(made)]
            administrator_id: Option<Int>,
            $(#[$clerk])*
            #[from("clerk")]
            clerk: Option<RoleClerk<'a>>,
            extra: Extra<'a>,
            $(#[$updated])*
            #[from("last_update")]
            pub(crate) updated_at: Option<Instant<'a>>,
        }

        impl $name<'_> {
            fn take_administrator(&mut self, _: &How<'_>) {
                if let Some(administrator) = self.administrator.take() {
                    self.administrator_id = administrator.id;
                    self.extra.take("administrator", administrator.extra);
                }
            }
        }
    )*};
}

roles! {
    /// A role of users. Upstream: UserRole.
    #[derive(Record)]
    #[record(namespace = "talon.quickq", finish = UserRole::take_administrator)]
    UserRole
    administrator
    /// Set for administrators. Upstream: administrator.id.
    clerk
    /// Set for clerks.
    updated
    /// Changes with every touch, so that it alone is no change. Upstream: last_update.
    #[record(volatile)];

    /// The role as it is sent with the user; a copy of the feed user_role.
    #[derive(Record)]
    #[record(name = "UserRole", finish = RoleOfUser::take_administrator)]
    RoleOfUser
    administrator
    clerk
    updated
    /// Upstream: last_update.
    ;
}

/// `administrator` of a role.
#[derive(Record)]
struct Administrator<'a> {
    #[from("id")]
    id: Option<Int>,
    extra: Extra<'a>,
}
