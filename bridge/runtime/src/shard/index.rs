//! What was last published about every entity of a feed.
//!
//! The index is rebuilt from the feed's topic at start and then kept in step with what is appended.
//! It is laid out for size: a slot of 56 bytes with the key inside it (a UUID, or up to 24 bytes of text),
//! four to five bytes of hash table, and the encoded value only where before images are wanted. A longer
//! key is an allocation of its own; where nobody asks for keys, its hash stands for it instead ([`Keys`]).

use std::borrow::Cow;

use hashbrown::HashTable;

pub use crate::shard::key::Keys;
use crate::shard::key::{Form, Key};

const CHUNK: usize = 4096;

/// Place of an entity in the index; stays the same as long as the entity lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId(u32);

impl SlotId {
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    pub(crate) fn of_number(number: u32) -> SlotId {
        SlotId(number)
    }

    /// Chunk, and place in it.
    pub(crate) fn place(self) -> (usize, usize) {
        (self.0 as usize / CHUNK, self.0 as usize % CHUNK)
    }
}

/// What is remembered of an entity besides its key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Fingerprint of the content last published; see [`crate::shard::diff::fingerprint`].
    pub fingerprint: [u64; 2],
    /// Hash of the row's bytes last seen; 0 is "not known", as after recovery.
    pub raw: u64,
    /// Low half of the last event's id, from which the next one is derived.
    pub chain: u64,
}

impl Entry {
    /// Of an entity whose content cannot be read: no content has this fingerprint.
    pub fn without_content(chain: u64) -> Entry {
        Entry { fingerprint: [0, 0], raw: 0, chain }
    }

    fn has_content(&self) -> bool {
        self.fingerprint != [0, 0]
    }
}

#[derive(Debug)]
struct Slot {
    key: Key,
    entry: Entry,
}

/// The entities of one feed.
#[derive(Debug)]
pub struct Index {
    // Chunks instead of one vector, which would double and hold twice what it needs.
    slots: Vec<Vec<Slot>>,
    values: Option<Vec<Vec<Box<[u8]>>>>,
    table: HashTable<u32>,
    free: Vec<u32>,
    keys: Keys,
    without_content: usize,
}

impl Index {
    /// An empty index, with or without the values themselves.
    pub fn new(keep_values: bool, keys: Keys) -> Index {
        Index {
            keys,
            slots: Vec::new(),
            values: keep_values.then(Vec::new),
            table: HashTable::new(),
            free: Vec::new(),
            without_content: 0,
        }
    }

    /// Number of entities.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Number of entities whose content is known.
    pub fn readable(&self) -> usize {
        self.len() - self.without_content
    }

    /// Upper bound of slot numbers.
    fn slots(&self) -> usize {
        self.slots.last().map_or(0, |last| (self.slots.len() - 1) * CHUNK + last.len())
    }

    /// Looks an entity up.
    pub fn find(&self, key: &str) -> Option<SlotId> {
        let key = Form::of(key, self.keys);
        let found = self.table.find(key.hash(), |&id| key.is(&self.slot(SlotId(id)).key));
        found.map(|&id| SlotId(id))
    }

