//! Dead letters are redriven and discarded by the shard of their connector: the fine points, with a bus in memory.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::bus::{
    Append, Bus, BusFault, DeadLetter, DeadLetterEnds, Grant, Place, Recovered, ShardLog,
    ShardSpec, settled_key,
};
use talon_runtime::engine::{Action, NotSettled, Order};
use talon_runtime::metrics::Metrics;
use talon_runtime::options::Options;
use talon_runtime::{Engine, Parts, Setup, Verdict};
use talon_schemas::Contract;
use talon_sdk::{
    Clock, Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Observation, Row,
    RowCodec, RowFault, Rows,
};

static THING: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of(
        "test",
        "thing",
        r#"{"type": "record", "name": "Thing", "namespace": "talon.test.thing",
            "fields": [{"name": "text", "type": "string"}]}"#,
    )
});

#[derive(serde::Serialize)]
struct Thing<'a> {
    text: &'a str,
}

/// An upstream whose rows are `key=text`. Those that begin with `?` are read by a later version alone.
#[derive(Clone, Default)]
struct Upstream {
    rows: Arc<Mutex<Vec<&'static str>>>,
    is_list: Arc<AtomicBool>,
    is_later: Arc<AtomicBool>,
}

impl Upstream {
    fn tell(&self, row: &'static str) {
        self.rows.lock().unwrap().push(row);
    }

    fn tell_all(&self, rows: &[&'static str]) {
        rows.iter().for_each(|row| self.tell(row));
    }
}

#[async_trait]
impl Connector for Upstream {
    fn feeds(&self) -> Vec<FeedPlan> {
        let spec = FeedSpec::table("thing", &THING).into();
        let codec = Arc::new(Codec(self.is_later.clone()));
        vec![FeedPlan { spec, interval: Duration::from_millis(2), codec }]
    }

    fn open(&self, _: &str) -> Result<Box<dyn Feed>, Fault> {
        Ok(Box::new(self.clone()))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

#[async_trait]
impl Feed for Upstream {
    async fn next(&mut self, _: Option<&Cursor>) -> Result<Observation, Fault> {
        let rows: Vec<_> = self.rows.lock().unwrap().iter().map(|row| (*row).into()).collect();
        let is_list = self.is_list.load(Ordering::SeqCst);
        Ok(Observation {
            scope: String::new(),
            coverage: if is_list { Coverage::Full } else { Coverage::Delta },
            rows: Rows::of_bodies(&rows),
            cursor: None,
            snapshot: false,
            as_of_ms: 1,
        })
    }
}

struct Codec(Arc<AtomicBool>);

impl RowCodec for Codec {
    fn peek_key(&self, row: &[u8], _: &str, key: &mut String) -> bool {
        let text = std::str::from_utf8(row).unwrap().trim_start_matches('?');
        key.push_str(text.split('=').next().unwrap());
        true
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        let text = std::str::from_utf8(row).unwrap();
        if text.starts_with('?') && !self.0.load(Ordering::SeqCst) {
            return Err(RowFault("a sign that is not known".to_owned()));
        }
        self.peek_key(row, scope, &mut out.key);
        let (_, text) = text.split_once('=').unwrap();
        THING.encode(&Thing { text }, &mut out.value).unwrap();
        Ok(())
    }
}

/// Topic, key, value, headers.
type Pending = (usize, String, Option<Vec<u8>>, Vec<(String, String)>);

/// What is on the bus.
#[derive(Default)]
struct Held {
    /// Key, value, id.
    events: Vec<(String, Option<Vec<u8>>, String)>,
    letters: Vec<DeadLetter>,
    checkpoints: BTreeMap<String, Vec<u8>>,
    pending: Vec<Pending>,
    /// The process is killed between the records of the next commit and what is committed after them, as on a
    /// bus without transactions.
    is_torn: bool,
    /// The next commit fails, and nothing of it is there.
    fails: bool,
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Held>>);

impl Memory {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }

    fn events(&self) -> Vec<String> {
        let text = |value: &Option<Vec<u8>>| if value.is_some() { "" } else { " gone" };
        let held = self.held();
        held.events.iter().map(|(key, value, _)| format!("{key}{}", text(value))).collect()
    }

    fn letters(&self) -> usize {
        self.held().letters.len()
    }
}

const LETTERS: usize = 1;

impl Bus for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        self.held().pending.clear();
        Ok(Box::new(self.clone()))
    }

