//! Routes: which routes of a table are usable.

use super::table;
use crate::testing::{NOW, gate, network};
use crate::evaluate::evaluate;

/// A host with three links: one with carrier and an address of each family, one without carrier, and one without an
/// address.
const HOST: &str = "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; \
                    dark0: nocarrier; addr dark0 198.51.100.10/24; addr dark0 2001:db8:1::10/64; bare0: up";

#[track_caller]
fn on_host(cases: &[(&str, &str, &str)]) {
    let whole: Vec<(&str, String, &str)> = cases.iter().map(|(g, n, e)| (*g, format!("{HOST}; {n}"), *e)).collect();
    let whole: Vec<(&str, &str, &str)> = whole.iter().map(|(g, n, e)| (*g, n.as_str(), *e)).collect();
    table(&whole);
}

#[test]
fn the_table_must_have_exactly_the_destination() {
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
        // The other family has a usable route.
        ("route='default'", "route default4 unreachable; route default6 via fe80::1 dev x0", "met"),
        // The usable route comes first, so the kernel selects it.
        ("route='default'", "route default4 dev x0 metric 10; route default4 unreachable metric 4294967295", "met"),
    ]);
}

/// Measured: the kernel refuses every lookup, and every connection too.
#[test]
fn host_wide_a_route_that_refuses_hides_those_behind_it() {
    for kind in ["unreachable", "blackhole", "prohibit", "throw"] {
        let four = format!("route default4 {kind} metric 1; route default4 via 192.0.2.1 dev x0 metric 100");
        let six = format!("route default6 {kind} dev lo metric 1; route default6 via fe80::1 dev x0 metric 100");
        let prefix = format!("route 10.0.0.0/8 {kind}; route 10.0.0.0/8 via 192.0.2.1 dev x0 metric 100");
        on_host(&[
            ("route='default-ipv4'", &four, "route-hidden"),
            ("route='default'", &four, "route-hidden"),
            ("route='default-ipv6'", &six, "route-hidden"),
            ("route='10.0.0.0/8'", &prefix, "route-hidden"),
            ("route='default'", &format!("{four}; route default6 via fe80::1 dev x0"), "met by default via fe80::1 dev x0"),
            ("gateway='any'", &four, "route-hidden"),
            // A clause that names a link asks only whether this link has a route.
            ("interface='x0'; route='default-ipv4'", &four, "met by x0; default via 192.0.2.1 dev x0"),
            ("interface='x0'; route='default-ipv6'", &six, "met by x0; default via fe80::1 dev x0"),
            // A route in another table, for one TOS, or to another destination hides nothing.
            ("route='default-ipv4'", &format!("route default4 {kind} table 77; route default4 dev x0 metric 9"), "met"),
            ("route='default-ipv4'", &format!("route default4 {kind} tos 16; route default4 dev x0 metric 9"), "met"),
            ("route='default-ipv4'", &format!("route 0.0.0.0/1 {kind}; route default4 dev x0 metric 9"), "met"),
            ("route='default-ipv4'; table=77", &format!("read4 77; route default4 {kind} table 77; route default4 dev x0 table 77 metric 9"), "route-hidden"),
            // The kernel keeps routes for a source prefix separate.
            ("route='default-ipv6'", &format!("{six}; route default6 via fe80::1 dev x0 from 2001:db8::/56 metric 9"), "met"),
            ("route='default-ipv6'", &format!("route default6 {kind} dev lo from 2001:db8::/56; route default6 via fe80::1 dev x0 metric 9"), "met"),
        ]);
    }
}

