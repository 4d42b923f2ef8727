//! What every store promises, whatever the bus. Each test gets what opens the store as a process of its own would.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use talon_runtime::bus::{Expected, Store, Told, WriteFault};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

const LIMIT: Duration = Duration::from_secs(120);

/// Opens the store as a process of its own. Called inside a runtime.
pub(crate) type Open<'o> = dyn Fn() -> Arc<dyn Store> + Sync + 'o;

/// Entries by key.
pub(crate) type Entries = BTreeMap<String, String>;

/// A follower, and what it was told.
pub(crate) struct Follower {
    told: Receiver<Told>,
    runtime: Handle,
    pub(crate) entries: Entries,
    pub(crate) revisions: BTreeMap<String, u64>,
    /// Everything that there was has been told, and there is no trouble since.
    pub(crate) current: bool,
    pub(crate) trouble: Option<String>,
    /// Keys in the order in which they were told.
    pub(crate) order: Vec<String>,
}

impl Follower {
    pub(crate) fn of(store: &dyn Store) -> Follower {
        Follower {
            told: store.follow(),
            runtime: Handle::current(),
            entries: Entries::new(),
            revisions: BTreeMap::new(),
            current: false,
            trouble: None,
            order: Vec::new(),
        }
    }

    /// Takes what is told until it is so.
    pub(crate) fn until(&mut self, what: &str, met: impl Fn(&Follower) -> bool) {
        let since = Instant::now();
        while !met(self) {
            assert!(
                since.elapsed() < LIMIT,
                "not in time: {what}; {:?} {:?}",
                self.trouble,
                self.entries
            );
            let soon = Duration::from_millis(50);
            let next = async { tokio::time::timeout(soon, self.told.recv()).await };
            if let Ok(told) = self.runtime.clone().block_on(next) {
                self.take(told.expect("it goes on for ever"));
            }
        }
    }

    pub(crate) fn until_current(&mut self) {
        self.until("it is current", |follower| follower.current);
    }

    pub(crate) fn until_entries(&mut self, expected: &Entries) {
        self.until("the entries are there", |follower| follower.entries == *expected);
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Entry(entry) => {
                let value = String::from_utf8(entry.value.to_vec()).unwrap();
                self.order.push(entry.key.clone());
                self.revisions.insert(entry.key.clone(), entry.revision);
                self.entries.insert(entry.key, value);
            }
            Told::Removed(key) => {
                self.order.push(key.clone());
                self.revisions.remove(&key);
                assert!(self.entries.remove(&key).is_some(), "`{key}` was not there");
            }
            Told::Current => (self.current, self.trouble) = (true, None),
            Told::Trouble(fault) => {
                (self.current, self.trouble) = (false, Some(fault.to_string()));
            }
        }
    }
}

