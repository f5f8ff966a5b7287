//! Near misses: the reason names what exists and what is wrong with it, not only that something is missing.

use crate::testing::{NOW, gate, network};
use crate::evaluate::evaluate;
use crate::verdict::Outcome;

/// Compares the texts of all reasons of a gate.
#[track_caller]
fn reasons(cases: &[(&str, &str, &[&str])]) {
    for (gate_text, network_text, expected) in cases {
        let verdict = evaluate(&gate(gate_text), &network(network_text), NOW);
        let texts = verdict.rows().filter_map(|(_, row)| match &row.outcome {
            Outcome::Unmet(reason) => Some(reason.to_string()),
            Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        });
        assert_eq!(texts.collect::<Vec<String>>(), *expected, "{gate_text}\n{network_text}");
    }
}

#[test]
fn of_links() {
    const G: &str = "interface='x0'; carrier=true";
    reasons(&[
        (G, "", &["x0: no such link"]),
        ("interface='x*'; carrier=true", "", &["no link matches x*"]),
        ("interface='mac:02:00:00:00:00:AA'; carrier=true", "", &["mac:02:00:00:00:00:aa: no such link"]),
        (G, "x0: down", &["x0: administratively down"]),
        (G, "x0: nocarrier", &["x0: no carrier"]),
        (G, "x0: lowerlayerdown", &["x0: no carrier (LOWERLAYERDOWN)"]),
        (G, "x0: dormant", &["x0: dormant"]),
        (G, "x0: unknown kind=bridge", &["x0: no carrier: bridge x0 has no port with carrier"]),
        (G, "x0: up kind=vlan on=br0; br0: unknown kind=bridge", &["x0: no carrier: bridge br0 has no port with carrier"]),
        (G, "x0: up kind=vlan on=y0; y0: nocarrier", &["x0: no carrier: y0 below it has none"]),
        ("interface='x*'; quorum=2; carrier=true", "x0: up", &["only 1 of 2 links are there"]),
    ]);
}

/// If several reasons tell the same amount, the first one is given.
#[test]
fn of_equal_reasons_the_first_is_given() {
    reasons(&[
        ("address='ipv6'", "x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::11/64 tentative", &["2001:db8::10 on x0: tentative"]),
        ("route='default-ipv4'", "x0: nocarrier; y0: down; route default4 via 192.0.2.1 dev x0; route default4 via 192.0.2.1 dev y0 metric 9",
            &["default via 192.0.2.1 dev x0: x0 has no carrier"]),
        ("route='default-ipv4'", "x0: nocarrier; y0: down; route default4 nexthop via 192.0.2.1 dev x0 nexthop via 198.51.100.1 dev y0", &["default via 192.0.2.1 dev x0: x0 has no carrier"]),
        ("pasta=true", "x0: nocarrier; y0: down; pasta6; pasta4 default4 nexthop via 192.0.2.1 dev x0 nexthop via 198.51.100.1 dev y0", &["pasta would take x0 (default metric 0), which has no carrier"]),
        ("gateway='any'", "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; route default4 via 192.0.2.1 dev x0; route default6 via 2001:db8::1 dev x0; \
            fails gateway 192.0.2.1 x0; fails gateway 2001:db8::1 x0", &["gateway 192.0.2.1 on x0 no"]),
        ("route-to='198.51.100.7'", "x0: nocarrier; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10", &["198.51.100.7/32 via 192.0.2.1 dev x0: x0 has no carrier"]),
        ("interface=['x0', 'mac:02:00:00:00:00:02']; quorum=2; carrier=true", "x0: up", &["only 1 of 2 links are there"]),
        ("interface=['x0', 'mac:02:00:00:00:00:77']; quorum=2; carrier=true", "x0: up", &["mac:02:00:00:00:00:77: no such link"]),
    ]);
}

