use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use talon_simulators::contractor::{Fault, FaultKind, Scheme, Settings};

use crate::client::{Outcome, World, empty, expect, expect_empty, ids, json_of, world};

const CALLS: &str = "/call/modifications/0";

async fn with(kind: FaultKind) -> anyhow::Result<World> {
    let world = world(Settings { calls: 20, ..Settings::default() }).await?;
    world.sim.fault(kind);
    Ok(world)
}

async fn text(world: &World, path: &str) -> reqwest::Result<String> {
    world.external(Method::GET, path).send().await?.text().await
}

/// The row with the lowest id, which row faults choose.
fn chosen(rows: &Value) -> &Value {
    let rows = rows.as_array().into_iter().flatten();
    rows.min_by_key(|row| row["number"].as_str().map(str::to_owned)).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn slow_delays_the_answer() -> Outcome {
    let world = with(FaultKind::Slow { ms: 60 }).await?;
    let start = Instant::now();
    text(&world, CALLS).await?;
    assert!(start.elapsed() >= Duration::from_millis(60));
    Ok(())
}

#[tokio::test]
async fn a_status_comes_with_its_retry_after_and_body_and_without_an_effect() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    for code in [401, 403, 429, 500, 503] {
        world.sim.fault(
            Fault::from(FaultKind::Status {
                code,
                retry_after_seconds: Some(7),
                body: Some("занято".to_owned()),
            })
            .times(1),
        );
        let body = json!({ "message": "да" });
        let answer = world.user_post(&format!("/call/{call}/message"), body).await?;
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(expect(answer, code).await?, "занято");
    }
    assert_eq!(world.get("/call/messages/modifications/0").await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_cut_body_is_incomplete_with_and_without_its_length() -> Outcome {
    for chunked in [false, true] {
        let world = with(FaultKind::Cut { chunked }).await?;
        let answer = world.external(Method::GET, CALLS).send().await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers().contains_key("content-length"), !chunked);
        let mut answer = answer;
        let mut received = 0;
        let error = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => received += bytes.len(),
                Ok(None) => anyhow::bail!("the body ended as if it were complete"),
                Err(error) => break error,
            }
        };
        assert!(received > 1000, "half of the body arrived: {received} bytes");
        assert!(error.is_body() || error.is_decode(), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_reply_has_its_effect_and_a_lost_request_none() -> Outcome {
    let world = empty().await?;
    let (call, _) = world.call().await?;
    let path = format!("/call/{call}/message");
    for (kind, effects) in [(FaultKind::LostRequest, 0), (FaultKind::LostReply, 1)] {
        world.sim.fault(Fault::from(kind).at(&path).times(1));
        let sent = world.user_post(&path, json!({ "message": "да" })).await;
        assert!(sent.is_err(), "no answer arrives");
        let journal = world.sim.journal().effects_of("POST /call/{id}/message");
        assert_eq!(journal.len(), effects);
    }
    let rows = world.get("/call/messages/modifications/0").await?;
    assert_eq!(ids(&rows)?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn invalid_json_arrives_completely() -> Outcome {
    let world = with(FaultKind::InvalidJson).await?;
    let body = text(&world, CALLS).await?;
    assert!(serde_json::from_str::<Value>(&body).is_err());
    Ok(())
}

#[tokio::test]
async fn one_row_is_undecodable_or_without_its_id() -> Outcome {
    let world = with(FaultKind::UndecodableRow).await?;
    let rows = world.get(CALLS).await?;
    assert!(chosen(&rows)["id"].is_string());
    assert_eq!(
        rows.as_array().map(|rows| rows.iter().filter(|row| row["id"].is_i64()).count()),
        Some(19)
    );
    world.sim.faults().clear();
    world.sim.fault(FaultKind::RowWithoutId);
    assert!(chosen(&world.get(CALLS).await?).get("id").is_none());
    Ok(())
}

#[tokio::test]
async fn unknown_fields_statuses_and_types_come_in_valid_json() -> Outcome {
    let world = with(FaultKind::UnknownField).await?;
    world.sim.fault(FaultKind::UnknownStatus);
    world.sim.fault(FaultKind::WrongType);
    let rows = world.get(CALLS).await?;
    let row = chosen(&rows);
    assert_eq!((&row["slaClass"], &row["status"]), (&json!("gold"), &json!("Paused")));
    assert!(row["critical"].is_string());
    let single = world.get(&format!("/call/{}", row["id"])).await?;
    assert_eq!(&single, row);
    Ok(())
}

#[tokio::test]
async fn lists_come_short_empty_and_doubled() -> Outcome {
    let world = world(Settings { calls: 20, ..Settings::default() }).await?;
    let whole = ids(&world.get("/calltask").await?)?;
    let kinds = [
        (FaultKind::ShortList { keep: 3 }, 3),
        (FaultKind::EmptyList, 0),
        (FaultKind::DoubleRows, whole.len() * 2),
    ];
    for (kind, length) in kinds {
        world.sim.fault(Fault::from(kind).at("/calltask").times(1));
        assert_eq!(ids(&world.get("/calltask").await?)?.len(), length);
    }
    assert_eq!(ids(&world.get("/calltask").await?)?, whole);
    Ok(())
}

#[tokio::test]
async fn an_expired_token_concerns_its_scheme_until_it_is_cleared() -> Outcome {
    let world = with(FaultKind::TokenExpired { scheme: Scheme::External }).await?;
    for _ in 0..2 {
        expect_empty(world.external(Method::GET, CALLS).send().await?, 401).await?;
    }
    expect(world.user(Method::GET, "/user/self").send().await?, 200).await?;
    world.sim.faults().clear();
    expect(world.external(Method::GET, CALLS).send().await?, 200).await.map(drop)
}

#[tokio::test]
async fn an_html_page_comes_with_200() -> Outcome {
    let world = with(FaultKind::HtmlError).await?;
    let answer = world.external(Method::GET, CALLS).send().await?;
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(expect(answer, 200).await?.starts_with("<!DOCTYPE html>"));
    Ok(())
}

#[tokio::test]
async fn a_fault_keeps_to_its_path_method_and_times() -> Outcome {
    let world = empty().await?;
    let down = FaultKind::Status { code: 503, retry_after_seconds: None, body: None };
    world.sim.fault(Fault::from(down).at("/calltask").method("GET").after(1).times(1));
    let mut codes = Vec::new();
    for path in ["/calltask", CALLS, "/calltask", "/calltask"] {
        codes.push(world.external(Method::GET, path).send().await?.status().as_u16());
    }
    assert_eq!(codes, [200, 200, 503, 200]);
    Ok(())
}

#[tokio::test]
async fn an_absent_upstream_refuses_connections_and_comes_back_with_its_state() -> Outcome {
    let world = world(Settings { calls: 20, ..Settings::default() }).await?;
    let before = world.get(CALLS).await?;
    world.sim.pause_listening().await;
    let refused = world.external(Method::GET, CALLS).send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    world.sim.resume_listening().await;
    assert_eq!(world.get(CALLS).await?, before);
    Ok(())
}

#[tokio::test]
async fn going_away_cuts_the_requests_under_way() -> Outcome {
    let world = with(FaultKind::Slow { ms: 60_000 }).await?;
    let request = tokio::spawn(world.external(Method::GET, CALLS).send());
    while world.sim.journal().count("GET /call/modifications/{timestamp}") == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    world.sim.pause_listening().await;
    assert!(request.await?.is_err());
    Ok(())
}

#[tokio::test]
async fn another_simulator_can_start_on_the_port_of_a_stopped_one() -> Outcome {
    let world = empty().await?;
    let listen = world.sim.addr();
    json_of(world.external(Method::GET, CALLS).send().await?).await?;
    world.sim.clone().stop().await;
    let again = crate::client::world(Settings { listen, ..Settings::default() }).await?;
    assert_eq!(again.sim.addr(), listen);
    assert_eq!(ids(&again.get(CALLS).await?)?.len(), 100);
    Ok(())
}
