//! What a gate needs to have read.

use super::{Wants, probes};
use crate::requirement::Table;
use crate::testing::{gate, network};

fn wanted(text: &str) -> Vec<String> {
    let wants = Wants::of(&gate(text));
    wants.routes.iter().map(|(prefix, table)| format!("{prefix} {table}")).collect()
}

#[test]
fn each_item_wants_what_its_evaluation_reads() {
    assert_eq!(Wants::of(&gate("interface='x0' | address='ipv4'")), Wants::default());
    assert_eq!(wanted("route='default'"), ["0.0.0.0/0 main", "::/0 main"]);
    assert_eq!(wanted("route='default-ipv6'"), ["::/0 main"]);
    assert_eq!(wanted("interface='x0'; route='10.0.0.0/8'; table=100"), ["10.0.0.0/8 100"]);
    assert_eq!(wanted("route='default-ipv4'; table='vrf0'"), ["0.0.0.0/0 vrf0"]);
    let targets = Wants::of(&gate("route-to=['198.51.100.7','2001:db8::1']"));
    assert_eq!(targets.route_to.len(), 2);
    assert!(targets.routes.is_empty() && !targets.any_table());
    let ways = Wants::of(&gate(
        "route-to='198.51.100.7'; from='192.0.2.10' | route-to='198.51.100.7'; table='vrf0'",
    ));
    assert_eq!(ways.route_to.len(), 2, "other questions about one target");
    assert!(Wants::of(&gate("pasta=true")).pasta);
    assert!(Wants::of(&gate("nameserver=true")).nameserver);
    assert!(Wants::of(&gate("dns='a.example'")).nameserver);
    assert!(Wants::of(&gate("http='http://a.example'")).nameserver);
    assert_eq!(Wants::of(&gate("tcp='192.0.2.7:22'; ping='192.0.2.7'")), Wants::default());
    assert_eq!(wanted("gateway='ipv6'"), ["::/0 main"]);
    assert_eq!(wanted("gateway='any'"), ["0.0.0.0/0 main", "::/0 main"]);
    assert!(Wants::of(&gate("route='default'; grace='5s'")).any_table(), "a grace wants it all the same");
}

#[test]
fn if_present_wants_to_know_of_both_families_defaults() {
    assert_eq!(wanted("route='default-ipv6'; if-present=true"), ["0.0.0.0/0 main", "::/0 main"]);
    assert_eq!(wanted("address='ipv6'; if-present=true"), ["0.0.0.0/0 main", "::/0 main"]);
    assert_eq!(wanted("interface='wg0'; address='ipv6'; if-present=true"), Vec::<String>::new());
}

#[test]
fn a_route_message_concerns_those_who_want_its_destination() {
    let concerns = |gate_text: &str, route: &str, known: &str| {
        let told = network(&format!("x0: up; y0: up; route {route}")).routes.known[0].clone();
        network(&format!("x0: up; y0: up; {known}")).routes.depend_on(&told, &Wants::of(&gate(gate_text)))
    };
    assert!(concerns("route='default'", "default4 dev x0", ""));
    assert!(
        concerns("route='default'", "default4 dev x0 table 77", ""),
        "whatever its table: rules may lead there"
    );
    assert!(!concerns("route='default'", "10.0.0.0/8 dev x0", ""));
    assert!(!concerns("route='default-ipv4'", "default6 dev x0", ""));
    // Two such routes can refuse all traffic.
    assert!(concerns("route='default-ipv4'", "128.0.0.0/1 blackhole", ""));
    assert!(concerns("route='default'", "2000::/3 dev x0", ""));
    assert!(concerns("gateway='any'", "2.0.0.0/7 blackhole", ""));
    assert!(!concerns("route='default-ipv4'", "10.0.0.0/8 blackhole", ""));
    assert!(!concerns("route='default-ipv4'", "2000::/3 dev x0", ""));
    assert!(!concerns("route='default-ipv4'; table=77", "128.0.0.0/1 blackhole", ""));
    assert!(!concerns("interface='x0'; route='default-ipv4'", "128.0.0.0/1 blackhole", ""));
    // pasta: until a default route is known, pasta may select any route.
    assert!(concerns("pasta=true", "10.0.0.0/8 dev x0", ""));
    assert!(concerns("pasta=true", "10.0.0.0/8 dev x0", "pasta4 10.1.0.0/16 dev y0"));
    assert!(concerns("pasta=true", "10.0.0.0/8 dev x0", "pasta6 default6 dev y0"));
    // Then other default routes matter, and routes of the same link, which may lead to the gateway.
    assert!(!concerns("pasta=true", "10.0.0.0/8 dev x0", "pasta4 default4 dev y0"));
    assert!(concerns("pasta=true", "10.0.0.0/8 dev y0", "pasta4 default4 dev y0"));
    assert!(concerns("pasta=true", "default4 dev x0 metric 5", "pasta4 default4 dev y0"));
    assert!(!concerns("pasta=true", "10.0.0.0/8 dev x0 table 77", ""));
    assert!(!concerns("pasta=true", "10.0.0.0/8 unreachable", ""));
}

#[test]
fn a_vrf_s_table_is_wanted_by_name() {
    assert!(Wants::of(&gate("route='default'; table='vrf0'")).names_vrf());
    assert!(!Wants::of(&gate("route='default'; table=100")).names_vrf());
    assert_eq!(Table::MAIN, Table::Id(254));
}

#[test]
fn probes_lie_in_their_prefix_and_name_no_network_and_no_broadcast() {
    let of =
        |prefix: &str| probes(&prefix.parse().unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(of("192.0.2.0/24"), ["192.0.2.1", "192.0.2.254"]);
    assert_eq!(of("192.0.2.0/30"), ["192.0.2.1", "192.0.2.2"]);
    assert_eq!(of("192.0.2.0/31"), ["192.0.2.0", "192.0.2.1"]);
    assert_eq!(of("192.0.2.7/32"), ["192.0.2.7"]);
    assert_eq!(of("2001:db8::/126"), ["2001:db8::1", "2001:db8::2"]);
    assert_eq!(of("2001:db8::/127"), ["2001:db8::", "2001:db8::1"]);
    assert_eq!(of("2001:db8::7/128"), ["2001:db8::7"]);
    for prefix in
        ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8000::/1", "10.0.0.0/8", "255.255.255.255/32"]
    {
        let net: ipnet::IpNet = prefix.parse().unwrap();
        let probes = probes(&net);
        assert!(!probes.is_empty());
        for probe in probes {
            assert!(net.contains(&probe), "{probe} in {prefix}");
        }
    }
}