#[test]
fn of_addresses() {
    reasons(&[
        ("interface='x0'; address='ipv4'", "x0: up", &["x0: no IPv4 address"]),
        ("interface='x0'; address='ipv4'", "x0: up; addr x0 169.254.7.1/16", &["x0: no IPv4 address (only link-local 169.254.7.1)"]),
        ("interface='x0'; address='ipv6'", "x0: up; addr x0 169.254.7.1/16", &["x0: no IPv6 address"]),
        ("interface='x0'; address='ipv6'", "x0: up; addr x0 fe80::10/64 link", &["x0: no IPv6 address (only link-local fe80::10)"]),
        ("interface='x0'; address='ip'", "x0: up; addr x0 fe80::10/64 link", &["x0: no IP address (only link-local fe80::10)"]),
        // The reason mentions the link-local address only if there is no other address of the family.
        ("interface='x0'; address='2000::/3'", "x0: up; addr x0 fe80::10/64 link", &["x0: no address in 2000::/3 (only link-local fe80::10)"]),
        ("interface='x0'; address='2000::/3'", "x0: up; addr x0 fe80::10/64 link; addr x0 fd12::5/64", &["x0: no address in 2000::/3"]),
        ("interface='x0'; address='10.0.0.0/8'", "x0: up; addr x0 169.254.7.1/16; addr x0 192.0.2.10/24", &["x0: no address in 10.0.0.0/8"]),
        ("interface='x0'; address='ipv4'", "x0: up; addr x0 169.254.7.1/16; addr x0 192.0.2.10/24 link", &["x0: no IPv4 address"]),
        ("interface='x0'; address='ipv4'", "x0: up; y0: up; addr x0 169.254.7.1/16; addr y0 192.0.2.10/24", &["x0: no IPv4 address (only link-local 169.254.7.1)"]),
        ("interface='x0'; address='ip'", "x0: up; addr x0 fe80::10/64 link; addr x0 192.0.2.10/24 link", &["x0: no IP address"]),
        ("address='2000::/3'", "x0: up; y0: up; addr x0 fe80::10/64 link; addr y0 fd12::5/64", &["no address in 2000::/3"]),
        ("address='ipv6'", "x0: up; d0: unknown kind=dummy; addr x0 fe80::10/64 link; addr d0 2001:db8::10/64", &["no IPv6 address"]),
        ("address='ipv6'", "x0: up; addr x0 fe80::10/64 link", &["no IPv6 address (only link-local fe80::10)"]),
        ("interface='x0'; address='ipv6'", "x0: up noipv6", &["x0: no IPv6 address: IPv6 disabled on x0"]),
        ("interface='x0'; address='ipv4'", "x0: up noipv6", &["x0: no IPv4 address"]),
        ("interface='x0'; address='192.0.2.10'", "x0: up; addr x0 169.254.7.1/16", &["x0: no address 192.0.2.10"]),
        ("address='ipv4'", "", &["no IPv4 address"]),
        ("address='ipv4'", "x0: nocarrier; addr x0 192.0.2.10/24", &["192.0.2.10 on x0: no carrier"]),
        ("address='ipv6'", "x0: up; addr x0 2001:db8::10/64 tentative", &["2001:db8::10 on x0: tentative"]),
        ("address='ipv6'", "x0: up; addr x0 2001:db8::10/64 dadfailed tentative", &["2001:db8::10 on x0: dadfailed (another host has it)"]),
        ("address='ipv6'", "x0: up; addr x0 2001:db8::10/64 deprecated", &["2001:db8::10 on x0: deprecated"]),
        (
            "interface='x0'; address='ipv6'; carrier=false",
            "x0: lowerlayerdown; addr x0 2001:db8::10/64 tentative",
            &["2001:db8::10 on x0: tentative (duplicate address detection has not begun: no carrier)"],
        ),
        // The fault that the administrator must mend is named first.
        (
            "address='ipv6'",
            "x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::11/64 dadfailed; addr x0 2001:db8::12/64 deprecated",
            &["2001:db8::11 on x0: dadfailed (another host has it)"],
        ),
    ]);
}

