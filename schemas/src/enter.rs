//! The contracts of the connectors for СУО Enter.

use std::sync::LazyLock;

use crate::Contract;

/// Feed `branch`.
pub static BRANCH: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("enter-export", "branch", include_str!("../enter/branch.avsc")));
/// Feed `ticket_source`.
pub static TICKET_SOURCE: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("enter-export", "ticket_source", include_str!("../enter/ticket_source.avsc"))
});
/// Feed `ticket`.
pub static TICKET: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("enter-export", "ticket", include_str!("../enter/ticket.avsc")));
/// Feed `ticket_operation`.
pub static TICKET_OPERATION: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("enter-export", "ticket_operation", include_str!("../enter/ticket_operation.avsc"))
});
