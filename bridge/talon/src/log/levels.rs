//! Levels of loggers, changed while the process runs, as Kafka Connect's `/admin/loggers` does it.
//!
//! A logger is a target of `tracing`: the path of a module, `talon_kafka::group`. Its level is that of the longest
//! name before it that has one; `root` is before all.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The name of what is before all loggers.
const ROOT: &str = "root";

/// Crates that log, so that they are listed before anybody has set a level of theirs.
const KNOWN: &[&str] = &[
    "async_nats",
    "librdkafka",
    "talon",
    "talon_connect1c",
    "talon_contractor",
    "talon_enter",
    "talon_http",
    "talon_kafka",
    "talon_nats",
    "talon_quickq",
    "talon_runtime",
    "talon_sdk",
];

/// Of this process.
static LEVELS: OnceLock<Levels> = OnceLock::new();

/// Changes the filter of the log.
pub(crate) type Handle = reload::Handle<EnvFilter, Registry>;

/// Levels of loggers.
struct Levels {
    state: Mutex<State>,
    handle: Handle,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    /// What of `--log` is no level of a logger, such as a filter by fields. It stays.
    rest: Vec<String>,
    /// What was set, by logger.
    set: BTreeMap<String, Set>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    level: LevelFilter,
    /// Milliseconds since 1970 UTC; none where it was so at the start.
    at_ms: Option<i64>,
}

/// A level as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) level: String,
    /// When it was changed, milliseconds since 1970 UTC.
    pub(crate) at_ms: Option<i64>,
}

/// From now on levels can be changed.
pub(crate) fn start(filter: &str, handle: Handle) {
    LEVELS.get_or_init(|| Levels { state: Mutex::new(State::of(filter)), handle });
}

/// All loggers that are known, with their levels.
pub(crate) fn all() -> BTreeMap<String, Shown> {
    LEVELS.get().map(|levels| levels.state().all()).unwrap_or_default()
}

/// The level of a logger; none where it is not known.
pub(crate) fn of(logger: &str) -> Option<Shown> {
    let logger = if logger.eq_ignore_ascii_case(ROOT) { ROOT } else { logger };
    let state = LEVELS.get()?.state();
    state.all().remove(logger).or_else(|| {
        // One below a known one has its level.
        let is_below = |known: &&str| is_in(logger, known);
        KNOWN.iter().any(is_below).then(|| state.shown(logger))
    })
}

/// A level by its name.
pub(crate) fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.to_uppercase().as_str() {
        "TRACE" | "ALL" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => return None,
    })
}

/// Whether a text can be the name of a logger.
///
/// # Errors
/// What is expected.
pub(crate) fn check(logger: &str) -> Result<(), String> {
    match is_name(logger) {
        true => Ok(()),
        false => Err(format!(
            "`{logger}` is no name of a logger, expected `root` or the path of a module such as `talon_kafka::group`"
        )),
    }
}

/// Sets the level of a logger and of all below it. Gives the names of those that it changed.
///
/// # Errors
/// It is no name of a logger.
pub(crate) fn set(logger: &str, level: LevelFilter, now_ms: i64) -> Result<Vec<String>, String> {
    let Some(levels) = LEVELS.get() else { return Ok(Vec::new()) };
    let mut state = levels.state();
    let mut next = state.clone();
    let changed = next.set(logger, level, now_ms)?;
    let filter = EnvFilter::try_new(next.filter()).map_err(|error| error.to_string())?;
    levels.handle.reload(filter).map_err(|error| error.to_string())?;
    *state = next;
    Ok(changed)
}

