//! Brings brokers up in the foreground, to try the program by hand.
//!
//! ```text
//! cargo run -p talon-brokers -- kafka registry nats python
//! ```
//!
//! The standard output is lines for `eval`, such as `export TALON_TEST_KAFKA='127.0.0.1:21092'`, which also make tests use these brokers.
//! They end with their data at Ctrl-C, or when the standard input closes.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use talon_brokers::{Kafka, Nats, Registry, Unavailable, python};

const USAGE: &str = "usage: talon-brokers [kafka] [registry] [nats] [python]";

enum Broker {
    Kafka(Kafka),
    Registry(Registry),
    Nats(Nats),
    /// No broker, but the interpreter with the stock clients.
    Python(PathBuf),
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| matches!(name.as_str(), "kafka" | "registry" | "nats" | "python");
    if names.is_empty() || !names.iter().all(known) {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    match serve(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C needs no handler: it ends this process, and the brokers end with it.
fn serve(names: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let mut brokers = Vec::new();
    for name in names {
        eprintln!("starting {name} …");
        let broker = start(name)?;
        let (variable, address) = broker.address();
        writeln!(io::stdout(), "export {variable}='{address}'")?;
        io::stdout().flush()?;
        brokers.push(broker);
    }
    eprintln!("all answer; Ctrl-C or the end of the input stops them");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn start(name: &str) -> Result<Broker, Unavailable> {
    match name {
        "kafka" => Kafka::find().map(Broker::Kafka),
        "registry" => Registry::find().map(Broker::Registry),
        "nats" => Nats::find().map(Broker::Nats),
        _ => python::interpreter().map(Broker::Python),
    }
}

impl Broker {
    fn address(&self) -> (&'static str, Cow<'_, str>) {
        match self {
            Self::Kafka(kafka) => ("TALON_TEST_KAFKA", kafka.bootstrap().into()),
            Self::Registry(registry) => ("TALON_TEST_REGISTRY", registry.url().into()),
            Self::Nats(nats) => ("TALON_TEST_NATS", nats.url().into()),
            Self::Python(python) => ("TALON_TEST_PYTHON", python.to_string_lossy()),
        }
    }
}
