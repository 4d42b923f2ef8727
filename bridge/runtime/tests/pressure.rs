//! Back-pressure, with a bus that takes nothing for a while.
#![allow(clippy::unwrap_used)]

mod one_log;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use one_log::OneLog;
use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::Clock;

/// A bus whose commits wait while it is closed.
#[derive(Clone, Default)]
struct Closed {
    open: Arc<AtomicBool>,
    appended: Arc<AtomicUsize>,
    committed: Arc<AtomicUsize>,
}

impl Bus for Closed {
    fn describe(&self) -> String {
        "closed".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        Ok(Box::new(self.clone()))
    }
}

impl ShardLog for Closed {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, _: &Append<'_>) -> Result<(), BusFault> {
        self.appended.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn commit(&mut self, _: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        while !self.open.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.committed.store(self.appended.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

async fn until(mut met: impl FnMut() -> bool) {
    tokio::time::timeout(Duration::from_secs(30), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_a_bus_that_takes_nothing_stops_the_reading() {
    let (bus, reads) = (Closed::default(), Arc::new(AtomicUsize::new(0)));
    let options = Options { before_images: false, ..Options::default() };
    let counted = reads.clone();
    let connector = OneLog::of(move || counted.fetch_add(1, Ordering::SeqCst).to_string());
    let engine = Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: vec![Setup {
            name: "endless".to_owned(),
            class: "test",
            options,
            connector: Arc::new(connector),
            commands: None,
        }],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    });
    // One commit under way with what had come by then, four that wait, one whose sender waits.
    until(|| reads.load(Ordering::SeqCst) >= 5).await;
    let mut before = 0;
    until(|| {
        let now = reads.load(Ordering::SeqCst);
        std::mem::replace(&mut before, now) == now
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stopped_at = reads.load(Ordering::SeqCst);
    assert!(stopped_at <= 12, "{stopped_at} reads although nothing could be committed");
    assert_eq!(bus.committed.load(Ordering::SeqCst), 0);

    bus.open.store(true, Ordering::SeqCst);
    until(|| reads.load(Ordering::SeqCst) > stopped_at + 20).await;
    assert!(engine.stop(Duration::from_secs(30)).await);
    assert_eq!(
        bus.committed.load(Ordering::SeqCst),
        bus.appended.load(Ordering::SeqCst),
        "a stop commits what was read"
    );
}
