//! The types of a row of the [table of keys](crate::config::keys).

use core::net::IpAddr;

use crate::requirement::{Item, Table};

/// A key of a gate file.
#[derive(Debug)]
pub struct Key {
    /// The name of the key in a gate file.
    pub name: &'static str,
    /// The purpose of the key.
    pub role: Role,
    /// The TOML values that the key accepts.
    pub takes: ValueType,
    /// The key with a value, as in `timeout = "90s"`.
    pub example: &'static str,
    /// What users call the key by mistake: plurals, and the words of other programs. Words that
    /// [`nearest`](crate::config::nearest) finds are not needed here.
    pub other_names: &'static [&'static str],
    /// Flags that set this key to a fixed value. `--help` lists them before the key's own option.
    pub shorthands: &'static [&'static CommandLineOption],
    /// The option that sets this key.
    pub option: Option<CommandLineOption>,
}

/// The purpose of a key.
#[derive(Debug)]
pub enum Role {
    /// The key belongs to the gate, above the first `[[require]]`.
    Gate,
    /// The key belongs to a clause as a whole.
    Clause,
    /// The key refines what other keys of its clause ask for.
    Refines {
        /// Selects the keys that this key refines. The clause must have one of them.
        refined: fn(&Key) -> bool,
        /// The message if the clause has none of them.
        alone: &'static str,
    },
    /// The key asks for something. Each of its values is one [`Item`].
    Asks {
        /// Who can be asked.
        of: AskedOf,
        /// Reads one value of the key. The error is the message for the author of the value.
        read: fn(&str, &Refinements) -> Result<Item, String>,
    },
}

/// Who a kind of requirement can be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOf {
    /// Links only. The key needs `interface` in the same clause.
    Links,
    /// Links, or the host as a whole.
    Any,
    /// The host only.
    Host {
        /// What the key asks about, for the message if somebody uses it for links.
        about: &'static str,
    },
    /// Other hosts: this host sends something and waits for the answer.
    Others,
}

/// The values of the keys that refine others.
#[derive(Debug)]
pub struct Refinements {
    /// The value of `table`, or the main table.
    pub table: Table,
    /// The value of `from`.
    pub from: Option<IpAddr>,
    /// The value of `expect`. An empty list means every status below 500 except 429.
    pub expect: Vec<u16>,
}

/// The two places where a key can stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The key belongs to the gate, above the first `[[require]]`.
    Gate,
    /// The key belongs to a clause, below `[[require]]`.
    Clause,
}

/// The TOML values that a key accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A duration: a text, or a number of seconds.
    Duration,
    /// A string with any content.
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
    /// Returns the text for the message about a value of another type.
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
    /// The short name, a letter.
    pub short: Option<char>,
    /// What shell completion offers as the value.
    pub offers: Offers,
    /// The placeholder of the value in `--help`. `None` for a flag.
    pub value_name: Option<&'static str>,
    /// The heading under which `--help` lists the option.
    pub heading: Heading,
    /// One sentence about the effect of the option, for `-h`, `--help` and the manual page.
    pub help: &'static str,
    /// Details for `--help` and the manual page. It may be empty.
    pub details: &'static str,
}

/// What shell completion offers as the value of an option.
#[derive(Debug)]
pub struct Offers {
    /// Words that the option accepts.
    pub words: &'static [&'static str],
    /// Things of this host that the option accepts.
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
    /// Offers nothing: for flags, and for values that netready cannot know.
    pub const NOTHING: Offers = Offers::words(&[]);

    /// Offers these words.
    pub const fn words(words: &'static [&'static str]) -> Offers {
        Offers { words, known: None }
    }

    /// Offers what this host has, and these words.
    pub const fn known(known: Known, words: &'static [&'static str]) -> Offers {
        Offers { words, known: Some(known) }
    }
}

impl CommandLineOption {
    /// Returns the option as it is typed: the long name with its dashes.
    pub fn typed(&self) -> String {
        format!("--{}", self.long)
    }
}

/// The headings of `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// Options for what must exist.
    What,
    /// Options that send something to other hosts.
    Probes,
    /// Options that take a duration.
    HowLong,
}

impl Heading {
    /// All headings, in the order of `--help`.
    pub const ALL: [Heading; 3] = [Heading::What, Heading::Probes, Heading::HowLong];

    /// Returns the text of the heading.
    pub fn text(self) -> &'static str {
        match self {
            Heading::What => "What to require",
            Heading::Probes => "What to ask other hosts, when everything else is met",
            Heading::HowLong => "How long",
        }
    }
}

impl Key {
    /// Returns the place where the key can stand.
    pub fn level(&self) -> Level {
        match self.role {
            Role::Gate => Level::Gate,
            Role::Clause | Role::Refines { .. } | Role::Asks { .. } => Level::Clause,
        }
    }

    /// Returns who the key asks. `None` if the key asks for nothing.
    pub fn asks(&self) -> Option<AskedOf> {
        match &self.role {
            Role::Asks { of, .. } => Some(*of),
            Role::Gate | Role::Clause | Role::Refines { .. } => None,
        }
    }
}
