//! Carrier: what counts as carrier, which links depend on other links, and when a clause implies carrier.

use super::table;

#[test]
fn carrier_is_admin_up_lower_up_and_running() {
    const G: &str = "interface='x0'; carrier=true";
    table(&[
        (G, "x0: up", "met by x0"),
        // tun, wireguard, vxlan and ppp links have the operstate UNKNOWN and the flag RUNNING.
        (G, "x0: unknown kind=wireguard", "met by x0"),
        (G, "x0: down", "x0 admin-down"),
        (G, "x0: nocarrier", "x0 no-carrier"),
        (G, "x0: lowerlayerdown", "x0 no-carrier"),
        (G, "x0: dormant", "x0 dormant"),
        (G, "x0: starting", "x0 no-carrier"),
        (G, "x0: losing", "x0 no-carrier"),
        (G, "", "x0 absent"),
        (G, "x1: up", "x0 absent"),
    ]);
}

#[test]
fn a_bridge_is_up_only_by_a_port_with_carrier() {
    const G: &str = "interface='br0'; carrier=true";
    table(&[
        // A new bridge has LOWER_UP and the operstate UNKNOWN.
        (G, "br0: unknown kind=bridge", "br0 no-carrier"),
        (G, "br0: up kind=bridge; p0: nocarrier master=br0", "br0 no-carrier"),
        (G, "br0: up kind=bridge; p0: down master=br0", "br0 no-carrier"),
        (G, "br0: up kind=bridge; p0: up master=br0", "met by br0"),
        (G, "br0: up kind=bridge; p0: nocarrier master=br0; p1: up master=br0", "met by br0"),
        // The port belongs to another bridge.
        (G, "br0: up kind=bridge; br1: up kind=bridge; p0: up master=br1", "br0 no-carrier"),
        // The kernel says that the bridge is down (STP). A port with carrier does not change this.
        (G, "br0: nocarrier kind=bridge; p0: up master=br0", "br0 no-carrier"),
        (G, "br0: down kind=bridge; p0: up master=br0", "br0 admin-down"),
        // Only bridges need a port with carrier. A bond's own flags are right.
        ("interface='bond0'; carrier=true", "bond0: up kind=bond", "met by bond0"),
    ]);
}

#[test]
fn a_port_has_carrier_only_if_its_lower_link_has() {
    const G: &str = "interface='br0'; carrier=true";
    table(&[
        // The port is a vlan on a bridge without a port.
        (G, "br0: up kind=bridge; v0: up kind=vlan on=br1 master=br0; br1: unknown kind=bridge", "br0 no-carrier"),
        (
            G,
            "br0: up kind=bridge; v0: up kind=vlan on=br1 master=br0; br1: unknown kind=bridge; p1: up master=br1",
            "met by br0",
        ),
        // Messages that arrive out of step may show a ring of links. The evaluation of a ring ends.
        (G, "br0: up kind=bridge master=br1; br1: up kind=bridge master=br0", "met by br0"),
    ]);
}

#[test]
fn stacked_links_are_down_with_the_bridge_below_them() {
    for kind in ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"] {
        let below = |bridge: &str| format!("s0: up kind={kind} on=br0; br0: {bridge}");
        let gate = "interface='s0'; carrier=true";
        table(&[
            (gate, &below("unknown kind=bridge"), "s0 no-carrier"),
            (gate, &below("up kind=bridge; p0: nocarrier master=br0"), "s0 no-carrier"),
            (gate, &below("up kind=bridge; p0: up master=br0"), "met by s0"),
            (gate, &below("down kind=bridge"), "s0 no-carrier"),
            (gate, &below("up"), "met by s0"),
            (gate, &below("nocarrier"), "s0 no-carrier"),
            // With IFLA_LINK_NETNSID, the decoder gives no lower link. An unknown lower link is not counted as a
            // fault.
            (gate, &format!("s0: up kind={kind}"), "met by s0"),
            (gate, &format!("s0: up kind={kind} on=77"), "met by s0"),
            (gate, &format!("s0: nocarrier kind={kind} on=br0; br0: up"), "s0 no-carrier"),
        ]);
    }
    table(&[(
        "interface='v1'; carrier=true",
        "v1: up kind=macvlan on=v0; v0: up kind=vlan on=br0; br0: unknown kind=bridge",
        "v1 no-carrier",
    )]);
}

