//! `route-to` and `from`: the kernel's own lookup finds a usable route to an address.

use core::fmt;
use core::net::IpAddr;

use crate::config::items;
use crate::evaluate::Judge;
use crate::evaluate::judged::Evaluated;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Known, Offers, Role, ValueType};
use crate::requirement::kind::{Refined, Requirement, Whom, with_zone};
use crate::requirement::{Family, Item, Table};
use crate::wants::Wants;

/// The key `route-to`: the kernel has a usable route to an address.
pub static ROUTE_TO: Key = Key {
    name: "route-to",
    role: Role::Asks {
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
    },
    takes: ValueType::Texts,
    example: "route-to = [\"198.51.100.7\", \"203.0.113.7\"]",
    other_names: &["routes-to"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "route-to",
        short: None,
        offers: Offers::NOTHING,
        value_name: Some("ADDR"),
        heading: Heading::What,
        help: "Require that the kernel has a usable route to this address; netready sends nothing to it",
        details: "",
    }),
};

/// The key `from`: the source address for the lookup of `route-to`.
pub static FROM: Key = Key {
    name: "from",
    role: Role::Refines {
        refined: |key| key.name == "route-to",
        alone: "sets the source address of route-to, but there is no route-to",
    },
    takes: ValueType::Text,
    example: "from = \"192.0.2.10\"",
    other_names: &["source", "src"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "from",
        short: None,
        offers: Offers::known(Known::Addresses, &[]),
        value_name: Some("ADDR"),
        heading: Heading::What,
        help: "Answer --route-to as for a program that binds this address, so that policy rules by source apply",
        details: "",
    }),
};

/// The path of a connection that a program would make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteTo {
    /// The address to which the kernel must have a route.
    pub target: IpAddr,
    /// The link of a link-local target, by name or number. `None` for other targets.
    pub zone: Option<String>,
    /// The host's address that the program binds first. `None` lets the kernel select one.
    pub from: Option<IpAddr>,
    /// The VRF that the program runs in, by the name of its device.
    pub vrf: Option<String>,
}

impl RouteTo {
    /// Makes the requirement for a program that binds neither an address nor a device.
    pub fn target(target: IpAddr) -> RouteTo {
        RouteTo { target, zone: None, from: None, vrf: None }
    }
}

impl fmt::Display for RouteTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Refined(self).fmt(f)
    }
}

impl Requirement for RouteTo {
    fn key(&self) -> &'static Key {
        &ROUTE_TO
    }

    fn sentence(&self, whom: Whom) -> String {
        let through = match whom {
            Whom::Link => " through the link",
            Whom::Host => "",
        };
        let from = self.from.map_or(String::new(), |from| format!(" for a program that binds {from}"));
        let vrf = self.vrf.as_ref().map_or(String::new(), |vrf| format!(" in the VRF {vrf}"));
        format!("the kernel has a usable way{through} to {}{from}{vrf}", self.value())
    }

    fn value(&self) -> String {
        with_zone(self.target, self.zone.as_deref())
    }

    fn refinements(&self) -> Vec<(&'static Key, Vec<String>)> {
        let from = self.from.map(|from| (&FROM, vec![from.to_string()]));
        let table = self.vrf.iter().flat_map(|name| Table::Vrf(name.clone()).refinement());
        from.into_iter().chain(table).collect()
    }

    fn noun(&self) -> String {
        format!("route to {self}")
    }

    fn family(&self) -> Option<Family> {
        Some(Family::of(self.target))
    }

    fn add_wants(&self, _: bool, wants: &mut Wants) {
        wants.route_to.insert(self.clone());
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.route_to(self, None).into()
    }
}
