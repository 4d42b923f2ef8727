//! Which scope each entity of a feed lies in, for feeds whose lists are those of a scope alone.
//!
//! A full list of a scope is compared with the members of that scope, however many entities the feed
//! has. An entity lies in one scope, that of the observation that held it last; after a restart, that of
//! its newest event.
//!
//! It takes four bytes a slot and four to five in the list of the scope, and nothing where a feed names
//! no scopes. A scope without members is forgotten.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::shard::index::SlotId;

/// A scope that has members, or whose observation is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeId(u32);

const NONE: u32 = u32::MAX;

/// A list of members is swept when more than half of it, and more than so many, have left.
const SWEEP: usize = 64;

/// The scopes of a feed.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    scopes: Vec<Scope>,
    by_name: HashTable<u32>,
    free: Vec<u32>,
    /// The scope of each slot, in chunks as the index has them, and only as far as one has a scope.
    of: Vec<Vec<u32>>,
    /// Not forgotten although it has no members.
    open: Option<ScopeId>,
}

#[derive(Debug, Default)]
struct Scope {
    name: Box<str>,
    /// Slots that have entered. Some may have left since, and one that came back is there twice.
    entered: Vec<u32>,
    /// How many are in it.
    members: usize,
}

impl Scopes {
    /// The scope of an observation that begins; `None` is the whole feed.
    pub(crate) fn open(&mut self, name: &str) -> Option<ScopeId> {
        self.open = (!name.is_empty()).then(|| self.named(name));
        self.open
    }

    /// The observation is over.
    pub(crate) fn close(&mut self) {
        if let Some(scope) = self.open.take() {
            self.forget_if_empty(scope);
        }
    }

    /// Takes in a scope that was read back.
    pub(crate) fn recover(&mut self, slot: SlotId, name: &str) {
        if !name.is_empty() {
            let scope = self.named(name);
            self.enter(slot, scope);
        }
    }

    /// An entity is seen in a scope. Says whether it was not known there.
    pub(crate) fn enter(&mut self, slot: SlotId, scope: ScopeId) -> bool {
        let (chunk, place) = slot.place();
        if self.of(slot) == scope.0 {
            return false;
        }
        self.leave(slot);
        if self.of.len() <= chunk {
            self.of.resize_with(chunk + 1, Vec::new);
        }
        let of = &mut self.of[chunk];
        if of.len() <= place {
            of.resize(place + 1, NONE);
        }
        of[place] = scope.0;
        let Scope { entered, members, .. } = &mut self.scopes[scope.0 as usize];
        if entered.len() == entered.capacity() {
            // Not doubled: half of it would stand empty.
            entered.reserve_exact((entered.len() / 8).max(4));
        }
        entered.push(slot.number());
        *members += 1;
        true
    }

    /// An entity is gone.
    pub(crate) fn leave(&mut self, slot: SlotId) {
        let scope = self.of(slot);
        if scope == NONE {
            return;
        }
        let (chunk, place) = slot.place();
        self.of[chunk][place] = NONE;
        let Scope { entered, members, .. } = &mut self.scopes[scope as usize];
        *members -= 1;
        if entered.len() - *members > SWEEP.max(*members) {
            self.sweep(ScopeId(scope));
        }
        self.forget_if_empty(ScopeId(scope));
    }

    /// The entities of a scope, in no order.
    pub(crate) fn members(&mut self, scope: ScopeId) -> impl Iterator<Item = SlotId> {
        let Scope { entered, members, .. } = &self.scopes[scope.0 as usize];
        if entered.len() > *members {
            self.sweep(scope);
        }
        self.scopes[scope.0 as usize].entered.iter().map(|slot| SlotId::of_number(*slot))
    }

    fn of(&self, slot: SlotId) -> u32 {
        let (chunk, place) = slot.place();
        self.of.get(chunk).and_then(|chunk| chunk.get(place)).copied().unwrap_or(NONE)
    }

