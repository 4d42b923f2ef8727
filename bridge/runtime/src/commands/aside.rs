//! Commands whose schema only the registry knows, while it has not answered.
//!
//! They wait aside, and nothing else waits for them but later commands under the same message key: it is
//! the ordering key of whoever sends as the documentation says, and what a record says of its own cannot
//! be read yet. A command that stands under another key has no place among the others before it is put
//! back under its own. The registry is asked beside everything else, for one id after another.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::BoxFuture;
use talon_sdk::Fault;
use tokio::time::sleep;

use crate::bus::{Arrival, BusFault};
use crate::commands::attempt::{CommandContext, Left};
use crate::commands::intake::CommandReader;

/// Pause before a registry that does not answer is asked again.
const REGISTRY_PAUSE: Duration = Duration::from_secs(1);

/// Commands that wait for the registry.
pub(super) struct Aside {
    reader: CommandReader,
    /// In the order of the topic.
    waiting: Vec<Arrival>,
    keys: HashSet<Option<String>>,
    /// The question for the schema of the first of them; there is one as long as any waits.
    question: Option<BoxFuture<'static, Result<(), BusFault>>>,
    /// Whether it is shown that the registry does not answer.
    is_shown: bool,
}

impl Aside {
    /// Nothing waits yet.
    pub(super) fn new(reader: CommandReader) -> Aside {
        Aside { reader, waiting: Vec::new(), keys: HashSet::new(), question: None, is_shown: false }
    }

    /// Whether a record has to wait for the registry, or for one that does.
    pub(super) fn must_take(&self, arrival: &Arrival) -> bool {
        self.keys.contains(&arrival.key) || self.reader.unknown_id(&arrival.value).is_some()
    }

    /// Takes a record, behind those that wait.
    pub(super) fn take(&mut self, arrival: Arrival) {
        self.keys.insert(arrival.key.clone());
        self.waiting.push(arrival);
        if self.question.is_none() {
            self.ask(Duration::ZERO);
        }
    }

    /// Waits until the registry has answered, or has failed to. For ever where nothing is asked.
    ///
    /// Can be cancelled and called again.
    pub(super) async fn answer(&mut self) -> Result<(), BusFault> {
        match &mut self.question {
            None => std::future::pending().await,
            Some(question) => {
                let answer = question.await;
                self.question = None;
                answer
            }
        }
    }

    /// The registry has answered: whoever waits is to be looked at again, in this order. Nobody where
    /// it did not answer; then it is asked again.
    ///
    /// # Errors
    /// The lane is lost.
    pub(super) fn answered(
        &mut self,
        answer: Result<(), BusFault>,
        context: &CommandContext,
    ) -> Result<Vec<Arrival>, Left> {
        match answer {
            Ok(()) => {}
            Err(BusFault::Misconfigured(why) | BusFault::Unavailable(why)) => {
                // These commands do not go on meanwhile, so it must be seen.
                context.show(Some(&Fault::unavailable(why)));
                self.is_shown = true;
                self.ask(REGISTRY_PAUSE);
                return Ok(Vec::new());
            }
            Err(_) => return Err(Left),
        }
        if std::mem::take(&mut self.is_shown) {
            context.show(None);
        }
        self.keys.clear();
        Ok(std::mem::take(&mut self.waiting))
    }

    /// Asks for the schema of the first that waits.
    fn ask(&mut self, after: Duration) {
        let Some(first) = self.waiting.first() else { return };
        let id = self.reader.unknown_id(&first.value);
        let reader = self.reader.clone();
        self.question = Some(Box::pin(async move {
            sleep(after).await;
            match id {
                Some(id) => reader.learn(id).await,
                None => Ok(()),
            }
        }));
    }
}
