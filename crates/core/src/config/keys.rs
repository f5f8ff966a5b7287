//! The table of keys: everything that netready knows about a key of a gate file and about its option.
//!
//! The reader of gate files, its error messages, the options of the command line, `netready cat`, the manual pages
//! and the shell completions are all driven by this table. The order of [`KEYS`] is the order in which keys are
//! listed, items are reported and gate files are written.

use core::net::IpAddr;

use super::{items, probes};
use crate::requirement::{Item, RouteSpec, RouteTo, Table};

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
    /// [`nearest`](super::nearest) does not find are needed.
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
    Asks(Kind),
}

/// A kind of requirement.
#[derive(Debug)]
pub struct Kind {
    /// Whom it can be asked of.
    pub of: AskedOf,
    /// Reads one value of the key. The error is what to tell its writer.
    pub read: fn(&str, &Refinements) -> Result<Item, String>,
}

/// Whom a kind of requirement can be asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedOf {
    /// Of links alone.
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
    /// `table`
    pub table: Table,
    /// `from`
    pub from: Option<IpAddr>,
    /// `expect`
    pub expect: Vec<u16>,
}

/// The two places that a key can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Above the first `[[require]]`.
    Gate,
    /// Below a `[[require]]`.
    Clause,
}

/// The TOML values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A duration: a text, or a number of seconds.
    Duration,
    /// A text.
    Text,
    /// A text or a number.
    TextOrNumber,
    /// `true` or `false`.
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
    /// What `--help` calls the value; `None` for a flag.
    pub value_name: Option<&'static str>,
    /// The heading that `--help` lists it under.
    pub heading: Heading,
    /// What it does, for `-h`, `--help` and the manual page.
    pub help: &'static str,
    /// Details, for `--help` and the manual page; may be empty.
    pub details: &'static str,
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
    /// Durations.
    HowLong,
}

impl Heading {
    /// In the order of `--help`.
    pub const ALL: [Heading; 3] = [Heading::What, Heading::Probes, Heading::HowLong];

    /// As it is shown.
    pub fn text(self) -> &'static str {
        match self {
            Heading::What => "What to require",
            Heading::Probes => "Whom to ask, once all else is there",
            Heading::HowLong => "How long",
        }
    }
}

impl Key {
    /// Where it can stand.
    pub fn level(&self) -> Level {
        match self.role {
            Role::Gate => Level::Gate,
            Role::Clause | Role::Refines { .. } | Role::Asks(_) => Level::Clause,
        }
    }

    /// Whom it asks for something, if it asks.
    pub fn asks(&self) -> Option<AskedOf> {
        match &self.role {
            Role::Asks(kind) => Some(kind.of),
            Role::Gate | Role::Clause | Role::Refines { .. } => None,
        }
    }
}

/// The key of this name at this level.
pub fn find(name: &str, level: Level) -> Option<&'static Key> {
    find_anywhere(name).filter(|key| key.level() == level)
}

/// The key of this name.
pub fn find_anywhere(name: &str) -> Option<&'static Key> {
    KEYS.into_iter().find(|key| key.name == name)
}

/// The keys of one level.
pub fn of_level(level: Level) -> impl Iterator<Item = &'static Key> {
    KEYS.into_iter().filter(move |key| key.level() == level)
}

/// All options, each with the key that it sets, in the order of `--help`.
pub fn options() -> impl Iterator<Item = (&'static Key, &'static CommandLineOption)> {
    let of_key = |key: &'static Key| {
        key.shorthands.iter().copied().chain(&key.option).map(move |option| (key, option))
    };
    let below =
        move |heading| KEYS.into_iter().flat_map(of_key).filter(move |(_, option)| option.heading == heading);
    Heading::ALL.into_iter().flat_map(below)
}

/// Every key.
pub static KEYS: [&Key; 24] = [
    &TIMEOUT,
    &NO_CARRIER_TIMEOUT,
    &SETTLE,
    &ON_TIMEOUT,
    &ON_LOSS,
    &INTERFACE,
    &QUORUM,
    &CARRIER,
    &ADDRESS,
    &ROUTE,
    &TABLE,
    &ROUTE_TO,
    &FROM,
    &PASTA,
    &NAMESERVER,
    &DNS,
    &TCP,
    &HTTP,
    &EXPECT,
    &PING,
    &GATEWAY,
    &RECHECK,
    &IF_PRESENT,
    &GRACE,
];

// The gate's keys.

/// `timeout`
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
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Give up after this long, instead of the gate's timeout: 90s, 1min 30s, 500ms, infinity",
        details: "",
    }),
};

/// `no-carrier-timeout`
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
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Give up earlier where no wanted link has had carrier for this long",
        details: "",
    }),
};

/// `settle`
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
        value_name: Some("DUR"),
        heading: Heading::HowLong,
        help: "Everything must have held this long, uninterrupted",
        details: "",
    }),
};

