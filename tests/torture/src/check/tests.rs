//! The checker catches, in recorded histories, what it is there for.

use super::*;
use crate::facts::{
    CommandFacts, Content, Disturbance, End, FeedFacts, How, Issued, Published, Recovery, Rolling,
    Said, Sight, Stuck, What,
};

fn change(id: &str, before: Option<Content>, after: Option<Content>) -> Published {
    Published::Change { id: id.to_owned(), before, after }
}

/// One key that was in the states 1, 2, 3, of which 1 and 3 are published, and one command.
fn sound() -> Facts {
    let key = || "7".to_owned();
    let events = vec![change("a", None, Some(1)), change("b", Some(1), Some(3))];
    let issued = |id: &str, times| Issued { id: id.to_owned(), key: key(), times, partition: 0 };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Facts {
        feeds: vec![FeedFacts {
            feed: "call".to_owned(),
            published: [(key(), events)].into(),
            truth: [(key(), vec![Some(1), Some(2), Some(3)])].into(),
            live: vec![(1_000, 1), (2_000, 1)],
        }],
        recoveries: vec![recovery(500, 0), recovery(1_500, 1)],
        commands: CommandFacts {
            issued: vec![issued("c1", 2), issued("c2", 1), issued("c3", 1)],
            outcomes: [
                ("c1".to_owned(), words(&["APPLIED", "DUPLICATE"])),
                ("c2".to_owned(), words(&["REJECTED"])),
                ("c3".to_owned(), words(&["APPLIED"])),
            ]
            .into(),
            effects: words(&["c1", "c3"]),
            read_again: false,
        },
        sights: vec![Sight {
            feed: "call".to_owned(),
            cursor: "9".to_owned(),
            claimed: [(key(), 1)].into(),
            published: [(key(), Some(1))].into(),
        }],
        canaries: vec!["canary".to_owned()],
        told: vec![("the log".to_owned(), "nothing".to_owned())],
        ends: vec![End { process: 0, how: How::InPeace(Some(0)) }],
        said: vec![
            says(0, 500, recovered()),
            says(0, 1_400, What::StandingBy("field".to_owned())),
            says(1, 1_500, recovered()),
        ],
        disturbances: Vec::new(),
        rolling: Some(Rolling {
            settled_ms: Some(170_000),
            moves: [("field".to_owned(), 2)].into(),
            ..Rolling::default()
        }),
        stuck: vec![stuck(29_000, 5)],
    }
}

/// For half a minute.
fn stuck(freshness_ms: i64, published: usize) -> Stuck {
    Stuck { feed: "ticket".to_owned(), for_ms: 30_000, freshness_ms, published }
}

fn recovery(at_ms: i64, entities: usize) -> Recovery {
    Recovery { process: 0, at_ms, took_ms: 100, entities }
}

fn says(process: usize, at_ms: i64, what: What) -> Said {
    Said { process, life: 0, at_ms, what }
}

fn recovered() -> What {
    What::Recovered { connector: "field".to_owned(), entities: 1, took_ms: 100 }
}

fn broken(change: impl FnOnce(&mut Facts)) -> Vec<Property> {
    let mut facts = sound();
    change(&mut facts);
    let mut properties: Vec<_> =
        check(&facts).into_iter().map(|finding| finding.property).collect();
    properties.dedup();
    properties
}

fn events(facts: &mut Facts) -> &mut Vec<Published> {
    facts.feeds[0].published.get_mut("7").unwrap()
}

fn truth(facts: &mut Facts) -> &mut Vec<Option<Content>> {
    facts.feeds[0].truth.get_mut("7").unwrap()
}

#[test]
fn a_sound_history_has_no_finding() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn a_delete_of_what_is_gone_and_its_return_are_sound() {
    let found = broken(|facts| {
        truth(facts).extend([None, Some(1)]);
        events(facts).extend([
            change("c", Some(3), None),
            Published::Tombstone,
            change("d", None, Some(1)),
        ]);
    });
    assert_eq!(found, []);
}

#[test]
fn a_lost_event_is_caught() {
    assert_eq!(broken(|facts| drop(events(facts).pop())), [Property::NothingLost]);
}

#[test]
fn a_lost_key_is_caught() {
    assert_eq!(broken(|facts| facts.feeds[0].published.clear()), [Property::NothingLost]);
}

#[test]
fn a_lost_event_between_two_is_caught_by_what_was_before() {
    let found = broken(|facts| events(facts)[0] = change("a", None, Some(2)));
    assert_eq!(found, [Property::NothingInvented]);
}

