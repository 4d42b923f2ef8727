use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::config::{Key, Settings};
use crate::{
    Applier, Clock, CommandSpec, Commands, Cursor, Fault, Feed, FeedSpec, Progress, RowCodec,
    UpstreamMetrics,
};

/// The code for one upstream system, before it is configured.
pub trait Class: Send + Sync {
    /// Name in the setting `class`.
    fn name(&self) -> &'static str;
    /// What it connects to, in one sentence.
    fn doc(&self) -> &'static str;
    /// All its feeds.
    fn feeds(&self) -> Vec<FeedSpec>;
    /// All its commands; `None` where it carries none.
    fn commands(&self) -> Option<Commands> {
        None
    }
    /// All its settings.
    fn keys(&self) -> Vec<Key>;
    /// Reads the settings of one instance. Does no I/O. Problems are reported through `settings`, all
    /// of them; `None` if there are any.
    fn configure(
        &self,
        settings: &mut Settings<'_>,
        context: Context,
    ) -> Option<Arc<dyn Connector>>;
}

/// What the runtime lends to an instance.
#[derive(Debug, Clone)]
pub struct Context {
    /// Name of the instance.
    pub name: String,
    /// Time of day.
    pub clock: Clock,
    /// Where requests to the upstream are counted.
    pub metrics: UpstreamMetrics,
}

impl Context {
    /// Where the instance shows how far its backfill is.
    pub fn progress(&self) -> Progress {
        self.metrics.backfills.of(&self.name, self.clock.clone())
    }
}

/// A configured instance.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The feeds that are switched on.
    fn feeds(&self) -> Vec<FeedPlan>;
    /// Opens a feed by its name. Called at start and after every fault. Asks the upstream nothing, but
    /// may read local files such as certificates.
    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault>;
    /// The commands that are switched on.
    fn commands(&self) -> Vec<&'static CommandSpec> {
        Vec::new()
    }
    /// What does them. Called when the connector's commands are taken over. Asks the upstream nothing,
    /// but may read local files such as certificates.
    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        Err(Fault::Internal { reason: "the connector carries no commands".to_owned() })
    }
    /// How long a request may take before its reply is given up, by the connector's own limit; zero where
    /// nothing is ever waited for.
    ///
    /// It is part of what bounds how long a command can still be on its way: the connection is closed
    /// when the reply is given up, and what the system has not delivered by then it tries to deliver for
    /// at most as long again. So reading back that nothing is there can be believed this long after
    /// [`Applier::apply`] returned and not earlier: the runtime refuses a `commands.settle.ms` below
    /// it. Called at start and by `talon check`.
    fn request_timeout(&self) -> Duration {
        Duration::ZERO
    }
    /// What no other instance may have too, such as a session that ends another's: the setting that names
    /// it, and a text that is the same for the same thing of any instance of the class. Asked by
    /// `talon check` and at start.
    fn holds(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Asks the upstream whether it answers and takes the credentials; says what it saw. For
    /// `talon check --probe`.
    async fn probe(&self) -> Result<String, Fault>;
    /// Why a feed cannot go on from a cursor that a person gave; asked before it is set.
    fn offset_problem(&self, _feed: &str, _offset: &Cursor) -> Option<String> {
        None
    }
    /// Ends what the upstream counts, such as a session. Called when neither feeds nor commands run any
    /// more, at shutdown or when another process took over, also if they never ran; given two seconds.
    /// They may be opened again afterwards.
    async fn close(&self) {}
}

/// A feed that is switched on.
#[derive(Clone)]
pub struct FeedPlan {
    /// The feed.
    pub spec: Arc<FeedSpec>,
    /// How long after the start of a read the next one starts.
    pub interval: Duration,
    /// How its rows read.
    pub codec: Arc<dyn RowCodec>,
}
