//! `gateway`: the default gateway answers.

use core::fmt;

use crate::config::probes;
use crate::evaluate::Judge;
use crate::evaluate::judged::Evaluated;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Offers, Role, ValueType};
use crate::requirement::kind::{Requirement, Whom};
use crate::requirement::{Destination, Family, Item, RouteSpec, Table};
use crate::wants::Wants;

/// The key `gateway`: the gateway of the default route answers.
pub static GATEWAY: Key = Key {
    name: "gateway",
    role: Role::Asks {
        of: AskedOf::Others,
        read: |text, _| probes::gateway(text).map(|family| Item::Gateway(Gateway(family))),
    },
    takes: ValueType::Texts,
    example: "gateway = \"ipv4\"",
    other_names: &["router"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "gateway",
        short: None,
        offers: Offers::words(&["any", "ipv4", "ipv6"]),
        value_name: Some("FAMILY"),
        heading: Heading::Probes,
        help: "Require that the gateway of the default route answers neighbour discovery: any, ipv4 or ipv6",
        details: "",
    }),
};

/// The default gateway of a family, or of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gateway(pub Option<Family>);

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            None => "any",
            Some(Family::V4) => "ipv4",
            Some(Family::V6) => "ipv6",
        })
    }
}

impl Requirement for Gateway {
    fn key(&self) -> &'static Key {
        &GATEWAY
    }

    fn sentence(&self, _: Whom) -> String {
        let family = self.0.map_or(String::new(), |family| format!("{family} "));
        format!("the gateway of the {family}default route answers neighbour discovery")
    }

    fn value(&self) -> String {
        self.to_string()
    }

    fn family(&self) -> Option<Family> {
        self.0
    }

    fn add_wants(&self, host_wide: bool, wants: &mut Wants) {
        wants.choice |= host_wide;
        wants.add_routes(&RouteSpec {
            destination: self.0.map_or(Destination::Default, Destination::DefaultOf),
            table: Table::MAIN,
        });
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.gateway(self.0)
    }
}
