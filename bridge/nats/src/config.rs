//! The settings below `bus.nats.`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;
use talon_sdk::config::{Importance, Key, Problem, Secrets, Settings};

use crate::login::Login;

/// What stands before every key here in a configuration.
pub const SECTION: &str = "bus.nats.";

/// Declares the settings.
pub fn keys() -> Vec<Key> {
    [
        Key::text("servers")
            .required()
            .importance(Importance::High)
            .doc("Servers, separated by commas: `nats://nats:4222`, or `tls://` for TLS. Others of the cluster are learnt from them."),
        Key::text("user").importance(Importance::Medium).doc("User name, with `password`."),
        Key::secret("password").importance(Importance::Medium).doc("Password of `user`."),
        Key::secret("token").importance(Importance::Medium).doc("Token, instead of a user."),
        Key::secret("nkey.seed")
            .importance(Importance::Medium)
            .doc("Seed of an NKey (`SU…`), instead of a user."),
        Key::text("credentials.file")
            .importance(Importance::Medium)
            .doc("File with the JWT and the seed of a user (`.creds`), instead of a user. Read at every connect."),
        Key::flag("tls.required")
            .default("false")
            .importance(Importance::Medium)
            .doc("Whether to insist on TLS, also where the server does not."),
        Key::flag("tls.first")
            .default("false")
            .doc("TLS before the server says anything, for servers with `handshake_first`."),
        Key::text("tls.ca.file")
            .importance(Importance::Medium)
            .doc("PEM file with the roots to trust instead of the system's. Read at every connect."),
        Key::text("tls.certificate.file")
            .doc("PEM file with the client's certificate, for mutual TLS; with `tls.key.file`. Read at every connect."),
        Key::text("tls.key.file").doc("PEM file with the key of `tls.certificate.file`. Read at every connect."),
        Key::text("inbox.prefix")
            .default("_INBOX")
            .doc("Subject prefix for replies, where the account's rights name one."),
        Key::text("jetstream.domain")
            .doc("JetStream domain, where the streams are behind a leaf node."),
        Key::whole("connect.timeout.ms", 100, 600_000)
            .default("5000")
            .doc("How long one attempt to connect may take."),
        Key::whole("ping.interval.ms", 100, 600_000)
            .default("10000")
            .doc("How often the server is asked for a sign of life; after two without an answer the connection is made anew."),
        Key::whole("max.in.flight", 1, 10_000)
            .default("2000")
            .doc("Records on their way that are not acknowledged yet, for each connector; and never more than 64 MB of them."),
        Key::whole("lease.ttl.ms", 1_000, 600_000)
            .default("10000")
            .doc("How long a process that is silent keeps its connectors before another takes them over."),
        Key::whole("commands.ack.wait.ms", 1_000, 600_000)
            .default("30000")
            .doc("How long the server waits for a sign of life of a command that runs before it delivers it again. Talon gives one three times as often."),
        Key::whole("stream.history", 2, 1_000_000)
            .default("64")
            .importance(Importance::Medium)
            .doc("How many records of one entity a stream that Talon creates keeps. At least two, so that the marker behind a delete does not push the delete out."),
        Key::whole("duplicate.window.ms", 1_000, 86_400_000)
            .default("120000")
            .doc("How long a stream that Talon creates remembers message ids. A stream that exists must remember them at least so long. Takes memory of the server for each record in it."),
        Key::choice("dlq.discard", &["new", "old"])
            .default("new")
            .doc("What a full stream of dead letters that Talon creates does: `new` refuses further ones, which stops the connector, `old` drops the oldest."),
    ]
    .into_iter()
    .chain(SIZES.iter().map(|(name, what)| {
        Key::whole(*name, 0, 1 << 50).default("0").doc(format!(
            "Largest size of the {what} that Talon creates, bytes; 0 is without a bound. Needed where the account has `max_bytes_required`. A larger one is also given to a stream that is there. Full, it refuses records."
        ))
    }))
    .collect()
}

/// The settings of sizes, and of what.
const SIZES: [(&str, &str); 8] = [
    ("feeds.max.bytes", "stream of a connector's feeds"),
    ("dlq.max.bytes", "stream of a connector's dead letters"),
    ("checkpoints.max.bytes", "bucket of the checkpoints"),
    ("leases.max.bytes", "bucket of the leases"),
    ("commands.max.bytes", "stream of a connector's commands"),
    ("results.max.bytes", "stream of what became of a connector's commands"),
    ("configs.max.bytes", "bucket of what is configured at run time"),
    ("status.max.bytes", "bucket of the states of connectors"),
];

