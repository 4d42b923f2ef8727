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
    /// Reads one item.
    pub(crate) get: String,
    new: String,
    set: String,
    remove: String,
    remove_all: String,
}

impl Commands {
    /// What the upstream calls a command of Talon's, if it is one of the books'; `all` is in the order of
    /// [`BOOKS`].
    pub(crate) fn spelled<'a>(all: &'a [Commands], name: &str) -> Option<&'a str> {
        BOOKS.iter().zip(all).find_map(|(book, commands)| {
            let plural = name.strip_suffix('s').and_then(|one| one.strip_suffix(book.name));
            match (name.strip_suffix(book.name), plural) {
                (Some("New"), _) => Some(&*commands.new),
                (Some("Set"), _) => Some(&*commands.set),
                (Some("Remove"), _) => Some(&*commands.remove),
                (_, Some("RemoveAll")) => Some(&*commands.remove_all),
                _ => None,
            }
        })
    }
}

/// Part of the setting, and what such a command does.
const VERBS: [(&str, &str); 7] = [
    ("list", "reads the whole book"),
    ("subscribe", "asks for the pushes of the book"),
    ("get", "reads one item of the book"),
    ("new", "adds an item to the book"),
    ("set", "changes an item of the book"),
    ("remove", "removes an item of the book"),
    ("remove.all", "empties the book"),
];

impl Book {
    /// The document spells out those of Service alone; the others follow its pattern.
    fn usual(self, verb: &str) -> String {
        let name = self.name;
        match verb {
            "list" => {
                let (first, rest) = name.split_at(1);
                format!("{}{rest}List", first.to_lowercase())
            }
            "subscribe" => format!("subscribe{name}s"),
            "remove.all" => format!("removeAll{name}s"),
            verb => format!("{verb}{name}"),
        }
    }

    fn key(self, verb: &str) -> String {
        format!("book.commands.{}.{verb}", self.feed)
    }

    /// Declares the settings for other spellings.
    pub(crate) fn keys(self) -> [Key; 7] {
        VERBS.map(|(verb, doc)| {
            Key::text(self.key(verb))
                .default(self.usual(verb))
                .doc(format!("The upstream's command that {doc} `{}`.", self.name))
        })
    }

    /// Reads them.
    pub(crate) fn commands(self, settings: &mut Settings<'_>) -> Commands {
        let [list, subscribe, get, new, set, remove, remove_all] = VERBS.map(|(verb, _)| {
            let key = self.key(verb);
            let name = settings.text(&key);
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
                let quoted = settings.quote(&key);
                settings.problem(&key, format!("{quoted}, expected the name of a command"));
            }
            name
        });
        Commands { list, subscribe, get, new, set, remove, remove_all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_follow_the_pattern_of_the_document() {
        let usual = |name: &str, verb: &str| {
            BOOKS.into_iter().find(|book| book.name == name).unwrap().usual(verb)
        };
        assert_eq!(usual("Service", "list"), "serviceList");
        assert_eq!(usual("Service", "subscribe"), "subscribeServices");
        assert_eq!(usual("Service", "get"), "getService");
        assert_eq!(usual("Service", "remove.all"), "removeAllServices");
        assert_eq!(usual("TicketRange", "list"), "ticketRangeList");
        assert_eq!(usual("QBoard", "list"), "qBoardList");
        assert_eq!(usual("ConsumerPreRegistered", "set"), "setConsumerPreRegistered");
    }

    #[test]
    fn every_command_of_a_book_has_its_spelling_and_no_other_has() {
        let usual = BOOKS.map(|book| {
            let [list, subscribe, get, new, set, remove, remove_all] =
                VERBS.map(|(verb, _)| book.usual(verb));
            Commands { list, subscribe, get, new, set, remove, remove_all }
        });
        for spec in crate::commands::ACTIONS.specs() {
            let is_of_book =
                ["New", "Set", "Remove"].iter().any(|verb| spec.name.starts_with(verb));
            let expected = is_of_book.then_some(spec.call);
            assert_eq!(Commands::spelled(&usual, spec.name), expected, "{}", spec.name);
        }
    }
}