    fn dead_letters(
        &self,
        _: &ShardSpec,
        each: &mut dyn FnMut(DeadLetter),
    ) -> Result<DeadLetterEnds, BusFault> {
        let held = self.held();
        held.letters.iter().cloned().for_each(each);
        let next = held.letters.last().map_or(0, |last| last.at + 1);
        let oldest = held.letters.first().map_or(0, |first| first.at);
        let settled = held.checkpoints.get(&settled_key("things")).cloned();
        Ok(DeadLetterEnds { oldest, next, settled })
    }
}

impl ShardLog for Memory {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let held = self.held();
        for (key, value, id) in &held.events {
            let (value, event_id) = (value.as_deref(), Some(id.as_bytes()));
            each(Place::Topic(0), Recovered { key, value, event_id, at_ms: 1 })?;
        }
        for (key, value) in &held.checkpoints {
            let value = Some(value.as_slice());
            each(Place::Checkpoints, Recovered { key, value, event_id: None, at_ms: 1 })?;
        }
        Ok(())
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = record.headers.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
        let value = record.value.map(<[u8]>::to_vec);
        let record = (record.topic, record.key.to_owned(), value, headers.collect());
        self.held().pending.push(record);
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        let mut held = self.held();
        let away = || Err(BusFault::Unavailable("away".to_owned()));
        if std::mem::take(&mut held.fails) {
            return away();
        }
        for (topic, key, value, headers) in std::mem::take(&mut held.pending) {
            if topic == LETTERS {
                let at = held.letters.last().map_or(0, |last| last.at + 1);
                let value = value.unwrap_or_default();
                let at_ms = 1_000 + i64::try_from(at).unwrap();
                held.letters.push(DeadLetter { at, at_ms, key, value, headers });
            } else {
                let id = headers.into_iter().find(|(name, _)| name == "talon-event-id").unwrap().1;
                held.events.push((key, value, id));
            }
        }
        if !checkpoints.is_empty() && std::mem::take(&mut held.is_torn) {
            return away();
        }
        held.checkpoints.extend(checkpoints.iter().cloned());
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

async fn until(what: &str, met: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within 60 s: {what}");
}

fn start(upstream: &Upstream, bus: &Memory) -> Engine {
    Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: vec![Setup {
            name: "things".to_owned(),
            class: "test",
            options: Options::default(),
            connector: Arc::new(upstream.clone()),
            commands: None,
        }],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    })
}

/// Asks until the shard serves; what became of each, and why.
async fn settle(
    engine: &Engine,
    places: &str,
    action: Action,
    dry_run: bool,
) -> Vec<(u64, Verdict, String)> {
    let order = Order { action, places: places.parse().unwrap(), dry_run };
    let settled = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match engine.connectors().settle_letters("things", &order).await {
                Ok(rulings) => return rulings,
                Err(NotSettled::NotHere | NotSettled::Interrupted) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(fault) => panic!("{fault}"),
            }
        }
    });
    settled.await.unwrap().into_iter().map(|one| (one.at, one.verdict, one.note)).collect()
}

const REDRIVE: Action = Action::Redrive { once_more: false };

