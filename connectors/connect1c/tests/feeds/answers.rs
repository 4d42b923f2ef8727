//! What the upstream answers, and what becomes of it.

use std::sync::atomic::Ordering;

use serde_json::json;
use talon_sdk::Fault;
use talon_simulators::connect1c::{
    Fault as Misbehaviour, FaultKind, Settings, SoapVersion, by_document,
};

use crate::driver::{Driver, HOUR, connector, published, truth, upstream};

fn settings() -> Settings {
    Settings {
        since: "2024-06-01T00:00:00Z".to_owned(),
        opened_every_ms: HOUR / 4,
        ..Settings::noisy()
    }
}

#[tokio::test]
async fn a_treatment_is_open_or_closed_and_in_neither_for_one_poll_at_most() {
    let upstream = upstream(settings()).await;
    let connector = connector(&upstream, &[]);
    let mut drivers =
        ["treatment", "open_treatment"].map(|feed| Driver::new(feed, &upstream, &connector));
    let mut due = [0; 2];
    let mut away = std::collections::BTreeMap::new();
    let mut moved = 0;
    let start = upstream.now_ms();
    while upstream.now_ms() < start + 48 * HOUR {
        let now = upstream.now_ms();
        for (driver, due) in drivers.iter_mut().zip(&mut due) {
            if *due <= now {
                *due = now + driver.step().await;
            }
        }
        let [closed, open] = &drivers;
        // Those that were seen open, and are closed since a poll, its lag and the steps between.
        for treatment in upstream.closed(start, now) {
            let is_somewhere = closed.entities.contains_key(&treatment.id)
                || open.entities.contains_key(&treatment.id);
            match (is_somewhere, away.get(&treatment.id).copied()) {
                (true, _) => {
                    moved += usize::from(closed.entities.contains_key(&treatment.id));
                    away.remove(&treatment.id);
                }
                (false, None) => {
                    away.insert(treatment.id, now);
                }
                (false, Some(since)) => {
                    let limit = 900_000 + 60_000 + 120_000;
                    assert!(now - since <= limit, "{} s in neither", (now - since) / 1000);
                }
            }
        }
        upstream.clock().fetch_add(10_000, Ordering::SeqCst);
    }
    assert!(moved > 50);
    let [closed, open] = &mut drivers;
    upstream.clock().fetch_add(HOUR, Ordering::SeqCst);
    open.read_all().await;
    assert_eq!(published(open), truth(&upstream.open()));
    assert_eq!(closed.dead + open.dead, 0);
}

#[tokio::test]
async fn replies_read_the_same_in_every_spelling() {
    for answers_as in [None, Some(SoapVersion::V11), Some(SoapVersion::V12)] {
        let upstream = upstream(Settings { noise: 1.0, answers_as, ..settings() }).await;
        let connector = connector(&upstream, &[("backfill.from", "2024-06-01")]);
        let mut closed = Driver::new("treatment", &upstream, &connector);
        closed.run(HOUR, |_| ()).await;
        let all = truth(&upstream.closed(0, closed.now() - HOUR));
        let known = published(&closed);
        assert!(all.len() > 1000);
        for (id, one) in &all {
            let known = &known[id];
            let rated = json!({"ServiceQualityAssessment": known["ServiceQualityAssessment"]});
            let mut one = one.clone();
            one["ServiceQualityAssessment"] = rated["ServiceQualityAssessment"].clone();
            assert_eq!(*known, one);
        }
        let mut open = Driver::new("open_treatment", &upstream, &connector);
        open.read_all().await;
        assert_eq!(published(&open), truth(&upstream.open()));
        let topic =
            |entity: &serde_json::Value| entity["extra"].to_string().contains("Закрытие месяца");
        assert!(
            open.entities.values().chain(closed.entities.values()).any(topic),
            "unknown columns are kept"
        );
    }
}

#[tokio::test]
async fn each_fault_is_told_as_what_it_is_and_deletes_nothing() {
    let upstream = upstream(Settings { day_limit: 100_000, ..settings() }).await;
    let texts = [("quota.day", "100000"), ("open_treatment.poll.interval.ms", "1000")];
    let connector = connector(&upstream, &texts);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    driver.run(HOUR / 2, |_| ()).await;
    let known = driver.entities.len();
    assert!(known > 20);
    let cases: [(FaultKind, &str, &str); 10] = [
        (FaultKind::Cut { rows: 5 }, "unavailable", ""),
        (FaultKind::Unfinished { rows: 5, between: true }, "unavailable", "elements open"),
        (FaultKind::Unfinished { rows: 5, between: false }, "unavailable", "ends at byte"),
        (FaultKind::HtmlError, "unavailable", ""),
        (FaultKind::OtherAnswer { body: String::new() }, "unavailable", ""),
        (
            FaultKind::Refused {
                code: "INTERNAL_ERROR".to_owned(), text: "Ошибка".to_owned()
            },
            "rejected",
            "`INTERNAL_ERROR`: Ошибка",
        ),
        (
            FaultKind::SoapFault { text: "no".to_owned(), version: None },
            "unavailable",
            "SOAP fault",
        ),
        (
            FaultKind::SoapFault { text: "no".to_owned(), version: Some(SoapVersion::V11) },
            "unavailable",
            "SOAP fault",
        ),
        (FaultKind::DocumentType, "unavailable", "a document type"),
        (
            FaultKind::Status { code: 401, retry_after_seconds: None },
            "misconfigured",
            "auth.password",
        ),
    ];
    for (kind, expected, words) in cases {
        upstream.fault(Misbehaviour::from(kind.clone()).times(1));
        let faults = driver.faults.len();
        assert!(driver.run_until(HOUR, |driver| driver.faults.len() > faults).await, "{kind:?}");
        let fault = driver.faults.last().unwrap();
        assert_eq!(fault.kind(), expected, "{kind:?}: {fault}");
        assert!(fault.to_string().contains(words), "{kind:?}: {fault}");
        assert!(!fault.to_string().contains("пароль"));
        assert!(driver.entities.len() > known / 2, "{kind:?} deletes nothing");
    }
    let faults = driver.faults.len();
    driver.run(HOUR / 60, |_| ()).await;
    assert_eq!(driver.faults.len(), faults, "and it goes on");
}

