use std::borrow::Cow;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use talon_schemas::Contract;

use crate::config::{Importance, Key, Settings};
use crate::{Cursor, Fault, Observation};

/// Whether entities change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mutable entities under a key: compacted topic, tombstones.
    Table,
    /// Immutable facts under an id: retained by time.
    Log,
}

/// What is known of a feed before anything is configured.
///
/// ```
/// use std::sync::LazyLock;
///
/// use talon_schemas::Contract;
/// use talon_sdk::FeedSpec;
///
/// static TASK: LazyLock<Contract> = LazyLock::new(|| {
///     let file = r#"{"type":"record","name":"Task","namespace":"talon.desk","fields":[]}"#;
///     Contract::of("desk", "task", file)
/// });
/// let spec = FeedSpec::table("task", &TASK).by("id").from("GET /tasks").doc("All tasks.");
/// assert_eq!(spec.contract().full_name(), "talon.desk.task.Envelope");
/// ```
#[derive(Clone)]
pub struct FeedSpec {
    /// Name, as in topics, settings and metrics: `call_message`.
    pub name: Arc<str>,
    /// Table or log.
    pub kind: Kind,
    /// What the key is made of, for people.
    pub key: Cow<'static, str>,
    /// Where it is read from, for people.
    pub from: Cow<'static, str>,
    /// One sentence for `talon plugins`.
    pub doc: Cow<'static, str>,
    contract: Arc<dyn Fn() -> &'static Contract + Send + Sync>,
}

impl FeedSpec {
    /// A feed whose events have the schema that `contract` gives, when it is needed: to compile one takes
    /// a while.
    pub fn new(
        kind: Kind,
        name: impl Into<Arc<str>>,
        contract: impl Fn() -> &'static Contract + Send + Sync + 'static,
    ) -> FeedSpec {
        FeedSpec {
            name: name.into(),
            kind,
            key: Cow::Borrowed(""),
            from: Cow::Borrowed(""),
            doc: Cow::Borrowed(""),
            contract: Arc::new(contract),
        }
    }

    /// Mutable entities under a key.
    pub fn table(name: impl Into<Arc<str>>, contract: &'static LazyLock<Contract>) -> FeedSpec {
        FeedSpec::new(Kind::Table, name, move || contract)
    }

    /// Immutable facts under an id.
    pub fn log(name: impl Into<Arc<str>>, contract: &'static LazyLock<Contract>) -> FeedSpec {
        FeedSpec::new(Kind::Log, name, move || contract)
    }

    /// What the key is made of, for people.
    #[must_use]
    pub fn by(self, key: impl Into<Cow<'static, str>>) -> FeedSpec {
        FeedSpec { key: key.into(), ..self }
    }

    /// Where it is read from, for people.
    #[must_use]
    pub fn from(self, from: impl Into<Cow<'static, str>>) -> FeedSpec {
        FeedSpec { from: from.into(), ..self }
    }

    /// One sentence for `talon plugins`.
    #[must_use]
    pub fn doc(self, doc: impl Into<Cow<'static, str>>) -> FeedSpec {
        FeedSpec { doc: doc.into(), ..self }
    }

    /// The setting `feeds`: which of a class's feeds are read, by default all.
    pub fn key(specs: &[FeedSpec], doc: impl Into<Cow<'static, str>>) -> Key {
        let names: Vec<String> = specs.iter().map(|spec| spec.name.to_string()).collect();
        Key::list("feeds", names.clone())
            .default(names.join(","))
            .importance(Importance::Medium)
            .doc(doc)
    }

    /// The feeds that the setting `feeds` switches on, in its order.
    pub fn enabled(specs: &[FeedSpec], settings: &mut Settings<'_>) -> Vec<Arc<FeedSpec>> {
        let wanted = settings.list("feeds");
        // Another name is a problem of the declaration already.
        let find = |name: &String| specs.iter().find(|spec| *spec.name == **name);
        wanted.iter().filter_map(find).cloned().map(Arc::new).collect()
    }

    /// The schemas of these feeds.
    pub fn contracts(specs: &[FeedSpec]) -> Vec<&'static Contract> {
        specs.iter().map(FeedSpec::contract).collect()
    }

    /// The schema of its events.
    pub fn contract(&self) -> &'static Contract {
        (self.contract)()
    }
}

impl std::fmt::Debug for FeedSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads one resource of an upstream.
///
/// One task owns a feed. It calls [`Feed::next`] at the feed's poll interval, and drops the feed
/// after a fault and opens it anew. The call may be cancelled at any await: a feed keeps nothing that
/// a new one could not read again from the cursor.
#[async_trait]
pub trait Feed: Send {
    /// Reads once, from where `from` points; `None` is the beginning.
    ///
    /// For a feed that is pushed to, waits for the next push.
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault>;

    /// How long the runtime waits before the next call, asked after each observation. `None` is until
    /// a poll interval after the start of the last read; a feed with cadences of its own says it here.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// Whether [`Feed::next`] is to be called again only when the cursor of the last observation is committed,
    /// which is then done at once. Asked after each observation.
    ///
    /// For what must be known before it is done, because doing it twice costs something: a call that is
    /// counted stands in the cursor before it is made. Where the cursor could not be committed, the feed is
    /// opened anew from the one before.
    fn waits_for_commit(&self) -> bool {
        false
    }

