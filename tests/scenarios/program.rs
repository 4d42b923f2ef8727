//! The program at the command line: check, plugins, schemas, dev; and what its crates may depend on.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{
    TOKEN, Talon, configuration, program, program_that_hears_signals, until, unused_address,
    upstream,
};
use talon_brokers::{Kafka, Registry, probe, unique};
use talon_contractor::contracts;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// How the program ended, and all that it printed.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn check(texts: &BTreeMap<String, String>, more: &[&str]) -> Ended {
    let file = support::write(texts);
    run(program().args(["check", "--config"]).arg(file.path()).args(more))
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect()
}

/// A configuration that refers to what is not there: variables, files, hosts.
fn unresolved() -> BTreeMap<String, String> {
    texts(&[
        ("bus.kafka.bootstrap.servers", "no-such-host.invalid:9092"),
        ("bus.kafka.client.rack", "${env:TALON_TEST_NOT_SET}"),
        ("schema.registry.url", "http://no-such-host.invalid:8081"),
        ("schema.registry.basic.auth.user.info", "user:${file:/no/such/file}"),
        ("connectors.field.class", "contractor"),
        ("connectors.field.upstream.url", "https://no-such-host.invalid"),
        ("connectors.field.auth.external.token", "${env:TALON_TEST_NOT_SET}"),
        ("connectors.field.upstream.ca.file", "/no/such/authority.pem"),
    ])
}