/// A policy rule refuses, or no rule leads to the main table, or the default route of another table refuses.
#[test]
fn host_wide_a_default_that_no_packet_comes_to_does_not_count() {
    const LIVE: &str = "route default4 via 192.0.2.1 dev x0; route default6 via fe80::1 dev x0";
    let with = |more: &str| format!("{LIVE}; {more}");
    on_host(&[
        ("route='default-ipv4'", &with("unreached4"), "route-hidden"),
        ("route='default-ipv6'", &with("unreached6"), "route-hidden"),
        ("route='default-ipv4'", &with("unreached6"), "met"),
        ("route='default'", &with("unreached4"), "met by default via fe80::1 dev x0"),
        ("route='default'", &with("unreached4; unreached6"), "route-hidden"),
        ("gateway='any'", &with("unreached4; unreached6"), "route-hidden"),
        // A clause that names a link asks only whether this link has a route, and one about another table only about that.
        ("interface='x0'; route='default'", &with("unreached4; unreached6"), "met"),
        ("route='default'; table=100", "route default4 via 192.0.2.1 dev x0 table 100; unreached4", "met"),
        // The route itself is reported if it is dead.
        ("route='default-ipv4'", "route default4 dev dark0 linkdown; unreached4", "route-dead"),
        // No source address that the kernel selects is in the prefix.
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 from 2001:db8::/56; unreached6", "route-hidden"),
        // The kernel takes a dead route for any source before one for the source that it would select.
        (
            "route='default-ipv6'",
            "route default6 dev dark0 linkdown; route default6 via fe80::1 dev x0 from 2001:db8::/56",
            "route-dead",
        ),
        (
            "route='default-ipv6'",
            "route default6 dev dark0 linkdown dead; route default6 via fe80::1 dev x0 from 2001:db8::/56",
            "met",
        ),
        (
            "route='default-ipv6'",
            "route default6 dev dark0 from 2001:db8:9::/56 linkdown; route default6 via fe80::1 dev x0 from 2001:db8::/56",
            "met",
        ),
        // Routes of short prefixes take all packets. One of them that works is enough.
        ("route='default-ipv4'", &with("preferred 0.0.0.0/1 dev dark0 linkdown; preferred 128.0.0.0/1 dev dark0 linkdown"), "route-hidden"),
        ("route='default-ipv4'", &with("preferred 0.0.0.0/1 dev dark0 linkdown; preferred 128.0.0.0/1 dev x0"), "met by default via 192.0.2.1 dev x0"),
        ("route='default-ipv4'", &with("preferred 0.0.0.0/1 dev lo; preferred 128.0.0.0/1 dev lo"), "route-hidden"),
        ("route='default-ipv6'", &with("preferred 2000::/3 dev dark0 linkdown"), "route-hidden"),
        ("route='default-ipv4'; table=100", "route default4 via 192.0.2.1 dev x0 table 100; preferred 0.0.0.0/1 dev dark0 linkdown", "met"),
        ("interface='x0'; route='default-ipv4'", &with("preferred 0.0.0.0/1 dev dark0 linkdown"), "met"),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 from 2001:db8::/56; preferred default6 dev dark0 from fd00::/8 linkdown", "route-hidden"),
        // A rule sends packets to another table first. Its default route must work, but need not have a source here.
        ("route='default-ipv4'", &with("preferred default4 via 198.51.100.1 dev dark0 table 200 linkdown"), "route-hidden"),
        ("route='default-ipv4'", &with("preferred default4 dev x0 table 200"), "met by default via 192.0.2.1 dev x0"),
        ("route='default-ipv4'", &with("preferred default4 dev bare0 table 200"), "met"),
        ("route='default-ipv6'", &with("preferred default4 dev dark0 table 200 linkdown"), "met"),
    ]);
}

