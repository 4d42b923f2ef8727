//! Commands of any connector, with something going wrong at every moment of their life.

use std::collections::BTreeMap;

use serde_json::Value;
use talon_runtime::commands::ResultRecord;

use super::producer::Producer;
use super::results::{outcomes, results};
use super::{Broker, On, Talon, until};

/// What happens while the commands are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Nothing,
    /// The upstream does it, and the reply is lost.
    ReplyLost,
    /// The upstream never sees it.
    RequestLost,
    /// The intent is durable, and nothing has been done.
    KilledBeforeTheEffect,
    /// The upstream has done it; there is no outcome.
    KilledAfterTheEffect,
    /// There is an outcome, which cannot be committed because the broker is gone.
    KilledBeforeTheCommit,
}

/// The broker that a moment needs.
pub enum Bus {
    /// The one that tests share.
    Shared(&'static str),
    /// One that may be killed.
    Own(Broker),
}

impl Moment {
    /// None where the test is skipped.
    pub fn bus(self, on: On, test: &str) -> Option<Bus> {
        match self {
            Moment::KilledBeforeTheCommit => on.start(test).map(Bus::Own),
            _ => on.shared(test).map(Bus::Shared),
        }
    }

    fn kills(self) -> bool {
        !matches!(self, Moment::Nothing | Moment::ReplyLost | Moment::RequestLost)
    }
}

impl Bus {
    /// Where it listens.
    pub fn address(&self) -> &str {
        match self {
            Bus::Shared(address) => address,
            Bus::Own(broker) => broker.address(),
        }
    }

    fn broker(&mut self) -> &mut Broker {
        match self {
            Bus::Own(broker) => broker,
            Bus::Shared(_) => panic!("a broker that others use is not killed"),
        }
    }
}

/// The upstream that the commands go to.
pub trait Scene {
    /// Has the moment's fault happen to each of the commands.
    fn strike(&self, moment: Moment);

    /// All intents are durable. Holds up what would be read back, where replies do not.
    fn intended(&self, _moment: Moment) {}

    /// The broker is gone. Lets the replies go, where they are held, and waits until they are read.
    async fn broker_is_gone(&self, _talon: &mut Talon) {}

    /// The commands that have had an effect.
    fn done(&self) -> Vec<String>;

    /// Nothing goes wrong any more.
    fn mend(&self);
}

/// Sends commands to a connector of a process of their own, one moment long; gives what is on the
/// results topic in the end, and the last process' log.
pub async fn live_through(
    moment: Moment,
    bus: &mut Bus,
    (prefix, connector): (&str, &str),
    texts: &BTreeMap<String, String>,
    commands: &[(String, Value)],
    scene: &impl Scene,
) -> (Vec<ResultRecord>, String) {
    let address = bus.address().to_owned();
    let mut texts = texts.clone();
    if let Some(lease) = texts.get_mut("bus.nats.lease.ttl.ms") {
        // What is under way when the server dies ends with the lease.
        "10000".clone_into(lease);
    }
    let texts = &texts;
    let mut talon = Talon::run(texts);
    talon.ready().await;
    scene.strike(moment);
    let topic = format!("{prefix}.{connector}.commands");
    Producer::new(&address).await.send(&topic, commands).await;

    let results = || results(&address, prefix, connector);
    let is_intended =
        || results().iter().filter(|result| result.phase == "INTENT").count() == commands.len();
    let is_done = || scene.done().len() == commands.len();
    if moment.kills() {
        until("all intents are durable", async || is_intended()).await;
        scene.intended(moment);
    }
    match moment {
        Moment::Nothing | Moment::ReplyLost | Moment::RequestLost => {}
        Moment::KilledBeforeTheEffect => {
            talon.kill();
            assert_eq!(scene.done(), [""; 0], "nothing is done yet");
        }
        Moment::KilledAfterTheEffect => {
            until("everything is done", async || is_done()).await;
            talon.kill();
        }
        Moment::KilledBeforeTheCommit => {
            bus.broker().kill();
            until("everything is done", async || is_done()).await;
            scene.broker_is_gone(&mut talon).await;
            talon.kill();
            bus.broker().restart();
        }
    }
    scene.mend();
    if moment.kills() {
        talon = Talon::run(texts);
        talon.ready().await;
    }
    until("every command has its outcome", async || outcomes(&results()).len() == commands.len())
        .await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    (results(), talon.log())
}

/// Tests named for Kafka and for NATS that call `at` with each moment.
#[allow(unused_macros)]
macro_rules! moments {
    ($($kafka:ident $nats:ident $moment:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $kafka() {
            at(On::Kafka, Moment::$moment).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $nats() {
            at(On::Nats, Moment::$moment).await;
        }
    )*};
}
#[allow(unused_imports)]
pub(crate) use moments;
