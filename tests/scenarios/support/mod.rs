//! What the scenarios share: the program as a process, a configuration, a consumer.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod consumer;
pub mod following;
pub mod moments;
pub mod nats;
pub mod producer;
pub mod results;
pub mod truth;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use talon_simulators::contractor::{Settings, Simulator};

/// Longest wait for anything that should happen.
pub const PATIENCE: Duration = Duration::from_secs(180);

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

/// Polls until `check` finds nothing wrong; says on the way what is not right yet.
pub async fn agreed(what: &str, check: impl Fn() -> Result<(), String>) {
    let mut why = String::new();
    until(what, async || match check() {
        Ok(()) => true,
        Err(reason) => {
            if reason != why {
                eprintln!("not yet: {reason}");
                why = reason;
            }
            false
        }
    })
    .await;
}

/// An upstream of the given size that stands still.
pub async fn upstream(calls: usize, seed: u64) -> Simulator {
    Simulator::start(settings(calls, seed)).await.unwrap()
}

/// Of an upstream of the given size that stands still.
pub fn settings(calls: usize, seed: u64) -> Settings {
    Settings {
        calls,
        seed,
        edits_per_second: 0.0,
        external_token: TOKEN.to_owned(),
        keep_history: true,
        ..Settings::noisy()
    }
}

/// How lively the upstream is from now on.
pub fn live(upstream: &Simulator, edits_per_second: f64) {
    upstream.change_settings(&serde_json::json!({ "edits_per_second": edits_per_second })).unwrap();
}

/// Which bus a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Kafka,
    Nats,
}

/// A broker of a test's own, which it may kill.
pub enum Broker {
    Kafka(talon_brokers::Kafka),
    Nats(talon_brokers::Nats),
}

impl On {
    /// The address of the broker that tests share; none where the test is skipped.
    pub fn shared(self, test: &str) -> Option<&'static str> {
        match self {
            On::Kafka => talon_brokers::Kafka::shared(test).map(talon_brokers::Kafka::bootstrap),
            On::Nats => talon_brokers::Nats::shared(test).map(talon_brokers::Nats::url),
        }
    }

    /// A broker of the test's own.
    pub fn start(self, test: &str) -> Option<Broker> {
        match self {
            On::Kafka => talon_brokers::Kafka::start(test).map(Broker::Kafka),
            On::Nats => talon_brokers::Nats::start(test).map(Broker::Nats),
        }
    }
}

impl Broker {
    /// Where it listens.
    pub fn address(&self) -> &str {
        match self {
            Broker::Kafka(kafka) => kafka.bootstrap(),
            Broker::Nats(nats) => nats.url(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        match self {
            Broker::Kafka(kafka) => kafka.kill(),
            Broker::Nats(nats) => nats.kill(),
        }
    }

    /// On the same port, with the same data.
    pub fn restart(&mut self) {
        match self {
            Broker::Kafka(kafka) => kafka.restart(),
            Broker::Nats(nats) => nats.restart(),
        }
    }
}

/// A flat configuration without connectors. The bus is NATS where the address is a URL of it, else Kafka.
pub fn process(prefix: &str, address: &str) -> BTreeMap<String, String> {
    // A process that is killed and started again has its place in the group at once, or soon.
    let bus = if address.starts_with("nats://") {
        [("bus.nats.servers", address), ("bus.nats.lease.ttl.ms", "1000")]
    } else {
        [("bus.kafka.bootstrap.servers", address), ("bus.kafka.group.instance.id", prefix)]
    };
    let program =
        [("talon.prefix", prefix), ("http.listen", "127.0.0.1:0"), ("talon.group", prefix)];
    let texts = bus.into_iter().chain(program);
    texts.map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}

/// Puts settings of a connector into a configuration.
pub fn connect(texts: &mut BTreeMap<String, String>, connector: &str, settings: &[(&str, &str)]) {
    for (key, text) in settings {
        texts.insert(format!("connectors.{connector}.{key}"), (*text).to_owned());
    }
}

/// A flat configuration for one connector `field`, with fast polls.
pub fn configuration(prefix: &str, address: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = process(prefix, address);
    let settings = [
        ("class", "contractor"),
        ("upstream.url", upstream),
        ("upstream.requests.per.second", "10000"),
        ("auth.external.token", TOKEN),
        ("feeds", "call,call_message,call_jeopardy,call_task"),
        ("call.poll.interval.ms", "50"),
        ("call_message.poll.interval.ms", "50"),
        ("call_jeopardy.poll.interval.ms", "50"),
        ("call_task.poll.interval.ms", "200"),
    ];
    connect(&mut texts, "field", &settings);
    texts
}

/// A configuration as a file.
pub fn write(texts: &BTreeMap<String, String>) -> tempfile::NamedTempFile {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for (key, text) in texts {
        writeln!(file, "{key}: {}", serde_json::json!(text)).unwrap();
    }
    file
}

/// The program, not started yet. Of the environment of the tests it gets nothing that it reads.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_talon"));
    command.env_remove("TALON_LOG").stdin(Stdio::null());
    command
}

/// The same, with what signals do by default: whoever runs the tests may ignore Ctrl-C, as whatever runs in
/// the background does.
pub fn program_that_hears_signals() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=HUP,INT").arg(env!("CARGO_BIN_EXE_talon"));
    command.env_remove("TALON_LOG").stdin(Stdio::null());
    command
}