/// Measured: with ignore_routes_with_linkdown=0, the kernel's default, connections are sent to the dead link and
/// time out. If the setting is 1, a dump and a lookup show it: the route has `dead` in addition to `linkdown`.
#[test]
fn host_wide_a_dead_route_hides_those_behind_it_unless_the_kernel_passes_it_over() {
    const LIVE4: &str = "route default4 via 192.0.2.1 dev x0 metric 600";
    const LIVE6: &str = "route default6 via fe80::1 dev x0 metric 600";
    let with = |front: &str| format!("route {front}; {LIVE4}; {LIVE6}");
    on_host(&[
        ("route='default-ipv4'", &with("default4 via 198.51.100.1 dev dark0 linkdown metric 100"), "route-hidden"),
        ("route='default-ipv4'", &with("default4 via 198.51.100.1 dev dark0 dead linkdown metric 100"), "met by default via 192.0.2.1 dev x0"),
        ("route='default-ipv6'", &with("default6 via fe80::2 dev dark0 linkdown metric 100"), "route-hidden"),
        ("route='default-ipv6'", &with("default6 via fe80::2 dev dark0 dead linkdown metric 100"), "met by default via fe80::1 dev x0"),
        ("route='default'", &with("default4 via 198.51.100.1 dev dark0 linkdown metric 100"), "met by default via fe80::1 dev x0"),
        ("interface='x0'; route='default-ipv4'", &with("default4 via 198.51.100.1 dev dark0 linkdown metric 100"), "met by x0; default via 192.0.2.1 dev x0"),
        // The route has no flag yet, but its link has no carrier. The flags will be read later.
        ("route='default-ipv4'", &with("default4 via 198.51.100.1 dev dark0 metric 100"), "route-hidden"),
        // A bridge without a port has carrier for the kernel.
        ("route='default-ipv4'", &format!("br0: unknown kind=bridge; addr br0 203.0.113.1/24; {}", with("default4 via 203.0.113.2 dev br0 metric 100")), "route-hidden"),
        // A dead route that follows the live one hides nothing.
        ("route='default-ipv4'", &format!("{LIVE4}; route default4 via 198.51.100.1 dev dark0 linkdown metric 900"), "met"),
        // A route without a source address, and a route that leads only to this host.
        ("route='default-ipv4'", &with("default4 dev bare0 metric 100; addr bare0 169.254.1.1/16"), "route-hidden"),
        ("route='default-ipv4'", &with("default4 dev lo metric 100"), "route-hidden"),
        // The kernel skips an expired route.
        ("route='default-ipv6'", &with("default6 via fe80::2 dev dark0 linkdown metric 100 expires 99"), "met"),
        ("route='default-ipv6'", &with("default6 via fe80::2 dev dark0 linkdown metric 100 expires 101"), "route-hidden"),
        // The kernel skips one of two next hops and sends all traffic to the other, which is unusable.
        ("route='default-ipv4'", &with("default4 nexthop via 198.51.100.1 dev dark0 dead linkdown nexthop dev bare0 metric 100; addr bare0 169.254.1.1/16"), "route-hidden"),
        ("route='default-ipv4'", &with("default4 nexthop via 198.51.100.1 dev dark0 dead linkdown nexthop via 198.51.100.2 dev dark0 dead linkdown metric 100"), "met by default via 192.0.2.1 dev x0"),
    ]);
}

/// Measured for both families: the router preference (RFC 4191) decides between the routes with the best metric. If
/// the kernel skips all of these, it decides between all other routes.
#[test]
fn the_kernel_takes_ipv6_routes_by_metric_and_then_by_preference() {
    on_host(&[
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 metric 1024; route default6 via fe80::2 dev dark0 linkdown metric 1024 pref high", "route-hidden"),
        ("route='default-ipv6'", "route default6 via fe80::2 dev dark0 linkdown metric 1024; route default6 via fe80::1 dev x0 metric 1024 pref high", "met by default via fe80::1 dev x0"),
        ("route='default-ipv6'", "route default6 via fe80::2 dev dark0 linkdown metric 1024; route default6 via fe80::1 dev x0 metric 1024", "route-hidden"),
        ("route='default-ipv6'", "route default6 via fe80::2 dev dark0 linkdown metric 1024 pref low; route default6 via fe80::1 dev x0 metric 1024", "met by default via fe80::1 dev x0"),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 metric 100; route default6 via fe80::2 dev dark0 linkdown metric 1024 pref high", "met by default via fe80::1 dev x0"),
        ("route='default-ipv6'", "route default6 via fe80::3 dev dark0 dead linkdown metric 10; route default6 unreachable metric 1400; route default6 via fe80::1 dev x0 metric 2000 pref high", "met by default via fe80::1 dev x0"),
        ("route='default-ipv6'", "route default6 via fe80::3 dev dark0 dead linkdown metric 10; route default6 unreachable metric 1400; route default6 via fe80::1 dev x0 metric 2000", "route-hidden"),
        // An IPv6 route that refuses has lo as its next hop, and refuses whatever the state of lo is.
        ("route='default-ipv6'", "route default6 unreachable dev lo dead metric 10; route default6 via fe80::1 dev x0 metric 20", "route-hidden"),
        ("route='default-ipv6'", "route default6 unreachable metric 1400; route default6 via fe80::1 dev x0 metric 2000 pref high", "route-hidden"),
        // IPv4 has no router preference. The kernel selects the first route of the table.
        ("route='default-ipv4'", "route default4 via 192.0.2.1 dev x0 metric 9; route default4 via 198.51.100.1 dev dark0 linkdown metric 9", "met"),
        ("route='default-ipv4'", "route default4 via 198.51.100.1 dev dark0 linkdown metric 9; route default4 via 192.0.2.1 dev x0 metric 9", "route-hidden"),
    ]);
}

