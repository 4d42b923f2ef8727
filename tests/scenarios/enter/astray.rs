//! Replies that go astray, branches that are away, rows that do not read: what is published then, and
//! what is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use talon_schemas::canonical::canonical;
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};

use crate::program::{Published, Site, now_ms, today};
use crate::support::{On, TOKEN, Talon, until};

const ZONE: &str = "Europe/Moscow";
const TICKETS: &str = "/api/1/queue";

#[tokio::test(flavor = "multi_thread")]
async fn invariants_4_6_and_8_what_goes_astray_deletes_nothing_hides_nothing_and_tells_nobody_on_kafka()
 {
    goes_astray(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_4_6_and_8_what_goes_astray_deletes_nothing_hides_nothing_and_tells_nobody_on_nats()
 {
    goes_astray(On::Nats).await;
}

async fn goes_astray(on: On) {
    let Some(address) = on.shared("enter_astray") else { return };
    let settings = Settings {
        branches: 2,
        zones: vec![ZONE.to_owned()],
        tickets_per_day: 24,
        opens_at: 0.0,
        closes_at: 24.0,
        token: Some(TOKEN.to_owned()),
        ..Settings::noisy()
    };
    let site = Site::new("astray", Simulator::start(settings).await.unwrap(), address);
    let clock = site.upstream.clock();
    clock.store(now_ms() - 4 * 3_600_000, Ordering::SeqCst);
    let last = today(ZONE);
    let first = last.yesterday().unwrap();
    let texts = site.configuration(&[
        ("auth.token", TOKEN),
        ("data.fields", "true"),
        ("deletes", "true"),
        ("late.poll.interval.ms", "200"),
        // Both days are read again and again, all the while.
        ("day.settle.ms", "604800000"),
        ("backfill.from", &first.to_string()),
    ]);
    let mut talon = Talon::run_logging(&texts, "trace");
    talon.ready().await;
    let all = site.settled(first, last).await;
    all.check_facts();

    // A row that does not read is put aside with its bytes, and the others flow on.
    site.upstream.fault(Fault::from(FaultKind::UndecodableRow).at(TICKETS).branch(0));
    clock.fetch_add(2 * 3_600_000, Ordering::SeqCst);
    let unreadable: BTreeSet<String> = unreadable(&site, first, last);
    let mut truth = site.truth(first, last);
    truth.retain(|key, _| !unreadable.contains(key));
    until("all others are published", async || {
        let mut newest = site.published().newest();
        newest.retain(|key, _| !unreadable.contains(key));
        newest == truth
    })
    .await;
    until("it is put aside", async || site.records("dlq").len() >= unreadable.len()).await;
    // Spelled in another way at each read.
    let mut sent = BTreeSet::new();
    for day in [first, last] {
        let reply = body(&site, day).await;
        let reply: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&reply).unwrap();
        let tickets = reply[0]["Tickets"].get();
        let tickets: Vec<Box<RawValue>> = serde_json::from_str(tickets).unwrap();
        sent.extend(tickets.iter().map(|ticket| canonical(ticket.get()).into_owned()));
    }
    for letter in site.records("dlq") {
        let row = letter.value.clone().unwrap();
        let row: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&row).unwrap();
        let ticket = canonical(row["Ticket"].get());
        assert!(ticket.contains("\"Id\":17,"), "{ticket}");
        assert!(sent.contains(&*ticket), "{ticket} is not what was sent");
    }
    site.upstream.faults().clear();
    site.settled(first, last).await;

    // Replies that are no whole day.
    for kind in [
        FaultKind::Status { code: 500, retry_after_seconds: None },
        FaultKind::Cut { tickets: 3 },
        FaultKind::Unfinished { tickets: 3 },
        FaultKind::HtmlError,
    ] {
        // Each makes the next wait longer, up to half a minute.
        site.upstream.fault(Fault::from(kind).at(TICKETS).times(2));
        until("it happened", async || site.upstream.faults().list().is_empty()).await;
        site.asked_again(0, 4).await;
    }
    // Branches of whose tickets nothing is concluded.
    site.upstream.change_settings(&json!({ "offline": [0], "wrong_protocol": [1] })).unwrap();
    until("their state is told", async || states(&site) == [(false, false), (true, true)]).await;
    site.asked_again(0, 4).await;
    site.upstream.fault(Fault::from(FaultKind::Missing { tickets: 2 }).at(TICKETS));
    let of_wrong_protocol = site.asked(1);
    site.asked_again(0, 8).await;
    assert_eq!(site.asked(1), of_wrong_protocol, "a branch of a wrong protocol was asked");
    assert_eq!(site.published().deletes(), 0);

    // What is missing from a whole day of a branch that is there is deleted.
    site.upstream.change_settings(&json!({ "offline": [], "wrong_protocol": [] })).unwrap();
    until("what vanished is deleted", async || site.published().deletes() >= 4).await;
    let tombstones = || site.records("ticket").iter().filter(|one| one.value.is_none()).count();
    until("and a tombstone follows", async || tombstones() >= 4).await;
    site.upstream.faults().clear();
    let published = site.settled(first, last).await;
    published.check_facts();

    tells_nobody(&site, talon, &published).await;
}

