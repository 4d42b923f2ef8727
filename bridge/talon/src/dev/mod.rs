//! `talon dev`: the whole product on one machine, with nothing installed.

mod script;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use talon_kafka::{InProcess, Kafka};
use talon_runtime::bus::Stop;
use talon_runtime::{lane_spec, shard_spec};
use talon_sdk::Clock;
use talon_sdk::config::Secrets;
use tokio::time::timeout;

use self::upstream::{Life, Simulated, Upstream};
use crate::config::{Loaded, load};
use crate::end::End;
use crate::events::Events;
use crate::print::{self, out};
use crate::run::serve;
use crate::server::Recent;
use crate::signals::asked_to_stop;

/// How long the last event may take to be shown.
const SHOWN: Duration = Duration::from_secs(1);

/// What `talon dev` can be told.
#[derive(Args)]
pub(crate) struct Dev {
    /// Only these upstreams, separated by commas, instead of all
    #[arg(long, value_name = "UPSTREAMS", value_enum, value_delimiter = ',')]
    only: Vec<Upstream>,
    /// Prints the addresses alone, one a line, and no events
    #[arg(long)]
    quiet: bool,
    /// Sends no commands by itself
    #[arg(long)]
    no_commands: bool,
    /// A running broker instead of the one inside the process: kafka://HOST:PORT or nats://HOST:PORT
    #[arg(long, value_name = "URL")]
    bus: Option<String>,
    /// A schema registry; without it events are in Avro single-object encoding
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Where the console is served; another port where this one is taken
    #[arg(long, default_value = "127.0.0.1:8083")]
    listen: SocketAddr,
    /// Calls that the simulated ContractorPersonalArea begins with
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// How lively the upstreams are
    #[arg(long, default_value_t = 2.0)]
    edits_per_second: f64,
    /// The same seed lives the same life
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Dev {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        let upstreams = self.upstreams().await?;
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
        let texts = self.configuration(bus.clone(), &upstreams, listen);
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
        self.tell(&upstreams, &loaded, in_process.is_some(), listen, &file);

        let recent = Recent::default();
        let events_stop = Stop::default();
        let events =
            Events::new(&loaded.connectors, &loaded.root.prefix, recent.clone(), !self.quiet);
        let (bus, stop) = (loaded.bus.clone(), events_stop.clone());
        let shown = tokio::task::spawn_blocking(move || events.run(bus.as_ref(), &stop));
        let asked = asked_to_stop()?;
        let (setups, prefix) = (loaded.connectors.clone(), loaded.root.prefix.clone());
        let bus = loaded.bus.clone();
        let stop = async {
            let commands = async {
                if self.no_commands {
                    std::future::pending::<()>().await;
                }
                script::play(&upstreams, &setups, &prefix, &bus).await;
            };
            tokio::select! {
                () = asked => {}
                // It is there to be looked at.
                () = print::unread() => {}
                () = commands => {}
            }
        };
        let ended = serve(loaded, "dev", recent, stop).await;
        events_stop.set();
        // A line may be on its way to a reader that stands still.
        timeout(SHOWN, shown).await.ok();
        for (_, upstream) in upstreams {
            upstream.stop().await;
        }
        ended
    }

    /// Starts what is wanted.
    async fn upstreams(&self) -> anyhow::Result<Vec<(Upstream, Simulated)>> {
        let mut wanted = self.only.clone();
        if wanted.is_empty() {
            wanted = Upstream::value_variants().to_vec();
        }
        wanted.sort_unstable();
        wanted.dedup();
        let life =
            Life { seed: self.seed, calls: self.calls, edits_per_second: self.edits_per_second };
        let mut started = Vec::with_capacity(wanted.len());
        for upstream in wanted {
            started.push((upstream, upstream.start(life).await?));
        }
        Ok(started)
    }

    /// Says what runs and where to look.
    fn tell(
        &self,
        upstreams: &[(Upstream, Simulated)],
        loaded: &Loaded,
        is_in_process: bool,
        listen: SocketAddr,
        file: &ConfigFile,
    ) {
        let bus = loaded.bus.describe();
        if self.quiet {
            out!("page http://{listen}/");
            out!("bus {bus}");
            for (_, upstream) in upstreams {
                out!("{} {}", upstream.name, upstream.url);
            }
            return;
        }
        out!("Upstreams, simulated (told to misbehave at /_sim), and their connectors:");
        for (_, Simulated { name, title, url, .. }) in upstreams {
            out!("  {name:13}  {url:32}  {title}");
        }
        let inside = if is_in_process { "in this process; " } else { "" };
        out!("\n  bus        {bus}  ({inside}any client can connect)");
        out!("  page       http://{listen}/");
        if let Some(example) = upstreams.iter().find_map(|(_, upstream)| upstream.example()) {
            out!("  a command  talon send --config {} {example}", file.0.display());
        }
        if !self.no_commands {
            out!("A command is sent every few seconds; a line with `!` is what became of one.");
        }
        out!("Ctrl-C ends it.\n");
    }

    /// The configuration of the run: the same keys as in a file.
    fn configuration(
        &self,
        bus: (&'static str, String),
        upstreams: &[(Upstream, Simulated)],
        listen: SocketAddr,
    ) -> BTreeMap<String, String> {
        let mut texts = Upstream::configuration(upstreams);
        texts.insert(bus.0.to_owned(), bus.1);
        texts.insert("http.listen".to_owned(), listen.to_string());
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
