use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use talon_simulators::contractor::Settings;

use crate::client::{Outcome, World, expect, expect_empty, json_of, world};

async fn tell(world: &World, path: &str, body: Value) -> Outcome {
    let answer = world.open(Method::POST, path).json(&body).send().await?;
    expect_empty(answer, 204).await
}

async fn ask(world: &World, path: &str) -> anyhow::Result<Value> {
    json_of(world.open(Method::GET, path).send().await?).await
}

async fn ready() -> anyhow::Result<World> {
    world(Settings { calls: 10, keep_history: true, ..Settings::default() }).await
}

#[tokio::test]
async fn faults_are_told_listed_and_cleared_over_http() -> Outcome {
    let world = ready().await?;
    let fault = json!({ "kind": "status", "code": 500, "path": "/calltask", "times": 5 });
    tell(&world, "/_sim/faults", fault).await?;
    expect_empty(world.external(Method::GET, "/calltask").send().await?, 500).await?;
    assert_eq!(ask(&world, "/_sim/faults").await?[0]["kind"], "status");
    expect_empty(world.open(Method::DELETE, "/_sim/faults").send().await?, 204).await?;
    assert_eq!(ask(&world, "/_sim/faults").await?, json!([]));
    for wrong in [json!({ "kind": "slow", "ms": 1, "tims": 2 }), json!({ "kind": "sloow" })] {
        let answer = world.open(Method::POST, "/_sim/faults").json(&wrong).send().await?;
        expect(answer, 400).await?;
    }
    expect(world.external(Method::GET, "/calltask").send().await?, 200).await.map(drop)
}

#[tokio::test]
async fn edits_and_settings_are_told_over_http_and_seen_in_the_stats() -> Outcome {
    let world = ready().await?;
    let before = ask(&world, "/_sim/stats").await?;
    tell(&world, "/_sim/edit", json!({ "edits": 30 })).await?;
    tell(&world, "/_sim/settings", json!({ "mark_bound": "inclusive" })).await?;
    tell(&world, "/_sim/settle", json!({})).await?;
    let after = ask(&world, "/_sim/stats").await?;
    assert_eq!(after["edits"], json!(30));
    assert!(after["states"].as_u64() > before["states"].as_u64());
    let head = after["marks"]["calls"].as_i64().unwrap_or_default();
    let rows = world.get(&format!("/call/modifications/{head}")).await?;
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&world, "/_sim/settings").await?["mark_bound"], "inclusive");
    let wrong = world.open(Method::POST, "/_sim/settings").json(&json!({ "calls": 1 }));
    expect(wrong.send().await?, 400).await.map(drop)
}

#[tokio::test]
async fn journal_and_history_are_read_over_http() -> Outcome {
    let world = ready().await?;
    let (call, _) = world.call().await?;
    let journal = ask(&world, "/_sim/journal").await?;
    assert_eq!(journal[1]["entity"], json!(call));
    let states = ask(&world, &format!("/_sim/history/calls/{call}")).await?;
    let current = ask(&world, "/_sim/history/calls").await?;
    assert_eq!(states[0]["json"], current[call.to_string()]);
    Ok(())
}

#[tokio::test]
async fn tokens_expire_over_http() -> Outcome {
    let world = ready().await?;
    tell(&world, "/_sim/time", json!({ "advance_ms": 1_800_001 })).await?;
    expect_empty(world.user(Method::GET, "/user/self").send().await?, 401).await?;
    tell(&world, "/_sim/tokens/expire", json!({ "scheme": "service" })).await?;
    let renewal = world.open(Method::POST, "/user/token").header("Authorization", &world.service);
    expect_empty(renewal.send().await?, 401).await
}

#[tokio::test]
async fn the_upstream_goes_away_for_a_while() -> Outcome {
    let world = ready().await?;
    drop(world.open(Method::POST, "/_sim/away").json(&json!({ "ms": 100 })).send().await);
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_there = || async { world.external(Method::GET, "/calltask").send().await.is_ok() };
    while is_there().await {
        assert!(Instant::now() < deadline, "it never went");
    }
    while !is_there().await {
        assert!(Instant::now() < deadline, "it never came back");
    }
    Ok(())
}
