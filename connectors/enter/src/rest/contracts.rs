//! The contracts of the class `enter-rest`, as they are checked in (`schemas/enter-rest/`).

talon_schemas::contracts! {
    "enter-rest":
    BOARD_CALL = "board_call",
    TICKET = "ticket",
    BOOKING = "booking",
    PRODUCT = "product",
    MENU = "menu",
    MENU_ITEM = "menu_item",
    BRANCH = "branch",
    AWAITING = "awaiting",
    BOOKING_DAY = "booking_day",
    BOOKING_SLOT = "booking_slot",
    WORKPLACE = "workplace",
    OPERATOR_QUEUE = "operator_queue",
    PERSONAL_QUEUE = "personal_queue",
    SURVEY = "survey",
    QUEUE_STATISTICS = "queue_statistics",
    NETWORK_LOAD = "network_load",
    SERVICE_INDICATOR = "service_indicator",
    TICKET_HISTORY = "ticket_history",
}

talon_schemas::commands! { "enter-rest" }
