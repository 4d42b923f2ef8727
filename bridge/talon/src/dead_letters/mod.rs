//! Dead letters of all connectors: listed, redriven, discarded. What the command line, REST and the console share.
//!
//! Any process can list them: they stand on the bus, and so does which of them are settled
//! ([`talon_runtime::Settled`]). Settling is the work of whoever runs the connector, since that process alone publishes
//! for it. So who asks writes a request to the store of configurations; the owner carries it out
//! ([`crate::instances`]), and answers on the store of states.
//!
//! How it can fail, and what holds then:
//!
//! * *Two ask at once.* A request is written by compare-and-set over one that is answered, so the second waits for the
//!   first. What both ask for is settled once, and told to the second as settled already.
//! * *Who asks is killed.* The request stands for ten minutes, and is carried out or not; the list tells.
//! * *The owner is killed.* Its successor finds the request without an answer, and carries it out from the beginning:
//!   what was settled is passed over.
//! * *Nobody runs the connector*, because it is stopped, paused, deleted or fails: the request is withdrawn when who
//!   asks has waited long enough, and nothing was settled.
//! * *A letter has aged away.* It is told as gone.
//! * *The bus is down.* Nothing is settled, or it is not known what; the list tells when it is back.

mod ask;
mod letter;
mod records;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use talon_runtime::bus::{Bus, BusFault, Store, dead_letters_of};
use talon_runtime::engine::{Action, Order};
use talon_runtime::{Places, Ruling, Settled, Verdict};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

pub(crate) use letter::{Letter, time};
pub(crate) use records::{Answer, Report, Request, connector, key};

/// Why dead letters cannot be listed or settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is no topic of dead letters of this connector.
    NoTopic(String),
    /// Nobody has carried the request out, and why.
    NotCarriedOut(String),
    /// The bus fails.
    Bus(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoTopic(connector) => write!(
                f,
                "there are no dead letters of `{connector}`: it has no topic of them, which each connector makes when it starts; look at the name"
            ),
            Trouble::NotCarriedOut(why) | Trouble::Bus(why) => f.write_str(why),
        }
    }
}

impl Trouble {
    fn defect() -> Trouble {
        Trouble::Bus("a defect of Talon: the letters cannot be read".to_owned())
    }
}

/// Which dead letters are meant: those that meet all that is given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) places: Option<Places>,
    pub(crate) feed: Option<String>,
    /// A part of the reason.
    pub(crate) reason: Option<String>,
    pub(crate) stage: Option<String>,
    /// Also those that are settled.
    pub(crate) all: bool,
}

impl Choice {
    pub(crate) fn takes(&self, letter: &Letter) -> bool {
        let Letter { letter, settled } = letter;
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        (self.all || settled.is_none())
            && self.places.as_ref().is_none_or(|places| places.has(letter.at))
            && is(&self.feed, letter.feed())
            && is(&self.stage, letter.stage())
            && self.reason.as_ref().is_none_or(|part| letter.reason().contains(part))
    }
}

/// The dead letters of all connectors. Cheap to clone; can be used on any thread, whatever its runtime.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) prefix: String,
    /// The store of configurations.
    pub(crate) configs: Arc<dyn Store>,
    /// The store of states.
    pub(crate) states: Arc<dyn Store>,
    /// Where connections to the bus live, which may be another runtime than the caller's.
    pub(crate) runtime: Handle,
}

impl DeadLetters {
    /// The dead letters of a connector that are chosen, oldest first. Reads the topic.
    pub(crate) async fn list(
        &self,
        connector: &str,
        choice: Choice,
    ) -> Result<Vec<Letter>, Trouble> {
        let (this, name) = (self.clone(), connector.to_owned());
        let listing = self.runtime.spawn(async move { this.read(&name, choice).await });
        listing.await.unwrap_or_else(|_| Err(Trouble::defect()))
    }

    async fn read(&self, connector: &str, choice: Choice) -> Result<Vec<Letter>, Trouble> {
        let (bus, spec) = (self.bus.clone(), dead_letters_of(&self.prefix, connector));
        let reading = spawn_blocking(move || {
            let mut all = Vec::new();
            let ends = bus.dead_letters(&spec, &mut |letter| {
                all.push(Letter { letter, settled: None });
            })?;
            let settled = ends.settled.as_deref().map(Settled::decode).unwrap_or_default();
            let at_ms: BTreeMap<u64, i64> =
                all.iter().map(|Letter { letter, .. }| (letter.at, letter.at_ms)).collect();
            if !settled.is_of_another_topic(ends.next, |at| at_ms.get(&at).copied()) {
                all.iter_mut().for_each(|one| one.settled = settled.of(one.letter.at));
            }
            all.retain(|letter| choice.takes(letter));
            Ok(all)
        });
        match reading.await {
            Ok(Ok(all)) => Ok(all),
            Ok(Err(BusFault::Aborted(_))) => Err(Trouble::NoTopic(connector.to_owned())),
            Ok(Err(fault)) => Err(Trouble::Bus(fault.to_string())),
            Err(_) => Err(Trouble::defect()),
        }
    }

    /// Settles the dead letters of a connector that are chosen, or says what would become of each; waits so long
    /// for whoever runs the connector.
    pub(crate) async fn settle(
        &self,
        connector: &str,
        choice: Choice,
        action: Action,
        dry_run: bool,
        patience: Duration,
    ) -> Result<Report, Trouble> {
        let wanted = choice.places.clone();
        let found = self.list(connector, Choice { all: wanted.is_some(), ..choice }).await?;
        let places: Places = found.iter().map(|one| one.letter.at).collect();
        let mut report = match places.is_empty() {
            true => Report::default(),
            false => {
                let order = Order { action, places: places.clone(), dry_run };
                let (this, name) = (self.clone(), connector.to_owned());
                let asking =
                    self.runtime.spawn(async move { this.ask(&name, order, patience).await });
                asking.await.unwrap_or_else(|_| Err(Trouble::defect()))?
            }
        };
        report.add_gone(wanted, &places);
        Ok(report)
    }
}

impl Report {
    /// Those that were asked for by their place and are not there.
    fn add_gone(&mut self, wanted: Option<Places>, found: &Places) {
        let gone: Vec<u64> =
            wanted.iter().flat_map(Places::iter).filter(|at| !found.has(*at)).take(1_000).collect();
        for at in gone {
            *self.counts.entry(Verdict::Gone).or_default() += 1;
            let note = "there is no such dead letter, or not any more".to_owned();
            self.rulings.push(Ruling { at, verdict: Verdict::Gone, note });
        }
        self.rulings.sort_by_key(|ruling| ruling.at);
    }
}
