//! Which clauses count: if-present, grace and the host's quorum. Which links the no-carrier timeout looks at. Which
//! met requirements have a warning.

use crate::testing::{NOW, gate, network, network as network_of};
use super::{outcome, table};
use crate::evaluate::{evaluate, sees_carrier};

#[test]
fn a_clause_with_interfaces_counts_only_while_a_link_matches() {
    table(&[
        ("interface='wg0'; if-present=true", "", "not-present"),
        ("interface='wg0'; if-present=true", "wg0: down", "wg0 admin-down, wg0 no-address"),
        ("interface='wg*'; if-present=true", "x0: up", "not-present"),
        ("interface='wg*'; if-present=true; carrier=true", "wg0: nocarrier; wg1: up", "met"),
        ("interface=['wg0','x0']; if-present=true; carrier=true", "x0: up", "wg0 absent"),
        ("interface=['*','!x0']; if-present=true; carrier=true", "x0: nocarrier", "not-present"),
        ("interface='lo*'; if-present=true", "", "not-present"),
        // The other clauses count as usual.
        ("interface='wg0'; if-present=true | interface='x0'; carrier=true", "x0: nocarrier", "not-present | x0 no-carrier"),
    ]);
}

#[test]
fn a_clause_of_one_family_counts_only_while_that_family_is_on_its_way() {
    const SIX: &str = "route='default-ipv6'; if-present=true";
    const UP4: &str = "x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0";
    let and = |rest: &str| format!("{UP4}; {rest}");
    table(&[
        (SIX, "", "not-present"),
        (SIX, UP4, "not-present"),
        // A link with a default route of either family has an address with global scope. A tentative address counts
        // too.
        (SIX, &and("addr x0 2001:db8::10/64"), "no-route"),
        (SIX, &and("addr x0 2001:db8::10/64 tentative"), "no-route"),
        (SIX, &and("addr x0 2001:db8::10/64 deprecated"), "no-route"),
        (SIX, &and("addr x0 fe80::10/64 link"), "not-present"),
        // On another link, the address may be a container's or a VPN's.
        (SIX, &and("y0: up; addr y0 2001:db8::10/64"), "not-present"),
        (SIX, "x0: up; addr x0 2001:db8::10/64", "not-present"),
        // The family has a default route.
        (SIX, "x0: up; route default6 via fe80::1 dev x0", "no-source"),
        (SIX, "x0: up; addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0", "met"),
        (SIX, "x0: nocarrier; route default6 via fe80::1 dev x0", "route-dead"),
        // A route that refuses does not lead anywhere.
        (SIX, "route default6 unreachable dev lo", "not-present"),
        // A default route through a loopback or dummy link does not lead to a network.
        (SIX, "route default6 dev lo", "not-present"),
        (SIX, "d0: unknown kind=dummy; addr d0 2001:db8::10/128; route default6 dev d0", "not-present"),
        (SIX, "d0: unknown kind=dummy; addr d0 2001:db8::10/128; route default4 dev d0", "not-present"),
        // A route or a policy rule refuses all traffic before the usable route, so the family is blocked.
        (SIX, &and("addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0; unreached6"), "not-present"),
        (SIX, &and("addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0; unreached4"), "met"),
        (SIX, &and("addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0 metric 1024; route default6 unreachable dev lo metric 1"), "not-present"),
        (SIX, &and("addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0 metric 1024; route default6 unreachable dev lo metric 4294967295"), "met"),
        // Without a hidden usable route, that route may arrive later. The same is true if the first route is dead.
        (SIX, &and("addr x0 2001:db8::10/64; route default6 unreachable dev lo metric 1"), "no-route"),
        (SIX, &and("z0: nocarrier; addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0 metric 1024; route default6 via fe80::2 dev z0 linkdown metric 1"), "route-hidden"),
        // The route is not in the main table.
        (SIX, "x0: up; route default6 via fe80::1 dev x0 table 100", "not-present"),
        // The same for IPv4.
        ("route='default-ipv4'; if-present=true", UP4, "met"),
        ("route='default-ipv4'; if-present=true", "x0: up; addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0", "not-present"),
        ("route='default-ipv4'; if-present=true", "x0: up; addr x0 192.0.2.10/24; route default6 via fe80::1 dev x0", "no-route"),
        ("address='ipv6'; if-present=true", &and("addr x0 2001:db8::10/64 tentative"), "tentative"),
        ("address='2001:db8::/32'; if-present=true", UP4, "not-present"),
        ("route-to='2001:db8:9::1'; if-present=true", UP4, "not-present"),
    ]);
}