/// The kernel's lookup knows about gateways that do not answer, and about other facts that no table shows.
#[test]
fn the_route_of_the_kernel_s_lookup_counts() {
    on_host(&[
        ("route='default-ipv6'", "route default6 via fe80::2 dev dark0 linkdown metric 100; chosen default6 via fe80::1 dev x0 metric 600", "met by default via fe80::1 dev x0"),
        ("route='default-ipv6'", "route default6 via fe80::1 dev x0 metric 100; chosen default6 via fe80::2 dev dark0 linkdown metric 600", "route-hidden"),
        ("route='default-ipv6'", "chosen default6 via fe80::2 dev dark0 linkdown metric 600", "route-dead"),
        // The kernel selects a route for any source first.
        ("route='default-ipv6'", "chosen default6 via fe80::2 dev dark0 linkdown; route default6 via fe80::1 dev x0 from 2001:db8::/56", "route-dead"),
    ]);
}

#[test]
fn a_route_for_one_tos_does_not_count() {
    on_host(&[
        ("route='default'", "route default4 via 192.0.2.1 dev x0 tos 16", "no-route"),
        ("route='10.0.0.0/8'", "route 10.0.0.0/8 via 192.0.2.1 dev x0 tos 4", "no-route"),
        ("interface='x0'; route='default'", "route default4 via 192.0.2.1 dev x0 tos 16", "x0 no-route"),
        ("gateway='any'", "route default4 via 192.0.2.1 dev x0 tos 16", "no-route"),
        ("route='default'", "route default4 via 198.51.100.1 dev dark0 linkdown tos 16; route default4 via 192.0.2.1 dev x0", "met"),
        ("route='default-ipv6'; if-present=true", "route default4 via 192.0.2.1 dev x0 tos 16", "not-present"),
    ]);
}

/// K3s's guide for a host without a default route tells administrators to add one through a dummy link.
#[test]
fn host_wide_a_route_through_a_loopback_or_dummy_link_leads_nowhere() {
    const DUMMY: &str = "d0: unknown kind=dummy; addr d0 203.0.113.254/31; addr d0 2001:db8:d::1/64";
    let with = |more: &str| format!("{DUMMY}; {more}");
    on_host(&[
        ("route='default'", "addr lo 203.0.113.10/32; route default4 dev lo", "route-dead"),
        ("route='default'", &with("route default4 via 203.0.113.255 dev d0 metric 1000"), "route-dead"),
        ("route='default'", &with("route default6 via 2001:db8:d::2 dev d0"), "route-dead"),
        ("route='203.0.113.254/31'", &with("route 203.0.113.254/31 dev d0"), "route-dead"),
        ("gateway='any'", &with("route default4 via 203.0.113.255 dev d0"), "route-dead"),
        // The route through the dummy link hides other routes, and can be hidden by others.
        ("route='default-ipv4'", &with("route default4 dev d0 metric 1; route default4 via 192.0.2.1 dev x0 metric 2"), "route-hidden"),
        ("route='default-ipv4'", &with("route default4 dev d0 metric 9; route default4 via 192.0.2.1 dev x0 metric 2"), "route-hidden"),
        ("route='default-ipv4'", &with("route default4 via 192.0.2.1 dev x0 metric 2; route default4 dev d0 metric 9"), "met"),
        // The clause names the link, so the route counts.
        ("interface='d0'; route='default'", &with("route default4 via 203.0.113.255 dev d0"), "met"),
        ("interface='lo'; carrier=false; route='default'", "addr lo 203.0.113.10/32; route default4 dev lo", "met"),
        // Such a route does not make a family present.
        ("route='default-ipv6'; if-present=true", &with("route default6 dev d0"), "not-present"),
        ("route='default-ipv6'; if-present=true", &with("route default4 dev d0"), "not-present"),
    ]);
}