#[test]
fn invariant_10_a_check_does_no_io() {
    let ended = check(&unresolved(), &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("no problem"), "{}", ended.out);

    let mut references = unresolved();
    for key in
        ["bus.kafka.bootstrap.servers", "schema.registry.url", "connectors.field.upstream.url"]
    {
        references.insert(key.to_owned(), "${env:TALON_TEST_NOT_SET}".to_owned());
    }
    let ended = check(&references, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
}

#[test]
fn invariant_10_a_check_reports_every_problem_at_once_each_with_its_key() {
    let wrong = texts(&[
        ("talon.prefix", "with blanks"),
        ("talon.prefxi", "near"),
        ("http.listen", "everywhere"),
        ("http.auth.operators", "anna"),
        ("http.auth.token.a.b", "canary-token"),
        ("shutdown.timeout.ms", "soon"),
        ("talon.test.clock.file", "relative"),
        ("schema.registry.url", "registry:8081"),
        ("bus.kafka.no.such.property", "1"),
        ("bus.kafka.transactional.id", "mine"),
        ("bus.kafka.socket.timeout.ms", "canary-not-a-number"),
        ("connectors.one.class", "contractor"),
        ("connectors.one.upstream.url", "ftp://canary-host"),
        ("connectors.one.call.pol.interval.ms", "5"),
        ("connectors.one.call.poll.interval.ms", "0"),
        ("connectors.one.feeds", "call,calls"),
        ("connectors.one.time.zone", "Europe/Nowhere"),
        ("connectors.one.delivery", "perhaps"),
        ("connectors.one.auth.external.token", "${vault:canary}"),
        ("connectors.one.pii.hash.salt", "${env:"),
        ("connectors.one.upstream.client.key.file", "/key.pem"),
        ("connectors.two.class", "contractr"),
        ("connectors.three.upstream.url", "https://host"),
        ("connectors.four.class", "contractor"),
        ("connectors.f/ve.class", "contractor"),
    ]);
    let ended = check(&wrong, &[]);
    assert_eq!(ended.code, Some(2), "{}{}", ended.out, ended.err);
    assert!(!format!("{}{}", ended.out, ended.err).contains("canary"), "{}", ended.err);
    let problems: Vec<&str> = ended.err.lines().filter(|line| line.starts_with("  `")).collect();
    for (key, part) in [
        ("talon.prefix", "with blanks"),
        ("talon.prefxi", "did you mean `talon.prefix`?"),
        ("http.listen", "expected an address and a port"),
        ("http.auth.operators", "set `http.auth.users`"),
        ("http.auth.token.a.b", "is unknown"),
        ("shutdown.timeout.ms", "a whole number from"),
        ("talon.test.clock.file", "expected an absolute path"),
        ("schema.registry.url", "is no URL"),
        ("bus.kafka.no.such.property", "no property of librdkafka"),
        ("bus.kafka.bootstrap.servers", "is not set"),
        ("bus.kafka.transactional.id", "set by Talon"),
        ("bus.kafka.socket.timeout.ms", "does not take"),
        ("connectors.one.upstream.url", "is no URL"),
        ("connectors.one.call.pol.interval.ms", "did you mean `call.poll.interval.ms`?"),
        ("connectors.one.call.poll.interval.ms", "a whole number from"),
        ("connectors.one.feeds", "`calls`"),
        ("connectors.one.time.zone", "a time zone"),
        ("connectors.one.delivery", "one of `exactly-once`, `at-least-once`"),
        ("connectors.one.auth.external.token", "neither `${env:NAME}` nor `${file:/path}`"),
        ("connectors.one.pii.hash.salt", "neither `${env:NAME}` nor `${file:/path}`"),
        ("connectors.one.upstream.client.certificate.file", "is not set"),
        (
            "connectors.two.class",
            "expected one of `connect1c`, `contractor`, `enter-export`, `enter-rest`, `quickq`",
        ),
        ("connectors.three.class", "is not set"),
        ("connectors.four.upstream.url", "is not set"),
        ("connectors.f/ve.upstream.url", "is not set"),
        ("connectors.f/ve", "no name for a connector"),
    ] {
        let mine = problems.iter().filter(|line| line.starts_with(&format!("  `{key}` ")));
        let mine: Vec<_> = mine.collect();
        assert!(mine.len() == 1 && mine[0].contains(part), "{key} {part}: {}", ended.err);
    }
    assert_eq!(problems.len(), 26, "{}", ended.err);
}

#[test]
fn a_check_refuses_two_instances_that_would_take_a_workplace_from_each_other() {
    let of = |other_url: &'static str, other_place: &'static str| {
        let mut all = texts(&[("bus.kafka.bootstrap.servers", "kafka:9092")]);
        for (name, url, place) in [
            ("one", "http://branch:8002/api/1", "window01,window02"),
            ("two", other_url, other_place),
        ] {
            let set = |key: &str, text: &str| (format!("connectors.{name}.{key}"), text.to_owned());
            all.extend([
                set("class", "enter-rest"),
                set("upstream.url", url),
                set("feeds", "workplace"),
                set("commands", ""),
                set("workplaces", place),
            ]);
            for place in place.split(',') {
                all.extend([
                    set(&format!("auth.operator.{place}.login"), "talon"),
                    set(&format!("auth.operator.{place}.password"), "${env:CANARY}"),
                ]);
            }
        }
        check(&all, &[])
    };
    let ended = of("http://Branch:8002/api/1/", "window02,window03");
    assert_eq!(ended.code, Some(2), "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("`connectors.two.workplaces` names what `connectors.one` has too"),
        "{}",
        ended.err
    );
    for (url, place) in [
        ("http://branch:8002/api/1", "window03"),
        ("http://other:8002/api/1", "window01"),
        ("${env:OTHER_URL}", "window01"),
    ] {
        let ended = of(url, place);
        assert_eq!(ended.code, Some(0), "{url} {place}: {}{}", ended.out, ended.err);
    }
}

#[test]
fn what_is_no_configuration_is_refused_with_2_or_said_to_be_missing() {
    for (yaml, part) in [
        ("", "names no bus"),
        ("- a\n- b\n", "no map of settings"),
        ("a: [", "is no YAML"),
        ("talon:\n  prefix: a\ntalon.prefix: b\nconnectors: {}\n", "is set twice"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        for command in ["check", "run"] {
            let ended = run(program().args([command, "--config"]).arg(file.path()));
            assert_eq!(ended.code, Some(2), "{yaml}: {}", ended.err);
            assert!(ended.err.contains(part), "{yaml}: {}", ended.err);
        }
    }
    let ended = run(program().args(["check", "--config", "/no/such/file.yaml"]));
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains("/no/such/file.yaml"), "{}", ended.err);
}

#[test]
fn a_secret_that_leads_nowhere_ends_a_run_with_2_and_a_value_is_never_shown() {
    let file = support::write(&unresolved());
    let ended = run(program().args(["run", "--config"]).arg(file.path()));
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    for (key, part) in [
        ("bus.kafka.client.rack", "`TALON_TEST_NOT_SET`, which is not set"),
        ("schema.registry.basic.auth.user.info", "the file `/no/such/file` cannot be read"),
        ("connectors.field.auth.external.token", "`TALON_TEST_NOT_SET`, which is not set"),
    ] {
        let named =
            ended.err.lines().any(|line| line.contains(&format!("`{key}`")) && line.contains(part));
        assert!(named, "{key}: {}", ended.err);
    }

    // Secrets where none should be: their values are not shown either.
    let mut misplaced = texts(&[
        ("bus.kafka.bootstrap.servers", "127.0.0.1:1"),
        ("bus.kafka.socket.timeout.ms", "${env:CANARY}"),
        ("connectors.field.class", "contractor"),
        ("connectors.field.auth.external.token", "${env:CANARY}"),
    ]);
    for key in [
        "upstream.url",
        "call.poll.interval.ms",
        "feeds",
        "time.zone",
        "auth.external.header",
        "format",
    ] {
        misplaced.insert(format!("connectors.field.{key}"), "${env:CANARY}".to_owned());
    }
    for key in ["talon.prefix", "http.listen", "schema.registry.url"] {
        misplaced.insert(key.to_owned(), "${env:CANARY}".to_owned());
    }
    let file = support::write(&misplaced);
    for arguments in
        [&["check", "--probe", "--config"][..], &["run", "--config"], &["check", "--config"]]
    {
        let ended =
            run(program().args(arguments).arg(file.path()).env("CANARY", "canary value!\u{7f}"));
        let resolves = arguments.len() != 2 || arguments[0] == "run";
        assert_eq!(ended.code, Some(if resolves { 2 } else { 0 }), "{arguments:?} {}", ended.err);
        assert!(!format!("{}{}", ended.out, ended.err).contains("canary"), "{}", ended.err);
    }
}

#[test]
fn the_example_of_each_connector_has_no_problem() {
    for example in ["contractor/example", "enter/example", "enter/example-rest", "quickq/example"] {
        let example = root().join("connectors").join(format!("{example}.yaml"));
        let ended = run(program().args(["check", "--config"]).arg(example));
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    }
}

#[test]
fn plugins_tell_every_feed_and_every_setting() {
    let ended = run(program().arg("plugins"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.lines().any(|line| line.starts_with("contractor ")), "{}", ended.out);

    let ended = run(program().args(["plugins", "contractor"]));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let has = |name: &str| ended.out.lines().any(|line| line == format!("  {name}"));
    for feed in ["call", "call_message", "call_jeopardy", "call_task", "call_cost"] {
        assert!(has(feed), "{feed}: {}", ended.out);
        assert!(has(&format!("{feed}.poll.interval.ms")), "{feed}");
    }
    let class =
        <talon_contractor::Contractor as talon_sdk::Class>::keys(&talon_contractor::Contractor);
    assert!(class.len() > 20);
    for key in class.iter().chain(&talon_runtime::options::keys()) {
        assert!(has(&key.name), "{}", key.name);
        assert!(!key.doc.is_empty(), "{} is not documented", key.name);
        assert!(ended.out.contains(&*key.doc), "{}", key.name);
    }
    for key in
        ["talon.prefix", "talon.group", "http.listen", "shutdown.timeout.ms", "schema.registry.url"]
    {
        assert!(has(key), "{key}");
    }
    assert!(!ended.out.contains("talon.test"), "what is for tests alone is on no page");

    let ended = run(program().args(["plugins", "no-such-class"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("contractor"), "{}", ended.err);
}

fn golden(name: &str) -> Value {
    let file = root().join(format!("schemas/golden/{name}.avsc"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn schemas_are_those_of_the_golden_files() {
    let ended = run(program().arg("schemas"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    let mut feeds = BTreeSet::new();
    for entry in &printed {
        let class = entry["class"].as_str().unwrap();
        let name = match (entry["feed"].as_str(), entry["topic"].as_str()) {
            (Some(feed), _) => format!("{class}.{feed}"),
            (None, Some("results")) => "result".to_owned(),
            (None, topic) => format!("{class}.{}", topic.unwrap()),
        };
        assert_eq!(entry["schema"], golden(&name), "{name}");
        // What becomes of commands is told alike by every connector.
        assert!(feeds.insert(format!("{name}.avsc")) || name == "result", "{name} twice");
    }
    let files = std::fs::read_dir(root().join("schemas/golden")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|file| file.ends_with(".avsc")).collect();
    assert_eq!(feeds, files);
}

#[test]
fn every_envelope_is_named_by_its_class_and_feed() {
    let ended = run(program().arg("schemas"));
    let printed: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    let feeds = printed.iter().filter(|entry| entry["feed"].is_string());
    for entry in feeds.clone() {
        let text = |name: &str| entry[name].as_str().unwrap().replace('-', "_");
        let namespace = format!("talon.{}.{}", text("class"), text("feed"));
        let schema = &entry["schema"];
        assert_eq!(
            (&schema["namespace"], &schema["name"]),
            (&namespace.into(), &"Envelope".into())
        );
    }
    assert!(feeds.count() > 20);
}

#[test]
fn with_instants_in_millis_the_schemas_of_a_configuration_say_so() {
    let mut texts = configuration("t", "no-such-host.invalid:9092", "http://no-such-host.invalid");
    texts.insert("connectors.field.instants".to_owned(), "millis".to_owned());
    let file = support::write(&texts);
    let ended = run(program().args(["schemas", "--config"]).arg(file.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(printed[0]["subject"], "t.field.call-value");
    assert_eq!(printed[0]["schema"], golden("millis/contractor.call"));
    let of = |topic: &str| {
        printed.iter().find(|entry| entry["subject"] == format!("t.field.{topic}-value"))
    };
    assert_eq!(of("results").unwrap()["schema"], golden("result"), "results stay as they are");

    texts.insert("connectors.field.instants".to_owned(), "days".to_owned());
    let file = support::write(&texts);
    let ended = run(program().args(["check", "--config"]).arg(file.path()));
    assert_eq!(ended.code, Some(2));
    let told = ended.out + &ended.err;
    assert!(told.contains("connectors.field.instants") && told.contains("millis"), "{told}");
}

#[test]
fn schemas_are_registered_under_the_subjects_of_the_configuration() {
    let Some(registry) = Registry::shared("register") else { return };
    let prefix = unique("register");
    let mut texts =
        configuration(&prefix, "no-such-host.invalid:9092", "http://no-such-host.invalid");
    let file = support::write(&texts);
    let ended = run(program().args(["schemas", "--register", "--config"]).arg(file.path()));
    assert_eq!(ended.code, Some(1), "without a registry: {}", ended.out);
    assert!(ended.err.contains("`schema.registry.url`"), "{}", ended.err);

    texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
    let file = support::write(&texts);
    let ended = run(program().args(["schemas", "--config"]).arg(file.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed: Vec<Value> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(printed[0]["subject"], format!("{prefix}.field.call-value"));

    // Once more is the same.
    let mut outs = BTreeSet::new();
    for _ in 0..2 {
        let ended = run(program().args(["schemas", "--register", "--config"]).arg(file.path()));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        outs.insert(ended.out);
    }
    assert_eq!(outs.len(), 1, "{outs:?}");
    for feed in ["call", "call_message", "call_jeopardy", "call_task"] {
        let url =
            format!("{}/subjects/{prefix}.field.{feed}-value/versions/latest", registry.url());
        let (status, body) = probe::http("GET", &url, "").unwrap();
        assert_eq!(status, 200, "{body}");
        let registered: Value = serde_json::from_str(&body).unwrap();
        let schema: Value = serde_json::from_str(registered["schema"].as_str().unwrap()).unwrap();
        assert_eq!(schema, golden(&format!("contractor.{feed}")), "{feed}");
        let told =
            format!("{prefix}.field.{feed}-value is registered with id {}", registered["id"]);
        assert!(outs.first().unwrap().contains(&told), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_what_answers_and_where_a_registry_answers_instead() {
    let Some(kafka) = Kafka::shared("probe") else { return };
    let Some(registry) = Registry::shared("probe") else { return };
    let upstream = upstream(10, 89).await;
    let prefix = unique("probe");
    let mut well = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    well.insert("schema.registry.url".to_owned(), registry.url().to_owned());
    let ended = check(&well, &["--probe"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(!ended.out.contains("failed"), "{}", ended.out);
    for part in [
        "Kafka at",
        "schema registry",
        &format!("schema of `{prefix}.field.call`"),
        "upstream of `field`",
    ] {
        let ok = ended.out.lines().any(|line| line.starts_with("  ok") && line.contains(part));
        assert!(ok, "{part}: {}", ended.out);
    }
    // A real registry at another path.
    let right = registry.url();
    let wrong = format!("{right}-of-another-version");
    well.insert("schema.registry.url".to_owned(), wrong);
    let ended = check(&well, &["--probe"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    let told = format!("one answers at `{right}`");
    let failed = |line: &str| line.starts_with("  failed  schema registry") && line.contains(&told);
    assert!(ended.out.lines().any(failed), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_everything_that_does_not_answer() {
    let upstream = upstream(10, 97).await;
    let nobody = unused_address();
    let mut ill = configuration(&unique("ill"), &nobody, &upstream.url());
    ill.insert("schema.registry.url".to_owned(), format!("http://{nobody}"));
    ill.insert("connectors.field.auth.external.token".to_owned(), "canary-wrong".to_owned());
    ill.insert("connectors.field.feeds".to_owned(), "call".to_owned());
    let ended = check(&ill, &["--probe"]);
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    for part in ["Kafka at", "schema registry", "upstream of `field`"] {
        let failed =
            ended.out.lines().any(|line| line.starts_with("  failed") && line.contains(part));
        assert!(failed, "{part}: {}", ended.out);
    }
    assert!(ended.out.contains("`auth.external.token`"), "{}", ended.out);
    let all = format!("{}{}", ended.out, ended.err);
    assert!(!all.contains(TOKEN) && !all.contains("canary"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_shows_the_whole_product_and_ends_at_ctrl_c() {
    let mut command = program_that_hears_signals();
    command.args(["dev", "--listen", "127.0.0.1:0", "--calls", "50", "--edits-per-second", "20"]);
    let mut talon = Talon::spawn(command);
    let mut address = String::new();
    until("it prints the broker's address", async || {
        let log = talon.log();
        let kafka = log.lines().find_map(|line| line.trim().strip_prefix("bus        Kafka at "));
        address =
            kafka.and_then(|rest| rest.split_whitespace().next()).unwrap_or_default().to_owned();
        !address.is_empty()
    })
    .await;
    talon.ready().await;
    let page = format!("page       {}/", talon.url().await);
    assert_eq!(talon.lines(&[&page]), 1, "{}", talon.log());
    let upstreams = ["field-service", "queue", "queue-history", "hall", "lines"];
    for name in upstreams {
        assert_eq!(talon.lines(&[&format!("  {name}  "), "://127.0.0.1:"]), 1, "{}", talon.log());
    }
    until("it shows a change", async || {
        talon.log().lines().any(|line| line.starts_with("u ") && line.contains('→'))
    })
    .await;
    let (status, page) = talon.get("/").await;
    assert_eq!(status, 200);
    for name in upstreams {
        assert!(page.contains(name), "{page}");
        let first = format!("r {name}.");
        until(&format!("`{name}` is read"), async || {
            talon.log().lines().any(|line| line.starts_with(&first))
        })
        .await;
    }
    // A visitor is called, and a call written to: commands, each with its outcome.
    for kind in ["NextConsumer", "InviteNext", "SendDispatcherMessage"] {
        until(&format!("`{kind}` is applied"), async || {
            talon.log().lines().any(|line| {
                line.starts_with("! ") && line.contains(kind) && line.contains("APPLIED")
            })
        })
        .await;
    }

    // Any client reads the events from the printed address.
    let topic = "talon.field-service.call";
    until("an update is on the topic", async || {
        let records = support::consumer::read(&address, topic);
        records
            .iter()
            .filter_map(|record| record.event(&contracts::CALL))
            .any(|event| event["op"] == "u")
    })
    .await;
    talon.signal("INT");
    assert_eq!(talon.ended().await.code(), Some(0), "{}", talon.log());
    assert_eq!(talon.lines(&["ERROR"]), 0, "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_runs_some_of_the_upstreams_and_prints_the_addresses_alone() {
    let mut command = program_that_hears_signals();
    let only = ["dev", "--listen", "127.0.0.1:0", "--only", "quickq,connect1c", "--quiet"];
    command.args(only);
    let mut talon = Talon::spawn(command);
    talon.ready().await;
    for line in
        ["page http://127.0.0.1:", "bus Kafka at 127.0.0.1:", "queue ws://", "lines http://"]
    {
        assert_eq!(talon.lines(&[line]), 1, "{}", talon.log());
    }
    let (_, page) = talon.get("/").await;
    assert!(page.contains("lines") && !page.contains("field-service"), "{page}");
    until("something is read", async || {
        talon.metric(r#"talon_feed_entities{connector="lines",feed="open_treatment"}"#).await > 0.0
    })
    .await;
    for start in ["r ", "u ", "c ", "! "] {
        assert!(!talon.log().lines().any(|line| line.starts_with(start)), "{}", talon.log());
    }
    talon.signal("INT");
    assert_eq!(talon.ended().await.code(), Some(0), "{}", talon.log());
}

#[test]
fn crates_depend_only_on_what_the_design_lets_them() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let folder = metadata["workspace_root"].as_str().unwrap();
    assert!(packages.len() <= 16, "{} crates", packages.len());

    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let place = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let inside = Path::new(&manifest).strip_prefix(folder).unwrap().parent().unwrap();
        inside.display().to_string()
    };
    let connectors: BTreeSet<String> = packages
        .iter()
        .filter(|package| {
            let place = place(package);
            place.starts_with("connectors/")
                && !["connectors/derive", "connectors/sdk", "connectors/http"].contains(&&*place)
        })
        .map(|package| text(&package["name"]))
        .collect();
    assert!(connectors.contains("talon-contractor"));
    let buses = ["talon-kafka", "talon-nats"];
    let clients = [("rdkafka", "talon-kafka"), ("async-nats", "talon-nats")];

    for package in packages {
        let (name, place) = (text(&package["name"]), place(package));
        let is_test = place.starts_with("tests/");
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = text(&dependency["name"]);
            let breach = format!("`{name}` must not depend on `{other}`");
            let for_tests = dependency["kind"] == "dev";
            let ours = names.contains(&other);
            if let Some((_, owner)) = clients.iter().find(|(client, _)| *client == other) {
                assert!(name == *owner || is_test || (name == "talon" && for_tests), "{breach}");
            }
            if connectors.contains(&other) || buses.contains(&&*other) {
                assert!(name == "talon" || is_test, "{breach}");
            }
            if for_tests || !ours {
                continue;
            }
            let allowed: &[&str] = match &*place {
                "schemas" => &[],
                "connectors/derive" => &[],
                "connectors/sdk" => &["talon-derive", "talon-schemas"],
                "connectors/http" => &["talon-sdk"],
                place if place.starts_with("connectors/") => {
                    &["talon-sdk", "talon-http", "talon-schemas"]
                }
                // The registry is asked as upstreams are: one rule for proxies.
                "bridge/runtime" => &["talon-http", "talon-sdk", "talon-schemas"],
                place if place.starts_with("bridge/") && name != "talon" => {
                    &["talon-runtime", "talon-sdk", "talon-schemas"]
                }
                _ => continue,
            };
            assert!(allowed.contains(&&*other), "{breach}");
        }
    }
}
