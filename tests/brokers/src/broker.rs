//! One broker, whichever way it was found.

use std::env;

use crate::container::Container;
use crate::process::Process;
use crate::route::{self, Route};
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
    let address = (Route::Address, from_environment::<K> as Way);
    route::first(K::WHAT, [address].into_iter().chain(own_ways::<K>()))
}

/// As [`find`], passing over an address in the environment: nobody may stop that broker.
pub(crate) fn find_own<K: Kind>() -> Result<Broker, Unavailable> {
    route::first(K::WHAT, own_ways::<K>())
}

fn own_ways<K: Kind>() -> [(Route, Way); 3] {
    [
        (Route::Path, K::from_path),
        (Route::Containers, K::from_container),
        (Route::Packages, K::from_packages),
    ]
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