/// Largest sizes of what Talon creates, bytes; -1 is without a bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) feeds: i64,
    pub(crate) dead_letters: i64,
    pub(crate) checkpoints: i64,
    pub(crate) leases: i64,
    pub(crate) commands: i64,
    pub(crate) results: i64,
    pub(crate) configs: i64,
    pub(crate) status: i64,
}

impl Sizes {
    fn read(settings: &Settings<'_>) -> Sizes {
        let [feeds, dead_letters, checkpoints, leases, commands, results, configs, status] = SIZES
            .map(|(name, _)| match settings.whole(name) {
                0 => -1,
                bytes => i64::try_from(bytes).unwrap_or(i64::MAX),
            });
        Sizes { feeds, dead_letters, checkpoints, leases, commands, results, configs, status }
    }
}

/// Everything that is wrong with the settings, each with its full key. Does no I/O where `secrets` are
/// not resolved.
pub fn problems(texts: &BTreeMap<String, String>, secrets: &Secrets) -> Vec<Problem> {
    let keys = keys();
    let mut settings = Settings::new(SECTION, &keys, texts.clone(), secrets);
    Access::read(&mut settings);
    settings.into_problems()
}

/// How to reach the servers, and what streams that are created look like.
pub(crate) struct Access {
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) login: Login,
    pub(crate) tls_required: bool,
    pub(crate) tls_first: bool,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) inbox: String,
    pub(crate) domain: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) max_in_flight: usize,
    pub(crate) lease: Duration,
    pub(crate) ack_wait: Duration,
    pub(crate) history: i64,
    pub(crate) duplicate_window: Duration,
    pub(crate) sizes: Sizes,
    /// A full stream of dead letters drops the oldest.
    pub(crate) drops_dead_letters: bool,
}

impl Access {
    /// Reads the settings and notes what is wrong with them; `None` if something is.
    pub(crate) fn read(settings: &mut Settings<'_>) -> Option<Access> {
        let servers = servers(settings);
        let login = login(settings);
        let path = |name: &str| Some(settings.text(name)).filter(|path| !path.is_empty());
        let roots = path("tls.ca.file").map(PathBuf::from);
        let pair = (path("tls.certificate.file"), path("tls.key.file"));
        let domain = path("jetstream.domain");
        let certificate = match pair {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            (Some(_), None) => {
                settings.problem("tls.key.file", "is not set, but `tls.certificate.file` is");
                None
            }
            (None, Some(_)) => {
                settings.problem("tls.certificate.file", "is not set, but `tls.key.file` is");
                None
            }
        };
        let inbox = settings.text("inbox.prefix");
        for (name, text, dots) in
            [("inbox.prefix", Some(&inbox), true), ("jetstream.domain", domain.as_ref(), false)]
        {
            if text.is_some_and(|text| !is_subject(text, dots)) {
                settings.problem(name, "is no subject without wildcards");
            }
        }
        let access = Access {
            servers: servers.unwrap_or_default(),
            login: login.unwrap_or(Login::Nobody),
            tls_required: settings.flag("tls.required"),
            tls_first: settings.flag("tls.first"),
            roots,
            certificate,
            inbox,
            domain,
            connect_timeout: settings.millis("connect.timeout.ms"),
            ping_interval: settings.millis("ping.interval.ms"),
            max_in_flight: usize::try_from(settings.whole("max.in.flight")).unwrap_or(1).max(1),
            lease: settings.millis("lease.ttl.ms"),
            ack_wait: settings.millis("commands.ack.wait.ms"),
            history: i64::try_from(settings.whole("stream.history")).unwrap_or(i64::MAX),
            duplicate_window: settings.millis("duplicate.window.ms"),
            sizes: Sizes::read(settings),
            drops_dead_letters: settings.text("dlq.discard") == "old",
        };
        settings.problems().is_empty().then_some(access)
    }
}

fn is_subject(text: &str, dots: bool) -> bool {
    let token = |token: &str| {
        !token.is_empty() && !token.contains(['*', '>']) && !token.contains(char::is_whitespace)
    };
    if dots { text.split('.').all(token) } else { token(text) && !text.contains('.') }
}

