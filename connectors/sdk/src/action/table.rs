//! The table of a connector's commands.

use std::sync::Arc;

use async_trait::async_trait;

use super::typed::Kind;
use super::what::Scene;
use crate::config::{Importance, Key, Settings};
use crate::{Answer, Applier, ApplyFault, Command, CommandSpec, Evidence, Fault, Finding, Permit};

/// All commands of a class: one place says which there are.
pub struct Actions<S: 'static>(&'static [&'static dyn Kind<S>]);

impl<S: Send + Sync + 'static> Actions<S> {
    /// These types of commands; see [`actions!`](crate::actions).
    pub const fn new(kinds: &'static [&'static dyn Kind<S>]) -> Actions<S> {
        Actions(kinds)
    }

    /// All types.
    pub fn specs(&self) -> Vec<&'static CommandSpec> {
        self.0.iter().map(|kind| kind.spec()).collect()
    }

    /// What carries them.
    pub fn applier(&'static self, sender: Arc<S>) -> Arc<dyn Applier> {
        Arc::new(Carried { actions: self, sender })
    }

    /// The setting `commands`: which are carried. Those that are [dangerous](CommandSpec::is_dangerous) are
    /// off unless they are named; `doc` says why they are.
    pub fn key(&self, doc: &str) -> Key {
        let specs = self.specs();
        let harmless: Vec<&str> =
            specs.iter().filter(|spec| !spec.is_dangerous).map(|spec| spec.name).collect();
        let names: Vec<&'static str> = specs.iter().map(|spec| spec.name).collect();
        Key::list("commands", names).default(harmless.join(",")).importance(Importance::Medium).doc(
            format!("The commands that are carried; empty for none. {doc}").trim_end().to_owned(),
        )
    }

    /// The commands that the setting `commands` switches on.
    pub fn enabled(&self, settings: &mut Settings<'_>) -> Vec<&'static CommandSpec> {
        let wanted = settings.list("commands");
        let is_wanted = |spec: &&CommandSpec| wanted.iter().any(|name| name == spec.name);
        self.specs().into_iter().filter(is_wanted).collect()
    }

    fn kind(&self, command: &Command) -> Result<&'static dyn Kind<S>, Fault> {
        let mut kinds = self.0.iter();
        let kind = kinds.find(|kind| kind.spec().name == command.spec.name);
        kind.copied().ok_or_else(|| Fault::Internal {
            reason: "a command of a type that the connector does not have".to_owned(),
        })
    }
}

struct Carried<S: 'static> {
    actions: &'static Actions<S>,
    sender: Arc<S>,
}

impl<S> Carried<S> {
    fn scene<'s>(&'s self, command: &'s Command) -> Scene<'s, S> {
        Scene { sender: &self.sender, command }
    }
}

#[async_trait]
impl<S: Send + Sync + 'static> Applier for Carried<S> {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        let kind = self.actions.kind(command).map_err(ApplyFault::NotApplied)?;
        kind.look(self.scene(command)).await
    }

    async fn apply(
        &self,
        command: &Command,
        before: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let kind = self.actions.kind(command).map_err(ApplyFault::NotApplied)?;
        kind.apply(self.scene(command), before, permit).await
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        _sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        self.actions.kind(command)?.probe(self.scene(command), before).await
    }
}
