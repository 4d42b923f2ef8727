//! A task of a relay on a real server, used as the engine uses it.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use talon_nats::Nats;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::{
    Address, From, Header, Hops, Key, Origin, Part, Position, Read, Record, RelayBus, Resume,
    Selection, Sink, SinkSpec, Source, SourceSpec, Tasks,
};

use super::World;

/// How records get to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Batches,
    Chain,
}

pub(crate) const BOTH: [Way; 2] = [Way::Batches, Way::Chain];

/// A target stream.
pub(crate) struct Target<'w> {
    pub(crate) world: &'w World,
    pub(crate) way: Way,
    pub(crate) stream: String,
    pub(crate) subjects: String,
}

impl<'w> Target<'w> {
    /// None where the server takes no batches.
    pub(crate) fn new(world: &'w World, way: Way) -> Option<Target<'w>> {
        let client = world.jetstream().client();
        if way == Way::Batches && !client.is_server_compatible(2, 12, 0) {
            return None;
        }
        let name = talon_brokers::unique("T");
        let target = Target { world, way, subjects: format!("{name}.>"), stream: name };
        target.create();
        Some(target)
    }

    /// Makes the stream as somebody else would.
    pub(crate) fn create(&self) {
        let config = Config {
            name: self.stream.clone(),
            subjects: vec![
                self.subjects.clone(),
                format!("{}.relays.{}.>", self.world.prefix, self.stream),
            ],
            num_replicas: usize::from(self.world.replication.max(1)),
            allow_atomic_publish: self.way == Way::Batches,
            ..Config::default()
        };
        let jetstream = self.world.jetstream();
        let since = Instant::now();
        self.world.runtime.block_on(async {
            // A cluster may not be ready for it.
            while let Err(error) = jetstream.create_stream(config.clone()).await {
                assert!(since.elapsed() < Duration::from_secs(60), "{error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }

    /// Deletes the stream and makes it again.
    ///
    /// nats-server 2.11.11 sometimes gives a stream that is made again at once the messages of the old one. Then
    /// nothing is lost, and it is tried again.
    pub(crate) fn make_anew(&self) {
        let jetstream = self.world.jetstream();
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < Duration::from_secs(60), "it keeps its messages");
            self.world.runtime.block_on(async {
                jetstream.delete_stream(&self.stream).await.unwrap();
            });
            self.create();
            let left = self.world.runtime.block_on(async {
                let mut stream = jetstream.get_stream(&self.stream).await.unwrap();
                stream.info().await.unwrap().state.messages
            });
            if left == 0 {
                return;
            }
        }
    }

    pub(crate) fn spec(&self) -> SinkSpec {
        SinkSpec {
            relay: "to-edge".to_owned(),
            task: 0,
            tasks: Tasks::new(1),
            stream: self.stream.clone(),
            subjects: vec![self.subjects.clone()],
            partitions: 0,
            replication: self.world.replication,
            dead_letter_keep_ms: 0,
        }
    }

    pub(crate) fn try_open(&self, nats: &Nats) -> Result<(Box<dyn Sink>, Resume), BusFault> {
        self.try_open_task(nats, 0, &Tasks::new(1))
    }

    /// Opens one of so many tasks.
    pub(crate) fn try_open_task(
        &self,
        nats: &Nats,
        task: u32,
        tasks: &Tasks,
    ) -> Result<(Box<dyn Sink>, Resume), BusFault> {
        let _inside = self.world.runtime.enter();
        let spec = SinkSpec { task, tasks: tasks.clone(), ..self.spec() };
        let mut sink = nats.sink(&spec, &Grant::unlimited("test"))?;
        let resume = sink.resume()?;
        Ok((sink, resume))
    }

    pub(crate) fn open(&self, nats: &Nats) -> (Box<dyn Sink>, Resume) {
        self.try_open(nats).unwrap()
    }

    /// Where a record goes.
    pub(crate) fn address(&self, number: u64, subjects: u64) -> Address {
        let root = self.subjects.trim_end_matches('>');
        Address { name: format!("{root}{}", number % subjects), key: None, partition: None }
    }

    /// The numbers of the records that are there, in their order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let root = self.subjects.trim_end_matches('>');
        let messages = self.world.messages(&self.stream);
        let records = messages.iter().filter(|message| message.subject.starts_with(root));
        let number = |text: &[u8]| std::str::from_utf8(text).unwrap().trim().parse().unwrap();
        records.map(|message| number(&message.payload)).collect()
    }
}

pub(crate) fn part() -> Part {
    Part::new("talon.calls", 0)
}

/// A record of a Kafka with a number as its value.
pub(crate) fn record(number: u64) -> Record {
    Record {
        part: part(),
        position: Position { next: number + 1, of: 0 },
        origin: Some(Origin {
            topic: "talon.calls".into(),
            partition: 0,
            offset: i64::try_from(number).unwrap(),
        }),
        subject: None,
        key: Key::Bytes(format!("k{number}").into()),
        headers: vec![Header { name: "ce_id".to_owned(), value: Some("7".into()) }],
        value: Some(number.to_string().into()),
        timestamp_ms: Some(1_700_000_000_000),
        hops: Hops::default(),
        converted: None,
    }
}

/// Where a resumed task goes on.
pub(crate) fn next(resume: &Resume) -> u64 {
    resume.positions.get(&part()).map_or(0, |position| position.next)
}

/// A source of a stream, from there.
pub(crate) fn source(
    world: &World,
    nats: &Nats,
    stream: &str,
    from: From,
) -> (Box<dyn Source>, Position) {
    let (source, position) = try_source(world, nats, stream, from).unwrap();
    (source, position)
}

pub(crate) fn try_source(
    world: &World,
    nats: &Nats,
    stream: &str,
    from: From,
) -> Result<(Box<dyn Source>, Position), BusFault> {
    let _inside = world.runtime.enter();
    let selection = Selection::Stream { stream: stream.to_owned(), subjects: Vec::new() };
    let spec = SourceSpec { relay: "from-edge".to_owned(), task: 0, selection };
    let mut source = nats.source(&spec, &Grant::unlimited("test"))?;
    let parts = source.parts()?;
    assert_eq!(parts, [Part::new(stream, 0)]);
    let begun = source.assign(&[(parts[0].clone(), from)])?;
    Ok((source, begun[0].1))
}

/// Reads so many records.
pub(crate) fn read(source: &mut dyn Source, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let since = Instant::now();
    while records.len() < count {
        assert!(since.elapsed() < Duration::from_secs(60), "{} of {count}", records.len());
        records.extend(read_once(source, count - records.len()).records);
    }
    records
}

pub(crate) fn read_once(source: &mut dyn Source, count: usize) -> Read {
    source.read(count, 8 << 20, Duration::from_millis(200)).unwrap()
}