#[test]
fn each_dead_next_hop_of_a_route_is_a_warning() {
    let warnings = |text: &str| -> Vec<String> {
        let network = network(&format!("{HOST}; {text}"));
        evaluate(&gate("route='default-ipv4'"), &network, NOW).warnings.iter().map(ToString::to_string).collect()
    };
    const LEG: &str = "default via 198.51.100.1 dev dark0, one of several next hops, is dead: dark0 has no carrier";
    let live = "nexthop via 192.0.2.1 dev x0";
    assert_eq!(warnings("route default4 nexthop via 192.0.2.1 dev x0 nexthop via 192.0.2.2 dev x0"), [""; 0]);
    assert_eq!(
        warnings(&format!("route default4 nexthop via 198.51.100.1 dev dark0 linkdown {live}")),
        [format!("{LEG}; a part of the connections is still sent there")]
    );
    assert_eq!(
        warnings(&format!("route default4 {live} nexthop via 198.51.100.1 dev dark0 dead linkdown")),
        [format!("{LEG}; the kernel passes it over")]
    );
    assert_eq!(
        warnings(&format!("route default4 {live} nexthop via 192.0.2.2 dev x0 linkdown")),
        ["default via 192.0.2.2 dev x0, one of several next hops, is dead; a part of the connections is still sent there"]
    );
    // Two separate routes are not next hops of one route. An unmet requirement has a reason instead of a warning.
    assert_eq!(warnings("route default4 via 192.0.2.1 dev x0; route default4 via 198.51.100.1 dev dark0 linkdown metric 9"), [""; 0]);
    assert_eq!(warnings("route default4 nexthop via 198.51.100.1 dev dark0 linkdown nexthop via 198.51.100.2 dev dark0 linkdown"), [""; 0]);
}

#[test]
fn an_expired_route_does_not_count() {
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
        // The link is not known any more.
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
        ("interface='bare0'; route='default'", "route default4 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "route default6 via fe80::1 dev bare0", "bare0 no-source"),
        // An address of the other family does not count.
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64; route default4 dev bare0", "bare0 no-source"),
        ("route='default'", "addr bare0 203.0.113.10/24; route default4 dev bare0", "met"),
        ("route='default'", "addr bare0 169.254.1.1/16; route default4 dev bare0", "no-source"),
        ("interface='bare0'; route='default'", "addr bare0 fe80::10/64 link; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 tentative; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 dadfailed; route default6 dev bare0", "bare0 no-source"),
        // The kernel sends from a deprecated address if there is no other.
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 deprecated; route default6 dev bare0", "met by bare0; default dev bare0"),
        ("interface='bare0'; route='default'", "addr bare0 203.0.113.10/24 deprecated; route default4 dev bare0", "met"),
        ("interface='bare0'; route='default'", "addr bare0 2001:db8:2::10/64 tentative optimistic; route default6 dev bare0", "met"),
        // BGP-unnumbered hosts.
        ("route='default'", "addr lo 203.0.113.10/32; route default4 via fe80::1 dev bare0", "met by default via fe80::1 dev bare0"),
        ("interface='bare0'; route='default'", "addr lo 203.0.113.10/32; route default6 via fe80::1 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "addr lo 2001:db8:2::10/128; route default6 via fe80::1 dev bare0", "met"),
        ("route='default'", "d0: unknown kind=dummy; addr d0 203.0.113.10/32; route default4 dev bare0", "met"),
        ("interface='bare0'; route='default'", "d0: unknown kind=dummy; addr d0 2001:db8:2::10/128 tentative; route default6 dev bare0", "bare0 no-source"),
        ("interface='bare0'; route='default'", "d0: unknown kind=veth; addr d0 203.0.113.10/32; route default4 dev bare0", "bare0 no-source"),
        // For a link in a VRF, the VRF's device takes the place of lo.
        ("interface='m0'; route='default'; table='vrf0'", "vrf0: up kind=vrf vrf=100; addr vrf0 203.0.113.10/32; m0: up master=vrf0 port=vrf; route default4 dev m0 table 100", "met by m0; default dev m0 table 100"),
        ("interface='m0'; route='default'; table='vrf0'", "vrf0: up kind=vrf vrf=100; addr lo 203.0.113.10/32; m0: up master=vrf0 port=vrf; route default4 dev m0 table 100; read4 100; read6 100", "m0 no-source"),
        ("interface='bare0'; route='default'", "vrf0: up kind=vrf vrf=100; addr vrf0 203.0.113.10/32; route default4 dev bare0", "bare0 no-source"),
        // One next hop leaves through a link without a source address. The other next hop is still usable.
        ("route='default'", "addr bare0 169.254.1.1/16; route default4 nexthop dev bare0 nexthop via 192.0.2.1 dev x0", "met by default via 192.0.2.1 dev x0"),
    ]);
}

