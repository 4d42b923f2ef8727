//! Settings of the commands: which are on, and what is wrong with a configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::Registry;
use serde_json::json;
use talon_contractor::Contractor;
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{ApplyFault, Class, Clock, Context, UpstreamMetrics};

use crate::cases::{Stage, bring};
use crate::world::{WITH_USER, command, configure, simulator_settings, world_with};

const DANGEROUS: [&str; 4] = ["RegisterUser", "ChangePassword", "LockUser", "CompleteSharedCall"];

fn enabled(settings: &[(&str, &str)]) -> Vec<&'static str> {
    let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    let mut all = vec![("upstream.url".to_owned(), "http://localhost:1".to_owned())];
    all.extend(settings.iter().map(own));
    let (connector, problems) = configure(all, Clock::System);
    assert_eq!(problems, []);
    connector.unwrap().commands().iter().map(|spec| spec.name).collect()
}

#[test]
fn the_dangerous_commands_are_off_unless_named_and_those_of_users_need_one() {
    let user = [("auth.user.name", "x"), ("auth.user.password", "y")];
    let with_user = enabled(&user);
    assert_eq!(with_user.len(), 27 - DANGEROUS.len());
    assert!(DANGEROUS.iter().all(|name| !with_user.contains(name)));
    let without = enabled(&[]);
    assert!(without.contains(&"CreateCall") && !without.contains(&"SetCallStatus"));
    assert_eq!(without.len(), 7);
    assert_eq!(enabled(&[("commands", "")]), [""; 0]);
    let some = [("commands", "LockUser, CloseCall")];
    assert_eq!(enabled(&some), ["CloseCall", "LockUser"]);
    let named = [("auth.user.anna.name", "x"), ("auth.user.anna.password", "y")];
    assert!(enabled(&named).contains(&"SetCallStatus"));
}

#[test]
fn a_reply_is_given_up_after_the_time_limit_of_requests() {
    for (settings, expected_ms) in
        [(&[][..], 30_000), (&[("upstream.request.timeout.ms", "700")][..], 700)]
    {
        let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
        let mut all = vec![("upstream.url".to_owned(), "http://localhost:1".to_owned())];
        all.extend(settings.iter().map(own));
        let (connector, problems) = configure(all, Clock::System);
        assert_eq!(problems, []);
        let expected = Duration::from_millis(expected_ms);
        assert_eq!(connector.unwrap().request_timeout(), expected);
    }
}

#[test]
fn every_problem_is_told_at_once_and_nothing_is_read() {
    let texts = [
        ("upstream.url", "http://localhost:1"),
        ("auth.user.name", "x"),
        ("auth.user.anna.password", "${file:/no/such/файл}"),
        ("auth.user.header", "no header"),
        ("auth.user.b.nmae", "x"),
        ("commands", "CloseCal"),
        ("commands.createcall.marker", "both"),
        ("commands.templink.publish", "yes"),
        ("attachments.max.bytes", "0"),
        ("attachments.file.root", "relative/path"),
        ("attachments.http.hosts", "http://host/"),
    ];
    let texts: BTreeMap<_, _> =
        texts.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
    let keys = Contractor.keys();
    // Nothing is resolved here: a file that is not there is no problem of a check.
    let secrets = Secrets::Unresolved;
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "field".to_owned(), clock: Clock::System, metrics };
    assert!(Contractor.configure(&mut settings, context).is_none());
    let mut wrong: Vec<String> =
        settings.into_problems().into_iter().map(|problem| problem.key).collect();
    wrong.sort();
    assert_eq!(
        wrong,
        [
            "attachments.file.root",
            "attachments.http.hosts",
            "attachments.max.bytes",
            "auth.user.anna.name",
            "auth.user.b.nmae",
            "auth.user.header",
            "auth.user.password",
            "commands",
            "commands.createcall.marker",
            "commands.templink.publish",
        ]
    );
}

#[test]
fn a_users_command_that_is_named_without_a_user_is_a_problem() {
    let texts = [("upstream.url", "http://localhost:1"), ("commands", "CloseCall,SendMessage")];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
    let (_, problems) = configure(texts, Clock::System);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("SendMessage"), "{}", problems[0]);
    assert!(!problems[0].message.contains("CloseCall"), "{}", problems[0]);
}

#[test]
fn a_connector_without_feeds_carries_commands_and_one_without_both_is_a_problem() {
    assert_eq!(enabled(&[("feeds", ""), ("commands", "CloseCall")]), ["CloseCall"]);
    let texts = [("upstream.url", "http://localhost:1"), ("commands", ""), ("feeds", "")];
    let texts = texts.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
    let (_, problems) = configure(texts, Clock::System);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].key, "feeds");
}

#[tokio::test]
async fn a_temporary_link_is_not_published_unless_that_is_configured() {
    let world = world_with(simulator_settings(), WITH_USER).await;
    let ids = bring(&world, Stage::Committed).await;
    let quiet = world.reconfigured(&WITH_USER[..2]);
    let answer =
        quiet.send(&command("CreateTempLink", json!({"call_id": ids.call}))).await.unwrap();
    assert_eq!((answer.status, answer.response), (Some(200), None));
    let link = world.run("CreateTempLink", json!({"call_id": ids.call})).await;
    assert!(link["link"].as_str().unwrap().len() > 30);
}

#[tokio::test]
async fn a_users_command_without_a_user_is_refused() {
    let world = world_with(simulator_settings(), WITH_USER).await;
    bring(&world, Stage::New).await;
    let nobody = world.reconfigured(&[]);
    let refused = nobody.send(&command("ReadAllNotifications", json!({}))).await;
    assert!(matches!(refused, Err(ApplyFault::Refused(_))), "{refused:?}");
}
