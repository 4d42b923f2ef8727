//! How many of the random edits of the life happen in a second.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;

/// How often the life looks how many edits are due.
const TICK: Duration = Duration::from_millis(20);

/// Makes `edits_per_second` edits until the task is aborted.
pub(super) async fn live(shared: Arc<Shared>) {
    let mut pace = shared.pace.subscribe();
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
            shared.edit(1);
        }
    }
}
