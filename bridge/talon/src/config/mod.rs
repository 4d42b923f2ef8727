//! The configuration: one YAML file, and the same keys flat.
//!
//! [`flat`] makes texts of a file; [`load`] checks all of them, without I/O unless secrets are to be
//! resolved, and reports every problem at once.

mod flat;
mod relay_loops;
mod relays;
mod sections;
mod yaml;

pub(crate) use flat::flatten;
pub(crate) use relays::keys as relay_keys;
pub(crate) use sections::{Configuring, Loaded, connector, keys, load};