#[test]
fn of_routes() {
    const X: &str = "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; y0: nocarrier; addr y0 203.0.113.10/24; ";
    let with = |route: &str| format!("{X}{route}");
    reasons(&[
        ("route='default'", X, &["no default route"]),
        ("route='default-ipv6'", X, &["no default IPv6 route"]),
        ("interface='x0'; route='10.0.0.0/8'", X, &["no route to 10.0.0.0/8 through x0"]),
        ("route='default'; table=100", &with("read4 100; read6 100"), &["no default route in table 100"]),
        ("route='default'; table='vrf0'", X, &["no VRF vrf0"]),
        ("route='default'", &with("route default4 unreachable"), &["the default route is an unreachable route"]),
        ("route='default'", &with("route default4 via 203.0.113.1 dev y0"), &["default via 203.0.113.1 dev y0: y0 has no carrier"]),
        ("route='default'", &with("route default4 via 192.0.2.1 dev x0 dead"), &["default via 192.0.2.1 dev x0 is dead"]),
        ("route='default'", &with("route default6 via fe80::1 dev x0 expires 99"), &["default via fe80::1 dev x0 has expired"]),
        ("route='default'", &with("route default4 via 192.0.2.1 dev x0 src 192.0.2.99"), &["default via 192.0.2.1 dev x0: its source address 192.0.2.99 is not usable"]),
        ("route='default'", &with("z0: up; addr z0 169.254.1.1/16; route default4 via 192.0.2.1 dev z0"), &["default via 192.0.2.1 dev z0: no usable IPv4 address on z0 to send from"]),
        ("interface='y0'; carrier=false; route='default'", &with("route default4 via 192.0.2.1 dev x0"), &["default via 192.0.2.1 dev x0: not through y0"]),
        // The reason is about the route that the kernel selects. If this route hides a better one, the reason says
        // so.
        ("route='default'", &with("route default4 unreachable; route default4 via 203.0.113.1 dev y0 metric 9"), &["the default route is an unreachable route"]),
        ("route='default-ipv4'", &with("route default4 blackhole metric 1; route default4 via 192.0.2.1 dev x0 metric 100"), &["the blackhole default IPv4 route of metric 1 is preferred: default via 192.0.2.1 dev x0 metric 100 is not used"]),
        (
            "route='default'",
            &with("route default4 via 203.0.113.1 dev y0 metric 100 linkdown; route default4 via 192.0.2.1 dev x0 metric 600"),
            &["y0 has no carrier, but default via 203.0.113.1 dev y0 metric 100 is still preferred (ignore_routes_with_linkdown=0): default via 192.0.2.1 dev x0 metric 600 is not used"],
        ),
        (
            "route='default'",
            &with("br0: unknown kind=bridge; route default4 dev br0; route default4 via 192.0.2.1 dev x0 metric 600"),
            &["br0 has no carrier: bridge br0 has no port with carrier, but default dev br0 is still preferred: default via 192.0.2.1 dev x0 metric 600 is not used"],
        ),
        (
            "route='default'",
            &with("z0: up; addr z0 169.254.1.1/16; route default4 dev z0; route default4 via 192.0.2.1 dev x0 metric 600"),
            &["default dev z0: no usable IPv4 address on z0 to send from, and it is preferred: default via 192.0.2.1 dev x0 metric 600 is not used"],
        ),
        ("route='default'", &with("route default4 dev lo; route default4 via 192.0.2.1 dev x0 metric 600"), &["default dev lo does not leave this host, but it is still preferred: default via 192.0.2.1 dev x0 metric 600 is not used"]),
        ("route='default'", &with("route default4 dev lo"), &["default dev lo does not leave this host"]),
        (
            "route='default-ipv4'",
            &with("route default4 via 192.0.2.1 dev x0 metric 100; unreached4"),
            &["policy rules or other routes keep all traffic from using default via 192.0.2.1 dev x0 metric 100"],
        ),
        (
            "route='default-ipv4'",
            &with("route default4 via 192.0.2.1 dev x0; preferred default4 via 203.0.113.1 dev y0 table 200 linkdown"),
            &["y0 has no carrier, but default via 203.0.113.1 dev y0 table 200 is still preferred (ignore_routes_with_linkdown=0): default via 192.0.2.1 dev x0 is not used"],
        ),
        (
            "route='default-ipv4'",
            &with("route default4 via 192.0.2.1 dev x0; refusing4; unreached4"),
            &["routes that refuse a part of all addresses each keep all traffic from using default via 192.0.2.1 dev x0"],
        ),
        (
            "route='default-ipv6'",
            &with("addr x0 2001:db8::7/64; route default6 via fe80::1 dev x0 from 2001:db8::/56; unreached6"),
            &["policy rules, or a source address outside 2001:db8::/56, keep all traffic from using default via fe80::1 dev x0"],
        ),
        (
            "route='default-ipv4'",
            &with("route default4 via 192.0.2.1 dev x0; preferred 0.0.0.0/1 dev y0 linkdown"),
            &["y0 has no carrier, but 0.0.0.0/1 dev y0 is still preferred (ignore_routes_with_linkdown=0): default via 192.0.2.1 dev x0 is not used"],
        ),
        (
            "route='default-ipv4'",
            &with("br0: up kind=bridge; p0: up master=br0; addr p0 198.51.100.7/24; route default4 via 198.51.100.1 dev p0"),
            &["default via 198.51.100.1 dev p0 is of no use: p0 is a port of br0, which receives the answers"],
        ),
        ("route='default'", &with("route default4 broadcast dev x0"), &["the default route is a broadcast route"]),
        ("route-to='192.0.2.255'", &with("lookup 192.0.2.255 broadcast"), &["192.0.2.255 is a broadcast address, and so the address of no host"]),
        ("route-to='198.51.100.7'", &with("lookup 198.51.100.7 errno 101"), &["no route to 198.51.100.7: Network is unreachable"]),
        ("nameserver=true", "ns none", &["resolv.conf names no nameserver"]),
        ("nameserver=true", "ns unreadable it is not there", &["no nameserver: resolv.conf: it is not there"]),
    ]);
}

#[test]
fn the_reason_prefers_the_wanted_link_s_own_route() {
    reasons(&[(
        "interface='y0'; carrier=false; route='default-ipv4'",
        "x0: up; addr x0 192.0.2.10/24; y0: nocarrier; addr y0 203.0.113.10/24; \
         route default4 via 192.0.2.1 dev x0; route default4 via 203.0.113.1 dev y0 metric 100",
        &["default via 203.0.113.1 dev y0: y0 has no carrier"],
    )]);
}
