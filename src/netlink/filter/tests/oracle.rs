//! Random wants and random routes near them: the kernel's answer is the oracle's.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::{Filtered, octets};
use crate::requirement::{RouteTo, TABLE_MAIN, Table};
use crate::wants::Wants;

/// Few bits differ, at any place, so that prefixes cover each other, and just do not.
fn an_address() -> impl Strategy<Value = IpAddr> {
    let v4 = vec(0_u32..32, 0..3).prop_map(|bits| {
        IpAddr::V4(bits.into_iter().fold(0xc633_6407_u32, |address, bit| address ^ 1 << bit).into())
    });
    let v6 = vec(0_u32..128, 0..3).prop_map(|bits| {
        let base = 0x2001_0db8_0001_0002_0003_0004_0005_0006_u128;
        IpAddr::V6(bits.into_iter().fold(base, |address, bit| address ^ 1 << bit).into())
    });
    prop_oneof![v4, v6]
}

fn a_prefix() -> impl Strategy<Value = IpNet> {
    (
        an_address(),
        prop_oneof![select(vec![0_u8, 0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 96, 97, 127, 128]), 0_u8..=128],
    )
        .prop_map(|(address, length)| {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, length.min(bits)).unwrap().trunc()
        })
}

fn some_wants() -> impl Strategy<Value = Wants> {
    let table = select(vec![Table::MAIN, Table::Id(100), Table::Vrf("vrf0".to_owned())]);
    let routes = btree_set((a_prefix(), table), 0..6);
    let from = prop::option::of(an_address());
    let wanted = (an_address(), from).prop_map(|(target, from)| RouteTo { from, ..RouteTo::target(target) });
    let route_to = btree_set(wanted, 0..4);
    (routes, route_to, prop::bool::weighted(0.2)).prop_map(|(routes, route_to, pasta)| Wants {
        routes,
        route_to,
        choice: true,
        pasta,
        nameserver: false,
    })
}

/// A route, as the kernel might write it or not.
#[derive(Debug, Clone)]
struct Told {
    prefix: IpNet,
    gone: bool,
    table: u8,
    kind: RouteType,
    without_destination: bool,
    before: Vec<RouteAttribute>,
}

impl Told {
    fn octets(&self) -> Vec<u8> {
        let mut message = RouteMessage::default();
        message.header.address_family = match self.prefix {
            IpNet::V4(_) => AddressFamily::Inet,
            IpNet::V6(_) => AddressFamily::Inet6,
        };
        message.header.destination_prefix_length = self.prefix.prefix_len();
        message.header.table = self.table;
        message.header.kind = self.kind;
        message.attributes = self.before.clone();
        if self.has_destination() {
            message.attributes.push(RouteAttribute::Destination(self.prefix.addr().into()));
        }
        message.attributes.push(RouteAttribute::Priority(1024));
        octets(match self.gone {
            true => RouteNetlinkMessage::DelRoute(message),
            false => RouteNetlinkMessage::NewRoute(message),
        })
    }

    fn has_destination(&self) -> bool {
        !self.without_destination && self.prefix.prefix_len() > 0
    }
}

fn told() -> impl Strategy<Value = Told> {
    let before = vec(
        prop_oneof![
            Just(RouteAttribute::Table(TABLE_MAIN)),
            any::<u32>().prop_map(RouteAttribute::Oif),
            // Not a destination, but as long as one.
            an_address().prop_map(|address| RouteAttribute::PrefSource(address.into())),
        ],
        0..3,
    );
    let kind = select(vec![RouteType::Unicast, RouteType::Unicast, RouteType::Unreachable, RouteType::Local]);
    let rest = (any::<bool>(), select(vec![254_u8, 254, 252, 100]), kind, prop::bool::weighted(0.1), before);
    (a_prefix(), rest).prop_map(|(prefix, (gone, table, kind, without_destination, before))| Told {
        prefix,
        gone,
        table,
        kind,
        without_destination,
        before,
    })
}

/// What must pass; the rest must not, for it would wake us for nothing.
fn must_pass(wants: &Wants, told: &Told) -> bool {
    let same_family = |address: IpAddr| address.is_ipv4() == told.prefix.addr().is_ipv4();
    let length = told.prefix.prefix_len();
    let unknown = length > 0 && !told.has_destination();
    let pasta = wants.pasta && u32::from(told.table) == TABLE_MAIN && told.kind == RouteType::Unicast;
    let wanted = wants.routes.iter().any(|(prefix, _)| {
        same_family(prefix.addr()) && prefix.prefix_len() == length && (unknown || *prefix == told.prefix)
    });
    let covered = wants
        .route_to
        .iter()
        .map(|wanted| wanted.target)
        .any(|target| same_family(target) && (unknown || told.prefix.contains(&target)));
    let is_default = |(prefix, table): &(IpNet, Table)| {
        same_family(prefix.addr()) && prefix.prefix_len() == 0 && *table == Table::MAIN
    };
    let refuses = (1..8).contains(&length) && wants.routes.iter().any(is_default);
    pasta || wanted || covered || refuses
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_passes_what_the_oracle_does(wants in some_wants(), random in vec(told(), 1..20)) {
        let filtered = Filtered::new(&wants);
        // What is wanted itself, too: chance alone would rarely hit it.
        let exact: BTreeSet<IpNet> = wants.routes.iter().map(|(prefix, _)| *prefix).collect();
        let exact = exact.into_iter().map(|prefix| Told {
            prefix, gone: false, table: 252, kind: RouteType::Unicast, without_destination: false, before: Vec::new(),
        });
        for told in random.into_iter().chain(exact) {
            let expected = must_pass(&wants, &told);
            prop_assert_eq!(filtered.passes(&told.octets()), expected, "{:?}", told);
        }
    }
}
