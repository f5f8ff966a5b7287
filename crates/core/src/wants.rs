//! What a gate makes worth reading: derived from it once, used to drop the rest unread.

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use ipnet::IpNet;

use crate::requirement::{Destination, Family, Gate, Item, Presence, RouteSpec, RouteTo, Subject, Table};

/// What a gate wants to know of routes and resolv.conf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The destinations of the routes that the gate asks about, each with its routing table.
    pub routes: BTreeSet<(IpNet, Table)>,
    /// Whether it matters which of several routes the kernel takes: a route is wanted host-wide.
    pub choice: bool,
    /// Ways to be looked up.
    pub route_to: BTreeSet<RouteTo>,
    /// Whether pasta's choice matters.
    pub pasta: bool,
    /// Whether the gate depends on resolv.conf.
    pub nameserver: bool,
}

impl Wants {
    /// What this gate wants.
    pub fn of(gate: &Gate) -> Wants {
        let mut wants = Wants::default();
        for clause in &gate.clauses {
            if let Some(Presence::Family(_)) = clause.if_present {
                wants.add_routes(&RouteSpec { destination: Destination::Default, table: Table::MAIN });
            }
            let host_wide = matches!(clause.subject, Subject::Host { .. });
            for item in &clause.items {
                wants.choice |= host_wide && matches!(item, Item::Route(_) | Item::Gateway(_));
                match item {
                    Item::Carrier | Item::Address(_) => {}
                    Item::Route(spec) => wants.add_routes(spec),
                    Item::RouteTo(wanted) => {
                        wants.route_to.insert(wanted.clone());
                    }
                    Item::Pasta => wants.pasta = true,
                    Item::Nameserver => wants.nameserver = true,
                    // What may be resolved when it changes is tried then.
                    Item::Probe(probe) => wants.nameserver |= probe.resolves(),
                    Item::Gateway(family) => wants.add_routes(&RouteSpec {
                        destination: family.map_or(Destination::Default, Destination::DefaultOf),
                        table: Table::MAIN,
                    }),
                }
            }
        }
        wants
    }

    fn add_routes(&mut self, spec: &RouteSpec) {
        for prefix in spec.destination.prefixes() {
            self.routes.insert((prefix, spec.table.clone()));
        }
    }

    /// Whether any routing table matters.
    pub fn any_table(&self) -> bool {
        self.pasta || !self.routes.is_empty()
    }

    /// Whether a table is wanted by its VRF's name.
    pub fn names_vrf(&self) -> bool {
        self.routes.iter().any(|(_, table)| matches!(table, Table::Vrf(_)))
    }

    /// Whether a route to this destination is wanted, in whatever table.
    pub fn destination(&self, destination: &IpNet) -> bool {
        self.routes.iter().any(|(wanted, _)| wanted == destination)
    }
}

/// Addresses to look up in place of a prefix. A more specific route over one of them hides the wanted
/// one, so there are several; where all are hidden the table is read.
pub fn probes(prefix: &IpNet) -> Vec<IpAddr> {
    /// Documentation and reserved prefixes (RFC 5737, RFC 1112, RFC 3849, RFC 9637): a packet there has no
    /// business, so few tables have a route of their own to all of them. Nothing is ever sent.
    const DEFAULT_V4: [[u8; 4]; 3] = [[203, 0, 113, 1], [198, 51, 100, 1], [240, 0, 0, 1]];
    const DEFAULT_V6: [u128; 2] = [0x2001_0db8_u128 << 96 | 1, 0x3fff_u128 << 112 | 1];
    if prefix.prefix_len() == 0 {
        return match Family::of(prefix.addr()) {
            Family::V4 => DEFAULT_V4.iter().map(|octets| IpAddr::from(*octets)).collect(),
            Family::V6 => DEFAULT_V6.iter().map(|bits| IpAddr::V6((*bits).into())).collect(),
        };
    }
    // The first and the last host, without the addresses that name the network or all of its hosts.
    let (first, last) = match prefix {
        IpNet::V4(net) => {
            let inset = u32::from(net.prefix_len() < 31);
            let (first, last) = (net.network().to_bits() + inset, net.broadcast().to_bits() - inset);
            (IpAddr::V4(first.into()), IpAddr::V4(last.into()))
        }
        IpNet::V6(net) => {
            let inset = u128::from(net.prefix_len() < 127);
            let (first, last) = (net.network().to_bits() + inset, net.broadcast().to_bits() - inset);
            (IpAddr::V6(first.into()), IpAddr::V6(last.into()))
        }
    };
    if first == last { vec![first] } else { vec![first, last] }
}

#[cfg(test)]
mod tests;
