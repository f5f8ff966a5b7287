//! The table of keys: what netready knows about each key of a gate file and about its option.
//!
//! The reader of gate files, its error messages, the options of the command line, `netready cat`, the manual pages
//! and the shell completions are all driven by this table. The rows of a kind of requirement stand in the file of
//! that kind, in [`requirement`](crate::requirement); the other rows stand here.

pub use crate::requirement::key::{
    AskedOf, CommandLineOption, Heading, Key, Known, Level, Offers, Refinements, Role, ValueType,
};
pub use crate::requirement::rows::{ADDRESS, CARRIER, EXPECT, FROM, IPV4, IPV6, ROUTE, ROUTE_TO, TABLE};

use crate::requirement::KINDS;

/// Returns every key. Keys are listed, items are reported and gate files are written in this order.
pub fn all() -> impl Iterator<Item = &'static Key> {
    let of_kinds = KINDS.iter().flat_map(|keys| keys.iter());
    GATE.iter().chain(SUBJECT).chain(of_kinds).chain(REST).copied()
}

const GATE: &[&Key] = &[&TIMEOUT, &NO_CARRIER_TIMEOUT, &SETTLE, &ON_TIMEOUT, &ON_LOSS];
const SUBJECT: &[&Key] = &[&INTERFACE, &QUORUM];
const REST: &[&Key] = &[&RECHECK, &IF_PRESENT, &GRACE];

/// Finds the key with this name at this level.
pub fn find(name: &str, level: Level) -> Option<&'static Key> {
    find_anywhere(name).filter(|key| key.level() == level)
}

/// Finds the key with this name at any level.
pub fn find_anywhere(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// Returns the keys of one level.
pub fn of_level(level: Level) -> impl Iterator<Item = &'static Key> {
    all().filter(move |key| key.level() == level)
}

/// Returns all options, each with the key that it sets, in the order of `--help`.
pub fn options() -> impl Iterator<Item = (&'static Key, &'static CommandLineOption)> {
    let of_key = |key: &'static Key| {
        let options = key.shorthands.iter().copied().chain(&key.option);
        options.map(move |option| (key, option))
    };
    let below = move |heading| all().flat_map(of_key).filter(move |(_, option)| option.heading == heading);
    Heading::ALL.into_iter().flat_map(below)
}

// The keys of the gate as a whole.

/// The key `timeout`: how long netready waits for the gate.
pub static TIMEOUT: Key = Key {
    name: "timeout",
    role: Role::Gate,
    takes: ValueType::Duration,
    example: "timeout = \"90s\"",
    other_names: &[],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "timeout",
        short: Some('t'),
        offers: Offers::words(&["infinity"]),
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Give up after this time: 90s, 1min 30s, 500ms, infinity [default: the gate's timeout, or 90s]",
        details: "",
    }),
};

/// The key `no-carrier-timeout`: how long netready waits for the gate if no link has carrier.
pub static NO_CARRIER_TIMEOUT: Key = Key {
    name: "no-carrier-timeout",
    role: Role::Gate,
    takes: ValueType::Duration,
    example: "no-carrier-timeout = \"15s\"",
    other_names: &[],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "no-carrier-timeout",
        short: None,
        offers: Offers::words(&["infinity"]),
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Give up after this time if no link that the gate asks for has had carrier [default: the gate's, or none]",
        details: "",
    }),
};

/// The key `settle`: how long all clauses must stay met before the gate opens.
pub static SETTLE: Key = Key {
    name: "settle",
    role: Role::Gate,
    takes: ValueType::Duration,
    example: "settle = \"500ms\"",
    other_names: &[],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "settle",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Open only when everything has held for this time without interruption [default: the gate's, or 0s]",
        details: "",
    }),
};

