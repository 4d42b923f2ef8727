//! The contracts of the class `quickq`, as they are checked in (`schemas/quickq/`).

talon_schemas::contracts! {
    "quickq":
    OPERATION = "operation",
    SERVICE = "service",
    TICKET_RANGE = "ticket_range",
    WORKPLACE = "workplace",
    USER_ROLE = "user_role",
    USER = "user",
    QBOARD = "qboard",
    SCOREBOARD = "scoreboard",
    REGISTRATOR = "registrator",
    CONSUMER = "consumer",
    CONSUMER_PREREGISTERED = "consumer_preregistered",
    QUEUE = "queue",
    OPERATION_STATE = "operation_state",
    SERVER_INFO = "server_info",
}

talon_schemas::commands! { "quickq" }