fn servers(settings: &mut Settings<'_>) -> Option<Vec<ServerAddr>> {
    let mut servers: Vec<ServerAddr> = Vec::new();
    let texts = settings.list("servers");
    if texts.is_empty() && settings.is_set("servers") && settings.problems().is_empty() {
        // A reference that is not resolved yet is empty here too.
        return None;
    }
    for text in texts {
        // A URL with a password in it is not quoted.
        let wrong = match text.parse::<ServerAddr>() {
            Ok(server) if server.has_user_pass() || text.contains('@') => {
                "has a user or password in a URL; use `user`, `password` or `token`"
            }
            Ok(server) if !matches!(server.scheme(), "nats" | "tls") => {
                "has a URL with another scheme than `nats` or `tls`"
            }
            Ok(server) => {
                servers.push(server);
                continue;
            }
            Err(_) => "has something that is no URL of a server, expected `nats://host:4222`",
        };
        settings.problem("servers", wrong);
        return None;
    }
    Some(servers)
}

fn login(settings: &mut Settings<'_>) -> Option<Login> {
    const WAYS: [&str; 4] = ["user", "token", "nkey.seed", "credentials.file"];
    let set: Vec<&str> = WAYS.into_iter().filter(|name| settings.is_set(name)).collect();
    if let [first, second, ..] = set[..] {
        let why = format!("is set beside `{first}`; there is one way to log in");
        settings.problem(second, why);
        return None;
    }
    match (set.first(), settings.is_set("password")) {
        (Some(&"user"), false) => {
            settings.problem("password", "is not set, but `user` is");
            return None;
        }
        (Some(&"user"), true) | (None, false) => {}
        (_, true) => {
            settings.problem("user", "is not set, but `password` is");
            return None;
        }
        _ => {}
    }
    Some(match set.first().copied() {
        Some("user") => Login::User(settings.secret("user")?, settings.secret("password")?),
        Some("token") => Login::Token(settings.secret("token")?),
        Some("nkey.seed") => Login::NKey(settings.secret("nkey.seed")?),
        Some(_) => Login::Credentials(settings.text("credentials.file").into()),
        None => Login::Nobody,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(texts: &[(&str, &str)]) -> Vec<String> {
        let texts = texts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        problems(&texts, &Secrets::Unresolved).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plain_configuration_has_no_problems() {
        for servers in
            ["nats://a:4222", "a, tls://b:4222 ,c:1", "${env:SERVERS}", "nats://[::1]:4222"]
        {
            assert_eq!(problems_of(&[("servers", servers)]), [""; 0], "{servers}");
        }
    }

    #[test]
    fn every_problem_names_its_key_and_no_secret() {
        for (texts, expected) in [
            (&[][..], "`bus.nats.servers` is not set"),
            (&[("servers", "")], "`bus.nats.servers` is empty"),
            (&[("servers", "nats://me:hunter2@a:1")], "`bus.nats.servers` has a user or password"),
            (&[("servers", "http://a:1")], "`bus.nats.servers` has something that is no URL"),
            (&[("servers", "a"), ("user", "me")], "`bus.nats.password` is not set"),
            (&[("servers", "a"), ("password", "hunter2")], "`bus.nats.user` is not set"),
            (
                &[("servers", "a"), ("token", "hunter2"), ("nkey.seed", "hunter2")],
                "`bus.nats.nkey.seed` is set beside `token`",
            ),
            (&[("servers", "a"), ("tls.key.file", "k")], "`bus.nats.tls.certificate.file` is not"),
            (&[("servers", "a"), ("inbox.prefix", "a.*")], "`bus.nats.inbox.prefix` is no subject"),
            (&[("servers", "a"), ("jetstream.domain", "a.b")], "`bus.nats.jetstream.domain` is no"),
            (&[("servers", "a"), ("stream.history", "1")], "`bus.nats.stream.history` is `1`"),
            (&[("servers", "a"), ("serverz", "b")], "did you mean `servers`"),
        ] {
            let problems = problems_of(texts);
            assert!(problems.iter().any(|p| p.contains(expected)), "{expected}: {problems:?}");
            assert!(!problems.iter().any(|p| p.contains("hunter2")), "{problems:?}");
        }
    }
}
