//! The contracts of the connector `quickq`.

use std::sync::LazyLock;

use crate::Contract;
use crate::command::CommandContract;

/// Feed `operation`.
pub static OPERATION: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "operation", include_str!("../quickq/operation.avsc")));
/// Feed `service`.
pub static SERVICE: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "service", include_str!("../quickq/service.avsc")));
/// Feed `ticket_range`.
pub static TICKET_RANGE: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("quickq", "ticket_range", include_str!("../quickq/ticket_range.avsc"))
});
/// Feed `workplace`.
pub static WORKPLACE: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "workplace", include_str!("../quickq/workplace.avsc")));
/// Feed `user_role`.
pub static USER_ROLE: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "user_role", include_str!("../quickq/user_role.avsc")));
/// Feed `user`.
pub static USER: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "user", include_str!("../quickq/user.avsc")));
/// Feed `qboard`.
pub static QBOARD: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "qboard", include_str!("../quickq/qboard.avsc")));
/// Feed `scoreboard`.
pub static SCOREBOARD: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("quickq", "scoreboard", include_str!("../quickq/scoreboard.avsc"))
});
/// Feed `registrator`.
pub static REGISTRATOR: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("quickq", "registrator", include_str!("../quickq/registrator.avsc"))
});
/// Feed `consumer`.
pub static CONSUMER: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "consumer", include_str!("../quickq/consumer.avsc")));
/// Feed `consumer_preregistered`.
pub static CONSUMER_PREREGISTERED: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of(
        "quickq",
        "consumer_preregistered",
        include_str!("../quickq/consumer_preregistered.avsc"),
    )
});
/// Feed `queue`.
pub static QUEUE: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("quickq", "queue", include_str!("../quickq/queue.avsc")));
/// Feed `operation_state`.
pub static OPERATION_STATE: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("quickq", "operation_state", include_str!("../quickq/operation_state.avsc"))
});
/// Feed `server_info`.
pub static SERVER_INFO: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("quickq", "server_info", include_str!("../quickq/server_info.avsc"))
});
/// All commands.
pub static COMMANDS: LazyLock<CommandContract> =
    LazyLock::new(|| CommandContract::of(include_str!("../quickq/commands.avsc")));