/// What became of one letter.
async fn redrive(engine: &Engine, place: &str) -> Verdict {
    let [(_, verdict, _)] = &settle(engine, place, REDRIVE, false).await[..] else { panic!() };
    *verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_can_be_read_by_now_is_published_once_and_settled_also_after_a_restart() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.tell("?a=1");
    let engine = start(&upstream, &bus);
    until("it is put aside", || bus.letters() == 1).await;
    upstream.rows.lock().unwrap().clear();
    upstream.is_later.store(true, Ordering::SeqCst);
    let dry = settle(&engine, "0", REDRIVE, true).await;
    assert_eq!(dry, [(0, Verdict::Redriven, String::new())]);
    assert_eq!((bus.events().len(), bus.held().checkpoints.len()), (0, 0), "nothing was changed");
    assert_eq!(redrive(&engine, "0").await, Verdict::Redriven);
    assert_eq!(redrive(&engine, "0").await, Verdict::Already);
    assert_eq!(bus.events(), ["a"]);
    assert!(engine.stop(Duration::from_secs(30)).await);
    let engine = start(&upstream, &bus);
    assert_eq!(redrive(&engine, "0").await, Verdict::Already);
    assert_eq!(bus.events(), ["a"]);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_publish_once() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.tell_all(&["?a=1", "?b=1", "?c=1"]);
    let engine = start(&upstream, &bus);
    until("they are put aside", || bus.letters() == 3).await;
    upstream.rows.lock().unwrap().clear();
    upstream.is_later.store(true, Ordering::SeqCst);
    let asked = (0..20).map(|who| {
        let action = if who % 5 == 4 { Action::Discard } else { REDRIVE };
        settle(&engine, "0-2", action, false)
    });
    let all: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    let settled = all.iter().filter(|(_, verdict, _)| *verdict != Verdict::Already);
    assert_eq!(settled.count(), 3, "{all:?}");
    let redriven = all.iter().filter(|(_, verdict, _)| *verdict == Verdict::Redriven).count();
    assert_eq!(bus.events().len(), redriven);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_entity_has_changed_since_is_dropped_and_one_that_has_not_is_applied() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.tell_all(&["a=1", "b=1"]);
    let engine = start(&upstream, &bus);
    until("both are there", || bus.events().len() == 2).await;
    // New states that cannot be read, of which one is followed by another that can.
    upstream.tell_all(&["?a=2", "?b=2"]);
    until("they are put aside", || bus.letters() == 2).await;
    *upstream.rows.lock().unwrap() = vec!["a=3"];
    until("the next state is there", || bus.events().len() == 3).await;
    upstream.rows.lock().unwrap().clear();
    // What is known by then is read back.
    assert!(engine.stop(Duration::from_secs(30)).await);
    upstream.is_later.store(true, Ordering::SeqCst);
    let engine = start(&upstream, &bus);
    let settled = settle(&engine, "0-1", REDRIVE, false).await;
    let verdicts: Vec<Verdict> = settled.iter().map(|(_, verdict, _)| *verdict).collect();
    assert_eq!(verdicts, [Verdict::Changed, Verdict::Redriven], "{settled:?}");
    assert!(settled[0].2.contains("has been published since"), "{settled:?}");
    assert_eq!(bus.events(), ["a", "b", "a", "b"]);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_entity_that_the_list_does_not_have_any_more_is_dropped() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.is_list.store(true, Ordering::SeqCst);
    upstream.tell_all(&["a=1", "?b=1"]);
    let engine = start(&upstream, &bus);
    until("it is put aside", || bus.letters() == 1 && bus.events().len() == 1).await;
    *upstream.rows.lock().unwrap() = vec!["a=1", "c=1"];
    until("the list was read without it", || bus.events().len() == 2).await;
    upstream.is_later.store(true, Ordering::SeqCst);
    assert_eq!(redrive(&engine, "0").await, Verdict::Changed);
    assert_eq!(bus.events(), ["a", "c"]);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_still_cannot_be_read_stands_anew_with_a_count_until_it_is_refused() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.tell("?a=1");
    let engine = start(&upstream, &bus);
    until("it is put aside", || bus.letters() == 1).await;
    upstream.rows.lock().unwrap().clear();
    for place in ["0", "1", "2"] {
        assert_eq!(redrive(&engine, place).await, Verdict::Again);
    }
    let letters = bus.held().letters.clone();
    assert_eq!(letters.iter().map(DeadLetter::redriven).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(letters.iter().all(|letter| letter.value == b"?a=1" && letter.feed() == "thing"));
    assert!(letters.iter().all(|letter| letter.first_failed_ms() == 1_000));
    let refused = settle(&engine, "3", REDRIVE, false).await;
    assert_eq!(refused[0].1, Verdict::Refused);
    assert!(refused[0].2.contains("--once-more"), "{refused:?}");
    upstream.is_later.store(true, Ordering::SeqCst);
    assert_eq!(redrive(&engine, "3").await, Verdict::Refused);
    let once_more = settle(&engine, "3", Action::Redrive { once_more: true }, false).await;
    assert_eq!((once_more[0].1, bus.events()), (Verdict::Redriven, vec!["a".to_owned()]));
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_commit_or_between_its_parts_a_row_is_published_once() {
    for is_torn in [false, true] {
        let (upstream, bus) = (Upstream::default(), Memory::default());
        upstream.tell("?a=1");
        let engine = start(&upstream, &bus);
        until("it is put aside", || bus.letters() == 1).await;
        upstream.rows.lock().unwrap().clear();
        upstream.is_later.store(true, Ordering::SeqCst);
        match is_torn {
            true => bus.held().is_torn = true,
            false => bus.held().fails = true,
        }
        // The shard is opened anew, and who asked asks again.
        let verdict = redrive(&engine, "0").await;
        assert_eq!(verdict, if is_torn { Verdict::Known } else { Verdict::Redriven });
        assert_eq!(bus.events(), ["a"]);
        assert_eq!(redrive(&engine, "0").await, Verdict::Already);
        assert!(engine.stop(Duration::from_secs(30)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_dead_letters_that_was_made_anew_has_nothing_settled() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    upstream.tell_all(&["?a=1", "?b=1"]);
    let engine = start(&upstream, &bus);
    until("they are put aside", || bus.letters() == 2).await;
    upstream.rows.lock().unwrap().clear();
    let discarded = settle(&engine, "0-1", Action::Discard, false).await;
    assert!(discarded.iter().all(|(_, verdict, _)| *verdict == Verdict::Discarded));
    // Others stand in their places now.
    bus.held().letters.iter_mut().for_each(|letter| letter.at_ms += 50_000);
    upstream.is_later.store(true, Ordering::SeqCst);
    assert_eq!(redrive(&engine, "0").await, Verdict::Redriven);
    assert_eq!(bus.events(), ["a"]);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_row_of_a_feed_that_is_read_is_refused_with_a_remedy_and_can_be_discarded() {
    let (upstream, bus) = (Upstream::default(), Memory::default());
    let headers = |stage: &str, feed: &str, cut: &str| {
        let one = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        let all = [
            ("__connect.errors.stage", stage),
            ("__talon.errors.feed", feed),
            ("__talon.errors.value.bytes", cut),
        ];
        all.map(one).into()
    };
    let all = [("publish", "thing", ""), ("decode", "gone", ""), ("decode", "thing", "9000")];
    for (at, (stage, feed, cut)) in (0..).zip(all) {
        let (headers, key) = (headers(stage, feed, cut), String::new());
        bus.held().letters.push(DeadLetter { at, at_ms: 1, key, value: b"a=1".to_vec(), headers });
    }
    let engine = start(&upstream, &bus);
    let refused = settle(&engine, "0-9", REDRIVE, false).await;
    assert!(refused.iter().all(|(_, verdict, _)| *verdict == Verdict::Refused), "{refused:?}");
    for (note, part) in refused.iter().zip(["offsets reset", "no feed `gone`", "9000 bytes"]) {
        assert!(note.2.contains(part), "{note:?}");
    }
    let discarded = settle(&engine, "0-2", Action::Discard, false).await;
    assert!(discarded.iter().all(|(_, verdict, _)| *verdict == Verdict::Discarded));
    assert_eq!(bus.events().len(), 0);
    assert!(engine.stop(Duration::from_secs(30)).await);
}
