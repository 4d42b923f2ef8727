//! Connectors that break a promise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Connector, Coverage, Cursor, Evidence,
    Fault, Feed, FeedPlan, Finding, Observation, Rows,
};

type Inner = Arc<dyn Connector>;

/// One whose lists of all are empty now and then, which it takes for the truth.
pub(crate) fn that_sees_empty_lists(inner: Inner) -> Inner {
    Arc::new(Broken { inner, how: How::EmptyLists })
}

/// One that sends again when a reply is lost.
pub(crate) fn that_retries_blindly(inner: Inner) -> Inner {
    Arc::new(Broken { inner, how: How::BlindRetries })
}

/// One that says of a command that it is done before it is.
pub(crate) fn that_answers_early(inner: Inner) -> Inner {
    Arc::new(Broken { inner, how: How::EarlyAnswers })
}

/// One whose outcomes quote what was to be written.
pub(crate) fn that_quotes(inner: Inner) -> Inner {
    Arc::new(Broken { inner, how: How::Quotes })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    EmptyLists,
    BlindRetries,
    EarlyAnswers,
    Quotes,
}

struct Broken {
    inner: Inner,
    how: How,
}

#[async_trait]
impl Connector for Broken {
    fn feeds(&self) -> Vec<FeedPlan> {
        self.inner.feeds()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let inner = self.inner.open(feed)?;
        Ok(match self.how {
            How::EmptyLists => Box::new(EmptyLists { inner, reads: AtomicUsize::new(0) }),
            _ => inner,
        })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.inner.commands()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        let inner = self.inner.applier()?;
        Ok(match self.how {
            How::BlindRetries => Arc::new(BlindRetries { inner }),
            How::EarlyAnswers => Arc::new(EarlyAnswers { inner, held: Mutex::default() }),
            How::Quotes => Arc::new(Quotes { inner }),
            How::EmptyLists => inner,
        })
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.inner.probe().await
    }
}

struct EmptyLists {
    inner: Box<dyn Feed>,
    reads: AtomicUsize,
}

#[async_trait]
impl Feed for EmptyLists {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let mut seen = self.inner.next(from).await?;
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        if seen.coverage == Coverage::Full && reads % 3 == 2 {
            seen.rows = Rows::of_array(Bytes::from_static(b"[]")).expect("an array");
        }
        Ok(seen)
    }
}

struct BlindRetries {
    inner: Arc<dyn Applier>,
}

#[async_trait]
impl Applier for BlindRetries {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        self.inner.look(command).await
    }

    async fn apply(&self, command: &Command, before: &Evidence) -> Result<Answer, ApplyFault> {
        match self.inner.apply(command, before).await {
            Err(ApplyFault::Unclear(_)) => self.inner.apply(command, before).await,
            told => told,
        }
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        self.inner.probe(command, before, sent_at_ms).await
    }
}

/// Of two commands of one key it does the second one first.
struct EarlyAnswers {
    inner: Arc<dyn Applier>,
    /// By key, what it has said to be done.
    held: Mutex<HashMap<String, (Command, Evidence)>>,
}

#[async_trait]
impl Applier for EarlyAnswers {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        self.inner.look(command).await
    }

    async fn apply(&self, command: &Command, before: &Evidence) -> Result<Answer, ApplyFault> {
        let held = self.held.lock().unwrap().remove(&command.key);
        let Some((held, its_before)) = held else {
            let command = Command {
                id: command.id.clone(),
                spec: command.spec,
                key: command.key.clone(),
                params: command.params.clone(),
                expect: command.expect.clone(),
                user: command.user.clone(),
                expires_at_ms: command.expires_at_ms,
            };
            let key = command.key.clone();
            self.held.lock().unwrap().insert(key, (command, before.clone()));
            return Ok(Answer::saying("done"));
        };
        self.inner.apply(command, before).await?;
        self.inner.apply(&held, &its_before).await
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        self.inner.probe(command, before, sent_at_ms).await
    }
}

struct Quotes {
    inner: Arc<dyn Applier>,
}

#[async_trait]
impl Applier for Quotes {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        self.inner.look(command).await
    }

    async fn apply(&self, command: &Command, before: &Evidence) -> Result<Answer, ApplyFault> {
        self.inner.apply(command, before).await?;
        Ok(Answer::saying(format!("wrote {}", command.params["message"])))
    }

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        self.inner.probe(command, before, sent_at_ms).await
    }
}
