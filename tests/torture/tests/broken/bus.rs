//! A bus that breaks a promise.

use talon_kafka::Kafka;
use talon_runtime::bus::{
    Append, Bus, BusFault, Grant, LaneLog, LaneRecord, LaneSpec, LaneTopic, OpenLane, Place,
    Position, Recovered, ShardLog, ShardSpec,
};

/// One record of so many is concerned.
const EVERY: usize = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// A record is not appended.
    LosesRecords,
    /// A record is appended twice.
    DoublesRecords,
    /// The checkpoints are committed, and then the events, if nothing happens in between.
    CommitsFirst,
    /// A result is appended twice.
    DoublesOutcomes,
    /// The outcome of one command is not appended.
    LosesOutcome,
}

/// Without a group: who opens the shard has it.
pub(crate) struct Broken {
    bus: Kafka,
    defect: Defect,
}

impl Broken {
    pub(crate) fn new(bus: Kafka, defect: Defect) -> Broken {
        Broken { bus, defect }
    }
}

impl Bus for Broken {
    fn describe(&self) -> String {
        self.bus.describe()
    }

    fn probe(&self) -> Result<String, BusFault> {
        self.bus.probe()
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let log = self.bus.open(shard, grant)?;
        let (defect, feeds) = (self.defect, shard.topics.len() - 1);
        Ok(Box::new(BrokenLog { log, defect, feeds, count: 0, held: Vec::new() }))
    }

    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        let (reader, log) = self.bus.open_lane(lane, grant)?;
        let defect = self.defect;
        Ok((reader, Box::new(BrokenLane { log, defect, lost: None })))
    }
}

struct BrokenLog {
    log: Box<dyn ShardLog>,
    defect: Defect,
    /// Topics before that of the dead letters.
    feeds: usize,
    count: usize,
    held: Vec<Held>,
}

/// An [`Append`] of its own.
struct Held {
    topic: usize,
    key: String,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
}

impl ShardLog for BrokenLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        self.log.recover(each)
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        if record.topic >= self.feeds {
            return self.log.append(record);
        }
        self.count += 1;
        match self.defect {
            Defect::LosesRecords if self.count.is_multiple_of(EVERY) => Ok(()),
            Defect::DoublesRecords if self.count.is_multiple_of(EVERY) => {
                self.log.append(record)?;
                self.log.append(record)
            }
            Defect::CommitsFirst => {
                let own = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
                self.held.push(Held {
                    topic: record.topic,
                    key: record.key.to_owned(),
                    value: record.value.map(<[u8]>::to_vec),
                    headers: record.headers.iter().map(own).collect(),
                });
                Ok(())
            }
            _ => self.log.append(record),
        }
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        self.log.commit(checkpoints)?;
        if self.held.is_empty() {
            return Ok(());
        }
        if !checkpoints.is_empty() && self.count > EVERY {
            // What happens in between. The next owner goes on from the checkpoint.
            return Err(BusFault::Aborted("it was told to fail here".to_owned()));
        }
        for held in self.held.drain(..) {
            let headers: Vec<(&str, &[u8])> =
                held.headers.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
            self.log.append(&Append {
                topic: held.topic,
                key: &held.key,
                value: held.value.as_deref(),
                headers: &headers,
            })?;
        }
        self.log.commit(&[])
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        self.log.idle()
    }
}

struct BrokenLane {
    log: Box<dyn LaneLog>,
    defect: Defect,
    /// Whose outcome is lost.
    lost: Option<String>,
}

impl LaneLog for BrokenLane {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        self.log.recover(each)
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        if record.topic == LaneTopic::Results {
            match self.defect {
                Defect::DoublesOutcomes => self.log.append(record)?,
                Defect::LosesOutcome => {
                    let lost = self.lost.get_or_insert_with(|| record.key.clone());
                    if *lost == record.key {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        self.log.append(record)
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        self.log.commit(settled)
    }
}
