//! Events that the bus does not take.

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::bus::{Place, Recovered};
use crate::service::metrics::Metrics;
use crate::service::progress::Progress;
use crate::shard::change::EventId;
use crate::shard::pace::tests::pace;

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of(
        "test",
        "thing",
        r#"{"type": "record", "name": "Thing", "namespace": "talon.test.things",
            "fields": [{"name": "text", "type": "string"}]}"#,
    )
});

/// A record as it was appended.
struct Record {
    topic: usize,
    key: String,
    value: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
}

impl Record {
    fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The values before and after.
    fn images(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        // Behind the marker and the fingerprint of the schema.
        let parts = CONTRACT.cut(&self.value.as_deref().unwrap()[10..]).unwrap();
        (parts.before, parts.after)
    }
}

/// Takes values of so many bytes.
struct Log {
    most: [usize; 2],
    records: Vec<Record>,
}

impl ShardLog for Log {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, append: &Append<'_>) -> Result<(), BusFault> {
        if append.value.map_or(0, <[u8]>::len) > self.most[append.topic] {
            return Err(BusFault::TooLarge("so it is".to_owned()));
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.records.push(Record {
            topic: append.topic,
            key: append.key.to_owned(),
            value: append.value.map(<[u8]>::to_vec),
            headers: append.headers.iter().map(|(k, v)| ((*k).to_owned(), text(v))).collect(),
        });
        Ok(())
    }

    fn commit(&mut self, _: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

#[derive(serde::Serialize)]
struct Thing {
    text: String,
}

fn thing(bytes: usize) -> Vec<u8> {
    let mut datum = Vec::new();
    CONTRACT.encode(&Thing { text: "x".repeat(bytes) }, &mut datum).unwrap();
    datum
}

/// Publishes a change; what was appended, and the metrics.
fn published(
    oversize: Oversize,
    most: [usize; 2],
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> (Vec<Record>, String) {
    let metrics = Metrics::new().unwrap();
    let clock = talon_sdk::Clock::System;
    let frame = FeedFrame {
        class: "test",
        connector: "things".to_owned(),
        feed: "thing".into(),
        kind: Kind::Table,
        topic: "talon.things.thing".to_owned(),
        contract: &CONTRACT,
        wire: Wire::SingleObject,
        changes: 0,
        dead_letters: 1,
        entity_bytes: 5_000,
        before_images: true,
        oversize,
        metrics: metrics.feed("things", "thing", Duration::ZERO, &clock),
    };
    let mut log = Log { most, records: Vec::new() };
    let mut tally = frame.metrics.tally();
    let mut publisher = Publisher {
        log: &mut log,
        frame: &frame,
        scope: "",
        snapshot: false,
        as_of_ms: 1,
        now_ms: 1,
        buffer: &mut Vec::new(),
        transaction: &mut Transaction::new(&pace().0, &Progress::default()),
        tally: &mut tally,
        told: None,
    };
    let op = if after.is_some() { Op::Update } else { Op::Delete };
    let (key, id) = ("1", EventId::of(7));
    let change = Change { key, before, after, op, ts_ms: None, absent: false, id };
    publisher.change(&change).unwrap();
    frame.metrics.count(&mut tally);
    (log.records, metrics.text())
}

fn counted(metrics: &str, handling: &str) -> u64 {
    let sample = format!(
        "talon_oversize_total{{connector=\"things\",feed=\"thing\",handling=\"{handling}\"}} "
    );
    let line = metrics.lines().find_map(|line| line.strip_prefix(&sample));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

#[test]
fn a_before_image_that_does_not_fit_is_dropped_where_that_is_wanted_and_said() {
    let (before, after) = (thing(900), thing(800));
    let (records, metrics) =
        published(Oversize::DropBefore, [1_000, 9_000], Some(&before), Some(&after));
    let [record] = &records[..] else { panic!("{}", records.len()) };
    assert_eq!((record.topic, record.images()), (0, (None, Some(&after[..]))));
    assert_eq!(record.header("talon-before-missing"), Some("too-large"));
    assert_eq!((counted(&metrics, "drop-before"), counted(&metrics, "dead-letter")), (1, 0));
}

#[test]
fn else_the_event_goes_to_the_dead_letters_and_they_have_the_value_now() {
    let (before, after) = (thing(900), thing(800));
    let (records, metrics) =
        published(Oversize::DeadLetter, [1_000, 9_000], Some(&before), Some(&after));
    let [record] = &records[..] else { panic!("{}", records.len()) };
    assert_eq!((record.topic, record.images()), (1, (None, Some(&after[..]))));
    assert_eq!((record.key.as_str(), record.header("talon-before-missing")), ("1", None));
    let reason = record.header("__connect.errors.exception.message").unwrap();
    assert!(reason.contains("max.message.bytes") && reason.contains("17"), "{reason}");
    assert_eq!((counted(&metrics, "drop-before"), counted(&metrics, "dead-letter")), (0, 1));
}

#[test]
fn what_fits_with_its_before_image_is_published_as_a_whole_and_says_nothing() {
    for oversize in [Oversize::DropBefore, Oversize::DeadLetter] {
        let (before, after) = (thing(900), thing(800));
        let (records, metrics) = published(oversize, [2_000; 2], Some(&before), Some(&after));
        let [record] = &records[..] else { panic!("{}", records.len()) };
        assert_eq!((record.topic, record.images()), (0, (Some(&before[..]), Some(&after[..]))));
        assert_eq!(record.header("talon-before-missing"), None);
        assert_eq!((counted(&metrics, "drop-before"), counted(&metrics, "dead-letter")), (0, 0));
    }
}

#[test]
fn an_entity_beyond_its_limit_goes_to_the_dead_letters_whatever_the_bus_takes() {
    let after = thing(5_001);
    let (records, _) = published(Oversize::DropBefore, [90_000; 2], None, Some(&after));
    let [record] = &records[..] else { panic!("{}", records.len()) };
    assert_eq!(record.topic, 1);
    let reason = record.header("__connect.errors.exception.message").unwrap();
    assert!(reason.contains("`entity.max.bytes`"), "{reason}");
}

#[test]
fn a_delete_whose_event_does_not_fit_still_has_its_tombstone() {
    let before = thing(900);
    for (oversize, topics) in [(Oversize::DropBefore, [0, 0]), (Oversize::DeadLetter, [1, 0])] {
        let (records, _) = published(oversize, [500, 9_000], Some(&before), None);
        let found: Vec<usize> = records.iter().map(|record| record.topic).collect();
        assert_eq!(found, topics);
        assert!(records[1].value.is_none());
    }
}

#[test]
fn an_update_of_what_could_not_be_read_says_why_it_has_no_value_before() {
    let after = thing(800);
    let (records, metrics) = published(Oversize::DeadLetter, [2_000; 2], None, Some(&after));
    assert_eq!(records[0].header("talon-before-missing"), Some("unreadable"));
    assert_eq!((counted(&metrics, "drop-before"), counted(&metrics, "dead-letter")), (0, 0));
}