#[test]
fn a_record_that_is_there_twice_is_caught() {
    let found = broken(|facts| {
        let last = events(facts)[1].clone();
        events(facts).push(last);
    });
    assert_eq!(found, [Property::NothingTwice, Property::NothingInvented]);
}

#[test]
fn the_same_change_under_another_id_is_caught() {
    let found = broken(|facts| events(facts).push(change("c", Some(3), Some(3))));
    assert_eq!(found, [Property::NothingTwice, Property::NothingInvented]);
}

#[test]
fn a_state_that_never_was_is_caught() {
    let found = broken(|facts| {
        events(facts).insert(1, change("x", Some(1), Some(99)));
        events(facts)[2] = change("b", Some(99), Some(3));
    });
    assert_eq!(found, [Property::NothingInvented]);
}

#[test]
fn an_old_owner_s_state_after_a_newer_one_is_caught() {
    let found = broken(|facts| {
        events(facts).push(change("x", Some(3), Some(2)));
        events(facts).push(change("y", Some(2), Some(3)));
    });
    assert_eq!(found, [Property::NothingInvented]);
}

#[test]
fn a_delete_of_what_is_there_is_caught() {
    let found = broken(|facts| {
        truth(facts).push(Some(1));
        events(facts).extend([
            change("c", Some(3), None),
            Published::Tombstone,
            change("d", None, Some(1)),
        ]);
    });
    assert_eq!(found, [Property::NothingDeleted]);
}

#[test]
fn a_tombstone_without_a_delete_is_caught() {
    let found = broken(|facts| events(facts).push(Published::Tombstone));
    assert_eq!(found, [Property::NothingDeleted]);
}

#[test]
fn a_checkpoint_ahead_of_its_events_is_caught() {
    let found = broken(|facts| facts.sights[0].claimed = [("7".to_owned(), 2)].into());
    assert_eq!(found, [Property::CheckpointBehindEvents]);
}

#[test]
fn a_missing_outcome_is_caught() {
    let found = broken(|facts| drop(facts.commands.outcomes.remove("c3")));
    assert_eq!(found, [Property::AnOutcome]);
}

#[test]
fn a_second_outcome_is_caught() {
    let found = broken(|facts| {
        let words = facts.commands.outcomes.get_mut("c3").unwrap();
        words.push("APPLIED".to_owned());
    });
    assert_eq!(found, [Property::OneOutcome]);
}

#[test]
fn an_outcome_of_nothing_is_caught() {
    let found = broken(|facts| {
        let words = vec!["REJECTED".to_owned()];
        facts.commands.outcomes.insert("stranger".to_owned(), words);
    });
    assert_eq!(found, [Property::OneOutcome]);
}

#[test]
fn an_effect_that_happens_twice_is_caught() {
    let found = broken(|facts| facts.commands.effects.push("c3".to_owned()));
    assert_eq!(found, [Property::EffectAsSaid]);
}

#[test]
fn an_effect_of_what_was_rejected_is_caught() {
    let found = broken(|facts| facts.commands.effects.insert(1, "c2".to_owned()));
    assert_eq!(found, [Property::EffectAsSaid]);
}

#[test]
fn applied_without_an_effect_is_caught() {
    let found = broken(|facts| drop(facts.commands.effects.pop()));
    assert_eq!(found, [Property::EffectAsSaid]);
}

#[test]
fn effects_of_a_key_out_of_order_are_caught() {
    let found = broken(|facts| facts.commands.effects.reverse());
    assert_eq!(found, [Property::EffectsInOrder]);
}

#[test]
fn a_leak_is_caught_and_not_repeated() {
    let mut facts = sound();
    facts.told.push(("a page".to_owned(), "my canary sings".to_owned()));
    let found = check(&facts);
    assert_eq!(found[0].property, Property::Discreet);
    assert!(!found[0].text.contains("sings"));
}

#[test]
fn an_end_out_of_order_is_caught() {
    for how in [
        How::ByItself("exit status: 0".to_owned()),
        How::Never,
        How::InPeace(Some(1)),
        How::InPeace(None),
        How::Panicked("thread 'x' panicked at y".to_owned()),
    ] {
        let found = broken(|facts| facts.ends.push(End { process: 0, how }));
        assert_eq!(found, [Property::EndsInOrder]);
    }
}

#[test]
fn an_entity_that_is_told_as_new_is_caught() {
    let found = broken(|facts| events(facts)[1] = change("b", None, Some(3)));
    assert_eq!(found, [Property::NothingInvented, Property::RecoveredWhole]);
}

