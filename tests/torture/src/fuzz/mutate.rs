//! Inputs made of samples, for the tests of every day. cargo-fuzz has ways of its own, and better ones.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Longest input.
const LARGEST: usize = 64 * 1024;

/// Pieces that readers are sensitive to.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1e999",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"0.1",
    b"\"\"",
    b"\"id\":1,",
    b"\"Id\":\"x\",",
    b"\"extra\":{},",
    b"\\u0000",
    b"\\ud800",
    b"\\u0041",
    b"0001-01-01T00:00:00",
    b"9999-12-31T23:59:59.9999999Z",
    b"2024-02-30T25:61:00",
    "ё".as_bytes(),
    b"\xff",
    b"\x00",
    b"\xc3\x01",
    b"%",
    b"%2E",
    b".",
    b"*",
    b">",
    b" ",
    b"\n",
    b"${env:X}",
    b"&a ",
    b"*a",
    b"- ",
    b"\xef\xbb\xbf",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
];

/// One of the samples, changed in one to eight places.
pub(super) fn mutated(samples: &[Vec<u8>], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut input = samples.choose(random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..=8) {
        let at = random.random_range(0..=input.len());
        // Mostly near, now and then anywhere behind.
        let reach = if random.random_bool(0.8) { 16 } else { input.len() };
        let end = (at + random.random_range(0..=reach)).min(input.len());
        match random.random_range(0..7) {
            0 => drop(input.drain(at..end)),
            1 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            2 => {
                let elsewhere = random.random_range(0..=input.len());
                let part = input[at..end].to_vec();
                input.splice(elsewhere..elsewhere, part);
            }
            3 => {
                let other = samples.choose(random).cloned().unwrap_or_default();
                let from = random.random_range(0..=other.len());
                let to = random.random_range(from..=other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            4 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            5 if at < input.len() => input[at] = random.random(),
            _ => {
                let piece = PIECES.choose(random).copied().unwrap_or_default();
                input.splice(at..at, piece.iter().copied());
            }
        }
        input.truncate(LARGEST);
    }
    input
}
