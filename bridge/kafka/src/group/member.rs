//! A member of the group.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use talon_runtime::bus::{BusFault, Membership, TopicSpec};

use super::losses::Losses;
use super::presence::Presence;
use super::rebalance::{Context, Doubt, Give, Leaving};
use super::shards::PARTITIONS;
use crate::client::refused;
use crate::cluster::Cluster;
use crate::coordinator::ask_group;
use crate::fault::{fault_of, fault_of_code};
use crate::patience::PATIENCE;
use crate::reader::partitions;
use crate::topics;

/// How long the group waits for a silent process, where the configuration does not say.
/// A member that has had nothing to do for so long asks whether the coordinator of its group is there.
const UNASSIGNED: Duration = Duration::from_secs(10);

const SESSION_MS: u64 = 10_000;

/// What the client does where the configuration does not say.
const HEARTBEAT_MS: u64 = 3_000;

/// A name of this process for people: the host and the process's number. One that joins more than once,
/// as tests do, has several.
pub(crate) fn name() -> String {
    static JOINED: AtomicU32 = AtomicU32::new(0);
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let host = told.or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.unwrap_or_else(|| "unknown".to_owned());
    let process = std::process::id();
    match JOINED.fetch_add(1, Ordering::Relaxed) {
        0 => format!("{host}/{process}"),
        more => format!("{host}/{process}#{more}"),
    }
}

/// How long the group waits for a silent process.
pub(super) fn session(config: &ClientConfig) -> Duration {
    millis(config, "session.timeout.ms", SESSION_MS)
}

fn millis(config: &ClientConfig, name: &str, otherwise: u64) -> Duration {
    let set = config.get(name).and_then(|ms| ms.parse().ok());
    Duration::from_millis(set.unwrap_or(otherwise))
}

/// Pause before a group is joined again after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// One look at whether brokers that were in trouble are back, at most.
const LOOK: Duration = Duration::from_secs(1);

/// What a member of the group needs.
pub(crate) struct Member {
    pub(crate) cluster: Cluster,
    pub(crate) group: String,
    pub(crate) topic: TopicSpec,
    pub(crate) membership: Membership,
    /// This process, for people.
    pub(crate) name: String,
}

impl Member {
    /// Takes part in the group until told to stop. Blocks.
    pub(crate) fn run(self) {
        let mut losses = Losses::default();
        while !self.membership.stop.is_set() {
            let ended = self.take_part(&mut losses);
            let (fault, pause) = match ended {
                Ok(None) => continue,
                Ok(Some(stay)) => {
                    (counted_out(losses.count()), stay.mul_f64(rand::random_range(0.5..=1.0)))
                }
                Err(fault) => (fault, PAUSE),
            };
            self.membership.ownership.withdraw();
            (self.membership.report)(Some(&fault));
            if let BusFault::Fenced(_) = fault {
                // To join again would drive the other one out in turn.
                return;
            }
            self.pause(pause);
        }
    }

    /// Waits, unless it is told to stop.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.membership.stop.is_set() && Instant::now() < until {
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// Gives how long it stays away at most, where it was counted out too often.
    fn take_part(&self, losses: &mut Losses) -> Result<Option<Duration>, BusFault> {
        let version = self.cluster.version();
        topics::ensure_one(&self.cluster, &self.topic)?;
        self.look_at_partitions()?;
        // The client would wait for it for ever, without a word.
        ask_group(&self.cluster, &self.group, &self.topic.name)?;
        let mut config = self.cluster.config();
        config
            .set("group.id", &self.group)
            // That a process which stood still is told so, and when, rests on this protocol.
            .set("group.protocol", "classic")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky");
        let session = session(&config);
        // The broker's session counts from the last heartbeat that it got.
        let heartbeat = millis(&config, "heartbeat.interval.ms", HEARTBEAT_MS);
        let good = session.saturating_sub(heartbeat);
        config.set("session.timeout.ms", session.as_millis().to_string());
        let context = Context::new(&self.topic.name, &self.membership);
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(|error| refused(&config, &error))?;
        let consumer = Leaving(consumer);
        consumer.0.subscribe(&[&self.topic.name]).map_err(|error| fault_of(&error))?;
        let mut presence = Presence::new(
            &self.cluster,
            &self.group,
            &self.topic.name,
            &self.membership,
            &self.name,
            session,
        );
        let stay = self.stay(&consumer.0, good, version, &mut presence, losses)?;
        presence.leave();
        // Leaves the group, so that what was run here moves at once; but for a process with a place of
        // its own, which is kept for it until it is back.
        if config.get("group.instance.id").is_none() {
            consumer.leave();
        }
        Ok(stay)
    }

