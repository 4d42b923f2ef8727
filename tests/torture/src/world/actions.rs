//! What the history says is done.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, block_in_place};

use super::clock::now_ms;
use super::{Connector, SchemaRegistry, World};
use crate::broker::Broker;
use crate::facts::{End, How, Stuck};
use crate::operator::Operator;
use crate::process::Process;
use crate::scenario::{Action, History, Line, Offsets, Topics, Wire};

/// Longest wait for a process to open a connector.
const OPENING: Duration = Duration::from_secs(5);
/// Between two looks whether it does.
const GLANCE: Duration = Duration::from_millis(20);

impl World {
    /// Does what the history says, and waits until all of it is over.
    pub(super) async fn suffer(self: Arc<World>, history: &History) -> anyhow::Result<Vec<End>> {
        let since = Instant::now();
        let mut going = JoinSet::new();
        for (at, action) in history.0.iter().copied() {
            tokio::time::sleep(Duration::from_millis(at).saturating_sub(since.elapsed())).await;
            let world = self.clone();
            going.spawn(async move { world.perform(action).await });
        }
        let mut ends = Vec::new();
        while let Some(done) = going.join_next().await {
            ends.extend(done??);
        }
        Ok(ends)
    }

    async fn perform(&self, action: Action) -> anyhow::Result<Vec<End>> {
        let count = self.places.len();
        let from_ms = now_ms();
        match action {
            Action::Kill(process, ms) => {
                let mut place = self.places[process % count].lock().await;
                let ended = place.kill()?;
                sleep_ms(ms).await;
                place.start()?;
                let by_itself = ended.map(|status| How::ByItself(status.to_string()));
                return Ok(by_itself.map(|how| End { process, how }).into_iter().collect());
            }
            Action::Pause(process, ms) => {
                self.pause(process % count, ms, Duration::ZERO).await?;
            }
            Action::PauseOpening(process, ms) => {
                self.pause(process % count, ms, OPENING).await?;
            }
            Action::Terminate(process, ms) => {
                let mut place = self.places[process % count].lock().await;
                let ended = terminated(process % count, &mut place).await?;
                sleep_ms(ms).await;
                place.start()?;
                return Ok(ended);
            }
            Action::Roll(process) => return self.roll(process % count).await,
            Action::Rolling(opening_ms) => return self.rolling(opening_ms).await,
            Action::BrokerKill(ms) => {
                let mut broker = self.broker.lock().await;
                block_in_place(|| broker.kill());
                sleep_ms(ms).await;
                block_in_place(|| broker.restart());
                self.disturbed(None, from_ms);
            }
            Action::BrokerPause(ms) => {
                let broker = self.broker.lock().await;
                block_in_place(|| broker.pause());
                sleep_ms(ms).await;
                block_in_place(|| broker.resume());
                self.disturbed(None, from_ms);
            }
            Action::Line(line, wire, ms) => {
                let line = match line {
                    Line::Broker(process) => Line::Broker(process % count),
                    Line::Upstream(process) => Line::Upstream(process % count),
                };
                self.fail_line(line, wire, ms).await;
            }
            Action::Upstream(connector, kind, times) => {
                self.connectors[connector % self.connectors.len()].subject.fault(kind, times);
            }
            Action::ScopeStuck(connector, ms) => {
                self.stick_scope(&self.connectors[connector % self.connectors.len()], ms).await?;
            }
            Action::Clock(process, by, ms) => {
                let place = &self.places[process % count];
                place.lock().await.set_clock(by)?;
                sleep_ms(ms).await;
                place.lock().await.set_clock(0)?;
            }
            Action::DiskFull(ms) => {
                let mut broker = self.broker.lock().await;
                block_in_place(|| broker.fill())?;
                sleep_ms(ms).await;
                block_in_place(|| broker.free())?;
                self.disturbed(None, from_ms);
            }
            Action::RegistryKill(ms) => self.kill_registry(ms).await,
            Action::RegistryEmpty(ms) => {
                if let SchemaRegistry::Memory(registry, turn) = &self.registry {
                    let _turn = turn.lock().await;
                    registry.set_away(true);
                    registry.empty();
                    sleep_ms(ms).await;
                    registry.set_away(false);
                }
            }
            Action::RegistrySlow(by_ms, ms) => {
                if let SchemaRegistry::Memory(registry, turn) = &self.registry {
                    let _turn = turn.lock().await;
                    registry.set_delay(Duration::from_millis(by_ms));
                    sleep_ms(ms).await;
                    registry.set_delay(Duration::ZERO);
                }
            }
            Action::Partitions(connector, topics) => self.add_partitions(connector, topics).await?,
            Action::Offsets(offsets) => return self.change_offsets(offsets).await,
            Action::Operate(connector, operation) => {
                return self.operate(connector, operation).await;
            }
        }
        Ok(Vec::new())
    }

    /// SIGSTOP, as soon as the process opens a connector or has been waited for, and SIGCONT.
    async fn pause(&self, process: usize, ms: u64, patience: Duration) -> anyhow::Result<()> {
        let place = self.places[process].lock().await;
        let since = Instant::now();
        while since.elapsed() < patience && !place.is_opening() {
            tokio::time::sleep(GLANCE).await;
        }
        let from_ms = now_ms();
        place.signal("STOP")?;
        sleep_ms(ms).await;
        place.signal("CONT")?;
        self.disturbed(Some(process), from_ms);
        Ok(())
    }

