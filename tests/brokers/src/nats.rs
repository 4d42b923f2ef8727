//! NATS with JetStream.

use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

use crate::broker::{Broker, Instance, Kind};
use crate::container::{Container, Image};
use crate::fixture::fixture;
use crate::process::{Launch, Process};
use crate::route::{self, Route};
use crate::skip::{self, Failure};
use crate::{command, fetch, probe};

/// Older ones lack what the JetStream clients of today ask for; Debian ships 2.9.
const OLDEST: (u32, u32) = (2, 10);

fixture! {
    /// A NATS server with JetStream, without a login, on the loopback address.
    Nats,
    /// The url, such as `nats://127.0.0.1:20422`.
    url
}

impl Kind for Nats {
    const WHAT: &'static str = "NATS";
    const VARIABLE: &'static str = "TALON_TEST_NATS";

    fn reachable(url: &str) -> io::Result<()> {
        probe::accepts(url)
    }

    fn from_path() -> Result<Broker, Failure> {
        start(on_path()?, None)
    }

    fn from_container() -> Result<Broker, Failure> {
        let (port, container) = Container::start(|port| Image {
            what: "nats",
            variable: "TALON_TEST_NATS_IMAGE",
            image: "nats:2.12",
            environment: Vec::new(),
            arguments: ["--jetstream", "--store_dir", "/tmp/talon-nats"]
                .map(str::to_owned)
                .to_vec(),
            inner_port: 4222,
            answers: Box::new(move || probe::nats(&format!("127.0.0.1:{port}"))),
        })?;
        Ok(Broker::of_container(url(port), container))
    }

    fn from_packages() -> Result<Broker, Failure> {
        start(fetch::nats()?, None)
    }
}

type Way<'a> = Box<dyn FnOnce() -> Result<Broker, Failure> + 'a>;

impl Nats {
    /// One of the test's own, as [`start`](Self::start), with these lines in its configuration file: logins, TLS, a domain.
    ///
    /// Never in a container, which does not see files that the lines name.
    pub fn start_with(test: &str, settings: &str) -> Option<Self> {
        let ways: [(Route, Way<'_>); 2] = [
            (Route::Path, Box::new(|| start(on_path()?, Some(settings)))),
            (Route::Packages, Box::new(|| start(fetch::nats()?, Some(settings)))),
        ];
        let found = route::first(Self::WHAT, ways).map(|broker| Self { broker });
        match found {
            Ok(nats) => Some(nats),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }

    /// Starts one that was [started with settings](Self::start_with) again, with others. Panics where it is
    /// not a process of ours.
    pub fn restart_with(&mut self, settings: &str) {
        let Instance::Process(process) = &self.broker.instance else {
            panic!("its settings are not ours");
        };
        let path = process.arguments().last().map(PathBuf::from).unwrap_or_default();
        if let Err(error) = fs::write(path, settings) {
            panic!("its settings cannot be changed: {error}");
        }
        self.broker.restart();
    }
}

/// The program on the path, where it is new enough.
pub(crate) fn on_path() -> Result<PathBuf, Failure> {
    let program = command::needed("nats-server")?;
    let told = command::output(Command::new(&program).arg("--version"));
    match told.as_deref().and_then(command::version) {
        Some(version) if version >= OLDEST => Ok(program),
        Some((major, minor)) => Err(Failure::Absent(format!(
            "`{}` is {major}.{minor}, older than 2.10",
            program.display()
        ))),
        None => Err(Failure::Absent(format!("`{} --version` tells no version", program.display()))),
    }
}

fn start(program: PathBuf, settings: Option<&str>) -> Result<Broker, Failure> {
    let (port, process) = Process::start("nats", |port, data| {
        let port_text = port.to_string();
        let store = data.display().to_string();
        let arguments = ["--addr", "127.0.0.1", "--port", &port_text];
        let arguments = arguments.into_iter().chain(["--jetstream", "--store_dir", &store]);
        let mut arguments: Vec<String> = arguments.map(str::to_owned).collect();
        if let Some(settings) = settings {
            let file = data.join("server.conf");
            fs::write(&file, settings).map_err(|error| Failure::broken("server.conf", error))?;
            arguments.extend(["--config".to_owned(), file.display().to_string()]);
        }
        let greets = settings.is_none();
        Ok(Launch {
            what: "nats",
            program: program.clone(),
            arguments,
            environment: Vec::new(),
            answers: Box::new(move || {
                let address = format!("127.0.0.1:{port}");
                // With TLS first it does not greet.
                if greets { probe::nats(&address) } else { probe::accepts(&address) }
            }),
        })
    })?;
    Ok(Broker::of_process(url(port), process))
}

fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
