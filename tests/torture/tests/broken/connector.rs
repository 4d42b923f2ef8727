//! Connectors that break a promise.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Connector, Coverage, Cursor, Evidence,
    Fault, Feed, FeedPlan, Finding, Observation, Permit, Rows,
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
        Ok(Arc::new(BrokenApplier { inner, how: self.how, held: Mutex::default() }))
    }

    fn request_timeout(&self) -> Duration {
        self.inner.request_timeout()
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

struct BrokenApplier {
    inner: Arc<dyn Applier>,
    how: How,
    /// By key, what was said to be done and is not.
    held: Mutex<HashMap<String, (Command, Evidence)>>,
}

impl BrokenApplier {
    async fn retry_blindly(&self, command: &Command, before: &Evidence, permit: &Permit) -> Said {
        match self.inner.apply(command, before, permit).await {
            Err(ApplyFault::Unclear(_)) => self.inner.apply(command, before, permit).await,
            told => told,
        }
    }

    /// Of two commands of one key it does the second one first.
    async fn answer_early(&self, command: &Command, before: &Evidence, permit: &Permit) -> Said {
        let held = self.held.lock().unwrap().remove(&command.key);
        let Some((held, its_before)) = held else {
            let both = (command.clone(), before.clone());
            self.held.lock().unwrap().insert(command.key.clone(), both);
            return Ok(Answer::saying("done"));
        };
        self.inner.apply(command, before, permit).await?;
        self.inner.apply(&held, &its_before, permit).await
    }

    async fn quote(&self, command: &Command, before: &Evidence, permit: &Permit) -> Said {
        self.inner.apply(command, before, permit).await?;
        Ok(Answer::saying(format!("wrote {}", command.params["message"])))
    }
}

type Said = Result<Answer, ApplyFault>;

#[async_trait]
impl Applier for BrokenApplier {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        self.inner.look(command).await
    }

    async fn apply(&self, command: &Command, before: &Evidence, permit: &Permit) -> Said {
        match self.how {
            How::BlindRetries => self.retry_blindly(command, before, permit).await,
            How::EarlyAnswers => self.answer_early(command, before, permit).await,
            How::Quotes => self.quote(command, before, permit).await,
            How::EmptyLists => self.inner.apply(command, before, permit).await,
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
