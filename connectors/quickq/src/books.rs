//! The reference books and the names of their commands.

use talon_sdk::config::{Key, Settings};

/// A reference book (`quickq-websocket.txt`, Перечень справочников).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Book {
    /// Name of its feed, and in settings.
    pub(crate) feed: &'static str,
    /// Name in the document.
    pub(crate) name: &'static str,
}

/// All books.
pub(crate) const BOOKS: [Book; 11] = [
    Book { feed: "operation", name: "Operation" },
    Book { feed: "service", name: "Service" },
    Book { feed: "ticket_range", name: "TicketRange" },
    Book { feed: "workplace", name: "Workplace" },
    Book { feed: "user_role", name: "UserRole" },
    Book { feed: "user", name: "User" },
    Book { feed: "qboard", name: "QBoard" },
    Book { feed: "scoreboard", name: "ScoreBoard" },
    Book { feed: "registrator", name: "Registrator" },
    Book { feed: "consumer", name: "Consumer" },
    Book { feed: "consumer_preregistered", name: "ConsumerPreRegistered" },
];

/// What the commands of one book are called on this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commands {
    /// Reads the whole list; also the name of its pushes.
    pub(crate) list: String,
    /// Asks for pushes.
    pub(crate) subscribe: String,
}

impl Book {
    /// The document spells out those of Service alone; the others follow its pattern.
    fn usual(self) -> Commands {
        let (first, rest) = self.name.split_at(1);
        Commands {
            list: format!("{}{rest}List", first.to_lowercase()),
            subscribe: format!("subscribe{}s", self.name),
        }
    }

    /// Declares the settings for other spellings.
    pub(crate) fn keys(self) -> [Key; 2] {
        let Commands { list, subscribe } = self.usual();
        let key = |verb: &str, usual: String, doc: &str| {
            Key::text(format!("book.commands.{}.{verb}", self.feed))
                .default(usual)
                .doc(format!("The upstream's command that {doc} `{}`.", self.name))
        };
        [
            key("list", list, "reads the whole book"),
            key("subscribe", subscribe, "asks for the pushes of the book"),
        ]
    }

    /// Reads them.
    pub(crate) fn commands(self, settings: &mut Settings<'_>) -> Commands {
        let mut read = |verb: &str| {
            let key = format!("book.commands.{}.{verb}", self.feed);
            let name = settings.text(&key);
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
                let quoted = settings.quote(&key);
                settings.problem(&key, format!("{quoted}, expected the name of a command"));
            }
            name
        };
        Commands { list: read("list"), subscribe: read("subscribe") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_follow_the_pattern_of_the_document() {
        let names: Vec<(String, String)> = BOOKS
            .into_iter()
            .map(|book| book.usual())
            .map(|commands| (commands.list, commands.subscribe))
            .collect();
        for expected in [
            ("serviceList", "subscribeServices"),
            ("ticketRangeList", "subscribeTicketRanges"),
            ("qBoardList", "subscribeQBoards"),
            ("consumerPreRegisteredList", "subscribeConsumerPreRegistereds"),
        ] {
            assert!(
                names.iter().any(|(a, b)| (a.as_str(), b.as_str()) == expected),
                "{expected:?}"
            );
        }
    }
}
