use talon_sdk::entity::Words;

/// States of an operation, and of a visitor over all.
#[derive(Debug)]
pub(super) struct State;

impl Words for State {
    const KNOWN: &'static [&'static str] =
        &["WAITING", "SERVING", "SERVED", "REJECTED", "POSTPONE"];
}

/// Those that nothing follows.
pub(crate) const LAST_STATES: &[&str] = &["SERVED", "REJECTED"];
