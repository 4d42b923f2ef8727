//! Visitors: of the live queue, by appointment, in the queue of a workplace.

use talon_sdk::entity::{Flag, Instant, Int, RawJson, Record, Required, Word};
use talon_sdk::record::{Extra, Text};

use super::services::Services;
use super::states::State;
use super::values::Reference;

macro_rules! visitors {
    ($($(#[$about:meta])* $name:ident { $($before:tt)* })*) => {$(
        $(#[$about])*
        #[derive(Record)]
        #[record(namespace = "talon.quickq")]
        pub(crate) struct $name<'a> {
            $($before)*
            #[from("id")]
            pub(crate) id: Required<Int>,
            /// Cyrillic and Latin letters look alike; may be empty.
            #[from("prefix")]
            prefix: Option<Text<'a>>,
            #[from("number")]
            number: Option<Int>,
            /// Repeats daily.
            #[from("ticket")]
            ticket: Option<Text<'a>>,
            #[from("priority")]
            priority: Option<Int>,
            /// Upstream: registration.
            #[from("registration")]
            registered_at: Option<Instant<'a>>,
            #[from("active")]
            active: Option<Flag>,
            /// Where the visitor is; null: nowhere (upstream −1).
            #[from("workplace_id")]
            workplace_id: Option<Reference>,
            /// Upstream: last_call.
            #[from("last_call")]
            called_at: Option<Instant<'a>>,
            /// Upstream: postpone_to.
            #[from("postpone_to")]
            postponed_until: Option<Instant<'a>>,
            /// Upstream: mayCall.
            #[from("mayCall")]
            may_call: Option<Flag>,
            /// No reliable outcome: see the operations.
            #[from("state")]
            state: Option<Word<'a, State>>,
            /// Upstream: state_changed.
            #[from("state_changed")]
            state_changed_at: Option<Instant<'a>>,
            #[from("vanish_count")]
            vanish_count: Option<Int>,
            #[from("comment")]
            #[record(pii)]
            comment: Option<Text<'a>>,
            #[from("pin_code")]
            #[record(pii)]
            pin_code: Option<Text<'a>>,
            /// Base64.
            #[from("photo")]
            #[record(pii)]
            photo: Option<Text<'a>>,
            /// By service, stage and operation. Upstream: services.
            #[from("services")]
            operations: Services<'a>,
            extra: Extra<'a>,
            /// Changes with every touch, so that it alone is no change. Upstream: last_update.
            #[from("last_update")]
            #[record(volatile)]
            updated_at: Option<Instant<'a>>,
            /// JSON text, as sent with the visitor; a copy of the feed workplace, which alone is no change.
            #[from("workplace")]
            #[record(volatile)]
            workplace: Option<RawJson<'a>>,
        }

        impl $name<'_> {
            /// When the upstream touched it last, as far as it says.
            pub(crate) fn changed_at(&self) -> Option<i64> {
                let told = [&self.updated_at, &self.state_changed_at, &self.called_at];
                told.into_iter().flatten().next().map(Instant::micros)
            }
        }
    )*};
}

visitors! {
    /// A visitor of the live queue. Upstream: Consumer.
    Consumer {
        /// Key.
    }
    /// A visitor by appointment; the upstream document does not describe it. Upstream: ConsumerPreRegistered.
    ConsumerPreRegistered {
        /// Key.
    }
    /// A visitor in the queue of a workplace. Upstream: currentQueue.
    QueuedConsumer {
        /// Key: whose queue it is.
        #[record(made)]
        pub(crate) queue_workplace_id: i64,
        /// Key: the visitor.
    }
}