/// `on-timeout`
pub static ON_TIMEOUT: Key = Key {
    name: "on-timeout",
    role: Role::Gate,
    takes: ValueType::Text,
    example: "on-timeout = \"open\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// `on-loss`
pub static ON_LOSS: Key = Key {
    name: "on-loss",
    role: Role::Gate,
    takes: ValueType::Text,
    example: "on-loss = \"fail\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

// Whom a clause asks.

/// `interface`
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
        value_name: Some("NAME"),
        heading: Heading::What,
        help: "On these links: a name, an altname, a quoted glob, mac:…, or !GLOB to take links out",
        details: "",
    }),
};

/// `quorum`
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
        value_name: Some("N"),
        heading: Heading::What,
        help: "So many of the given links are enough; `all`: every link that a glob matches",
        details: "",
    }),
};

/// `quorum = "any"`
pub static ANY: CommandLineOption = CommandLineOption {
    long: "any",
    short: None,
    value_name: None,
    heading: Heading::What,
    help: "One of the given links is enough [default: every -i]",
    details: "",
};

// What a clause asks for, and the keys that refine it.

/// `carrier`
pub static CARRIER: Key = Key {
    name: "carrier",
    role: Role::Asks(Kind { of: AskedOf::Links, read: |_, _| Ok(Item::Carrier) }),
    takes: ValueType::Flag,
    example: "carrier = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// `address`
pub static ADDRESS: Key = Key {
    name: "address",
    role: Role::Asks(Kind { of: AskedOf::Any, read: |text, _| items::address(text).map(Item::Address) }),
    takes: ValueType::Texts,
    example: "address = [\"ipv4\", \"2001:db8::/32\"]",
    other_names: &["addresses", "ip"],
    shorthands: &[&IPV4, &IPV6],
    option: Some(CommandLineOption {
        long: "address",
        short: Some('a'),
        value_name: Some("SPEC"),
        heading: Heading::What,
        help: "A usable address: ip, ipv4, ipv6, link-local-ipv4, link-local-ipv6, an address or a prefix",
        details: "With -i on each of those links, else on any link.",
    }),
};

/// What `-4` asks for depends on the options beside it: see [`Options`](super::Options).
pub static IPV4: CommandLineOption = CommandLineOption {
    long: "ipv4",
    short: Some('4'),
    value_name: None,
    heading: Heading::What,
    help: "IPv4 is needed: an address on the given links, its default route where routes are asked for",
    details: "With -i: -a ipv4. Every `default` among the given routes becomes default-ipv4. Alone: -r default-ipv4.",
};

/// As [`IPV4`].
pub static IPV6: CommandLineOption = CommandLineOption {
    long: "ipv6",
    short: Some('6'),
    value_name: None,
    heading: Heading::What,
    help: "IPv6 is needed: as -4",
    details: "",
};

/// `route`
pub static ROUTE: Key = Key {
    name: "route",
    role: Role::Asks(Kind {
        of: AskedOf::Any,
        read: |text, refined| {
            let table = refined.table.clone();
            items::destination(text).map(|destination| Item::Route(RouteSpec { destination, table }))
        },
    }),
    takes: ValueType::Texts,
    example: "route = [\"default-ipv4\", \"10.0.0.0/8\"]",
    other_names: &["routes"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "route",
        short: Some('r'),
        value_name: Some("SPEC"),
        heading: Heading::What,
        help: "A live route: default, default-ipv4, default-ipv6 or a prefix",
        details: "With -i through each of those links, else through any link.",
    }),
};

/// `table`
pub static TABLE: Key = Key {
    name: "table",
    role: Role::Refines {
        refined: |key| ["route", "route-to"].contains(&key.name),
        alone: "says where routes must stand, but there is no route",
    },
    takes: ValueType::TextOrNumber,
    example: "table = 100 or table = \"vrf-blue\"",
    other_names: &["tables"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "table",
        short: None,
        value_name: Some("N"),
        heading: Heading::What,
        help: "The table of the routes: a number, or a VRF's name, which holds for --route-to too [default: main]",
        details: "",
    }),
};

/// `route-to`
pub static ROUTE_TO: Key = Key {
    name: "route-to",
    role: Role::Asks(Kind {
        of: AskedOf::Any,
        read: |text, refined| {
            let (target, zone) = items::host(text)?;
            let vrf = match &refined.table {
                Table::Id(_) => None,
                Table::Vrf(name) => Some(name.clone()),
            };
            let wanted = RouteTo { target, zone, from: refined.from, vrf };
            items::fits_together(&wanted).map(|()| Item::RouteTo(wanted))
        },
    }),
    takes: ValueType::Texts,
    example: "route-to = [\"198.51.100.7\", \"2001:db8::7\"]",
    other_names: &["routes-to"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "route-to",
        short: None,
        value_name: Some("ADDR"),
        heading: Heading::What,
        help: "The kernel has a usable way to this address; nothing is sent",
        details: "",
    }),
};

