//! A producer and what it has not committed yet.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use talon_runtime::bus::{BusFault, Grant};

use crate::PATIENCE;
use crate::client::{EARSHOT, Watch};
use crate::fault::{fault_of, fault_of_code};

/// Delivery reports are taken in after so many appends.
const APPENDS_PER_POLL: u32 = 1_000;

/// One look at the broker when the client says that all brokers are gone.
const LOOK: Duration = Duration::from_secs(2);

/// State of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// `delivery: at-least-once`.
    Never,
    /// Begins with the next append.
    Closed,
    Open,
}

/// The producer of a shard or lane. Used by one thread.
pub(crate) struct KafkaProducer {
    client: BaseProducer<Watch>,
    transaction: Transaction,
    grant: Grant,
    appends: u32,
}

impl KafkaProducer {
    pub(crate) fn new(
        client: BaseProducer<Watch>,
        transaction: Transaction,
        grant: Grant,
    ) -> KafkaProducer {
        KafkaProducer { client, transaction, grant, appends: 0 }
    }

    /// Where its transaction stands.
    pub(crate) fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// The client, which also takes part in a transaction with offsets.
    pub(crate) fn client(&self) -> &BaseProducer<Watch> {
        &self.client
    }

    /// Ends what an earlier owner left open, and fences it.
    pub(crate) fn take_over(&self) -> Result<(), BusFault> {
        // Who has lost the shard must not fence its new owner.
        self.grant.may_begin()?;
        self.client.init_transactions(PATIENCE).map_err(|error| self.explain(&error))
    }

    /// Begins a transaction, unless one is open or there are none.
    pub(crate) fn begin(&mut self) -> Result<(), BusFault> {
        if self.transaction == Transaction::Closed {
            self.client.begin_transaction().map_err(|error| fault_of(&error))?;
            self.transaction = Transaction::Open;
        }
        Ok(())
    }

    /// Appends a record; to the partition that the client chooses by its key, unless one is given.
    pub(crate) fn send<'h>(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        key: &str,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<(), BusFault> {
        self.begin()?;
        let mut record = BaseRecord::to(topic).key(key);
        record.payload = value;
        record.partition = partition;
        if headers.len() > 0 {
            let all = OwnedHeaders::new_with_capacity(headers.len());
            let add =
                |all: OwnedHeaders, (key, value)| all.insert(Header { key, value: Some(value) });
            record.headers = Some(headers.fold(all, add));
        }
        let mut waited = Stall::new();
        loop {
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.client.poll(Duration::from_millis(1));
                    self.check(&mut waited)?;
                }
                Err((error, _)) => return Err(fault_of(&error)),
            }
        }
        self.appends += 1;
        if self.appends.is_multiple_of(APPENDS_PER_POLL) {
            self.client.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Waits until everything sent is acknowledged.
    ///
    /// Short polls, because `BaseProducer::poll` (rdkafka 0.39) runs to its deadline even when there
    /// is nothing left to wait for, and `commit_transaction` polls for 100 ms inside: a commit with
    /// messages outstanding takes 100 ms instead of 7. Not needed any more when a commit without this
    /// takes as long as one with it.
    pub(crate) fn drain(&mut self) -> Result<(), BusFault> {
        let mut waited = Stall::new();
        while self.client.in_flight_count() > 0 {
            // It ends at once, and wakes the client's threads: nobody else tells them that a transaction
            // has taken a partition in, and they look at it up to 10 ms later.
            self.client.flush(Duration::ZERO).ok();
            self.client.poll(Duration::from_millis(1));
            self.check(&mut waited)?;
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// What went wrong with deliveries. A fatal error of the producer says more than the deliveries
    /// that it purged.
    fn failure(&self) -> Option<BusFault> {
        let failed = self.client.context().failed_delivery()?;
        Some(self.client.client().fatal_error().map_or(failed, |(code, _)| fault_of_code(code)))
    }

    /// While waiting: whether to go on.
    fn check(&self, stall: &mut Stall) -> Result<(), BusFault> {
        if let Some(fault) = self.failure() {
            return Err(fault);
        }
        self.grant.may_finish()?;
        if stall.lasts(self.client.in_flight_count()) {
            let fault = BusFault::Unavailable("Kafka: no broker acknowledges records".to_owned());
            return Err(self.client.context().explain(fault));
        }
        Ok(())
    }

    /// Waits for the acknowledgements, and ends the transaction if one is open.
    pub(crate) fn commit(&mut self) -> Result<(), BusFault> {
        self.drain()?;
        if self.transaction == Transaction::Open {
            let committed = self.client.commit_transaction(PATIENCE);
            committed.map_err(|error| self.explain(&error))?;
            self.transaction = Transaction::Closed;
        }
        self.client.context().connected();
        Ok(())
    }

    /// Whether the broker is there; `topic` is asked for if that is in doubt.
    pub(crate) fn look(&self, topic: &str) -> Result<(), BusFault> {
        self.client.poll(Duration::ZERO);
        if self.client.context().connection().is_some() {
            // A broker that closes an idle connection looks the same for a moment: ask.
            match self.client.client().fetch_metadata(Some(topic), LOOK) {
                Ok(_) => self.client.context().connected(),
                Err(error) => return Err(self.explain(&error)),
            }
        }
        match self.client.client().fatal_error() {
            Some((code, _)) => Err(fault_of_code(code)),
            None => Ok(()),
        }
    }

    /// How many partitions topics have now; none where that is not known.
    pub(crate) fn partitions(&self, topics: &[&str]) -> Option<Vec<i32>> {
        let metadata = self.client.client().fetch_metadata(None, LOOK).ok()?;
        let count = |name: &&str| {
            let found = metadata.topics().iter().find(|topic| topic.name() == *name)?;
            i32::try_from(found.partitions().len()).ok()
        };
        topics.iter().map(count).collect()
    }

    /// An error, with the trouble of the connection behind it.
    pub(crate) fn explain(&self, error: &KafkaError) -> BusFault {
        self.client.poll(EARSHOT);
        self.client.context().explain(fault_of(error))
    }
}

/// Time without progress.
struct Stall {
    since: Instant,
    in_flight: i32,
}

impl Stall {
    fn new() -> Stall {
        Stall { since: Instant::now(), in_flight: i32::MAX }
    }

    fn lasts(&mut self, in_flight: i32) -> bool {
        if in_flight < self.in_flight {
            *self = Stall { since: Instant::now(), in_flight };
        }
        self.since.elapsed() > PATIENCE
    }
}
