//! Routes: which of those that stand in a table lead anywhere.

use super::table;

/// A link with carrier and an address of each family, one without, and one without an address.
const HOST: &str = "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; \
                    dark0: nocarrier; addr dark0 198.51.100.10/24; addr dark0 2001:db8:1::10/64; bare0: up";

#[track_caller]
fn on_host(cases: &[(&str, &str, &str)]) {
    let whole: Vec<(&str, String, &str)> = cases.iter().map(|(g, n, e)| (*g, format!("{HOST}; {n}"), *e)).collect();
    let whole: Vec<(&str, &str, &str)> = whole.iter().map(|(g, n, e)| (*g, n.as_str(), *e)).collect();
    table(&whole);
}

#[test]
fn the_destination_must_stand_in_the_table_as_such() {
    const BY4: &str = "via 192.0.2.1 dev x0";
    const BY6: &str = "via fe80::1 dev x0";
    let v4 = |destination: &str| format!("route {destination} {BY4}");
    let v6 = |destination: &str| format!("route {destination} {BY6}");
    on_host(&[
        ("route='default'", &v4("default4"), "met by default via 192.0.2.1 dev x0"),
        ("route='default'", &v6("default6"), "met by default via fe80::1 dev x0"),
        ("route='default-ipv4'", &v4("default4"), "met"),
        ("route='default-ipv6'", &v6("default6"), "met"),
        ("route='default-ipv4'", &v6("default6"), "no-route"),
        ("route='default-ipv6'", &v4("default4"), "no-route"),
        ("route='10.0.0.0/8'", &v4("10.0.0.0/8"), "met by 10.0.0.0/8 via 192.0.2.1 dev x0"),
        ("route='10.0.0.0/8'", &v4("10.0.0.0/9"), "no-route"),
        ("route='10.0.0.0/8'", &v4("default4"), "no-route"),
        ("route='10.0.0.0/9'", &v4("10.0.0.0/8"), "no-route"),
        ("route='default'", &v4("0.0.0.0/1"), "no-route"),
        ("route='2001:db8:5::/48'", &v6("2001:db8:5::/48"), "met"),
        ("route='0.0.0.0/0'", &v4("default4"), "met"),
        ("route='0.0.0.0/0'", &v6("default6"), "no-route"),
        ("route=['default-ipv4','default-ipv6']", &v4("default4"), "no-route"),
        ("route='default'", "", "no-route"),
    ]);
}

#[test]
fn only_unicast_routes_count() {
    on_host(&[
        ("route='default'", "route default4 unreachable", "no-route"),
        ("route='default'", "route default4 blackhole", "no-route"),
        ("route='default'", "route default4 prohibit", "no-route"),
        ("route='default'", "route default4 throw", "no-route"),
        ("route='default'", "route default4 local dev x0", "no-route"),
        ("route='default'", "route default4 multicast dev x0", "no-route"),
        ("route='default-ipv6'", "route default6 unreachable dev lo metric 4294967295", "no-route"),
        // The other one is one.
        ("route='default'", "route default4 unreachable; route default4 dev x0 metric 10", "met"),
        ("route='default'", "route default4 unreachable; route default6 via fe80::1 dev x0", "met"),
    ]);
}

#[test]
fn an_expired_route_is_none() {
    on_host(&[
        ("route='default'", "route default6 via fe80::1 dev x0 expires 101", "met"),
        ("route='default'", "route default6 via fe80::1 dev x0 expires 100", "route-dead"),
        ("route='default'", "route default6 via fe80::1 dev x0 expires 99", "route-dead"),
        ("route='default'", "route default6 via fe80::1 dev x0 expires 99; route default6 via fe80::2 dev x0 metric 5", "met by default via fe80::2 dev x0"),
    ]);
}

