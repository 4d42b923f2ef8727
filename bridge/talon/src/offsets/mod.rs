//! `talon offsets`: how far feeds have read, shown and changed by hand.

pub(crate) mod change;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use talon_runtime::offsets::{Offsets as Known, OffsetsError};
use talon_runtime::shard_spec;
use talon_sdk::Cursor;
use talon_sdk::config::Secrets;

use self::change::{Asked, problem, show};
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
        let change = change.map(|(feed, offset, force)| (Asked { feed, offset }, force));
        let loaded = match read(&of.config, &Secrets::of_process())? {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(complain(&of.config, &problems)),
        };
        let Some(setup) = loaded.connectors.iter().find(|setup| setup.name == of.name) else {
            let known: Vec<&str> = loaded.connectors.iter().map(|s| s.name.as_str()).collect();
            err!("talon: no connector `{}`; there are: {}", of.name, known.join(", "));
            return Ok(End::Misconfigured);
        };
        if let Some((asked, is_forced)) = &change
            && let Some(problem) = problem(setup, asked, (!is_forced).then_some("`--force`"))
        {
            err!("talon: {problem}");
            return Ok(End::Misconfigured);
        }
        let (bus, shard) = (loaded.bus.clone(), shard_spec(&loaded.root.prefix, setup));
        let changed = tokio::task::spawn_blocking(move || {
            let Some((Asked { feed, offset }, _)) = change else {
                return Ok(show(&Known::read(bus.as_ref(), &shard)?));
            };
            let mut offsets = Known::take_over(bus.as_ref(), &shard)?;
            offsets.set(vec![(feed, offset)], Timestamp::now().as_millisecond())?;
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
