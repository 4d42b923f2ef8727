//! The two stores as this process has read them.

use std::collections::BTreeMap;
use std::time::Instant;

use talon_runtime::bus::{Entry, Told};

use crate::dead_letters::{self, Answer, Request};

use super::records::{About, Configured, Restart, Status, Target, Wanted, about, of_relay};

/// What is read of an entry, with its revision.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) value: T,
    pub(crate) revision: u64,
    /// When it was seen here first.
    pub(crate) at: Instant,
}

/// The stores as this process has read them.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    /// Whether all of the configurations has been read once.
    pub(crate) is_current: bool,
    /// Why they cannot be read now.
    pub(crate) trouble: Option<String>,
    connectors: BTreeMap<String, Seen<Configured>>,
    wanted: BTreeMap<String, Seen<Wanted>>,
    restarts: BTreeMap<String, Seen<Restart>>,
    statuses: BTreeMap<String, Status>,
    /// What is asked of dead letters, and what became of it, by connector.
    requests: BTreeMap<String, Request>,
    answers: BTreeMap<String, Answer>,
    /// The newest revision of each key of the configurations, also of what was removed or cannot be read.
    revisions: BTreeMap<String, u64>,
}

impl Picture {
    /// Takes in what the store of configurations tells. Gives the connector that it is about.
    pub(crate) fn take(&mut self, told: Told) -> Option<String> {
        match told {
            Told::Current => {
                (self.is_current, self.trouble) = (true, None);
                None
            }
            Told::Trouble(fault) => {
                self.trouble = Some(fault.to_string());
                None
            }
            Told::Entry(entry) => self.entry(&entry),
            Told::Removed(key) => {
                self.revisions.remove(&key);
                if let Some(name) = dead_letters::connector(&key) {
                    self.requests.remove(name);
                }
                let name = match about(&key)? {
                    About::Connector(name) => drop_seen(&mut self.connectors, name),
                    About::Target(name) => drop_seen(&mut self.wanted, name),
                    About::Restart(name) => drop_seen(&mut self.restarts, name),
                    About::Status(_) | About::Level(_) => return None,
                };
                Some(name.to_owned())
            }
        }
    }

    fn entry(&mut self, Entry { key, value, revision }: &Entry) -> Option<String> {
        self.revisions.insert(key.clone(), *revision);
        if let Some(name) = dead_letters::connector(key) {
            self.requests.remove(name);
            let request = Request::of_json(value);
            self.requests.extend(request.map(|request| (name.to_owned(), request)));
        }
        let name = match about(key)? {
            About::Connector(name) => {
                let read = Configured::of_json(value);
                keep(&mut self.connectors, name, read, *revision)
            }
            About::Target(name) => keep(&mut self.wanted, name, Wanted::of_json(value), *revision),
            About::Restart(name) => {
                keep(&mut self.restarts, name, Restart::of_json(value), *revision)
            }
            About::Status(_) | About::Level(_) => return None,
        };
        Some(name.to_owned())
    }

    /// Takes in what the store of states tells.
    pub(crate) fn take_status(&mut self, told: Told) {
        match told {
            Told::Entry(Entry { key, value, .. }) => {
                if let (Some(About::Status(name)), Some(status)) =
                    (about(&key), Status::of_json(&value))
                {
                    self.statuses.insert(name.to_owned(), status);
                }
                if let (Some(name), Some(answer)) =
                    (dead_letters::connector(&key), Answer::of_json(&value))
                {
                    self.take_answer(name, answer);
                }
            }
            Told::Removed(key) => {
                if let Some(About::Status(name)) = about(&key) {
                    self.statuses.remove(name);
                }
            }
            Told::Current | Told::Trouble(_) => {}
        }
    }

    /// What became of a request.
    pub(crate) fn take_answer(&mut self, connector: &str, answer: Answer) {
        self.answers.insert(connector.to_owned(), answer);
    }

