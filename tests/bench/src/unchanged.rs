//! A list that has not changed, against a scan of its bytes.

use std::convert::Infallible;
use std::hint::black_box;

use clap::Args;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use talon_contractor::contracts::CALL;
use talon_runtime::diff::{Change, Changes, Differ};
use talon_sdk::{Coverage, Observation, RowFault, Rows};

use crate::calls::{self, Lists, Size};
use crate::measure::{Duel, Lap, timed};
use crate::stage::{options, split};

/// `unchanged`
#[derive(Args)]
pub(crate) struct Unchanged {
    /// Calls in the list
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Seed of the calls
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sizes of calls; by default both
    #[arg(long, value_enum)]
    size: Vec<Size>,
    /// Only Talon's side, over and over: for a profiler
    #[arg(long)]
    only_talon: bool,
}

/// Counts what should not be there.
#[derive(Default)]
struct Count(usize);

impl Changes for Count {
    type Error = Infallible;

    fn change(&mut self, _change: &Change<'_>) -> Result<(), Infallible> {
        self.0 += 1;
        Ok(())
    }

    fn dead_letter(&mut self, _: &str, _: &[u8], _: &RowFault) -> Result<(), Infallible> {
        self.0 += 1;
        Ok(())
    }
}

impl Unchanged {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        for size in Size::ALL.into_iter().filter(|s| self.size.is_empty() || self.size.contains(s))
        {
            let lists = calls::lists(size, self.rows, self.seed).await?;
            println!("{}", lists.describe(size, self.seed));
            self.compare(size, &lists)?;
        }
        Ok(())
    }

    fn compare(&self, size: Size, lists: &Lists) -> anyhow::Result<()> {
        let codec = talon_contractor::plain_codec("call");
        let options = options(true);
        let mut differ = Differ::new("bench".to_owned(), &CALL, codec, options.guard, true);
        observe(&mut differ, lists, Coverage::Full)?;
        let mut whole = |coverage| {
            timed(|| {
                let published = observe(&mut differ, lists, coverage)?;
                anyhow::ensure!(published == 0, "{published} of {} rows published", lists.rows);
                Ok(())
            })
        };
        if self.only_talon {
            for _ in 0..self.rounds {
                whole(Coverage::Delta)?;
            }
            return Ok(());
        }
        let name = |what: &str| format!("unchanged {} {what}", size.name());
        let duel = |talon: &mut dyn FnMut() -> anyhow::Result<Lap>, limit: Limit| {
            Duel::fight(self.rounds, talon, || timed(|| limit(&lists.one)))
        };
        duel(&mut || whole(Coverage::Delta), ignore)?.print_times(&name("feed by marks / skip"));
        duel(&mut || whole(Coverage::Full), ignore)?.print_times(&name("whole list / skip"));
        duel(&mut || whole(Coverage::Full), raw)?.print_times(&name("whole list / raw rows"));
        let mut only_split =
            || timed(|| split(lists.one.clone()).map(|rows| drop(black_box(rows))));
        duel(&mut only_split, ignore)?.print_times(&name("split alone / skip"));
        Ok(())
    }
}

type Limit = fn(&[u8]) -> anyhow::Result<()>;

/// Steps over every row.
fn ignore(list: &[u8]) -> anyhow::Result<()> {
    black_box(serde_json::from_slice::<Vec<IgnoredAny>>(list)?);
    Ok(())
}

/// Finds every row.
fn raw(list: &[u8]) -> anyhow::Result<()> {
    black_box(serde_json::from_slice::<Vec<&RawValue>>(list)?);
    Ok(())
}

/// Shows a list to the differ, from its bytes on; gives what it published.
fn observe(differ: &mut Differ, lists: &Lists, coverage: Coverage) -> anyhow::Result<usize> {
    let rows = match coverage {
        Coverage::Delta => split(lists.one.clone())?.0,
        _ => Rows::of_array(lists.one.clone())?,
    };
    let scope = String::new();
    let observation =
        Observation { scope, coverage, rows, cursor: None, snapshot: false, as_of_ms: 0 };
    let mut count = Count::default();
    let Ok(_summary) = differ.observe(&observation, false, &mut count);
    Ok(count.0)
}
