//! What must not be seen, and where.

use talon_quickq::QuickQ;
use talon_sdk::Class;
use talon_simulators::quickq::{Book, Simulator};

use crate::support::consumer::read;
use crate::{CANARY, LOGIN, PASSWORD};

/// What leaves the process nowhere: the password and its hash, tokens, the licence's number.
pub(crate) struct Secrets([String; 4]);

impl Secrets {
    pub(crate) fn of(hall: &Simulator) -> Secrets {
        let hash = hall.book(Book::User)[&1]["password"].as_str().unwrap().to_owned();
        let token = format!("{:08x}-0000-4000", hall.settings().seed);
        Secrets([PASSWORD.to_owned(), hash, token, "1023919797".to_owned()])
    }

    fn are_not_in(&self, place: &str, text: &str) {
        for secret in &self.0 {
            let at = text.find(secret.as_str());
            assert_eq!(at, None, "`{secret}` is in {place}: {}", around(text, at));
        }
    }

    /// Nor are personal data.
    pub(crate) fn and_names_are_not_in(&self, place: &str, text: &str) {
        assert!(!text.is_empty(), "{place} is empty");
        self.are_not_in(place, text);
        for name in [CANARY, LOGIN] {
            let at = text.find(name);
            assert_eq!(at, None, "`{name}` is in {place}: {}", around(text, at));
        }
    }

    /// Personal data are in records of feeds and in the bytes of dead letters, and nowhere else.
    pub(crate) fn are_on_no_topic(&self, address: &str, prefix: &str) {
        let feeds = QuickQ.feeds();
        let feeds = feeds.iter().map(|feed| &*feed.name);
        for topic in feeds.chain(["results", "dlq"]) {
            let records = read(address, &format!("{prefix}.hall.{topic}"));
            assert!(!records.is_empty(), "`{topic}` is empty");
            for record in records {
                let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
                self.are_not_in(topic, &value);
                self.and_names_are_not_in(topic, &format!("{} {:?}", record.key, record.headers));
                if topic == "results" {
                    self.and_names_are_not_in(topic, &value);
                }
            }
        }
    }
}

fn around(text: &str, at: Option<usize>) -> &str {
    let line = at.map(|at| text[..at].rfind('\n').map_or(0, |end| end + 1));
    line.and_then(|start| text[start..].lines().next()).unwrap_or_default()
}
