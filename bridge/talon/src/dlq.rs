//! `talon dlq`: dead letters on the command line.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use talon_runtime::bus::TopicSpec;
use talon_runtime::engine::Action;
use talon_runtime::{Places, Verdict};
use talon_sdk::config::Secrets;
use tokio::runtime::Handle;

use crate::dead_letters::{Choice, DeadLetters, Letter, Report, Trouble};
use crate::end::End;
use crate::print::{err, out};
use crate::run::{complain, read};

/// What `talon dlq` is told.
#[derive(Args)]
pub(crate) struct Dlq {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// The dead letters of a connector that wait, and how many there are for each reason
    List {
        #[command(flatten)]
        of: Of,
        /// Also those that are settled
        #[arg(long)]
        all: bool,
    },
    /// Each with its headers and bytes, and what to do
    Show {
        #[command(flatten)]
        of: Of,
        /// Also those that are settled
        #[arg(long)]
        all: bool,
        /// Prints texts and numbers of the bytes as they are: they may be personal data
        #[arg(long)]
        reveal: bool,
    },
    /// Takes them through the pipeline again: a row is decoded anew and compared with what was published, a
    /// command goes back to the commands. The connector must run
    Redrive {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        change: Change,
        /// Also those that were redriven too often already
        #[arg(long)]
        once_more: bool,
    },
    /// Gives them up; they stay on the topic, and are not listed any more. The connector must run
    Discard {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        change: Change,
    },
}

