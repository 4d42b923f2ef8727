//! The table of what came of all runs.

use std::collections::BTreeMap;
use std::fmt;

use crate::broker::On;
use crate::check::Property;
use crate::scenario::{Fault, History};
use crate::world::Outcome;

/// A connector on a bus under a family of faults.
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

/// The table.
#[derive(Debug, Default)]
pub struct Report {
    rows: BTreeMap<Row, Counts>,
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
    }
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
        Ok(())
    }
}
