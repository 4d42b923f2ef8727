//! Pipelines that are really broken, on a real Kafka: the checker catches each. Talon has no switch for
//! that; the engine runs in this process between a bus and a connector that break a promise.
#![allow(clippy::unwrap_used)]

mod bus;
mod connector;
mod pipeline;

use bus::Defect;
use pipeline::{Pipeline, to_its_end};
use talon_runtime::bus::Delivery;
use talon_runtime::guard::Guard;
use talon_torture::check::{Property, check};
use talon_torture::facts::Facts;
use talon_torture::scenario::Upstream;

#[test]
fn what_is_sound_has_no_finding() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("sound").await else { return };
        pipeline.run(pipeline.bus(Defect::None), pipeline.setup());
        let issued = pipeline.issue(5).await;
        pipeline.subject.live(50.0);
        // Without a look at what is published, the checker would have nothing to hold checkpoints against.
        let is_seen = |facts: &Facts| facts.sights.iter().any(|sight| !sight.published.is_empty());
        pipeline.until(&issued, is_seen).await;
        pipeline.subject.quiet();
        pipeline.until(&issued, |facts| check(facts).is_empty()).await;
    });
}

#[test]
fn a_bus_that_loses_a_record_is_caught() {
    to_its_end(async {
        caught(Defect::LosesRecords, &[Property::NothingLost, Property::NothingInvented]).await;
    });
}

#[test]
fn a_bus_that_doubles_a_record_is_caught() {
    to_its_end(async {
        caught(Defect::DoublesRecords, &[Property::NothingTwice]).await;
    });
}

#[test]
fn a_bus_that_commits_before_it_publishes_is_caught() {
    to_its_end(async {
        for property in [Property::NothingLost, Property::CheckpointBehindEvents] {
            let Some(mut pipeline) = Pipeline::start("first").await else { return };
            pipeline.run(pipeline.bus(Defect::CommitsFirst), pipeline.setup());
            pipeline.up().await;
            pipeline.catches(&[], &[property]).await;
        }
    });
}

async fn caught(defect: Defect, properties: &[Property]) {
    let Some(mut pipeline) = Pipeline::start("defect").await else { return };
    pipeline.run(pipeline.bus(defect), pipeline.setup());
    pipeline.up().await;
    pipeline.subject.live(100.0);
    pipeline.published().await;
    pipeline.subject.quiet();
    pipeline.catches(&[], properties).await;
}

#[test]
fn two_owners_that_ignore_fencing_are_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("fencing").await else { return };
        for _ in 0..2 {
            let mut setup = pipeline.setup();
            setup.options.delivery = Delivery::AtLeastOnce;
            pipeline.run(pipeline.bus(Defect::None), setup);
        }
        pipeline.up().await;
        pipeline.subject.live(100.0);
        pipeline.catches(&[], &[Property::NothingTwice, Property::NothingInvented]).await;
    });
}

#[test]
fn deletes_on_an_empty_list_are_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("empty").await else { return };
        let mut setup = pipeline.setup();
        setup.connector = connector::that_sees_empty_lists(setup.connector);
        setup.options.guard = Guard { ratio: 1.0, entities: usize::MAX };
        pipeline.run(pipeline.bus(Defect::None), setup);
        pipeline.catches(&[], &[Property::NothingDeleted]).await;
    });
}

#[test]
fn a_connector_that_retries_blindly_is_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("blind").await else { return };
        let mut setup = pipeline.setup();
        setup.connector = connector::that_retries_blindly(setup.connector);
        pipeline.run(pipeline.bus(Defect::None), setup);
        pipeline.up().await;
        pipeline.subject.fault(Upstream::LostReply, 3);
        let issued = pipeline.issue(8).await;
        pipeline.catches(&issued, &[Property::EffectAsSaid]).await;
    });
}

#[test]
fn a_lane_that_doubles_outcomes_is_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("outcomes").await else { return };
        pipeline.run(pipeline.bus(Defect::DoublesOutcomes), pipeline.setup());
        let issued = pipeline.issue(3).await;
        pipeline.catches(&issued, &[Property::OneOutcome]).await;
    });
}

#[test]
fn a_lane_that_loses_an_outcome_is_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("unsaid").await else { return };
        pipeline.run(pipeline.bus(Defect::LosesOutcome), pipeline.setup());
        let issued = pipeline.issue(8).await;
        // All others have theirs, and it does not come.
        let mut looks = 0;
        pipeline
            .until(&issued, |facts| {
                let found = check(facts);
                let missing = found.iter().filter(|one| one.property == Property::AnOutcome);
                let others = facts.commands.outcomes.len() + 1 == issued.len();
                looks = if missing.count() == 1 && others { looks + 1 } else { 0 };
                looks > 5
            })
            .await;
    });
}

#[test]
fn a_connector_that_answers_early_is_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("early").await else { return };
        let mut setup = pipeline.setup();
        setup.connector = connector::that_answers_early(setup.connector);
        pipeline.run(pipeline.bus(Defect::None), setup);
        // More than there are keys.
        let issued = pipeline.issue(100).await;
        pipeline.catches(&issued, &[Property::EffectsInOrder]).await;
    });
}

#[test]
fn a_connector_that_quotes_is_caught() {
    to_its_end(async {
        let Some(mut pipeline) = Pipeline::start("quotes").await else { return };
        let mut setup = pipeline.setup();
        setup.connector = connector::that_quotes(setup.connector);
        pipeline.run(pipeline.bus(Defect::None), setup);
        let issued = pipeline.issue(3).await;
        pipeline.catches(&issued, &[Property::Discreet]).await;
    });
}
