//! `route-to`: what the kernel's own lookup returns, and when that is enough.

use super::table;

const HOST: &str = "x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; addr x0 fe80::10/64 link; \
                    y0: up; addr y0 203.0.113.10/24; dark0: nocarrier; addr dark0 198.51.100.10/24";

#[track_caller]
fn on_host(cases: &[(&str, &str, &str)]) {
    let whole: Vec<(&str, String, &str)> = cases.iter().map(|(g, n, e)| (*g, format!("{HOST}; {n}"), *e)).collect();
    let whole: Vec<(&str, &str, &str)> = whole.iter().map(|(g, n, e)| (*g, n.as_str(), *e)).collect();
    table(&whole);
}

const FAR: &str = "route-to='198.51.100.7'";

#[test]
fn the_lookup_must_succeed_and_leave_through_a_link_with_carrier() {
    on_host(&[
        (FAR, "lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10", "met by 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10"),
        (FAR, "lookup 198.51.100.7 dev x0 src 192.0.2.10", "met by 198.51.100.7 dev x0 src 192.0.2.10"),
        (FAR, "lookup 198.51.100.7 errno 101", "unreachable"),
        (FAR, "lookup 198.51.100.7 errno 113", "unreachable"),
        (FAR, "lookup 198.51.100.7 via 198.51.100.1 dev dark0 src 198.51.100.10", "route-dead"),
        (FAR, "lookup 198.51.100.7 via 198.51.100.1 dev 77 src 192.0.2.10", "route-dead"),
        (FAR, "", "not-read"),
        // The answer for another target does not count.
        (FAR, "lookup 198.51.100.8 via 192.0.2.1 dev x0 src 192.0.2.10", "not-read"),
        ("route-to=['198.51.100.7','2001:db8:9::1']", "lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10; lookup 2001:db8:9::1 errno 101", "unreachable"),
    ]);
}

/// A default route through a loopback or dummy link accepts a connection that nobody answers.
#[test]
fn a_route_through_a_link_that_leads_nowhere_reaches_only_this_host() {
    const DUMMY: &str = "d0: up kind=dummy; addr d0 10.9.0.1/24; addr d0 2001:db8:7::7/64";
    let with = |rest: &str| format!("{DUMMY}; {rest}");
    let by_dummy = with("lookup 198.51.100.7 dev d0 src 10.9.0.1");
    let by_dummy6 = with("lookup 2001:db8:9::1 via 2001:db8:7::1 dev d0 src 2001:db8:7::7");
    on_host(&[
        (FAR, "lookup 198.51.100.7 dev lo src 192.0.2.10", "route-dead"),
        (FAR, &by_dummy, "route-dead"),
        ("route-to='2001:db8:9::1'", &by_dummy6, "route-dead"),
        ("route-to='198.51.100.7'; from='10.9.0.1'", &with("lookup 198.51.100.7 of 10.9.0.1 dev d0"), "route-dead"),
        // These lead to this host itself, or through a link that the clause names.
        ("route-to='192.0.2.10'", "lookup 192.0.2.10 local dev lo src 192.0.2.10", "met"),
        ("route-to='127.0.0.1'", "lookup 127.0.0.1 local dev lo src 127.0.0.1", "met"),
        ("route-to='2001:db8:7::7'", &with("lookup 2001:db8:7::7 local dev d0 src 2001:db8:7::7"), "met"),
        ("interface='d0'; route-to='198.51.100.7'", &by_dummy, "met"),
        ("interface='d0'; route-to='2001:db8:9::1'", &by_dummy6, "met"),
    ]);
}

#[test]
fn its_source_must_be_usable() {
    on_host(&[
        (FAR, "lookup 198.51.100.7 via 192.0.2.1 dev x0", "no-source"),
        (FAR, "lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.99", "no-source"),
        // The source may be on any link, because the kernel has selected it.
        (FAR, "lookup 198.51.100.7 via 192.0.2.1 dev x0 src 203.0.113.10", "met"),
        ("route-to='2001:db8:9::1'", "lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::10", "met"),
        ("route-to='2001:db8:9::1'", "addr x0 2001:db8::11/64 tentative; lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::11", "no-source"),
        ("route-to='2001:db8:9::1'", "addr x0 2001:db8::11/64 dadfailed; lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::11", "no-source"),
    ]);
}

