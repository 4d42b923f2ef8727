//! The reference books and the names of their commands.

use serde::{Deserialize, Serialize};

/// A reference book (`quickq-websocket.txt`, section Справочники).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Book {
    Operation,
    Service,
    TicketRange,
    Workplace,
    UserRole,
    User,
    QBoard,
    ScoreBoard,
    Registrator,
    Consumer,
    ConsumerPreRegistered,
}

/// What a command does with a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Get,
    Set,
    New,
    Remove,
    RemoveAll,
    Subscribe,
    Unsubscribe,
}

impl Book {
    /// All books.
    pub const ALL: [Book; 11] = [
        Book::Operation,
        Book::Service,
        Book::TicketRange,
        Book::Workplace,
        Book::UserRole,
        Book::User,
        Book::QBoard,
        Book::ScoreBoard,
        Book::Registrator,
        Book::Consumer,
        Book::ConsumerPreRegistered,
    ];

    /// `TicketRange`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Book::Operation => "Operation",
            Book::Service => "Service",
            Book::TicketRange => "TicketRange",
            Book::Workplace => "Workplace",
            Book::UserRole => "UserRole",
            Book::User => "User",
            Book::QBoard => "QBoard",
            Book::ScoreBoard => "ScoreBoard",
            Book::Registrator => "Registrator",
            Book::Consumer => "Consumer",
            Book::ConsumerPreRegistered => "ConsumerPreRegistered",
        }
    }

    /// The command of the whole list, which is also the name of its pushes: `ticketRangeList`.
    pub fn list_command(self) -> String {
        let name = self.name();
        format!("{}{}List", name[..1].to_lowercase(), &name[1..])
    }

    /// Which book a command is about, and what it does with it.
    pub(super) fn of_command(command: &str) -> Option<(Book, Verb)> {
        Book::ALL.into_iter().find_map(|book| {
            if command == book.list_command() {
                return Some((book, Verb::List));
            }
            let prefix = command.strip_suffix(book.name());
            let plural = command.strip_suffix('s').and_then(|one| one.strip_suffix(book.name()));
            let verb = match (prefix, plural) {
                (Some("get"), _) => Verb::Get,
                (Some("set"), _) => Verb::Set,
                (Some("new"), _) => Verb::New,
                (Some("remove"), _) => Verb::Remove,
                (_, Some("removeAll")) => Verb::RemoveAll,
                (_, Some("subscribe")) => Verb::Subscribe,
                (_, Some("unsubscribe")) => Verb::Unsubscribe,
                _ => return None,
            };
            Some((book, verb))
        })
    }
}
