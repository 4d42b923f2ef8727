//! Defects of a connector: what they may cost, with a bus in memory.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::bus::{Append, Bus, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};
use talon_runtime::health::State;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{Format, Options};
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::{
    Clock, Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Observation, Row,
    RowCodec, RowFault, Rows,
};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL_MESSAGE = "call_message",
    }
}

fn spec(name: &'static str) -> Arc<FeedSpec> {
    FeedSpec::table(name, &contractor::CALL_MESSAGE).into()
}

/// What is wrong with the feed `poisoned`.
#[derive(Clone, Copy, PartialEq)]
enum Defect {
    /// Reading panics at every second call.
    Next,
    /// Comparing panics: the codec does where nothing can be blamed on a row.
    Compare,
    /// A cursor that no bus takes, at every read after the first.
    Cursor,
    /// A cursor that this bus does not take.
    LongCursor,
    /// No event can be made of its values.
    Value,
    /// No row can be read.
    Rows,
}

#[derive(Clone)]
struct Hall {
    defect: Defect,
    sound: Arc<AtomicUsize>,
    poisoned: Arc<AtomicUsize>,
    opened: Arc<AtomicUsize>,
}

impl Hall {
    fn new(defect: Defect) -> Hall {
        let counter = Arc::<AtomicUsize>::default;
        Hall { defect, sound: counter(), poisoned: counter(), opened: counter() }
    }
}

#[async_trait]
impl Connector for Hall {
    fn feeds(&self) -> Vec<FeedPlan> {
        let interval = Duration::from_millis(2);
        [(spec("sound"), None), (spec("poisoned"), Some(self.defect))]
            .map(|(spec, defect)| FeedPlan { spec, interval, codec: Arc::new(Codec(defect)) })
            .into()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        if feed == "sound" {
            return Ok(Box::new(Reads(None, self.sound.clone())));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Reads(Some(self.defect), self.poisoned.clone())))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

struct Reads(Option<Defect>, Arc<AtomicUsize>);

#[async_trait]
impl Feed for Reads {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let read = self.1.fetch_add(1, Ordering::SeqCst);
        assert!(self.0 != Some(Defect::Next) || read.is_multiple_of(2), "a defect of the feed");
        let cursor = match self.0 {
            Some(Defect::Cursor) if read == 0 => "1".to_owned(),
            Some(Defect::Cursor) => {
                assert_eq!(from, Some(&Cursor("1".to_owned())), "reads on from the one before");
                "2".repeat(300_000)
            }
            Some(Defect::LongCursor) => format!("{read:010000}"),
            _ => read.to_string(),
        };
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: Rows::of_one(read.to_string().into()),
            cursor: Some(Cursor(cursor)),
            snapshot: false,
            as_of_ms: 0,
        })
    }
}

struct Codec(Option<Defect>);

impl RowCodec for Codec {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, row: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
        assert!(self.0 != Some(Defect::Rows), "a defect of the codec");
        out.key = String::from_utf8(row.to_vec()).unwrap();
        // A length that reaches beyond the end.
        let value: &[u8] = if self.0 == Some(Defect::Value) { &[200] } else { &[0; 8] };
        out.value.extend_from_slice(value);
        Ok(())
    }

    fn tells_absence(&self) -> bool {
        // Asked once when the feed is opened.
        let compares = std::thread::current().name() == Some("hall");
        assert!(!compares || self.0 != Some(Defect::Compare), "a defect of the codec");
        true
    }
}

/// A bus in memory.
#[derive(Clone, Default)]
struct Memory {
    opened: Arc<AtomicUsize>,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    pending: Vec<usize>,
    /// Records by place of their topic, committed.
    records: [usize; 3],
    /// The newest checkpoint of `poisoned`.
    cursor: Option<String>,
    /// Commits fail.
    is_away: bool,
    /// The largest checkpoint, where there is one.
    largest: Option<usize>,
}

impl Bus for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.written.lock().unwrap().pending.clear();
        Ok(Box::new(self.clone()))
    }
}