#[test]
fn an_entity_in_another_partition_may_be_told_once_more() {
    let found = broken(|facts| {
        events(facts).extend([Published::Moved, change("b", None, Some(3))]);
    });
    assert_eq!(found, []);
    let found = broken(|facts| {
        let again = [Published::Moved, change("b", None, Some(3)), change("c", None, Some(3))];
        events(facts).extend(again);
    });
    let caught = [Property::NothingTwice, Property::NothingInvented, Property::RecoveredWhole];
    assert_eq!(found, caught);
}

#[test]
fn an_index_that_lacks_an_entity_is_caught() {
    let found = broken(|facts| facts.recoveries.push(recovery(2_500, 0)));
    assert_eq!(found, [Property::RecoveredWhole]);
}

#[test]
fn an_index_that_has_what_is_gone_is_caught() {
    let found = broken(|facts| facts.recoveries[0].entities = 1);
    assert_eq!(found, [Property::RecoveredWhole]);
}

#[test]
fn commands_that_are_read_again_may_be_duplicates_and_nothing_else() {
    let told = |word: &str| {
        broken(|facts| {
            facts.commands.read_again = true;
            facts.commands.outcomes.get_mut("c3").unwrap().push(word.to_owned());
        })
    };
    assert_eq!(told("DUPLICATE"), []);
    assert_eq!(told("APPLIED"), [Property::OneOutcome]);
}

#[test]
fn commands_of_a_key_in_two_partitions_have_no_order() {
    let found = broken(|facts| {
        facts.commands.effects.reverse();
        facts.commands.issued[2].partition = 1;
    });
    assert_eq!(found, []);
}

#[test]
fn an_owner_that_is_fenced_is_caught_unless_it_was_disturbed() {
    let fenced = |disturbances: Vec<Disturbance>| {
        broken(|facts| {
            facts.said.push(says(1, 90_000, What::Fenced("fenced".to_owned())));
            facts.disturbances = disturbances;
        })
    };
    let disturbed = |process, until_ms| Disturbance { process, from_ms: 80_000, until_ms };
    assert_eq!(fenced(vec![]), [Property::OwnerNotFenced]);
    assert_eq!(fenced(vec![disturbed(Some(0), 89_000)]), [Property::OwnerNotFenced]);
    assert_eq!(fenced(vec![disturbed(Some(1), 89_000)]), []);
    assert_eq!(fenced(vec![disturbed(None, 89_000)]), []);
    let long_over = Disturbance { process: None, from_ms: 0, until_ms: 10 };
    assert_eq!(fenced(vec![long_over]), [Property::OwnerNotFenced]);
}

#[test]
fn a_process_that_says_that_it_stood_still_or_holds_on_is_caught() {
    for what in [What::StoodStill("still".to_owned()), What::HeldTooLong("held".to_owned())] {
        let found = broken(|facts| facts.said.push(says(1, 90_000, what)));
        assert_eq!(found, [Property::Undisturbed]);
    }
}

#[test]
fn a_connector_that_is_opened_again_where_it_is_is_caught() {
    let again = |disturbances: Vec<Disturbance>| {
        broken(|facts| {
            facts.said.push(says(1, 90_000, recovered()));
            facts.disturbances = disturbances;
        })
    };
    assert_eq!(again(vec![]), [Property::Undisturbed]);
    // Cut off in between, whenever it was opened first.
    let cut = Disturbance { process: Some(1), from_ms: 5_000, until_ms: 6_000 };
    assert_eq!(again(vec![cut]), []);
    let started_anew = broken(|facts| {
        facts.said.push(Said { life: 1, ..says(1, 90_000, recovered()) });
    });
    assert_eq!(started_anew, []);
}

#[test]
fn a_rolling_restart_out_of_bounds_is_caught() {
    for rolling in [
        Rolling::default(),
        Rolling { settled_ms: Some(181_000), ..Rolling::default() },
        Rolling {
            settled_ms: Some(1),
            moves: [("field".to_owned(), 3)].into(),
            ..Rolling::default()
        },
    ] {
        let found = broken(|facts| facts.rolling = Some(rolling));
        assert_eq!(found, [Property::RollsInBounds]);
    }
}

#[test]
fn a_scope_that_is_stuck_and_not_seen_is_caught() {
    let found = broken(|facts| facts.stuck.push(stuck(200, 5)));
    assert_eq!(found, [Property::StuckIsSeen]);
}

#[test]
fn a_scope_that_holds_up_the_others_is_caught() {
    let found = broken(|facts| facts.stuck.push(stuck(29_000, 0)));
    assert_eq!(found, [Property::OthersGoOn]);
}
