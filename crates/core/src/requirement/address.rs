//! `address`: a usable address.

use core::fmt;
use core::net::IpAddr;

use ipnet::IpNet;

use crate::config::items;
use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged};
use crate::model::Link;
use crate::report::AddressNoun;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Known, Offers, Role, ValueType};
use crate::requirement::kind::{Requirement, Whom};
use crate::requirement::{Family, Item};

/// The key `address`: a usable address.
pub static ADDRESS: Key = Key {
    name: "address",
    role: Role::Asks { of: AskedOf::Any, read: |text, _| items::address(text).map(Item::Address) },
    takes: ValueType::Texts,
    example: "address = [\"ipv4\", \"2001:db8::/32\"]",
    other_names: &["addresses", "ip"],
    shorthands: &[&IPV4, &IPV6],
    option: Some(CommandLineOption {
        long: "address",
        short: Some('a'),
        offers: Offers::known(
            Known::Addresses,
            &["ip", "ipv4", "ipv6", "link-local-ipv4", "link-local-ipv6"],
        ),
        value_name: Some("SPEC"),
        heading: Heading::What,
        help: "Require a usable address: ip, ipv4, ipv6, link-local-ipv4, link-local-ipv6, an address or a prefix",
        details: "With -i, each of those links must have it. Without -i, any link may have it.",
    }),
};

/// The option `--ipv4`. Its effect depends on the other options: see [`Options`](crate::config::Options).
pub static IPV4: CommandLineOption = CommandLineOption {
    long: "ipv4",
    short: Some('4'),
    offers: Offers::NOTHING,
    value_name: None,
    heading: Heading::What,
    help: "Require IPv4: an address if -i or -a is given, otherwise a default route",
    details: "With -i or -a, it adds -a ipv4. Otherwise it is the same as -r default-ipv4. Each given `-r default` becomes -r default-ipv4.",
};

/// The option `--ipv6`. It does for IPv6 what [`IPV4`] does for IPv4.
pub static IPV6: CommandLineOption = CommandLineOption {
    long: "ipv6",
    short: Some('6'),
    offers: Offers::NOTHING,
    value_name: None,
    heading: Heading::What,
    help: "Require IPv6: an address if -i or -a is given, otherwise a default route",
    details: "",
};

/// Which addresses satisfy an address item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSpec {
    /// `ip`: an address of either family with global or site scope that is not loopback and not link-local.
    Either,
    /// `ipv4`, `ipv6`: an address of that family, otherwise as for `ip`.
    Family(Family),
    /// `link-local-ipv4` (169.254.0.0/16) or `link-local-ipv6` (fe80::/10).
    LinkLocal(Family),
    /// Exactly this address. It may be on any link, because bind(2) accepts it.
    Exact(IpAddr),
    /// Any address in the prefix.
    Prefix(IpNet),
}

impl fmt::Display for AddressSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressSpec::Either => f.write_str("ip"),
            AddressSpec::Family(Family::V4) => f.write_str("ipv4"),
            AddressSpec::Family(Family::V6) => f.write_str("ipv6"),
            AddressSpec::LinkLocal(Family::V4) => f.write_str("link-local-ipv4"),
            AddressSpec::LinkLocal(Family::V6) => f.write_str("link-local-ipv6"),
            AddressSpec::Exact(address) => address.fmt(f),
            AddressSpec::Prefix(net) => net.fmt(f),
        }
    }
}

impl Requirement for AddressSpec {
    fn key(&self) -> &'static Key {
        &ADDRESS
    }

    fn sentence(&self, whom: Whom) -> String {
        match self {
            AddressSpec::Exact(address) => {
                format!("{whom} has the address {address}, and a program can bind it")
            }
            AddressSpec::Either
            | AddressSpec::Family(_)
            | AddressSpec::LinkLocal(_)
            | AddressSpec::Prefix(_) => {
                format!("{whom} has a usable {}", AddressNoun(*self))
            }
        }
    }

    fn value(&self) -> String {
        self.to_string()
    }

    fn noun(&self) -> String {
        AddressNoun(*self).to_string()
    }

    fn family(&self) -> Option<Family> {
        match self {
            AddressSpec::Either => None,
            AddressSpec::Family(family) | AddressSpec::LinkLocal(family) => Some(*family),
            AddressSpec::Exact(address) => Some(Family::of(*address)),
            AddressSpec::Prefix(net) => Some(Family::of(net.addr())),
        }
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.address_anywhere(*self).into()
    }

    fn of_link<'a>(&self, judge: &Judge<'a>, link: &'a Link) -> Judged {
        judge.address_of(link, *self)
    }
}
