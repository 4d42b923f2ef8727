//! What must not come out.

use super::finding::{Finding, Property, finding};
use crate::facts::Facts;

/// No canary in anything that was told. The finding names the canary by its number only.
pub(super) fn discreet(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (source, text) in &facts.told {
        for (number, canary) in facts.canaries.iter().enumerate() {
            if text.contains(canary.as_str()) {
                let text = format!("canary {number} in {source}");
                findings.push(finding(Property::Discreet, text));
            }
        }
    }
    findings
}
