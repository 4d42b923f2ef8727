//! QuickQ as it is controlled over HTTP.

use serde_json::{Value, json};
use talon_simulators::quickq::{Settings, Simulator};

type Outcome = anyhow::Result<()>;

async fn post(url: &str, body: Value) -> anyhow::Result<(u16, String)> {
    let client = reqwest::Client::builder().build()?;
    let reply = client.post(url).json(&body).send().await?;
    Ok((reply.status().as_u16(), reply.text().await?))
}

async fn get(url: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&reqwest::get(url).await?.text().await?)?)
}

#[tokio::test]
async fn it_is_told_what_to_do_and_tells_what_it_did() -> Outcome {
    // A client is made whether or not it will need TLS.
    rustls::crypto::ring::default_provider().install_default().ok();
    let simulator = Simulator::start(Settings::default()).await?;
    let url = |path: &str| format!("{}/_sim/{path}", simulator.control_url());
    let (status, called) =
        post(&url("act"), json!({ "command": "nextConsumer", "data": { "workplace": 1 } })).await?;
    assert_eq!(status, 200, "{called}");
    let called: Value = serde_json::from_str(&called)?;
    let places = get(&url("book/workplace")).await?;
    assert_eq!(places["1"]["consumer_id"], called["id"]);
    let (status, _) =
        post(&url("act"), json!({ "command": "nextConsumer", "data": { "workplace": 1 } })).await?;
    assert_eq!(status, 409, "there is somebody");

    for (fault, status) in [
        (json!({ "kind": "cut_after", "command": "nextConsumer", "times": 1 }), 204),
        (json!({ "kind": "cut_after", "comand": "nextConsumer" }), 400),
        (json!({ "kind": "explode" }), 400),
    ] {
        assert_eq!(post(&url("faults"), fault.clone()).await?.0, status, "{fault}");
    }
    assert_eq!(get(&url("faults")).await?.as_array().map(Vec::len), Some(1));
    assert_eq!(post(&url("settings"), json!({ "echo_id": true })).await?.0, 204);
    assert_eq!(post(&url("settings"), json!({ "seed": 2 })).await?.0, 400);
    assert_eq!(get(&url("settings")).await?["echo_id"], true);
    Ok(())
}

#[tokio::test]
async fn the_same_seed_leads_the_same_life() -> Outcome {
    let mut lives = Vec::new();
    for seed in [5, 5, 6] {
        let simulator = Simulator::start(Settings { seed, ..Settings::default() }).await?;
        simulator.edit(300);
        let names = |book| {
            let items = simulator.book(book).into_values();
            items.map(|item| format!("{} {}", item["id"], item["state"])).collect::<Vec<_>>()
        };
        lives.push(names(talon_simulators::quickq::Book::Consumer));
    }
    assert_eq!(lives[0], lives[1]);
    assert!(lives[0] != lives[2], "seeds 5 and 6 make one life");
    Ok(())
}
