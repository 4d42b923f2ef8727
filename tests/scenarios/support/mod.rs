//! What the scenarios share: the program as a process, a configuration, a consumer.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod consumer;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use talon_simulators::contractor::{Settings, Simulator};

/// Longest wait for anything that should happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The token of the simulated upstream, which must appear nowhere.
pub const TOKEN: &str = "canary-token-5f2c";

/// Polls until `met`, or fails saying what was waited for.
pub async fn until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !met().await {
        assert!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An upstream of the given size that stands still.
pub async fn upstream(calls: usize, seed: u64) -> Simulator {
    let settings = Settings {
        calls,
        seed,
        edits_per_second: 0.0,
        external_token: TOKEN.to_owned(),
        keep_history: true,
        ..Settings::default()
    };
    Simulator::start(settings).await.unwrap()
}

/// A flat configuration for one connector `field`, with fast polls.
pub fn configuration(prefix: &str, bootstrap: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (key, text) in [
        ("talon.prefix", prefix),
        ("http.listen", "127.0.0.1:0"),
        ("bus.kafka.bootstrap.servers", bootstrap),
        ("connectors.field.class", "contractor"),
        ("connectors.field.upstream.url", upstream),
        ("connectors.field.upstream.requests.per.second", "10000"),
        ("connectors.field.auth.external.token", TOKEN),
        ("connectors.field.feeds", "call,call_message,call_jeopardy,call_task"),
        ("connectors.field.call.poll.interval.ms", "50"),
        ("connectors.field.call_message.poll.interval.ms", "50"),
        ("connectors.field.call_jeopardy.poll.interval.ms", "50"),
        ("connectors.field.call_task.poll.interval.ms", "200"),
    ] {
        texts.insert(key.to_owned(), text.to_owned());
    }
    texts
}

/// The program as a process of its own. Killed when dropped.
pub struct Talon {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    address: Option<String>,
    _file: tempfile::NamedTempFile,
}

impl Talon {
    /// `talon run` with a configuration.
    pub fn run(texts: &BTreeMap<String, String>) -> Talon {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for (key, text) in texts {
            use std::io::Write;
            writeln!(file, "{key}: {}", serde_json::json!(text)).unwrap();
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_talon"))
            .args(["run", "--config"])
            .arg(file.path())
            .env("TALON_LOG", "info")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Talon { child, log, address: None, _file: file }
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Where its page is, once it has said so.
    pub async fn url(&mut self) -> String {
        if self.address.is_none() {
            let since = Instant::now();
            while self.address.is_none() {
                let found = self.log().lines().find_map(|line| {
                    let (_, rest) = line.split_once("listen=")?;
                    Some(rest.split_whitespace().next()?.to_owned())
                });
                self.address = found;
                let ended = self.child.try_wait().unwrap();
                assert!(
                    ended.is_none() && since.elapsed() < PATIENCE,
                    "not started: {}",
                    self.log()
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        format!("http://{}", self.address.as_deref().unwrap())
    }

    /// Status and body of a page of it.
    pub async fn get(&mut self, path: &str) -> (u16, String) {
        // The HTTP library is built without a crypto provider of its own choice.
        rustls::crypto::ring::default_provider().install_default().ok();
        let reply = reqwest::get(format!("{}{path}", self.url().await)).await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// `/health/ready`.
    pub async fn health(&mut self) -> (u16, Value) {
        let (status, body) = self.get("/health/ready").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// State of a component, `bus` or `field/call`.
    pub async fn state(&mut self, component: &str) -> String {
        let (_, health) = self.health().await;
        health["components"][component]["state"].as_str().unwrap_or("none").to_owned()
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self) {
        let since = Instant::now();
        loop {
            let (status, health) = self.health().await;
            if status == 200 {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "not ready: {health:#}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// How it ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(since.elapsed() < PATIENCE, "does not end: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Any signal by its name: `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
}

impl Drop for Talon {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
