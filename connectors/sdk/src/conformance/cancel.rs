//! Dropped at every await, and opened anew from the last cursor.

use std::collections::BTreeSet;

use super::reader::{Reader, Stuck};
use super::report::Property;
use super::simulation::Simulation;
use super::trial::{Trial, Trials};

/// So many awaits are tried one by one; beyond that each is a sixth further on than the one before.
const ONE_BY_ONE: usize = 12;

/// Beyond that it is the same again.
const MOST: usize = 400;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for feed in trials.feeds().await {
        let mut at = 1;
        let mut tried = 0;
        while at < MOST {
            let trial = trials.begin().await;
            let place = format!("feed `{feed}`, dropped at await {at}");
            match drop_at(&trial, &feed, at, trials).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(what) => {
                    trials.report.breach(Property::Cancellation, place, what);
                    break;
                }
            }
            tried += 1;
            at += if at < ONE_BY_ONE { 1 } else { at / 6 };
        }
        trials.report.checked.push(format!("feed `{feed}`: dropped at {tried} awaits"));
    }
}

/// Reads all that is there and a change, and drops the feed at an await on the way. False where there are
/// not so many.
async fn drop_at<S: Simulation, F: AsyncFn() -> S>(
    trial: &Trial<'_, S>,
    feed: &str,
    at: usize,
    trials: &mut Trials<'_, F>,
) -> Result<bool, String> {
    let Some(connector) = trial.connector(&mut trials.report) else { return Ok(false) };
    let Some(mut reader) = Reader::begin(trial, &*connector, feed).await else { return Ok(false) };
    let patience = trial.simulation.patience();
    reader.polls_left = Some(at);
    let mut dropped = reader.until_complete(patience, |_, _| {}).await;
    // What is read up to here is from before the change.
    let is_before = dropped.is_err();
    let keys = trial.simulation.change(feed).await;
    let truth = trial.simulation.keys(feed).await;
    if dropped.is_ok() {
        reader.truth = truth.clone();
        dropped = reader.until_changed(patience, &keys, |_, _| {}).await;
    }
    match dropped {
        Ok(()) => return Ok(false),
        // Said by the other checks.
        Err(Stuck::Never(_)) => return Ok(false),
        Err(Stuck::Cancelled) => {}
    }
    let (cursor, view) = reader.standing();
    let is_unseen = |key: &String| is_before || !reader.changed.contains(key);
    let unseen: BTreeSet<String> = keys.into_iter().filter(is_unseen).collect();
    let plan = reader.plan.clone();
    drop(reader);

    let mut reader = Reader::new(&*connector, plan, cursor, view, truth);
    let again = reader.until_complete(patience, |_, _| {}).await;
    if let Err(Stuck::Never(why)) = again {
        let is_missing = |key: &&String| !reader.view.entities.contains_key(*key);
        let missing = reader.truth.iter().find(is_missing).cloned().unwrap_or_default();
        return Err(format!("`{missing}` is lost: {why}"));
    }
    // What was changed is seen with the rest, or after it.
    let news = |reader: &Reader<'_>| unseen.is_subset(&reader.changed);
    if let Err(Stuck::Never(why)) = reader.until(patience, news, |_, _| {}).await {
        return Err(format!("a change of {unseen:?} is lost: {why}"));
    }
    connector.close().await;
    match trial.simulation.left_open().await {
        Some(open) => Err(format!("the connector is closed, and still open upstream is: {open}")),
        None => Ok(true),
    }
}
