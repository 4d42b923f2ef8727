//! A schema registry: Apicurio's, which also speaks the Confluent API, or Confluent's own from the `PATH`.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use crate::broker::{Broker, Kind};
use crate::container::{Container, Image};
use crate::fixture::fixture;
use crate::kafka::Kafka;
use crate::process::{Launch, Process};
use crate::skip::{Failure, Unavailable};
use crate::{command, fetch, names, probe};

fixture! {
    /// A schema registry of the Confluent-compatible API, plain HTTP without a login on the loopback address.
    Registry,
    /// The base of the API, without a slash at the end, such as `http://127.0.0.1:20081/apis/ccompat/v7`.
    url
}

/// A file in which nothing written is lost when the process is killed.
const DATABASE_OPTIONS: &str = ";WRITE_DELAY=0";

impl Kind for Registry {
    const WHAT: &'static str = "schema registry";
    const VARIABLE: &'static str = "TALON_TEST_REGISTRY";

    fn reachable(url: &str) -> io::Result<()> {
        if url.starts_with("http://") && !url.contains('@') {
            probe::registry(url)
        } else {
            probe::accepts(url)
        }
    }

    /// Confluent's keeps its schemas in Kafka: in one of this process that outlives the tests.
    fn from_path() -> Result<Broker, Failure> {
        static KAFKA: OnceLock<Result<Kafka, Unavailable>> = OnceLock::new();
        let program = command::needed("schema-registry-start")?;
        let kafka = match KAFKA.get_or_init(Kafka::find) {
            Ok(kafka) => kafka.bootstrap(),
            Err(unavailable) => return Err(Failure::Absent(unavailable.to_string())),
        };
        let topic = names::unique("_schemas");
        let (port, process) = Process::start("registry", |port, data| {
            let path = data.join("schema-registry.properties");
            let settings = format!(
                "listeners=http://127.0.0.1:{port}\nhost.name=127.0.0.1\n\
                 kafkastore.bootstrap.servers=PLAINTEXT://{kafka}\n\
                 kafkastore.topic={topic}\nkafkastore.topic.replication.factor=1\n"
            );
            fs::write(&path, settings).map_err(|error| Failure::broken("registry", error))?;
            Ok(Launch {
                what: "registry",
                program: program.clone(),
                arguments: vec![path.display().to_string()],
                environment: vec![("SCHEMA_REGISTRY_HEAP_OPTS", "-Xmx512m".to_owned())],
                answers: Box::new(move || probe::registry(&format!("http://127.0.0.1:{port}"))),
            })
        })?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Broker::of_process(url, process))
    }

    fn from_container() -> Result<Broker, Failure> {
        let database = format!("jdbc:h2:file:/tmp/talon-registry{DATABASE_OPTIONS}");
        let (port, container) = Container::start(|port| Image {
            what: "registry",
            variable: "TALON_TEST_REGISTRY_IMAGE",
            image: "apicurio/apicurio-registry-mem:2.5.11.Final",
            environment: vec![("QUARKUS_DATASOURCE_JDBC_URL", database.clone())],
            arguments: Vec::new(),
            inner_port: 8080,
            answers: Box::new(move || probe::registry(&url(port))),
        })?;
        Ok(Broker::of_container(url(port), container))
    }

    fn from_packages() -> Result<Broker, Failure> {
        let java = command::java()?;
        let name = format!("apicurio-registry-app-{}-runner.jar", fetch::APICURIO);
        let jar = fetch::apicurio()?.join(name).display().to_string();
        let (port, process) = Process::start("registry", |port, data| {
            Ok(Launch {
                what: "registry",
                program: java.clone(),
                arguments: arguments(&jar, port, data),
                environment: Vec::new(),
                answers: Box::new(move || probe::registry(&url(port))),
            })
        })?;
        Ok(Broker::of_process(url(port), process))
    }
}

/// In memory as it comes; a file of the same database lets the schemas outlive a restart.
fn arguments(jar: &str, port: u16, data: &Path) -> Vec<String> {
    let database = data.join("registry").display().to_string();
    let mut arguments =
        ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(str::to_owned).to_vec();
    arguments.push("-Dquarkus.http.host=127.0.0.1".to_owned());
    arguments.push(format!("-Dquarkus.http.port={port}"));
    arguments.push("-Dquarkus.log.level=WARN".to_owned());
    arguments.push("-DREGISTRY_LOG_LEVEL=WARN".to_owned());
    arguments
        .push(format!("-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{database}{DATABASE_OPTIONS}"));
    arguments.extend(["-jar", jar].map(str::to_owned));
    arguments
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/apis/ccompat/v7")
}
