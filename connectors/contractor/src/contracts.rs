//! The contracts of the class `contractor`, as they are checked in (`schemas/contractor/`).

talon_schemas::contracts! {
    "contractor":
    CALL = "call",
    CALL_MESSAGE = "call_message",
    CALL_JEOPARDY = "call_jeopardy",
    CALL_TASK = "call_task",
    CALL_COST = "call_cost",
}

talon_schemas::commands! { "contractor" }
