//! The commands: what is read before, what is sent once, and how an unclear reply is read back.
//!
//! * `visitor.rs`: what hits whoever is at a workplace; `invite.rs`, `workplace.rs`: its other commands.
//! * `hall.rs`, `new_ticket.rs`, `redirect.rs`: what the hall's administrator does with tickets.
//! * `booking.rs`, `survey.rs`: what a site for booking and a device for surveys do.
//!
//! `sender.rs` asks the upstream, `reading.rs` and `values.rs` read what it answers, `words.rs` is what it
//! says of errors, `answers.rs` what of a reply is passed on, `forms.rs` what the document leaves open.

mod answers;
mod booking;
pub(crate) mod config;
mod forms;
mod hall;
mod invite;
mod new_ticket;
mod reading;
mod redirect;
mod sender;
mod specs;
mod survey;
mod values;
mod visitor;
mod words;
mod workplace;

pub(crate) use self::forms::Forms;
pub(crate) use self::sender::Sender;
pub(crate) use self::specs::ACTIONS;