pub(crate) fn entries(all: &[(&str, &str)]) -> Entries {
    all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What stands there now, as a process sees it that starts now.
pub(crate) fn seen(open: &Open<'_>) -> Entries {
    let mut follower = Follower::of(&*open());
    follower.until_current();
    follower.entries
}

/// The first number: what is there is told, then that it is all, then each change with its revision.
pub(crate) fn a_follower_is_told_what_is_there_then_each_change(open: &Open<'_>) {
    let store = open();
    let mut early = Follower::of(&*open());
    early.until_current();
    assert_eq!(early.entries, entries(&[]));
    let first = store.write("connector-a", Some(b"1"), Expected::Absent).unwrap();
    let second = store.write("connector-b", Some(b"2"), Expected::Absent).unwrap();
    assert!(second > first);
    let mut late = Follower::of(&*open());
    late.until_current();
    assert_eq!(late.order, ["connector-a", "connector-b"], "oldest first");
    let third = store.write("connector-a", Some(b""), Expected::Revision(first)).unwrap();
    let fourth = store.write("connector-b", None, Expected::Revision(second)).unwrap();
    assert!(second < third && third < fourth);
    for follower in [&mut early, &mut late] {
        follower.until_entries(&entries(&[("connector-a", "")]));
        assert_eq!(follower.revisions["connector-a"], third);
        assert_eq!(follower.order[follower.order.len() - 2..], ["connector-a", "connector-b"]);
        assert!(follower.current);
    }
    // The store can be dropped, and who follows it goes on.
    drop(store);
    open().write("connector-c", Some(b"3"), Expected::Anything).unwrap();
    early.until_entries(&entries(&[("connector-a", ""), ("connector-c", "3")]));
}

/// Compare and set, one after another.
pub(crate) fn only_what_is_expected_is_written_over(open: &Open<'_>) {
    let (one, other) = (open(), open());
    let conflict = Err(WriteFault::Conflict);
    assert_eq!(one.write("k", Some(b"1"), Expected::Revision(1)), conflict);
    assert_eq!(one.write("k", None, Expected::Revision(0)), conflict);
    let first = one.write("k", Some(b"1"), Expected::Absent).unwrap();
    assert_eq!(other.write("k", Some(b"2"), Expected::Absent), conflict);
    assert_eq!(other.write("k", Some(b"2"), Expected::Revision(first + 1)), conflict);
    let second = other.write("k", Some(b"2"), Expected::Revision(first)).unwrap();
    assert_eq!(one.write("k", None, Expected::Revision(first)), conflict);
    let removed = one.write("k", None, Expected::Revision(second)).unwrap();
    // A removal is no entry.
    assert_eq!(one.write("k", Some(b"3"), Expected::Revision(removed)), conflict);
    let again = other.write("k", Some(b"3"), Expected::Absent).unwrap();
    assert!(again > removed);
    let any = one.write("k", Some(b"4"), Expected::Anything).unwrap();
    assert_eq!(other.write("k", Some(b"5"), Expected::Revision(again)), conflict);
    other.write("k", Some(b"5"), Expected::Revision(any)).unwrap();
    assert_eq!(seen(open), entries(&[("k", "5")]));
}

/// Every text is a key, and comes back as it is.
pub(crate) fn every_text_is_a_key(open: &Open<'_>) {
    let store = open();
    let keys =
        ["connector-a.b", "a b", "*", ">", "a/b", "тикет №7", "=", "=41", "%", ".", "-", "A"];
    let mut expected = Entries::new();
    for (number, key) in keys.iter().enumerate() {
        let value = format!("value {number}");
        store.write(key, Some(value.as_bytes()), Expected::Absent).unwrap();
        expected.insert((*key).to_owned(), value);
    }
    assert_eq!(seen(open), expected);
    let mut follower = Follower::of(&*open());
    follower.until_entries(&expected);
    for key in keys {
        store.write(key, None, Expected::Revision(follower.revisions[key])).unwrap();
    }
    follower.until_entries(&entries(&[]));
}

/// How often writers count up in all: short, unless `TALON_STORE_INCREMENTS` says more.
pub(crate) fn increments() -> u32 {
    std::env::var("TALON_STORE_INCREMENTS").ok().and_then(|more| more.parse().ok()).unwrap_or(40)
}

/// Writers in processes of their own count up together; halfway something is done to the bus. The count is exact, and
/// every revision was given once.
pub(crate) fn increments_by_many_writers_are_all_counted(
    open: &Open<'_>,
    (writers, total): (u32, u32),
    disturb: impl FnOnce(),
) {
    let (begun, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let (conflicts, runtime) = (AtomicU32::new(0), Handle::current());
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(|| {
                    let _inside = runtime.enter();
                    let store = open();
                    let mut follower = Follower::of(&*store);
                    follower.until_current();
                    while begun.fetch_add(1, Ordering::SeqCst) < total {
                        conflicts.fetch_add(increment(&*store, &mut follower), Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        while done.load(Ordering::SeqCst) < total / 2 {
            std::thread::sleep(Duration::from_millis(20));
            let ended = running.iter().any(|writer| writer.is_finished());
            assert!(!ended, "a writer has failed");
        }
        disturb();
    });
    println!("{} conflicts", conflicts.load(Ordering::SeqCst));
    assert_eq!(seen(open), entries(&[("count", &total.to_string())]));
}

/// Counts up once; how often somebody else was quicker.
fn increment(store: &dyn Store, follower: &mut Follower) -> u32 {
    let mut conflicts = 0;
    loop {
        let known = follower.revisions.get("count").copied();
        let count: u32 = follower.entries.get("count").map_or(0, |count| count.parse().unwrap());
        let expected = known.map_or(Expected::Absent, Expected::Revision);
        match store.write("count", Some((count + 1).to_string().as_bytes()), expected) {
            Ok(revision) => {
                follower.until("what was written is told", |follower| {
                    follower.revisions.get("count").is_some_and(|known| *known >= revision)
                });
                return conflicts;
            }
            Err(WriteFault::Conflict) => {
                conflicts += 1;
                follower.until("what another wrote is told", |follower| {
                    follower.revisions.get("count").copied() != known
                });
            }
            Err(WriteFault::Bus(fault)) => println!("tried again: {fault}"),
            Err(fault @ WriteFault::Unclear(_)) => panic!("{fault}"),
        }
    }
}

/// Of what is put the newest is there in the end, and every follower, whenever it began, sees the same.
pub(crate) fn every_follower_sees_the_same_in_the_end(open: &Open<'_>, disturb: impl FnOnce()) {
    let (one, other) = (open(), open());
    let mut expected = Entries::new();
    let mut followers = Vec::new();
    let mut disturb = Some(disturb);
    for round in 0..60_u32 {
        let (store, key) =
            (if round % 2 == 0 { &one } else { &other }, format!("status-{}", round % 14));
        // Each key is put by one process only, as a state is.
        if round % 5 == 4 {
            store.put(&key, None);
            expected.remove(&key);
        } else {
            store.put(&key, Some(round.to_string().as_bytes()));
            expected.insert(key, round.to_string());
        }
        if round % 10 == 3 {
            followers.push(Follower::of(&*open()));
        }
        if round % 10 == 7 {
            // One that begins and ends in between disturbs nobody.
            drop(Follower::of(&*open()));
        }
        if round == 30 {
            disturb.take().unwrap()();
        }
    }
    for store in [&one, &other] {
        assert!(store.flush(LIMIT));
    }
    for follower in &mut followers {
        follower.until_entries(&expected);
        follower.until_current();
    }
    assert_eq!(seen(open), expected);
}
