//! The feeds: what each reads, how often, and how its rows read.

mod booking;
mod codec;
mod dated;
pub(crate) mod day;
pub(crate) mod history;
pub(crate) mod indicators;
mod interval;
mod known;
mod menu;
mod open;
mod places;
mod schedule;
mod specs;
mod today;

pub(crate) use codec::codec;
pub(crate) use interval::{EndDate, INTERVAL_FORMS, Interval};
pub(crate) use known::Known;
pub(crate) use open::{Opening, open};
pub(crate) use specs::{ServerKind, all, interval, is_of};