#[tokio::test]
async fn a_bad_row_hides_no_other_and_a_success_without_a_table_is_an_empty_list() {
    let upstream = upstream(Settings { day_limit: 100_000, ..settings() }).await;
    let texts = [("quota.day", "100000"), ("open_treatment.poll.interval.ms", "1000")];
    let connector = connector(&upstream, &texts);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    for kind in [FaultKind::ShortRow, FaultKind::RowWithoutId] {
        upstream.fault(Misbehaviour::from(kind).times(1));
        let dead = driver.dead;
        assert!(driver.run_until(HOUR, |driver| driver.dead > dead).await);
        assert_eq!(driver.entities.len() + 1, upstream.open().len());
    }
    for kind in [FaultKind::NoData, FaultKind::EmptyTable] {
        driver.run_until(HOUR, |driver| !driver.entities.is_empty()).await;
        upstream.fault(Misbehaviour::from(kind).times(1));
        // Whether it is believed is the mass-delete guard's to say.
        assert!(driver.run_until(HOUR, |driver| driver.entities.is_empty()).await);
    }
    assert_eq!(driver.faults, []);
}

#[tokio::test]
async fn a_large_reply_comes_in_parts_and_one_that_breaks_off_tells_no_absence() {
    let settings = Settings {
        opened_every_ms: 60_000,
        lasts_ms: (24 * HOUR, 30 * 24 * HOUR),
        day_limit: 100_000,
        ..settings()
    };
    let upstream = upstream(settings).await;
    let texts = [("quota.day", "100000"), ("open_treatment.poll.interval.ms", "1000")];
    let connector = connector(&upstream, &texts);
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    let count = upstream.open().len();
    assert!(count > 10_000, "{count}");
    // In the first hour there are few calls, as nobody knows of those before.
    driver.step().await;
    upstream.clock().fetch_add(2 * HOUR, Ordering::SeqCst);
    let count = upstream.open().len();
    let mut steps = 0;
    while driver.entities.len() < count {
        driver.step().await;
        steps += 1;
    }
    assert!(steps > 5, "{steps} parts");
    upstream.fault(Misbehaviour::from(FaultKind::Cut { rows: 8_000 }).times(1));
    assert!(driver.run_until(HOUR, |driver| !driver.faults.is_empty()).await);
    assert!(driver.entities.len() >= count);
    upstream.clock().fetch_add(60_000, Ordering::SeqCst);
    driver.read_all().await;
    assert_eq!(driver.faults.len(), 1, "{:?}", driver.faults);
    let (published, truth) = (published(&driver), truth(&upstream.open()));
    let differ = truth.iter().filter(|(id, one)| published.get(*id) != Some(*one));
    let differ: Vec<_> = differ.map(|(id, one)| (published.get(id), one)).collect();
    assert!(differ.is_empty() && published.len() == truth.len(), "{} {differ:?}", published.len());
}

#[tokio::test]
async fn filters_and_the_zones_of_columns_are_settings() {
    let upstream = upstream(settings()).await;
    let line = upstream.open()[0].line.clone();
    let connector = connector(
        &upstream,
        &[
            ("service.id", &line),
            ("time.zone.columns", "Initialized=UTC, reactionstarted=Europe/Moscow"),
        ],
    );
    let mut driver = Driver::new("open_treatment", &upstream, &connector);
    driver.read_all().await;
    let own: Vec<_> = upstream.open().into_iter().filter(|one| one.line == line).collect();
    assert!(!own.is_empty() && own.len() < upstream.open().len());
    assert_eq!(driver.entities.len(), own.len());
    for one in own {
        let read = by_document(&driver.entities[&one.id]);
        // Written for Yekaterinburg, which is five hours ahead of UTC and two of Moscow.
        assert_eq!(read["Initialized"], (one.opened_ms + 5 * HOUR) * 1000);
        assert_eq!(
            read["ReactionStarted"],
            json!(one.reaction_ms.map(|ms| (ms + 2 * HOUR) * 1000))
        );
        assert_eq!(read["SpecAppointed"], json!(one.appointed_ms.map(|ms| ms * 1000)));
    }
}

#[tokio::test]
async fn a_probe_makes_no_call_of_the_quota() {
    let upstream = upstream(settings()).await;
    let said = connector(&upstream, &[]).probe().await.unwrap();
    assert!(said.contains("no call of the quota"), "{said}");
    assert_eq!(upstream.journal().calls(), []);
    let wrong = connector(&upstream, &[("auth.password", "x")]).probe().await;
    assert!(matches!(wrong, Err(Fault::Misconfigured { .. })), "{wrong:?}");
}