/// The keys of the first tickets of the days of the first branch, which do not read.
fn unreadable(site: &Site, first: Date, last: Date) -> BTreeSet<String> {
    let id = &site.upstream.branches()[0];
    let days = first.series(1.day()).take_while(|day| *day <= last);
    let tickets = days.filter_map(|day| site.upstream.day(0, day).into_iter().next());
    tickets.map(|ticket| format!("{id}/{}", ticket["Id"].as_str().unwrap())).collect()
}

/// The reply for a day of the first branch.
async fn body(site: &Site, day: Date) -> String {
    let url = format!(
        "{}/api/1/queue/statistics/tickets/history?date={}&serverId={}&includeDataFields=true",
        site.upstream.url(),
        day.strftime("%d.%m.%Y"),
        site.upstream.branches()[0]
    );
    let request = reqwest::Client::new().get(url).header("Token", TOKEN);
    request.send().await.unwrap().text().await.unwrap()
}

/// Of each branch, whether it is connected and of a wrong protocol, as published last.
fn states(site: &Site) -> Vec<(bool, bool)> {
    let mut newest = BTreeMap::new();
    for record in site.records("branch") {
        let event = record.event(&talon_enter::contracts::BRANCH).unwrap();
        let flag = |name: &str| event["after"][name].as_bool().unwrap();
        newest.insert(record.key, (flag("is_connected"), flag("has_wrong_protocol")));
    }
    site.upstream.branches().iter().filter_map(|id| newest.get(id).copied()).collect()
}

/// Invariant 8: the token is nowhere, and what is personal is in values only, however much is logged.
async fn tells_nobody(site: &Site, mut talon: Talon, published: &Published) {
    let mut places = Vec::new();
    for page in ["/", "/metrics", "/health/ready"] {
        places.push((page.to_owned(), talon.get(page).await.1));
    }
    assert!(talon.terminate().await.success(), "{}", talon.log());
    assert!(talon.log().contains("TRACE"), "logs all there is");
    places.push(("the log".to_owned(), talon.log()));
    for feed in ["dlq", "branch", "ticket_source", "ticket", "ticket_operation"] {
        for record in site.records(feed) {
            places.push((
                format!("key and headers of {feed}"),
                format!("{} {:?}", record.key, record.headers),
            ));
            let value = record.value.unwrap_or_default();
            assert!(!String::from_utf8_lossy(&value).contains(TOKEN), "the token is in {feed}");
        }
    }
    for record in site.checkpoints() {
        let value = String::from_utf8(record.value.unwrap()).unwrap();
        places.push(("a checkpoint".to_owned(), format!("{} {value}", record.key)));
    }
    let mut personal = BTreeSet::new();
    for event in published.tickets.values().flatten() {
        for product in event["after"]["products"].as_array().into_iter().flatten() {
            let values = product["fields"].as_array().unwrap().iter().map(|field| &field["value"]);
            let operator = ["login", "surname"].iter().map(|name| &product["operator"][name]);
            personal.extend(values.chain(operator).filter_map(Value::as_str));
        }
    }
    assert!(personal.iter().any(|text| text.starts_with("+7922")), "data fields are on the topic");
    assert!(personal.iter().any(|text| text.starts_with("operator")), "operators are on the topic");
    for (place, text) in &places {
        assert!(!text.contains(TOKEN), "the token is in {place}: {text}");
        for canary in &personal {
            assert!(!text.contains(canary), "`{canary}` is in {place}: {text}");
        }
    }
}