/// Measured: on a router with a delegated prefix, connect(2) selects the address of the LAN link. On a host whose uplink
/// is unnumbered, it selects an IPv4 address of another link.
#[test]
fn host_wide_a_route_may_have_its_source_on_another_link() {
    const ROUTER: &str = "wan0: up; addr wan0 fe80::10/64 link; lan0: up";
    const DEFAULT: &str = "route default6 via fe80::1 dev wan0";
    let with = |more: &str| format!("{ROUTER}; {DEFAULT}; {more}");
    table(&[
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64"), "met by default via fe80::1 dev wan0"),
        ("route='default'", &with("addr lan0 2001:db8:5::1/64"), "met"),
        ("route='default-ipv6'", &with(""), "no-source"),
        // The address must be on a link with carrier, be usable, and be of the internet's prefix.
        ("route='default-ipv6'", &with("dark0: nocarrier; addr dark0 2001:db8:5::1/64"), "no-source"),
        ("route='default-ipv6'", &with("br0: unknown kind=bridge; addr br0 2001:db8:5::1/64"), "no-source"),
        ("route='default-ipv6'", &with("br0: unknown kind=bridge; p0: up master=br0; addr br0 2001:db8:5::1/64"), "met"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 tentative"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 dadfailed"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64 deprecated"), "met"),
        ("route='default-ipv6'", &with("addr lan0 fd00::1/64"), "no-source"),
        ("route='default-ipv6'", &with("addr lan0 fd00::1/64; addr lan0 3fff::1/64"), "met"),
        // A clause that names a link asks whether this link has an address.
        ("interface='wan0'; route='default-ipv6'", &with("addr lan0 2001:db8:5::1/64"), "wan0 no-source"),
        // If the route has a preferred source, only this address counts.
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 src 2001:db8:6::1"), "no-source"),
        // The route is for one source prefix only, as OpenWrt installs it. The address must be in this prefix.
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; {DEFAULT} from 2001:db8:5::/56"), "met"),
        ("route='default-ipv6'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; {DEFAULT} from 2001:db8:600::/56"), "no-source"),
        // This holds for all destinations in the internet. For other destinations the kernel prefers other
        // addresses.
        ("route='2001:db8:7::/48'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route 2001:db8:7::/48 via fe80::1 dev wan0"), "met"),
        ("route='fd07::/48'", &format!("{ROUTER}; addr lan0 2001:db8:5::1/64; route fd07::/48 via fe80::1 dev wan0"), "no-source"),
        // In IPv4 the link must have no address at all, and the destination does not matter.
        ("route='default-ipv4'", "wan0: up; lan0: up; addr lan0 203.0.113.10/24; route default4 via 192.0.2.1 dev wan0", "met by default via 192.0.2.1 dev wan0"),
        ("route='10.0.0.0/8'", "wan0: up; lan0: up; addr lan0 203.0.113.10/24; route 10.0.0.0/8 dev wan0", "met"),
        ("interface='wan0'; route='default-ipv4'", "wan0: up; lan0: up; addr lan0 203.0.113.10/24; route default4 dev wan0", "wan0 no-source"),
        ("route='default-ipv4'", "wan0: up; lan0: up; addr wan0 169.254.1.1/16; addr lan0 203.0.113.10/24; route default4 dev wan0", "no-source"),
        ("route='default-ipv4'", "wan0: up; lan0: up; addr lan0 169.254.1.1/16; route default4 dev wan0", "no-source"),
        ("route='default-ipv4'", "wan0: up; lan0: nocarrier; addr lan0 203.0.113.10/24; route default4 dev wan0", "no-source"),
        ("route='default-ipv4'", "vrf0: up kind=vrf vrf=100; wan0: up; lan0: up master=vrf0 port=vrf; addr lan0 203.0.113.10/24; route default4 dev wan0", "no-source"),
        // For a link in a VRF the kernel uses only addresses of this VRF. For other links it uses none of a VRF.
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; wan0: up master=vrf0 port=vrf; lan0: up; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 table 100; read6 100", "no-source"),
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; wan0: up master=vrf0 port=vrf; lan0: up master=vrf0 port=vrf; addr lan0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0 table 100", "met"),
        ("route='default-ipv6'; table='vrf0'", "vrf0: up kind=vrf vrf=100; addr vrf0 2001:db8:5::1/64; wan0: up master=vrf0 port=vrf; route default6 via fe80::1 dev wan0 table 100", "met"),
        ("route='default-ipv6'", &format!("vrf0: up kind=vrf vrf=100; {ROUTER} master=vrf0 port=vrf; {DEFAULT}; addr lan0 2001:db8:5::1/64"), "no-source"),
    ]);
}

