//! A store in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::entries::{Expected, Store, Told, WriteFault};
use super::picture::{Picture, Record};

/// Followers wait for what they are told in a queue of so many.
const QUEUE: usize = 256;

/// A store that only this process uses. Clones are one.
#[derive(Debug, Clone)]
pub struct MemoryStore(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    all: BTreeMap<String, Record>,
    revision: u64,
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Store for MemoryStore {
    fn follow(&self) -> mpsc::Receiver<Told> {
        let (told, receiver) = mpsc::channel(QUEUE);
        let mut state = self.0.subscribe();
        tokio::spawn(async move {
            let mut picture = Picture::default();
            let mut first = true;
            loop {
                let all = state.borrow_and_update().all.clone();
                let mut news = picture.replace(all);
                if !std::mem::replace(&mut first, false) {
                    news.pop();
                }
                for new in news {
                    if told.send(new).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    changed = state.changed() => if changed.is_err() { return },
                    () = told.closed() => return,
                }
            }
        });
        receiver
    }

    fn write(
        &self,
        key: &str,
        value: Option<&[u8]>,
        expected: Expected,
    ) -> Result<u64, WriteFault> {
        let mut written = Err(WriteFault::Conflict);
        self.0.send_if_modified(|state| {
            let found = state.all.get(key).filter(|record| record.value.is_some());
            if !expected.is_met(found.map(|record| record.revision)) {
                return false;
            }
            state.revision += 1;
            let revision = state.revision;
            let value = value.map(Bytes::copy_from_slice);
            state.all.insert(key.to_owned(), Record { revision, value });
            written = Ok(revision);
            true
        });
        written
    }

    fn put(&self, key: &str, value: Option<&[u8]>) {
        // Whatever stands there, so there is no conflict.
        self.write(key, value, Expected::Anything).ok();
    }

    fn flush(&self, _at_most: Duration) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::entries::Entry;
    use super::*;

    fn entry(key: &str, value: &str, revision: u64) -> Told {
        Told::Entry(Entry { key: key.to_owned(), value: value.to_owned().into(), revision })
    }

    #[tokio::test]
    async fn a_follower_is_told_all_that_is_there_then_that_it_is_current_then_each_change() {
        let store = MemoryStore::default();
        assert_eq!(store.write("a", Some(b"1"), Expected::Absent), Ok(1));
        store.put("b", Some(b"2"));
        let mut follower = store.follow();
        for told in [entry("a", "1", 1), entry("b", "2", 2), Told::Current] {
            assert_eq!(follower.recv().await, Some(told));
        }
        assert_eq!(store.write("b", None, Expected::Revision(2)), Ok(3));
        assert_eq!(follower.recv().await, Some(Told::Removed("b".to_owned())));
        assert_eq!(store.write("b", Some(b"4"), Expected::Absent), Ok(4));
        assert_eq!(follower.recv().await, Some(entry("b", "4", 4)));
        drop(store);
        assert_eq!(follower.recv().await, None);
    }

    #[test]
    fn only_what_is_expected_is_written_over() {
        let store = MemoryStore::default();
        assert_eq!(store.write("a", Some(b""), Expected::Revision(1)), Err(WriteFault::Conflict));
        assert_eq!(store.write("a", Some(b"1"), Expected::Absent), Ok(1));
        assert_eq!(store.write("a", Some(b"2"), Expected::Absent), Err(WriteFault::Conflict));
        assert_eq!(store.write("a", None, Expected::Revision(1)), Ok(2));
        // It is no entry any more.
        assert_eq!(store.write("a", Some(b"3"), Expected::Revision(2)), Err(WriteFault::Conflict));
        assert_eq!(store.write("a", Some(b"3"), Expected::Absent), Ok(3));
    }
}
