//! Interface lists: which links are meant, and how many of them are enough.

use crate::testing::try_gate;
use super::table;

#[test]
fn without_a_quorum_every_name_must_be_satisfied() {
    const G: &str = "interface=['x0','x1']; carrier=true";
    table(&[
        (G, "x0: up; x1: up", "met by x0; x1"),
        (G, "x0: up; x1: nocarrier", "x1 no-carrier"),
        (G, "x0: nocarrier; x1: nocarrier", "x0 no-carrier, x1 no-carrier"),
        (G, "x0: up", "x1 absent"),
        (G, "", "x0 absent, x1 absent"),
        // One link must have both items. An address on one link and a route on another are not a working network.
        (
            "interface=['x0']; address='ipv4'; route='default-ipv4'",
            "x0: up; x1: up; addr x0 192.0.2.10/24; addr x1 198.51.100.10/24; route default4 via 198.51.100.1 dev x1",
            "x0 wrong-link",
        ),
    ]);
}

#[test]
fn without_a_quorum_a_glob_is_satisfied_by_one_of_its_links() {
    const G: &str = "interface='x*'; carrier=true";
    table(&[
        (G, "x0: nocarrier; x1: up", "met by x1"),
        (G, "x0: up; x1: nocarrier", "met by x0"),
        (G, "x0: nocarrier; x1: nocarrier", "x0 no-carrier"),
        (G, "y0: up", "absent"),
        (G, "", "absent"),
        // Each of two globs needs a link.
        ("interface=['x*','y*']; carrier=true", "x0: up; y0: nocarrier", "y0 no-carrier"),
        ("interface=['x*','y*']; carrier=true", "x0: nocarrier; x1: up; y0: up; y1: nocarrier", "met by x1; y0"),
        ("interface=['x*','y*']; carrier=true", "x0: up", "absent"),
        // A name needs its link, even if another link satisfies a glob that matches the name.
        ("interface=['x0','x*']; carrier=true", "x0: nocarrier; x1: up", "x0 no-carrier"),
        // One link must have all items.
        (
            "interface='x*'; address=['ipv4','ipv6']",
            "x0: up; x1: up; addr x0 192.0.2.10/24; addr x1 2001:db8::10/64",
            "x0 no-address",
        ),
        (
            "interface='x*'; address=['ipv4','ipv6']",
            "x0: up; x1: up; addr x0 192.0.2.10/24; addr x1 2001:db8::10/64; addr x1 192.0.2.11/24",
            "met by x1; 192.0.2.11 on x1; 2001:db8::10 on x1",
        ),
        // The reason is about the link with the fewest unmet items.
        (
            "interface='x*'; address='ipv4'",
            "x0: nocarrier; x1: up",
            "x1 no-address",
        ),
    ]);
}

#[test]
fn any_is_satisfied_by_one_link_of_the_whole_list() {
    const G: &str = "interface=['x0','x1','y*']; quorum='any'; carrier=true";
    table(&[
        (G, "x0: up", "met by x0"),
        (G, "x1: up; x0: nocarrier", "met by x1"),
        (G, "y7: up", "met by y7"),
        (G, "x0: nocarrier; x1: down; y0: dormant", "x0 no-carrier, x1 admin-down, y0 dormant"),
        (G, "x0: nocarrier", "x0 no-carrier, x1 absent, absent"),
        (G, "", "x0 absent, x1 absent, absent"),
    ]);
}

#[test]
fn a_number_counts_links_each_once() {
    const TWO: &str = "interface=['x*']; quorum=2; carrier=true";
    table(&[
        (TWO, "x0: up; x1: up", "met by x0; x1"),
        (TWO, "x0: up; x1: up; x2: nocarrier", "met by x0; x1"),
        (TWO, "x0: up; x1: nocarrier", "x1 no-carrier"),
        (TWO, "x0: up", "absent"),
        ("interface=['x0','x1','x2']; quorum=2; carrier=true", "x0: up; x2: up", "met by x0; x2"),
        ("interface=['x0','x1','x2']; quorum=2; carrier=true", "x0: up", "x1 absent, x2 absent"),
        // One link counts once, even if its ifname, an altname, its address and a glob name it.
        ("interface=['x0','x*']; quorum=2; carrier=true", "x0: up", "absent"),
        ("interface=['x0','lan0','x*']; quorum=2; carrier=true", "x0: up alt=lan0", "absent"),
        ("interface=['x0','mac:02:00:00:00:00:02','x*']; quorum=2; carrier=true", "x0: up", "absent"),
        ("interface=['x0','lan0','x*']; quorum=2; carrier=true", "x0: up alt=lan0; x1: up", "met by x0; x1"),
        ("interface=['x0','lan0']; quorum=2; carrier=true", "x0: up; x1: up alt=lan0", "met by x0; x1"),
        // Without a quorum, one link may satisfy every entry.
        ("interface=['x0','lan0','x*']; carrier=true", "x0: up alt=lan0", "met by x0"),
    ]);
}

