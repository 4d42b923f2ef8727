//! An upstream under torture, whichever it is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use talon_schemas::Contract;

use crate::scenario::Upstream;

/// An upstream that is simulated, and the connector to it. Methods are called from any thread at any
/// time, but for [`Subject::quiet`], which comes after all faults.
///
/// To add a connector: implement this, and name it in [`start`](super::start) and [`NAMES`](super::NAMES).
pub trait Subject: Send + Sync {
    /// The class of the connector.
    fn class(&self) -> &'static str;

    /// Where the simulator listens. A process comes to it through a proxy.
    fn address(&self) -> SocketAddr;

    /// The settings of the connector without `class`, for an upstream at this address.
    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)>;

    /// The settings that are put over them for a process that was configured anew for the `roll`-th
    /// time: what is published must not change by them.
    fn rolled(&self, roll: u64) -> Vec<(String, String)>;

    /// The feeds that the settings switch on.
    fn feeds(&self) -> Vec<Feed>;

    /// How many random edits happen in a second from now on.
    fn live(&self, edits_per_second: f64);

    /// No more edits, and no more faults; what was held back becomes visible.
    fn quiet(&self);

    /// Misbehaves in the next so many requests that the fault can concern. It must be a fault that the
    /// connector can know: a *delta* that silently leaves something out is none.
    fn fault(&self, kind: Upstream, times: u64);

    /// One scope of many fails until [`Subject::free_scope`]; the others go on. Gives the feed that it is
    /// of; none where no scope can fail by itself, and then nothing happens.
    fn stick_scope(&self) -> Option<&'static str> {
        None
    }

    /// The scope works again, and so does whatever else failed.
    fn free_scope(&self) {}

    /// The states that each entity of a feed was in, in order, the last one being that of now: what the
    /// upstream serves as the connector's codec encodes it, or none where it was absent. States are only
    /// ever appended.
    ///
    /// # Errors
    /// A row that the codec does not read.
    fn truth(&self, feed: &str) -> anyhow::Result<Truth>;

    /// Of each entity, how many of its states ([`Subject::truth`]) have surely been read by a feed
    /// whose checkpoint has this cursor. Empty where a cursor says nothing of that.
    fn claimed(&self, feed: &str, cursor: &str) -> BTreeMap<String, usize>;

    /// Whether the settings switch commands on.
    fn has_commands(&self) -> bool {
        true
    }

    /// Between two commands.
    fn pause(&self) -> Duration {
        Duration::from_millis(60)
    }

    /// A command with this id: its key, and its JSON. One that has an effect each time that it is done,
    /// and whose effect can be told from others by the id. `None` where the connector has none.
    fn command(&self, id: &str, random: &mut ChaCha8Rng) -> Option<(String, Value)>;

    /// The ids of the commands that had an effect, in the order of the effects, as often as they had.
    fn effects(&self) -> Vec<String>;

    /// What is planted and must appear nowhere but in values on topics: secrets and personal data.
    fn canaries(&self) -> Vec<String>;
}

/// A feed under test.
pub struct Feed {
    /// Its name.
    pub name: &'static str,
    /// The schema of its events.
    pub contract: &'static Contract,
}

/// The states of each entity by its key, as encoded data; none where it was absent.
pub type Truth = BTreeMap<String, Vec<Option<Vec<u8>>>>;

/// How much there is upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A few hundred entities.
    Usual,
    /// So many calls, with what belongs to them, where the connector is `contractor`; the others know
    /// no other size.
    Calls(usize),
}