    /// With another number, two versions would place a shard differently, and with fewer some would belong
    /// nowhere.
    fn look_at_partitions(&self) -> Result<(), BusFault> {
        let asker = self.cluster.asker()?;
        let name = self.topic.name.as_str();
        let count = partitions(&asker, &[name], PATIENCE)?[0];
        if u32::try_from(count) == Ok(PARTITIONS) {
            return Ok(());
        }
        let more = if count < PARTITIONS.cast_signed() {
            format!(
                ", or add partitions: `kafka-topics --alter --topic {name} --partitions {PARTITIONS}`"
            )
        } else {
            String::new()
        };
        Err(BusFault::Misconfigured(format!(
            "Kafka: the topic `{name}` has {count} partitions, and {PARTITIONS} are needed; stop all processes of the group, delete the topic and start them, which makes it anew, and nothing is lost with it{more}"
        )))
    }

    /// Polls until told to stop. The group takes a process that does not for dead after `good`.
    fn stay(
        &self,
        consumer: &BaseConsumer<Context>,
        good: Duration,
        version: u64,
        presence: &mut Presence<'_>,
        losses: &mut Losses,
    ) -> Result<Option<Duration>, BusFault> {
        let (context, ownership) = (consumer.context(), &self.membership.ownership);
        let (mut last, mut heard) = (Instant::now(), Instant::now());
        while !self.membership.stop.is_set() {
            // One look at the clock for both, so that a pause anywhere is seen.
            let now = Instant::now();
            if now - last > good {
                context.doubt_after(consumer, now - last);
            }
            last = now;
            match context.doubt() {
                Doubt::None => ownership.confirm(now + good),
                // It is not confirmed, so nothing new begins.
                Doubt::Asked { since, .. } if since.elapsed() < good => {
                    context.ask_again(consumer);
                }
                Doubt::Asked { .. } => return Err(stood_still()),
                Doubt::Gone => {
                    context.lose();
                    return Ok(losses.add(Instant::now()));
                }
                Doubt::Failed => return Err(failed()),
            }
            let polled = consumer.poll(Duration::from_millis(100));
            context.look_at_shards();
            context.give_back(consumer, Give::Released)?;
            if context.was_lost()
                && let Some(stay) = losses.add(Instant::now())
            {
                return Ok(Some(stay));
            }
            let trouble = context.trouble.last();
            let in_trouble = trouble.is_some();
            if in_trouble {
                // A member with a place of its own is not assigned anything anew that would tell.
                let look =
                    consumer.client().fetch_metadata(Some(&self.topic.name), LOOK.min(good / 4));
                if look.is_ok() {
                    context.trouble.over();
                    (self.membership.report)(None);
                } else if let Some(fault @ BusFault::Misconfigured(_)) = trouble
                    && self.cluster.version() != version
                {
                    return Err(fault);
                }
            }
            // The client waits for a coordinator that is gone without a word, as for one that has nothing for us.
            if context.is_assigned() {
                heard = Instant::now();
            } else if heard.elapsed() > UNASSIGNED {
                ask_group(&self.cluster, &self.group, &self.topic.name)?;
                heard = Instant::now();
            }
            presence.turn(!in_trouble);
            if let Some(Err(error)) = polled {
                if let Some((code, _)) = consumer.client().fatal_error() {
                    return Err(fault_of_code(code));
                }
                match fault_of(&error) {
                    BusFault::Unavailable(_) => {}
                    fault => return Err(fault),
                }
            }
        }
        Ok(None)
    }
}

fn counted_out(times: usize) -> BusFault {
    BusFault::Unavailable(format!(
        "Kafka: the group counted this process out {times} times in a minute, so it stays away for a while: the broker that coordinates the group, or this machine, is too busy for `bus.kafka.session.timeout.ms`"
    ))
}

fn stood_still() -> BusFault {
    BusFault::Unavailable(
        "Kafka: this process stood still, and the broker does not say whether it is still in the group".to_owned(),
    )
}

fn failed() -> BusFault {
    BusFault::Unavailable("Kafka: the group could not share out its connectors".to_owned())
}
