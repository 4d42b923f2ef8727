//! Reads a feed as the runtime does.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::report::Property;
use super::simulation::Simulation;
use super::trial::Trial;
use super::view::{News, View};
use crate::{Connector, Cursor, Fault, Feed, FeedPlan, Observation};

/// So many reads that change nothing are enough to say that nothing comes any more.
const IDLE_READS: usize = 200;

/// A feed that is read.
pub(super) struct Reader<'r> {
    connector: &'r dyn Connector,
    pub(super) plan: FeedPlan,
    feed: Option<Box<dyn Feed>>,
    pub(super) cursor: Option<Cursor>,
    pub(super) view: View,
    /// The keys that there are.
    pub(super) truth: BTreeSet<String>,
    /// Promises that observations broke.
    pub(super) wrong: Vec<(Property, String)>,
    /// What changed since this was emptied.
    pub(super) changed: BTreeSet<String>,
    /// What was told absent.
    pub(super) gone: BTreeSet<String>,
    pub(super) was_full: bool,
    /// Where the feed may be polled only so often more.
    pub(super) polls_left: Option<usize>,
    idle: usize,
    last_fault: Option<Fault>,
}

/// Why reading did not come to its goal.
pub(super) enum Stuck {
    /// What was waited for did not come, with what there is to say of it.
    Never(String),
    /// It was polled as often as it may be.
    Cancelled,
}

impl<'r> Reader<'r> {
    /// Opens a feed from a cursor, when that is known which is in the view.
    pub(super) fn new(
        connector: &'r dyn Connector,
        plan: FeedPlan,
        cursor: Option<Cursor>,
        view: View,
        truth: BTreeSet<String>,
    ) -> Reader<'r> {
        plan.codec.forget();
        for (key, known) in &view.entities {
            plan.codec.remember(key, Some(&known.value));
        }
        Reader {
            connector,
            plan,
            feed: None,
            cursor,
            view,
            truth,
            wrong: Vec::new(),
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
            was_full: false,
            polls_left: None,
            idle: 0,
            last_fault: None,
        }
    }

    /// Reads a feed from its beginning.
    pub(super) async fn begin<S: Simulation>(
        trial: &Trial<'_, S>,
        connector: &'r dyn Connector,
        feed: &str,
    ) -> Option<Reader<'r>> {
        let plan = Trial::<S>::plan(connector, feed)?;
        let truth = trial.simulation.keys(feed).await;
        Some(Reader::new(connector, plan, None, View::default(), truth))
    }

    /// Reads until the goal is reached; `each` sees every observation with what it brought.
    pub(super) async fn until(
        &mut self,
        patience: Duration,
        mut goal: impl FnMut(&Reader<'r>) -> bool,
        mut each: impl FnMut(&Observation, &Reader<'r>),
    ) -> Result<(), Stuck> {
        let deadline = Instant::now() + patience;
        self.idle = 0;
        while !goal(self) {
            if self.idle >= IDLE_READS {
                return Err(self.never(format!("{IDLE_READS} reads brought nothing more")));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let began = Instant::now();
            match timeout(left, self.read()).await {
                Err(_) => {
                    let why = format!("nothing more came in {} s", patience.as_secs_f32());
                    return Err(self.never(why));
                }
                Ok(None) => return Err(Stuck::Cancelled),
                Ok(Some(Err(fault))) => {
                    self.feed = None;
                    self.last_fault = Some(fault);
                    self.idle += 1;
                    sleep(Duration::from_millis(20).min(left)).await;
                }
                Ok(Some(Ok(seen))) => {
                    let news = self.take(&seen);
                    each(&seen, self);
                    self.idle = if news { 0 } else { self.idle + 1 };
                    if !goal(self) {
                        let due = self.feed.as_ref().and_then(|feed| feed.due());
                        let due = due
                            .unwrap_or_else(|| self.plan.interval.saturating_sub(began.elapsed()));
                        sleep(due.min(left)).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads until all that is there is known.
    pub(super) async fn until_complete(
        &mut self,
        patience: Duration,
        each: impl FnMut(&Observation, &Reader<'r>),
    ) -> Result<(), Stuck> {
        let is_complete = |reader: &Reader<'_>| {
            reader.truth.iter().all(|key| reader.view.entities.contains_key(key))
        };
        self.until(patience, is_complete, each).await
    }

    /// Reads until changes of these keys were seen.
    pub(super) async fn until_changed(
        &mut self,
        patience: Duration,
        keys: &BTreeSet<String>,
        each: impl FnMut(&Observation, &Reader<'r>),
    ) -> Result<(), Stuck> {
        self.changed.clear();
        self.until(patience, |reader| keys.is_subset(&reader.changed), each).await
    }

    /// Reads until an entity is told absent.
    pub(super) async fn until_gone(
        &mut self,
        patience: Duration,
        key: &str,
        each: impl FnMut(&Observation, &Reader<'r>),
    ) -> Result<(), Stuck> {
        let is_gone = |reader: &Reader<'_>| !reader.view.entities.contains_key(key);
        self.until(patience, is_gone, each).await
    }

    /// Reads once; `None` where it may not be polled any more.
    async fn read(&mut self) -> Option<Result<Observation, Fault>> {
        let Reader { feed, connector, plan, cursor, polls_left, .. } = self;
        let read = async {
            let open = match feed {
                Some(open) => open,
                None => feed.insert(connector.open(&plan.spec.name)?),
            };
            open.next(cursor.as_ref()).await
        };
        let mut read = pin!(read);
        poll_fn(|context| {
            let polled = read.as_mut().poll(context);
            if polled.is_pending()
                && let Some(left) = polls_left
            {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    return Poll::Ready(None);
                }
            }
            polled.map(Some)
        })
        .await
    }

    /// Takes an observation in; says whether it brought anything.
    fn take(&mut self, seen: &Observation) -> bool {
        let News { changed, absent, wrong, is_full } =
            self.view.apply(&self.plan, seen, &self.truth);
        let is_other = seen.cursor.is_some() && seen.cursor != self.cursor;
        let brings = !changed.is_empty() || !absent.is_empty() || is_other;
        if seen.cursor.is_some() {
            self.cursor.clone_from(&seen.cursor);
        }
        self.changed.extend(changed);
        self.gone.extend(absent);
        self.wrong.extend(wrong);
        self.was_full |= is_full;
        brings
    }

    fn never(&mut self, why: String) -> Stuck {
        Stuck::Never(match self.last_fault.take() {
            Some(fault) => format!("{why}; the last fault was: {fault}"),
            None => why,
        })
    }

    /// What is known at a cursor.
    pub(super) fn standing(&self) -> (Option<Cursor>, View) {
        (self.cursor.clone(), self.view.clone())
    }
}