    /// The entity's key, or what stands for it.
    pub fn key(&self, id: SlotId) -> Cow<'_, str> {
        self.slot(id).key.text()
    }

    /// What is remembered of it.
    pub fn entry(&self, id: SlotId) -> Entry {
        self.slot(id).entry
    }

    /// Its value, where values are kept and its content is known.
    pub fn value(&self, id: SlotId) -> Option<&[u8]> {
        let values = self.values.as_ref()?;
        let value = &values[id.0 as usize / CHUNK][id.0 as usize % CHUNK];
        Some(&value[..]).filter(|value| !value.is_empty())
    }

    /// Notes the bytes of the row that was seen last.
    pub fn set_raw(&mut self, id: SlotId, raw: u64) {
        self.slot_mut(id).entry.raw = raw;
    }

    /// Replaces what is known of an entity.
    pub fn replace(&mut self, id: SlotId, entry: Entry, value: &[u8]) {
        let before = std::mem::replace(&mut self.slot_mut(id).entry, entry);
        self.without_content += usize::from(!entry.has_content());
        self.without_content -= usize::from(!before.has_content());
        if let Some(values) = &mut self.values {
            values[id.0 as usize / CHUNK][id.0 as usize % CHUNK] = value.into();
        }
    }

    /// Adds an entity that is not there.
    pub fn insert(&mut self, key: &str, entry: Entry, value: &[u8]) -> SlotId {
        self.without_content += usize::from(!entry.has_content());
        let slot = Slot { key: Form::of(key, self.keys).into(), entry };
        let hashed = slot.key.hash();
        let id = match self.free.pop() {
            Some(id) => {
                *self.slot_mut(SlotId(id)) = slot;
                if let Some(values) = &mut self.values {
                    values[id as usize / CHUNK][id as usize % CHUNK] = value.into();
                }
                id
            }
            None => {
                let id =
                    u32::try_from(self.slots()).expect("fewer than 2^32 entities fit in memory");
                push(&mut self.slots, slot);
                if let Some(values) = &mut self.values {
                    push(values, value.into());
                }
                id
            }
        };
        let slots = &self.slots;
        self.table.insert_unique(hashed, id, |&id| {
            slots[id as usize / CHUNK][id as usize % CHUNK].key.hash()
        });
        SlotId(id)
    }

    /// Forgets an entity.
    pub fn remove(&mut self, id: SlotId) {
        self.without_content -= usize::from(!self.slot(id).entry.has_content());
        let key = std::mem::replace(&mut self.slot_mut(id).key, Key::none());
        if let Ok(occupied) = self.table.find_entry(key.hash(), |&other| other == id.0) {
            occupied.remove();
            self.free.push(id.0);
            if let Some(values) = &mut self.values {
                values[id.0 as usize / CHUNK][id.0 as usize % CHUNK] = Box::default();
            }
        }
    }

    /// All entities, in no order.
    pub fn ids(&self) -> impl Iterator<Item = SlotId> {
        self.table.iter().map(|&id| SlotId(id))
    }

    fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[id.0 as usize / CHUNK][id.0 as usize % CHUNK]
    }

    fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[id.0 as usize / CHUNK][id.0 as usize % CHUNK]
    }
}

fn push<T>(chunks: &mut Vec<Vec<T>>, item: T) {
    match chunks.last_mut() {
        Some(last) if last.len() < CHUNK => last.push(item),
        // Chunks grow as vectors do while small, so that a small feed stays small.
        _ => chunks.push(vec![item]),
    }
}

/// A set of entities: a bit for each slot, and only for chunks of which a slot is in it.
///
/// A slot that was freed and used again stays in it.
#[derive(Debug, Default)]
pub struct SlotSet(Vec<Option<Box<[u64; CHUNK / 64]>>>);

impl SlotSet {
    /// Puts an entity in; says whether it was in it before.
    pub fn insert(&mut self, id: SlotId) -> bool {
        let (chunk, place) = id.place();
        if chunk >= self.0.len() {
            self.0.resize_with(chunk + 1, || None);
        }
        let words = self.0[chunk].get_or_insert_with(|| Box::new([0; CHUNK / 64]));
        let (word, bit) = (&mut words[place / 64], 1 << (place % 64));
        let before = *word & bit != 0;
        *word |= bit;
        before
    }

