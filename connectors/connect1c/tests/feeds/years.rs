//! Years of history with the day's quota.

use std::collections::BTreeMap;

use talon_simulators::connect1c::{Operation, Settings};

use crate::driver::{DAY, Driver, HOUR, NOON, connector, published, truth, upstream};

#[tokio::test]
async fn two_years_are_read_with_the_days_quota_and_late_ratings_are_updates() {
    let settings = Settings {
        since: "2022-07-10T00:00:00Z".to_owned(),
        opened_every_ms: 3 * HOUR,
        ..Settings::noisy()
    };
    let upstream = upstream(settings).await;
    let connector = connector(&upstream, &[("backfill.from", "2022-07-01")]);
    let mut driver = Driver::new("treatment", &upstream, &connector);

    let past = upstream.closed(0, NOON - HOUR);
    let all = |driver: &Driver| past.iter().all(|one| driver.entities.contains_key(&one.id));
    assert!(driver.run_until(2 * DAY, all).await, "the past is read");
    let (took, calls) = (driver.now() - NOON, upstream.journal().calls().len());
    println!("two years: {calls} calls in {} h, {} treatments", took / HOUR, past.len());
    assert!(calls < 40, "{calls} calls");

    // What is rated late was read before as not rated.
    let rated = |driver: &Driver| {
        let rated = published(driver);
        rated.into_iter().map(|(id, one)| (id, one["ServiceQualityAssessment"].clone())).collect()
    };
    let before: BTreeMap<String, _> = rated(&driver);
    driver.run(25 * DAY, |_| ()).await;
    // The last sweep was at night; what was closed since a lag ago is not read yet.
    driver.run_until(DAY, |driver| driver.now() % DAY > 23 * HOUR).await;
    let after: BTreeMap<String, _> = rated(&driver);
    let late = before.iter().filter(|(id, rating)| rating.is_null() && !after[*id].is_null());
    let late: Vec<&String> = late.map(|(id, _)| id).collect();
    assert!(late.len() > 10, "{} were rated late", late.len());
    assert!(late.iter().all(|id| driver.updates[*id] == 1), "each is one update");
    assert!(driver.updates.values().all(|updates| *updates == 1), "and nothing else is one");

    // Every treatment, each as it is, but for ratings since the last sweep.
    let truth = truth(&upstream.closed(0, driver.now() - HOUR));
    let published = published(&driver);
    let (mut same, mut behind) = (0, 0);
    for (id, one) in &truth {
        let known = &published[id];
        if known == one {
            same += 1;
            continue;
        }
        let mut without = one.clone();
        without["ServiceQualityAssessment"] = known["ServiceQualityAssessment"].clone();
        assert_eq!(*known, without);
        behind += 1;
    }
    assert!(behind < 3 && same > 5000, "{same} {behind}");
    let journal = upstream.journal();
    let most = journal.most_in_an_hour(Operation::GetHistoryOfServiceTreatments);
    println!("{} calls in all, at most {most} in an hour", journal.calls().len());
    assert!(most <= 8, "the reserve is left");
    assert_eq!(journal.out_of_limit(), 0);
    assert_eq!(driver.faults, []);
}

#[tokio::test]
async fn an_earlier_first_day_is_read_without_reading_the_rest_again() {
    let settings = Settings {
        since: "2024-01-01T00:00:00Z".to_owned(),
        opened_every_ms: HOUR,
        ..Settings::noisy()
    };
    let upstream = upstream(settings).await;
    let late = connector(&upstream, &[("backfill.from", "2024-06-01")]);
    let mut driver = Driver::new("treatment", &upstream, &late);
    driver.run(3 * HOUR, |_| ()).await;
    let read = upstream.journal().calls().len();
    let cursor = driver.cursor().unwrap();
    let early = connector(&upstream, &[("backfill.from", "2024-03-01")]);
    assert_eq!(early.offset_problem("treatment", &cursor), None);
    assert!(early.offset_problem("treatment", &talon_sdk::Cursor("x".to_owned())).is_some());
    let mut driver = driver.with(&early);
    driver.run(3 * HOUR, |_| ()).await;
    let windows = upstream.journal().calls();
    let past = windows[read..].iter().filter_map(|call| call.closed.0.clone());
    let past = past.filter(|from| from.as_str() < "2024-05-31").count();
    assert!((1..=4).contains(&past), "{past} windows of three months");
    let wanted = jiff::civil::date(2024, 3, 1).in_tz("Asia/Yekaterinburg").unwrap();
    let all = upstream.closed(wanted.timestamp().as_millisecond(), driver.now() - HOUR);
    assert!(all.iter().all(|one| driver.entities.contains_key(&one.id)));
}
