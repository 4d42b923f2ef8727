//! `talon dev`: the whole product on one machine, with nothing installed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use talon_kafka::{InProcess, Kafka};
use talon_runtime::bus::Stop;
use talon_runtime::{lane_spec, shard_spec};
use talon_sdk::Clock;
use talon_sdk::config::Secrets;
use talon_simulators::contractor::{Kind, Settings, Simulator};
use tokio::time::timeout;

use crate::config::load;
use crate::end::End;
use crate::events::Events;
use crate::print::{self, out};
use crate::run::serve;
use crate::server::Recent;
use crate::signals::asked_to_stop;

const TOKEN: &str = "dev-token";

/// How long the last event may take to be shown.
const SHOWN: Duration = Duration::from_secs(1);

/// What `talon dev` can be told.
#[derive(Args)]
pub(crate) struct Dev {
    /// A running broker instead of the one inside the process: kafka://HOST:PORT or nats://HOST:PORT
    #[arg(long, value_name = "URL")]
    bus: Option<String>,
    /// A schema registry; without it events are in Avro single-object encoding
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Where the console is served
    #[arg(long, default_value = "127.0.0.1:8083")]
    listen: SocketAddr,
    /// Calls that the simulated upstream begins with
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// How lively it is
    #[arg(long, default_value_t = 2.0)]
    edits_per_second: f64,
    /// The same seed lives the same life
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Dev {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        let simulator = Simulator::start(Settings {
            seed: self.seed,
            calls: self.calls,
            edits_per_second: self.edits_per_second,
            external_token: TOKEN.to_owned(),
            ..Settings::default()
        })
        .await?;
        let in_process = match &self.bus {
            Some(_) => None,
            None => Some(InProcess::start().map_err(anyhow::Error::msg)?),
        };
        let bus = match (&self.bus, &in_process) {
            (Some(url), _) => setting_of(url)?,
            (None, broker) => {
                let servers = broker.as_ref().map(InProcess::bootstrap_servers).unwrap_or_default();
                ("bus.kafka.bootstrap.servers", servers)
            }
        };
        let listen = free(self.listen).await;
        let texts = self.configuration(bus.clone(), &simulator.url(), listen);
        let file = ConfigFile::write(&texts)?;
        let mut loaded =
            load(texts, &Secrets::of_process(), Clock::System).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow::anyhow!("{}", problems.join("; "))
            })?;
        if let Some(broker) = &in_process {
            for setup in &loaded.connectors {
                let spec = shard_spec(&loaded.root.prefix, setup);
                broker.create_topics(&spec).map_err(anyhow::Error::msg)?;
                let lane = lane_spec(&loaded.root.prefix, setup);
                broker.create_lane(&lane).map_err(anyhow::Error::msg)?;
            }
            let properties = [("bootstrap.servers".to_owned(), bus.1.clone())];
            loaded.bus = Arc::new(Kafka::alone(properties.into(), &loaded.root.prefix));
        }

        out!("ContractorPersonalArea, simulated, with {} calls:", self.calls);
        out!("  upstream   {}  (told to misbehave at /_sim)", simulator.url());
        let inside = if in_process.is_some() { "in this process; " } else { "" };
        out!("  bus        {}  ({inside}any client can connect)", loaded.bus.describe());
        out!("  console    http://{listen}/  (connectors, commands, entities; open it)");
        let open = |call: &String| !call.contains("\"status\":\"Closed\"");
        let calls = simulator.history().current(Kind::Calls);
        let call = calls.iter().find(|(_, call)| open(call)).map_or(1, |(id, _)| *id);
        out!(
            "  a command  talon send --config {} field-service SendDispatcherMessage call_id={call} message=hello written_at=2026-01-31T10:00:00Z --wait",
            file.0.display()
        );
        out!("Ctrl-C ends it.\n");

        let recent = Recent::default();
        let events_stop = Stop::default();
        let events = Events::new(&loaded.connectors, &loaded.root.prefix, recent.clone());
        let (bus, stop) = (loaded.bus.clone(), events_stop.clone());
        let shown = tokio::task::spawn_blocking(move || events.run(bus.as_ref(), &stop));
        let asked = asked_to_stop()?;
        let stop = async move {
            tokio::select! {
                () = asked => {}
                // It is there to be looked at.
                () = print::unread() => {}
            }
        };
        let ended = serve(loaded, "dev", recent, stop).await;
        events_stop.set();
        // A line may be on its way to a reader that stands still.
        timeout(SHOWN, shown).await.ok();
        simulator.stop().await;
        ended
    }

    /// The configuration of the run: the same keys as in a file.
    fn configuration(
        &self,
        bus: (&'static str, String),
        upstream: &str,
        listen: SocketAddr,
    ) -> BTreeMap<String, String> {
        let listen = listen.to_string();
        let mut texts: BTreeMap<String, String> = [
            (bus.0, bus.1.as_str()),
            ("http.listen", &listen),
            ("connectors.field-service.class", "contractor"),
            ("connectors.field-service.upstream.url", upstream),
            ("connectors.field-service.upstream.requests.per.second", "200"),
            ("connectors.field-service.auth.external.token", TOKEN),
            ("connectors.field-service.call.poll.interval.ms", "500"),
            ("connectors.field-service.call_message.poll.interval.ms", "500"),
            ("connectors.field-service.call_jeopardy.poll.interval.ms", "500"),
            ("connectors.field-service.call_task.poll.interval.ms", "1000"),
            ("connectors.field-service.call_cost.poll.interval.ms", "1000"),
            ("connectors.field-service.call_cost.cycle.interval.ms", "60000"),
        ]
        .into_iter()
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .collect();
        if let Some(registry) = &self.registry {
            texts.insert("schema.registry.url".to_owned(), registry.clone());
        }
        texts
    }
}

/// The configuration of the run as a file, for `talon send`. Removed at the end.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn write(texts: &BTreeMap<String, String>) -> anyhow::Result<ConfigFile> {
        let path = std::env::temp_dir().join(format!("talon-dev-{}.yaml", std::process::id()));
        let lines: Vec<String> = texts
            .iter()
            .map(|(key, text)| format!("{key}: {}\n", serde_json::json!(text)))
            .collect();
        std::fs::write(&path, lines.concat())
            .with_context(|| format!("`{}` cannot be written", path.display()))?;
        Ok(ConfigFile(path))
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        // It may have been removed already.
        std::fs::remove_file(&self.0).ok();
    }
}

/// The setting that a bus's URL stands for.
fn setting_of(url: &str) -> anyhow::Result<(&'static str, String)> {
    match url.split_once("://") {
        Some(("kafka", servers)) => Ok(("bus.kafka.bootstrap.servers", servers.to_owned())),
        Some(("nats" | "tls", _)) => Ok(("bus.nats.servers", url.to_owned())),
        _ => {
            anyhow::bail!("`--bus` is `{url}`, expected `kafka://host:port` or `nats://host:port`")
        }
    }
}

/// The wanted address, or the same with another port where that one is taken.
async fn free(wanted: SocketAddr) -> SocketAddr {
    // Taken and let go again: should somebody be quicker, the server says so.
    for candidate in [wanted, SocketAddr::new(wanted.ip(), 0)] {
        if let Ok(listener) = tokio::net::TcpListener::bind(candidate).await
            && let Ok(address) = listener.local_addr()
        {
            return address;
        }
    }
    wanted
}