#[test]
fn a_link_local_source_serves_a_link_local_target_only() {
    on_host(&[
        ("route-to='2001:db8:9::1'", "lookup 2001:db8:9::1 via fe80::1 dev x0 src fe80::10", "no-source"),
        ("route-to='fe80::9%x0'", "lookup fe80::9%x0 dev x0 src fe80::10", "met"),
        (FAR, "addr x0 169.254.1.1/16; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 169.254.1.1", "no-source"),
        ("route-to='169.254.9.9'", "addr x0 169.254.1.1/16; lookup 169.254.9.9 dev x0 src 169.254.1.1", "met"),
    ]);
}

#[test]
fn in_a_clause_with_interfaces_it_leaves_through_one_of_them_that_satisfies_the_rest() {
    const BY_Y: &str = "lookup 198.51.100.7 via 203.0.113.1 dev y0 src 203.0.113.10";
    on_host(&[
        ("interface='y0'; route-to='198.51.100.7'", BY_Y, "met"),
        ("interface='x0'; route-to='198.51.100.7'", BY_Y, "wrong-link"),
        ("interface=['x0','y0']; route-to='198.51.100.7'", BY_Y, "met"),
        ("interface='*0'; route-to='198.51.100.7'", BY_Y, "met"),
        // y0 has no IPv6 address, so it is not one of the links that satisfy the clause.
        ("interface=['x0','y0']; quorum='any'; address='ipv6'; route-to='198.51.100.7'", BY_Y, "wrong-link"),
        ("interface='y0'; address='ipv6'; route-to='198.51.100.7'", BY_Y, "y0 no-address"),
        ("interface='z0'; route-to='198.51.100.7'", BY_Y, "z0 absent, wrong-link"),
        ("interface='x0'; route-to='198.51.100.7'", "lookup 198.51.100.7 errno 101", "unreachable"),
    ]);
}

#[test]
fn a_lookup_whose_route_has_expired_does_not_count() {
    on_host(&[
        ("route-to='2001:db8:9::1'", "lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::10 expires 101", "met"),
        ("route-to='2001:db8:9::1'", "lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::10 expires 100", "route-dead"),
    ]);
}

#[test]
fn its_source_is_of_wider_scope_than_the_link() {
    on_host(&[
        (FAR, "addr x0 192.0.2.77/24 link; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.77", "no-source"),
        (FAR, "addr x0 192.0.2.77/24 site; lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.77", "met"),
        // The kernel selected an address of a deprecated prefix, so it is usable.
        ("route-to='2001:db8:9::1'", "addr x0 2001:db8::11/64 deprecated; lookup 2001:db8:9::1 via fe80::1 dev x0 src 2001:db8::11", "met"),
        // The target is in the prefix of the source, and no gateway is between them.
        ("route-to='192.0.2.99'", "addr x0 192.0.2.77/24 link; lookup 192.0.2.99 dev x0 src 192.0.2.77", "met"),
        ("route-to='192.0.2.99'", "addr x0 192.0.2.77/24 host; lookup 192.0.2.99 dev x0 src 192.0.2.77", "no-source"),
        ("route-to='192.0.2.99'", "addr x0 192.0.2.77/24 link; lookup 192.0.2.99 via 192.0.2.1 dev x0 src 192.0.2.77", "no-source"),
        (FAR, "addr x0 169.254.1.1/16; lookup 198.51.100.7 dev x0 src 169.254.1.1", "no-source"),
        // The target is this host itself.
        ("route-to='10.9.9.9'", "addr lo 10.9.9.9/32 host; lookup 10.9.9.9 local dev lo src 10.9.9.9", "met by 10.9.9.9 dev lo src 10.9.9.9"),
        ("route-to='198.51.100.9'", "lookup 198.51.100.9 local dev lo src 198.51.100.9", "met by 198.51.100.9 dev lo src 198.51.100.9"),
        ("route-to='2001:db8::11'", "addr x0 2001:db8::11/64 tentative; lookup 2001:db8::11 local dev lo src 2001:db8::11", "no-source"),
        ("route-to='192.0.2.255'", "lookup 192.0.2.255 broadcast", "unreachable"),
        ("route-to='127.0.0.1'", "lookup 127.0.0.1 local dev lo src 127.0.0.1", "met"),
        ("route-to='192.0.2.10'", "lookup 192.0.2.10 local dev lo src 192.0.2.10", "met"),
    ]);
}

