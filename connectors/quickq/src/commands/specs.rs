//! All commands: what they are ordered by, whether they may be sent again, how they are read back.

use talon_sdk::Repeat::{Always, Converges, Never};
use talon_sdk::{CommandSpec, OrderingKey, Repeat};

const PLACE: OrderingKey = OrderingKey::Params(&["workplace_id"]);
const ITEM: OrderingKey = OrderingKey::Params(&["id"]);
const WHO: &[&str] = &["consumer_id"];
const NOTHING: &[&str] = &[];

const fn spec(
    name: &'static str,
    key: OrderingKey,
    repeat: Repeat,
    expect: &'static [&'static str],
    call: &'static str,
    probe: &'static str,
) -> CommandSpec {
    CommandSpec { expect, call, probe, ..CommandSpec::of(name, key, repeat) }
}

macro_rules! commands {
    (
        $($name:literal $key:ident $repeat:ident $expect:ident $call:literal $probe:literal;)*
        books $($book:literal)*
    ) => {
        /// All commands.
        pub(crate) static SPECS: &[CommandSpec] = &[
            $(spec($name, $key, $repeat, $expect, $call, $probe),)*
            $(
                spec(concat!("New", $book), OrderingKey::Own, Never, NOTHING, concat!("new", $book),
                    "an item with the same name that was not there before"),
                spec(concat!("Set", $book), ITEM, Always, NOTHING, concat!("set", $book), "not needed"),
                spec(concat!("Remove", $book), ITEM, Converges, NOTHING, concat!("remove", $book),
                    "whether the item is there"),
                spec(concat!("RemoveAll", $book, "s"), OrderingKey::Fixed($book), Converges, NOTHING,
                    concat!("removeAll", $book, "s"), "whether the book is empty"),
            )*
        ];

        /// Names of all commands, for the setting `commands`.
        pub(super) const NAMES: &[&str] = &[
            $($name,)*
            $(
                concat!("New", $book), concat!("Set", $book), concat!("Remove", $book),
                concat!("RemoveAll", $book, "s"),
            )*
        ];
    };
}

commands! {
    "NextConsumer" PLACE Never WHO "nextConsumer" "who is at the workplace, before and after";
    "CallConsumer" PLACE Converges WHO "consumerFromQueueBody" "where the visitor is";
    "RecallConsumer" PLACE Converges WHO "retryCallConsumer" "when the visitor was called last";
    "ServeOperation" PLACE Converges WHO "serveOperation" "the state of the operation";
    "RejectOperation" PLACE Converges WHO "rejectOperation" "the state of the operation";
    "ServeConsumer" PLACE Never WHO "serveConsumer" "the states of the visitor's operations, before and after";
    "RejectConsumer" PLACE Never WHO "rejectConsumer" "the states of the visitor's operations, before and after";
    "RejectService" PLACE Never WHO "rejectService" "the states of the visitor's operations, before and after";
    "PostponeConsumer" PLACE Never WHO "postponeConsumer" "until when the visitor is put off, before and after";
    "SkipConsumer" PLACE Never WHO "skipConsumer" "who is at the workplace, before and after";
    "AddService" PLACE Converges WHO "addService" "the visitor's services";
    "RegisterConsumer" OWN Never NOTHING "registrateConsumer" "the visitor whose comment has the command's marker";
    books
        "Operation" "Service" "TicketRange" "Workplace" "UserRole" "User" "QBoard" "ScoreBoard"
        "Registrator" "Consumer" "ConsumerPreRegistered"
}

const OWN: OrderingKey = OrderingKey::Own;

/// What is removed is gone for good, so these are off unless `commands` names them.
pub(super) fn is_dangerous(name: &str) -> bool {
    name.starts_with("Remove")
}