    fn named(&mut self, name: &str) -> ScopeId {
        let hash = xxh3_64(name.as_bytes());
        let scopes = &self.scopes;
        let is_it = |id: &u32| *scopes[*id as usize].name == *name;
        if let Some(id) = self.by_name.find(hash, is_it) {
            return ScopeId(*id);
        }
        let scope = Scope { name: name.into(), ..Scope::default() };
        let id = match self.free.pop() {
            Some(id) => {
                self.scopes[id as usize] = scope;
                id
            }
            None => {
                self.scopes.push(scope);
                // There are no more scopes than slots, but for the open one.
                u32::try_from(self.scopes.len() - 1).unwrap_or(NONE - 1)
            }
        };
        let scopes = &self.scopes;
        let again = |id: &u32| xxh3_64(scopes[*id as usize].name.as_bytes());
        self.by_name.insert_unique(hash, id, again);
        ScopeId(id)
    }

    /// Drops those that have left.
    fn sweep(&mut self, scope: ScopeId) {
        let mut entered = std::mem::take(&mut self.scopes[scope.0 as usize].entered);
        entered.sort_unstable();
        entered.dedup();
        entered.retain(|slot| self.of(SlotId::of_number(*slot)) == scope.0);
        entered.shrink_to_fit();
        self.scopes[scope.0 as usize].entered = entered;
    }

    fn forget_if_empty(&mut self, scope: ScopeId) {
        let id = scope.0 as usize;
        if self.scopes[id].members > 0 || self.open == Some(scope) {
            return;
        }
        let hash = xxh3_64(self.scopes[id].name.as_bytes());
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == scope.0) {
            entry.remove();
            self.scopes[id] = Scope::default();
            self.free.push(scope.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u32) -> SlotId {
        SlotId::of_number(number)
    }

    fn members(scopes: &mut Scopes, name: &str) -> Vec<u32> {
        let scope = scopes.open(name).unwrap();
        let mut members: Vec<u32> = scopes.members(scope).map(SlotId::number).collect();
        scopes.close();
        members.sort_unstable();
        members
    }

    impl Scopes {
        fn bytes(&self) -> usize {
            let lists = self.scopes.iter().map(|scope| scope.entered.capacity());
            let slots = self.of.iter().map(Vec::capacity);
            4 * (lists.sum::<usize>() + slots.sum::<usize>())
        }
    }

    #[test]
    fn an_entity_lies_in_the_scope_that_held_it_last() {
        let mut scopes = Scopes::default();
        for number in 0..10 {
            scopes.recover(slot(number), if number < 5 { "a" } else { "b" });
        }
        scopes.recover(slot(10), "");
        let a = scopes.open("a").unwrap();
        assert!(scopes.enter(slot(7), a) && !scopes.enter(slot(7), a));
        scopes.close();
        let b = scopes.open("b").unwrap();
        assert!(scopes.enter(slot(7), b) && scopes.enter(slot(0), b));
        scopes.close();
        scopes.recover(slot(7), "a");
        scopes.leave(slot(1));
        scopes.leave(slot(10));
        assert_eq!(members(&mut scopes, "a"), [2, 3, 4, 7]);
        assert_eq!(members(&mut scopes, "b"), [0, 5, 6, 8, 9]);
        assert_eq!(members(&mut scopes, "c"), [0; 0]);
    }

    #[test]
    fn what_entities_leave_is_forgotten() {
        let mut scopes = Scopes::default();
        for day in 0..10_000 {
            let day = format!("branch/{day}");
            for number in 0..100 {
                scopes.recover(slot(number), &day);
            }
        }
        assert_eq!((scopes.by_name.len(), scopes.scopes.len()), (1, 2));
        // Two scopes that an entity is seen in in turn.
        for turn in 0..100_000 {
            scopes.recover(slot(turn % 100), if turn / 100 % 2 == 0 { "a" } else { "b" });
        }
        assert_eq!(members(&mut scopes, "b").len(), 100);
        let kept: usize = scopes.scopes.iter().map(|scope| scope.entered.capacity()).sum();
        assert!(kept < 400, "{kept} kept of 100");
        (0..100).for_each(|number| scopes.leave(slot(number)));
        assert!(scopes.by_name.is_empty());
    }

    #[test]
    fn a_scope_takes_at_most_nine_bytes_an_entity() {
        let mut scopes = Scopes::default();
        // Read several at a time, as branch-days are.
        for number in 0..1_000_000_u32 {
            scopes.recover(slot(number), &format!("branch/{}-{}", number / 10_000, number % 50));
        }
        let bytes = scopes.bytes() as f64 / 1_000_000.0;
        assert!(bytes <= 9.0, "{bytes} bytes an entity");
    }
}
