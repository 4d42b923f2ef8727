//! A producer and what it has not committed yet.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use talon_runtime::bus::{BusFault, Grant, Stall};

use crate::client::{EARSHOT, Watch};
use crate::cluster::{Cluster, Use};
use crate::coordinator::Coordinator;
use crate::fault::{fault_of, fault_of_code};
use crate::limits::size;
use crate::patience::{LOOK, PATIENCE, SLOW};

/// Delivery reports are taken in after so many appends.
const APPENDS_PER_POLL: u32 = 1_000;

/// How often it is looked whether a secret or certificate has changed.
const RENEW_EVERY: Duration = Duration::from_secs(5);

/// State of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// `delivery: at-least-once`.
    Never,
    /// Begins with the next append.
    Closed,
    Open,
}

/// A record of any kind, to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    /// None is the client's choice, by the key.
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    /// None is a tombstone.
    pub(crate) value: Option<&'a [u8]>,
    /// None is now.
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) headers: Option<OwnedHeaders>,
    /// As [`size`] counts.
    pub(crate) size: usize,
}

/// The producer of a shard or lane. Used by one thread.
pub(crate) struct KafkaProducer {
    pub(super) cluster: Cluster,
    pub(super) wanted: Use,
    pub(super) client: BaseProducer<Watch>,
    /// Of the properties that the client was made with.
    version: u64,
    looked: Instant,
    /// It sends one record a batch.
    pub(super) alone: bool,
    /// The least that one of the topics takes.
    least: usize,
    pub(super) transaction: Transaction,
    pub(super) grant: Grant,
    appends: u32,
}

impl KafkaProducer {
    /// With a transactional id it has transactions, and must [take over](Self::take_over) first.
    pub(crate) fn new(
        cluster: &Cluster,
        wanted: Use,
        grant: &Grant,
    ) -> Result<KafkaProducer, BusFault> {
        let version = cluster.version();
        let client = cluster.producer(&wanted)?;
        let alone = cluster.limits().sizes(wanted.topics.iter().map(String::as_str)).alone;
        let transaction = match wanted.transactional_id {
            Some(_) => Transaction::Closed,
            None => Transaction::Never,
        };
        Ok(KafkaProducer {
            cluster: cluster.clone(),
            wanted,
            client,
            version,
            looked: Instant::now(),
            alone,
            least: 0,
            transaction,
            grant: grant.clone(),
            appends: 0,
        })
    }

    /// Ends what an earlier owner left open, and fences it.
    pub(crate) fn take_over(&mut self) -> Result<(), BusFault> {
        if self.transaction == Transaction::Never {
            return Ok(());
        }
        let mut fenced = self.fence()?;
        let code = fenced.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let too_long = code == Some(RDKafkaErrorCode::InvalidTransactionTimeout);
        if too_long && self.cluster.shorten_transactions() {
            self.client = self.cluster.producer(&self.wanted)?;
            fenced = self.fence()?;
        }
        let Err(error) = fenced else { return Ok(()) };
        match self.explain(&error) {
            // No trouble of the connection is behind it.
            BusFault::Unavailable(_) if self.client.context().trouble.last().is_none() => {
                Err(Coordinator::Transactions.explain(self.client.client(), &error))
            }
            fault => Err(fault),
        }
    }

    /// What the broker says to it. Who has lost the shard must not fence its new owner.
    fn fence(&self) -> Result<Result<(), KafkaError>, BusFault> {
        self.grant.may_begin()?;
        Ok(self.client.init_transactions(PATIENCE))
    }

    /// Makes the client anew where a secret or a certificate has changed. Only between transactions:
    /// the new client takes over from the old one.
    fn renew(&mut self) -> Result<(), BusFault> {
        if self.transaction == Transaction::Open || self.looked.elapsed() < RENEW_EVERY {
            return Ok(());
        }
        self.looked = Instant::now();
        let version = self.cluster.version();
        if version == self.version || self.client.in_flight_count() > 0 {
            return Ok(());
        }
        self.client = self.cluster.producer(&self.wanted)?;
        self.version = version;
        tracing::info!(
            shard = self.grant.shard(),
            "a secret or certificate of Kafka has changed; the producer is made anew"
        );
        self.take_over()
    }

    /// It writes to this topic too from now on, whose limits count if they are known.
    pub(crate) fn write_to(&mut self, topic: &str) {
        let most = self.cluster.limits().most(topic).unwrap_or(usize::MAX);
        self.least = self.least.min(most);
        self.wanted.topics.push(topic.to_owned());
    }

