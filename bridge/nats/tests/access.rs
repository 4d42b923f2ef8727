//! Ways to log in, and TLS, on a real server.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use nkeys::KeyPair;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as TlsKey};
use serde_json::{Value, json};
use talon_brokers::Nats as Server;
use talon_runtime::bus::BusFault;

use crate::support::World;

/// Publishes and recovers with these settings.
fn works(server: &Server, settings: &[(&'static str, &str)]) {
    let mut world = World::new(server.url());
    set(&mut world, settings);
    // A server with a login may accept connections before it answers them.
    let (mut log, _) = world.open_when_up(&world.process());
    log.put("1", "v", "1v");
    log.commit(Some("c")).unwrap();
    assert_eq!(world.open(&world.process()).1.records.len(), 1);
}

/// Is refused with these settings, without a word of the secret.
fn refused(server: &Server, settings: &[(&'static str, &str)]) -> String {
    let mut world = World::new(server.url());
    set(&mut world, settings);
    let since = Instant::now();
    loop {
        match world.try_open(&world.process()).map(drop) {
            Err(BusFault::Misconfigured(why)) => {
                assert!(settings.iter().all(|(_, value)| !why.contains(value)), "{why}");
                return why;
            }
            Err(BusFault::Unavailable(_)) if since.elapsed() < Duration::from_secs(30) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn set(world: &mut World, settings: &[(&'static str, &str)]) {
    world.extra.extend(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
}

#[test]
fn user_and_password() {
    let login = "authorization { user: talon, password: hunter2 }";
    let Some(server) = Server::start_with("user_and_password", login) else { return };
    works(&server, &[("user", "talon"), ("password", "hunter2")]);
    let why = refused(&server, &[("user", "talon"), ("password", "wrong-password")]);
    assert!(why.contains("refuses the credentials"), "{why}");
    refused(&server, &[]);
}

#[test]
fn a_password_in_a_file_is_read_anew_when_it_changes() {
    let login = "authorization { users: [{ user: talon, password: one }] }";
    let Some(server) = Server::start_with("a_password_in_a_file", login) else { return };
    let file = std::env::temp_dir().join(talon_brokers::unique("password"));
    std::fs::write(&file, "wrong").unwrap();
    let mut world = World::new(server.url());
    let reference = format!("${{file:{}}}", file.display());
    set(&mut world, &[("user", "talon"), ("password", &reference)]);
    let nats = world.process();
    assert!(world.try_open(&nats).is_err());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    std::fs::write(&file, "one\n").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    world.open(&nats);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn token() {
    let login = "authorization { token: s3cret-token }";
    let Some(server) = Server::start_with("token", login) else { return };
    works(&server, &[("token", "s3cret-token")]);
    refused(&server, &[("token", "wrong-token")]);
}

#[test]
fn nkey() {
    let pair = KeyPair::new_user();
    let login = format!("authorization {{ users: [{{ nkey: {} }}] }}", pair.public_key());
    let Some(server) = Server::start_with("nkey", &login) else { return };
    works(&server, &[("nkey.seed", &pair.seed().unwrap())]);
    refused(&server, &[("nkey.seed", &KeyPair::new_user().seed().unwrap())]);
    let why = refused(&server, &[("nkey.seed", "SUNOSEED")]);
    assert!(why.contains("cannot be used"), "{why}");
}

/// An operator's tree: what a server needs to know of it, and who may sign users.
struct Operator {
    settings: String,
    account: KeyPair,
}

impl Operator {
    fn new() -> Operator {
        let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
        let system = KeyPair::new_account();
        let unlimited = json!({
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
            "conn": -1, "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1,
            "consumer": -1,
        });
        let of_account = json!({ "type": "account", "version": 2, "limits": unlimited });
        let of_system = json!({ "type": "account", "version": 2 });
        let of_operator = json!({ "type": "operator", "version": 2 });
        let settings = format!(
            "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
            jwt(&operator, &operator, of_operator),
            system.public_key(),
            account.public_key(),
            jwt(&operator, &account, of_account),
            system.public_key(),
            jwt(&operator, &system, of_system),
        );
        Operator { settings, account }
    }

    /// The credentials of a user, as the operator's tool writes them.
    fn credentials(&self, user: &KeyPair) -> String {
        let claims = json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
        format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
            jwt(&self.account, user, claims),
            user.seed().unwrap(),
        )
    }
}

/// A JWT as the servers know them.
fn jwt(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let claims = json!({
        "jti": talon_brokers::unique("jti"), "iat": 1_700_000_000, "name": "test",
        "iss": issuer.public_key(), "sub": subject.public_key(), "nats": nats,
    });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let part = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let signed =
        format!("{}.{}", part(header.to_string().as_bytes()), part(claims.to_string().as_bytes()));
    let signature = issuer.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", part(&signature))
}

#[test]
fn a_file_of_credentials_in_operator_mode() {
    let operator = Operator::new();
    let Some(server) = Server::start_with("a_file_of_credentials", &operator.settings) else {
        return;
    };
    let file = std::env::temp_dir().join(talon_brokers::unique("creds"));
    let path = file.display().to_string();
    let user = KeyPair::new_user();
    std::fs::write(&file, operator.credentials(&user)).unwrap();
    works(&server, &[("credentials.file", &path)]);
    // Signed by an account that the server does not know.
    std::fs::write(&file, Operator::new().credentials(&user)).unwrap();
    refused(&server, &[("credentials.file", &path)]);
    std::fs::write(&file, "nothing").unwrap();
    let why = refused(&server, &[("credentials.file", &path)]);
    assert!(why.contains("cannot be used"), "{why}");
    refused(&server, &[]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn missing_rights_are_told_as_such() {
    let login = "authorization { users: [{ user: talon, password: hunter2, permissions: { publish: [\"$JS.API.STREAM.INFO.>\"] } }] }";
    let Some(server) = Server::start_with("missing_rights", login) else { return };
    let why = refused(&server, &[("user", "talon"), ("password", "hunter2")]);
    assert!(why.contains("lacks a right"), "{why}");
}

#[test]
fn an_inbox_prefix_and_a_domain() {
    let settings = "jetstream { domain: plant }\n\
                    authorization { users: [{ user: talon, password: hunter2, permissions: { subscribe: [\"_TALON.>\"] } }] }";
    let Some(server) = Server::start_with("an_inbox_prefix_and_a_domain", settings) else { return };
    works(
        &server,
        &[
            ("user", "talon"),
            ("password", "hunter2"),
            ("inbox.prefix", "_TALON"),
            ("jetstream.domain", "plant"),
        ],
    );
}

/// A certificate authority, a certificate of the server and one of a client, as files.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn new() -> Certificates {
        let folder = std::env::temp_dir().join(talon_brokers::unique("tls"));
        std::fs::create_dir(&folder).unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, TlsKey::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        for name in ["server", "client"] {
            let key = TlsKey::generate().unwrap();
            let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
            std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Certificates { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn server(&self, more: &str) -> String {
        format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", {more} }}",
            self.path("server.pem"),
            self.path("server.key"),
            self.path("ca.pem")
        )
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[test]
fn tls_with_own_roots() {
    let files = Certificates::new();
    let Some(server) = Server::start_with("tls_with_own_roots", &files.server("")) else { return };
    works(&server, &[("tls.ca.file", &files.path("ca.pem"))]);
    works(&server, &[("tls.ca.file", &files.path("ca.pem")), ("tls.required", "true")]);
    let why = refused(&server, &[("tls.required", "true")]);
    assert!(why.contains("`bus.nats.tls.*`"), "{why}");
}

#[test]
fn mutual_tls() {
    let files = Certificates::new();
    let settings = files.server("verify: true");
    let Some(server) = Server::start_with("mutual_tls", &settings) else { return };
    let (certificate, key) = (files.path("client.pem"), files.path("client.key"));
    works(
        &server,
        &[
            ("tls.ca.file", &files.path("ca.pem")),
            ("tls.certificate.file", &certificate),
            ("tls.key.file", &key),
        ],
    );
    let world = {
        let mut world = World::new(server.url());
        set(&mut world, &[("tls.ca.file", &files.path("ca.pem"))]);
        world
    };
    let fault = world.try_open(&world.process()).map(drop).unwrap_err();
    assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault}");
}

#[test]
fn certificates_and_authorities_that_were_exchanged_are_read_at_the_next_connect() {
    let files = Certificates::new();
    let settings = files.server("verify: true");
    let Some(mut server) = Server::start_with("certificates_that_were_exchanged", &settings) else {
        return;
    };
    let mut world = World::new(server.url());
    set(
        &mut world,
        &[
            ("tls.ca.file", &files.path("ca.pem")),
            ("tls.certificate.file", &files.path("client.pem")),
            ("tls.key.file", &files.path("client.key")),
        ],
    );
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(Some("c1")).unwrap();
    // Another authority, and all certificates from it: nothing of before is good any more.
    let next = Certificates::new();
    for name in ["ca.pem", "server.pem", "server.key", "client.pem", "client.key"] {
        std::fs::copy(next.path(name), files.path(name)).unwrap();
    }
    server.restart();
    let (mut log, _) = world.open_when_up(&nats);
    log.put("1", "w", "1w");
    log.commit(Some("c2")).unwrap();
    // A certificate that is good again after it was bad, without a restart of anything.
    std::fs::write(files.path("client.pem"), "nothing").unwrap();
    let other = world.process();
    assert!(world.try_open(&other).is_err());
    std::fs::copy(next.path("client.pem"), files.path("client.pem")).unwrap();
    world.open(&other);
}

#[test]
fn a_file_of_credentials_that_was_exchanged_is_read_at_the_next_connect() {
    let operator = Operator::new();
    let test = "credentials_that_were_exchanged";
    let Some(mut server) = Server::start_with(test, &operator.settings) else { return };
    let file = std::env::temp_dir().join(talon_brokers::unique("creds"));
    std::fs::write(&file, operator.credentials(&KeyPair::new_user())).unwrap();
    let mut world = World::new(server.url());
    set(&mut world, &[("credentials.file", &file.display().to_string())]);
    let nats = world.process();
    world.open_when_up(&nats);
    // The server forgets its clients, and the old file would be refused.
    std::fs::write(&file, "nothing").unwrap();
    server.kill();
    server.restart();
    let refused = || matches!(world.try_open(&nats).map(drop), Err(BusFault::Misconfigured(_)));
    let since = Instant::now();
    while !refused() {
        assert!(since.elapsed() < Duration::from_secs(30), "the bad file is read");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::write(&file, operator.credentials(&KeyPair::new_user())).unwrap();
    let since = Instant::now();
    while world.try_open(&nats).is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "the good file is read");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn tls_first() {
    let files = Certificates::new();
    let settings = files.server("handshake_first: true");
    let Some(server) = Server::start_with("tls_first", &settings) else { return };
    works(&server, &[("tls.ca.file", &files.path("ca.pem")), ("tls.first", "true")]);
}
