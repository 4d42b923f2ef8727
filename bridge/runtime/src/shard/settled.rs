//! Which dead letters of a connector are settled, and what became of them.
//!
//! The record stands among the checkpoints, and is committed as they are: on Kafka in the transaction of the events
//! that settle the letters, on NATS after them, under the revision that the owner of the shard has read back. So a
//! letter is settled by one owner at a time, and once.
//!
//! How it can fail, and what holds then:
//!
//! * *Killed before the commit.* Nothing is settled. On NATS the event may be there, and the letter is found known
//!   when it is redriven again, since it is compared with what was published.
//! * *A process that has lost the shard goes on.* Its transaction is fenced (Kafka), or its revision is not the last
//!   one any more (NATS). With `delivery: at-least-once` neither is so: two may settle the same letter.
//! * *The topic of the dead letters was made anew*, so that their places begin again. The record names the letter that
//!   was settled last; where the topic ends before it, or has another one in its place, nothing is settled
//!   ([`Settled::is_of_another_topic`]).
//! * *Letters age away.* What lies before the oldest is forgotten here too. What is settled in one piece takes one pair
//!   of numbers, however long it is; [`MOST_BYTES`] bounds the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Largest record; beyond that nothing more is settled before older letters are.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// What becomes of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Its row was published, or a command put back to the commands.
    Redriven,
    /// Its row says what is published already.
    Known,
    /// Its entity has changed since, or is gone: it was dropped.
    Changed,
    /// It could not be read again: it stands anew, behind the others, with how often that was tried.
    Again,
    /// It was discarded.
    Discarded,
    /// It was settled before.
    Already,
    /// It is not redriven, and stays; why is said with it.
    Refused,
    /// It is not there any more.
    Gone,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 8] = [
        Verdict::Redriven,
        Verdict::Known,
        Verdict::Changed,
        Verdict::Again,
        Verdict::Discarded,
        Verdict::Already,
        Verdict::Refused,
        Verdict::Gone,
    ];

    /// As people and scripts read it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Redriven => "redriven",
            Verdict::Known => "known",
            Verdict::Changed => "changed",
            Verdict::Again => "again",
            Verdict::Discarded => "discarded",
            Verdict::Already => "already",
            Verdict::Refused => "refused",
            Verdict::Gone => "gone",
        }
    }

    /// Of a word.
    pub fn of(word: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == word)
    }

    /// Whether a letter is settled by it.
    pub fn settles(self) -> bool {
        !matches!(self, Verdict::Already | Verdict::Refused | Verdict::Gone)
    }
}

/// Places on a topic: `3-7,9`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(Vec<(u64, u64)>);

impl Places {
    /// Whether one is among them.
    pub fn has(&self, at: u64) -> bool {
        let next = self.0.partition_point(|(first, _)| *first <= at);
        next.checked_sub(1).is_some_and(|before| self.0[before].1 >= at)
    }

    /// Adds one.
    pub fn add(&mut self, at: u64) {
        let next = self.0.partition_point(|(first, _)| *first <= at);
        if next > 0 && self.0[next - 1].1 >= at {
            return;
        }
        let joins_before = next > 0 && self.0[next - 1].1 + 1 == at;
        let joins_after = self.0.get(next).is_some_and(|(first, _)| *first == at + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.0[next - 1].1 = self.0[next].1;
                self.0.remove(next);
            }
            (true, false) => self.0[next - 1].1 = at,
            (false, true) => self.0[next].0 = at,
            (false, false) => self.0.insert(next, (at, at)),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Forgets those before this one.
    fn forget_before(&mut self, oldest: u64) {
        self.0.retain(|(_, last)| *last >= oldest);
        if let Some((first, _)) = self.0.first_mut() {
            *first = (*first).max(oldest);
        }
    }
}

impl FromIterator<u64> for Places {
    fn from_iter<T: IntoIterator<Item = u64>>(all: T) -> Places {
        let mut places = Places::default();
        all.into_iter().for_each(|at| places.add(at));
        places
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Places {
    type Err = ();

    fn from_str(text: &str) -> Result<Places, ()> {
        let mut pairs = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let pair: (u64, u64) =
                (first.trim().parse().map_err(drop)?, last.trim().parse().map_err(drop)?);
            if pair.0 > pair.1 || pair.1 == u64::MAX {
                return Err(());
            }
            pairs.push(pair);
        }
        pairs.sort_unstable();
        let mut places: Vec<(u64, u64)> = Vec::new();
        for (first, last) in pairs {
            match places.last_mut() {
                Some(before) if before.1 + 1 >= first => before.1 = before.1.max(last),
                _ => places.push((first, last)),
            }
        }
        Ok(Places(places))
    }
}

/// Which dead letters are settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    by: BTreeMap<Verdict, Places>,
    /// The last place of them, and when the letter there was put aside.
    last: Option<(u64, i64)>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    settled: BTreeMap<String, String>,
    last: Option<(u64, i64)>,
}

impl Settled {
    /// What became of a letter; none where it is not settled.
    pub fn of(&self, at: u64) -> Option<Verdict> {
        self.by.iter().find(|(_, places)| places.has(at)).map(|(verdict, _)| *verdict)
    }

