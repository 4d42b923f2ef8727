//! The buses that a record has passed.
//!
//! A relay does not send a record to a bus that it has passed, unless told to (`echoes: carry`): so two relays
//! between the same pair of buses never send a record round.
//!
//! Buses are told apart by what they are, not by what a configuration calls them: a name such as `edge` can
//! mean another bus in the next configuration, and a record that was held back by mistake would be lost.

/// Identities of buses, the oldest first: `kafka:CLUSTER` with the id of the cluster, or
/// `nats:STREAM@CREATED` with the nanoseconds at which the stream was created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hops(String);

impl Hops {
    /// From the text in a header.
    pub fn parse(text: &str) -> Hops {
        Hops(text.to_owned())
    }

    /// Whether it has passed this bus.
    pub fn contains(&self, bus: &str) -> bool {
        self.0.split(',').any(|hop| !hop.is_empty() && hop == bus)
    }

    /// It passes this bus too.
    pub fn pass(&mut self, bus: &str) {
        if !self.contains(bus) {
            if !self.0.is_empty() {
                self.0.push(',');
            }
            self.0.push_str(bus);
        }
    }

    /// As in a header; empty for a record that was not relayed yet.
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_which_buses_it_has_passed() {
        let mut hops = Hops::default();
        assert!(!hops.contains(""));
        hops.pass("kafka:a");
        hops.pass("nats:S@1");
        hops.pass("kafka:a");
        assert_eq!(hops.text(), "kafka:a,nats:S@1");
        let hops = Hops::parse(hops.text());
        assert!(hops.contains("nats:S@1") && !hops.contains("nats:S"));
    }
}
