//! The table of what came of all runs.

use std::collections::BTreeMap;
use std::fmt;

use crate::broker::On;
use crate::check::Property;
use crate::facts::Rolling;
use crate::scenario::{Fault, History};
use crate::world::Outcome;

/// Connectors on a bus under a family of faults.
type Row = (String, On, Fault);

#[derive(Debug, Default)]
struct Counts {
    runs: usize,
    faults: usize,
    kills: usize,
    events: usize,
    commands: usize,
    lost: usize,
    twice: usize,
    double_effects: usize,
    unresolved: usize,
    others: usize,
    failed: usize,
    seeds: Vec<u64>,
}

/// The table, and one more for rolling restarts.
#[derive(Debug, Default)]
pub struct Report {
    rows: BTreeMap<Row, Counts>,
    rolling: Vec<(String, On, u64, Rolling)>,
}

impl Report {
    /// Adds a run.
    pub fn add(&mut self, row: (&str, On, Fault), seed: u64, history: &History, outcome: &Outcome) {
        let (connector, on, fault) = row;
        let counts = self.rows.entry((connector.to_owned(), on, fault)).or_default();
        let of = |properties: &[Property]| {
            let findings = outcome.findings.iter();
            findings.filter(|finding| properties.contains(&finding.property)).count()
        };
        let lost = of(&[Property::NothingLost, Property::AnOutcome]);
        let twice = of(&[Property::NothingTwice, Property::OneOutcome]);
        let double_effects = of(&[Property::EffectAsSaid]);
        counts.runs += 1;
        counts.faults += history.0.len();
        counts.kills += history.kills();
        counts.events += outcome.events;
        counts.commands += outcome.commands;
        counts.lost += lost;
        counts.twice += twice;
        counts.double_effects += double_effects;
        counts.unresolved += outcome.unresolved;
        counts.others += outcome.findings.len() - lost - twice - double_effects;
        counts.failed += usize::from(!outcome.findings.is_empty());
        counts.seeds.push(seed);
        if let Some(rolling) = &outcome.rolling {
            self.rolling.push((connector.to_owned(), on, seed, rolling.clone()));
        }
    }

    fn rolling(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rolling.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n| Connectors | Bus | Opened in s, median | at most | Read back in s, median | at most | \
             Settled after s | Moves of one, at most | of all | Stood still | Fenced | Seed |"
        )?;
        writeln!(f, "|{}", " --- |".repeat(12))?;
        for (connector, on, seed, rolling) in &self.rolling {
            let settled = rolling.settled_ms.map_or("never".to_owned(), |ms| seconds(ms as i64));
            writeln!(
                f,
                "| {connector} | {} | {} | {} | {} | {} | {settled} | {} | {} | {} | {} | {seed} |",
                on.name(),
                median(&rolling.openings_ms),
                most(&rolling.openings_ms),
                median(&rolling.recoveries_ms),
                most(&rolling.recoveries_ms),
                rolling.moves.values().max().copied().unwrap_or(0),
                rolling.moves.values().sum::<usize>(),
                rolling.stood_still,
                rolling.fenced,
            )?;
        }
        Ok(())
    }
}

fn seconds(ms: i64) -> String {
    format!("{:.1}", ms as f64 / 1_000.0)
}

/// The middle one of times in order.
fn median(times_ms: &[i64]) -> String {
    times_ms.get(times_ms.len() / 2).map_or("none".to_owned(), |ms| seconds(*ms))
}

fn most(times_ms: &[i64]) -> String {
    times_ms.last().map_or("none".to_owned(), |ms| seconds(*ms))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| Connector | Bus | Fault | Runs | Failed | Faults | Kills | Events | Commands | Lost | \
             Duplicated | Double effects | Unresolved | Other findings | Seeds |"
        )?;
        writeln!(f, "|{}", " --- |".repeat(15))?;
        for ((connector, on, fault), counts) in &self.rows {
            let seeds: Vec<String> = counts.seeds.iter().map(u64::to_string).collect();
            writeln!(
                f,
                "| {connector} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                on.name(),
                fault.name(),
                counts.runs,
                counts.failed,
                counts.faults,
                counts.kills,
                counts.events,
                counts.commands,
                counts.lost,
                counts.twice,
                counts.double_effects,
                counts.unresolved,
                counts.others,
                seeds.join(" ")
            )?;
        }
        self.rolling(f)
    }
}
