//! Reading back what was published, against a consumer that only reads; and starts.

use clap::Args;
use talon_brokers::unique;
use talon_contractor::contracts::CALL;
use talon_runtime::bus::{Append, Grant, Place, ShardSpec};
use talon_runtime::diff::{Differ, EventId};
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Envelope, Op, Source};
use talon_simulators::contractor::{Settings, Simulator};
use tokio::task::block_in_place;

use crate::cluster::{Cluster, Real};
use crate::measure::{Duel, Lap, Spread, timed};
use crate::memory::encoded;
use crate::program::{Program, five_feeds};
use crate::stage::{Stage, options};

/// Different values; beyond that they repeat under other keys.
const DIFFERENT: usize = 10_000;

/// `recovery`
#[derive(Args)]
pub(crate) struct Recovery {
    /// Entities on the topic
    #[arg(long, default_value_t = 1_000_000)]
    entities: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seed of the calls
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The bus
    #[arg(long, value_enum, default_value = "kafka")]
    bus: Real,
    /// A setting of the bus for Talon's clients in this process, `name=value`
    #[arg(long)]
    property: Vec<String>,
}

impl Recovery {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cluster = Cluster::real(self.bus)?.with(&self.property)?;
        let values = encoded(DIFFERENT, self.seed).await?;
        let prefix = unique("recovery");
        let shard = cluster.shard(&prefix, true)?;
        let filled = block_in_place(|| fill(&cluster, &prefix, &shard, &values, self.entities))?;
        println!(
            "{} entities of {} bytes, published in {:.1} s, seed {}",
            self.entities,
            values.iter().map(Vec::len).sum::<usize>() / values.len(),
            filled.wall.as_secs_f64(),
            self.seed
        );
        block_in_place(|| {
            for before_images in [false, true] {
                let image = if before_images { "full" } else { "none" };
                let duel = Duel::fight(
                    self.rounds,
                    || recover(&cluster, &prefix, &shard, before_images, self.entities),
                    || read(&cluster, &shard, self.entities),
                )?;
                duel.print_wall_times(&format!("recovery {} before={image}", cluster.name()));
            }
            anyhow::Ok(())
        })?;
        self.engines(&cluster, Some(&prefix)).await?;
        self.engines(&cluster, None).await?;
        self.programs(&cluster).await
    }

    /// From the start of the runtime until it is ready.
    async fn engines(&self, cluster: &Cluster, filled: Option<&str>) -> anyhow::Result<()> {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let prefix = filled.map_or_else(|| unique("empty"), str::to_owned);
            for times in [&mut first, &mut again] {
                let stage = Stage::start(&prefix, cluster.bus(&prefix)?, true)?;
                times.push(block_in_place(|| stage.ready())?.wall.as_secs_f64() * 1e3);
                stage.stop().await?;
            }
        }
        let (first, again) = (Spread::of(first.into_iter()), Spread::of(again.into_iter()));
        match filled {
            Some(_) => println!("start to ready, {} entities: {again:.0} ms", self.entities),
            None => println!(
                "start to ready, empty topics: {again:.0} ms; topics to be created: {first:.0} ms"
            ),
        }
        Ok(())
    }

    /// The same of the program: from its start as a process.
    async fn programs(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let settings = Settings { calls: 0, seed: self.seed, ..Settings::default() };
        let upstream = Simulator::start(settings).await?;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let prefix = unique("program");
            for times in [&mut first, &mut again] {
                times.push(block_in_place(|| {
                    let mut program =
                        Program::run(&prefix, &cluster.setting(), &five_feeds(&upstream.url()))?;
                    let ready = program.ready()?.as_secs_f64() * 1e3;
                    program.stop()?;
                    anyhow::Ok(ready)
                })?);
            }
        }
        let (first, again) = (Spread::of(first.into_iter()), Spread::of(again.into_iter()));
        println!(
            "`talon run` to ready, empty topics: {again:.0} ms; topics to be created: {first:.0} ms"
        );
        upstream.stop().await;
        Ok(())
    }
}

/// Publishes the entities as Talon does.
fn fill(
    cluster: &Cluster,
    prefix: &str,
    shard: &ShardSpec,
    values: &[Vec<u8>],
    entities: usize,
) -> anyhow::Result<Lap> {
    let mut log = cluster.bus(prefix)?.open(shard, &Grant::unlimited("test"))?;
    let mut record = Vec::new();
    timed(|| {
        for entity in 0..entities {
            record.clear();
            Wire::SingleObject.put_prefix(&*CALL, &mut record);
            let source = Source {
                version: "0.1.0",
                connector: "contractor",
                name: "bench",
                feed: "call",
                scope: "",
                ts_ms: 1_790_000_000_000,
                snapshot: true,
                absent: false,
                instants: talon_schemas::Instants::Micros,
            };
            let after = Some(values[entity % values.len()].as_slice());
            let (op, ts_ms) = (Op::Read, 1_790_000_000_000);
            Envelope { before: None, after, source, op, ts_ms }.encode(&mut record);
            let id = EventId::of(entity as u128).text();
            let headers: &[(&str, &[u8])] =
                &[("talon-schema", CALL.full_name().as_bytes()), ("talon-event-id", &id)];
            let key = entity.to_string();
            log.append(&Append { topic: 0, key: &key, value: Some(&record), headers })?;
            if entity % 20_000 == 0 || entity + 1 == entities {
                log.commit(&[])?;
            }
        }
        Ok(())
    })
}

/// As a shard does it: from the topic into the index.
fn recover(
    cluster: &Cluster,
    prefix: &str,
    shard: &ShardSpec,
    before_images: bool,
    entities: usize,
) -> anyhow::Result<Lap> {
    let mut log = cluster.bus(prefix)?.open(shard, &Grant::unlimited("test"))?;
    let codec = talon_contractor::plain_codec("call");
    let guard = options(before_images).guard;
    let mut differ = Differ::new("bench".to_owned(), &CALL, codec, guard, before_images);
    let lap = timed(|| {
        log.recover(&mut |place, record| {
            let (Place::Topic(0), Some(value)) = (place, record.value) else { return Ok(()) };
            let Payload::Own(datum) = Wire::SingleObject.open(&*CALL, value) else { return Ok(()) };
            let Ok(parts) = CALL.cut(datum) else { return Ok(()) };
            let chain = record.event_id.and_then(EventId::parse).map_or(0, EventId::chain);
            differ.recover(record.key, parts.after, chain);
            Ok(())
        })?;
        Ok(())
    })?;
    let found = differ.index().len();
    anyhow::ensure!(found == entities, "{found} of {entities} entities recovered");
    Ok(lap)
}

/// Reads the same topic to its end, and keeps nothing.
fn read(cluster: &Cluster, shard: &ShardSpec, records: usize) -> anyhow::Result<Lap> {
    timed(|| {
        let read = cluster.read(shard)?;
        anyhow::ensure!(read == records, "{read} of {records} records read");
        Ok(())
    })
}
