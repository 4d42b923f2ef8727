//! A client of the simulator with all three credentials.

use anyhow::Context;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use talon_simulators::contractor::{Settings, Simulator, hashed_password};

pub(crate) type Outcome = anyhow::Result<()>;

pub(crate) struct World {
    pub(crate) sim: Simulator,
    pub(crate) http: reqwest::Client,
    /// The access token of the user 1, `ivanov`.
    pub(crate) access: String,
    pub(crate) service: String,
}

/// A still world without calls.
pub(crate) async fn empty() -> anyhow::Result<World> {
    world(Settings { calls: 0, keep_history: true, ..Settings::default() }).await
}

pub(crate) async fn world(settings: Settings) -> anyhow::Result<World> {
    let http = http();
    let sim = Simulator::start(settings).await?;
    let (access, service) = sign_in(&sim, &http, "ivanov", b"a salt of 16 b.").await?;
    Ok(World { sim, http, access, service })
}

pub(crate) fn http() -> reqwest::Client {
    // A second installation is refused, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::new()
}

/// The access and the service token of a seeded user.
pub(crate) async fn sign_in(
    sim: &Simulator,
    http: &reqwest::Client,
    user: &str,
    salt: &[u8],
) -> anyhow::Result<(String, String)> {
    let body = credentials(user, &format!("{user}-пароль"), salt);
    let url = format!("{}/user/signin", sim.url());
    let answer = http.post(url).json(&body).send().await?.error_for_status()?;
    let tokens: Value = answer.json().await?;
    let token = |name: &str| {
        let token = tokens[name]["token"].as_str().map(str::to_owned);
        token.context("a token")
    };
    Ok((token("access")?, token("service")?))
}

pub(crate) fn credentials(user: &str, password: &str, salt: &[u8]) -> Value {
    use base64::Engine;
    json!({
        "userName": user,
        "hashedPassword": hashed_password(password, salt),
        "salt": base64::engine::general_purpose::STANDARD.encode(salt),
    })
}

/// A complete `CallInputDTO` for the user 1.
pub(crate) fn new_call() -> Value {
    json!({
        "availableExpenditureItems": [{ "name": "Проезд" }],
        "clientName": "ООО «Ромашка»",
        "created": "2026-01-12T09:00:00",
        "descriptionHtmlText": "<p>не работает</p>",
        "descriptionTextForFieldEmployee": "не работает",
        "ownerId": 1,
        "serviceObjectAddress": "г. Москва, ул. Ленина, д. 1",
        "serviceObjectLatitude": 55.75,
        "serviceObjectLongitude": 37.61,
        "serviceObjectName": "Склад № 1",
        "tasks": [{ "title": "Диагностика" }, { "title": "Замена" }],
        "ttf": "2026-01-13T09:00:00+03:00",
    })
}

impl World {
    pub(crate) fn open(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.sim.url()))
    }

    /// As the external system.
    pub(crate) fn external(&self, method: Method, path: &str) -> RequestBuilder {
        self.open(method, path).header("Authorization", "external-system-token")
    }

    /// As the user `ivanov`.
    pub(crate) fn user(&self, method: Method, path: &str) -> RequestBuilder {
        self.open(method, path).header("Authorization", &self.access)
    }

    /// 200 with JSON, as the external system.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        json_of(self.external(Method::GET, path).send().await?).await
    }

    pub(crate) async fn external_post(&self, path: &str, body: Value) -> anyhow::Result<Response> {
        Ok(self.external(Method::POST, path).json(&body).send().await?)
    }

    pub(crate) async fn user_post(&self, path: &str, body: Value) -> anyhow::Result<Response> {
        Ok(self.user(Method::POST, path).json(&body).send().await?)
    }

    /// A new call and its tasks.
    pub(crate) async fn call(&self) -> anyhow::Result<(i64, Vec<i64>)> {
        let made = json_of(self.external_post("/call", new_call()).await?).await?;
        let tasks = made["tasks"].as_array().context("tasks")?;
        Ok((id(&made)?, tasks.iter().map(id).collect::<Result<_, _>>()?))
    }

    /// A new call that is accepted by `ivanov`.
    pub(crate) async fn committed_call(&self) -> anyhow::Result<(i64, Vec<i64>)> {
        let (call, tasks) = self.call().await?;
        let body = json!({ "status": "Committed" });
        let answer = self.user_post(&format!("/call/{call}/status"), body).await?;
        expect(answer, 200).await?;
        Ok((call, tasks))
    }

    pub(crate) async fn finish(&self, call: i64) -> Outcome {
        let body = json!({ "status": "Done", "comments": "готово" });
        let answer = self.user_post(&format!("/call/{call}/status"), body).await?;
        expect(answer, 200).await.map(drop)
    }
}

pub(crate) fn id(entity: &Value) -> anyhow::Result<i64> {
    entity["id"].as_i64().context("an id")
}

/// The ids of the rows of a list, in its order.
pub(crate) fn ids(rows: &Value) -> anyhow::Result<Vec<i64>> {
    rows.as_array().context("a list")?.iter().map(id).collect()
}

pub(crate) async fn json_of(answer: Response) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&expect(answer, 200).await?)?)
}

/// The body of an answer with the status.
pub(crate) async fn expect(answer: Response, status: u16) -> anyhow::Result<String> {
    let (found, url) = (answer.status(), answer.url().clone());
    let body = answer.text().await?;
    anyhow::ensure!(found == status, "{url} answered {found} `{body}` instead of {status}");
    Ok(body)
}

/// An answer with the status and an empty body.
pub(crate) async fn expect_empty(answer: Response, status: u16) -> Outcome {
    let body = expect(answer, status).await?;
    anyhow::ensure!(body.is_empty(), "a body where the document has none: `{body}`");
    Ok(())
}

/// An answer with the status and an `ErrorDTO`.
pub(crate) async fn expect_error(answer: Response, status: u16, code: i32) -> Outcome {
    let body = expect(answer, status).await?;
    let error: Value = serde_json::from_str(&body)?;
    anyhow::ensure!(error == json!({ "errorCode": code }), "another error: `{body}`");
    Ok(())
}

/// 200 or 204: the document lists both.
pub(crate) fn expect_plain(answer: &Response) -> Outcome {
    let status = answer.status();
    let is_plain = [StatusCode::OK, StatusCode::NO_CONTENT].contains(&status);
    anyhow::ensure!(is_plain, "{} answered {status}", answer.url());
    Ok(())
}
