//! The program as a service, whose standard error and whose start a test chooses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;
use talon_brokers::unique;
use talon_simulators::contractor::Simulator;

use crate::support::{self, configuration, metric, until, unused_address, upstream};

/// `talon run` with one connector. Killed when dropped.
pub(crate) struct Service {
    pub(crate) child: Child,
    pub(crate) upstream: Simulator,
    listen: String,
    _file: tempfile::NamedTempFile,
}

/// The arguments of `talon run`.
pub(crate) fn arguments(config: &Path) -> [String; 3] {
    ["run".to_owned(), "--config".to_owned(), config.display().to_string()]
}

/// A configuration of one connector, and where its page is.
pub(crate) fn texts(bus: &str, upstream: &str) -> (BTreeMap<String, String>, String) {
    let mut texts = configuration(&unique("place"), bus, upstream);
    let listen = unused_address();
    texts.insert("http.listen".to_owned(), listen.clone());
    (texts, listen)
}

impl Service {
    /// Started as `command` does with the path of its configuration, with this standard error.
    pub(crate) async fn start(
        bus: &str,
        error: impl Into<Stdio>,
        command: impl FnOnce(&Path) -> Command,
    ) -> Service {
        let upstream = upstream(50, 7).await;
        let (texts, listen) = texts(bus, &upstream.url());
        let file = support::write(&texts);
        let mut command = command(file.path());
        command.env_remove("TALON_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(error);
        Service { child: command.spawn().unwrap(), upstream, listen, _file: file }
    }

    /// Started plainly.
    pub(crate) async fn plain(bus: &str, error: impl Into<Stdio>) -> Service {
        Service::start(bus, error, |config| {
            let mut command = support::program();
            command.args(arguments(config));
            command
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        // The HTTP library is built without a crypto provider of its own choice.
        rustls::crypto::ring::default_provider().install_default().ok();
        let url = format!("http://{}{path}", self.listen);
        reqwest::get(url).await.ok()?.text().await.ok()
    }

    /// A component of `/health/ready`.
    pub(crate) async fn component(&self, name: &str) -> Value {
        let health = self.get("/health/ready").await.unwrap_or_default();
        let mut health: Value = serde_json::from_str(&health).unwrap_or_default();
        health["components"][name].take()
    }

    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let text = self.get("/metrics").await.unwrap_or_default();
        metric(&text, sample).unwrap_or(0.0)
    }

    /// It publishes what changes.
    pub(crate) async fn works(&mut self) {
        self.follows().await;
        self.upstream.edit(20);
        self.follows().await;
    }

    /// What it has published is what there is.
    async fn follows(&mut self) {
        let mut before = -1.0;
        let sample = r#"talon_observations_total{connector="field",feed="call",result="ok"}"#;
        until("the feed is read again and again", async || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}");
            let now = self.metric(sample).await;
            if before < 0.0 && now > 0.0 {
                before = now;
            }
            before > 0.0 && now > before + 2.0
        })
        .await;
        let entities = r#"talon_feed_entities{connector="field",feed="call"}"#;
        assert!(self.metric(entities).await >= 50.0);
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    pub(crate) async fn ends(&mut self) -> ExitStatus {
        until("it ends", async || self.child.try_wait().unwrap().is_some()).await;
        self.child.wait().unwrap()
    }

    /// It drains when it is asked to stop.
    pub(crate) async fn stops(&mut self) {
        self.signal("TERM");
        assert_eq!(self.ends().await.code(), Some(0));
    }
}

/// Sends a signal by its name.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.unwrap().success());
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
