//! What a gate needs to know. It is derived once from the gate. Everything else is dropped without being decoded.

use alloc::collections::BTreeSet;
use core::net::IpAddr;

use ipnet::IpNet;

use crate::requirement::{
    Destination, Family, Gate, Presence, RouteSpec, RouteTo, Subject, TABLE_MAIN, Table,
};

/// What a gate needs to know about routes and resolv.conf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// The destinations of the routes that the gate asks about, each with its routing table.
    pub routes: BTreeSet<(IpNet, Table)>,
    /// Whether it matters which of several routes the kernel selects. It does if a clause without `interface`
    /// asks for a route.
    pub choice: bool,
    /// The lookups that `route-to` asks for.
    pub route_to: BTreeSet<RouteTo>,
    /// Whether the gate asks what pasta would take.
    pub pasta: bool,
    /// Whether the gate depends on resolv.conf.
    pub nameserver: bool,
}

impl Wants {
    /// Derives what a gate needs to know.
    pub fn of(gate: &Gate) -> Wants {
        let mut wants = Wants::default();
        for clause in &gate.clauses {
            if let Some(Presence::Family(_)) = clause.if_present {
                wants.add_routes(&RouteSpec { destination: Destination::Default, table: Table::MAIN });
            }
            let host_wide = matches!(clause.subject, Subject::Host { .. });
            for item in &clause.items {
                item.requirement().add_wants(host_wide, &mut wants);
            }
        }
        wants
    }

    /// Adds the routes that would satisfy the requirement.
    pub(crate) fn add_routes(&mut self, spec: &RouteSpec) {
        for prefix in spec.destination.prefixes() {
            self.routes.insert((prefix, spec.table.clone()));
        }
    }

    /// Whether the gate depends on any routing table.
    pub fn any_table(&self) -> bool {
        self.pasta || !self.routes.is_empty()
    }

    /// Whether the gate names a table by its VRF.
    pub fn names_vrf(&self) -> bool {
        self.routes.iter().any(|(_, table)| matches!(table, Table::Vrf(_)))
    }

    /// The families whose default route of the main table the gate asks for, of the whole host. Traffic must not be
    /// refused before the kernel comes to that route.
    pub fn defaults(&self) -> impl Iterator<Item = Family> + '_ {
        let wanted = |family: &Family| self.routes.contains(&(family.default_prefix(), Table::MAIN));
        Family::BOTH.into_iter().filter(move |family| self.choice && wanted(family))
    }

    /// Whether this destination in this table is such a default route.
    pub(crate) fn is_default(&self, destination: &IpNet, table: u32) -> bool {
        table == TABLE_MAIN && self.defaults().any(|family| family.default_prefix() == *destination)
    }

    /// Whether a route to this destination can refuse or mislead so much traffic that the default route is of no use.
    pub fn refusals_of(&self, destination: &IpNet) -> bool {
        (1..=SHORT).contains(&destination.prefix_len())
            && self.defaults().any(|family| family == Family::of(destination.addr()))
    }

    /// Whether the gate asks for a route to this destination, in any table.
    pub fn destination(&self, destination: &IpNet) -> bool {
        self.routes.iter().any(|(wanted, _)| wanted == destination)
    }
}

/// Prefixes up to this length are so large that two or a few of them cover all addresses, as 0.0.0.0/1 and 128.0.0.0/1
/// do. A full internet table has none of them.
pub const SHORT: u8 = 7;

/// Returns addresses all over the internet. If the kernel refuses them all, it refuses ordinary traffic. The addresses
/// of [`probes`] do not show that, because routers refuse documentation and reserved prefixes on purpose. netready
/// sends nothing there either.
pub fn ordinary(family: Family) -> Vec<IpAddr> {
    const V4: [[u8; 4]; 4] = [[4, 1, 1, 1], [78, 1, 1, 1], [150, 1, 1, 1], [212, 1, 1, 1]];
    const V6: [u16; 4] = [0x2400, 0x2600, 0x2803, 0x2a00];
    match family {
        Family::V4 => V4.iter().map(|octets| IpAddr::from(*octets)).collect(),
        Family::V6 => V6.iter().map(|first| IpAddr::from([*first, 1, 0, 0, 0, 0, 0, 1])).collect(),
    }
}

/// Returns addresses to look up instead of a prefix. There are several, because a more specific route can hide the
/// prefix from one of them. If the prefix is hidden from all of them, the table must be read.
pub fn probes(prefix: &IpNet) -> Vec<IpAddr> {
    /// Addresses in documentation and reserved prefixes (RFC 5737, RFC 1112, RFC 3849, RFC 9637). Nobody needs to
    /// send packets there, so few tables have specific routes for all of them. netready sends nothing there either.
    const DEFAULT_V4: [[u8; 4]; 3] = [[203, 0, 113, 1], [198, 51, 100, 1], [240, 0, 0, 1]];
    const DEFAULT_V6: [u128; 2] = [0x2001_0db8_u128 << 96 | 1, 0x3fff_u128 << 112 | 1];
    if prefix.prefix_len() == 0 {
        return match Family::of(prefix.addr()) {
            Family::V4 => DEFAULT_V4.iter().map(|octets| IpAddr::from(*octets)).collect(),
            Family::V6 => DEFAULT_V6.iter().map(|bits| IpAddr::V6((*bits).into())).collect(),
        };
    }
    // The first and the last address that a host can have, without the addresses of the network and of all its
    // hosts.
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
