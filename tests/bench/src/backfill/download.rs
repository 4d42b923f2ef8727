//! A client that does no more than download days and read their JSON.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use talon_http::Request;
use talon_runtime::metrics::Metrics;
use talon_sdk::config::{Secrets, Settings};

use super::past::lent;

pub(super) struct Client {
    http: talon_http::Client,
    branches: Vec<Branch>,
    concurrency: usize,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "Id")]
    id: String,
}

impl Client {
    /// Asks for so many days at once.
    pub(super) async fn new(url: &str, concurrency: usize) -> anyhow::Result<Client> {
        let keys = talon_http::keys();
        let texts = BTreeMap::from([
            ("upstream.url".to_owned(), url.to_owned()),
            ("upstream.requests.per.second".to_owned(), "100000".to_owned()),
        ]);
        let secrets = Secrets::Unresolved;
        let config = talon_http::read(&mut Settings::new("", &keys, texts, &secrets));
        let http = talon_http::Client::new(config, &lent(&Metrics::new()?))?;
        let list = Request::get("GET /api/1/config/servers", ["api", "1", "config", "servers"]);
        let branches = serde_json::from_slice(&http.read_json(list).await?.as_it_came())?;
        Ok(Client { http, branches, concurrency })
    }

    /// Downloads days of all branches, both ends included, and reads each body as `T`, which is given
    /// with the id of its branch.
    pub(super) async fn days<T: DeserializeOwned>(
        &self,
        first: Date,
        last: Date,
        mut each: impl FnMut(&T, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let days = first.series(1.day()).take_while(|day| *day <= last);
        let asked = days.flat_map(|day| self.branches.iter().map(move |branch| (day, branch)));
        let mut replies = futures_util::stream::iter(asked)
            .map(|(day, branch)| async move {
                let path = ["api", "1", "queue", "statistics", "tickets", "history"];
                let request = Request::get("GET /api/1/queue/statistics/tickets/history", path)
                    .query("date", day.strftime("%d.%m.%Y").to_string())
                    .query("serverId", branch.id.clone())
                    .query("includeDataFields", "false");
                let body = self.http.read_json(request).await?;
                anyhow::Ok((serde_json::from_slice::<T>(&body.as_it_came())?, branch))
            })
            .buffer_unordered(self.concurrency);
        while let Some(reply) = replies.next().await {
            let (reply, branch) = reply?;
            each(&reply, &branch.id)?;
        }
        Ok(())
    }
}
