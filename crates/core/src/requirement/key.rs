//! What a row of the [table of keys](crate::config::keys) says.

use core::net::IpAddr;

use crate::requirement::{Item, Table};

/// A key of a gate file.
#[derive(Debug)]
pub struct Key {
    /// As a gate file spells it.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
    /// Which TOML values it takes.
    pub takes: ValueType,
    /// The key with a value, as in `timeout = "90s"`.
    pub example: &'static str,
    /// What users call it by mistake: plurals, and the words of other programs. Only words that
    /// [`nearest`](crate::config::nearest) does not find are needed.
    pub other_names: &'static [&'static str],
    /// Flags that set this key to a fixed value. `--help` lists them before the key's own option.
    pub shorthands: &'static [&'static CommandLineOption],
    /// The option that sets this key.
    pub option: Option<CommandLineOption>,
}

/// What a key is for.
#[derive(Debug)]
pub enum Role {
    /// It belongs to the gate, above the first `[[require]]`.
    Gate,
    /// It belongs to a clause as a whole.
    Clause,
    /// It refines what other keys of its clause ask for.
    Refines {
        /// The keys that it refines; one of them must be there.
        refined: fn(&Key) -> bool,
        /// What to say if none of them is there.
        alone: &'static str,
    },
    /// It asks for something: each of its values is one [`Item`].
    Asks {
        /// Whom it can be asked of.
        of: AskedOf,
        /// Reads one value of the key. The error is what to tell its writer.
        read: fn(&str, &Refinements) -> Result<Item, String>,
    },
}

/// Whom a kind of requirement can be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOf {
    /// The key needs `interface` in the same clause.
    Links,
    /// Of links, or of the host as a whole.
    Any,
    /// Of the host alone.
    Host {
        /// What it asks about, for the message to somebody who asks a link.
        about: &'static str,
    },
    /// Of others: the host sends something and waits for the answer.
    Others,
}

/// The values of the keys that refine others.
#[derive(Debug)]
pub struct Refinements {
    /// The value of `table`, or the main table.
    pub table: Table,
    /// The value of `from`.
    pub from: Option<IpAddr>,
    /// The value of `expect`. Empty: every status below 500 other than 429.
    pub expect: Vec<u16>,
}

/// The two places that a key can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Above the first `[[require]]`.
    Gate,
    /// The key belongs into a clause, below `[[require]]`.
    Clause,
}

/// The TOML values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A duration: a text, or a number of seconds.
    Duration,
    /// A string of any content.
    Text,
    /// A text or a number.
    TextOrNumber,
    /// A boolean, `true` or `false`.
    Flag,
    /// A text or a list of texts.
    Texts,
    /// A number or a list of numbers.
    Numbers,
}

impl ValueType {
    /// What to tell somebody who wrote a value of another type.
    pub fn wanted(self) -> &'static str {
        match self {
            ValueType::Duration => "a duration in quotes",
            ValueType::Text => "a text in quotes",
            ValueType::TextOrNumber => "a text in quotes, or a number",
            ValueType::Flag => "true or false, without quotes",
            ValueType::Texts => "a text in quotes, or a list of them",
            ValueType::Numbers => "a number, or a list of them",
        }
    }

    /// Whether several values may be given.
    pub fn is_list(self) -> bool {
        match self {
            ValueType::Texts | ValueType::Numbers => true,
            ValueType::Duration | ValueType::Text | ValueType::TextOrNumber | ValueType::Flag => false,
        }
    }

    /// Whether a value may be a TOML integer.
    pub fn takes_integers(self) -> bool {
        match self {
            ValueType::Duration | ValueType::TextOrNumber | ValueType::Numbers => true,
            ValueType::Text | ValueType::Flag | ValueType::Texts => false,
        }
    }
}

/// An option of `run`, `wait`, `check`, `monitor`, `cat`, `retry` and `pull`.
#[derive(Debug)]
pub struct CommandLineOption {
    /// The long name, without its dashes.
    pub long: &'static str,
    /// The letter, if it has one.
    pub short: Option<char>,
    /// What a shell offers as its value.
    pub offers: Offers,
    /// What `--help` calls the value; `None` for a flag.
    pub value_name: Option<&'static str>,
    /// The heading that `--help` lists it under.
    pub heading: Heading,
    /// What it does, for `-h`, `--help` and the manual page.
    pub help: &'static str,
    /// Details, for `--help` and the manual page; may be empty.
    pub details: &'static str,
}

/// What a shell offers as the value of an option.
#[derive(Debug)]
pub struct Offers {
    /// Words that the option takes as they are.
    pub words: &'static [&'static str],
    /// What this host has now.
    pub known: Option<Known>,
}

/// Names and addresses of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Names and altnames of links.
    Links,
    /// Addresses of links, except those of the loopback link.
    Addresses,
    /// Names of VRF links.
    Vrfs,
}

impl Offers {
    /// For flags, and for values that netready cannot know.
    pub const NOTHING: Offers = Offers::words(&[]);

    /// These words.
    pub const fn words(words: &'static [&'static str]) -> Offers {
        Offers { words, known: None }
    }

    /// What this host has, and these words.
    pub const fn known(known: Known, words: &'static [&'static str]) -> Offers {
        Offers { words, known: Some(known) }
    }
}

impl CommandLineOption {
    /// As it is typed: the long name with its dashes.
    pub fn typed(&self) -> String {
        format!("--{}", self.long)
    }
}

/// The headings of `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// What must be there.
    What,
    /// What is sent to others.
    Probes,
    /// Options that take a duration.
    HowLong,
}

impl Heading {
    /// In the order of `--help`.
    pub const ALL: [Heading; 3] = [Heading::What, Heading::Probes, Heading::HowLong];

    /// As it is shown.
    pub fn text(self) -> &'static str {
        match self {
            Heading::What => "What to require",
            Heading::Probes => "What to ask other hosts, when everything else is met",
            Heading::HowLong => "How long",
        }
    }
}

impl Key {
    /// Where it can stand.
    pub fn level(&self) -> Level {
        match self.role {
            Role::Gate => Level::Gate,
            Role::Clause | Role::Refines { .. } | Role::Asks { .. } => Level::Clause,
        }
    }

    /// Whom it asks for something, if it asks.
    pub fn asks(&self) -> Option<AskedOf> {
        match &self.role {
            Role::Asks { of, .. } => Some(*of),
            Role::Gate | Role::Clause | Role::Refines { .. } => None,
        }
    }
}
