//! The contracts of the connector `contractor`.

use std::sync::LazyLock;

use crate::Contract;
use crate::command::CommandContract;

/// Feed `call`.
pub static CALL: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("contractor", "call", include_str!("../contractor/call.avsc")));
/// Feed `call_message`.
pub static CALL_MESSAGE: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("contractor", "call_message", include_str!("../contractor/call_message.avsc"))
});
/// Feed `call_jeopardy`.
pub static CALL_JEOPARDY: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("contractor", "call_jeopardy", include_str!("../contractor/call_jeopardy.avsc"))
});
/// Feed `call_task`.
pub static CALL_TASK: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("contractor", "call_task", include_str!("../contractor/call_task.avsc"))
});
/// Feed `call_cost`.
pub static CALL_COST: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("contractor", "call_cost", include_str!("../contractor/call_cost.avsc"))
});
/// All commands.
pub static COMMANDS: LazyLock<CommandContract> =
    LazyLock::new(|| CommandContract::of(include_str!("../contractor/commands.avsc")));
