//! Addresses: which addresses meet which requirement, and on which links.

use super::table;

/// Checks one address on a link with carrier against each requirement, asked of the link and of the host.
fn each(address: &str, met: &[&str], unmet: &[&str], code: &str) {
    let network = format!("x0: up; addr x0 {address}");
    for (specs, met) in [(met, true), (unmet, false)] {
        for spec in specs {
            let (of_link, of_host) = match met {
                true => ("met".to_owned(), "met".to_owned()),
                false => (format!("x0 {code}"), code.to_owned()),
            };
            table(&[
                (&format!("interface='x0'; address='{spec}'"), &network, &of_link),
                (&format!("address='{spec}'"), &network, &of_host),
            ]);
        }
    }
}

#[test]
fn families_take_global_and_site_scope_only() {
    const ALL: [&str; 5] = ["ip", "ipv4", "ipv6", "link-local-ipv4", "link-local-ipv6"];
    let only = |address: &str, met: &[&str]| {
        let unmet: Vec<&str> = ALL.into_iter().filter(|spec| !met.contains(spec)).collect();
        each(address, met, &unmet, "no-address");
    };
    only("192.0.2.10/24", &["ip", "ipv4"]);
    only("192.0.2.10/24 site", &["ip", "ipv4"]);
    only("10.0.0.10/8", &["ip", "ipv4"]);
    only("100.64.0.1/10", &["ip", "ipv4"]);
    only("192.0.2.10/24 link", &[]);
    only("192.0.2.10/24 host", &[]);
    // The kernel gives this address global scope.
    only("169.254.7.1/16", &["link-local-ipv4"]);
    only("169.254.7.1/16 link", &["link-local-ipv4"]);
    only("169.253.7.1/16", &["ip", "ipv4"]);
    only("127.0.0.53/8", &[]);
    // A multicast address on a link joins its group, and no packet is sent from it.
    only("239.1.1.1/32", &[]);
    only("ff05::77/128", &[]);
    only("2001:db8::10/64", &["ip", "ipv6"]);
    only("fec0::10/64 site", &["ip", "ipv6"]);
    only("fd00::10/64", &["ip", "ipv6"]);
    only("fe80::10/64 link", &["link-local-ipv6"]);
    only("fe80::10/64", &["link-local-ipv6"]);
    // The link-local prefix is fe80::/10, not fe80::/16.
    only("febf::10/64", &["link-local-ipv6"]);
    only("fec0::10/64", &["ip", "ipv6"]);
}

#[test]
fn prefixes_and_exact_addresses_match_what_they_contain() {
    each(
        "192.0.2.10/24",
        &["192.0.2.10", "192.0.2.0/24", "192.0.2.0/28", "192.0.2.10/32", "0.0.0.0/0"],
        &["192.0.2.11", "192.0.2.16/28", "2001:db8::/32", "192.0.2.11/32"],
        "no-address",
    );
    each("2001:db8::10/64", &["2001:db8::10", "2001:db8::/32"], &["2001:db8::11", "2001:db9::/32"], "no-address");
    // The scope of an exact address does not matter.
    each("192.0.2.10/24 link", &["192.0.2.10", "192.0.2.0/24"], &["ipv4"], "no-address");
    each("169.254.7.1/16", &["169.254.7.1", "169.254.0.0/16"], &["169.254.7.2"], "no-address");
    // On a point-to-point link, the host's own address counts, not the peer's.
    each("192.0.2.10/32 peer 192.0.2.1", &["192.0.2.10", "192.0.2.8/29"], &["192.0.2.1", "192.0.2.0/29"], "no-address");
}

#[test]
fn only_usable_addresses_count() {
    const SPECS: [&str; 4] = ["ip", "ipv6", "2001:db8::/32", "2001:db8::10"];
    each("2001:db8::10/64 tentative", &[], &SPECS, "tentative");
    each("2001:db8::10/64 tentative optimistic", &SPECS, &[], "");
    each("2001:db8::10/64 optimistic", &SPECS, &[], "");
    each("2001:db8::10/64 dadfailed", &[], &SPECS, "dadfailed");
    each("2001:db8::10/64 dadfailed tentative", &[], &SPECS, "dadfailed");
    each("2001:db8::10/64 dadfailed tentative optimistic", &[], &SPECS, "dadfailed");
    each("2001:db8::10/64 deprecated", &["2001:db8::10"], &SPECS[..3], "deprecated");
    each("2001:db8::10/64 deprecated tentative", &[], &SPECS, "tentative");
    each("192.0.2.10/24 deprecated", &["192.0.2.10"], &["ip", "ipv4", "192.0.2.0/24", "192.0.2.10/32"], "deprecated");
    each("fe80::10/64 link tentative", &[], &["link-local-ipv6"], "tentative");
    // One usable address is enough.
    table(&[
        ("interface='x0'; address='ipv6'", "x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::11/64", "met by x0; 2001:db8::11 on x0"),
        ("interface='x0'; address='ipv6'", "x0: up; addr x0 2001:db8::10/64 tentative; addr x0 2001:db8::11/64 dadfailed", "x0 dadfailed"),
        ("interface='x0'; address='ipv6'", "x0: up; addr x0 2001:db8::10/64 deprecated; addr x0 2001:db8::11/64 tentative", "x0 tentative"),
    ]);
}

