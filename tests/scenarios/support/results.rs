//! What became of commands, as the results topic tells.

use std::collections::BTreeMap;

use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};

use super::consumer::read;

/// All results of a connector on its topic, in order for each command.
pub fn results(address: &str, prefix: &str, connector: &str) -> Vec<ResultRecord> {
    let records = read(address, &format!("{prefix}.{connector}.results"));
    records.into_iter().map(|record| decode(&record.value.unwrap())).collect()
}

/// A result, as it stands on its topic.
pub fn decode(value: &[u8]) -> ResultRecord {
    match Wire::SingleObject.open(&*RESULT, value) {
        Payload::Own(datum) | Payload::Registered(_, datum) => RESULT.decode(datum).unwrap(),
        other => panic!("no result: {other:?}"),
    }
}

/// The outcomes of each command.
pub fn outcomes(results: &[ResultRecord]) -> BTreeMap<&str, Vec<&ResultRecord>> {
    let mut outcomes: BTreeMap<&str, Vec<&ResultRecord>> = BTreeMap::new();
    for result in results.iter().filter(|result| result.phase == "OUTCOME") {
        outcomes.entry(&result.command_id).or_default().push(result);
    }
    outcomes
}
