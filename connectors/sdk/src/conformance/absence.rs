//! Scopes and absence; and whether feeds give what is there at all.

use super::reader::{Reader, Stuck};
use super::report::Property;
use super::simulation::Simulation;
use super::trial::{Sample, Trials};

/// So many rows of a feed are looked at one by one.
const SAMPLES: usize = 40;

/// How often something is changed meanwhile.
const CHANGES: usize = 2;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for feed in trials.feeds().await {
        let place = format!("feed `{feed}`");
        let trial = trials.begin().await;
        let Some(connector) = trial.connector(&mut trials.report) else { return };
        let Some(mut reader) = Reader::begin(&trial, &*connector, &feed).await else { continue };
        let patience = trial.simulation.patience();
        let (plan, mut samples, mut reads) = (reader.plan.clone(), Vec::new(), 0);
        let mut sample = |seen: &crate::Observation, _: &Reader<'_>| {
            reads += 1;
            let left = SAMPLES.saturating_sub(samples.len());
            samples.extend(seen.rows.iter().take(left).map(|row| Sample {
                plan: plan.clone(),
                scope: seen.scope.clone(),
                bytes: row.to_vec(),
            }));
        };
        let came = reader.until_complete(patience, &mut sample).await;
        if let Err(Stuck::Never(why)) = came {
            let is_missing = |key: &&String| !reader.view.entities.contains_key(*key);
            let missing = reader.truth.iter().find(is_missing).cloned().unwrap_or_default();
            let (property, what) = match reader.was_full {
                true => (Property::Absence, "is in no full list of its scope"),
                false => (Property::Works, "is never read from the beginning"),
            };
            trials.report.breach(property, &*place, format!("`{missing}` {what}: {why}"));
            trials.broken.insert(feed.clone());
        } else if reader.truth.is_empty() {
            let what = "the simulation has no entity in it, so nothing is checked";
            trials.report.breach(Property::Works, &*place, what);
            trials.broken.insert(feed.clone());
        } else {
            let mut steps = Vec::new();
            for _ in 0..CHANGES {
                let keys = trial.simulation.change(&feed).await;
                reader.truth = trial.simulation.keys(&feed).await;
                if let Err(Stuck::Never(why)) =
                    reader.until_changed(patience, &keys, &mut sample).await
                {
                    let what = format!("a change of {keys:?} is never seen: {why}");
                    trials.report.breach(Property::Works, &*place, what);
                    trials.broken.insert(feed.clone());
                    break;
                }
                steps.push(format!("{} changed", keys.len()));
            }
            if plan.codec.tells_absence()
                && !trials.broken.contains(&feed)
                && let Some(key) = trial.simulation.remove(&feed).await
            {
                reader.truth = trial.simulation.keys(&feed).await;
                if let Err(Stuck::Never(why)) = reader.until_gone(patience, &key, &mut sample).await
                {
                    let what = format!("`{key}` was removed, and is never told absent: {why}");
                    trials.report.breach(Property::Absence, &*place, what);
                    trials.broken.insert(feed.clone());
                }
                steps.push("1 removed".to_owned());
            }
            let there = reader.truth.len();
            let checked = format!("{place}: {there} entities, {}", steps.join(", "));
            trials.report.checked.push(checked);
        }
        for (property, what) in reader.wrong {
            trials.report.breach(property, &*place, what);
        }
        trials.report.checked.push(format!("{place}: {reads} observations"));
        trials.samples.append(&mut samples);
    }
}