#[test]
fn one_live_next_hop_is_enough() {
    on_host(&[
        ("route='default'", "route default4 via 192.0.2.1 dev x0 dead", "route-dead"),
        ("route='default'", "route default4 via 192.0.2.1 dev x0 linkdown", "route-dead"),
        ("route='default'", "route default4 via 198.51.100.1 dev dark0", "route-dead"),
        ("route='default'", "route default4 via 198.51.100.1 dev dark0 linkdown", "route-dead"),
        ("route='default'", "route default4 nexthop via 198.51.100.1 dev dark0 nexthop via 192.0.2.1 dev x0", "met by default via 192.0.2.1 dev x0"),
        ("route='default'", "route default4 nexthop via 192.0.2.1 dev x0 nexthop via 198.51.100.1 dev dark0", "met by default via 192.0.2.1 dev x0"),
        ("route='default'", "route default4 nexthop via 192.0.2.1 dev x0 dead nexthop via 192.0.2.2 dev x0", "met by default via 192.0.2.2 dev x0"),
        ("route='default'", "route default4 nexthop via 192.0.2.1 dev x0 dead nexthop via 192.0.2.2 dev x0 linkdown", "route-dead"),
        // A dead route of lower metric hides no live one.
        ("route='default'", "route default4 via 198.51.100.1 dev dark0; route default4 via 192.0.2.1 dev x0 metric 100", "met by default via 192.0.2.1 dev x0"),
        // A link that is not known any more.
        ("route='default'", "route default4 via 192.0.2.1 dev 77", "route-dead"),
    ]);
}

#[test]
fn with_interfaces_it_must_leave_through_the_named_link() {
    const Y: &str = "y0: up; addr y0 203.0.113.10/24; ";
    let with = |route: &str| format!("{Y}{route}");
    on_host(&[
        ("interface='y0'; route='default'", &with("route default4 via 192.0.2.1 dev x0"), "y0 wrong-link"),
        ("interface='y0'; route='default'", &with("route default4 via 203.0.113.1 dev y0"), "met by y0; default via 203.0.113.1 dev y0"),
        ("interface='y0'; route='default'", &with("route default4 via 192.0.2.1 dev x0; route default4 via 203.0.113.1 dev y0 metric 9"), "met by y0; default via 203.0.113.1 dev y0"),
        ("interface='y0'; route='default'", &with("route default4 nexthop via 192.0.2.1 dev x0 nexthop via 203.0.113.1 dev y0"), "met by y0; default via 203.0.113.1 dev y0"),
        ("interface='y0'; route='default'", &with("route default4 nexthop via 192.0.2.1 dev x0 nexthop via 203.0.113.1 dev y0 dead"), "y0 route-dead"),
        ("interface='?0'; quorum='any'; route='default'", &with("route default4 via 203.0.113.1 dev y0"), "met by y0; default via 203.0.113.1 dev y0"),
        ("interface=['x0','y0']; route='default'", &with("route default4 via 203.0.113.1 dev y0"), "x0 wrong-link"),
        ("interface='y0'; route='default'", Y, "y0 no-route"),
    ]);
}

#[test]
fn it_needs_a_source_on_its_link_or_on_a_loopback_or_dummy_link() {
    on_host(&[
        ("route='default'", "route default4 dev bare0", "no-source"),
        ("interface='bare0'; route='default'", "route default6 via fe80::1 dev bare0", "bare0 no-source"),
        // Another link's IPv4 address never counts, nor one of the other family.
        ("route='default'", "addr bare0 2001:db8:2::10/64; route default4 dev bare0", "no-source"),
        ("route='default'", "addr bare0 203.0.113.10/24; route default4 dev bare0", "met"),
        ("route='default'", "addr bare0 169.254.1.1/16; route default4 dev bare0", "no-source"),
        ("interface='bare0'; route='default'", "addr bare0 fe80::10/64 link; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 tentative; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 dadfailed; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 deprecated; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 tentative optimistic; route default6 dev bare0", "met"),
        // BGP-unnumbered hosts.
        ("route='default'", "addr lo 203.0.113.10/32; route default4 via fe80::1 dev bare0", "met by default via fe80::1 dev bare0"),
        ("interface='bare0'; route='default'", "addr lo 203.0.113.10/32; route default6 via fe80::1 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr lo 2001:db8:2::10/128; route default6 via fe80::1 dev bare0", "met"),
        ("route='default'", "d0: unknown kind=dummy; addr d0 203.0.113.10/32; route default4 dev bare0", "met"),
        ("interface='bare0'; route='default'", "d0: unknown kind=dummy; addr d0 2001:db8:2::10/128 tentative; route default6 dev bare0", "bare0 no-source"),
        ("route='default'", "d0: unknown kind=veth; addr d0 203.0.113.10/32; route default4 dev bare0", "no-source"),
        // A next hop through a link without a source does not spoil the other.
        ("route='default'", "route default4 nexthop dev bare0 nexthop via 192.0.2.1 dev x0", "met by default via 192.0.2.1 dev x0"),
    ]);
}

