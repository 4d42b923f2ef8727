//! The schema registry: Confluent's API, also spoken by Apicurio and Karapace.
//!
//! [`Registry`] is one per process. It registers each schema once, one after another ([`registrar`]), holds
//! it against what is registered ([`level`]), gives schemas by their ids ([`by_id`]), and says what is wrong
//! with an address ([`probe`]). All of them ask through one [`client`], which knows several addresses,
//! certificates that change, and what an [`answer`] means. [`Schemas`] is what a thread that opens a shard
//! sees of it.
//!
//! # What registries do that is not expected
//!
//! - Apicurio 2.5 that is given two schemas at the same time answers one of them 409 or 500 and takes
//!   neither, one in five: so a process registers one at a time, and asks again after either.
//! - Some have no rule unless one is set, and no registry looks at the units of instants: so what is
//!   registered is compared here.
//! - Some know a schema only as it was spelled: so one that is not found is looked for among the versions.

mod answer;
mod by_id;
mod client;
mod explain;
mod handle;
mod level;
mod options;
mod probe;
mod read_back;
mod registrar;
mod remembered;
mod tls;

pub use handle::Registry;
pub(crate) use handle::{COMMANDS, RELAYED};
pub use level::Level;
pub use options::{Options, keys};
pub use probe::Seen;
pub(crate) use read_back::Schemas;
pub use registrar::Standing;
