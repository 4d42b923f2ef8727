//! The feeds: what each reads, how often, and how its rows read.

mod booking;
mod codec;
mod dated;
pub(crate) mod day;
mod known;
mod menu;
mod open;
mod places;
mod schedule;
mod specs;
mod today;

pub(crate) use codec::codec;
pub(crate) use known::Known;
pub(crate) use open::open;
pub(crate) use specs::{ServerKind, all, interval, is_of};
