//! Brokers end with the process that started them, however it ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use talon_brokers::{Nats, probe};

/// The program with a server of its own, whose data are in `directory`.
struct Foreground {
    program: Child,
    address: String,
}

fn start(directory: &Path) -> Foreground {
    let mut program = Command::new(env!("CARGO_BIN_EXE_talon-brokers"))
        .arg("nats")
        .env_remove("TALON_TEST_NATS")
        .env("TMPDIR", directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut line = String::new();
    let output = program.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("export TALON_TEST_NATS='nats://");
    let address = address.and_then(|rest| rest.strip_suffix('\'')).expect("an address").to_owned();
    Foreground { program, address }
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("there").next().is_none()
}

/// The program finds what this process finds, so it has a server to end.
fn have_own_server(test: &str) -> bool {
    std::env::var_os("TALON_TEST_NATS").is_none() && Nats::shared(test).is_some()
}

#[test]
fn a_server_and_its_data_go_when_the_process_is_killed() {
    if !have_own_server("a_server_and_its_data_go_when_the_process_is_killed") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut started = start(directory.path());
    probe::nats(&started.address).expect("it runs");
    started.program.kill().expect("killed");
    started.program.wait().expect("ended");
    eventually("the server is gone", || probe::connect(&started.address).is_err());
    eventually("its data are gone", || is_empty(directory.path()));
}

#[test]
fn the_program_ends_its_brokers_when_its_input_closes() {
    if !have_own_server("the_program_ends_its_brokers_when_its_input_closes") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let mut started = start(directory.path());
    probe::nats(&started.address).expect("it runs");
    drop(started.program.stdin.take());
    let status = started.program.wait().expect("ended");
    assert!(status.success(), "{status}");
    probe::connect(&started.address).expect_err("the server is gone");
    assert!(is_empty(directory.path()));
}