impl ShardLog for Memory {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        self.written.lock().unwrap().pending.push(record.topic);
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        let mut written = self.written.lock().unwrap();
        if written.is_away {
            return Err(BusFault::Unavailable("away".to_owned()));
        }
        // Nothing of it is there yet, as on a bus with transactions.
        let largest = written.largest.unwrap_or(usize::MAX);
        if checkpoints.iter().any(|(_, value)| value.len() > largest) {
            return Err(BusFault::TooLarge("a checkpoint".to_owned()));
        }
        for topic in std::mem::take(&mut written.pending) {
            written.records[topic] += 1;
        }
        for (key, value) in checkpoints {
            assert!(value.len() < 1_000_000, "larger than a bus takes");
            if key == "hall/poisoned" {
                written.cursor = Some(String::from_utf8(value.clone()).unwrap());
            }
        }
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

impl Memory {
    fn records(&self, place: usize) -> usize {
        self.written.lock().unwrap().records[place]
    }
}

const SOUND_ROWS: usize = 0;
const POISONED_ROWS: usize = 1;
const DEAD_LETTERS: usize = 2;

async fn until(what: &str, met: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within 60 s: {what}");
}

fn start(hall: &Hall, bus: &Memory, format: Format) -> Engine {
    Engine::start(Parts {
        prefix: "t".to_owned(),
        bus: Arc::new(bus.clone()),
        registry: None,
        connectors: vec![Setup {
            name: "hall".to_owned(),
            class: "test",
            options: Options { format, ..Options::default() },
            connector: Arc::new(hall.clone()),
            commands: None,
        }],
        clock: Clock::System,
        metrics: Metrics::new().unwrap(),
    })
}

/// State and message of the poisoned feed.
fn shown(engine: &Engine) -> Option<(State, String)> {
    let component = engine.view().health.components().remove("hall/poisoned")?;
    Some((component.state, component.message))
}

/// The sound feed goes on for a while.
async fn flows(bus: &Memory) {
    let before = bus.records(SOUND_ROWS);
    until("the other feed flows", || bus.records(SOUND_ROWS) > before + 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_panics_while_it_reads_is_opened_anew_and_the_others_go_on() {
    let (hall, bus) = (Hall::new(Defect::Next), Memory::default());
    let engine = start(&hall, &bus, Format::Avro);
    until("it panicked", || {
        shown(&engine).is_some_and(|(state, message)| {
            state == State::Internal
                && message.contains("panicked")
                && !message.contains("of the feed")
        })
    })
    .await;
    flows(&bus).await;
    assert_eq!(bus.records(POISONED_ROWS), 1, "what it read before");
    assert_eq!(bus.opened.load(Ordering::SeqCst), 1, "nothing was read back again");
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_observation_cannot_be_compared_is_set_aside_and_the_others_go_on() {
    let (hall, bus) = (Hall::new(Defect::Compare), Memory::default());
    let engine = start(&hall, &bus, Format::Avro);
    until("it is set aside", || {
        shown(&engine).is_some_and(|(state, message)| {
            state == State::Internal && message.contains("set aside")
        })
    })
    .await;
    flows(&bus).await;
    assert!(engine.view().health.ready());
    assert_eq!((bus.records(POISONED_ROWS), hall.opened.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(bus.opened.load(Ordering::SeqCst), 2, "read back once");
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_too_large_is_not_written_and_the_feed_goes_on_from_the_one_before() {
    let (hall, bus) = (Hall::new(Defect::Cursor), Memory::default());
    let engine = start(&hall, &bus, Format::Avro);
    until("it is read on", || bus.records(POISONED_ROWS) > 20).await;
    let (state, message) = shown(&engine).unwrap();
    assert_eq!(state, State::Internal);
    assert!(message.contains("a cursor of 300000 bytes"), "{message}");
    assert!(bus.written.lock().unwrap().cursor.as_ref().unwrap().contains(r#""cursor":"1""#));
    flows(&bus).await;
    assert_eq!(bus.opened.load(Ordering::SeqCst), 1);
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_the_bus_does_not_take_holds_up_nothing_else() {
    let (hall, bus) = (Hall::new(Defect::LongCursor), Memory::default());
    bus.written.lock().unwrap().largest = Some(5_000);
    let engine = start(&hall, &bus, Format::Avro);
    until("its rows are published", || bus.records(POISONED_ROWS) > 20).await;
    flows(&bus).await;
    assert_eq!(bus.written.lock().unwrap().cursor, None);
    assert_eq!(bus.opened.load(Ordering::SeqCst), 1, "nothing is read back");
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_a_value_of_which_no_event_can_be_made_is_a_dead_letter() {
    let (hall, bus) = (Hall::new(Defect::Value), Memory::default());
    // Only JSON looks into the value.
    let engine = start(&hall, &bus, Format::Json);
    until("they are put aside", || bus.records(DEAD_LETTERS) > 20).await;
    assert_eq!((bus.records(POISONED_ROWS), bus.opened.load(Ordering::SeqCst)), (0, 1));
    flows(&bus).await;
    let text = engine.view().scrape();
    assert!(!text.contains(r#"talon_changes_total{connector="hall",feed="poisoned",op="c"} 1"#));
    assert!(engine.stop(Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_counted_when_they_are_committed() {
    let (hall, bus) = (Hall::new(Defect::Rows), Memory::default());
    bus.written.lock().unwrap().is_away = true;
    let engine = start(&hall, &bus, Format::Avro);
    let counted = || {
        let text = engine.view().scrape();
        let series = r#"talon_dead_letters_total{connector="hall",feed="poisoned",stage="decode"}"#;
        let line = text.lines().find(|line| line.starts_with(series))?;
        line.split(' ').next_back()?.parse::<usize>().ok()
    };
    until("it was opened a few times", || bus.opened.load(Ordering::SeqCst) >= 3).await;
    assert!(hall.poisoned.load(Ordering::SeqCst) > 0);
    assert_eq!(counted(), Some(0), "what was not committed");
    bus.written.lock().unwrap().is_away = false;
    until("they are put aside", || bus.records(DEAD_LETTERS) > 20).await;
    until("all are counted", || counted().is_some_and(|count| count >= bus.records(DEAD_LETTERS)))
        .await;
    let count = counted();
    assert!(engine.stop(Duration::from_secs(30)).await);
    assert!(count <= Some(bus.records(DEAD_LETTERS)));
}
