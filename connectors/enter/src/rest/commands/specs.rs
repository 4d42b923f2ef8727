//! All commands.

use talon_sdk::action::{Actions, actions};

use super::sender::Sender;
use super::visitor::Guarded;
use super::{booking, hall, invite, new_ticket, redirect, survey, visitor, workplace};

/// All commands.
pub(crate) static ACTIONS: Actions<Sender> = actions![
    invite::InviteNext,
    invite::InviteTicket,
    Guarded<visitor::StartService>,
    Guarded<visitor::RejectVisitor>,
    Guarded<visitor::CompleteService>,
    Guarded<visitor::HoldVisitor>,
    Guarded<visitor::RedirectVisitor>,
    workplace::BeginBreak,
    workplace::EndBreak,
    workplace::ChangeUser,
    new_ticket::NewTicket,
    hall::AddProduct,
    hall::CancelProduct,
    hall::SetPriority,
    redirect::RedirectTicket,
    booking::Book,
    booking::ConfirmBooking,
    booking::CancelBooking,
    survey::BeginSurvey,
    survey::AnswerSurvey,
    survey::EndSurvey,
];