    /// Whether it is in it.
    pub fn contains(&self, id: SlotId) -> bool {
        let (chunk, place) = id.place();
        let words = self.0.get(chunk).and_then(Option::as_ref);
        words.is_some_and(|words| words[place / 64] & (1 << (place % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn entry(n: u64) -> Entry {
        Entry { fingerprint: [n, n], raw: n, chain: n }
    }

    #[test]
    fn entities_are_found_replaced_and_forgotten() {
        let mut index = Index::new(true, Keys::Whole);
        for n in 0..10_000_u64 {
            index.insert(&n.to_string(), entry(n), &n.to_le_bytes());
        }
        assert_eq!(index.len(), 10_000);
        for n in (0..10_000).step_by(2) {
            let id = index.find(&n.to_string()).unwrap();
            index.remove(id);
        }
        assert_eq!((index.len(), index.find("4")), (5_000, None));
        let id = index.insert("new", entry(1), b"value");
        assert!(index.slots() == 10_000, "a freed slot is used again");
        index.replace(id, entry(2), b"other");
        assert_eq!((index.entry(id), index.value(id)), (entry(2), Some(&b"other"[..])));
        for n in (1..10_000).step_by(2) {
            let id = index.find(&n.to_string()).unwrap();
            assert_eq!(index.value(id), Some(&u64::to_le_bytes(n)[..]));
        }
        assert_eq!(index.ids().count(), 5_001);
    }

    #[test]
    fn an_entity_without_content_counts_as_one_and_is_not_readable() {
        let mut index = Index::new(true, Keys::Whole);
        let id = index.insert("a", Entry::without_content(1), b"");
        let other = index.insert("b", entry(1), b"b");
        assert_eq!((index.len(), index.readable(), index.value(id)), (2, 1, None));
        index.replace(id, entry(2), b"value");
        assert_eq!((index.readable(), index.value(id)), (2, Some(&b"value"[..])));
        index.replace(id, Entry::without_content(3), b"");
        index.replace(other, Entry::without_content(3), b"");
        index.remove(id);
        assert_eq!((index.len(), index.readable()), (1, 0));
    }

    #[test]
    fn an_entity_without_its_value_takes_at_most_64_bytes() {
        assert_eq!(size_of::<Slot>(), 56);
        let mut index = Index::new(false, Keys::Whole);
        for n in 0..100_000_u64 {
            index.insert(&Uuid::from_u64_pair(n, n).to_string(), entry(n), b"");
        }
        assert!(index.ids().all(|id| !index.slot(id).key.is_heap_allocated()));
        let slots: usize =
            index.slots.iter().map(|chunk| chunk.capacity() * size_of::<Slot>()).sum();
        let bytes = slots + index.table.allocation_size();
        assert!(bytes <= 64 * 100_000, "{} bytes an entity", bytes as f64 / 100_000.0);
    }

    #[test]
    fn a_long_key_takes_no_allocation_where_its_hash_stands_for_it() {
        let key = |n: u64| format!("78e721bb-c691-7d58-1db5-97882ad01310/{n:036}");
        let mut index = Index::new(false, Keys::Hashed);
        for n in 0..10_000 {
            index.insert(&key(n), entry(n), b"");
            index.insert(&n.to_string(), entry(n), b"");
        }
        assert_eq!(index.len(), 20_000);
        for n in 0..10_000 {
            let id = index.find(&key(n)).unwrap();
            assert_eq!(index.entry(id), entry(n));
            assert!(!index.slot(id).key.is_heap_allocated());
            assert_eq!(index.key(index.find(&n.to_string()).unwrap()), n.to_string());
        }
        assert_eq!(index.find(&key(10_000)), None);
        index.remove(index.find(&key(7)).unwrap());
        assert_eq!((index.find(&key(7)), index.len()), (None, 19_999));
    }

    #[test]
    fn a_set_of_few_entities_is_small_however_many_there_are() {
        let (mut set, [a, b, far]) = (SlotSet::default(), [0, 63, 3_000_000].map(SlotId));
        assert!(!set.insert(a) && set.insert(a));
        assert!(set.contains(a) && !set.contains(b) && !set.contains(far));
        assert!(!set.insert(far) && set.contains(far) && !set.contains(SlotId(2_999_999)));
        assert_eq!(set.0.iter().flatten().count(), 2);
    }
}