/// Measured: connect(2) on a router with a delegated prefix takes the address of its LAN link.
#[test]
fn host_wide_an_ipv6_route_may_have_its_source_on_another_link() {
    const ROUTER: &str = "wan0: up; addr wan0 fe80::10/64 link; lan0: up";
    const DEFAULT: &str = "route default6 via fe80::1 dev wan0";
    let with = |more: &str| format!("{ROUTER}; {DEFAULT}; {more}");
    table(&[
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64"), "met by default via fe80::1 dev wan0"),
        ("route='default'", &with("addr lan0 2001:db8:5::1/64"), "met"),
        ("route='default-ipv6'", &with(""), "no-source"),
        // Only on a link with carrier, only one that is usable, only one of the internet's prefix.
        ("route='default-ipv6'", &with("dark0: nocarrier; addr dark0 2001:db8:5::1/64"), "no-source"),
        ("route='default-ipv6'", &with("br0: unknown kind=bridge; addr br0 2001:db8:5::1/64"), "no-source"),
        ("route='default-ipv6'", &with("br0: unknown kind=bridge; p0: up master=br0; addr br0 2001:db8:5::1/64"), "met"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 tentative"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 dadfailed"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 deprecated"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 fd00::1/64"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 fd00::1/64; addr lan0 3fff::1/64"), "met"),
        // The question of one link stays whether that link has one.
        ("interface='wan0'; route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64"), "wan0 no-source"),
        // A source that the route asks for is the only one.
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 src 2001:db8:6::1"), "no-source"),
        // For one source prefix only, as OpenWrt installs it: the address must be in it.
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; {DEFAULT} from 2001:db8:5::/56"), "met"),
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; {DEFAULT} from 2001:db8:600::/56"), "no-source"),
        // Any destination of the internet, and no other: for those the kernel prefers other addresses.
        ("route='2001:db8:7::/48'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route 2001:db8:7::/48 via fe80::1 dev wan0"), "met"),
        ("route='fd07::/48'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route fd07::/48 via fe80::1 dev wan0"), "no-source"),
        // Never for IPv4.
        ("route='default-ipv4'", "wan0: up; lan0: up; addr lan0 203.0.113.10/24; route default4 via 192.0.2.1 dev wan0", "no-source"),
        // The kernel takes no address from outside of the link's VRF, and none of a VRF for a link outside.
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; wan0: up master=vrf0 port=vrf; lan0: up; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 table 100; read6 100", "no-source"),
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; wan0: up master=vrf0 port=vrf; lan0: up master=vrf0 port=vrf; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 table 100", "met"),
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; addr vrf0 2001:db8:5::1/64; wan0: up master=vrf0 port=vrf; route default6 via fe80::1 dev wan0 table 100", "met"),
        ("route='default-ipv6'", &format!("vrf0: up kind=vrf vrf=100; {ROUTER} master=vrf0 port=vrf; {DEFAULT}; addr lan0 2001:db8:5::1/64"), "no-source"),
    ]);
}

#[test]
fn a_prefsrc_must_be_usable_wherever_it_stands() {
    on_host(&[
        ("route='default'", "route default4 dev bare0 src 192.0.2.10", "met"),
        ("route='default'", "addr lo 203.0.113.10/32; route default4 dev bare0 src 203.0.113.10", "met"),
        // One that is gone, though the link has another.
        ("route='default'", "route default4 via 192.0.2.1 dev x0 src 192.0.2.99", "no-source"),
        ("route='default'", "addr x0 2001:db8::11/64 tentative; route default6 via fe80::1 dev x0 src 2001:db8::11", "no-source"),
        ("route='default'", "addr x0 2001:db8::11/64 dadfailed; route default6 via fe80::1 dev x0 src 2001:db8::11", "no-source"),
        ("route='default'", "addr x0 2001:db8::11/64; route default6 via fe80::1 dev x0 src 2001:db8::11", "met"),
    ]);
}

