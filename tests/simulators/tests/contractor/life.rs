use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use talon_simulators::contractor::{Kind, Settings, Simulator};

use crate::client::{Outcome, ids, world};

const KINDS: [Kind; 5] = [Kind::Calls, Kind::Tasks, Kind::Messages, Kind::Jeopardies, Kind::Costs];

async fn lived(settings: Settings) -> anyhow::Result<Simulator> {
    let sim = Simulator::start(settings).await?;
    sim.edit(1000);
    Ok(sim)
}

fn everything(sim: &Simulator) -> Vec<String> {
    let history = sim.history();
    let rows = KINDS.map(|kind| history.current(kind).into_values());
    rows.into_iter().flatten().collect()
}

#[tokio::test]
async fn the_same_seed_makes_the_same_life_and_another_seed_another() -> Outcome {
    let seed = |seed| Settings { seed, ..Settings::default() };
    let one = everything(&lived(seed(5)).await?);
    assert!(one == everything(&lived(seed(5)).await?), "seed 5 makes two lives");
    assert!(one != everything(&lived(seed(6)).await?), "seeds 5 and 6 make one life");
    Ok(())
}

#[tokio::test]
async fn late_rows_and_bounds_leave_the_life_as_it_is() -> Outcome {
    let usual = lived(Settings::default()).await?;
    let late = lived(Settings { late_share: 0.5, ..Settings::default() }).await?;
    assert!(everything(&usual) != everything(&late));
    late.settle();
    assert!(everything(&usual) == everything(&late));
    Ok(())
}

#[tokio::test]
async fn a_life_has_all_kinds_of_things_in_all_their_states() -> Outcome {
    let sim = lived(Settings { calls: 300, ..Settings::default() }).await?;
    let statuses = |kind| -> anyhow::Result<BTreeSet<String>> {
        let rows = sim.history().current(kind).into_values();
        rows.map(|row| Ok(serde_json::from_str::<Value>(&row)?["status"].to_string())).collect()
    };
    assert_eq!(statuses(Kind::Calls)?.len(), 4);
    assert_eq!(statuses(Kind::Tasks)?.len(), 3);
    assert_eq!(statuses(Kind::Costs)?.len(), 3);
    assert!(sim.history().current(Kind::Messages).len() > 300);
    assert!(sim.history().current(Kind::Jeopardies).len() > 30);
    let calls = sim.history().current(Kind::Calls);
    assert!(calls.values().any(|call| call.len() > 20_000), "some are large");
    Ok(())
}

#[tokio::test]
async fn the_history_of_a_call_is_ordered_and_ends_with_what_is_served() -> Outcome {
    let world = world(Settings { keep_history: true, ..Settings::default() }).await?;
    world.sim.edit(2000);
    let history = world.sim.history();
    for kind in KINDS {
        for (id, row) in history.current(kind) {
            let states = history.states(kind, id);
            assert!(states.is_sorted_by(|one, next| one.sequence < next.sequence));
            assert_eq!(states.last().map(|state| &state.json), Some(&row), "{kind:?} {id}");
        }
    }
    let rows = world.get("/call/modifications/0").await?;
    assert_eq!(ids(&rows)?.len(), history.current(Kind::Calls).len());
    Ok(())
}

#[tokio::test]
async fn dates_have_offsets_unless_they_are_to_be_mixed() -> Outcome {
    for naive_dates in [false, true] {
        let sim = lived(Settings { naive_dates, ..Settings::default() }).await?;
        let mut naive = 0;
        for row in sim.history().current(Kind::Messages).into_values() {
            let row: Value = serde_json::from_str(&row)?;
            let date = row["date"].as_str().unwrap_or_default();
            naive += i32::from(date.parse::<jiff::Timestamp>().is_err());
        }
        assert_eq!(naive > 0, naive_dates);
    }
    Ok(())
}

#[tokio::test]
async fn the_life_goes_at_its_pace_and_stands_still_at_0() -> Outcome {
    let sim = Simulator::start(Settings::default()).await?;
    let states = || everything(&sim);
    let before = states();
    sim.change_settings(&json!({ "edits_per_second": 2000.0 }))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while states() == before {
        assert!(Instant::now() < deadline, "nothing happens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sim.change_settings(&json!({ "edits_per_second": -1.0 })).is_err());
    assert!(sim.change_settings(&json!({ "seed": 3 })).is_err());
    assert!(sim.change_settings(&json!({ "edits_per_secnd": 3.0 })).is_err());
    Ok(())
}
