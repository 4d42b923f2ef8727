//! Which connectors a run has: of which class, how large, and how busy.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::subject::{NAMES, Size};

/// The name that stands for all classes.
pub const MIXED: &str = "mixed";
/// The most connectors of a run.
pub const MOST: usize = 8;
/// Name of a connector that is alone.
pub const ALONE: &str = "field";
/// The connector that comes in sizes.
const SIZABLE: &str = "contractor";

/// A connector of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Name of its subject.
    pub subject: String,
    /// Of its upstream's life and of its commands.
    pub seed: u64,
    /// How much there is.
    pub size: Size,
    /// Random edits of its upstream in a second.
    pub edits_per_second: f64,
}

/// What the connectors of a run are drawn from.
#[derive(Debug, Clone)]
pub struct Casting {
    /// Names of subjects.
    pub subjects: Vec<String>,
    /// How many connectors; by the seed where it is none.
    pub count: Option<usize>,
    /// Calls of the large connector.
    pub calls: usize,
    /// True if all that come in sizes are large.
    pub all_large: bool,
    /// Random edits in a second of a connector that is alone.
    pub edits_per_second: f64,
}

/// A run with one connector.
pub fn alone(subject: &str, seed: u64, edits_per_second: f64) -> Vec<Instance> {
    let (name, subject) = (ALONE.to_owned(), subject.to_owned());
    vec![Instance { name, subject, seed, size: Size::Usual, edits_per_second }]
}

impl Casting {
    /// The connectors of a seed: each subject about equally often, in an order by the seed. One that comes
    /// in sizes is large, and another one is busier than all others together.
    pub fn draw(&self, seed: u64) -> Vec<Instance> {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xca57);
        let count = self.count.unwrap_or_else(|| random.random_range(1..=MOST));
        let mut subjects: Vec<&String> = self.subjects.iter().cycle().take(count).collect();
        subjects.shuffle(&mut random);
        let large = subjects.iter().position(|subject| *subject == SIZABLE);
        // Another sizable one if there is one: it commits most often.
        let is_busy = |place: usize| Some(place) != large;
        let busy = (0..count)
            .find(|place| is_busy(*place) && subjects[*place] == SIZABLE)
            .or_else(|| (0..count).find(|place| is_busy(*place)));
        let instances = subjects.into_iter().enumerate().map(|(place, subject)| {
            let is_large = self.all_large || Some(place) == large;
            let share = if Some(place) == busy { 2.0 } else { 0.3 };
            Instance {
                name: format!("field{}", place + 1),
                subject: subject.clone(),
                seed: seed + place as u64 * 1_000_003,
                size: if is_large { Size::Calls(self.calls) } else { Size::Usual },
                edits_per_second: self.edits_per_second * share,
            }
        });
        instances.collect()
    }

    /// What stands for the connectors in the table.
    pub fn label(&self, count: usize) -> String {
        let all = NAMES.iter().all(|name| self.subjects.iter().any(|subject| subject == name));
        let subjects = if all { MIXED.to_owned() } else { self.subjects.join("+") };
        format!("{count} {subjects}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn casting(count: Option<usize>) -> Casting {
        Casting {
            subjects: NAMES.map(str::to_owned).to_vec(),
            count,
            calls: 9_000,
            all_large: false,
            edits_per_second: 30.0,
        }
    }

    #[test]
    fn eight_connectors_have_all_classes_one_that_is_large_and_one_that_is_busy() {
        for seed in 0..20 {
            let cast = casting(Some(8)).draw(seed);
            assert_eq!(cast, casting(Some(8)).draw(seed));
            assert_eq!(cast.len(), 8);
            for name in NAMES {
                assert!(cast.iter().any(|instance| instance.subject == name));
            }
            let large: Vec<_> =
                cast.iter().filter(|instance| instance.size == Size::Calls(9_000)).collect();
            assert_eq!(large.len(), 1);
            assert_eq!(large[0].subject, SIZABLE);
            let busy: Vec<_> =
                cast.iter().filter(|instance| instance.edits_per_second > 30.0).collect();
            assert_eq!(busy.len(), 1);
            assert_ne!(busy[0].name, large[0].name);
        }
    }

    #[test]
    fn without_a_count_the_seed_says_how_many() {
        let counts: std::collections::BTreeSet<usize> =
            (0..100).map(|seed| casting(None).draw(seed).len()).collect();
        assert_eq!(counts, (1..=MOST).collect());
    }
}
