//! Enumerations of the document.

use talon_sdk::entity::Codes;

/// TicketSourceType.
#[derive(Debug, Default)]
pub(super) struct SourceType;

impl Codes for SourceType {
    const KNOWN: &'static [(i64, &'static str)] = &[
        (0, "terminal"),
        (1, "public_booking_api"),
        (2, "hall_administrator_api"),
        (3, "ticket_import_api"),
        (4, "state_services_portal"),
        (5, "federal_tax_service"),
    ];
}

/// TicketState.
#[derive(Debug, Default)]
pub(crate) struct TicketState;

impl Codes for TicketState {
    const KNOWN: &'static [(i64, &'static str)] = &[
        (0, "new"),
        (1, "waiting"),
        (2, "being_served"),
        (3, "not_waiting"),
        (4, "held_by_operator"),
    ];
}

/// TicketProductState; 11 is not listed.
#[derive(Debug, Default)]
pub(crate) struct ProductState;

impl Codes for ProductState {
    const KNOWN: &'static [(i64, &'static str)] = &[
        (0, "reserved"),
        (1, "reservation_cancelled"),
        (2, "booked"),
        (3, "in_queue"),
        (4, "invited"),
        (5, "being_served"),
        (6, "in_personal_queue"),
        (7, "no_show"),
        (8, "redirected"),
        (9, "served"),
        (10, "cancelled"),
        (12, "no_show_to_be_called_again"),
        (13, "booked_not_activated"),
        (14, "cancelled_not_activated"),
        (15, "not_yet_available"),
        (16, "confirmed"),
        (17, "not_rendered"),
    ];
}

/// Whether a service can still change. Which states are final is not documented; these are the ones
/// of which nothing suggests otherwise.
pub(super) fn is_open(product_state: Option<i64>) -> bool {
    !matches!(product_state, Some(1 | 7 | 8 | 9 | 10 | 14 | 17))
}