#[test]
fn a_source_that_is_given_must_be_there_and_usable() {
    const BY: &str = "route-to='198.51.100.7'; from='203.0.113.10'";
    const SIX: &str = "route-to='2001:db8:9::1'; from='2001:db8::11'";
    const WAY: &str = "lookup 2001:db8:9::1 of 2001:db8::11 via fe80::1 dev x0 src 2001:db8::11";
    on_host(&[
        (BY, "lookup 198.51.100.7 of 203.0.113.10 via 203.0.113.1 dev y0 src 203.0.113.10", "met by 198.51.100.7 via 203.0.113.1 dev y0 src 203.0.113.10"),
        // The answer to another query does not count.
        (BY, "lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10", "not-read"),
        (BY, "lookup 198.51.100.7 of 203.0.113.10 errno 101", "unreachable"),
        (BY, "lookup 198.51.100.7 of 203.0.113.10 via 198.51.100.1 dev dark0 src 203.0.113.10", "route-dead"),
        ("interface='x0'; route-to='198.51.100.7'; from='203.0.113.10'", "lookup 198.51.100.7 of 203.0.113.10 dev y0 src 203.0.113.10", "wrong-link"),
        ("interface='y0'; route-to='198.51.100.7'; from='203.0.113.10'", "lookup 198.51.100.7 of 203.0.113.10 dev y0 src 203.0.113.10", "met"),
        // The host does not have this address, so a program cannot bind it, whatever the kernel's lookup returns.
        ("route-to='198.51.100.7'; from='203.0.113.99'", "lookup 198.51.100.7 of 203.0.113.99 via 192.0.2.1 dev x0 src 203.0.113.99", "no-address"),
        (SIX, WAY, "no-address"),
        (SIX, &format!("addr x0 2001:db8::11/64; {WAY}"), "met"),
        (SIX, &format!("addr x0 2001:db8::11/64 tentative; {WAY}"), "tentative"),
        (SIX, &format!("addr x0 2001:db8::11/64 dadfailed; {WAY}"), "dadfailed"),
        (SIX, &format!("addr x0 2001:db8::11/64 deprecated; {WAY}"), "met"),
        // Two links have the address, and one usable address is enough.
        (SIX, &format!("addr x0 2001:db8::11/64 tentative; addr y0 2001:db8::11/64; {WAY}"), "met"),
    ]);
}

#[test]
fn a_zone_s_link_must_be_there() {
    const WAY: &str = "lookup fe80::9%x0 dev x0 src fe80::10";
    on_host(&[
        ("route-to='fe80::9%x0'", WAY, "met"),
        ("route-to='fe80::9%2'", "lookup fe80::9%2 dev x0 src fe80::10", "met"),
        ("route-to='fe80::9%z0'", "", "absent"),
        ("route-to='fe80::9%77'", "", "absent"),
        ("interface='x0'; route-to='fe80::9%x0'", WAY, "met"),
        ("interface='y0'; route-to='fe80::9%x0'", WAY, "wrong-link"),
        ("route-to='fe80::9%x0'; from='fe80::10'", "lookup fe80::9%x0 of fe80::10 dev x0 src fe80::10", "met"),
        // On another link, the same link-local address is a different address.
        ("route-to='fe80::9%y0'; from='fe80::10'", "lookup fe80::9%y0 of fe80::10 dev y0 src fe80::10", "no-address"),
        ("route-to='fe80::9%y0'; from='2001:db8::10'", "lookup fe80::9%y0 of 2001:db8::10 dev y0 src 2001:db8::10", "met"),
    ]);
}

