//! Tables that must be read: only those that could turn a "no" into a "yes".

use super::table;

const UP: &str = "x0: up; addr x0 192.0.2.10/24; unread4; unread6";

#[track_caller]
fn on_host(cases: &[(&str, &str, &str)]) {
    let whole: Vec<(&str, String, &str)> = cases.iter().map(|(g, n, e)| (*g, format!("{UP}; {n}"), *e)).collect();
    let whole: Vec<(&str, &str, &str)> = whole.iter().map(|(g, n, e)| (*g, n.as_str(), *e)).collect();
    table(&whole);
}

#[test]
fn a_wanted_route_that_is_there_needs_no_table() {
    on_host(&[
        ("route='default'", "route default4 via 192.0.2.1 dev x0", "met"),
        ("route='default-ipv4'", "route default4 via 192.0.2.1 dev x0", "met"),
        ("address='ipv4'", "", "met"),
        ("address='ipv6'", "", "no-address"),
        ("route-to='198.51.100.7'", "lookup 198.51.100.7 errno 101", "unreachable"),
        ("interface='x0'; route='default'", "route default4 via 192.0.2.1 dev x0", "met"),
    ]);
}

#[test]
fn a_wanted_route_that_is_unknown_or_dead_may_be_in_the_unread_table() {
    on_host(&[
        ("route='default'", "", "no-route + unread IPv4 254 + unread IPv6 254"),
        ("route='default-ipv4'", "", "no-route + unread IPv4 254"),
        ("route='default-ipv6'", "", "no-route + unread IPv6 254"),
        ("route='10.0.0.0/8'", "", "no-route + unread IPv4 254"),
        ("route='default-ipv4'; table=100", "", "no-route + unread IPv4 100"),
        ("route='default-ipv4'; table='vrf0'", "vrf0: up kind=vrf vrf=200", "no-route + unread IPv4 200"),
        // The dead route with the lower metric may hide a live one. A route through another link may hide one too.
        ("route='default-ipv4'", "route default4 via 192.0.2.1 dev x0 dead", "route-dead + unread IPv4 254"),
        ("route='default-ipv4'", "route default4 unreachable", "no-route + unread IPv4 254"),
        ("interface='y0'; route='default-ipv4'; carrier=false", "y0: up; route default4 via 192.0.2.1 dev x0", "y0 wrong-link + unread IPv4 254"),
        // A table that was read is not read again.
        ("route='default'", "read4 254", "no-route + unread IPv6 254"),
        ("route='default'", "read4 254; read6 254", "no-route"),
        ("route='default-ipv4'", "read4 100", "no-route + unread IPv4 254"),
    ]);
}

#[test]
fn a_link_that_is_not_needed_needs_no_table() {
    const Y: &str = "y0: up; addr y0 203.0.113.10/24; route default4 via 192.0.2.1 dev x0";
    on_host(&[
        ("interface=['x0','y0']; quorum='any'; route='default-ipv4'", Y, "met"),
        ("interface='?0'; route='default-ipv4'", Y, "met"),
        ("interface=['x0','y0']; quorum=2; route='default-ipv4'", Y, "y0 wrong-link + unread IPv4 254"),
        ("interface=['x0','y0']; route='default-ipv4'", Y, "y0 wrong-link + unread IPv4 254"),
        ("interface='y0'; route='default-ipv4' | interface='x0'; route='default-ipv4'", Y, "y0 wrong-link | met + unread IPv4 254"),
        ("route=['default-ipv4','default-ipv6']; quorum='any'", Y, "met"),
        ("interface='z0'; route='default-ipv4'", Y, "z0 absent"),
    ]);
}

#[test]
fn a_vrf_that_is_not_there_has_no_table_to_read() {
    on_host(&[("route='default-ipv4'; table='vrf0'", "", "absent")]);
}

#[test]
fn whether_a_family_is_on_its_way_may_stand_in_a_table() {
    const SIX: &str = "route='default-ipv6'; if-present=true";
    on_host(&[
        (SIX, "", "not-present + unread IPv4 254 + unread IPv6 254"),
        (SIX, "read4 254", "not-present + unread IPv6 254"),
        (SIX, "read4 254; read6 254", "not-present"),
        (SIX, "addr x0 2001:db8::10/64; route default6 via fe80::1 dev x0", "met"),
    ]);
}

#[test]
fn pasta_needs_both_main_tables() {
    on_host(&[
        ("pasta=true", "", "no-route + unread IPv4 254 + unread IPv6 254"),
        ("pasta=true", "pasta4 default4 via 192.0.2.1 dev x0", "met + unread IPv6 254"),
        ("pasta=true", "pasta4 default4 via 192.0.2.1 dev x0; pasta6", "met"),
    ]);
}