#[test]
fn host_wide_a_quorum_counts_over_the_one_list() {
    const ANY: &str = "route=['default-ipv4','default-ipv6']; quorum='any'";
    const TWO: &str = "address=['192.0.2.10','192.0.2.11','192.0.2.12']; quorum=2";
    const FOUR: &str = "x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0";
    table(&[
        (ANY, FOUR, "met by default via 192.0.2.1 dev x0"),
        (ANY, "", "no-route, no-route"),
        ("route=['default-ipv4','default-ipv6']", FOUR, "no-route"),
        ("route=['default-ipv4','default-ipv6']; quorum='all'", FOUR, "no-route"),
        (TWO, FOUR, "no-address, no-address"),
        (TWO, &format!("{FOUR}; addr x0 192.0.2.12/24"), "met by 192.0.2.10 on x0; 192.0.2.12 on x0"),
    ]);
}

#[test]
fn a_clause_with_a_grace_holds_nothing_back_but_is_unmet() {
    let network = network("x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0");
    let judged = |text: &str| evaluate(&gate(text), &network, NOW);
    let both = judged("route='default-ipv4' | route='default-ipv6'; grace='5s'");
    assert_eq!(outcome(&both, false), "met | no-route");
    assert!(both.ready());
    assert_eq!(both.clauses[1].grace.map(|grace| grace.as_secs()), Some(5));
    assert!(!judged("route='default-ipv6' | route='default-ipv4'; grace='5s'").ready());
    // A table that the clause with the grace needs is read before the gate is ready.
    let network = network_of("x0: up; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0; unread6");
    let unread = evaluate(&gate("route='default-ipv4' | route='default-ipv6'; grace='5s'"), &network, NOW);
    assert!(!unread.ready());
}

#[test]
fn resolv_conf_names_a_server() {
    table(&[
        ("nameserver=true", "ns 192.0.2.53", "met by 192.0.2.53"),
        ("nameserver=true", "ns none", "no-nameserver"),
        ("nameserver=true", "ns unreadable no such file", "no-nameserver"),
        ("nameserver=true", "", "not-read"),
    ]);
}

#[track_caller]
fn carrier(cases: &[(&str, &str, bool)]) {
    for (gate_text, network_text, expected) in cases {
        let (mut gate, network) = (gate(gate_text), network(network_text));
        assert_eq!(sees_carrier(&gate, &network), *expected, "{gate_text}\n{network_text}");
        gate.no_carrier_timeout = Some(core::time::Duration::from_secs(9));
        assert_eq!(evaluate(&gate, &network, NOW).carrier, *expected, "{gate_text}\n{network_text}");
        gate.no_carrier_timeout = None;
        assert!(!evaluate(&gate, &network, NOW).carrier, "nobody asks for it");
    }
}

#[test]
fn no_carrier_looks_at_the_links_that_clauses_name() {
    carrier(&[
        ("interface='x0'", "x0: up", true),
        ("interface='x0'", "x0: nocarrier; y0: up", false),
        ("interface='x0'", "y0: up", false),
        ("interface=['x0','x1']", "x0: nocarrier; x1: up", true),
        ("interface='x*'", "x0: nocarrier; x1: up", true),
        ("interface=['x*','!x1']", "x0: nocarrier; x1: up", false),
        ("interface='x0' | interface='y0'", "x0: nocarrier; y0: up", true),
        ("interface='lo'", "", true),
        ("interface='br0'", "br0: unknown kind=bridge", false),
        ("interface='p0'", "br0: up kind=bridge; p0: up master=br0", true),
    ]);
}