#[test]
fn all_is_every_entry_and_every_link_that_a_glob_matches() {
    const G: &str = "interface=['x*','lan0']; quorum='all'; carrier=true";
    table(&[
        (G, "x0: up; lan0: up", "met by x0; lan0"),
        (G, "x0: up; x1: nocarrier; lan0: up", "x1 no-carrier"),
        (G, "x0: up; x1: up; lan0: up", "met by x0; x1; lan0"),
        (G, "x0: up", "lan0 absent"),
        (G, "lan0: up", "absent"),
        (G, "", "absent, lan0 absent"),
        (G, "x0: nocarrier; x1: nocarrier; lan0: nocarrier", "x0 no-carrier, x1 no-carrier, lan0 no-carrier"),
        // A glob does not match ports and loopback, so they hold nothing back.
        ("interface='*'; quorum='all'; carrier=true", "br0: up kind=bridge; p0: up master=br0; p1: down master=br0", "met by br0"),
        ("interface=['*','!x1']; quorum='all'; carrier=true", "x0: up; x1: down", "met by x0"),
    ]);
}

#[test]
fn names_altnames_globs_and_classes_name_links() {
    table(&[
        ("interface='lan0'; carrier=true", "x0: up alt=lan0", "met by x0"),
        ("interface='lan*'; carrier=true", "x0: up alt=lan0", "met by x0"),
        ("interface='lan0'; carrier=true", "x0: up alt=other alt=lan0", "met by x0"),
        ("interface='LAN0'; carrier=true", "x0: up alt=lan0", "LAN0 absent"),
        ("interface='x?'; carrier=true", "x00: up; x1: up", "met by x1"),
        ("interface='x[0-3]'; carrier=true", "x4: up; x3: up", "met by x3"),
        ("interface='x[!0-3]'; carrier=true", "x3: up; x4: up", "met by x4"),
        ("interface='x'; carrier=true", "x0: up", "x absent"),
        // A glob must match the whole name.
        ("interface='x?'; carrier=true", "ax0: up", "absent"),
    ]);
}

#[test]
fn an_exclamation_mark_takes_links_out() {
    table(&[
        ("interface=['*','!docker*']; carrier=true", "docker0: up; x0: up", "met by x0"),
        ("interface=['*','!docker*']; carrier=true", "docker0: up", "absent"),
        // An exclusion also matches altnames.
        ("interface=['x*','!virt*']; carrier=true", "x0: up alt=virt0", "absent"),
        ("interface=['x*','!x0']; carrier=true", "x0: up; x1: nocarrier", "x1 no-carrier"),
        ("interface=['x*','!x0','!x1']; quorum=1; carrier=true", "x0: up; x1: up; x2: up", "met by x2"),
        // A link that is excluded does not count for a quorum.
        ("interface=['x*','!x0']; quorum=2; carrier=true", "x0: up; x1: up", "absent"),
    ]);
}