#[test]
fn in_a_vrf_its_device_must_be_up() {
    const VRF: &str = "mgmt: up vrf=1001 kind=vrf alt=management; v0: up master=mgmt; addr v0 10.9.0.10/24";
    const WAY: &str = "lookup 198.51.100.7 in mgmt via 10.9.0.1 dev v0 src 10.9.0.10";
    let in_vrf = |more: &str| format!("{VRF}; {more}");
    on_host(&[
        ("route-to='198.51.100.7'; table='mgmt'", &in_vrf(WAY), "met by 198.51.100.7 via 10.9.0.1 dev v0 table 1001 src 10.9.0.10"),
        ("route-to='198.51.100.7'; table='mgmt'", &in_vrf("lookup 198.51.100.7 via 192.0.2.1 dev x0 src 192.0.2.10"), "not-read"),
        ("route-to='198.51.100.7'; table='management'", &in_vrf("lookup 198.51.100.7 in management dev v0 src 10.9.0.10"), "met"),
        ("interface='v0'; route-to='198.51.100.7'; table='mgmt'", &in_vrf(WAY), "met"),
        ("interface='x0'; route-to='198.51.100.7'; table='mgmt'", &in_vrf(WAY), "wrong-link"),
        ("route-to='198.51.100.7'; table='mgmt'", WAY.replace("dev v0", "dev x0").as_str(), "absent"),
        ("route-to='198.51.100.7'; table='x0'", "lookup 198.51.100.7 in x0 dev x0 src 192.0.2.10", "absent"),
        ("route-to='198.51.100.7'; table='mgmt'", &in_vrf(WAY).replace("mgmt: up", "mgmt: down"), "admin-down"),
        ("route='default-ipv4'; table='mgmt'", &in_vrf("read4 1001; route default4 via 10.9.0.1 dev v0 table 1001"), "met"),
        ("route='default-ipv4'; table='mgmt'", &in_vrf("read4 1001; route default4 via 10.9.0.1 dev v0 table 1001").replace("mgmt: up", "mgmt: down"), "admin-down"),
        ("interface='v0'; route='default-ipv4'; table='mgmt'", &in_vrf("read4 1001; route default4 via 10.9.0.1 dev v0 table 1001").replace("mgmt: up", "mgmt: down"), "v0 admin-down"),
        // A table that is named by its number needs no VRF device.
        ("route='default-ipv4'; table=1001", &in_vrf("read4 1001; route default4 via 10.9.0.1 dev v0 table 1001").replace("mgmt: up", "mgmt: down"), "met"),
        // A program in a VRF has only the VRF's addresses. A program outside VRFs has only the other addresses.
        ("route-to='198.51.100.7'; table='mgmt'; from='10.9.0.10'", &in_vrf("lookup 198.51.100.7 of 10.9.0.10 in mgmt dev v0 src 10.9.0.10"), "met"),
        ("route-to='198.51.100.7'; table='mgmt'; from='192.0.2.10'", &in_vrf("lookup 198.51.100.7 of 192.0.2.10 in mgmt dev v0 src 192.0.2.10"), "no-address"),
        ("route-to='198.51.100.7'; from='10.9.0.10'", &in_vrf("lookup 198.51.100.7 of 10.9.0.10 dev v0 src 10.9.0.10"), "no-address"),
        ("route-to='198.51.100.7'; table='mgmt'; from='10.9.9.9'", &in_vrf("addr mgmt 10.9.9.9/32; lookup 198.51.100.7 of 10.9.9.9 in mgmt dev v0 src 10.9.9.9"), "met"),
    ]);
}