/// The key `on-timeout`: whether a gate fails or opens at its timeout.
pub static ON_TIMEOUT: Key = Key {
    name: "on-timeout",
    role: Role::Gate,
    takes: ValueType::Text,
    example: "on-timeout = \"open\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// The key `on-loss`: whether `run` ends when the gate is lost.
pub static ON_LOSS: Key = Key {
    name: "on-loss",
    role: Role::Gate,
    takes: ValueType::Text,
    example: "on-loss = \"fail\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

// The keys that say which links a clause is about.

/// The key `interface`: the links that a clause is about.
pub static INTERFACE: Key = Key {
    name: "interface",
    role: Role::Clause,
    takes: ValueType::Texts,
    example: "interface = [\"enp*\", \"lan0\"]",
    other_names: &["interfaces", "iface", "ifname", "link", "links", "device", "name"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "interface",
        short: Some('i'),
        offers: Offers::known(Known::Links, &[]),
        value_name: Some("NAME"),
        heading: Heading::What,
        help: "Require carrier, and all other requirements, on these links: a name, an altname, a quoted glob, mac:…; !GLOB excludes links",
        details: "",
    }),
};

/// The key `quorum`: how many of the links are needed.
pub static QUORUM: Key = Key {
    name: "quorum",
    role: Role::Clause,
    takes: ValueType::TextOrNumber,
    example: "quorum = \"any\" or quorum = 2",
    other_names: &["required", "any"],
    shorthands: &[&ANY],
    option: Some(CommandLineOption {
        long: "quorum",
        short: None,
        offers: Offers::words(&["any", "all"]),
        value_name: Some("N"),
        heading: Heading::What,
        help: "Require only N of the links of -i; `all`: every link that a glob matches",
        details: "",
    }),
};

/// The option `--any`, which stands for `quorum = "any"`.
pub static ANY: CommandLineOption = CommandLineOption {
    long: "any",
    short: None,
    offers: Offers::NOTHING,
    value_name: None,
    heading: Heading::What,
    help: "Require only one of the links of -i [default: one link for each -i]",
    details: "",
};

// The keys that say when a clause counts and how often its probes are tried.

/// The key `recheck`: how often the probes of a ready gate are repeated.
pub static RECHECK: Key = Key {
    name: "recheck",
    role: Role::Refines {
        refined: |key| key.asks() == Some(AskedOf::Others),
        alone: "sets how often probes are repeated, but there is no probe",
    },
    takes: ValueType::Duration,
    example: "recheck = \"30s\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// The key `if-present`: the clause counts only while its link or family exists.
pub static IF_PRESENT: Key = Key {
    name: "if-present",
    role: Role::Clause,
    takes: ValueType::Flag,
    example: "if-present = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// The key `grace`: how long netready waits for the clause after all other clauses are met.
pub static GRACE: Key = Key {
    name: "grace",
    role: Role::Clause,
    takes: ValueType::Duration,
    example: "grace = \"5s\"",
    other_names: &["optional"],
    shorthands: &[],
    option: None,
};

#[cfg(test)]
mod tests {
    use crate::config::of_options;
    use crate::testing;
    use alloc::collections::BTreeSet;

    use super::*;

    /// netready accepts every word that shell completion offers.
    #[test]
    fn every_word_that_is_offered_is_taken() {
        let mut tried = 0;
        for (_, option) in options() {
            for word in option.offers.words {
                let beside = match option.long {
                    "timeout" | "no-carrier-timeout" | "table" => "-r default",
                    "quorum" => "-i eth0",
                    _ => "",
                };
                let typed = format!("{} {word} {beside}", option.typed());
                assert!(of_options(&testing::options(&typed)).is_ok(), "{typed}");
                tried += 1;
            }
            let has_no_offers = option.offers.words.is_empty() && option.offers.known.is_none();
            assert!(option.value_name.is_some() || has_no_offers, "{}", option.long);
        }
        assert!(tried >= 15, "{tried}");
    }

    #[test]
    fn names_and_options_are_unique_and_examples_show_their_key() {
        let mut names = BTreeSet::new();
        for key in all() {
            assert!(names.insert(key.name), "{}", key.name);
            assert!(key.example.starts_with(&format!("{} = ", key.name)), "{}", key.name);
            assert_eq!(find_anywhere(key.name).map(|key| key.name), Some(key.name));
        }
        for key in all() {
            for other in key.other_names {
                assert!(names.insert(other), "{other}");
            }
        }
        let mut typed = BTreeSet::new();
        for (key, option) in options() {
            assert!(typed.insert(option.long.to_owned()), "{}", option.long);
            assert!(option.short.is_none_or(|short| typed.insert(short.to_string())), "{}", option.long);
            let is_own = key.option.as_ref().is_some_and(|own| own.long == option.long);
            assert_eq!(
                option.value_name.is_none(),
                !is_own || key.takes == ValueType::Flag,
                "{}",
                option.long
            );
        }
    }
}
