//! `talon run`: production.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use talon_runtime::registry::Registry;
use talon_runtime::{Engine, Parts};
use talon_sdk::Clock;
use talon_sdk::config::{Problem, Secrets};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::clock;
use crate::config::{Loaded, flatten, load};
use crate::end::End;
use crate::print::err;
use crate::server::{self, About, Recent};

/// What of the time for a stop is kept for connections to the page, at most.
const FAREWELL: Duration = Duration::from_secs(1);

/// Reads, checks and runs a configuration until SIGTERM or SIGINT.
pub(crate) async fn run(file: &Path) -> anyhow::Result<End> {
    let loaded = match read(file, &Secrets::of_process())? {
        Ok(loaded) => loaded,
        Err(problems) => return Ok(complain(file, &problems)),
    };
    serve(loaded, "run", Recent::default(), asked_to_stop()?).await
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
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listener.local_addr()?,
        connectors = loaded.connectors.len(),
        bus = about.bus,
        "started"
    );
    let engine = Engine::start(Parts {
        prefix: loaded.root.prefix,
        bus: loaded.bus,
        registry,
        connectors: loaded.connectors,
        clock: loaded.clock,
        metrics: loaded.metrics,
    });
    let (stop_server, server_stopped) = watch::channel(());
    let stopped = async move {
        let mut stopped = server_stopped;
        // Ends with an error when the sender is dropped, which is what is waited for.
        stopped.changed().await.ok();
    };
    let serving = tokio::spawn(server::serve(listener, engine.view(), about, stopped));
    stop.await;
    tracing::info!("stopping: what was read is committed first");
    // Scrapes and probes are answered while it drains. What is under way then may end within the rest.
    let end = Instant::now() + timeout;
    let drained = engine.stop(timeout - FAREWELL.min(timeout / 4)).await;
    drop(stop_server);
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

/// Resolves at SIGTERM or SIGINT. A second one ends the process at once.
pub(crate) fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(1);
        });
    })
}
