//! The commands: one file for each group, and what they have in common.
//!
//! A command's parameters are a type that implements [`Action`](action::Action): what is read before
//! and after, how the two compare, what is sent. `scene.rs` asks the upstream in the right name;
//! `errors.rs` says what its refusals mean.

mod action;
mod attachments;
pub(crate) mod config;
mod costs;
mod create;
mod errors;
mod estimate;
mod expect;
mod jeopardies;
mod keys;
mod line;
mod lines;
mod messages;
mod others;
mod scene;
mod sender;
mod shared;
mod specs;
mod statuses;
mod tasks;

use talon_sdk::CommandSpec;
use talon_sdk::config::Settings;

use self::scene::Who;
pub(crate) use self::sender::Sender;
pub(crate) use self::specs::ACTIONS;

/// The commands that are switched on. Those of users are off where there is none.
pub(crate) fn enabled(settings: &mut Settings<'_>, has_user: bool) -> Vec<&'static CommandSpec> {
    let is_of_user = |spec: &&CommandSpec| specs::who(spec) == Who::User;
    let wanted = ACTIONS.enabled(settings);
    if settings.is_set("commands") && !has_user {
        let of_user: Vec<&str> =
            wanted.iter().copied().filter(is_of_user).map(|spec| spec.name).collect();
        if !of_user.is_empty() {
            let problem = format!(
                "names {}, sent in a user's name, but there is no user; set `auth.user.name` and \
                 `auth.user.password`",
                of_user.join(", ")
            );
            settings.problem("commands", problem);
        }
    }
    wanted.into_iter().filter(|spec| has_user || !is_of_user(spec)).collect()
}
