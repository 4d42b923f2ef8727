//! `talon offsets`: how far feeds have read, shown and changed by hand.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::json;
use talon_runtime::offsets::{Offsets as Known, OffsetsError};
use talon_runtime::{Setup, shard_spec};
use talon_sdk::config::Secrets;
use talon_sdk::{Cursor, Kind};

use crate::end::End;
use crate::print::{err, out};
use crate::run::{complain, read};

/// What `talon offsets` is told.
#[derive(Args)]
pub(crate) struct Offsets {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Prints the offsets of a connector as JSON, in the form of Kafka Connect's REST API
    List(Of),
    /// Sets the offset of a feed of a connector that does not run. What is read again and known publishes nothing
    Set {
        #[command(flatten)]
        of: OfFeed,
        /// As `list` prints it
        offset: String,
    },
    /// Resets the offset of a feed of a connector that does not run; it then reads from the beginning
    Reset {
        #[command(flatten)]
        of: OfFeed,
    },
}

#[derive(Args)]
struct Of {
    /// The YAML file of the configuration that runs the connector
    #[arg(long)]
    config: PathBuf,
    /// Name of the connector instance
    name: String,
}

#[derive(Args)]
struct OfFeed {
    #[command(flatten)]
    of: Of,
    /// Name of the feed
    feed: String,
    /// Also where the feed is a log: what its topic has let go of is published again
    #[arg(long)]
    force: bool,
}

impl Offsets {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        let (of, change) = match self.verb {
            Verb::List(of) => (of, None),
            Verb::Set { of, offset } => (of.of, Some((of.feed, Some(Cursor(offset)), of.force))),
            Verb::Reset { of } => (of.of, Some((of.feed, None, of.force))),
        };
        let loaded = match read(&of.config, &Secrets::of_process())? {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(complain(&of.config, &problems)),
        };
        let Some(setup) = loaded.connectors.iter().find(|setup| setup.name == of.name) else {
            let known: Vec<&str> = loaded.connectors.iter().map(|s| s.name.as_str()).collect();
            err!("talon: no connector `{}`; there are: {}", of.name, known.join(", "));
            return Ok(End::Misconfigured);
        };
        if let Some((feed, offset, force)) = &change
            && let Some(problem) = problem(setup, feed, offset.as_ref(), *force)
        {
            err!("talon: {problem}");
            return Ok(End::Misconfigured);
        }
        let (bus, shard) = (loaded.bus.clone(), shard_spec(&loaded.root.prefix, setup));
        let changed = tokio::task::spawn_blocking(move || {
            let Some((feed, offset, _)) = change else {
                return Ok(show(&Known::read(bus.as_ref(), &shard)?));
            };
            let mut offsets = Known::take_over(bus.as_ref(), &shard)?;
            offsets.set(&feed, offset, Timestamp::now().as_millisecond())?;
            Ok(show(&offsets))
        });
        match changed.await? {
            Ok(shown) => out!("{shown:#}"),
            Err(error @ OffsetsError::Owned { .. }) => {
                err!("talon: {error}");
                return Ok(End::Failed);
            }
            Err(OffsetsError::Bus(fault)) => return Err(fault.into()),
        }
        Ok(End::Done)
    }
}

fn show(offsets: &Known) -> serde_json::Value {
    let all = offsets.all().into_iter();
    let offsets = all.map(|(feed, offset)| {
        let offset = offset.map(|cursor| json!({ "cursor": cursor }));
        json!({ "partition": { "feed": feed }, "offset": offset })
    });
    json!({ "offsets": offsets.collect::<Vec<_>>() })
}

/// Why a feed's offset cannot be set to this.
fn problem(setup: &Setup, feed: &str, offset: Option<&Cursor>, force: bool) -> Option<String> {
    let plans = setup.connector.feeds();
    let Some(plan) = plans.iter().find(|plan| *plan.spec.name == *feed) else {
        let known: Vec<&str> = plans.iter().map(|plan| &*plan.spec.name).collect();
        return Some(format!(
            "`{}` reads no feed `{feed}`; it reads: {}",
            setup.name,
            known.join(", ")
        ));
    };
    if plan.spec.kind == Kind::Log && !force {
        return Some(format!(
            "`{feed}` is a log: facts that its topic has let go of would be published again; \
             say `--force` if that is meant"
        ));
    }
    let problem = setup.connector.offset_problem(feed, offset?)?;
    Some(format!("`{feed}` cannot go on from there: {problem}"))
}
