//! Writing to a stream, for a relay: exactly once.
//!
//! The positions of a task are one message in the target stream, whose sequence is the fence: a new owner writes it
//! anew before it reads anything, and nothing of an earlier owner is stored after that.
//!
//! - [`batch`]: records and positions are one atomic batch (nats-server 2.12, `allow_atomic`).
//! - [`chain`]: records go one by one and say where they come from. A new owner reads the stream behind the last
//!   positions, up to its own fence, and so knows what is there already.
//!
//! # How it can fail, and what then holds
//!
//! - An answer does not come, or the connection is lost: the sink fails, and is opened anew. What was on its way may be
//!   stored before the new fence, where it is read back; after it, it is refused.
//! - The stream is purged or made anew: the position message is gone, so the next record or batch is refused, and
//!   everything is carried again.
//! - A replica that reads back is behind: the reading counts only if it has seen the fence.

mod agreed;
mod batch;
mod chain;
mod dead_letter;
mod kept;
mod owner;
mod target;
mod wire;

use std::collections::BTreeMap;
use std::time::Instant;

use async_nats::jetstream::consumer::DeliverPolicy;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::mapping::write_message;
use talon_runtime::relay::{Address, Agreed, Part, Position, Record, Resume, Sink, SinkSpec};

use self::agreed::Found;
use self::batch::Batches;
use self::chain::Chain;
use self::dead_letter::DeadLetters;
use self::kept::{Kept, KeptPosition};
use self::owner::Owner;
use self::target::Target;
pub(super) use self::target::losses;
use self::wire::{MAX_HEADERS, Message, Wire, header_map};
use super::place;
use crate::read::read_to_end;
use crate::session::Session;

/// Writes to a stream.
pub(super) struct NatsSink {
    spec: SinkSpec,
    grant: Grant,
    prefix: String,
    target: Target,
    wire: Wire,
    owner: Owner,
    /// Positions with what was appended.
    kept: Kept,
    /// Whether something was appended since the last commit.
    appended: bool,
    /// When positions were written last.
    written: Instant,
    way: Way,
    dead_letters: DeadLetters,
}

/// How records get there.
enum Way {
    Batches(Batches),
    Chain(Chain),
}

impl NatsSink {
    pub(super) async fn open(
        session: &Session,
        spec: &SinkSpec,
        grant: &Grant,
    ) -> Result<NatsSink, BusFault> {
        let connection = session.connection(grant).await?;
        let prefix = session.prefix.clone();
        let target = Target::ensure(&connection, &prefix, spec, &session.access).await?;
        let wire = Wire::open(connection, grant.clone()).await?;
        let way = match target.atomic {
            true => Way::Batches(Batches::default()),
            false => {
                let widest = if target.pipelined { session.access.max_in_flight } else { 1 };
                Way::Chain(Chain::new(widest, target.guards))
            }
        };
        let owner = Owner::new(&prefix, spec, spec.task, target.rollup);
        Ok(NatsSink {
            grant: grant.clone(),
            dead_letters: DeadLetters::new(place::dead_letters(&prefix, spec, &session.access)),
            spec: spec.clone(),
            prefix,
            target,
            wire,
            owner,
            kept: Kept::default(),
            appended: false,
            written: Instant::now(),
            way,
        })
    }

    /// What the stream says of the relay, by one who has seen our fence.
    async fn tasks(&self) -> Result<Found, BusFault> {
        let found =
            agreed::read(&self.wire.connection, &self.grant, &self.prefix, &self.spec).await?;
        match found.tasks.get(&self.spec.task) {
            Some((_, sequence)) if *sequence == self.owner.fence => Ok(found),
            Some((_, sequence)) if *sequence > self.owner.fence => {
                Err(BusFault::Fenced("NATS: another process took this task over".to_owned()))
            }
            _ => Err(self.wire.unavailable("the replica that was read from is behind")),
        }
    }

    /// Reads the positions of all tasks, and what their owners wrote behind them.
    async fn read_back(&self) -> Result<(Kept, Option<Agreed>), BusFault> {
        let Found { tasks, agreed } = self.tasks().await?;
        let mut all = Kept::default();
        let mut from: Option<u64> = None;
        // Behind which sequence the records of a task are not covered.
        let mut tails = BTreeMap::new();
        for (task, (kept, sequence)) in &tasks {
            for (part, position) in &kept.parts {
                all.merge(part, *position);
            }
            if let Some(tail) = kept.tail(*sequence) {
                tails.insert(*task, tail);
                from = Some(from.map_or(tail, |from| from.min(tail)));
            }
        }
        let Some(start_sequence) = from else { return Ok((all, agreed)) };
        let policy = DeliverPolicy::ByStartSequence { start_sequence };
        let tail = (self.spec.stream.as_str(), Vec::new(), policy);
        let mut reached = start_sequence > self.owner.fence;
        read_to_end(&self.wire.connection, &self.grant, tail, &mut |message, sequence| {
            reached |= sequence >= self.owner.fence;
            let from = message.headers.as_ref().and_then(|headers| headers.get(place::FROM));
            let found = from.and_then(|from| place::parse_from(from.as_str(), &self.spec.relay));
            if let Some((task, part, position)) = found
                && tails.get(&task).is_some_and(|tail| sequence >= *tail)
            {
                all.merge(&part.to_string(), KeptPosition { position, at: sequence });
            }
            Ok(())
        })
        .await?;
        match reached {
            true => Ok((all, agreed)),
            false => Err(self.wire.unavailable("the replica that was read from is behind")),
        }
    }