#[test]
fn host_wide_a_family_or_prefix_counts_only_on_a_link_with_carrier_that_leads_out() {
    const ADDRESSED: &str = "addr x0 192.0.2.10/24";
    let on = |link: &str| format!("x0: {link}; {ADDRESSED}");
    for spec in ["ip", "ipv4", "192.0.2.0/24"] {
        let gate = format!("address='{spec}'");
        table(&[
            (&gate, &on("up"), "met by 192.0.2.10 on x0"),
            (&gate, &on("unknown kind=tun"), "met by 192.0.2.10 on x0"),
            (&gate, &on("nocarrier"), "no-carrier"),
            (&gate, &on("down"), "no-carrier"),
            (&gate, &on("dormant"), "no-carrier"),
            // docker0 before its first container starts.
            (&gate, &on("unknown kind=bridge"), "no-carrier"),
            (&gate, &on("up kind=bridge; p0: up master=x0"), "met by 192.0.2.10 on x0"),
            (&gate, "addr lo 192.0.2.10/32", "no-address"),
            (&gate, &on("unknown kind=dummy"), "no-address"),
            (&gate, "d0: unknown kind=dummy; x1: up; addr d0 192.0.2.10/32; addr x1 192.0.2.11/24", "met by 192.0.2.11 on x1"),
            (&gate, "d0: unknown kind=dummy; x1: nocarrier; addr d0 192.0.2.10/32; addr x1 192.0.2.11/24", "no-carrier"),
            (&gate, "x0: up", "no-address"),
            // The message about the address's link has not arrived yet.
            (&gate, "addr 7 192.0.2.10/24", "no-address"),
            (&gate, "x0: nocarrier; x1: up; addr x0 192.0.2.10/24; addr x1 192.0.2.11/24", "met by 192.0.2.11 on x1"),
        ]);
    }
}

#[test]
fn an_exact_address_counts_wherever_it_stands() {
    const G: &str = "address='192.0.2.10'";
    table(&[
        (G, "addr lo 192.0.2.10/32", "met by 192.0.2.10 on lo"),
        (G, "x0: nocarrier; addr x0 192.0.2.10/24", "met by 192.0.2.10 on x0"),
        (G, "d0: unknown kind=dummy; addr d0 192.0.2.10/32", "met by 192.0.2.10 on d0"),
        (G, "x0: down; addr x0 192.0.2.10/24", "met by 192.0.2.10 on x0"),
        (G, "x0: unknown kind=bridge; addr x0 192.0.2.10/24", "met by 192.0.2.10 on x0"),
        (G, "x0: up; addr x0 192.0.2.11/24", "no-address"),
        ("address='127.0.0.1'", "", "met by 127.0.0.1 on lo"),
        ("address='::1'", "", "met by ::1 on lo"),
        // bind(2) accepts each address in the prefix of an IPv4 address on a loopback link.
        ("address='127.0.0.53'", "", "met by 127.0.0.53 on lo"),
        ("interface='lo'; carrier=false; address='127.0.0.53'", "", "met"),
        ("address='198.51.100.77'", "addr lo 198.51.100.0/24", "met by 198.51.100.77 on lo"),
        ("address='198.51.101.77'", "addr lo 198.51.100.0/24", "no-address"),
        ("address='198.51.100.77'", "addr lo 198.51.100.0/24 noprefixroute", "no-address"),
        ("address='198.51.100.77'", "x0: up; addr x0 198.51.100.0/24", "no-address"),
        ("address='2001:db8::77'", "addr lo 2001:db8::/64", "no-address"),
        // The clause names a link, so only this link counts.
        ("interface='x1'; address='192.0.2.10'", "x0: up; x1: up; addr x0 192.0.2.10/24", "x1 no-address"),
        // bind(2) does not accept the address yet.
        ("address='2001:db8::10'", "x0: nocarrier; addr x0 2001:db8::10/64 tentative", "tentative"),
        ("address='2001:db8::10'", "x0: up; addr x0 2001:db8::10/64 dadfailed", "dadfailed"),
        // Two links have the same address, and one of them is usable.
        ("address='2001:db8::10'", "x0: up; x1: up; addr x0 2001:db8::10/64 dadfailed; addr x1 2001:db8::10/64", "met by 2001:db8::10 on x1"),
    ]);
}

#[test]
fn host_wide_each_item_may_be_of_another_link() {
    table(&[
        ("address=['ipv4','ipv6']", "x0: up; x1: up; addr x0 192.0.2.10/24; addr x1 2001:db8::10/64", "met by 192.0.2.10 on x0; 2001:db8::10 on x1"),
        ("address=['ipv4','ipv6']", "x0: up; addr x0 192.0.2.10/24", "no-address"),
        ("interface='x0'; address=['ipv4','ipv6']", "x0: up; x1: up; addr x0 192.0.2.10/24; addr x1 2001:db8::10/64", "x0 no-address"),
    ]);
}

#[test]
fn the_families_are_equal() {
    table(&[
        ("address='ip'", "x0: up; addr x0 192.0.2.10/24", "met"),
        ("address='ip'", "x0: up; addr x0 2001:db8::10/64", "met"),
        ("address='ipv4'", "x0: up; addr x0 2001:db8::10/64", "no-address"),
        ("address='ipv6'", "x0: up; addr x0 192.0.2.10/24", "no-address"),
    ]);
}
