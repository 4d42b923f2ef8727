//! Connectors that are made, changed and deleted at run time, over the REST of any process, as operators would.
//!
//! A request whose answer is lost is sent again, to another process: what it asks for is a state, and asking for it
//! twice is no error. What a process tells of a configuration must be one that was sent, as a whole.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::World;
use super::clock::now_ms;
use super::operators::Asked;
use crate::facts::{Disturbance, End, How};
use crate::scenario::Operation;

/// Longest wait for a process that does what it is asked.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after it was asked for a process may be at it.
const AT_IT_MS: i64 = 10_000;
/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(200);

impl World {
    /// Makes all connectors.
    pub(super) async fn make_connectors(&self) -> anyhow::Result<()> {
        let Some(operators) = &self.operators else { return Ok(()) };
        for (place, asked) in operators.connectors.iter().enumerate() {
            let mut asked = asked.lock().await;
            self.make(place, &mut asked).await?;
        }
        Ok(())
    }

    /// Everything runs again, and is what was asked for.
    pub(super) async fn bring_back(&self) -> anyhow::Result<Vec<End>> {
        let Some(operators) = &self.operators else { return Ok(Vec::new()) };
        let mut ends = Vec::new();
        for (place, asked) in operators.connectors.iter().enumerate() {
            let asked = asked.lock().await;
            self.ask(Method::PUT, &self.path(place, "/resume"), None, &[202]).await?;
            let path = self.path(place, "/config");
            let last = Value::Object(self.named(place, &asked));
            let since = Instant::now();
            for process in 0..self.places.len() {
                loop {
                    let told = self.tell(process, Method::GET, &path, None).await;
                    if told.as_ref().is_some_and(|(code, body)| *code == 200 && *body == last) {
                        break;
                    }
                    if since.elapsed() > PATIENCE {
                        let text = format!("it tells another configuration in the end: {told:?}");
                        ends.push(End { process, how: How::ByItself(text) });
                        break;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(ends)
    }

    /// Asks for it, and looks at what a process tells of the configuration then.
    pub(super) async fn operate(
        &self,
        connector: usize,
        operation: Operation,
    ) -> anyhow::Result<Vec<End>> {
        let Some(operators) = &self.operators else { return Ok(Vec::new()) };
        let place = connector % operators.connectors.len();
        let mut asked = operators.connectors[place].lock().await;
        let path = |what: &str| self.path(place, what);
        match operation {
            Operation::Pause => self.ask(Method::PUT, &path("/pause"), None, &[202]).await?,
            Operation::Resume => self.ask(Method::PUT, &path("/resume"), None, &[202]).await?,
            Operation::Stop => self.ask(Method::PUT, &path("/stop"), None, &[204]).await?,
            Operation::Restart => {
                let path = path("/restart?includeTasks=true");
                self.ask(Method::POST, &path, None, &[202, 204]).await?;
            }
            Operation::Reconfigure => {
                let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
                for (key, text) in self.connectors[place].subject.rolled(roll) {
                    asked.config.insert(key, text.into());
                }
                let sent = Value::Object(self.named(place, &asked));
                asked.sent.push(sent.clone());
                self.ask(Method::PUT, &path("/config"), Some(sent), &[200]).await?;
            }
            Operation::Recreate => {
                self.ask(Method::DELETE, &path(""), None, &[204, 404]).await?;
                self.make(place, &mut asked).await?;
            }
        }
        let process = operators.turn.fetch_add(1, Ordering::Relaxed) % self.places.len();
        let told = self.tell(process, Method::GET, &path("/config"), None).await;
        let is_half = |told: &(u16, Value)| told.0 == 200 && !asked.sent.contains(&told.1);
        Ok(told.filter(is_half).map_or_else(Vec::new, |(_, body)| {
            let text = format!("it tells a configuration that nobody sent: {body}");
            vec![End { process, how: How::ByItself(text) }]
        }))
    }

    async fn make(&self, place: usize, asked: &mut Asked) -> anyhow::Result<()> {
        let config = Value::Object(self.named(place, asked));
        asked.sent.push(config.clone());
        let name = &self.connectors[place].instance.name;
        let body = json!({ "name": name, "config": config });
        // It exists where the answer to the attempt before was lost.
        self.ask(Method::POST, "/connectors", Some(body), &[201, 409]).await
    }

    /// The settings as they are told.
    fn named(&self, place: usize, asked: &Asked) -> Map<String, Value> {
        let mut config = asked.config.clone();
        config.insert("name".to_owned(), self.connectors[place].instance.name.clone().into());
        config
    }

    fn path(&self, place: usize, what: &str) -> String {
        format!("/connectors/{}{what}", self.connectors[place].instance.name)
    }

    /// Asks one process after another, until one answers with one of these codes.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        codes: &[u16],
    ) -> anyhow::Result<()> {
        let Some(operators) = &self.operators else { return Ok(()) };
        let (since, mut last) = (Instant::now(), None);
        let from_ms = now_ms();
        loop {
            let process = operators.turn.fetch_add(1, Ordering::Relaxed) % self.places.len();
            let told = self.tell(process, method.clone(), path, body.clone()).await;
            if told.as_ref().is_some_and(|(code, _)| codes.contains(code)) {
                let until_ms = now_ms() + AT_IT_MS;
                self.disturb(Disturbance { process: None, from_ms, until_ms });
                return Ok(());
            }
            last = told.or(last);
            ensure!(since.elapsed() < PATIENCE, "nobody does `{method} {path}`: {last:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What a process answers; `None` where it does not.
    async fn tell(
        &self,
        process: usize,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        let place = self.places[process].lock().await;
        place.rest(method, path, body).await
    }
}
