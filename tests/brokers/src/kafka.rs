//! Kafka: one node, broker and controller, without ZooKeeper.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::broker::{Broker, Instance, Kind};
use crate::container::{Container, Image};
use crate::fixture::fixture;
use crate::process::{Launch, Process};
use crate::route::{self, Route};
use crate::skip::{self, Failure};
use crate::{command, fetch, port, probe};

fixture! {
    /// A Kafka broker with transactions, compaction and consumer groups, plain on the loopback address.
    ///
    /// Topics are not created by use; replication factors are 1.
    Kafka,
    /// The bootstrap address, such as `127.0.0.1:21092`.
    bootstrap
}

/// What makes a broker with one node answer soon: small internal topics, no waiting for members, and short rounds.
/// A transaction left open is aborted within a second of its time-out; the cleaner looks twice a second.
///
/// The session time-out is how long a broker that was killed cannot come back under its number.
pub(crate) const SETTINGS: &str = include_str!("../kafka/server.properties");
const LOGGING: &str = include_str!("../kafka/log4j2.properties");

const FORMAT_LIMIT: Duration = Duration::from_secs(120);

impl Kind for Kafka {
    const WHAT: &'static str = "Kafka";
    const VARIABLE: &'static str = "TALON_TEST_KAFKA";

    fn reachable(bootstrap: &str) -> io::Result<()> {
        let mut last = Err(io::ErrorKind::AddrNotAvailable.into());
        for address in bootstrap.split(',') {
            last = probe::accepts(address.trim());
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn from_path() -> Result<Broker, Failure> {
        on_path(&House::default())
    }

    fn from_container() -> Result<Broker, Failure> {
        let (port, container) = Container::start(image)?;
        Ok(Broker::of_container(loopback(port), container))
    }

    fn from_packages() -> Result<Broker, Failure> {
        packaged(&House::default())
    }
}

/// A listener of its own for those who come through something that stands before the broker.
#[derive(Debug, Clone, Copy)]
struct Door {
    /// Where the broker listens.
    listen: u16,
    /// Where it tells its clients to connect to.
    advertised: u16,
    /// `PLAINTEXT`, or `SASL_PLAINTEXT`.
    protocol: &'static str,
}

/// Where a broker of a test's own is reached and keeps its data.
#[derive(Default)]
struct House {
    doors: Vec<Door>,
    /// By default in a directory that is removed with the broker.
    data: Option<PathBuf>,
    /// Settings besides the usual.
    more: String,
}

type Way = fn(&House) -> Result<Broker, Failure>;

impl Kafka {
    /// One of the test's own, as [`start`](Self::start), that also serves those who come through proxies:
    /// for each of these ports of the loopback address, where a proxy listens, the broker has a
    /// listener, which tells its clients to come through that proxy. The addresses of the listeners,
    /// where the proxies shall lead to, are given in the same order.
    ///
    /// Never in a container.
    pub fn start_behind(test: &str, proxies: &[u16]) -> Option<(Self, Vec<String>)> {
        Self::start_in(test, proxies, None)
    }

    /// As [`start_behind`](Self::start_behind), with the broker's log in this directory, which must not
    /// exist and is not removed: on a file system that a test fills, say.
    pub fn start_in(
        test: &str,
        proxies: &[u16],
        data: Option<PathBuf>,
    ) -> Option<(Self, Vec<String>)> {
        let doors = proxies.iter().map(|&advertised| {
            let listen = port::free()?;
            Ok(Door { listen, advertised, protocol: "PLAINTEXT" })
        });
        let doors: Vec<Door> = match doors.collect::<io::Result<_>>() {
            Ok(doors) => doors,
            Err(error) => panic!("{test}: no free port: {error}"),
        };
        Self::start_as(test, &House { doors, data, more: String::new() })
    }

    /// One of the test's own with these settings besides, which count more than the usual.
    ///
    /// Never in a container.
    pub fn start_with(test: &str, settings: &str) -> Option<Self> {
        let house = House { more: settings.to_owned(), ..House::default() };
        Self::start_as(test, &house).map(|(kafka, _)| kafka)
    }

    /// One of the test's own with these settings besides, and a second listener, whose address is given,
    /// named `DOOR0`, where users sign in (`SASL_PLAINTEXT`). The usual address is for those who may do
    /// everything: `User:ANONYMOUS`.
    ///
    /// Never in a container.
    pub fn start_secured(test: &str, settings: &str) -> Option<(Self, String)> {
        let port = match port::free() {
            Ok(port) => port,
            Err(error) => panic!("{test}: no free port: {error}"),
        };
        let door = Door { listen: port, advertised: port, protocol: "SASL_PLAINTEXT" };
        let house = House { doors: vec![door], data: None, more: settings.to_owned() };
        let (kafka, mut addresses) = Self::start_as(test, &house)?;
        Some((kafka, addresses.remove(0)))
    }

    /// The file of its settings; none where it is not a process of ours.
    pub(crate) fn settings(&self) -> Option<PathBuf> {
        let Instance::Process(process) = &self.broker.instance else { return None };
        process.arguments().last().map(PathBuf::from)
    }

    /// Starts it again with a text of its settings replaced by another. Panics where it is not a process
    /// of ours.
    pub fn restart_with(&mut self, text: &str, by: &str) {
        let Some(path) = self.settings() else { panic!("its settings are not ours") };
        let changed = fs::read_to_string(&path).map(|settings| settings.replace(text, by));
        if let Err(error) = changed.and_then(|settings| fs::write(&path, settings)) {
            panic!("its settings cannot be changed: {error}");
        }
        self.broker.restart();
    }

    fn start_as(test: &str, house: &House) -> Option<(Self, Vec<String>)> {
        let ways: [(Route, Way); 2] = [(Route::Path, on_path), (Route::Packages, packaged)];
        let ways = ways.map(|(route, way)| (route, move || way(house)));
        let addresses = house.doors.iter().map(|door| loopback(door.listen)).collect();
        match route::first(Self::WHAT, ways) {
            Ok(broker) => Some((Self { broker }, addresses)),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }
}

fn on_path(house: &House) -> Result<Broker, Failure> {
    let find = |names: &[&str]| {
        command::on_path(names)
            .ok_or_else(|| Failure::Absent(format!("no `{}` on the PATH", names[0])))
    };
    let server = find(&["kafka-server-start", "kafka-server-start.sh"])?;
    let storage = find(&["kafka-storage", "kafka-storage.sh"])?;
    let (port, process) = Process::start("kafka", |port, data| {
        let settings =
            write_settings(port, data, house).map_err(|e| Failure::broken("kafka", e))?;
        let mut format = Command::new(&storage);
        format_arguments(&mut format, &settings);
        command::run("kafka-format", &mut format, FORMAT_LIMIT)?;
        let logging = format!("-Dlog4j2.configurationFile={}", logging(data));
        let environment = vec![
            ("KAFKA_HEAP_OPTS", "-Xmx512m".to_owned()),
            ("KAFKA_LOG4J_OPTS", logging),
            ("LOG_DIR", data.display().to_string()),
        ];
        let arguments = vec![settings.display().to_string()];
        Ok(launch(port, server.clone(), arguments, environment))
    })?;
    Ok(Broker::of_process(loopback(port), process))
}

fn packaged(house: &House) -> Result<Broker, Failure> {
    let java = command::java()?;
    let jars = fetch::kafka()?;
    let class_path = format!("{}/*", jars.display());
    let formatted = formatted(&java, &class_path)?;
    let (port, process) = Process::start("kafka", |port, data| {
        let failed = |error| Failure::broken("kafka", error);
        let settings = write_settings(port, data, house).map_err(failed)?;
        copy_formatted(&formatted, &house.log(data)).map_err(failed)?;
        launch_packaged(port, data, &settings)
    })?;
    Ok(Broker::of_process(loopback(port), process))
}

/// A broker of the packages, with these settings, whose directories are formatted.
pub(crate) fn launch_packaged(port: u16, data: &Path, settings: &Path) -> Result<Launch, Failure> {
    let class_path = format!("{}/*", fetch::kafka()?.display());
    fs::write(data.join("log4j2.properties"), LOGGING).map_err(|e| Failure::broken("kafka", e))?;
    let logging = format!("-Dlog4j2.configurationFile={}", logging(data));
    let settings = settings.display().to_string();
    let arguments = ["-Xmx512m", "-XX:+UseSerialGC", &logging, "-cp", &class_path];
    let arguments = arguments.into_iter().chain(["kafka.Kafka", &settings]);
    let arguments = arguments.map(str::to_owned).collect();
    Ok(launch(port, command::java()?, arguments, Vec::new()))
}

impl House {
    fn log(&self, data: &Path) -> PathBuf {
        self.data.clone().unwrap_or_else(|| data.join("log"))
    }
}

fn launch(
    port: u16,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
) -> Launch {
    Launch {
        what: "kafka",
        program,
        arguments,
        environment,
        answers: Box::new(move || probe::kafka(&loopback(port))),
    }
}

pub(crate) fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn write_settings(port: u16, data: &Path, house: &House) -> io::Result<PathBuf> {
    fs::write(data.join("log4j2.properties"), LOGGING)?;
    let path = data.join("server.properties");
    let settings =
        settings(port, port::free()?, &house.log(data).display().to_string(), &house.doors);
    fs::write(&path, settings + &house.more)?;
    Ok(path)
}

fn settings(port: u16, controller: u16, log: &str, doors: &[Door]) -> String {
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}");
    let mut advertised = format!("PLAINTEXT://127.0.0.1:{port}");
    let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (number, door) in doors.iter().enumerate() {
        listeners.push_str(&format!(",DOOR{number}://127.0.0.1:{}", door.listen));
        advertised.push_str(&format!(",DOOR{number}://127.0.0.1:{}", door.advertised));
        protocols.push_str(&format!(",DOOR{number}:{}", door.protocol));
    }
    format!(
        "{SETTINGS}\n\
         log.dirs={log}\n\
         listeners={listeners}\n\
         advertised.listeners={advertised}\n\
         listener.security.protocol.map={protocols}\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n"
    )
}

fn logging(data: &Path) -> String {
    format!("file:{}", data.join("log4j2.properties").display())
}

fn format_arguments(format: &mut Command, settings: &Path) {
    format.args(["format", "--cluster-id", &cluster_id(), "--config"]);
    format.arg(settings);
}

/// Formatting takes a second of a virtual machine's start, and what it writes names no port, so it is done once.
fn formatted(java: &Path, class_path: &str) -> Result<PathBuf, Failure> {
    fetch::once(&format!("kafka-{}-formatted", fetch::KAFKA), |directory| {
        let log = directory.display().to_string();
        let path = directory.with_extension("properties");
        let failed = |error| Failure::broken("kafka-format", error);
        fs::write(&path, settings(1, 2, &log, &[])).map_err(failed)?;
        let mut format = Command::new(java);
        format.args(["-cp", class_path, "kafka.tools.StorageTool"]);
        format_arguments(&mut format, &path);
        let result = command::run("kafka-format", &mut format, FORMAT_LIMIT).map(drop);
        fs::remove_file(&path).map_err(failed)?;
        result
    })
}

/// With a cluster id of its own: clients tell clusters apart by it.
fn copy_formatted(formatted: &Path, log: &Path) -> io::Result<()> {
    fs::create_dir(log)?;
    for entry in fs::read_dir(formatted)? {
        let entry = entry?;
        fs::copy(entry.path(), log.join(entry.file_name()))?;
    }
    let meta = log.join("meta.properties");
    let lines = fs::read_to_string(&meta)?;
    let lines = lines.lines().filter(|line| !line.starts_with("cluster.id="));
    let mut lines: Vec<&str> = lines.collect();
    let cluster = format!("cluster.id={}", cluster_id());
    lines.push(&cluster);
    fs::write(meta, lines.join("\n") + "\n")
}

/// 128 random bits as Kafka writes them: 22 characters of base64, the last with 2 bits.
pub(crate) fn cluster_id() -> String {
    let hash = |part: u8| RandomState::new().hash_one(part);
    let digits = format!("{:016x}{:016x}", hash(0), hash(1));
    format!("{}A", &digits[..21])
}

fn image(port: u16) -> Image {
    let inside = settings(port, 9093, "/tmp/talon-kafka", &[]).replace(
        &format!("listeners=PLAINTEXT://127.0.0.1:{port},"),
        &format!("listeners=PLAINTEXT://0.0.0.0:{port},"),
    );
    let script = format!(
        "cat > /tmp/server.properties <<'END'\n{inside}END\n\
         [ -e /tmp/talon-kafka/meta.properties ] || \
         /opt/kafka/bin/kafka-storage.sh format --cluster-id {} --config /tmp/server.properties\n\
         exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties",
        cluster_id()
    );
    Image {
        what: "kafka",
        variable: "TALON_TEST_KAFKA_IMAGE",
        image: "apache/kafka:4.1.1",
        environment: vec![("KAFKA_HEAP_OPTS", "-Xmx512m".to_owned())],
        arguments: vec!["sh".to_owned(), "-c".to_owned(), script],
        inner_port: port,
        answers: Box::new(move || probe::kafka(&loopback(port))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_ids_have_the_length_kafka_expects_and_differ() {
        assert_eq!(cluster_id().len(), 22);
        assert_ne!(cluster_id(), cluster_id());
    }

    #[test]
    fn in_a_container_the_broker_listens_for_the_published_port() {
        let script = image(17_000).arguments.pop().expect("a script");
        assert!(
            script.contains("\nlisteners=PLAINTEXT://0.0.0.0:17000,CONTROLLER://127.0.0.1:9093\n")
        );
        assert!(script.contains("\nadvertised.listeners=PLAINTEXT://127.0.0.1:17000\n"));
    }
}