#[test]
fn a_veths_ifla_link_is_its_peer_and_no_lower_link() {
    table(&[
        ("interface='ve0'; carrier=true", "ve0: up kind=veth on=ve1; ve1: down kind=veth on=ve0", "met by ve0"),
        ("interface='ve0'; carrier=true", "ve0: up kind=veth on=br0; br0: unknown kind=bridge", "met by ve0"),
        ("interface='g0'; carrier=true", "g0: unknown kind=gre on=br0; br0: unknown kind=bridge", "met by g0"),
        ("interface='vx0'; carrier=true", "vx0: unknown kind=vxlan on=x0; x0: nocarrier", "met by vx0"),
    ]);
}

#[test]
fn a_clause_that_names_interfaces_asks_for_carrier() {
    const ADDRESSED: &str = "; addr x0 192.0.2.10/24; route default4 via 192.0.2.1 dev x0";
    let down = |state: &str| format!("x0: {state}{ADDRESSED}");
    table(&[
        ("interface='x0'; address='ipv4'", &down("nocarrier"), "x0 no-carrier"),
        ("interface='x0'; address='ipv4'; carrier=true", &down("nocarrier"), "x0 no-carrier"),
        ("interface='x0'; address='ipv4'; carrier=false", &down("nocarrier"), "met by 192.0.2.10 on x0"),
        ("interface='x0'; address='ipv4'; carrier=false", "x0: nocarrier", "x0 no-address"),
        ("interface='x0'; address='ipv4'", &down("up"), "met by x0; 192.0.2.10 on x0"),
        // A route needs a live link, even with carrier=false.
        ("interface='x0'; route='default'; carrier=false", &down("nocarrier"), "x0 route-dead"),
        ("interface='x0'; route='default'", &down("nocarrier"), "x0 no-carrier, x0 route-dead"),
    ]);
}

#[test]
fn a_clause_that_asks_for_nothing_asks_for_carrier_and_an_address() {
    table(&[
        ("interface='x0'", "x0: up", "x0 no-address"),
        ("interface='x0'", "x0: up; addr x0 192.0.2.10/24", "met by x0; 192.0.2.10 on x0"),
        ("interface='x0'", "x0: up; addr x0 2001:db8::10/64", "met by x0; 2001:db8::10 on x0"),
        ("interface='x0'", "x0: nocarrier; addr x0 192.0.2.10/24", "x0 no-carrier"),
        ("interface='x0'", "x0: up; addr x0 fe80::10/64", "x0 no-address"),
        ("interface='x0'; carrier=true", "x0: up", "met by x0"),
        // Of ports only carrier is required, because the addresses belong to their master.
        ("interface='p0'", "br0: up kind=bridge; p0: up master=br0", "met by p0"),
        ("interface='p0'", "b0: up kind=bond; p0: up master=b0 port=bond", "met by p0"),
        ("interface='p0'", "t0: up kind=team; p0: up master=t0", "met by p0"),
        ("interface='p0'", "br0: up kind=bridge; p0: nocarrier master=br0", "p0 no-carrier"),
        // Members of a VRF have addresses of their own.
        ("interface='m0'", "vrf0: up kind=vrf vrf=100; m0: up master=vrf0 port=vrf", "m0 no-address"),
        ("interface='m0'", "vrf0: up kind=vrf vrf=100; m0: up master=vrf0", "m0 no-address"),
        // Items that are written are required of ports too.
        ("interface='p0'; address='ip'", "br0: up kind=bridge; p0: up master=br0", "p0 no-address"),
        // Loopback can be named, but its loopback addresses do not count.
        ("interface='lo'", "", "lo no-address"),
        ("interface='lo'; carrier=true", "", "met by lo"),
        ("interface='lo'", "addr lo 192.0.2.1/32", "met by lo; 192.0.2.1 on lo"),
    ]);
}
