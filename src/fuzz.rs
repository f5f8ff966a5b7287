//! What is fuzzed: each function takes any octets, and panics if a promise is broken.
//!
//! `fuzz/` calls these functions with libFuzzer (`make fuzz`). The tests below call them with the inputs in
//! `fuzz/corpus`, so that what a fuzzer found once stays found on every toolchain. This module exists for these two
//! callers only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a fuzz target fails by panicking"
)]

mod files;
mod ipam;
mod kernel;
mod words;

pub use files::{generator, journal, quadlet, record};
pub use ipam::ipam;
pub use kernel::{filter, netlink};
pub use words::{answers, gate_file, http, options, podman_text};

/// Takes any octets, and panics if a promise is broken.
pub type Target = fn(&[u8]);

/// Every target, by the name of its program and of its corpus.
pub const TARGETS: [(&str, Target); 12] = [
    ("answers", answers),
    ("filter", filter),
    ("gate_file", gate_file),
    ("generator", generator),
    ("http", http),
    ("ipam", ipam),
    ("journal", journal),
    ("netlink", netlink),
    ("options", options),
    ("podman_text", podman_text),
    ("quadlet", quadlet),
    ("record", record),
];

/// Choices that a fuzzer makes by the octets that it gives. Octets that are missing are zeros.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.octet(), self.octet()]))
    }

    fn below(&mut self, end: usize) -> usize {
        self.number() % end.max(1)
    }

    fn octets<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.octet())
    }
}

/// Panics if a text could do something to the terminal that it is printed on.
fn assert_printable(text: &str) {
    let bad = text.chars().find(|character| *character != '\n' && crate::escape::is_unsafe(*character));
    assert!(bad.is_none(), "{bad:?} in {text:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The inputs of a target that are kept.
    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{name} has no corpus");
        let read = |path: &std::path::PathBuf| {
            let octets = std::fs::read(path).unwrap();
            assert!(octets.len() <= 4096, "{} is too large for a corpus that is kept", path.display());
            octets
        };
        paths.iter().map(read).collect()
    }

    /// The inputs of the corpus, each as it is, cut at some places, and with some octets changed.
    #[test]
    fn the_corpus_keeps_its_promises() {
        for (name, target) in TARGETS {
            for octets in corpus(name) {
                target(&octets);
                for part in 1..8 {
                    let at = octets.len() * part / 8;
                    target(&octets[..at]);
                    let mut changed = octets.clone();
                    if let Some(octet) = changed.get_mut(at) {
                        *octet ^= 1 << part;
                    }
                    target(&changed);
                }
            }
        }
    }

    /// Chance that is the same each time (xorshift64).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % end.max(1) as u64).unwrap()
        }

        /// Changes an input, or mixes it with another one.
        fn change(&mut self, octets: &mut Vec<u8>, other: &[u8]) {
            for _ in 0..=self.below(4) {
                let at = self.below(octets.len() + 1);
                let end = (at + self.below(16)).min(octets.len());
                match self.below(7) {
                    0 => octets.insert(at, self.below(256) as u8),
                    1 => drop(octets.drain(at..end)),
                    2 => octets.truncate(at),
                    3 => octets.extend_from_within(at..end),
                    4 => {
                        let from = self.below(other.len());
                        let part = &other[from..(from + self.below(64)).min(other.len())];
                        octets.splice(at..end, part.iter().copied());
                    }
                    _ if at == octets.len() => {}
                    5 => octets[at] ^= 1 << self.below(8),
                    _ => octets[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n', b'"', b'%'][self.below(8)],
                }
            }
        }
    }

    /// Fuzzing without a fuzzer: changes that chance makes, with every toolchain. `NETREADY_FUZZ_TRIES` says how many inputs
    /// each target gets, and `NETREADY_FUZZ_SEED` which ones: the same two numbers give the same inputs on every machine.
    #[test]
    fn changed_inputs_keep_the_promises() {
        let number = |name| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
        let tries = number("NETREADY_FUZZ_TRIES").unwrap_or(200);
        let seed = number("NETREADY_FUZZ_SEED").unwrap_or(1);
        for (name, target) in TARGETS {
            let inputs = corpus(name);
            let mut dice = Dice(seed.max(1));
            for tried in 0..tries {
                let mut octets = inputs[dice.below(inputs.len())].clone();
                let other = &inputs[dice.below(inputs.len())];
                dice.change(&mut octets, other);
                let outcome = std::panic::catch_unwind(|| target(&octets));
                assert!(
                    outcome.is_ok(),
                    "{name}, seed {seed}, try {tried}: {:?}",
                    octets.escape_ascii().to_string()
                );
            }
        }
    }
}
