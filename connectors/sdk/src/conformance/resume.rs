//! Opened anew from every cursor, as a new process does.

use super::reader::{Reader, Stuck};
use super::report::{Property, Report};
use super::simulation::Simulation;
use super::trial::{Trial, Trials};
use super::view::View;
use crate::Cursor;

/// How often something is changed on the way.
const CHANGES: usize = 3;

/// More cursors are too many to open each; they are taken evenly.
const CURSORS: usize = 24;

/// A cursor, and what was published when it came first.
type Standing = (Option<Cursor>, View);

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for feed in trials.feeds().await {
        let trial = trials.begin().await;
        let Some((standings, last)) = read(&trial, &feed, &mut trials.report).await else {
            continue;
        };
        let step = standings.len().div_ceil(CURSORS).max(1);
        let count = standings.len();
        for (number, (cursor, view)) in standings.into_iter().enumerate().step_by(step) {
            if let Err(what) = reopen(&trial, &feed, cursor.clone(), view, &last, trials).await {
                let cursor = cursor.map_or("the beginning".to_owned(), |Cursor(cursor)| {
                    format!("cursor {number} (`{cursor}`)")
                });
                let place = format!("feed `{feed}`, opened anew from {cursor}");
                trials.report.breach(Property::Resume, place, what);
            }
        }
        trials.report.checked.push(format!("feed `{feed}`: opened anew from {count} cursors"));
    }
}

/// Reads a feed while it changes: every cursor that it gives, and what it came to.
async fn read<S: Simulation>(
    trial: &Trial<'_, S>,
    feed: &str,
    report: &mut Report,
) -> Option<(Vec<Standing>, View)> {
    let connector = trial.connector(report)?;
    let mut reader = Reader::begin(trial, &*connector, feed).await?;
    let patience = trial.simulation.patience();
    let mut standings: Vec<Standing> = vec![reader.standing()];
    let mut note = |_: &crate::Observation, reader: &Reader<'_>| {
        if standings.iter().all(|(cursor, _)| *cursor != reader.cursor) {
            standings.push(reader.standing());
        }
    };
    let mut stuck = reader.until_complete(patience, &mut note).await;
    for _ in 0..CHANGES {
        let keys = trial.simulation.change(feed).await;
        reader.truth = trial.simulation.keys(feed).await;
        if stuck.is_ok() {
            stuck = reader.until_changed(patience, &keys, &mut note).await;
        }
    }
    if reader.plan.codec.tells_absence()
        && stuck.is_ok()
        && let Some(key) = trial.simulation.remove(feed).await
    {
        reader.truth = trial.simulation.keys(feed).await;
        stuck = reader.until_gone(patience, &key, &mut note).await;
    }
    if let Err(Stuck::Never(why)) = stuck {
        report.breach(Property::Works, format!("feed `{feed}`, read on"), why);
        return None;
    }
    let last = reader.view.clone();
    connector.close().await;
    Some((standings, last))
}

/// What a new process misses that goes on from a cursor.
async fn reopen<S: Simulation, F: AsyncFn() -> S>(
    trial: &Trial<'_, S>,
    feed: &str,
    cursor: Option<Cursor>,
    view: View,
    last: &View,
    trials: &mut Trials<'_, F>,
) -> Result<(), String> {
    let Some(connector) = trial.connector(&mut trials.report) else { return Ok(()) };
    let Some(plan) = Trial::<S>::plan(&*connector, feed) else { return Ok(()) };
    let truth = trial.simulation.keys(feed).await;
    let mut reader = Reader::new(&*connector, plan.clone(), cursor, view, truth);
    let is_there = |reader: &Reader<'_>| reader.view.differs(&plan, last).is_none();
    let read = reader.until(trial.simulation.patience(), is_there, |_, _| {}).await;
    let missed = reader.view.differs(&plan, last);
    for (property, what) in reader.wrong {
        trials.report.breach(property, format!("feed `{feed}`, opened anew"), what);
    }
    connector.close().await;
    match (read, missed) {
        (Err(Stuck::Never(why)), Some(missed)) => Err(format!("{missed}: {why}")),
        _ => Ok(()),
    }
}