    /// SIGTERM, and a start with another configuration, and with the other program.
    pub(super) async fn roll(&self, process: usize) -> anyhow::Result<Vec<End>> {
        let mut place = self.places[process].lock().await;
        let ended = terminated(process, &mut place).await?;
        let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
        for connector in &self.connectors {
            for (key, text) in connector.subject.rolled(roll) {
                let key = format!("connectors.{}.{key}", connector.instance.name);
                place.settings().insert(key, text);
            }
        }
        if let (first, Some(next)) = &self.programs {
            let other = if place.program() == first { next } else { first };
            place.set_program(other);
        }
        place.start()?;
        Ok(ended)
    }

    async fn fail_line(&self, line: Line, wire: Wire, ms: u64) {
        let (turn, proxies) = &self.lines[&line];
        let _turn = turn.lock().await;
        let from_ms = now_ms();
        proxies.iter().for_each(|proxy| proxy.fail(wire));
        if wire != Wire::Sever {
            sleep_ms(ms).await;
            proxies.iter().for_each(|proxy| proxy.mend());
        }
        // A slow line costs nobody a connector.
        if let (Line::Broker(process), Wire::Cut | Wire::CutIn | Wire::CutOut | Wire::Sever) =
            (line, wire)
        {
            self.disturbed(Some(process), from_ms);
        }
    }

    async fn kill_registry(&self, ms: u64) {
        match &self.registry {
            SchemaRegistry::None => {}
            SchemaRegistry::Apicurio(registry) => {
                let mut registry = registry.lock().await;
                block_in_place(|| registry.kill());
                sleep_ms(ms).await;
                block_in_place(|| registry.restart());
            }
            SchemaRegistry::Memory(registry, turn) => {
                let _turn = turn.lock().await;
                registry.set_away(true);
                sleep_ms(ms).await;
                registry.set_away(false);
            }
        }
    }

    async fn stick_scope(&self, connector: &Connector, ms: u64) -> anyhow::Result<()> {
        let Connector { instance, subject, recorder } = connector;
        let Some(feed) = subject.stick_scope() else { return Ok(()) };
        let (since_ms, before) = (now_ms(), recorder.count(feed).await?);
        sleep_ms(ms).await;
        let freshness_ms = self.freshness_ms(&instance.name, feed).await;
        let taken_over_ms = self.taken_over_ms(&instance.name).await;
        let for_ms = now_ms() - since_ms.max(taken_over_ms);
        subject.free_scope();
        // Nobody has it at the moment: there is nothing to look at.
        if let Some(freshness_ms) = freshness_ms {
            let published = recorder.count(feed).await?.saturating_sub(before);
            let feed = format!("{}/{feed}", instance.name);
            let stuck = Stuck { feed, for_ms, freshness_ms, published };
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).push(stuck);
        }
        Ok(())
    }

    /// The operator of the broker, where it is Kafka.
    async fn operator(&self) -> Option<Operator> {
        match &*self.broker.lock().await {
            broker @ Broker::Kafka(..) => Some(Operator::new(&broker.address())),
            Broker::Nats(_) => None,
        }
    }

    async fn add_partitions(&self, connector: usize, topics: Topics) -> anyhow::Result<()> {
        let Some(operator) = self.operator().await else { return Ok(()) };
        let connector = &self.connectors[connector % self.connectors.len()];
        let name = |topic: &str| format!("{}.{}.{topic}", self.prefix, connector.instance.name);
        let topics = match topics {
            Topics::Feeds => connector.subject.feeds().iter().map(|feed| name(feed.name)).collect(),
            Topics::Commands => vec![name("commands")],
        };
        operator.add_partitions(&topics).await
    }

    async fn change_offsets(&self, offsets: Offsets) -> anyhow::Result<Vec<End>> {
        let Some(operator) = self.operator().await else { return Ok(Vec::new()) };
        let mut ends = Vec::new();
        let mut stopped = Vec::new();
        if offsets != Offsets::ResetRunning {
            // In order, so that nobody else who takes several can be in the way.
            for (process, place) in self.places.iter().enumerate() {
                let mut place = place.lock().await;
                ends.extend(terminated(process, &mut place).await?);
                stopped.push(place);
            }
        }
        for connector in self.connectors.iter().filter(|one| one.subject.has_commands()) {
            // The group of commands has the name of the processes' group, which is the prefix here, and
            // that of the connector; so has the topic.
            let commands = format!("{}.{}.commands", self.prefix, connector.instance.name);
            match offsets {
                Offsets::DeletedStopped => operator.delete_group(&commands).await?,
                Offsets::ResetStopped | Offsets::ResetRunning => {
                    block_in_place(|| operator.reset_offsets(&commands, &commands))?;
                }
            }
        }
        for mut place in stopped {
            place.start()?;
        }
        Ok(ends)
    }
}

async fn sleep_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// How a process ends that is asked to while other things may be broken: it ends, in whatever way.
async fn terminated(process: usize, place: &mut Process) -> anyhow::Result<Vec<End>> {
    let ended = place.terminate().await?;
    Ok(ended.is_none().then_some(End { process, how: How::Never }).into_iter().collect())
}
