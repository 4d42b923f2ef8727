//! What runs while the group grants its shard: the feeds of a connector, its commands, or a task of a relay.
//!
//! A [`Service`] is opened and then serves, under a grant; [`keep`] does that whenever there is one,
//! and again after every failure.

pub(crate) mod backoff;
pub mod health;
pub mod metrics;
pub mod options;
pub(crate) mod progress;
pub mod registry;
pub(crate) mod setup;
pub(crate) mod thread;

use std::future::Future;
use std::time::Duration;

use talon_sdk::Connector;
use tokio::time::{Instant, sleep};

use crate::bus::{BusFault, Grant, Hold, Owner, Standing};
use backoff::Backoff;
use health::{Severity, State};
use progress::Progress;
use setup::Shared;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A service that has committed, and has not failed for so long since, has made progress: the next failure is a
/// new one. One that fails sooner each time, or at its first commit, is retried more and more slowly.
const PROGRESS: Duration = Duration::from_secs(30);

/// One that had nothing to commit for so long, and did not fail, works too.
const QUIET: Duration = Duration::from_secs(600);

/// How long a fenced process waits for the group to take the shard from it. If it does not, nobody
/// took over: the broker gave up on a transaction of a process that was paused for too long.
const FENCED_WAIT: Duration = Duration::from_secs(20);

/// How long a connector may take to end what its upstream counts.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often a lapsed grant is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What runs while the shard is granted.
pub(crate) trait Service: Send + Sync {
    /// What serves: taken over, and read back.
    type Open: Send;

    /// The shard: the connector's name, or a task of a relay.
    fn shard(&self) -> &str;
    /// Name in the health report.
    fn component(&self) -> &str;
    /// It does not run here: what is shown of its work goes.
    fn standby(&self);
    /// It is about to be run here.
    fn wake(&self);
    /// Takes it over and reads back what was published. Ends early when the grant closes.
    fn open(&self, hold: &Hold) -> impl Future<Output = Result<Self::Open, BusFault>> + Send;
    /// Serves until the grant closes (`Ok`, all is committed) or it fails; says when it commits.
    fn serve(
        &self,
        open: Self::Open,
        hold: &Hold,
        progress: &Progress,
    ) -> impl Future<Output = Result<(), BusFault>> + Send;
    /// It does not run any more.
    fn ended(&self);
    /// Nothing of its shard runs in this process any more: ends what an upstream counts, if there is one.
    fn leave(&self) -> impl Future<Output = ()> + Send;
}

/// Lets a connector that nobody uses any more end what its upstream counts. A courtesy: an upstream
/// that is away does not hold the process.
pub(crate) async fn farewell(connector: &dyn Connector) {
    tokio::time::timeout(FAREWELL, connector.close()).await.ok();
}

/// Runs a service, whenever the group grants its shard, until the process stops or the shard comes to rest.
pub(crate) async fn keep<S: Service>(shared: Shared, service: S) {
    let (health, ownership) = (&shared.health, &shared.ownership);
    let (shard, component) = (service.shard(), service.component());
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT).recovered_after(PROGRESS);
    shared.metrics.fenced(shard, 0);
    // Whether it shows a failure, which stays shown until it works again.
    let mut failed = false;
    loop {
        match ownership.standing(shard) {
            // Where the process stops, the engine takes leave of the connector when all services have ended.
            Standing::Stopped => break,
            Standing::Away => {
                health.set(component, Severity::Vital, State::Starting, "joining the group");
                ownership.wait(shard, |standing| !matches!(standing, Standing::Away)).await;
            }
            Standing::Elsewhere(owner) => {
                let (severity, state, message) = standby(&owner);
                health.set(component, severity, state, &message);
                service.standby();
                let other = |standing: &Standing| !matches!(standing, Standing::Elsewhere(now) if *now == owner);
                ownership.wait(shard, other).await;
            }
            Standing::Granted(grant) => match grant.hold().filter(|_| grant.is_open()) {
                // It closes, or has lapsed while this process stood still. Another may have the shard,
                // and to open it would fence that one.
                None => sleep(GLANCE).await,
                Some(hold) => {
                    if !failed {
                        service.wake();
                        // Not ready before everything is read back.
                        let message = "reading back what was published";
                        health.set(component, Severity::Vital, State::Starting, message);
                    }
                    let ran = run(&service, &hold, &mut backoff).await;
                    service.ended();
                    drop(hold);
                    failed = !matches!(ran, Ok(()) | Err(BusFault::Revoked));
                    match ran {
                        Err(fault) if failed => {
                            // Once for both of its services.
                            let is_fenced = matches!(fault, BusFault::Fenced(_));
                            shared.metrics.fenced(shard, (is_fenced && component == shard).into());
                            rest(&shared, component, &grant, &fault, &mut backoff).await;
                        }
                        // It lapsed and is confirmed again: no fault, and yet not tried without a pause.
                        Err(_) if grant.is_open() => pause(&grant, backoff.next(None)).await,
                        _ if !ownership.is_held(shard) && !ownership.is_stopped() => {
                            service.leave().await;
                        }
                        _ => {}
                    }
                }
            },
        }
    }
    service.ended();
    if !ownership.is_stopped() {
        // It was taken away alone, and nothing is shown of it any more.
        service.standby();
        health.remove(component);
    }
}