    /// What a person should look at, though reading works: shown as the state `degraded` until this is
    /// `None` again. Asked after each observation. Written as a [`Fault`]'s reason is.
    fn doubt(&self) -> Option<String> {
        None
    }

    /// The scopes that the feed keeps up to date, for a feed that has several. Asked after each
    /// observation.
    ///
    /// The freshness of the feed is that of the scope that was read longest ago, so one that is stuck is
    /// seen beside many that are not. A scope that is listed for the first time ages from then on. One
    /// that is not listed any more is final, or retired, and does not age. A feed that was opened anew
    /// lists the scopes again; what the runtime knows of them is kept.
    ///
    /// `None` is a feed of one scope: each observation is of all there is. Where nothing has changed, a
    /// clone of the last list saves a comparison.
    fn follows(&mut self) -> Option<Arc<[String]>> {
        None
    }
}

/// How the rows of a feed read. Called for every row on the thread that publishes.
pub trait RowCodec: Send + Sync {
    /// Writes the row's key into `key`, if it can be told without decoding the row.
    ///
    /// It lets an unchanged row be recognised by a hash of its bytes. `false` costs time only; `true`
    /// with a key that [`RowCodec::decode`] would not give costs an entity: what is peeked here is
    /// taken as seen, and what is not, as absent.
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool;

    /// Decodes, normalises and encodes a row, with instants in microseconds, into `out`, whose buffers are empty and reused; with the
    /// facts that the row tells, where another feed has them.
    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault>;

    /// Whether observations of the feed can tell of absence. Where not, all of them are taken as
    /// deltas, and long keys take no memory of their own.
    fn tells_absence(&self) -> bool {
        true
    }

    /// Forgets what [`RowCodec::remember`] was told: what was published is about to be read back.
    fn forget(&self) {}

    /// Sees the newest value of an entity, whatever `before.image` is: each value while what was
    /// published is read back, oldest first, and then each as it is published. `None` is a delete.
    ///
    /// For a connector that plans its reads by what is known. Called for every entity, so it must be
    /// cheap; [`Datum`](talon_schemas::Datum) reads leading fields. Instants in it are in the unit that is
    /// configured, not always in microseconds as [`RowCodec::decode`] writes them. Values that are seen may turn out
    /// not to be committed; then all are read back again.
    fn remember(&self, _key: &str, _value: Option<&[u8]>) {}

    /// The facts of this feed, where the rows of another feed tell them. Such a feed is not opened.
    fn facts(&self) -> Option<&dyn FactCodec> {
        None
    }
}

/// A log whose facts stand in the rows of a table of the same connector, so that one read serves both.
///
/// A fact is immutable and has a key of its own. It is published once: before the change of the entity
/// that tells it, and in the same commit. The entity's value lists the keys of the facts that it told,
/// which is how they are known after a restart, also where the log has let go of them. A fact belongs to
/// one entity: told by two, it may be published twice.
///
/// The codec of the table decodes the facts with the row, into [`Row::facts`].
pub trait FactCodec: Send + Sync {
    /// The feed whose rows tell the facts.
    fn told_by(&self) -> &'static str;

    /// The keys of the facts that an entity's value lists. Its instants are in the unit that is
    /// configured.
    fn told(&self, value: &[u8], each: &mut dyn FnMut(&str));
}

/// A row in the form in which it is compared and published.
#[derive(Debug, Default)]
pub struct Row {
    /// The entity's key: plain UTF-8, parts joined by `/`.
    pub key: String,
    /// The entity's Avro datum.
    pub value: Vec<u8>,
    /// Upstream time of the change, where the row tells it: milliseconds since 1970 UTC.
    pub ts_ms: Option<i64>,
    /// What the row tells of another feed.
    pub facts: Facts,
}

impl Row {
    /// Empties it, keeping its buffers.
    pub fn clear(&mut self) {
        self.key.clear();
        self.value.clear();
        self.ts_ms = None;
        self.facts.clear();
    }
}

/// The facts that a row tells, in the row's order.
#[derive(Debug, Default)]
pub struct Facts {
    // Those behind `used` are empty, and kept for their buffers.
    rows: Vec<Row>,
    used: usize,
    faults: Vec<RowFault>,
}

impl Facts {
    /// Adds a fact that is written into an empty row; one that cannot be is counted as a fault.
    pub fn put(&mut self, write: impl FnOnce(&mut Row) -> Result<(), RowFault>) {
        if self.rows.len() == self.used {
            self.rows.push(Row::default());
        }
        let row = &mut self.rows[self.used];
        match write(row) {
            Ok(()) => self.used += 1,
            Err(fault) => {
                row.clear();
                self.faults.push(fault);
            }
        }
    }

    /// The facts.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows[..self.used].iter()
    }

    /// Why some could not be written.
    pub fn faults(&self) -> &[RowFault] {
        &self.faults
    }

    fn clear(&mut self) {
        self.rows[..self.used].iter_mut().for_each(Row::clear);
        self.used = 0;
        self.faults.clear();
    }
}

/// Why a row cannot be processed. It goes to the dead letters with its bytes, and what follows it
/// flows on.
///
/// The reason names the position, and the field where it is missing, never the value: values may be
/// personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowFault(pub String);