#[test]
fn a_link_local_destination_is_served_by_a_link_local_address() {
    on_host(&[
        ("route='169.254.0.0/16'", "addr bare0 169.254.1.1/16 link; route 169.254.0.0/16 dev bare0", "met"),
        ("route='fe80::/64'", "addr bare0 fe80::10/64 link; route fe80::/64 dev bare0", "met"),
        ("route='fe80::/64'", "addr bare0 fe80::10/64 link tentative; route fe80::/64 dev bare0", "no-source"),
        ("route='fe80::/64'", "addr x0 fe80::10/64 link; route fe80::/64 dev bare0", "no-source"),
        ("route='fe80::/64'", "addr lo fe80::10/64 link; route fe80::/64 dev bare0", "no-source"),
        ("route='10.0.0.0/8'", "addr bare0 169.254.1.1/16 link; route 10.0.0.0/8 dev bare0", "no-source"),
        ("route='fd00::/64'", "addr bare0 fe80::10/64 link; route fd00::/64 dev bare0", "no-source"),
        // A wider one will do as well.
        ("route='fe80::/64'", "route fe80::/64 dev x0", "met"),
    ]);
}

#[test]
fn a_default_with_a_source_prefix_needs_an_address_in_it() {
    on_host(&[
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 from 2001:db8::/56", "met"),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 from 2001:db8:ff::/56", "no-source"),
        ("route='default-ipv6'", "addr x0 2001:db8:ff::10/64; route default6 via fe80::1 dev x0 from 2001:db8:ff::/56", "met"),
        ("route='default-ipv6'", "addr x0 2001:db8:ff::10/64 tentative; route default6 via fe80::1 dev x0 from 2001:db8:ff::/56", "no-source"),
        // A delegated prefix's address stands on another link.
        ("route='default-ipv6'", "addr bare0 2001:db8:ff::10/64; route default6 via fe80::1 dev x0 from 2001:db8:ff::/56", "met"),
        ("interface='x0'; route='default-ipv6'", "addr bare0 2001:db8:ff::10/64; route default6 via fe80::1 dev x0 from 2001:db8:ff::/56", "x0 no-source"),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 from 2001:db8:ff::/56; route default6 via fe80::2 dev x0 from 2001:db8::/56", "met by default via fe80::2 dev x0"),
    ]);
}

#[test]
fn tables_are_numbers_or_vrfs() {
    const VRF: &str = "vrf0: up kind=vrf vrf=100; ";
    let with = |rest: &str| format!("{VRF}{rest}");
    on_host(&[
        ("route='default'; table=100", "read4 100; read6 100; route default4 via 192.0.2.1 dev x0", "no-route"),
        ("route='default'; table=100", "read4 100; read6 100; route default4 via 192.0.2.1 dev x0 table 100", "met by default via 192.0.2.1 dev x0 table 100"),
        ("route='default'", "route default4 via 192.0.2.1 dev x0 table 100", "no-route"),
        ("route='default'; table=254", "route default4 via 192.0.2.1 dev x0", "met"),
        ("route='default'; table=51820", "route default4 via 192.0.2.1 dev x0 table 51820", "met"),
        ("route='default'; table='vrf0'", &with("route default4 via 192.0.2.1 dev x0 table 100"), "met"),
        ("route='default'; table='vrf0'", &with("read4 100; read6 100; route default4 via 192.0.2.1 dev x0"), "no-route"),
        ("route='default'; table='red'", "vrf0: up kind=vrf vrf=100 alt=red; route default4 via 192.0.2.1 dev x0 table 100", "met"),
        ("route='default'; table='vrf0'", "route default4 via 192.0.2.1 dev x0", "absent"),
        ("route='default'; table='x0'", "route default4 via 192.0.2.1 dev x0", "absent"),
    ]);
}

#[test]
fn an_ipv4_route_through_an_ipv6_next_hop_is_a_route() {
    on_host(&[
        ("route='default-ipv4'", "route default4 via fe80::1 dev x0", "met by default via fe80::1 dev x0"),
        // Its source is of its destination's family.
        ("route='default-ipv4'", "addr bare0 2001:db8:2::10/64; route default4 via fe80::1 dev bare0", "no-source"),
    ]);
}

#[test]
fn a_route_through_a_bridge_without_a_port_leads_nowhere() {
    const BRIDGE: &str = "br0: unknown kind=bridge; addr br0 203.0.113.10/24; route default4 via 203.0.113.1 dev br0";
    on_host(&[
        ("route='default'", BRIDGE, "route-dead"),
        ("route='default'", &format!("{BRIDGE}; p0: up master=br0"), "met"),
    ]);
}
