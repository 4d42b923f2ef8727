//! The feeds: what each reads, and how its rows read.

mod codec;
mod specs;
pub(crate) mod ticket;

pub(crate) use codec::codec;
pub(crate) use specs::all;
