//! A feed of an upstream that is told how to behave, over hours that pass at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use talon_sdk::{Clock, FeedPlan, Rows};

use super::*;
use crate::bus::{Ownership, Standing as Place};
use crate::service::metrics::Metrics;

/// What a call of the feed does, by the number of the attempt and of the call in it.
type Script = fn(attempt: usize, call: usize) -> Act;

/// After so many milliseconds.
enum Act {
    Reads(u64, Coverage),
    Fails(u64),
}

struct Upstream {
    script: Script,
    attempts: Arc<AtomicUsize>,
}

struct Attempt {
    script: Script,
    number: usize,
    calls: usize,
}

#[async_trait]
impl Connector for Upstream {
    fn feeds(&self) -> Vec<FeedPlan> {
        Vec::new()
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        let number = self.attempts.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Attempt { script: self.script, number, calls: 0 }))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[async_trait]
impl Feed for Attempt {
    async fn next(&mut self, _: Option<&Cursor>) -> Result<Observation, Fault> {
        let act = (self.script)(self.number, self.calls);
        self.calls += 1;
        match act {
            Act::Fails(after) => {
                sleep(Duration::from_millis(after)).await;
                Err(Fault::unavailable("as the script says"))
            }
            Act::Reads(after, coverage) => {
                sleep(Duration::from_millis(after)).await;
                Ok(Observation {
                    scope: String::new(),
                    coverage,
                    rows: Rows::default(),
                    cursor: None,
                    snapshot: false,
                    as_of_ms: 0,
                })
            }
        }
    }
}

/// What an hour came to.
struct Hour {
    attempts: usize,
    /// States in turn, each change once.
    states: Vec<State>,
}

async fn an_hour(interval: Duration, script: Script) -> Hour {
    let (ownership, metrics) = (Ownership::default(), Metrics::new().unwrap());
    ownership.grant(&["c".to_owned()].into());
    let Place::Granted(grant) = ownership.standing("c") else { panic!("granted a line above") };
    let health = Health::new(Clock::System, metrics.clone());
    let (shard, mut taken) = mpsc::channel(4);
    let attempts = Arc::new(AtomicUsize::new(0));
    let poll = Poll {
        connector: Arc::new(Upstream { script, attempts: attempts.clone() }),
        name: "f".into(),
        component: "c/f".to_owned(),
        place: 0,
        interval,
        start: None,
        shard,
        health: health.clone(),
        metrics: metrics.feed("c", "f", Duration::ZERO, &Clock::System),
        grant,
        aside_until: None,
    };
    let states = Mutex::new(Vec::new());
    let look = async {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3600) {
            if let Some(component) = health.components().get("c/f") {
                let mut states = states.lock().unwrap();
                if states.last() != Some(&component.state) {
                    states.push(component.state);
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        () = poll.run() => panic!("a feed's loop has no end of its own"),
        () = async { while taken.recv().await.is_some() {} } => panic!("nobody reads any more"),
        () = look => {}
    }
    Hour { attempts: attempts.load(Ordering::SeqCst), states: states.into_inner().unwrap() }
}

/// To the longest wait in eight steps, then one attempt in at least half of it.
const BOUND: usize = 8 + 3600 / 15;

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_a_list_and_closes_is_dialled_less_and_less_often_and_is_not_up() {
    let hour = an_hour(Duration::ZERO, |attempt, call| match (attempt, call) {
        (_, 0) => Act::Reads(5, Coverage::Full),
        (0, _) => Act::Fails(200),
        _ => Act::Fails(5),
    });
    let hour = hour.await;
    assert!(hour.attempts <= BOUND, "{} attempts in an hour", hour.attempts);
    // Up only before the first fault.
    assert_eq!(hour.states.iter().filter(|state| **state == State::Up).count(), 1);
    assert_eq!(hour.states.last(), Some(&State::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_no_sign_that_the_upstream_works() {
    let hour = an_hour(Duration::ZERO, |_, call| match call {
        0 => Act::Reads(0, Coverage::Incomplete),
        // Nothing that is asked is answered.
        _ => Act::Fails(30_000),
    });
    let hour = hour.await;
    assert_eq!(hour.states, [State::Unavailable]);
    assert!(hour.attempts <= BOUND, "{} attempts in an hour", hour.attempts);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_recovers_is_up_also_while_nothing_is_pushed() {
    for interval in [Duration::ZERO, Duration::from_secs(3000)] {
        let hour = an_hour(interval, |attempt, call| match (attempt, call) {
            (0..20, _) => Act::Fails(1),
            (_, 0) => Act::Reads(1, Coverage::Full),
            _ => Act::Reads(3_000_000, Coverage::Full),
        });
        let hour = hour.await;
        assert_eq!(hour.states, [State::Unavailable, State::Up]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_many_reads_costs_one_short_wait() {
    let hour = an_hour(Duration::from_secs(10), |_, call| match call {
        0..5 => Act::Reads(1, Coverage::Delta),
        _ => Act::Fails(1),
    });
    let hour = hour.await;
    // Five reads, ten seconds apart, and a quarter of a second.
    assert!(hour.attempts >= 3600 / 51, "{}", hour.attempts);
}
