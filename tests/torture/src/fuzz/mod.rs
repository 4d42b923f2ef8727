//! Everything that reads what an upstream, a topic or an operator wrote, fed with anything.
//!
//! A [`Target`] is a function that panics where a promise does not hold. cargo-fuzz runs it for as long
//! as one likes (`tests/torture/fuzz`); the test below, with a fixed number of mutated samples
//! (`mutate`), in every run of the tests. The samples are those of the connectors' own tests
//! (`samples`).

mod commands;
mod configuration;
mod frames;
mod framing;
mod json;
mod keys;
#[cfg(test)]
mod mutate;
mod quotes;
mod rows;
mod samples;
mod slices;

use std::path::Path;

/// Something that reads.
pub struct Target {
    /// Name, as `cargo fuzz run` takes it.
    pub name: &'static str,
    /// Reads the input, and panics where something is wrong with what came of it.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "rows_contractor", run: rows::contractor, seeds: rows::contractor_seeds },
    Target { name: "rows_enter", run: rows::enter, seeds: rows::enter_seeds },
    Target { name: "rows_quickq", run: rows::quickq, seeds: rows::quickq_seeds },
    Target { name: "slices_enter", run: slices::run, seeds: slices::seeds },
    Target { name: "frames_quickq", run: frames::run, seeds: frames::seeds },
    Target { name: "commands", run: commands::run, seeds: commands::seeds },
    Target { name: "framing", run: framing::run, seeds: framing::seeds },
    Target { name: "keys_nats", run: keys::run, seeds: keys::seeds },
    Target { name: "configuration", run: configuration::run, seeds: configuration::seeds },
];

/// The target of that name.
///
/// # Panics
/// Where there is none.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target `{name}`"))
}

/// Puts a target's seeds into a folder, which is made where it is not there.
///
/// # Errors
/// Of the file system.
pub fn plant(name: &str, folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, seed) in (target(name).seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Inputs of each target.
    const INPUTS: u64 = 1_500;

    /// `TALON_FUZZ_SEED` runs another history than that of every day.
    fn seed() -> u64 {
        std::env::var("TALON_FUZZ_SEED").map_or(1, |seed| seed.parse().unwrap())
    }

    #[test]
    fn every_reader_keeps_its_promises_whatever_it_reads() {
        let mut wrong = Vec::new();
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{} has nothing to begin with", target.name);
            let mutated = (0..INPUTS).map(|number| {
                // Each input has a random of its own, so that one can be made again alone.
                let mut random = ChaCha8Rng::seed_from_u64(seed());
                random.set_stream(number);
                mutate::mutated(&seeds, &mut random)
            });
            for input in seeds.iter().cloned().chain(mutated) {
                if std::panic::catch_unwind(|| (target.run)(&input)).is_err() {
                    let text = input.escape_ascii();
                    wrong.push(format!("{} (seed {}): b\"{text}\"", target.name, seed()));
                    break;
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
