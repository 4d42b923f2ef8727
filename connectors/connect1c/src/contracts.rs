//! The contracts of the class `connect1c`, as they are checked in (`schemas/connect1c/`).

talon_schemas::contracts! {
    "connect1c":
    TREATMENT = "treatment",
    OPEN_TREATMENT = "open_treatment",
}
