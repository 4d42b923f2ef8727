//! `talon run`: production.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use talon_runtime::registry::Registry;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;
use talon_sdk::config::{Problem, Secrets};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::config::{Loaded, flatten, load};
use crate::end::End;
use crate::instances::{self, Instances};
use crate::print::err;
use crate::server::access::Access;
use crate::server::{self, About, Recent};
use crate::signals::asked_to_stop;
use crate::{clock, descriptors, log};

/// What of the time for a stop is kept for connections to the page, at most.
const FAREWELL: Duration = Duration::from_secs(1);

/// Reads, checks and runs a configuration until it is asked to stop.
pub(crate) async fn run(file: &Path) -> anyhow::Result<End> {
    // First, because the first process of a container has no other handlers.
    let mut stop = pin!(asked_to_stop()?);
    let of_thread = file.to_owned();
    let read = spawn_blocking(move || read(&of_thread, &Secrets::of_process()));
    let loaded = tokio::select! {
        loaded = read => loaded??,
        // A file can be a pipe that nobody writes to.
        () = &mut stop => return Ok(End::Done),
    };
    match loaded {
        Ok(loaded) => serve(loaded, "run", Recent::default(), stop).await,
        Err(problems) => Ok(complain(file, &problems)),
    }
}

/// Reads a configuration; `Ok(Err(…))` lists its problems.
pub(crate) fn read(file: &Path, secrets: &Secrets) -> anyhow::Result<Result<Loaded, Vec<Problem>>> {
    let bytes = std::fs::read(file)
        .with_context(|| format!("the configuration `{}` cannot be read", file.display()))?;
    let yaml = match String::from_utf8(bytes) {
        Ok(yaml) => yaml,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let message = format!("is no UTF-8 text: byte {at}; save it as UTF-8");
            return Ok(Err(vec![Problem { key: "(file)".to_owned(), message }]));
        }
    };
    Ok(flatten(&yaml).and_then(|texts| load(texts, secrets, Clock::System)))
}

/// Says what is wrong with a configuration.
pub(crate) fn complain(file: &Path, problems: &[Problem]) -> End {
    let count = match problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    err!("{} has {count}:", file.display());
    for problem in problems {
        err!("  {problem}");
    }
    End::Misconfigured
}

/// The registry of a configuration, if it has one.
pub(crate) fn registry(loaded: &Loaded) -> anyhow::Result<Option<Registry>> {
    Ok(loaded.root.registry.clone().map(Registry::new).transpose()?)
}

/// Runs a configuration until `stop`.
pub(crate) async fn serve(
    loaded: Loaded,
    mode: &'static str,
    recent: Recent,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<End> {
    let listener = server::bind(loaded.root.listen).await?;
    let registry = registry(&loaded)?;
    let about = About {
        bus: loaded.bus.describe(),
        registry: loaded.root.registry.as_ref().map(|options| options.urls.join(", ")),
        prefix: loaded.root.prefix.clone(),
        mode,
        recent,
    };
    if let (Some(file), Clock::Shifted(by_ms)) = (loaded.root.clock_file, &loaded.clock) {
        tracing::warn!(file = %file.display(), "the clock is shifted, which is for tests alone");
        clock::follow(file, by_ms.clone());
    }
    let timeout = loaded.root.shutdown_timeout;
    let (prefix, bus, clock) =
        (loaded.root.prefix.clone(), loaded.bus.clone(), loaded.clock.clone());
    let (metrics, directories) = (loaded.metrics.clone(), loaded.root.directories.clone());
    let mut texts = loaded.texts;
    let file = loaded.connectors.iter().map(|setup| {
        (setup.name.clone(), (setup.clone(), texts.remove(&setup.name).unwrap_or_default()))
    });
    let file = file.collect();
    let replication = loaded.connectors.iter().map(|s| s.options.replication).max().unwrap_or(0);
    let worker = worker(listener.local_addr()?);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listener.local_addr()?,
        connectors = loaded.connectors.len(),
        bus = about.bus,
        "started"
    );
    descriptors::see(loaded.connectors.len());
    let parts = Parts {
        prefix: loaded.root.prefix,
        bus: loaded.bus,
        registry,
        connectors: loaded.connectors,
        clock: loaded.clock,
        metrics: loaded.metrics,
    };
    let engine = Engine::start_with(parts, loaded.relays);
    let instances = Instances::start(instances::Parts {
        prefix,
        worker,
        bus,
        replication,
        file,
        relays: engine.relays(),
        directories,
        secrets: Secrets::of_process(),
        clock,
        metrics,
        connectors: engine.connectors(),
        view: engine.view(),
    });
    let access = Access::new(loaded.root.access);
    tracing::info!("{}", access.summary());
    let logging = tokio::spawn(log::watch(engine.view()));
    let (stop_server, server_stopped) = watch::channel(());
    let stopped = async move {
        let mut stopped = server_stopped;
        // Ends with an error when the sender is dropped, which is what is waited for.
        stopped.changed().await.ok();
    };
    let parts = (engine.view(), about, instances.clone());
    let serving = tokio::spawn(server::serve(listener, access, parts, stopped));
    stop.await;
    tracing::info!("stopping: what was read is committed first");
    // Scrapes and probes are answered while it drains. What is under way then may end within the rest.
    let end = Instant::now() + timeout;
    let drained = engine.stop(timeout - FAREWELL.min(timeout / 4)).await;
    instances.leave(FAREWELL / 2).await;
    drop(stop_server);
    logging.abort();
    match timeout_at(end, serving).await {
        Ok(served) => served??,
        Err(_) => tracing::debug!("a connection to the page was cut"),
    }
    if drained {
        tracing::info!("stopped");
        Ok(End::Done)
    } else {
        tracing::error!(
            "not all that was read could be committed within `shutdown.timeout.ms`; it will be read again"
        );
        Ok(End::Failed)
    }
}

/// What this process is called in states of connectors: its host, and the port of its REST.
fn worker(listen: SocketAddr) -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = told.or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    match host {
        Some(host) => format!("{host}:{}", listen.port()),
        None => listen.to_string(),
    }
}
