//! Dead letters of a connector that runs in this process, as they are settled.
//!
//! The letters are read from the bus; rows are settled by the thread of the shard, which alone publishes
//! ([`crate::shard`]). A command goes back to the topic of commands, as if it came now, and then counts as settled.
//!
//! How it can fail, and what holds then:
//!
//! * *Killed, or the bus is lost, between a command and the record that it is settled.* It is put back once more, and
//!   the second one ends `DUPLICATE`: what is put back has an id that can be read, and the ledger knows it.
//! * *This process has lost the shard and does not know it.* Rows are fenced. A command may be put back by two
//!   processes, which is the same.
//! * *A command whose id could be read when it was put aside* has the outcome `REJECTED`, which its sender was told. It
//!   is not put back: under this id it would end `DUPLICATE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use talon_schemas::wire::Wire;
use tokio::sync::{Mutex, oneshot};
use tokio::task::spawn_blocking;

use crate::bus::{BusFault, DeadLetter, dead_letters_of};
use crate::commands::{CommandReader, Intake, lane_spec};
use crate::service::setup::{Setup, Shared};
use crate::shard::{Inlet, Places, Request, Ruling, Settled, Step, Verdict};

/// Letters, and bytes of them, that are settled in one commit.
const BATCH: usize = 200;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What is to be done with dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They are taken through the pipeline again.
    Redrive {
        /// Also those that were redriven too often.
        once_more: bool,
    },
    /// They are given up.
    Discard,
}

/// Which dead letters of a connector are to be settled, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What is to be done.
    pub action: Action,
    /// Where they stand.
    pub places: Places,
    /// Nothing is settled: it is only said what would become of each.
    pub dry_run: bool,
}

/// Why dead letters were not settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSettled {
    /// The connector does not run in this process, or is being opened.
    #[error("the connector does not run here")]
    NotHere,
    /// The bus fails.
    #[error(transparent)]
    Bus(#[from] BusFault),
    /// The shard ended in between; some may be settled.
    #[error("the connector is opened anew, so it is not known yet what was settled")]
    Interrupted,
}

/// The way to what runs of a connector. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Letters {
    pub(super) inlet: Inlet,
    pub(super) setup: Option<Setup>,
    /// One order at a time.
    turn: Arc<Mutex<()>>,
}

/// What one reading found.
struct Batch {
    letters: Vec<DeadLetter>,
    /// Where the next batch begins; none if this was the last one.
    next: Option<u64>,
    oldest: u64,
    is_of_another_topic: bool,
}

impl Letters {
    pub(super) async fn settle(
        &self,
        shared: &Shared,
        name: &str,
        order: &Order,
    ) -> Result<Vec<Ruling>, NotSettled> {
        let setup = self.setup.clone().ok_or(NotSettled::NotHere)?;
        let _turn = self.turn.lock().await;
        let mut rulings = BTreeMap::new();
        let mut from = Some(0);
        while let Some(begin) = from {
            let (of_thread, spec, places) =
                (shared.bus.clone(), dead_letters_of(&shared.prefix, name), order.places.clone());
            let reading = spawn_blocking(move || {
                let mut taken = Taken { begin, places, ..Taken::default() };
                let ends = of_thread.dead_letters(&spec, &mut |letter| taken.take(letter))?;
                Ok::<_, BusFault>((taken, ends))
            });
            let (taken, ends) = reading.await.map_err(|_| NotSettled::Interrupted)??;
            let settled = ends.settled.as_deref().map(Settled::decode).unwrap_or_default();
            let at_ms = |at| taken.at_ms.get(&at).copied();
            let batch = Batch {
                is_of_another_topic: settled.is_of_another_topic(ends.next, at_ms),
                letters: taken.letters,
                next: taken.next,
                oldest: ends.oldest,
            };
            from = batch.next;
            let ruled = self.settle_batch(shared, &setup, order, batch).await?;
            rulings.extend(ruled.into_iter().map(|ruling| (ruling.at, ruling)));
        }
        Ok(rulings.into_values().collect())
    }