#[derive(Args)]
struct Of {
    /// The YAML file of the configuration that runs the connector
    #[arg(long)]
    config: PathBuf,
    /// Name of the connector instance
    name: String,
    /// Where they stand, as `list` says: 3-7,9
    #[arg(value_parser = places)]
    places: Option<Places>,
    /// Those whose reason has this text in it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Those of this feed
    #[arg(long)]
    feed: Option<String>,
    /// Those that failed there: decode, publish, command
    #[arg(long)]
    stage: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Change {
    /// All that wait, where nothing else chooses them
    #[arg(long)]
    every: bool,
    /// Says what would become of each, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    /// How long to wait for whoever runs the connector
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

fn places(text: &str) -> Result<Places, String> {
    text.parse().map_err(|()| "expected places such as `3-7,9`".to_owned())
}

impl Dlq {
    pub(crate) async fn run(self) -> anyhow::Result<End> {
        match self.verb {
            Verb::List { of, all } => of.list(all).await,
            Verb::Show { of, all, reveal } => of.show(all, reveal).await,
            Verb::Redrive { of, change, once_more } => {
                of.settle(Action::Redrive { once_more }, &change).await
            }
            Verb::Discard { of, change } => of.settle(Action::Discard, &change).await,
        }
    }
}

impl Of {
    /// The dead letters on the bus of the configuration; else how it ends.
    fn open(&self) -> anyhow::Result<Result<DeadLetters, End>> {
        let loaded = match read(&self.config, &Secrets::of_process())? {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(Err(complain(&self.config, &problems))),
        };
        if loaded.relays.iter().any(|relay| relay.name == self.name) {
            err!(
                "talon: `{}` is a relay: its dead letters stand on its target and carry the records whole; read them there with the tools of that bus (docs/relay.md)",
                self.name
            );
            return Ok(Err(End::Misconfigured));
        }
        let replication = loaded.connectors.iter().map(|s| s.options.replication).max();
        let (prefix, replication) = (loaded.root.prefix, replication.unwrap_or(0));
        let store = |spec: TopicSpec| loaded.bus.store(&spec);
        Ok(Ok(DeadLetters {
            configs: store(TopicSpec::configs(&prefix, replication)),
            states: store(TopicSpec::status(&prefix, replication)),
            bus: loaded.bus.clone(),
            prefix,
            runtime: Handle::current(),
        }))
    }

    fn choice(&self, all: bool) -> Choice {
        Choice {
            places: self.places.clone(),
            feed: self.feed.clone(),
            reason: self.reason.clone(),
            stage: self.stage.clone(),
            all,
        }
    }

    async fn list(&self, all: bool) -> anyhow::Result<End> {
        let letters = match self.open()? {
            Ok(letters) => letters,
            Err(end) => return Ok(end),
        };
        let found = match letters.list(&self.name, self.choice(all)).await {
            Ok(found) => found,
            Err(trouble) => return Ok(failed(&trouble)),
        };
        if self.json {
            let all: Vec<Value> = found.iter().map(Letter::to_value).collect();
            out!("{:#}", json!({ "dead_letters": all }));
            return Ok(End::Done);
        }
        for Letter { letter, settled } in &found {
            let of = if letter.feed().is_empty() { letter.stage() } else { letter.feed() };
            let settled = settled.map(|verdict| format!(" [{}]", verdict.word()));
            let failed = crate::dead_letters::time(letter.first_failed_ms());
            let settled = settled.unwrap_or_default();
            out!("{:>8}  {failed}  {of}  {}  {}{settled}", letter.at, letter.key, letter.reason());
        }
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for one in &found {
            *reasons.entry(one.letter.reason()).or_default() += 1;
        }
        err!("{} dead letters of `{}`", found.len(), self.name);
        for (reason, count) in reasons {
            err!("{count:>8}  {reason}");
        }
        Ok(End::Done)
    }

    async fn show(&self, all: bool, reveal: bool) -> anyhow::Result<End> {
        let letters = match self.open()? {
            Ok(letters) => letters,
            Err(end) => return Ok(end),
        };
        // Who names one wants to see it, settled or not.
        let choice = self.choice(all || self.places.is_some());
        let found = match letters.list(&self.name, choice).await {
            Ok(found) => found,
            Err(trouble) => return Ok(failed(&trouble)),
        };
        if self.json {
            let all: Vec<Value> = found.iter().map(|one| one.to_whole_value(reveal)).collect();
            out!("{:#}", json!({ "dead_letters": all }));
            return Ok(End::Done);
        }
        for one in &found {
            let Letter { letter, .. } = one;
            out!("dead letter {} of `{}`, key `{}`", letter.at, self.name, letter.key);
            out!("  reason      {}", letter.reason());
            out!("  failed      {}", crate::dead_letters::time(letter.first_failed_ms()));
            out!("  what to do  {}", one.what_to_do());
            for (name, value) in &letter.headers {
                out!("  {name}: {value}");
            }
            out!("  {}", one.bytes(reveal));
        }
        if found.is_empty() {
            err!("no such dead letters of `{}`", self.name);
        }
        Ok(End::Done)
    }

    async fn settle(&self, action: Action, change: &Change) -> anyhow::Result<End> {
        let chosen = [&self.reason, &self.feed, &self.stage].iter().any(|one| one.is_some());
        if !chosen && self.places.is_none() && !change.every {
            err!(
                "talon: which? Give places as `talon dlq list` says, `--reason`, `--feed`, `--stage`, or `--every`"
            );
            return Ok(End::Misconfigured);
        }
        let letters = match self.open()? {
            Ok(letters) => letters,
            Err(end) => return Ok(end),
        };
        let mut choice = self.choice(false);
        if !change.dry_run && !change.yes {
            let found = match letters.list(&self.name, choice.clone()).await {
                Ok(found) => found,
                Err(trouble) => return Ok(failed(&trouble)),
            };
            if !self.confirmed(action, found.len()) {
                return Ok(End::Misconfigured);
            }
            // Those that were counted, and none that came since.
            choice.places.get_or_insert(found.iter().map(|one| one.letter.at).collect());
        }
        let patience = Duration::from_secs(change.timeout);
        let settled = letters.settle(&self.name, choice, action, change.dry_run, patience).await;
        let report = match settled {
            Ok(report) => report,
            Err(trouble) => return Ok(failed(&trouble)),
        };
        self.tell(&report, change.dry_run);
        let stay = [Verdict::Refused, Verdict::Again, Verdict::Gone];
        let is_done = stay.iter().all(|verdict| report.count(*verdict) == 0);
        Ok(if is_done && report.trouble.is_none() { End::Done } else { End::Failed })
    }

    /// Asks whoever sits at the terminal.
    fn confirmed(&self, action: Action, count: usize) -> bool {
        let verb = match action {
            Action::Redrive { .. } => "redrive",
            Action::Discard => "discard",
        };
        if !stdin().is_terminal() {
            err!("talon: nobody can be asked here; say `--yes`, or `--dry-run` first");
            return false;
        }
        err!("{verb} {count} dead letters of `{}`? [y/N]", self.name);
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer).ok();
        matches!(answer.trim(), "y" | "Y" | "yes")
    }

    fn tell(&self, report: &Report, dry_run: bool) {
        if self.json {
            let mut value = report.to_value();
            value["dry_run"] = json!(dry_run);
            out!("{value:#}");
            return;
        }
        for ruling in &report.rulings {
            out!("{:>8}  {:9}  {}", ruling.at, ruling.verdict.word(), ruling.note);
        }
        let would = if dry_run { " (nothing was changed)" } else { "" };
        let counts: Vec<String> = report
            .counts
            .iter()
            .map(|(verdict, count)| format!("{count} {}", verdict.word()))
            .collect();
        match counts.is_empty() {
            true => err!("no such dead letters of `{}`", self.name),
            false => err!("{}{would}", counts.join(", ")),
        }
        if let Some(trouble) = &report.trouble {
            err!("talon: it ended early: {trouble}");
        }
    }
}

fn failed(trouble: &Trouble) -> End {
    err!("talon: {trouble}");
    match trouble {
        Trouble::NoTopic(_) => End::Misconfigured,
        Trouble::NotCarriedOut(_) | Trouble::Bus(_) => End::Failed,
    }
}