#[test]
fn globs_never_match_loopback_and_ports_but_their_names_do() {
    const BOND: &str = "b0: nocarrier kind=bond; p0: up master=b0 port=bond";
    table(&[
        ("interface='l*'; carrier=true", "", "absent"),
        ("interface='*'; carrier=true", "", "absent"),
        ("interface='lo'; carrier=true", "", "met by lo"),
        ("interface='p*'; carrier=true", BOND, "absent"),
        ("interface='p0'; carrier=true", BOND, "met by p0"),
        ("interface='p*'; carrier=true", "br0: up kind=bridge; p0: up master=br0", "absent"),
        ("interface='p*'; carrier=true", "t0: up kind=team; p0: up master=t0 port=team", "absent"),
        // A pattern that begins with a wildcard does not match dummy links. A name, or a pattern that begins with a
        // name, does.
        ("interface='*'; address='ipv4'", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "absent"),
        ("interface='[a-z]0'; address='ipv4'", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "absent"),
        ("interface='?0'; address='ipv4'", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "absent"),
        ("interface='!x*'; address='ipv4'", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "absent"),
        ("interface='d*'; address='ipv4'; carrier=false", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "met by 192.0.2.10 on d0"),
        ("interface='d0'; address='ipv4'; carrier=false", "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "met by 192.0.2.10 on d0"),
        ("interface='*'; quorum='all'; carrier=true", "d0: down kind=dummy; x0: up", "met by x0"),
        // An exact altname names a port too.
        ("interface='port0'; carrier=true", "br0: up kind=bridge; p0: up master=br0 alt=port0", "met by p0"),
        // A member of a VRF is not a port. This is known from its port kind or from the master.
        ("interface='m*'; carrier=true", "vrf0: up kind=vrf vrf=10; m0: up master=vrf0 port=vrf", "met by m0"),
        ("interface='m*'; carrier=true", "vrf0: up kind=vrf vrf=10; m0: up master=vrf0", "met by m0"),
        ("interface='m*'; carrier=true", "m0: up master=99 port=vrf", "met by m0"),
        ("interface='m*'; carrier=true", "m0: up master=99 port=bridge", "absent"),
    ]);
}

#[test]
fn a_mac_is_that_of_links_that_are_neither_stacked_nor_masters() {
    const G: &str = "interface='mac:02:00:00:00:00:aa'; carrier=true";
    table(&[
        (G, "x0: up mac=02:00:00:00:00:aa", "met by x0"),
        (G, "x0: up mac=02:00:00:00:00:ab", "absent"),
        // A vlan, bridge or bond has the hardware address of a link below it.
        (G, "v0: up kind=vlan on=x0 mac=02:00:00:00:00:aa; x0: nocarrier mac=02:00:00:00:00:aa", "x0 no-carrier"),
        (G, "v0: up kind=macvlan mac=02:00:00:00:00:aa", "absent"),
        (G, "br0: up kind=bridge mac=02:00:00:00:00:aa; x0: up master=br0 mac=02:00:00:00:00:aa", "met by x0"),
        (G, "b0: up kind=bond mac=02:00:00:00:00:aa; x0: nocarrier master=b0 mac=02:00:00:00:00:aa", "x0 no-carrier"),
        ("interface=['mac:02:00:00:00:00:AA','!x0']; carrier=true", "x0: up mac=02:00:00:00:00:aa", "absent"),
    ]);
}

#[test]
fn a_number_that_plain_names_cannot_reach_is_refused() {
    assert!(try_gate("interface=['x0','x1']; quorum=3; carrier=true").is_err());
    assert!(try_gate("interface=['x0','x0']; quorum=2; carrier=true").is_err());
    assert!(try_gate("interface=['x0','y*']; quorum=3; carrier=true").is_ok());
    assert!(try_gate("route=['default-ipv4','default-ipv6']; quorum=3").is_err());
}

#[test]
fn route_to_alone_still_asks_for_each_link_of_the_list() {
    const WAY: &str = "; addr x0 192.0.2.10/24; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10";
    let with = |links: &str| format!("{links}{WAY}");
    table(&[
        ("interface=['x0','x1']; route-to='198.51.100.7'", &with("x0: up"), "x1 absent"),
        ("interface=['x0','x1']; route-to='198.51.100.7'", &with("x0: up; x1: nocarrier"), "x1 no-carrier"),
    ]);
}

#[test]
fn route_to_without_carrier_still_asks_for_each_link_of_the_list() {
    const WAY: &str = "x0: up; addr x0 192.0.2.10/24; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10";
    table(&[
        ("interface=['x0','x1']; carrier=false; route-to='198.51.100.7'", WAY, "x1 absent"),
        ("interface=['x*']; quorum=2; carrier=false; route-to='198.51.100.7'", WAY, "absent"),
    ]);
}