    /// The last letter that is settled: its place, and when it was put aside.
    pub fn last(&self) -> Option<(u64, i64)> {
        self.last
    }

    /// Whether the record is of an earlier topic: the topic now ends at `next`, and `at_ms` tells when the letter at a
    /// place was put aside, where there is one.
    pub fn is_of_another_topic(&self, next: u64, at_ms: impl Fn(u64) -> Option<i64>) -> bool {
        self.last.is_some_and(|(at, was_ms)| next <= at || at_ms(at).is_some_and(|ms| ms != was_ms))
    }

    pub(crate) fn add(&mut self, at: u64, at_ms: i64, verdict: Verdict) {
        self.by.entry(verdict).or_default().add(at);
        if self.last.is_none_or(|(last, _)| last <= at) {
            self.last = Some((at, at_ms));
        }
    }

    /// Forgets what is not there any more.
    pub(crate) fn forget_before(&mut self, oldest: u64) {
        self.by.values_mut().for_each(|places| places.forget_before(oldest));
        self.by.retain(|_, places| !places.is_empty());
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let text = |(verdict, places): (&Verdict, &Places)| {
            (verdict.word().to_owned(), places.to_string())
        };
        let written = Written { settled: self.by.iter().map(text).collect(), last: self.last };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// As read; nothing is settled where it is something else. A word of a later version counts as discarded.
    pub fn decode(bytes: &[u8]) -> Settled {
        let Ok(written) = serde_json::from_slice::<Written>(bytes) else {
            return Settled::default();
        };
        let mut settled = Settled { by: BTreeMap::new(), last: written.last };
        for (word, places) in written.settled {
            let verdict = Verdict::of(&word).unwrap_or(Verdict::Discarded);
            settled.by.insert(verdict, places.parse().unwrap_or_default());
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_in_pieces_whatever_the_order_and_read_as_they_are_written() {
        let mut places = Places::default();
        for at in [5, 3, 4, 9, 1, 5, 0] {
            places.add(at);
        }
        assert_eq!(places.to_string(), "0-1,3-5,9");
        assert_eq!(places.to_string().parse(), Ok(places.clone()));
        assert_eq!("9,3-5, 4-6,0-1".parse::<Places>().unwrap().to_string(), "0-1,3-6,9");
        let all: Vec<u64> = (0..12).filter(|at| places.has(*at)).collect();
        assert_eq!(all, [0, 1, 3, 4, 5, 9]);
        places.forget_before(4);
        assert_eq!(places.to_string(), "4-5,9");
        for odd in ["x", "1-", "-1", "5-3", "1,,x", "0-18446744073709551615"] {
            assert_eq!(odd.parse::<Places>(), Err(()), "{odd}");
        }
    }

    #[test]
    fn what_is_settled_is_read_as_it_was_written() {
        let mut settled = Settled::default();
        settled.add(3, 30, Verdict::Redriven);
        settled.add(7, 70, Verdict::Discarded);
        settled.add(4, 40, Verdict::Redriven);
        let read = Settled::decode(&settled.encode());
        assert_eq!(read, settled);
        assert_eq!((read.of(4), read.of(5)), (Some(Verdict::Redriven), None));
        assert_eq!(Settled::decode(b"{\"cursor\":null,\"ts_ms\":1}"), Settled::default());
        settled.forget_before(5);
        assert_eq!((settled.of(4), settled.of(7)), (None, Some(Verdict::Discarded)));
    }

    #[test]
    fn a_topic_that_was_made_anew_has_nothing_settled() {
        let mut settled = Settled::default();
        let there = |_| Some(70);
        assert!(!settled.is_of_another_topic(0, there));
        settled.add(7, 70, Verdict::Discarded);
        assert!(!settled.is_of_another_topic(8, there));
        assert!(!settled.is_of_another_topic(900, |_| None), "it has aged away");
        assert!(settled.is_of_another_topic(7, |_| None), "it ends before");
        assert!(settled.is_of_another_topic(900, |_| Some(71)), "another letter stands there");
    }
}
