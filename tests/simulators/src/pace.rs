//! How many of the random edits of a life happen in a second.

use std::time::Duration;

use tokio::sync::watch;

/// How often the life looks how many edits are due.
const TICK: Duration = Duration::from_millis(20);

/// Makes as many edits in a second as `pace` says, until the task is aborted.
pub(crate) async fn live(mut pace: watch::Receiver<f64>, edit: impl Fn()) {
    let mut due = 0.0;
    let mut last = tokio::time::Instant::now();
    loop {
        let rate = *pace.borrow_and_update();
        if rate == 0.0 {
            if pace.changed().await.is_err() {
                return;
            }
            last = tokio::time::Instant::now();
            continue;
        }
        tokio::time::sleep(TICK).await;
        due += rate * last.elapsed().as_secs_f64();
        last = tokio::time::Instant::now();
        while due >= 1.0 {
            due -= 1.0;
            edit();
        }
    }
}
