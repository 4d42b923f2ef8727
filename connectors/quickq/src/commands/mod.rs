//! The commands: what is read before, what is sent once, and how an unclear reply is read back.
//!
//! * `hall.rs`: what concerns the visitor at a workplace.
//! * `register.rs`: a new visitor.
//! * `items.rs`: the items of the reference books.
//!
//! `reading.rs` asks the upstream, `sender.rs` sends and says what a reply is.

mod hall;
mod items;
mod reading;
mod register;
mod sender;

use talon_sdk::action::{Actions, actions};

pub(crate) use self::sender::Sender;

macro_rules! all {
    (books $($book:ident)*) => {
        /// All commands.
        pub(crate) static ACTIONS: Actions<Sender> = actions![
            hall::Hall<hall::NextConsumer>,
            hall::Hall<hall::CallConsumer>,
            hall::Hall<hall::RecallConsumer>,
            hall::Hall<hall::ServeOperation>,
            hall::Hall<hall::RejectOperation>,
            hall::Hall<hall::ServeConsumer>,
            hall::Hall<hall::RejectConsumer>,
            hall::Hall<hall::RejectService>,
            hall::Hall<hall::PostponeConsumer>,
            hall::Hall<hall::SkipConsumer>,
            hall::Hall<hall::AddService>,
            register::RegisterConsumer,
            $(
                items::New<items::$book>,
                items::Set<items::$book>,
                items::Remove<items::$book>,
                items::RemoveAll<items::$book>,
            )*
        ];
    };
}

all! {
    books Operation Service TicketRange Workplace UserRole User QBoard ScoreBoard Registrator Consumer
        ConsumerPreRegistered
}
