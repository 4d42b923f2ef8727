//! A hall, a connector to it, and what its feeds publish by way of the real differ.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use talon_runtime::diff::{Change, Changes, Differ};
use talon_runtime::guard::Guard;
use talon_schemas::{Contract, Op};
use talon_sdk::{Connector, Cursor, Fault, Feed, Observation, RowFault};
use talon_simulators::quickq::{Settings, Simulator};
use tokio::time::{sleep, timeout};

use crate::support::{connector, plan, shown};

/// Far more than anything here takes; reaching it is the failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Hall {
    pub(crate) simulator: Simulator,
    pub(crate) connector: Arc<dyn Connector>,
}

/// A hall and a connector, under some settings of each.
pub(crate) async fn hall(simulated: Settings, settings: &[(&str, &str)]) -> Hall {
    let simulator = Simulator::start(simulated).await.unwrap();
    let url = simulator.url();
    let mut all = vec![("upstream.url", url.as_str()), ("queue.workplaces", "1,2")];
    all.extend(settings);
    Hall { connector: connector(&all).unwrap(), simulator }
}

impl Hall {
    pub(crate) fn reader(&self, feed: &str) -> Reader {
        self.guarded_reader(feed, Guard { ratio: 0.3, entities: 10 })
    }

    /// A reader under another mass-delete guard than the usual one.
    pub(crate) fn guarded_reader(&self, feed: &str, guard: Guard) -> Reader {
        let plan = plan(self.connector.as_ref(), feed);
        let contract = plan.spec.contract();
        let topic = format!("talon.hall.{feed}");
        Reader {
            connector: self.connector.clone(),
            name: plan.spec.name.clone(),
            feed: None,
            cursor: None,
            differ: Differ::new(topic, contract, plan.codec, guard, true),
            scopes: BTreeMap::new(),
            published: Published {
                contract,
                state: BTreeMap::new(),
                log: Vec::new(),
                dead: Vec::new(),
            },
            faults: Vec::new(),
            withheld: 0,
        }
    }
}

/// A feed with its differ, driven as the runtime drives it.
pub(crate) struct Reader {
    connector: Arc<dyn Connector>,
    name: Arc<str>,
    feed: Option<Box<dyn Feed>>,
    cursor: Option<Cursor>,
    differ: Differ,
    scopes: BTreeMap<String, bool>,
    pub(crate) published: Published,
    pub(crate) faults: Vec<Fault>,
    pub(crate) withheld: usize,
}

/// What is on the topic.
pub(crate) struct Published {
    contract: &'static Contract,
    /// The newest value of each key.
    pub(crate) state: BTreeMap<String, Value>,
    /// `op key`, in order.
    pub(crate) log: Vec<String>,
    /// Dead letters.
    pub(crate) dead: Vec<Vec<u8>>,
}

impl Changes for Published {
    type Error = Infallible;

    fn change(&mut self, change: &Change<'_>) -> Result<(), Infallible> {
        self.log.push(format!("{} {}", change.op.letter(), change.key));
        match change.after {
            Some(after) => {
                let is_known =
                    self.state.insert(change.key.to_owned(), shown(self.contract, after));
                assert_eq!(is_known.is_some(), change.op == Op::Update, "{:?}", self.log.last());
            }
            None => assert!(self.state.remove(change.key).is_some(), "{:?}", self.log.last()),
        }
        Ok(())
    }

    fn dead_letter(&mut self, _key: &str, row: &[u8], _: &RowFault) -> Result<(), Infallible> {
        self.dead.push(row.to_vec());
        Ok(())
    }
}

impl Reader {
    /// One call of the feed, opened anew after a fault.
    pub(crate) async fn next(&mut self) -> Result<Observation, Fault> {
        let mut feed = match self.feed.take() {
            Some(feed) => feed,
            None => self.connector.open(&self.name)?,
        };
        let observation = feed.next(self.cursor.as_ref()).await?;
        self.feed = Some(feed);
        Ok(observation)
    }

    /// One call, and what comes of it. A fault is kept, and back-off is short.
    pub(crate) async fn step(&mut self) {
        match timeout(PATIENCE, self.next()).await.expect("a feed that waits for ever") {
            Ok(observation) => {
                if observation.cursor.is_some() {
                    self.cursor.clone_from(&observation.cursor);
                }
                let seen = self.scopes.insert(observation.scope.clone(), true);
                let after_fault = seen != Some(true);
                let Ok(summary) =
                    self.differ.observe(&observation, after_fault, &mut self.published);
                self.withheld = summary.withheld.map_or(0, |(entities, _)| entities);
            }
            Err(fault) => {
                self.scopes.values_mut().for_each(|since| *since = false);
                self.faults.push(fault);
                sleep(Duration::from_millis(1)).await;
            }
        }
    }

    /// Steps until something holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Reader) -> bool) {
        let steps = async {
            while !holds(self) {
                self.step().await;
            }
        };
        if timeout(PATIENCE, steps).await.is_err() {
            panic!("not in time: {what}; {} deletes withheld", self.withheld);
        }
    }

    /// Keys of what is on the topic.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.published.state.keys().map(String::as_str).collect()
    }
}
