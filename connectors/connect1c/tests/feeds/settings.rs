//! Wrong settings are told with their keys.

use std::collections::BTreeMap;

use talon_connect1c::Connect1C;
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, UpstreamMetrics};

/// The problems of a configuration that is right but for these settings.
fn problems(texts: &[(&str, &str)]) -> Vec<String> {
    let mut all = BTreeMap::from(
        [
            ("upstream.url", "https://cus.example.org/cus/ws/PartnerWebAPI2"),
            ("auth.user", "partner"),
            ("auth.password", "secret-5b1f"),
            ("time.zone", "Europe/Moscow"),
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned())),
    );
    for (key, text) in texts {
        match *text {
            "-" => all.remove(*key),
            text => all.insert((*key).to_owned(), text.to_owned()),
        };
    }
    let (keys, secrets) = (Connect1C.keys(), Secrets::Unresolved);
    let mut settings = Settings::new("", &keys, all, &secrets);
    let metrics = UpstreamMetrics::register(&prometheus::Registry::new()).unwrap();
    let context = Context { name: "lines".to_owned(), clock: Clock::System, metrics };
    let connector = Connect1C.configure(&mut settings, context);
    let problems: Vec<String> = settings.problems().iter().map(ToString::to_string).collect();
    assert_eq!(connector.is_none(), !problems.is_empty());
    assert!(problems.iter().all(|problem| !problem.contains("5b1f")));
    problems
}

#[test]
fn each_wrong_setting_is_told_with_its_key_and_what_is_expected() {
    assert_eq!(problems(&[]), [""; 0]);
    let cases = [
        ("time.zone", "-", "`time.zone` is not set; Zone of all times"),
        ("auth.password", "-", "`auth.password` is not set"),
        ("auth.user", "a:b", "`auth.user` has a `:`"),
        ("feeds", "", "`feeds` names no feed"),
        ("backfill.from", "1.1.2024", "`backfill.from` is `1.1.2024`, expected a day such as"),
        ("sweep.time", "night", "`sweep.time` is `night`, expected a time of day"),
        (
            "quota.night.hours",
            "at night",
            "`quota.night.hours` is `at night`, expected `22:00-07:00`",
        ),
        ("quota.reserve", "10", "`quota.reserve` is 10, which leaves nothing of the 10 calls"),
        (
            "treatment.poll.interval.ms",
            "60000",
            "`treatment.poll.interval.ms` means 60 calls an hour, but `quota.day` less `quota.reserve` allows 8",
        ),
        (
            "time.zone.columns",
            "Closed:UTC",
            "`time.zone.columns` has `Closed:UTC`, expected a column",
        ),
        ("time.zone.columns", "Colour=UTC", "`time.zone.columns` has `Colour=UTC`"),
        ("quota.nihgt.hours", "x", "did you mean `quota.night.hours`?"),
    ];
    for (key, text, expected) in cases {
        let problems = problems(&[(key, text)]);
        assert!(problems.iter().any(|one| one.contains(expected)), "{key}: {problems:?}");
    }
    assert_eq!(
        problems(&[("quota.night.hours", "20:00-08:00"), ("sweep.time", "02:30:00")]),
        [""; 0]
    );
}