impl Levels {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(filter: &str) -> State {
        let mut state = State { rest: Vec::new(), set: BTreeMap::new() };
        // A filter by fields may have commas of its own; then nothing of it is taken apart.
        let parts: Vec<&str> =
            if filter.contains('[') { vec![filter] } else { filter.split(',').collect() };
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            let (name, word) = match part.split_once('=') {
                Some((name, word)) => (name, word),
                None if level(part).is_some() => (ROOT, part),
                None => (part, "TRACE"),
            };
            match level(word) {
                Some(level) if is_name(name) => {
                    state.set.insert(name.to_owned(), Set { level, at_ms: None });
                }
                _ => state.rest.push(part.to_owned()),
            }
        }
        // What no directive is about is not logged but for errors.
        state.set.entry(ROOT.to_owned()).or_insert(Set { level: LevelFilter::ERROR, at_ms: None });
        state
    }

    /// As `EnvFilter` reads it.
    fn filter(&self) -> String {
        let set = self.set.iter().map(|(name, Set { level, .. })| match name.as_str() {
            ROOT => level.to_string(),
            name => format!("{name}={level}"),
        });
        self.rest.iter().cloned().chain(set).collect::<Vec<_>>().join(",")
    }

    fn all(&self) -> BTreeMap<String, Shown> {
        let names = KNOWN.iter().copied().chain(self.set.keys().map(String::as_str));
        names.map(|name| (name.to_owned(), self.shown(name))).collect()
    }

    fn shown(&self, logger: &str) -> Shown {
        // The longest is the last.
        let holders = self.set.iter().filter(|(name, _)| is_in(logger, name));
        let longest = holders.max_by_key(|(name, _)| if *name == ROOT { 0 } else { name.len() });
        let level = longest.map_or(LevelFilter::ERROR, |(_, set)| set.level);
        let at_ms = self.set.get(logger).and_then(|set| set.at_ms);
        Shown { level: level.to_string().to_uppercase(), at_ms }
    }

    fn set(
        &mut self,
        logger: &str,
        level: LevelFilter,
        now_ms: i64,
    ) -> Result<Vec<String>, String> {
        check(logger)?;
        let logger = if logger.eq_ignore_ascii_case(ROOT) { ROOT } else { logger };
        let before = self.all();
        let set = Set { level, at_ms: Some(now_ms) };
        for (_, below) in self.set.iter_mut().filter(|(name, _)| is_in(name, logger)) {
            *below = set;
        }
        self.set.insert(logger.to_owned(), set);
        let now = self.all();
        let is_changed = |(name, shown): &(String, Shown)| {
            before.get(name).is_none_or(|before| before.level != shown.level)
        };
        let changed: Vec<String> =
            now.into_iter().filter(is_changed).map(|(name, _)| name).collect();
        Ok(changed)
    }
}

/// Whether a logger is another one or below it.
fn is_in(logger: &str, other: &str) -> bool {
    other == ROOT
        || logger.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What a filter takes as a name, and means nothing else.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.len() <= 200 && level(name).is_none() && name.split("::").all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(state: &State, logger: &str) -> String {
        state.shown(logger).level
    }

    #[test]
    fn levels_are_those_of_the_longest_name_and_a_change_holds_for_all_below() {
        let mut state = State::of("info,async_nats=warn, talon_kafka::group=debug");
        assert_eq!(state.rest, Vec::<String>::new());
        for (logger, level) in [
            ("root", "INFO"),
            ("talon", "INFO"),
            ("async_nats::client", "WARN"),
            ("talon_kafka", "INFO"),
            ("talon_kafka::group::member", "DEBUG"),
            ("talon_kafka::groups", "INFO"),
        ] {
            assert_eq!(shown(&state, logger), level, "{logger}");
        }
        let changed = state.set("talon_kafka", LevelFilter::TRACE, 5).unwrap();
        assert_eq!(changed, ["talon_kafka", "talon_kafka::group"]);
        assert_eq!(shown(&state, "talon_kafka::group"), "TRACE");
        assert_eq!(state.shown("talon_kafka").at_ms, Some(5));
        assert_eq!(state.shown("talon").at_ms, None);
        state.set("ROOT", LevelFilter::OFF, 6).unwrap();
        assert!(state.all().values().all(|shown| shown.level == "OFF"));
        state.set("talon", LevelFilter::WARN, 7).unwrap();
        let filter = EnvFilter::try_new(state.filter()).unwrap().to_string();
        assert!(filter.contains("talon=warn"), "{filter}");
    }

    #[test]
    fn what_is_no_level_of_a_logger_stays_and_what_is_no_name_is_refused() {
        let by_field = "talon[span{a=1}]=debug,info";
        let mut state = State::of(by_field);
        assert_eq!(state.rest, [by_field]);
        assert!(EnvFilter::try_new(state.filter()).is_ok());
        for odd in ["", "a b", "a=b", "a,b", "[x]", "debug", "a:b", "::a", "org.apache.kafka"] {
            assert!(state.set(odd, LevelFilter::INFO, 0).is_err(), "{odd}");
        }
        for (name, level) in [("", "ERROR"), ("talon_kafka", "TRACE"), ("off", "OFF")] {
            let first = if name.is_empty() { "root" } else { "talon_kafka" };
            assert_eq!(shown(&State::of(name), first), level, "{name}");
        }
    }
}
