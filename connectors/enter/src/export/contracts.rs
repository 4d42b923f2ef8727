//! The contracts of the class `enter-export`, as they are checked in (`schemas/enter-export/`).

talon_schemas::contracts! {
    "enter-export":
    BRANCH = "branch",
    TICKET_SOURCE = "ticket_source",
    TICKET = "ticket",
    TICKET_OPERATION = "ticket_operation",
}