    /// The message of a record. Refused where the server or the stream would refuse it.
    fn message(&self, to: &Address, record: &Record) -> Result<Message, BusFault> {
        let too_large = |why: String| Err(BusFault::TooLarge(format!("NATS: {why}")));
        if !self.target.takes(&to.name) {
            let stream = &self.spec.stream;
            return too_large(format!("the stream `{stream}` does not take its subject"));
        }
        let written = write_message(record);
        let Some(mut headers) = header_map(&written.headers) else {
            return too_large("a header cannot be written".to_owned());
        };
        if matches!(self.way, Way::Chain(_)) {
            let from = place::from(&self.spec, &record.part, record.position);
            headers.insert(place::FROM, from);
        }
        let message = Message { subject: to.name.clone(), headers, payload: written.payload };
        let (bytes, of_headers) = (message.bytes(), message.header_bytes());
        if of_headers > MAX_HEADERS {
            return too_large(format!("{of_headers} bytes of headers are more than {MAX_HEADERS}"));
        }
        if bytes > self.target.bytes {
            let most = self.target.bytes;
            return too_large(format!("{bytes} bytes are more than the stream takes ({most})"));
        }
        Ok(message)
    }

    /// Nothing is on its way when it returns, and positions are as told.
    fn flush(&mut self, is_needed: bool) -> Result<(), BusFault> {
        let NatsSink { way, owner, wire, kept, .. } = self;
        match way {
            Way::Batches(batches) => {
                if is_needed {
                    batches.send(kept.clone(), owner, wire)?;
                }
                batches.wait(owner, wire)
            }
            Way::Chain(chain) => {
                chain.wait(0, owner, wire)?;
                if is_needed { owner.write(kept.clone(), wire) } else { Ok(()) }
            }
        }
    }
}

impl Sink for NatsSink {
    fn bus(&self) -> &str {
        &self.target.bus
    }

    fn resume(&mut self) -> Result<Resume, BusFault> {
        // Whoever has lost the task must not fence its new owner.
        self.grant.may_begin()?;
        let place = (&*self.prefix, &self.target, &self.grant);
        agreed::settle(&self.spec, place, &mut self.wire)?;
        self.grant.may_begin()?;
        self.owner.take_over(&mut self.wire, self.target.atomic)?;
        let (all, agreed) = self.wire.runtime.clone().block_on(self.read_back())?;
        self.spec.tasks.check(&self.spec.relay, agreed)?;
        let begun = self.owner.kept.begun;
        self.kept = Kept { begun, atomic: self.target.atomic, covers: None, parts: all.parts };
        if !self.target.atomic {
            // So that the next owner need not read so far back.
            self.owner.write(self.kept.clone(), &mut self.wire)?;
        }
        let known = |(name, kept): (&String, &KeptPosition)| {
            Part::parse(name).map(|part| (part, kept.position))
        };
        self.wire.connection.status.over();
        let begun = begun || agreed.is_some_and(|agreed| agreed.changed);
        Ok(Resume { begun, positions: self.kept.parts.iter().filter_map(known).collect() })
    }

    fn write(&mut self, to: &Address, record: &Record) -> Result<(), BusFault> {
        let message = self.message(to, record)?;
        self.kept.set(&record.part, record.position, self.owner.fence);
        self.appended = true;
        let NatsSink { way, owner, wire, kept, .. } = self;
        match way {
            Way::Batches(batches) => {
                if batches.push(message) {
                    kept.begun = true;
                    batches.send(kept.clone(), owner, wire)?;
                    self.appended = false;
                }
                Ok(())
            }
            Way::Chain(chain) => chain.push(message, owner, wire),
        }
    }

    fn write_dead_letter(&mut self, record: &Record, why: &str) -> Result<(), BusFault> {
        let subject = place::dead_letter(&self.prefix, &self.spec.relay, record);
        // Answers to others would be passed over.
        self.flush(false)?;
        let NatsSink { dead_letters, spec, wire, .. } = self;
        dead_letters.write(subject, record, (spec, why), wire)?;
        self.kept.set(&record.part, record.position, self.owner.fence);
        self.appended = true;
        Ok(())
    }

    fn commit(&mut self, positions: &[(Part, Position)]) -> Result<(), BusFault> {
        self.grant.may_finish()?;
        for (part, position) in positions {
            self.kept.set(part, *position, self.owner.fence);
        }
        let is_old = self.target.refresh.is_some_and(|after| self.written.elapsed() > after);
        let is_needed = self.appended || !positions.is_empty() || is_old;
        self.kept.begun |= is_needed;
        self.flush(is_needed)?;
        self.appended = false;
        match is_needed {
            true => self.written = Instant::now(),
            false => self.owner.look(&self.wire)?,
        }
        self.wire.connection.status.over();
        Ok(())
    }
}
