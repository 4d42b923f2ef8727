//! How processes end.

use super::finding::{Finding, Property, finding};
use crate::facts::{End, Facts, How};

/// Nobody panics, ends unasked, or stays when asked to end; in peace each ends with 0.
pub(super) fn ends_in_order(facts: &Facts) -> Vec<Finding> {
    let told = facts.ends.iter().filter_map(|End { process, how }| {
        let text = match how {
            How::InPeace(Some(0)) => return None,
            How::InPeace(Some(code)) => format!("asked to stop in peace, it ended with {code}"),
            How::InPeace(None) => "asked to stop in peace, it was ended by a signal".to_owned(),
            How::ByItself(status) => format!("it ended by itself: {status}"),
            How::Never => "it does not end when asked to".to_owned(),
            How::Panicked(line) => line.clone(),
        };
        Some(finding(Property::EndsInOrder, format!("process {process}: {text}")))
    });
    told.collect()
}