/// `from`
pub static FROM: Key = Key {
    name: "from",
    role: Role::Refines {
        refined: |key| key.name == "route-to",
        alone: "says from which address route-to is asked, but there is no route-to",
    },
    takes: ValueType::Text,
    example: "from = \"192.0.2.10\"",
    other_names: &["source", "src"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "from",
        short: None,
        value_name: Some("ADDR"),
        heading: Heading::What,
        help: "The way to --route-to is asked for a program that binds this address, for policy rules by source",
        details: "",
    }),
};

/// `pasta`
pub static PASTA: Key = Key {
    name: "pasta",
    role: Role::Asks(Kind { of: AskedOf::Host { about: "what pasta takes" }, read: |_, _| Ok(Item::Pasta) }),
    takes: ValueType::Flag,
    example: "pasta = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// `nameserver`
pub static NAMESERVER: Key = Key {
    name: "nameserver",
    role: Role::Asks(Kind {
        of: AskedOf::Host { about: "what resolv.conf names" },
        read: |_, _| Ok(Item::Nameserver),
    }),
    takes: ValueType::Flag,
    example: "nameserver = true",
    other_names: &["nameservers"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "nameserver",
        short: None,
        value_name: None,
        heading: Heading::What,
        help: "resolv.conf names a server",
        details: "",
    }),
};

/// `dns`
pub static DNS: Key = Key {
    name: "dns",
    role: Role::Asks(Kind { of: AskedOf::Others, read: |text, _| probes::dns(text).map(Item::Probe) }),
    takes: ValueType::Texts,
    example: "dns = \"registry.example.org\"",
    other_names: &["resolve"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "dns",
        short: None,
        value_name: Some("NAME"),
        heading: Heading::Probes,
        help: "The host's resolver finds this name",
        details: "",
    }),
};

/// `tcp`
pub static TCP: Key = Key {
    name: "tcp",
    role: Role::Asks(Kind { of: AskedOf::Others, read: |text, _| probes::tcp(text).map(Item::Probe) }),
    takes: ValueType::Texts,
    example: "tcp = \"192.0.2.7:443\"",
    other_names: &["port"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "tcp",
        short: None,
        value_name: Some("HOST:PORT"),
        heading: Heading::Probes,
        help: "A connection to this port is accepted; a link-local address with its link: [fe80::7%eth0]:22",
        details: "",
    }),
};

/// `http`
pub static HTTP: Key = Key {
    name: "http",
    role: Role::Asks(Kind {
        of: AskedOf::Others,
        read: |text, refined| probes::http(text, &refined.expect).map(Item::Probe),
    }),
    takes: ValueType::Texts,
    example: "http = \"https://registry.example.org/v2/\"",
    other_names: &["url", "https"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "http",
        short: None,
        value_name: Some("URL"),
        heading: Heading::Probes,
        help: "A server answers this, by a status below 500 but 429; https by the host's trust store",
        details: "",
    }),
};

/// `expect`
pub static EXPECT: Key = Key {
    name: "expect",
    role: Role::Refines {
        refined: |key| key.name == "http",
        alone: "says which answers to http will do, but there is no http",
    },
    takes: ValueType::Numbers,
    example: "expect = [200, 401]",
    other_names: &["status"],
    shorthands: &[],
    option: None,
};

/// `ping`
pub static PING: Key = Key {
    name: "ping",
    role: Role::Asks(Kind { of: AskedOf::Others, read: |text, _| probes::ping(text).map(Item::Probe) }),
    takes: ValueType::Texts,
    example: "ping = \"192.0.2.1\"",
    other_names: &[],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "ping",
        short: None,
        value_name: Some("ADDR"),
        heading: Heading::Probes,
        help: "This host answers an echo request (ICMP, without privileges)",
        details: "",
    }),
};

/// `gateway`
pub static GATEWAY: Key = Key {
    name: "gateway",
    role: Role::Asks(Kind { of: AskedOf::Others, read: |text, _| probes::gateway(text).map(Item::Gateway) }),
    takes: ValueType::Texts,
    example: "gateway = \"ipv4\"",
    other_names: &["router"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "gateway",
        short: None,
        value_name: Some("FAMILY"),
        heading: Heading::Probes,
        help: "The default gateway answers neighbour discovery: any, ipv4 or ipv6",
        details: "",
    }),
};

// When a clause counts, and how often its probes are tried.

/// `recheck`
pub static RECHECK: Key = Key {
    name: "recheck",
    role: Role::Refines {
        refined: |key| key.asks() == Some(AskedOf::Others),
        alone: "says how often probes are tried again, but there is no probe",
    },
    takes: ValueType::Duration,
    example: "recheck = \"30s\"",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// `if-present`
pub static IF_PRESENT: Key = Key {
    name: "if-present",
    role: Role::Clause,
    takes: ValueType::Flag,
    example: "if-present = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// `grace`
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
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_options_are_unique_and_examples_show_their_key() {
        let mut names = BTreeSet::new();
        for key in KEYS {
            assert!(names.insert(key.name), "{}", key.name);
            assert!(key.example.starts_with(&format!("{} = ", key.name)), "{}", key.name);
            assert_eq!(find_anywhere(key.name).map(|key| key.name), Some(key.name));
        }
        for key in KEYS {
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