/// Where nobody listens.
pub fn unused_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The value of the sample of `/metrics` with this name and these labels, as `a="b",c="d"`.
pub fn metric(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

/// The program as a process of its own. Killed when dropped.
pub struct Talon {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    address: Option<String>,
    _file: Option<tempfile::NamedTempFile>,
}

impl Talon {
    /// `talon run` with a configuration.
    pub fn run(texts: &BTreeMap<String, String>) -> Talon {
        Talon::run_logging(texts, "info")
    }

    /// `talon run` that logs this much.
    pub fn run_logging(texts: &BTreeMap<String, String>, log: &str) -> Talon {
        let file = write(texts);
        let mut command = program();
        command.args(["run", "--config"]).arg(file.path()).env("TALON_LOG", log);
        let mut talon = Talon::spawn(command);
        talon._file = Some(file);
        talon
    }

    /// The program as it is told.
    pub fn spawn(mut command: Command) -> Talon {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        follow(child.stderr.take().unwrap(), log.clone());
        follow(child.stdout.take().unwrap(), log.clone());
        Talon { child, log, address: None, _file: None }
    }

    /// Everything it has logged and printed.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// The most memory that it has had resident, in bytes.
    pub fn largest_resident(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it has resident, in bytes.
    pub fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    fn memory(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1_024
    }

    /// How many lines have all these parts.
    pub fn lines(&self, parts: &[&str]) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
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
        let mut request = reqwest::Client::new().get(format!("{}{path}", self.url().await));
        if path == "/" {
            // What a browser says; clients of Kafka Connect are answered something else.
            request = request.header("accept", "text/html");
        }
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    /// Code and body of a request to its REST.
    pub async fn rest(&mut self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        rustls::crypto::ring::default_provider().install_default().ok();
        let url = format!("{}{path}", self.url().await);
        let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let reply = request.send().await.unwrap();
        let (code, text) = (reply.status().as_u16(), reply.text().await.unwrap());
        (code, serde_json::from_str(&text).unwrap_or(Value::Null))
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

    /// The sentence of a component.
    pub async fn message(&mut self, component: &str) -> String {
        let (_, health) = self.health().await;
        health["components"][component]["message"].as_str().unwrap_or("none").to_owned()
    }

    /// Waits until a component is in a state.
    pub async fn becomes(&mut self, component: &str, state: &str) {
        let since = Instant::now();
        loop {
            let (_, health) = self.health().await;
            if health["components"][component]["state"] == state {
                return;
            }
            let log = self.log();
            assert!(since.elapsed() < PATIENCE, "{component} not {state}: {health:#}\n{log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A sample of `/metrics`, 0 where there is none.
    pub async fn metric(&mut self, sample: &str) -> f64 {
        metric(&self.get("/metrics").await.1, sample).unwrap_or(0.0)
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

fn follow(pipe: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) {
    let lines = BufReader::new(pipe).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            log.lock().unwrap().push(line);
        }
    });
}

/// Lines of the log of a process that are shown where a test fails.
const SHOWN: usize = 60;

impl Drop for Talon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a test that failed would be asked for first.
            let log = self.log();
            let last: Vec<&str> = log.lines().rev().take(SHOWN).collect();
            eprintln!("the last lines of process {}:", self.child.id());
            last.into_iter().rev().for_each(|line| eprintln!("  {line}"));
        }
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
