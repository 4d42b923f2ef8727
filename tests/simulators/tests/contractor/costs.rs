use reqwest::{Method, Response};
use serde_json::{Value, json};
use talon_simulators::contractor::Settings;

use crate::client::{Outcome, World, expect_empty, expect_error, expect_plain, id, json_of, world};

/// A world that sends listed codes, with a committed call, its estimate path and its item.
async fn ready() -> anyhow::Result<(World, i64, String, i64)> {
    let settings = Settings { calls: 0, listed_error_codes: true, ..Settings::default() };
    let world = world(settings).await?;
    let (call, _) = world.committed_call().await?;
    let item = id(&world.get(&format!("/call/{call}")).await?["availableExpenditureItems"][0])?;
    Ok((world, call, format!("/callCost/call/{call}"), item))
}

async fn ask(world: &World, method: Method, path: &str, body: Value) -> anyhow::Result<Response> {
    Ok(world.user(method, path).json(&body).send().await?)
}

#[tokio::test]
async fn an_estimate_goes_from_draft_to_in_progress_to_processed() -> Outcome {
    let (world, call, cost, item) = ready().await?;
    expect_error(world.external(Method::GET, &cost).send().await?, 404, 2).await?;
    let send = format!("/callCost/status/call/{call}");
    expect_empty(world.user_post(&send, json!({})).await?, 404).await?;
    expect_plain(&world.user_post(&cost, json!({})).await?)?;
    expect_empty(world.user_post(&cost, json!({})).await?, 409).await?;

    let body = json!({ "count": 2.5, "expenditureItemId": item });
    let expense = id(&json_of(world.user_post(&format!("{cost}/expense"), body).await?).await?)?;
    let body = json!({
        "count": 1, "name": "Кабель", "ownerType": "Contractor", "price": 99.9, "serialNumber": "1",
    });
    let material = id(&json_of(world.user_post(&format!("{cost}/material"), body).await?).await?)?;

    let approve = format!("{cost}/changeApprovalStatus");
    let verdict = |expense: i64, material: i64| {
        let (mut expenses, mut materials) = (json!({}), json!({}));
        expenses[expense.to_string()] = json!("Approved");
        materials[material.to_string()] = json!("Rejected");
        world
            .external(Method::PATCH, &approve)
            .json(&json!({ "expenses": expenses, "materials": materials }))
    };
    expect_empty(verdict(expense, material).send().await?, 409).await?;
    expect_plain(&world.user_post(&send, json!({})).await?)?;
    expect_empty(world.user_post(&send, json!({})).await?, 409).await?;
    expect_error(verdict(7, material).send().await?, 404, 3).await?;
    expect_error(verdict(expense, 7).send().await?, 404, 4).await?;
    expect_empty(verdict(expense, material).send().await?, 204).await?;
    assert_eq!(
        world.get(&cost).await?,
        json!({
            "status": "Processed",
            "expenses": [
                { "id": expense, "expenditureItemId": item, "count": 2.5, "status": "Approved" }
            ],
            "materials": [{
                "id": material, "name": "Кабель", "serialNumber": "1", "ownerType": "Contractor",
                "count": 1.0, "price": 99.9, "status": "Rejected",
            }],
        })
    );
    Ok(())
}

#[tokio::test]
async fn a_new_call_has_no_estimate_yet() -> Outcome {
    let (world, ..) = ready().await?;
    let (call, _) = world.call().await?;
    let cost = format!("/callCost/call/{call}");
    expect_empty(world.user_post(&cost, json!({})).await?, 409).await?;
    expect_empty(world.user_post("/callCost/call/7", json!({})).await?, 404).await?;
    expect_error(world.external(Method::GET, "/callCost/call/7").send().await?, 404, 1).await
}

#[tokio::test]
async fn lines_of_a_draft_are_added_changed_and_deleted() -> Outcome {
    let (world, _, cost, item) = ready().await?;
    let (expenses, materials) = (format!("{cost}/expense"), format!("{cost}/material"));
    let new_expense = json!({ "count": 1, "expenditureItemId": item });
    expect_error(world.user_post(&expenses, new_expense.clone()).await?, 404, 2).await?;
    expect_plain(&world.user_post(&cost, json!({})).await?)?;
    let unknown = json!({ "count": 1, "expenditureItemId": 7 });
    expect_error(world.user_post(&expenses, unknown).await?, 404, 3).await?;
    expect_empty(world.user_post(&expenses, json!({ "count": 1 })).await?, 400).await?;
    let expense = id(&json_of(world.user_post(&expenses, new_expense).await?).await?)?;
    let line = format!("{expenses}/{expense}");
    expect_plain(&ask(&world, Method::PATCH, &line, json!({ "count": 3 })).await?)?;
    assert_eq!(world.get(&cost).await?["expenses"][0]["count"], json!(3.0));
    expect_plain(&ask(&world, Method::DELETE, &line, json!({})).await?)?;
    expect_error(ask(&world, Method::DELETE, &line, json!({})).await?, 404, 3).await?;

    let wrong =
        json!({ "count": 1, "name": "К", "ownerType": "Nobody", "price": 1, "serialNumber": "" });
    expect_empty(world.user_post(&materials, wrong).await?, 400).await?;
    let body =
        json!({ "count": 1, "name": "К", "ownerType": "Unknown", "price": 1, "serialNumber": "" });
    let material = id(&json_of(world.user_post(&materials, body).await?).await?)?;
    let line = format!("{materials}/{material}");
    expect_plain(&ask(&world, Method::PATCH, &line, json!({ "price": 5 })).await?)?;
    let read = world.get(&cost).await?;
    assert_eq!(
        (&read["materials"][0]["price"], &read["materials"][0]["name"]),
        (&json!(5.0), &json!("К"))
    );
    expect_plain(&ask(&world, Method::DELETE, &line, json!({})).await?)?;
    expect_error(ask(&world, Method::PATCH, &line, json!({})).await?, 404, 4).await
}

#[tokio::test]
async fn the_deadline_day_is_1_to_28() -> Outcome {
    let (world, ..) = ready().await?;
    let set = |day: i64| {
        let body = json!({ "callCostDeadlineDayOfMonth": day });
        world.external(Method::PATCH, "/systemSettings").json(&body)
    };
    for day in [0, 29] {
        expect_error(set(day).send().await?, 400, 0).await?;
    }
    expect_plain(&set(28).send().await?)?;
    expect_plain(&set(1).send().await?)
}

#[tokio::test]
async fn success_without_content_is_200_and_204_in_turn() -> Outcome {
    let (world, ..) = ready().await?;
    let body = json!({ "callCostDeadlineDayOfMonth": 5 });
    let mut codes = Vec::new();
    for _ in 0..3 {
        let answer = world.external(Method::PATCH, "/systemSettings").json(&body).send().await?;
        codes.push((answer.status().as_u16(), answer.text().await?));
    }
    let expected = [(200, "5"), (204, ""), (200, "5")];
    assert_eq!(codes, expected.map(|(code, body)| (code, body.to_owned())));
    Ok(())
}
