//! A second Kafka broker in the cluster of a first: partitions can be moved to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::kafka::{Kafka, SETTINGS, cluster_id, launch_packaged, loopback};
use crate::process::Process;
use crate::route::{self, Route};
use crate::skip::{self, Failure};

/// A broker with the number 2, which is no controller. It ends when dropped; the first one must outlive it.
#[derive(Debug)]
pub struct SecondKafka {
    bootstrap: String,
    _process: Process,
}

impl SecondKafka {
    /// Joins the cluster of a broker that is the test's own and a process; `None` where `test` is skipped.
    pub fn join(test: &str, first: &Kafka) -> Option<SecondKafka> {
        match route::first("second Kafka", [(Route::Packages, || join(first))]) {
            Ok(second) => Some(second),
            Err(unavailable) => skip::or_skip(test, Err(&unavailable)),
        }
    }

    /// Where it listens.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }
}

fn join(first: &Kafka) -> Result<SecondKafka, Failure> {
    let failed = |error| Failure::broken("kafka", error);
    let first = first
        .settings()
        .ok_or_else(|| Failure::Absent("the first is no process of ours".to_owned()))?;
    let first = fs::read_to_string(first).map_err(failed)?;
    let of_first = |name: &str| {
        let mut lines = first.lines().rev().filter_map(|line| line.split_once('='));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    let voters = of_first("controller.quorum.voters").unwrap_or_default();
    let meta = PathBuf::from(of_first("log.dirs").unwrap_or_default()).join("meta.properties");
    let meta = fs::read_to_string(meta).map_err(failed)?;
    let cluster = meta.lines().find(|line| line.starts_with("cluster.id=")).unwrap_or_default();
    let (port, process) = Process::start("kafka", |port, data| {
        let settings = write(port, data, &voters, cluster).map_err(failed)?;
        launch_packaged(port, data, &settings)
    })?;
    Ok(SecondKafka { bootstrap: loopback(port), _process: process })
}

fn write(port: u16, data: &Path, voters: &str, cluster: &str) -> io::Result<PathBuf> {
    let log = data.join("log");
    fs::create_dir(&log)?;
    // An id of the directory has the form of that of a cluster.
    let directory = cluster_id();
    let meta = format!("version=1\n{cluster}\nnode.id=2\ndirectory.id={directory}\n");
    fs::write(log.join("meta.properties"), meta)?;
    let usual = SETTINGS
        .replace("process.roles=broker,controller", "process.roles=broker")
        .replace("node.id=1", "node.id=2");
    let path = data.join("server.properties");
    let (listener, log) = (format!("PLAINTEXT://{}", loopback(port)), log.display());
    fs::write(
        &path,
        format!(
            "{usual}\n\
             log.dirs={log}\n\
             listeners={listener}\n\
             advertised.listeners={listener}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             controller.quorum.voters={voters}\n"
        ),
    )?;
    Ok(path)
}
