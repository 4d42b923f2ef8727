//! Running something whenever the group grants its shard, and again after every failure.

use std::future::Future;
use std::time::Duration;

use talon_sdk::Connector;
use tokio::time::sleep;

use crate::backoff::Backoff;
use crate::board::{State, Weight};
use crate::bus::BusFault;
use crate::supervise::Shared;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How long a fenced process waits for the group to take the shard from it. If it does not, nobody
/// took over: the broker gave up on a transaction of a process that was paused for too long.
const FENCED_WAIT: Duration = Duration::from_secs(20);

/// How long a connector may take to end what its upstream counts.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often a lapsed grant is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// How a service ended.
pub(crate) enum End {
    /// Stopped, or taken back by the group; all is committed.
    Halted,
    Failed(BusFault),
}

/// What runs while the shard is granted: the feeds of a connector, or its commands.
pub(crate) trait Service: Send + Sync {
    /// The shard, which is the connector's name.
    fn shard(&self) -> &str;
    /// Name on the board.
    fn component(&self) -> &str;
    /// Another process of the group runs it.
    fn standby(&self);
    /// It is about to be run here.
    fn wake(&self);
    /// Runs it until it is halted or fails; resets the back-off once it works.
    fn run(&self, backoff: &mut Backoff) -> impl Future<Output = End> + Send;
    /// It does not run any more.
    fn ended(&self);
    /// The connector, with whose other service it shares the shard.
    fn connector(&self) -> &dyn Connector;
}

/// Lets a connector that nobody uses any more end what its upstream counts. A courtesy: an upstream
/// that is away does not hold the process.
pub(crate) async fn farewell(connector: &dyn Connector) {
    tokio::time::timeout(FAREWELL, connector.close()).await.ok();
}

/// Runs a service, whenever the group grants its shard, until told to stop.
pub(crate) async fn keep<S: Service>(shared: Shared, service: S) {
    let mut stop = shared.stop.clone();
    tokio::select! {
        () = whenever_granted(&shared, &service) => {}
        // A service that runs sees the stop itself, and ends after its last commit.
        _ = async {
            stop.wait_for(|stopped| *stopped).await.ok();
            shared.ownership.wait_unheld(service.shard()).await;
        } => {}
    }
    service.ended();
}

async fn whenever_granted<S: Service>(shared: &Shared, service: &S) {
    let (board, ownership) = (&shared.board, &shared.ownership);
    let (shard, component) = (service.shard(), service.component());
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    board.set(component, Weight::Vital, State::Starting, "joining the group");
    loop {
        if !ownership.has_joined() {
            board.set(component, Weight::Vital, State::Starting, "joining the group");
            ownership.wait_joined().await;
        }
        if !ownership.is_granted(shard) {
            service.standby();
            ownership.wait_granted(shard).await;
            service.wake();
            // Not ready before everything is read back.
            board.set(component, Weight::Vital, State::Starting, "reading back what was published");
            continue;
        }
        if !ownership.may_act(shard) {
            // The grant has lapsed while this process stood still. Another may have the shard, and to
            // open it would fence that one.
            sleep(GLANCE).await;
            continue;
        }
        let held = ownership.hold(shard);
        let failed = match service.run(&mut backoff).await {
            // The engine takes leave of the connector when all of its services have ended.
            End::Halted if *shared.stop.borrow() => return,
            End::Halted => None,
            End::Failed(fault) => Some(fault),
        };
        service.ended();
        drop(held);
        if failed.is_none() && !ownership.is_held(shard) {
            farewell(service.connector()).await;
        }
        if let Some(fault) = failed {
            let (state, wait) = match &fault {
                BusFault::Unavailable(_) => (State::Unavailable, backoff.next(None)),
                // What was read is read again: nothing is lost, and nothing needs a person.
                BusFault::Aborted(_) | BusFault::TooLarge(_) => {
                    (State::Recovering, backoff.next(None))
                }
                BusFault::Misconfigured(_) => (State::Misconfigured, backoff.slowest()),
                BusFault::Fenced(_) => (State::Fenced, FENCED_WAIT),
            };
            board.set(component, Weight::Vital, state, &fault.to_string());
            // To open again at once would fence the new owner in turn.
            tokio::select! {
                () = sleep(wait) => {}
                () = ownership.wait_revoked(shard) => {}
            }
        }
    }
}