    /// What is asked of dead letters and not answered yet, by connector.
    pub(crate) fn open_requests(&self, now_ms: i64) -> Vec<(String, Request)> {
        let is_open = |name: &String, request: &Request| {
            let answer = self.answers.get(name);
            self.is_current
                && !request.is_over(now_ms)
                && answer.is_none_or(|answer| answer.id != request.id)
        };
        let open = self.requests.iter().filter(|(name, request)| is_open(name, request));
        open.map(|(name, request)| (name.clone(), request.clone())).collect()
    }

    /// Names of the connectors that the store has.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.connectors.keys()
    }

    pub(crate) fn connector(&self, name: &str) -> Option<&Seen<Configured>> {
        self.connectors.get(name)
    }

    /// What is wanted of a connector that the store has.
    pub(crate) fn target(&self, name: &str) -> Option<Target> {
        let configured = &self.connectors.get(name)?.value;
        Some(self.wanted_of(name, configured).map_or(configured.initial, |seen| seen.value.target))
    }

    /// What is wanted of a relay: it runs while nobody says anything else.
    pub(crate) fn target_of_relay(&self, name: &str) -> Target {
        self.wanted.get(&of_relay(name)).map_or(Target::Running, |seen| seen.value.target)
    }

    /// Since when that is known here.
    pub(crate) fn target_since(&self, name: &str) -> Option<Instant> {
        let seen = self.connectors.get(name)?;
        Some(self.wanted_of(name, &seen.value).map_or(seen.at, |wanted| wanted.at))
    }

    fn wanted_of(&self, name: &str, configured: &Configured) -> Option<&Seen<Wanted>> {
        let is_its =
            |seen: &&Seen<Wanted>| seen.value.of.as_ref().is_none_or(|of| *of == configured.id);
        self.wanted.get(name).filter(is_its)
    }

    pub(crate) fn restart(&self, name: &str) -> Option<&Seen<Restart>> {
        self.restarts.get(name)
    }

    pub(crate) fn status(&self, name: &str) -> Option<&Status> {
        self.statuses.get(name)
    }

    /// The revision of a key; none where nothing is there.
    pub(crate) fn revision(&self, key: &str) -> Option<u64> {
        self.revisions.get(key).copied()
    }
}

/// What cannot be read is as if it were not there; its revision is known all the same.
fn keep<'n, T>(
    map: &mut BTreeMap<String, Seen<T>>,
    name: &'n str,
    value: Option<T>,
    revision: u64,
) -> &'n str {
    match value {
        Some(value) => {
            map.insert(name.to_owned(), Seen { value, revision, at: Instant::now() });
        }
        None => {
            tracing::warn!(connector = name, "a record of its configuration cannot be read");
            map.remove(name);
        }
    }
    name
}

fn drop_seen<'n, T>(map: &mut BTreeMap<String, Seen<T>>, name: &'n str) -> &'n str {
    map.remove(name);
    name
}

#[cfg(test)]
mod tests {
    use super::super::records::{Config, connector_key, target_key};
    use super::*;

    fn entry(key: String, value: Vec<u8>, revision: u64) -> Told {
        Told::Entry(Entry { key, value: value.into(), revision })
    }

    #[test]
    fn what_was_wanted_of_a_deleted_connector_does_not_concern_the_next_of_its_name() {
        let mut picture = Picture::default();
        let first = Configured::new(Config::new(), Target::Running);
        picture.take(entry(connector_key("a"), first.to_json(), 1));
        assert_eq!(picture.target("a"), Some(Target::Running));
        let paused = Wanted { target: Target::Paused, of: Some(first.id.clone()) };
        picture.take(entry(target_key("a"), paused.to_json(), 2));
        assert_eq!(picture.target("a"), Some(Target::Paused));
        picture.take(Told::Removed(connector_key("a")));
        assert_eq!(picture.target("a"), None);
        let second = Configured::new(Config::new(), Target::Stopped);
        picture.take(entry(connector_key("a"), second.to_json(), 4));
        assert_eq!(picture.target("a"), Some(Target::Stopped));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_no_connector_and_can_be_written_over() {
        let mut picture = Picture::default();
        let name = picture.take(entry(connector_key("a"), b"{".to_vec(), 7));
        assert_eq!(name.as_deref(), Some("a"));
        assert!(picture.connector("a").is_none());
        assert_eq!(picture.revision(&connector_key("a")), Some(7));
    }
}