    /// Where its transaction stands.
    pub(crate) fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// The client, which also takes part in a transaction with offsets.
    pub(crate) fn client(&self) -> &BaseProducer<Watch> {
        &self.client
    }

    /// Begins a transaction, unless one is open or there are none.
    pub(crate) fn begin(&mut self) -> Result<(), BusFault> {
        self.renew()?;
        let seldom = self.appends.is_multiple_of(APPENDS_PER_POLL);
        if self.transaction == Transaction::Closed
            || self.transaction == Transaction::Never && seldom
        {
            let most = |topic: &String| self.cluster.limits().most(topic);
            self.least = self.wanted.topics.iter().filter_map(most).min().unwrap_or(usize::MAX);
        }
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
        headers: impl ExactSizeIterator<Item = (&'h str, &'h [u8])> + Clone,
    ) -> Result<(), BusFault> {
        let size = size(key.as_bytes(), value, headers.clone());
        let headers = (headers.len() > 0).then(|| {
            let all = OwnedHeaders::new_with_capacity(headers.len());
            let add =
                |all: OwnedHeaders, (key, value)| all.insert(Header { key, value: Some(value) });
            headers.fold(all, add)
        });
        let (key, timestamp_ms) = (Some(key.as_bytes()), None);
        self.put(Outgoing { topic, partition, key, value, timestamp_ms, headers, size })
    }

    /// Appends a record of any kind.
    pub(crate) fn put(&mut self, outgoing: Outgoing<'_>) -> Result<(), BusFault> {
        self.begin()?;
        let Outgoing { topic, size, .. } = outgoing;
        if size > self.least
            && let Some(most) = self.cluster.limits().most(topic)
            && size > most
        {
            return Err(BusFault::TooLarge(format!(
                "Kafka: a record of {size} bytes is too large for the topic `{topic}`, which takes {most} (`max.message.bytes`)"
            )));
        }
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        record.key = outgoing.key;
        record.payload = outgoing.value;
        record.partition = outgoing.partition;
        record.timestamp = outgoing.timestamp_ms;
        record.headers = outgoing.headers;
        let mut stall = Stall::at(self.client.in_flight_count().into());
        loop {
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.client.poll(Duration::from_millis(1));
                    self.check(&mut stall)?;
                }
                Err((error, _)) => match fault_of(&error) {
                    fault @ BusFault::TooLarge(_) => return Err(fault),
                    fault => {
                        // A record before it may have failed, which says more.
                        self.client.poll(EARSHOT);
                        return Err(self.failure().unwrap_or(fault));
                    }
                },
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
        let mut stall = Stall::at(self.client.in_flight_count().into());
        while self.client.in_flight_count() > 0 {
            // It ends at once, and wakes the client's threads: nobody else tells them that a transaction
            // has taken a partition in, and they look at it up to 10 ms later.
            self.client.flush(Duration::ZERO).ok();
            self.client.poll(Duration::from_millis(1));
            self.check(&mut stall)?;
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// Waits for the acknowledgements, and ends the transaction if one is open.
    pub(crate) fn commit(&mut self) -> Result<(), BusFault> {
        self.drain()?;
        if self.transaction == Transaction::Open {
            let stall = Stall::at(self.client.in_flight_count().into());
            while let Err(error) = self.client.commit_transaction(PATIENCE) {
                let timed_out =
                    error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut);
                if !timed_out || stall.time() > SLOW {
                    return Err(self.explain(&error));
                }
                // The call is to be repeated then; the coordinator answers behind a quota, too.
                self.grant.may_finish()?;
                self.leaders_answer()?;
            }
            self.transaction = Transaction::Closed;
        }
        self.client.context().trouble.over();
        Ok(())
    }

    /// Whether the broker is there; `topic` is asked for if that is in doubt.
    pub(crate) fn look(&mut self, topic: &str) -> Result<(), BusFault> {
        self.renew()?;
        self.client.poll(Duration::ZERO);
        if self.client.context().trouble.last().is_some() {
            // A broker that closes an idle connection looks the same for a moment: ask.
            match self.client.client().fetch_metadata(Some(topic), LOOK) {
                Ok(_) => self.client.context().trouble.over(),
                Err(error) => return Err(self.explain(&error)),
            }
        }
        match self.client.client().fatal_error() {
            Some((code, _)) => Err(fault_of_code(code)),
            None => Ok(()),
        }
    }
}
