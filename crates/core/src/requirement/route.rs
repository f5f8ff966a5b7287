//! `route` and `table`: a live route in a table.

use core::fmt;

use ipnet::IpNet;

use crate::config::items;
use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged};
use crate::model::Link;
use crate::report::route_noun;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Known, Offers, Role, ValueType};
use crate::requirement::kind::{Refined, Requirement, Whom};
use crate::requirement::{Family, Item};
use crate::wants::Wants;

/// The key `route`: a live route.
pub static ROUTE: Key = Key {
    name: "route",
    role: Role::Asks {
        of: AskedOf::Any,
        read: |text, refined| {
            let table = refined.table.clone();
            items::destination(text).map(|destination| Item::Route(RouteSpec { destination, table }))
        },
    },
    takes: ValueType::Texts,
    example: "route = [\"default-ipv4\", \"10.0.0.0/8\"]",
    other_names: &["routes"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "route",
        short: Some('r'),
        offers: Offers::words(&["default", "default-ipv4", "default-ipv6"]),
        value_name: Some("SPEC"),
        heading: Heading::What,
        help: "Require a live route: default, default-ipv4, default-ipv6 or a prefix",
        details: "With -i, each of those links must have it. Without -i, the route that the kernel uses must work.",
    }),
};

/// The key `table`: the routing table that must have the routes.
pub static TABLE: Key = Key {
    name: "table",
    role: Role::Refines {
        refined: |key| ["route", "route-to"].contains(&key.name),
        alone: "sets the table of routes, but there is no route",
    },
    takes: ValueType::TextOrNumber,
    example: "table = 100 or table = \"vrf-blue\"",
    other_names: &["tables"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "table",
        short: None,
        offers: Offers::known(Known::Vrfs, &["main"]),
        value_name: Some("N"),
        heading: Heading::What,
        help: "Look for routes in this table: a number, or the name of a VRF (also for --route-to) [default: main]",
        details: "",
    }),
};

/// Which routes satisfy a route item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteSpec {
    /// The destination. The table must have a route to exactly this prefix.
    pub destination: Destination,
    /// The table that must have the route.
    pub table: Table,
}

/// The destination of a wanted route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// The default route of either family: `default`.
    Default,
    /// The default route of one family: `default-ipv4`, `default-ipv6`.
    DefaultOf(Family),
    /// The route to exactly this prefix.
    Prefix(IpNet),
}

/// A routing table, by its number or by the name of a VRF.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// The number of a table. The main table is 254 (RT_TABLE_MAIN).
    Id(u32),
    /// The table of the VRF link with this name, [spelled](crate::ifname).
    Vrf(String),
}

/// The number of the main table, RT_TABLE_MAIN of linux/rtnetlink.h.
pub const TABLE_MAIN: u32 = 254;

impl Table {
    /// The main table. It is the default if no table is named.
    pub const MAIN: Table = Table::Id(TABLE_MAIN);
}

impl Destination {
    /// Returns the prefixes that satisfy the destination: one, or two for `default`.
    pub fn prefixes(self) -> impl Iterator<Item = IpNet> {
        let (first, second) = match self {
            Destination::Default => (Family::V4.default_prefix(), Some(Family::V6.default_prefix())),
            Destination::DefaultOf(family) => (family.default_prefix(), None),
            Destination::Prefix(net) => (net, None),
        };
        core::iter::once(first).chain(second)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Default => f.write_str("default"),
            Destination::DefaultOf(Family::V4) => f.write_str("default-ipv4"),
            Destination::DefaultOf(Family::V6) => f.write_str("default-ipv6"),
            Destination::Prefix(net) => net.fmt(f),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Table::Id(TABLE_MAIN) => f.write_str("main"),
            Table::Id(id) => id.fmt(f),
            Table::Vrf(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for RouteSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Refined(self).fmt(f)
    }
}

impl Table {
    /// Returns the key `table` with this value. For the main table it returns nothing, because the key can be left
    /// out.
    pub(super) fn refinement(&self) -> Vec<(&'static Key, Vec<String>)> {
        if *self == Table::MAIN { Vec::new() } else { vec![(&TABLE, vec![self.to_string()])] }
    }
}

impl Requirement for RouteSpec {
    fn key(&self) -> &'static Key {
        &ROUTE
    }

    fn sentence(&self, whom: Whom) -> String {
        let noun = route_noun(self);
        match whom {
            Whom::Link => format!("there is a live {noun} through the link"),
            Whom::Host => format!("there is a live {noun}, and the kernel uses it"),
        }
    }

    fn value(&self) -> String {
        self.destination.to_string()
    }

    fn refinements(&self) -> Vec<(&'static Key, Vec<String>)> {
        self.table.refinement()
    }

    fn noun(&self) -> String {
        route_noun(self)
    }

    fn family(&self) -> Option<Family> {
        match self.destination {
            Destination::Default => None,
            Destination::DefaultOf(family) => Some(family),
            Destination::Prefix(net) => Some(Family::of(net.addr())),
        }
    }

    fn add_wants(&self, host_wide: bool, wants: &mut Wants) {
        wants.choice |= host_wide;
        wants.add_routes(self);
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.route(self, None).into()
    }

    fn of_link<'a>(&self, judge: &Judge<'a>, link: &'a Link) -> Judged {
        judge.route(self, Some(link))
    }
}
