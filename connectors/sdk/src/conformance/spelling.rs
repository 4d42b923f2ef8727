//! The upstream spells the same content in other ways.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::report::Property;
use super::simulation::Simulation;
use super::trial::Trials;

/// So often a feed is read again, or changed where it is pushed to.
const AGAIN: usize = 3;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for feed in trials.feeds().await {
        let place = format!("feed `{feed}`, spelled in another way by the upstream");
        let trial = trials.begin().await;
        let Some(connector) = trial.connector(&mut trials.report) else { return };
        let Some(mut reader) = Reader::begin(&trial, &*connector, &feed).await else { continue };
        let patience = trial.simulation.patience();
        if reader.until_complete(patience, |_, _| {}).await.is_err()
            || !trial.simulation.respell().await
        {
            continue;
        }
        let mut others = BTreeSet::new();
        let mut rows = 0;
        for _ in 0..AGAIN {
            // A feed that is pushed to is made to give something by a change.
            let keys = trial.simulation.change(&feed).await;
            reader.truth = trial.simulation.keys(&feed).await;
            reader.changed.clear();
            let (again, goal) = match keys.is_empty() {
                true => (reader.plan.interval.saturating_mul(4).min(patience), None),
                false => (patience, Some(&keys)),
            };
            let is_seen =
                |reader: &Reader<'_>| goal.is_some_and(|keys| keys.is_subset(&reader.changed));
            reader.until(again, is_seen, |seen, _| rows += seen.rows.len()).await.ok();
            let is_other = |key: &&String| !keys.contains(*key) && !reader.gone.contains(*key);
            others.extend(reader.changed.iter().filter(is_other).cloned());
        }
        for key in others {
            let what = format!("`{key}` changes, though only its bytes do");
            trials.report.breach(Property::SameContent, &*place, what);
        }
        trials.report.checked.push(format!("{place}: {rows} rows"));
        connector.close().await;
    }
}