#[test]
fn a_prefsrc_must_be_usable_on_whichever_link_it_is() {
    on_host(&[
        ("route='default'", "route default4 dev bare0 src 192.0.2.10", "met"),
        ("route='default'", "addr lo 203.0.113.10/32; route default4 dev bare0 src 203.0.113.10", "met"),
        // The preferred source is gone, although the link has another address.
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
        // An address with a wider scope is usable too.
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
        // The address of a delegated prefix is on another link.
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
        // The source must be of the destination's family.
        ("interface='bare0'; route='default-ipv4'", "addr bare0 2001:db8:2::10/64; route default4 via fe80::1 dev bare0", "bare0 no-source"),
    ]);
}

/// A bridge, a bond, and a link on top of another lead where the links below them do.
#[test]
fn a_route_through_links_that_are_made_of_dummy_links_leads_nowhere() {
    const D: &str = "d0: unknown kind=dummy";
    let through = |links: &str, dev: &str| format!("{links}; addr {dev} 203.0.113.10/24; route default4 via 203.0.113.1 dev {dev}");
    for (links, dev, found) in [
        (&format!("{D} master=br0; br0: up kind=bridge")[..], "br0", "route-dead"),
        (&format!("{D} master=br0; br0: up kind=bridge; c0: nocarrier master=br0"), "br0", "route-dead"),
        (&format!("{D} master=br0; br0: up kind=bridge; c0: up master=br0"), "br0", "met"),
        (&format!("{D} master=bd0; bd0: up kind=bond"), "bd0", "route-dead"),
        (&format!("{D}; v0: up kind=vlan on=d0"), "v0", "route-dead"),
        (&format!("{D} master=br0; br0: up kind=bridge; v0: up kind=macvlan on=br0"), "v0", "route-dead"),
        ("c0: up; v0: up kind=vlan on=c0", "v0", "met"),
        (&format!("{D}; vrf0: up kind=vrf vrf=100; c0: up master=vrf0"), "c0", "met"),
    ] {
        let network = through(links, dev);
        let address = if found == "met" { "met" } else { "no-address" };
        table(&[
            ("route='default'", &network, found),
            ("address='ipv4'", &network, address),
            (&format!("interface='{dev}'; address='ipv4'; route='default'"), &network, "met"),
            ("address='203.0.113.10'", &network, "met"),
        ]);
    }
}

#[test]
fn a_route_through_a_bridge_without_a_port_leads_nowhere() {
    const BRIDGE: &str = "br0: unknown kind=bridge; addr br0 203.0.113.10/24; route default4 via 203.0.113.1 dev br0";
    on_host(&[
        ("route='default'", BRIDGE, "route-dead"),
        ("route='default'", &format!("{BRIDGE}; p0: up master=br0"), "met"),
    ]);
}
