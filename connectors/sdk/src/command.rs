//! What a connector says about doing things upstream.
//!
//! The runtime owns the rest: order, retry, the durable intent, when to read back, and the one
//! recorded outcome. For a command it calls, in this order:
//!
//! 1. [`Applier::look`], where the command is not [`Repeat::Always`] or carries an `expect`.
//! 2. It makes the intent durable, with the [`Evidence`] of the look, unless it is `Always`.
//! 3. [`Applier::apply`], which sends once, unless its [`Permit`] has ended by then.
//! 4. Where it is not clear what became of that, also because the process was killed:
//!    [`Applier::probe`], with the same evidence.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use talon_schemas::command::CommandContract;

use crate::{Answer, ApplyFault, Evidence, Fault, Finding, Permit};

/// Whether a command may be sent again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Twice is the same as once, also when other commands came in between. Never probed.
    Always,
    /// A second one does no harm but is refused, or hides what the first did: read back first.
    Converges,
    /// Twice is wrong: read back first.
    Never,
}

impl Repeat {
    /// The word as in `talon commands`.
    pub fn word(self) -> &'static str {
        match self {
            Repeat::Always => "always",
            Repeat::Converges => "converges",
            Repeat::Never => "never",
        }
    }
}

/// What commands are ordered by: those with the same key run one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderingKey {
    /// The values of these parameters, joined by `/`.
    Params(&'static [&'static str]),
    /// All commands of this key, whatever their parameters.
    Fixed(&'static str),
    /// Each command on its own: its id.
    Own,
}

/// A type of command.
#[derive(Debug)]
pub struct CommandSpec {
    /// Type, as in the command's `type`: `SetCallStatus`. Its parameters are the record of that name
    /// in the connector's [`CommandContract`].
    pub name: &'static str,
    /// What it is ordered by.
    pub key: OrderingKey,
    /// Whether it may be sent again.
    pub repeat: Repeat,
    /// What `expect` may name.
    pub expect: &'static [&'static str],
    /// The upstream's call, for people: `POST /call/{id}/status`.
    pub call: &'static str,
    /// How an unclear result is read back, for people.
    pub probe: &'static str,
    /// It is off unless the setting `commands` names it.
    pub is_dangerous: bool,
}

impl CommandSpec {
    /// A harmless type of which nothing else is said yet.
    pub const fn of(name: &'static str, key: OrderingKey, repeat: Repeat) -> CommandSpec {
        CommandSpec { name, key, repeat, expect: &[], call: "", probe: "", is_dangerous: false }
    }
}

/// The commands of a class.
#[derive(Clone)]
pub struct Commands {
    /// All types.
    pub specs: Vec<&'static CommandSpec>,
    /// Their parameters.
    pub contract: fn() -> &'static CommandContract,
}

impl Commands {
    /// A type by its name.
    pub fn spec(&self, name: &str) -> Option<&'static CommandSpec> {
        self.specs.iter().find(|spec| spec.name == name).copied()
    }
}

/// Something to do upstream, validated.
///
/// Its parameters may be personal: it is not `Debug`.
#[derive(Clone)]
pub struct Command {
    /// Given by the sender.
    pub id: String,
    /// Its type.
    pub spec: &'static CommandSpec,
    /// What it is ordered by.
    pub key: String,
    /// The parameters, in the form that `talon_schemas::command::Params::read` gives.
    pub params: Map<String, Json>,
    /// What must hold of the entity, by field; only fields that the spec names.
    pub expect: Map<String, Json>,
    /// In whose name, where the command says so.
    pub user: Option<String>,
    /// Not sent after this, milliseconds since 1970 UTC.
    pub expires_at_ms: Option<i64>,
}

impl Command {
    /// The parameters as a type of the connector.
    ///
    /// # Errors
    /// [`ApplyFault::Refused`] where they do not fit it, which their schema should have said before.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, ApplyFault> {
        T::deserialize(Json::Object(self.params.clone())).map_err(|_| {
            ApplyFault::Refused(Answer::saying(format!(
                "the parameters do not fit `{}`",
                self.spec.name
            )))
        })
    }
}

/// Does the commands of one configured connector.
///
/// Calls for different ordering keys run concurrently, those for one key one after another. Any call
/// may be cancelled at any await, after which the runtime treats the command as after a crash.
#[async_trait]
pub trait Applier: Send + Sync {
    /// Reads what the probe will compare with, and checks `expect` against what is read: a mismatch is
    /// [`ApplyFault::Refused`]. Sends nothing that changes the upstream.
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault>;

    /// Sends the command once; gives the upstream's answer if it was applied. "Already so" is applied.
    ///
    /// Every request that changes the upstream asks the permit right before its first byte leaves, after
    /// all waits: another process may have taken over meanwhile, and then it sends the command itself.
    /// Where the permit has ended, nothing is sent and the result is [`ApplyFault::NotApplied`].
    async fn apply(
        &self,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault>;

    /// Reads back whether the command was applied. `sent_at_ms` is when it was, or may have been, sent.
    /// Never called for [`Repeat::Always`].
    ///
    /// [`Finding::Absent`] is what is seen now: the request may still be on its way. The runtime asks
    /// again, and believes it only when `commands.settle.ms` have passed since then; before it sends
    /// again, it looks again.
    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        sent_at_ms: i64,
    ) -> Result<Finding, Fault>;
}
