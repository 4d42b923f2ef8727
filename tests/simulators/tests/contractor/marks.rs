use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use talon_simulators::contractor::{MarkBound, Settings};

use crate::client::{Outcome, World, ids, world};

async fn since(world: &World, kind: &str, mark: i64) -> anyhow::Result<Value> {
    world.get(&format!("{kind}/modifications/{mark}")).await
}

fn marks(rows: &Value) -> Vec<i64> {
    let rows = rows.as_array().into_iter().flatten();
    rows.filter_map(|row| row["timestamp"].as_i64()).collect()
}

#[tokio::test]
async fn an_exclusive_bound_leaves_the_row_at_the_mark_out() -> Outcome {
    let world = world(Settings { calls: 50, ..Settings::default() }).await?;
    let head = world.sim.marks().calls;
    assert!(marks(&since(&world, "/call", head).await?).is_empty());
    assert_eq!(marks(&since(&world, "/call", head - 1).await?), [head]);
    assert_eq!(marks(&since(&world, "/call", 0).await?).len(), 50);
    assert!(marks(&since(&world, "/call", i64::MAX).await?).is_empty());
    Ok(())
}

#[tokio::test]
async fn an_inclusive_bound_returns_the_row_at_the_mark_each_time() -> Outcome {
    let settings = Settings { mark_bound: MarkBound::Inclusive, ..Settings::default() };
    let world = world(settings).await?;
    let heads = world.sim.marks();
    assert_eq!(marks(&since(&world, "/call", heads.calls).await?), [heads.calls]);
    assert_eq!(marks(&since(&world, "/call/messages", heads.messages).await?), [heads.messages]);
    let risks = since(&world, "/call/jeopardies", heads.jeopardies).await?;
    assert_eq!(marks(&risks), [heads.jeopardies]);
    Ok(())
}

#[tokio::test]
async fn rows_come_in_no_order_but_always_in_the_same() -> Outcome {
    let world = world(Settings::default()).await?;
    let first = since(&world, "/call", 0).await?;
    let sorted = marks(&first).is_sorted() || ids(&first)?.is_sorted();
    assert!(!sorted, "rows are shuffled");
    assert_eq!(first, since(&world, "/call", 0).await?);
    Ok(())
}

#[tokio::test]
async fn following_the_marks_sees_every_edit_of_a_call() -> Outcome {
    let world = world(Settings { keep_history: true, ..Settings::default() }).await?;
    let mut mark = 0;
    for _ in 0..200 {
        let rows = since(&world, "/call", mark).await?;
        mark = marks(&rows).into_iter().max().unwrap_or(mark);
        assert_eq!(mark, world.sim.marks().calls);
        for row in rows.as_array().into_iter().flatten() {
            let states = world.sim.history().calls(row["id"].as_i64().unwrap_or_default());
            let last: Value = serde_json::from_str(states.last().map_or("", String::as_str))?;
            assert_eq!(&last, row);
        }
        world.sim.edit(1);
    }
    Ok(())
}

#[tokio::test]
async fn several_rows_share_a_mark_but_a_row_never_keeps_its_own() -> Outcome {
    let world =
        world(Settings { marks_shared_by: 3, keep_history: true, ..Settings::default() }).await?;
    world.sim.edit(500);
    let rows = since(&world, "/call", 0).await?;
    let different: HashSet<_> = marks(&rows).into_iter().collect();
    assert!(different.len() < marks(&rows).len(), "some marks are equal");
    for id in ids(&rows)? {
        let states = world.sim.history().states(talon_simulators::contractor::Kind::Calls, id);
        assert!(states.is_sorted_by(|one, next| one.mark < next.mark));
    }
    Ok(())
}

#[tokio::test]
async fn a_late_row_appears_below_a_mark_that_was_already_read() -> Outcome {
    let world = world(Settings { late_share: 0.3, late_edits: 4, ..Settings::default() }).await?;
    let (mut mark, mut lost) = (0, 0);
    let mut seen = HashSet::new();
    for _ in 0..300 {
        world.sim.edit(1);
        let rows = since(&world, "/call", mark).await?;
        seen.extend(ids(&rows)?.into_iter().zip(marks(&rows)));
        mark = marks(&rows).into_iter().max().unwrap_or(mark);
    }
    world.sim.settle();
    let all = since(&world, "/call", 0).await?;
    for row in ids(&all)?.into_iter().zip(marks(&all)) {
        lost += i32::from(!seen.contains(&row));
    }
    assert!(lost > 0, "a reader without overlap misses late rows");
    Ok(())
}

#[tokio::test]
async fn a_late_row_can_be_late_by_time() -> Outcome {
    let world = world(Settings {
        calls: 1,
        late_share: 1.0,
        late_edits: 0,
        late_ms: 30,
        ..Settings::default()
    })
    .await?;
    let read = || since(&world, "/call/messages", 0);
    let before = marks(&read().await?).len();
    while world.sim.marks().messages == i64::try_from(before)? {
        world.sim.edit(1);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while marks(&read().await?).len() == before {
        assert!(Instant::now() < deadline, "the late row never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[tokio::test]
async fn what_draws_a_new_mark_for_the_call_is_a_setting() -> Outcome {
    let world = world(Settings { calls: 0, ..Settings::default() }).await?;
    let (call, _) = world.committed_call().await?;
    let bumps = |path: String, body: Value| {
        let world = &world;
        async move {
            let before = world.sim.marks().calls;
            world.user_post(&path, body).await?.error_for_status()?;
            anyhow::Ok(world.sim.marks().calls - before)
        }
    };
    let message = || (format!("/call/{call}/message"), json!({ "message": "да" }));
    assert_eq!(bumps(message().0, message().1).await?, 0);
    assert_eq!(bumps(format!("/callCost/call/{call}"), json!({})).await?, 0);
    world
        .sim
        .change_settings(&json!({ "messages_bump_call": true, "children_bump_call": false }))?;
    assert_eq!(bumps(message().0, message().1).await?, 1);
    assert_eq!(bumps(format!("/call/{call}/jeopardy"), json!({ "comment": "нет" })).await?, 0);
    let read = world.get(&format!("/call/{call}")).await?;
    assert_eq!(read["jeopardies"][0]["comment"], "нет");
    Ok(())
}
