//! Where a record goes.

use super::super::record::{Key, Record};
use super::super::sink::Address;
use super::template::{Template, Unroutable};

/// Longest name of a topic.
const MAX_TOPIC: usize = 249;

/// Which partition of its topic a record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partitioning {
    /// By its key.
    #[default]
    Key,
    /// The one that it came from: then the target must have as many.
    Same,
}

/// Where the records of a relay go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To a bus with subjects.
    Subject(Template),
    /// To a bus with topics.
    Topic {
        /// Name of the topic.
        topic: Template,
        /// Key of a record that comes from a bus without keys; none is a null key.
        key: Option<Template>,
        /// Which partition.
        partition: Partitioning,
    },
}

impl Route {
    /// The place of a record.
    ///
    /// # Errors
    /// Why it has none: it goes to the dead letters then.
    pub fn address(&self, record: &Record) -> Result<Address, Unroutable> {
        match self {
            Route::Subject(template) => {
                Ok(Address { name: template.subject(record)?, key: None, partition: None })
            }
            Route::Topic { topic, key, partition } => {
                let name = topic.plain(record)?;
                if let Some(problem) = topic_problem(&name) {
                    return Err(Unroutable(format!("its topic would be `{name}`, {problem}")));
                }
                let key = match (&record.key, key) {
                    (Key::Bytes(key), _) => Some(key.clone()),
                    (Key::Absent, Some(key)) => Some(key.plain(record)?.into()),
                    (Key::Null, _) | (Key::Absent, None) => None,
                };
                let partition = match partition {
                    Partitioning::Key => None,
                    Partitioning::Same => record.origin.as_ref().map(|origin| origin.partition),
                };
                Ok(Address { name, key, partition })
            }
        }
    }
}

/// Why a name is none for a topic.
pub(crate) fn topic_problem(name: &str) -> Option<&'static str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Some("which is empty")
    } else if name.len() > MAX_TOPIC {
        Some("which is longer than 249 characters")
    } else if name == "." || name == ".." {
        Some("which Kafka refuses")
    } else if !name.chars().all(is_legal) {
        Some("in which only letters, digits, `.`, `_` and `-` may stand")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::super::record::{Part, Position};
    use super::super::message::{Message, Stored, read_message};
    use super::*;

    fn published(subject: &str) -> Record {
        let Message { headers, payload } = Message::default();
        let (part, subject) = (Part::new("ORDERS", 0), subject.to_owned());
        let position = Position::default();
        read_message(Stored { part, position, subject, headers, payload, taken_ms: 0 })
    }

    fn route(topic: &str, key: Option<&str>) -> Route {
        let template = |text: &str| Template::parse(text).unwrap();
        let partition = Partitioning::Key;
        Route::Topic { topic: template(topic), key: key.map(template), partition }
    }

    #[test]
    fn a_message_without_a_key_gets_the_one_that_is_configured() {
        let record = published("orders.eu.7");
        let of = |key| route("{subject:1}", key).address(&record).unwrap();
        assert_eq!(of(None).key, None);
        assert_eq!(of(Some("{subject:2..}")).key, Some(Bytes::from_static(b"eu.7")));
        assert_eq!(of(None).name, "orders");
    }

    #[test]
    fn a_key_that_a_record_brings_stays_also_if_it_is_null() {
        for (key, expected) in [(Key::Null, None), (Key::Bytes("k".into()), Some("k".into()))] {
            let record = Record { key, ..published("orders.eu.7") };
            let address = route("t", Some("{subject:2}")).address(&record).unwrap();
            assert_eq!(address.key, expected);
        }
    }

    #[test]
    fn a_topic_that_kafka_refuses_is_told() {
        for (subject, why) in [("a/b.x", "letters"), ("..x", "empty")] {
            let refused = route("{subject:1}", None).address(&published(subject)).unwrap_err();
            assert!(refused.to_string().contains(why), "{refused}");
        }
    }
}