    async fn settle_batch(
        &self,
        shared: &Shared,
        setup: &Setup,
        order: &Order,
        batch: Batch,
    ) -> Result<Vec<Ruling>, NotSettled> {
        let (mut rulings, mut steps, mut commands) = (Vec::new(), Vec::new(), Vec::new());
        for letter in &batch.letters {
            match order.action {
                Action::Discard => steps.push((letter.clone(), Step::Discard)),
                Action::Redrive { .. } if letter.stage() == "command" => {
                    match command(shared, setup, letter).await? {
                        Read::Command(key) => commands.push((letter.clone(), key)),
                        Read::Unreadable(why) => {
                            steps.push((letter.clone(), Step::Unreadable(why)));
                        }
                        Read::Refused(why) => rulings.push(Ruling {
                            at: letter.at,
                            verdict: Verdict::Refused,
                            note: why.to_owned(),
                        }),
                    }
                }
                Action::Redrive { .. } => steps.push((letter.clone(), Step::Redrive)),
            }
        }
        let hand = |letters, dry_run| self.hand(order, &batch, letters, dry_run);
        // Those that are settled already must not be put back.
        let put_back = |(letter, _): &(DeadLetter, String)| (letter.clone(), Step::PutBack);
        let may = hand(commands.iter().map(put_back).collect(), true).await?;
        for ((letter, key), ruling) in commands.into_iter().zip(may) {
            if ruling.verdict != Verdict::Redriven || order.dry_run {
                rulings.push(ruling);
                continue;
            }
            if shared.ownership.owner(&setup.name).is_err() {
                return Err(NotSettled::NotHere);
            }
            let (bus, lane, value) =
                (shared.bus.clone(), lane_spec(&shared.prefix, setup), letter.value.clone());
            let sent = spawn_blocking(move || bus.send(&lane, &key, &value)).await;
            sent.map_err(|_| NotSettled::Interrupted)??;
            steps.push((letter, Step::PutBack));
        }
        rulings.extend(hand(steps, order.dry_run).await?);
        Ok(rulings)
    }

    async fn hand(
        &self,
        order: &Order,
        batch: &Batch,
        letters: Vec<(DeadLetter, Step)>,
        dry_run: bool,
    ) -> Result<Vec<Ruling>, NotSettled> {
        if letters.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, answered) = oneshot::channel();
        let request = Request {
            letters,
            once_more: matches!(order.action, Action::Redrive { once_more: true }),
            dry_run,
            oldest: batch.oldest,
            is_of_another_topic: batch.is_of_another_topic,
            answer,
        };
        if !self.inlet.hand(request).await {
            return Err(NotSettled::NotHere);
        }
        answered.await.map_err(|_| NotSettled::Interrupted)
    }
}

/// The letters of a batch, as they are read.
#[derive(Default)]
struct Taken {
    begin: u64,
    places: Places,
    letters: Vec<DeadLetter>,
    bytes: usize,
    next: Option<u64>,
    at_ms: BTreeMap<u64, i64>,
}

impl Taken {
    fn take(&mut self, letter: DeadLetter) {
        self.at_ms.insert(letter.at, letter.at_ms);
        if letter.at < self.begin || self.next.is_some() || !self.places.has(letter.at) {
            return;
        }
        self.bytes += letter.value.len();
        if self.letters.len() >= BATCH || self.bytes > BATCH_BYTES && !self.letters.is_empty() {
            self.next = Some(letter.at);
            return;
        }
        self.letters.push(letter);
    }
}

/// What a command that was put aside is now.
enum Read {
    /// A command, with its ordering key.
    Command(String),
    Unreadable(String),
    Refused(&'static str),
}

/// Reads a command anew, as the intake would.
async fn command(shared: &Shared, setup: &Setup, letter: &DeadLetter) -> Result<Read, NotSettled> {
    if letter.cut_of().is_some() {
        return Ok(Read::Refused("only its beginning is kept"));
    }
    if letter.command_id().is_some() {
        return Ok(Read::Refused(
            "its sender was told the outcome `REJECTED` under its id, so it is not run under that id any more: send it anew under another one (`talon send --file`), and discard this",
        ));
    }
    let Some(commands) = setup.commands.clone() else {
        return Ok(Read::Refused("the connector carries no commands now"));
    };
    // An id of the registry is asked for, also that of this version's own schema.
    let (wire, registry) = (Wire::SingleObject, shared.registry.clone());
    let reader = CommandReader { commands, wire, registry };
    Ok(match reader.read(&letter.value).await? {
        Intake::Command(command) => Read::Command(command.key),
        Intake::Malformed { problems, .. } => Read::Unreadable(problems.join("; ")),
    })
}
