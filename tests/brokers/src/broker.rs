//! One broker, whichever way it was found.

use std::env;

use crate::container::Container;
use crate::process::Process;
use crate::skip::{Failure, Unavailable};

#[derive(Debug)]
pub(crate) struct Broker {
    /// What clients are given: a bootstrap list or a url.
    pub(crate) address: String,
    pub(crate) instance: Instance,
}

#[derive(Debug)]
pub(crate) enum Instance {
    /// Somebody else's, from the environment.
    External,
    Process(Box<Process>),
    Container(Box<Container>),
}

/// How one kind of broker is found.
pub(crate) trait Kind {
    const WHAT: &'static str;
    /// The environment variable with an address.
    const VARIABLE: &'static str;

    /// Whether somebody is reachable at an address from the environment.
    fn reachable(address: &str) -> std::io::Result<()>;
    fn from_path() -> Result<Broker, Failure>;
    fn from_container() -> Result<Broker, Failure>;
    fn from_packages() -> Result<Broker, Failure>;
}

type Way = fn() -> Result<Broker, Failure>;

/// The first way that works, or the reasons of all that were tried.
pub(crate) fn find<K: Kind>() -> Result<Broker, Unavailable> {
    first(K::WHAT, [vec![("address", from_environment::<K> as Way)], own_ways::<K>()].concat())
}

/// As [`find`], passing over an address in the environment: nobody may stop that broker.
pub(crate) fn find_own<K: Kind>() -> Result<Broker, Unavailable> {
    first(K::WHAT, own_ways::<K>())
}

fn own_ways<K: Kind>() -> Vec<(&'static str, Way)> {
    vec![
        ("program", K::from_path),
        ("container", K::from_container),
        ("packages", K::from_packages),
    ]
}

pub(crate) fn first<T, W: FnOnce() -> Result<T, Failure>>(
    what: &'static str,
    ways: impl IntoIterator<Item = (&'static str, W)>,
) -> Result<T, Unavailable> {
    let mut unavailable = Unavailable { what, reasons: Vec::new(), broken: false };
    for (name, way) in ways {
        match way() {
            Ok(found) => return Ok(found),
            Err(Failure::Absent(reason)) => unavailable.reasons.push((name, reason)),
            Err(Failure::Broken(reason)) => {
                unavailable.reasons.push((name, reason));
                unavailable.broken = true;
                break;
            }
        }
    }
    Err(unavailable)
}

fn from_environment<K: Kind>() -> Result<Broker, Failure> {
    let variable = K::VARIABLE;
    let address = match env::var(variable) {
        Ok(address) if !address.is_empty() => address,
        _ => return Err(Failure::Absent(format!("`{variable}` is not set"))),
    };
    let address = address.trim_end_matches('/').to_owned();
    match K::reachable(&address) {
        Ok(()) => Ok(Broker { address, instance: Instance::External }),
        Err(error) => Err(Failure::Broken(format!(
            "`{variable}` is set and nobody answers at `{address}`: {error}"
        ))),
    }
}

impl Broker {
    pub(crate) fn of_process(address: String, process: Process) -> Self {
        let instance = Instance::Process(Box::new(process));
        Self { address, instance }
    }

    pub(crate) fn of_container(address: String, container: Container) -> Self {
        let instance = Instance::Container(Box::new(container));
        Self { address, instance }
    }

    pub(crate) fn owned(&self) -> bool {
        !matches!(self.instance, Instance::External)
    }

    pub(crate) fn stop(&mut self) {
        match &mut self.instance {
            Instance::External => self.refuse("stop"),
            Instance::Process(process) => process.stop(),
            Instance::Container(container) => container.stop(),
        }
    }

    pub(crate) fn kill(&mut self) {
        match &mut self.instance {
            Instance::External => self.refuse("kill"),
            Instance::Process(process) => process.kill(),
            Instance::Container(container) => container.kill(),
        }
    }

    pub(crate) fn pause(&self) {
        match &self.instance {
            Instance::External => self.refuse("pause"),
            Instance::Process(process) => process.pause(),
            Instance::Container(container) => container.pause(),
        }
    }

    pub(crate) fn resume(&self) {
        match &self.instance {
            Instance::External => self.refuse("resume"),
            Instance::Process(process) => process.resume(),
            Instance::Container(container) => container.resume(),
        }
    }

    pub(crate) fn restart(&mut self) {
        let result = match &mut self.instance {
            Instance::External => self.refuse("restart"),
            Instance::Process(process) => process.restart(),
            Instance::Container(container) => container.restart(),
        };
        if let Err(reason) = result {
            panic!("cannot restart the broker at `{}`: {reason}", self.address);
        }
    }

    fn refuse(&self, action: &str) -> ! {
        panic!(
            "cannot {action} the broker at `{}`: it is not ours; ask `owned` first",
            self.address
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Way = fn() -> Result<u8, Failure>;

    #[test]
    fn an_absence_leads_on_to_the_next_way() {
        let ways: [(&str, Way); 2] =
            [("address", || Err(Failure::Absent("not set".to_owned()))), ("program", || Ok(1))];
        assert_eq!(first("Kafka", ways).expect("the second"), 1);
    }

    #[test]
    fn what_is_broken_is_not_hidden_by_a_later_way() {
        let ways: [(&str, Way); 2] = [
            ("address", || Err(Failure::Broken("nobody answers".to_owned()))),
            ("program", || Ok(1)),
        ];
        let unavailable = first("Kafka", ways).expect_err("broken");
        assert!(unavailable.broken);
        assert_eq!(unavailable.to_string(), "no Kafka: address: nobody answers");
    }
}
