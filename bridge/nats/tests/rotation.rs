//! Secrets that are exchanged while a process uses them, on a real server that then refuses the old ones.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nkeys::KeyPair;
use talon_brokers::Nats as Server;
use talon_nats::Nats;
use talon_runtime::bus::BusFault;

use crate::support::{Found, Log, World};

/// Longest wait for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(120);

/// Opens when the server is there and lets it in.
fn opened<'w>(world: &'w World, nats: &Nats) -> (Log<'w>, Found) {
    let since = Instant::now();
    loop {
        match world.try_log(nats) {
            Ok(opened) => return opened,
            Err(fault) => assert!(since.elapsed() < PATIENCE, "{fault}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Files as Kubernetes mounts a secret: all of them are exchanged at once, by one link.
struct Mounted {
    folder: PathBuf,
    version: u32,
}

impl Mounted {
    fn new(files: &[(&str, &str)]) -> Mounted {
        let folder = std::env::temp_dir().join(talon_brokers::unique("mounted"));
        fs::create_dir(&folder).unwrap();
        let mut mounted = Mounted { folder, version: 0 };
        mounted.exchange(files);
        for (name, _) in files {
            symlink(format!("..data/{name}"), mounted.folder.join(name)).unwrap();
        }
        mounted
    }

    fn exchange(&mut self, files: &[(&str, &str)]) {
        self.version += 1;
        let version = format!("..{}", self.version);
        fs::create_dir(self.folder.join(&version)).unwrap();
        for (name, text) in files {
            fs::write(self.folder.join(&version).join(name), text).unwrap();
        }
        let next = self.folder.join("..next");
        symlink(version, &next).unwrap();
        fs::rename(next, self.folder.join("..data")).unwrap();
    }

    fn reference(&self, name: &str) -> String {
        format!("${{file:{}}}", self.folder.join(name).display())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A process publishes with the old secrets, is refused when the server knows the new ones alone, and goes on
/// when the files have them.
fn goes_on(test: &str, settings: [&str; 2], files: [&[(&'static str, &str)]; 2]) {
    let Some(mut server) = Server::start_with(test, settings[0]) else { return };
    let mut mounted = Mounted::new(files[0]);
    let mut world = World::new(server.url());
    world.extra.extend(files[0].iter().map(|(name, _)| (*name, mounted.reference(name))));
    let nats = world.process();
    let (mut log, _) = opened(&world, &nats);
    log.put("1", "old", "1old");
    log.commit(Some("c1")).unwrap();
    drop(log);

    server.restart_with(settings[1]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match world.try_open(&nats).map(drop) {
            Err(BusFault::Misconfigured(why)) => {
                assert!(why.contains("refuses the credentials"), "{why}");
                let secrets = files.iter().flat_map(|files| files.iter());
                assert!(secrets.into_iter().all(|(_, secret)| !why.contains(secret)), "{why}");
                break;
            }
            _ => assert!(Instant::now() < deadline, "the old one is not refused"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    mounted.exchange(files[1]);
    let (mut log, found) = opened(&world, &nats);
    assert_eq!(found.records.len(), 1);
    log.put("2", "new", "2new");
    log.commit(Some("c2")).unwrap();
}

#[test]
fn a_user_and_its_password_that_are_exchanged_need_no_restart() {
    goes_on(
        "exchanged_password",
        [
            "authorization { users: [{ user: monday, password: hunter-one }] }",
            "authorization { users: [{ user: tuesday, password: hunter-two }] }",
        ],
        [
            &[("user", "monday"), ("password", "hunter-one\n")],
            &[("user", "tuesday"), ("password", "hunter-two\n")],
        ],
    );
}

#[test]
fn a_token_that_is_exchanged_needs_no_restart() {
    goes_on(
        "exchanged_token",
        ["authorization { token: token-one }", "authorization { token: token-two }"],
        [&[("token", "token-one")], &[("token", "token-two")]],
    );
}

#[test]
fn a_seed_of_an_nkey_that_is_exchanged_needs_no_restart() {
    let pairs = [KeyPair::new_user(), KeyPair::new_user()];
    let settings = pairs
        .each_ref()
        .map(|pair| format!("authorization {{ users: [{{ nkey: {} }}] }}", pair.public_key()));
    let seeds = pairs.map(|pair| pair.seed().unwrap());
    goes_on(
        "exchanged_seed",
        [&settings[0], &settings[1]],
        [&[("nkey.seed", &seeds[0])], &[("nkey.seed", &seeds[1])]],
    );
}
