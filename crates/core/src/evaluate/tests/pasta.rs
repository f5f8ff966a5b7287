//! What pasta would select, and whether it is usable: one case a line.

use crate::testing::{NOW, gate, network};
use super::{check_invariants, outcome};
use crate::evaluate::evaluate;
use crate::verdict::Outcome;

/// The expected text is `met by …`, or the code and the text of the reason.
#[track_caller]
fn pasta(cases: &[(&str, &str)]) {
    let gate = gate("pasta=true");
    let mut wrong = String::new();
    for (network_text, expected) in cases {
        let network = network(network_text);
        let verdict = evaluate(&gate, &network, NOW);
        check_invariants(&gate, &network, &verdict);
        let reason = verdict.rows().find_map(|(_, row)| match &row.outcome {
            Outcome::Unmet(reason) => Some(format!("{}: {reason}", reason.code().as_str())),
            Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        });
        let mut found = reason.unwrap_or_else(|| outcome(&verdict, true));
        for warning in &verdict.warnings {
            found += &format!("; warning: {warning}");
        }
        if found != *expected {
            wrong += &format!("\n  network  {network_text}\n  expected {expected}\n  found    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const BOTH: &str = "pasta4; pasta6; x0: up; addr x0 192.0.2.10/24; addr x0 2001:db8::10/64; addr x0 fe80::10/64 link";
const DARK: &str = "dark0: nocarrier; addr dark0 198.51.100.10/24; addr dark0 2001:db8:1::10/64";

fn on(links: &str, routes: &str) -> String {
    format!("{links}; {DARK}; {routes}")
}

#[test]
fn the_first_default_of_either_family_must_be_fit() {
    pasta(&[
        (&on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0"), "met by default via 192.0.2.1 dev x0"),
        (&on(BOTH, "pasta6 default6 via fe80::1 dev x0"), "met by default via fe80::1 dev x0"),
        (
            &on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0; pasta6 default6 via fe80::1 dev x0"),
            "met by default via 192.0.2.1 dev x0, default via fe80::1 dev x0",
        ),
        // pasta finds only loopback, only link-local routes, or nothing. It starts in its local mode, so this is
        // not ready.
        (&on(BOTH, ""), "no-route: no default route for pasta to take"),
        ("pasta4; pasta6", "no-route: no default route for pasta to take"),
        ("x0: up; pasta6; pasta4 169.254.0.0/16 dev x0; addr x0 169.254.1.1/16", "no-route: no default route for pasta to take"),
        ("x0: up; pasta4; pasta6 fe80::/64 dev x0; addr x0 fe80::10/64 link", "no-route: no default route for pasta to take"),
        ("pasta6; pasta4 127.0.0.0/8 dev lo", "no-route: no default route for pasta to take"),
        // A default route through a dummy link, as on an air-gapped K3s node. A container would copy it and reach
        // nobody.
        (
            "pasta6; d0: unknown kind=dummy; addr d0 203.0.113.254/31; pasta4 default4 via 203.0.113.255 dev d0 metric 1000",
            "route-dead: pasta would take d0 (default metric 1000), through which nothing beyond this host can be reached",
        ),
        (
            &on(BOTH, "d0: unknown kind=dummy; addr d0 203.0.113.254/31; pasta4 default4 dev d0 metric 1000; pasta6 default6 via fe80::1 dev x0"),
            "met by default dev d0, default via fe80::1 dev x0",
        ),
    ]);
}

#[test]
fn a_selected_link_without_carrier_kills_pasta() {
    const FIT4: &str = "pasta4 default4 via 192.0.2.1 dev x0";
    const FIT6: &str = "pasta6 default6 via fe80::1 dev x0";
    const DARK4: &str = "no-carrier: pasta would take dark0 (default metric 100), which has no carrier";
    pasta(&[
        (&on(BOTH, "pasta4 default4 via 198.51.100.1 dev dark0 metric 100 linkdown"), DARK4),
        // States in which pasta was seen to die, although the second default route or the other family was live.
        (&on(BOTH, &format!("pasta4 default4 via 198.51.100.1 dev dark0 metric 100 linkdown; {FIT4} metric 200")), DARK4),
        (&on(BOTH, &format!("pasta4 default4 via 198.51.100.1 dev dark0 metric 100 linkdown; {FIT6}")), DARK4),
        (
            &on(BOTH, &format!("{FIT4}; pasta6 default6 via fe80::1 dev dark0 metric 1024 linkdown")),
            "no-carrier: pasta would take dark0 (default metric 1024), which has no carrier",
        ),
        // Without an IPv4 default route, pasta selects an idle docker0.
        (
            &on(BOTH, &format!("docker0: unknown kind=bridge; addr docker0 172.17.0.1/16; pasta4 172.17.0.0/16 dev docker0; {FIT6}")),
            "no-carrier: pasta would take docker0 (172.17.0.0/16, as there is no default route), which has no carrier",
        ),
        (
            &on(BOTH, &format!("y0: down; pasta4 10.0.0.0/8 dev y0; {FIT6}")),
            "admin-down: pasta would take y0 (10.0.0.0/8, as there is no default route), which is administratively down",
        ),
        // pasta selects the first default route, which is live. Later routes do not matter.
        (
            &on(BOTH, &format!("{FIT4}; pasta4 default4 via 198.51.100.1 dev dark0 metric 100 linkdown")),
            "met by default via 192.0.2.1 dev x0",
        ),
        // pasta selects the default route although other routes precede it in the dump.
        (
            &on(BOTH, &format!("pasta4 198.51.100.0/24 dev dark0 linkdown; {FIT4}")),
            "met by default via 192.0.2.1 dev x0",
        ),
        (&on(BOTH, &format!("pasta4 default4 unreachable; {FIT4}")), "met by default via 192.0.2.1 dev x0"),
        (&on(BOTH, &format!("pasta4 default4 via 192.0.2.1 dev x0 table 100; {FIT6}")), "met by default via fe80::1 dev x0"),
    ]);
}

#[test]
fn without_a_default_route_pasta_gives_no_network() {
    pasta(&[
        (
            &on(BOTH, "pasta4 192.0.2.0/24 dev x0"),
            "no-route: pasta would take x0 (192.0.2.0/24, as there is no default route), which has no default route",
        ),
        // Without a default route, pasta selects the first other route that is not link-local.
        (
            &on(BOTH, "y0: up; pasta4 169.254.0.0/16 dev y0; pasta4 192.0.2.0/24 dev x0; pasta4 10.0.0.0/8 dev y0"),
            "no-route: pasta would take x0 (192.0.2.0/24, as there is no default route), which has no default route",
        ),
        // The other family is usable, so this family may lack a default route.
        (
            &on(BOTH, "pasta4 192.0.2.0/24 dev x0; pasta6 default6 via fe80::1 dev x0"),
            "met by 192.0.2.0/24 dev x0, default via fe80::1 dev x0",
        ),
    ]);
}

#[test]
fn the_default_s_link_needs_an_address_of_the_family() {
    const NONE4: &str = "no-address: pasta would take y0 (default metric 0), which has no usable IPv4 address";
    const NONE6: &str = "no-address: pasta would take y0 (default metric 0), which has no usable IPv6 address";
    let on = |rest: &str| on(BOTH, &format!("y0: up; {rest}"));
    pasta(&[
        (&on("pasta4 default4 dev y0"), NONE4),
        (&on("pasta4 default4 dev y0; addr y0 169.254.1.1/16"), NONE4),
        (&on("pasta4 default4 dev y0; addr y0 203.0.113.10/24 link"), NONE4),
        (&on("pasta4 default4 dev y0; addr y0 203.0.113.10/24 deprecated"), NONE4),
        (&on("pasta4 default4 dev y0; addr lo 203.0.113.10/32"), NONE4),
        (&on("pasta4 default4 dev y0; addr y0 2001:db8:2::10/64"), NONE4),
        (&on("pasta4 default4 dev y0; addr y0 203.0.113.10/24"), "met by default dev y0"),
        (&on("pasta6 default6 dev y0; addr y0 fe80::11/64 link"), NONE6),
        (&on("pasta6 default6 dev y0; addr y0 2001:db8:2::10/64 tentative"), NONE6),
        (&on("pasta6 default6 dev y0; addr y0 2001:db8:2::10/64 dadfailed"), NONE6),
        (&on("pasta6 default6 dev y0; addr y0 2001:db8:2::10/64"), "met by default dev y0"),
        (&on("pasta4 default4 dev y0; pasta6 default6 via fe80::1 dev x0"), "met by default dev y0, default via fe80::1 dev x0"),
    ]);
}

#[test]
fn the_gateway_must_be_on_the_link() {
    const OFF: &str = "route-dead: pasta would take x0 (default metric 0), whose gateway 203.0.113.1 is not on the link";
    pasta(&[
        (&on(BOTH, "pasta4 default4 via 203.0.113.1 dev x0"), OFF),
        (&on(BOTH, "pasta4 default4 via 203.0.113.1 dev x0 onlink"), "met by default via 203.0.113.1 dev x0"),
        (&on(BOTH, "pasta4 default4 via 203.0.113.1 dev x0; gateway4"), "met by default via 203.0.113.1 dev x0"),
        // A /32 address with the gateway as its peer, as at Hetzner.
        (&on(BOTH, "pasta4 default4 via 203.0.113.1 dev x0; addr x0 203.0.113.10/32 peer 203.0.113.1"), "met by default via 203.0.113.1 dev x0"),
        (&on(BOTH, "pasta4 default4 via 203.0.113.1 dev x0; addr x0 203.0.113.10/32"), OFF),
        // The gateway is in the prefix of another link.
        (&on(BOTH, "y0: up; addr y0 203.0.113.10/24; pasta4 default4 via 203.0.113.1 dev x0"), OFF),
        (&on(BOTH, "pasta4 default4 via fe80::1 dev x0"), "met by default via fe80::1 dev x0"),
        (&on(BOTH, "pasta4 default4 dev x0"), "met by default dev x0"),
    ]);
}

#[test]
fn a_default_that_is_dead_or_expired_is_not_usable() {
    const DEAD: &str = "route-dead: pasta would take x0 (default metric 0), whose default route is dead";
    pasta(&[
        (&on(BOTH, "pasta6 default6 via fe80::1 dev x0 expires 100"), DEAD),
        (&on(BOTH, "pasta6 default6 via fe80::1 dev x0 expires 101"), "met by default via fe80::1 dev x0"),
        (&on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0 dead"), DEAD),
    ]);
}

/// pasta copies such a route and dies, even if the other family is usable.
#[test]
fn a_linkdown_route_on_a_selected_link_kills_pasta() {
    const FLAGGED: &str = "route-dead: pasta would take x0 (default metric 0), whose route is still flagged linkdown";
    pasta(&[
        (&on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0 linkdown"), FLAGGED),
        (&on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0 linkdown; pasta6 default6 via fe80::1 dev x0"), FLAGGED),
        (&on(BOTH, "pasta4 default4 via 192.0.2.1 dev x0; pasta6 default6 via fe80::1 dev x0 linkdown"), FLAGGED),
        (
            &on(BOTH, "pasta4 192.0.2.0/24 dev x0 linkdown; pasta6 default6 via fe80::1 dev x0"),
            "route-dead: pasta would take x0 (192.0.2.0/24, as there is no default route), whose route is still flagged linkdown",
        ),
    ]);
}

#[test]
fn a_multipath_default_over_several_links_is_met_with_a_warning() {
    const Y: &str = "y0: up; addr y0 203.0.113.10/24";
    const WARNING: &str = "warning: default via 192.0.2.1 dev x0 is one of several next hops, which pasta drops: containers get no default route";
    let two = |second: &str| on(BOTH, &format!("{Y}; pasta4 default4 nexthop via 192.0.2.1 dev x0 nexthop {second}"));
    pasta(&[
        (&two("via 203.0.113.1 dev y0"), &format!("met by default via 192.0.2.1 dev x0, default via 203.0.113.1 dev y0; {WARNING}")),
        (&two("via 198.51.100.1 dev dark0 linkdown"), &format!("met by default via 192.0.2.1 dev x0, default via 198.51.100.1 dev dark0; {WARNING}")),
        // All next hops leave through one link, so pasta copies the route.
        (&two("via 192.0.2.2 dev x0"), "met by default via 192.0.2.1 dev x0, default via 192.0.2.2 dev x0"),
    ]);
}