/// What is shown of a service that does not run here.
fn standby(owner: &Owner) -> (Severity, State, String) {
    match owner {
        Owner::Unknown => {
            let message = "another process of the group runs it".to_owned();
            (Severity::Vital, State::Standby, message)
        }
        Owner::Process(name) => (Severity::Vital, State::Standby, format!("`{name}` runs it")),
        // To start this process anew would not mend it.
        Owner::Nobody => (
            Severity::Feed,
            State::Unowned,
            "no process of the group runs it; every process of one `talon.group` needs the same connectors".to_owned(),
        ),
    }
}

/// Opens and serves once.
async fn run<S: Service>(service: &S, hold: &Hold, backoff: &mut Backoff) -> Result<(), BusFault> {
    let open = tokio::select! {
        open = service.open(hold) => open?,
        // Nothing has been read, so there is nothing to wait for. What opens sees it too, and has a
        // hold of its own until it has ended.
        () = hold.grant().closing() => return Err(BusFault::Revoked),
    };
    let (opened, progress) = (Instant::now(), Progress::default());
    let served = service.serve(open, hold, &progress).await;
    let quiet = (opened.elapsed() > QUIET).then_some(opened);
    if let Some(since) = progress.since().or(quiet) {
        backoff.worked(since);
    }
    served
}

/// After a failure: shows it, and waits.
async fn rest(
    shared: &Shared,
    component: &str,
    grant: &Grant,
    fault: &BusFault,
    backoff: &mut Backoff,
) {
    let wait = match fault {
        BusFault::Unavailable(_)
        | BusFault::Aborted(_)
        | BusFault::TooLarge(_)
        | BusFault::Revoked => backoff.next(None),
        BusFault::Misconfigured(_) => backoff.slowest(),
        BusFault::Fenced(_) => FENCED_WAIT,
    };
    let state = State::of_bus(fault);
    shared.health.set(component, Severity::Vital, state, &fault.to_string());
    // To open again at once would fence the new owner in turn.
    pause(grant, wait).await;
}

/// Waits, unless the shard is taken back.
async fn pause(grant: &Grant, wait: Duration) {
    tokio::select! {
        () = sleep(wait) => {}
        () = grant.closing() => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Works for a while, and then fails; in between it commits, or does not.
    struct Failing {
        works: Duration,
        commits: bool,
    }

    impl Service for Failing {
        type Open = ();

        fn shard(&self) -> &str {
            "one"
        }

        fn component(&self) -> &str {
            "one"
        }

        fn standby(&self) {}

        fn wake(&self) {}

        async fn open(&self, _: &Hold) -> Result<(), BusFault> {
            Ok(())
        }

        async fn serve(&self, (): (), _: &Hold, progress: &Progress) -> Result<(), BusFault> {
            if self.commits {
                progress.committed();
            }
            advance(self.works).await;
            Err(BusFault::Unavailable("refused".to_owned()))
        }

        fn ended(&self) {}

        async fn leave(&self) {}
    }

    /// The last of ten waits.
    async fn last_wait(service: &Failing) -> Duration {
        let hold = Grant::unlimited("one").hold().unwrap();
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT).recovered_after(PROGRESS);
        let mut last = Duration::ZERO;
        for _ in 0..10 {
            run(service, &hold, &mut backoff).await.unwrap_err();
            last = backoff.next(None);
        }
        last
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_read_of_any_length_whose_commit_fails_each_time_is_no_progress() {
        for (seconds, commits, is_progress) in [
            (40, false, false),
            (300, false, false),
            (5, true, false),
            (40, true, true),
            // Nothing changes upstream.
            (3_600, false, true),
        ] {
            let works = Duration::from_secs(seconds);
            let wait = last_wait(&Failing { works, commits }).await;
            assert_eq!(wait <= FIRST_WAIT, is_progress, "{seconds} {commits}: {wait:?}");
        }
    }
}