#[test]
fn no_carrier_looks_at_uplinks_for_host_wide_clauses() {
    const G: &str = "route='default'";
    carrier(&[
        (G, "", false),
        (G, "x0: up", true),
        (G, "x0: nocarrier", false),
        (G, "x0: down; x1: up", true),
        // Links without a hardware address are no uplinks: tun, wireguard, ppp.
        (G, "wg0: unknown kind=wireguard mac=none; x0: nocarrier", false),
        (G, "d0: unknown kind=dummy; x0: nocarrier", false),
        (G, "vx0: unknown kind=vxlan; x0: nocarrier", false),
        (G, "gnv0: unknown kind=geneve; x0: nocarrier", false),
        (G, "gre1: unknown kind=gre mac=c0:00:02:0a; x0: nocarrier", false),
        (G, "docker0: unknown kind=bridge; x0: nocarrier", false),
        (G, "br0: up kind=bridge; v0: up kind=veth master=br0; x0: nocarrier", false),
        // In a container a veth is the uplink. On a host it is the other end of a container's link.
        (G, "v0: up kind=veth", true),
        (G, "v0: up kind=veth; x0: nocarrier", false),
        (G, "v0: up kind=veth; d0: unknown kind=dummy", true),
        // Ports are no uplinks, but their bond is one.
        (G, "b0: up kind=bond; x0: up master=b0 port=bond", true),
        // The gate has a clause with links and a clause without. Carrier for one of them is enough.
        ("interface='x0' | route='default'", "x0: nocarrier; y0: up", true),
        ("interface='wg0' | route='default'", "wg0: unknown kind=wireguard mac=none; y0: nocarrier", true),
    ]);
}

/// If the uplink of a host is a port of a bridge (a hypervisor's br0), this port is its only way out. The bridge
/// itself is not an uplink, so the port must count.
#[test]
fn no_carrier_looks_at_the_ports_of_a_bridged_host() {
    carrier(&[
        ("route='default'", "br0: up kind=bridge; x0: up master=br0; addr br0 192.0.2.10/24", true),
        ("route='default'", "br0: unknown kind=bridge; x0: nocarrier master=br0; addr br0 192.0.2.10/24", false),
        // Ports that lead to guests are no uplinks.
        ("route='default'", "br0: up kind=bridge; t0: up kind=tun master=br0; x0: nocarrier master=br0", false),
    ]);
}

#[test]
fn a_failed_dad_next_to_a_usable_address_is_a_warning() {
    let warnings = |gate_text: &str, network_text: &str| {
        let verdict = evaluate(&gate(gate_text), &network(network_text), NOW);
        verdict.warnings.iter().map(ToString::to_string).collect::<Vec<String>>()
    };
    const TWO: &str = "x0: up; addr x0 2001:db8::10/64; addr x0 2001:db8::11/64 dadfailed";
    let said = ["2001:db8::11 on x0 is dadfailed: another host has it"];
    assert_eq!(warnings("address='ipv6'", TWO), said);
    assert_eq!(warnings("interface='x0'; address='ipv6'", TWO), said);
    assert_eq!(warnings("address=['ip','ipv6','2001:db8::/32']", TWO), said, "once");
    assert!(warnings("address='ipv6'", "x0: up; addr x0 2001:db8::10/64; addr x0 2001:db8::11/64 tentative").is_empty());
    assert!(warnings("address='2001:db8::10'", TWO).is_empty(), "it is not of the wanted ones");
    assert!(warnings("address='ipv6'", "x0: up; addr x0 2001:db8::11/64 dadfailed").is_empty(), "the reason says it");
}

/// Ports of a bond or team do not count, because the bond or team itself counts. It knows better than its ports
/// whether it has carrier (LACP).
#[test]
fn no_carrier_looks_at_a_bond_or_team_and_not_at_its_ports() {
    carrier(&[
        ("route='default'", "b0: nocarrier kind=bond; x0: up master=b0 port=bond", false),
        ("route='default'", "t0: nocarrier kind=team; x0: up master=t0 port=team", false),
    ]);
}
