//! What a connector's test says for its simulator.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::{Clock, CommandSpec};

/// What an upstream does instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ailment {
    /// It takes no credentials, such as by status 401.
    Refuses,
    /// It fails, such as by status 500.
    Fails,
    /// It answers with something else, such as a page for people.
    Babbles,
    /// It sends rows that do not decode.
    OddRows,
}

impl Ailment {
    pub(super) const ALL: [Ailment; 4] =
        [Ailment::Refuses, Ailment::Fails, Ailment::Babbles, Ailment::OddRows];
}

/// When the reply of a command is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Before it had an effect.
    Before,
    /// After it had one.
    After,
}

/// A simulated upstream. It stands still: nothing changes but by these methods.
///
/// What has a default is optional; what a simulation does not say is not checked.
#[async_trait]
pub trait Simulation: Send + Sync {
    /// The settings of an instance that reads it: all feeds and commands switched on, personal data kept,
    /// intervals short, a short limit for requests, and every secret a text of its own of at least eight
    /// characters.
    fn settings(&self) -> Vec<(String, String)>;

    /// The time of day of the connector.
    fn clock(&self) -> Clock {
        Clock::System
    }

    /// How long something that must come is waited for before it is taken as never coming.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// The keys of all entities that a feed has now.
    async fn keys(&self, feed: &str) -> BTreeSet<String>;

    /// Changes the content of some entities of a feed, or adds some; gives their keys. None where it
    /// cannot.
    async fn change(&self, _feed: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Removes an entity from a feed; gives its key. None where it cannot.
    async fn remove(&self, _feed: &str) -> Option<String> {
        None
    }

    /// Spells what it sends in another way each time, from now on. False where it cannot.
    async fn respell(&self) -> bool {
        false
    }

    /// Fails in that way from now on, or works again. False where it cannot.
    async fn ail(&self, _how: Option<Ailment>) -> bool {
        false
    }

    /// Texts that must not be seen, beside the secrets of the settings and the values of fields that are
    /// marked personal.
    fn canaries(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the connector leaves out of the rows of a feed on purpose: dotted paths, `[]` for the items of
    /// a list; a `*` at the end stands for anything.
    fn dropped(&self, _feed: &str) -> Vec<&'static str> {
        Vec::new()
    }

    /// What is still open upstream though the connector is closed, such as a session.
    async fn left_open(&self) -> Option<String> {
        None
    }

    /// Whether this upstream has what a command does; else the connector must not have it on.
    fn carries(&self, _command: &CommandSpec) -> bool {
        true
    }

    /// Makes a state in which a command can be done, and gives its parameters.
    async fn prepare(&self, _command: &CommandSpec) -> Option<Json> {
        None
    }

    /// Loses the reply to the next such command.
    async fn lose(&self, _command: &CommandSpec, _loss: Loss) {}

    /// How many requests of a command arrived, those included whose reply is lost.
    fn sent(&self, _command: &CommandSpec) -> u64 {
        0
    }

    /// How often a command had its effect.
    fn done(&self, _command: &CommandSpec) -> u64 {
        0
    }
}
