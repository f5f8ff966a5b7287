//! What is learned from which network, as tables.

mod property;

use core::time::Duration;

use super::{Containers, LearnRequest, Learned, Refusal, learn};
use crate::config::clause_text;
use crate::history::boots::{Late, LateWhat};
use crate::model::Network;
use crate::report::unmet_lines;
use crate::requirement::Family;
use crate::testing::{NOW, network};

fn host(network: &Network) -> Result<Learned, Refusal> {
    learn(LearnRequest { gate: "default", source: "learned", containers: None, late: &[] }, network, NOW)
}

/// Returns the learned clauses on one line, or the reason why there are none.
fn said(learned: &Result<Learned, Refusal>) -> String {
    match learned {
        Ok(learned) => {
            let clauses = learned.gate.clauses.iter().map(|clause| {
                let text = clause_text(clause);
                let pairs: Vec<&str> = text.lines().skip(1).collect();
                pairs.join("; ").replace(" = ", "=").replace('"', "'")
            });
            clauses.collect::<Vec<_>>().join(" | ")
        }
        Err(Refusal::NotReady(_, verdict)) => format!("not ready: {}", unmet_lines(verdict).join("; ")),
        Err(Refusal::Nothing(links)) => format!("nothing: {}", links.join("; ")),
        Err(Refusal::Unreadable(error)) => panic!("{error}"),
    }
}

#[track_caller]
fn table(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (network_text, expected) in cases {
        let found = said(&host(&network(network_text)));
        if found != *expected {
            wrong += &format!("\n  network  {network_text}\n  expected {expected}\n  found    {found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const STATIC4: &str = "addr en0 192.0.2.10/24 permanent; route default4 via 192.0.2.1 dev en0";
const LEASED4: &str = "addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0";
const ADVERTISED: &str =
    "addr en0 2001:db8::10/64; addr en0 2001:db8::dead/64 temporary; route default6 via fe80::1 dev en0";

#[test]
#[rustfmt::skip] // tables: a line is a case
fn links_families_routes_and_the_nameserver() {
    table(&[
        (&format!("en0: up; {STATIC4}"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; {LEASED4}"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; {ADVERTISED}"), "interface='en0'; address='ipv6'; route='default-ipv6'"),
        (&format!("en0: up; {LEASED4}; {ADVERTISED}; ns 192.0.2.53"),
            "interface='en0'; address=['ipv4', 'ipv6']; route=['default-ipv4', 'default-ipv6'] | nameserver=true"),
        (&format!("en0: up; {STATIC4}; ns none"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        // A family has no default route. It is required only if its address is static.
        (&format!("en0: up; {STATIC4}; addr en0 fd00::10/64"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; {STATIC4}; addr en0 fd00::10/64 permanent"), "interface='en0'; address=['ipv4', 'ipv6']; route='default-ipv4'"),
        // BGP-unnumbered: the address is on lo.
        ("en0: up; addr lo 203.0.113.10/32 permanent; route default4 via fe80::1 dev en0", "interface='en0'; route='default-ipv4'"),
        // Other cards are required if their address is static.
        (&format!("en0: up; en1: up; {STATIC4}; addr en1 10.9.0.2/16 permanent"),
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='en1'; address='ipv4'"),
        (&format!("en0: up; en1: up; {STATIC4}; addr en1 10.9.0.2/16"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; en1: nocarrier; {STATIC4}; addr en1 10.9.0.2/16 permanent"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        // Links with default routes come first, whatever their numbers are.
        (&format!("en1: up; en0: up; {STATIC4}; addr en1 10.9.0.2/16 permanent"),
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='en1'; address='ipv4'"),
        // The host has two default routes.
        (&format!("en0: up; wl0: up; {STATIC4}; addr wl0 10.9.0.2/16; route default4 via 10.9.0.1 dev wl0 metric 600"),
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='wl0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; wl0: nocarrier; {STATIC4}; addr wl0 10.9.0.2/16; route default4 via 10.9.0.1 dev wl0 linkdown metric 600"),
            "interface='en0'; address='ipv4'; route='default-ipv4'"),
        ("en0: up; en1: up; addr en0 192.0.2.10/24; addr en1 10.9.0.2/16; route default4 nexthop via 192.0.2.1 dev en0 nexthop via 10.9.0.1 dev en1",
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='en1'; address='ipv4'; route='default-ipv4'"),
    ]);
}

#[test]
#[rustfmt::skip] // tables: a line is a case
fn a_host_without_a_default_route() {
    table(&[
        ("en0: up; addr en0 192.0.2.10/24", "interface='en0'; address='ipv4'"),
        ("en0: up; addr en0 2001:db8::10/64; addr en0 192.0.2.10/24 permanent", "interface='en0'; address=['ipv4', 'ipv6']"),
        ("en0: up; en1: up; addr en0 192.0.2.10/24; addr en1 10.9.0.2/16 permanent; ns 10.9.0.53",
            "interface='en0'; address='ipv4' | interface='en1'; address='ipv4' | nameserver=true"),
        ("en0: up; addr en0 192.0.2.10/24; route default4 unreachable", "interface='en0'; address='ipv4'"),
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0 table 100", "interface='en0'; address='ipv4'"),
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0 tos 16", "interface='en0'; address='ipv4'"),
        // The only default route leads through a daemon's link.
        ("en0: up; wg0: unknown kind=wireguard mac=none; addr en0 192.0.2.10/24; addr wg0 10.8.0.2/32 permanent; route default4 dev wg0",
            "interface='en0'; address='ipv4'"),
        ("", "nothing: "),
        ("en0: up", "nothing: en0: no address"),
        ("en0: up; addr en0 169.254.7.7/16; addr en0 fe80::10/64 link permanent", "nothing: en0: no address"),
        ("en0: up; addr en0 2001:db8::dead/64 temporary", "nothing: en0: no address"),
        ("en0: nocarrier; addr en0 192.0.2.10/24 permanent", "nothing: en0: no carrier"),
        ("en0: down; docker0: unknown kind=bridge; addr docker0 172.17.0.1/16 permanent",
            "nothing: docker0: made by software, no card is its port (kind bridge); en0: administratively down"),
    ]);
}

#[test]
#[rustfmt::skip] // tables: a line is a case
fn what_software_makes_is_left_out_and_what_the_host_is_built_of_is_not() {
    let uplink = "interface='en0'; address='ipv4'; route='default-ipv4'";
    for more in [
        "docker0: up kind=bridge; v0: up kind=veth master=docker0; addr docker0 172.17.0.1/16 permanent",
        "podman0: up kind=bridge; v0: up kind=veth master=podman0; addr podman0 10.88.0.1/16 permanent",
        "virbr0: up kind=bridge; t0: up kind=tun master=virbr0; addr virbr0 192.168.122.1/24 permanent",
        "lxc1: up kind=veth; addr lxc1 10.0.1.1/32 permanent",
        "tun0: unknown kind=tun mac=none; addr tun0 10.8.0.2/24 permanent; route default4 dev tun0 metric 5",
        "wg0: unknown kind=wireguard mac=none; addr wg0 10.8.0.2/24 permanent",
        "flannel.1: unknown kind=vxlan; addr flannel.1 10.244.0.0/32 permanent",
        "dummy0: unknown kind=dummy; addr dummy0 10.1.1.1/32 permanent",
        "shim0: up kind=macvlan on=en0; addr shim0 192.0.2.99/32 permanent",
        // These are left out even if a default route leads through them.
        "flannel.1: unknown kind=vxlan on=en0; addr flannel.1 10.244.0.9/16 permanent; route default4 via 10.244.0.1 dev flannel.1 metric 205",
        "gnv0: unknown kind=geneve; addr gnv0 10.9.0.2/16 permanent; route default4 dev gnv0 metric 5000",
        "tun6: unknown kind=sit; addr tun6 2001:db8:6::2/64 permanent; route default6 dev tun6",
        "ipip1: unknown kind=ipip; addr ipip1 10.9.0.2/30 permanent; route default4 dev ipip1 metric 7",
        "dummy0: unknown kind=dummy; addr dummy0 203.0.113.254/31 permanent; route default4 via 203.0.113.255 dev dummy0 metric 1000",
        "xfrm0: unknown kind=xfrm mac=none; addr xfrm0 10.9.0.2/30 permanent; route default4 dev xfrm0 metric 7",
    ] {
        assert_eq!(said(&host(&network(&format!("en0: up; {STATIC4}; {more}")))), uplink, "{more}");
    }
    table(&[
        ("en0: up master=br0; br0: up kind=bridge; addr br0 192.0.2.10/24; route default4 via 192.0.2.1 dev br0",
            "interface='br0'; address='ipv4'; route='default-ipv4'"),
        ("en0: up master=bond0; en1: up master=bond0; bond0: up kind=bond; addr bond0 192.0.2.10/24; route default4 via 192.0.2.1 dev bond0",
            "interface='bond0'; address='ipv4'; route='default-ipv4'"),
        ("en0: up; en0.7: up kind=vlan on=en0; addr en0.7 192.0.2.10/24; route default4 via 192.0.2.1 dev en0.7",
            "interface='en0.7'; address='ipv4'; route='default-ipv4'"),
        ("ppp0: unknown kind=ppp mac=none; en0: up; addr ppp0 203.0.113.9/32; route default4 dev ppp0",
            "interface='ppp0'; address='ipv4'; route='default-ipv4'"),
        // No default route leads through this link, but it is built on a card: a storage network.
        (&format!("en0: up; en1: up master=br1; br1: up kind=bridge; {STATIC4}; addr br1 10.9.0.2/16 permanent"),
            &format!("{uplink} | interface='br1'; address='ipv4'")),
        (&format!("en0: up; en0.7: up kind=vlan on=en0; {STATIC4}; addr en0.7 10.9.0.2/16 permanent"),
            &format!("{uplink} | interface='en0.7'; address='ipv4'")),
        // A container has no card, so its veth is its network.
        ("eth0: up kind=veth; addr eth0 10.0.3.7/24 permanent", "interface='eth0'; address='ipv4'"),
        ("eth0: up kind=veth; addr eth0 10.0.3.7/24; route default4 via 10.0.3.1 dev eth0", "interface='eth0'; address='ipv4'; route='default-ipv4'"),
        // Messages may describe links that form a ring.
        ("a0: up kind=vlan on=b0; b0: up kind=vlan on=a0; addr a0 10.9.0.2/16 permanent",
            "nothing: a0: made by software, no default route leads through it (kind vlan); b0: made by software, no default route leads through it (kind vlan)"),
    ]);
}

/// When a tunnel module is loaded, the kernel itself makes a tunnel of this kind. Nobody uses these tunnels.
#[test]
fn the_kernel_s_own_tunnels_are_not_mentioned() {
    let names = "tunl0 ipip gre0 gre gretap0 gretap erspan0 erspan sit0 sit ip6tnl0 ip6tnl ip6gre0 ip6gre ip_vti0 vti ip6_vti0 vti6";
    let words: Vec<&str> = names.split(' ').collect();
    let tunnels: Vec<String> =
        words.chunks(2).map(|pair| format!("{}: down kind={} mac=none", pair[0], pair[1])).collect();
    let with = |more: &str| host(&network(&format!("en0: up; {STATIC4}; {more}"))).unwrap().text;
    assert_eq!(with(&tunnels.join("; ")), with(""));
    // A tunnel that somebody made is mentioned.
    assert!(with("gre1: down kind=gre mac=none").contains("gre1: made by software"));
}

/// A default route that works only with an address of a link that may start later is not required. The file says
/// so.
#[test]
fn the_file_names_the_link_that_a_default_route_needs_and_that_may_come_later() {
    let wg0 = "wg0: unknown kind=wireguard mac=none; addr wg0 2001:db8::10/64";
    let text = host(&network(&format!("en0: up; {STATIC4}; {wg0}; route default6 via fe80::1 dev en0")))
        .unwrap()
        .text;
    let note = "#   default via fe80::1 dev en0 (IPv6): the kernel sends from 2001:db8::10 on wg0, and wg0 may start \
                after the network\n";
    assert!(text.contains(note), "{text}");
    assert!(!text.contains("default-ipv6"), "{text}");
}

/// A router with a delegated prefix has only a link-local address on its uplink, and the prefix on its LAN's link.
#[test]
#[rustfmt::skip] // tables: a line is a case
fn a_router_sends_from_an_address_of_another_link() {
    const WAN6: &str = "wan0: up; addr wan0 fe80::10/64 link permanent; route default6 via fe80::1 dev wan0";
    const WAN4: &str = "addr wan0 192.0.2.10/24; route default4 via 192.0.2.1 dev wan0";
    const LAN: &str = "lan0: up master=br0; br0: up kind=bridge";
    const ASKED6: &str = "interface='wan0'; carrier=true | route='default-ipv6'";
    const WG0: &str = "wg0: made by software, which may start after the network (kind wireguard)";
    const BY_WG0: &str = "en0: default via fe80::1 dev en0 (IPv6): the kernel sends from 2001:db8::10 on wg0, and wg0 may start after the network";
    table(&[
        (&format!("{WAN6}; {LAN}; addr br0 2001:db8:5::1/64 permanent"), &format!("{ASKED6} | interface='br0'; address='ipv6'")),
        (&format!("{WAN6}; {LAN}; addr br0 2001:db8:5::1/64"), ASKED6),
        (&format!("{WAN6}; {WAN4}; {LAN}; addr br0 2001:db8:5::1/64"),
            "interface='wan0'; address='ipv4'; route='default-ipv4' | route='default-ipv6'"),
        (&format!("{WAN6}; lan0: up; lan0.7: up kind=vlan on=lan0; addr lan0.7 2001:db8:5::1/64"), ASKED6),
        // In a container no link is a card.
        ("wan0: up kind=veth; v0: up kind=veth master=br0; br0: up kind=bridge; addr br0 2001:db8:5::1/64; route default6 via fe80::1 dev wan0", ASKED6),
        // docker0 has its address only while docker runs, and docker may wait for this gate.
        (&format!("{WAN6}; {WAN4}; v0: up kind=veth master=docker0; docker0: up kind=bridge; addr docker0 2001:db8:d::1/64 permanent"),
            "interface='wan0'; address='ipv4'; route='default-ipv4'"),
        // The same is true of wg0, even if no link is a card, and even if the route names the address with `src`.
        ("wg0: up kind=wireguard mac=none; en0: up kind=vlan on=wg0; addr wg0 2001:db8::10/64; route default6 via fe80::1 dev en0",
            &format!("nothing: {WG0}; {BY_WG0}")),
        ("br0: up kind=bridge; en0: up kind=veth; wg0: unknown kind=wireguard mac=none; addr wg0 2001:db8::10/64; route default6 via fe80::1 dev en0",
            &format!("nothing: br0: made by software, no card is its port (kind bridge); {WG0}; {BY_WG0}")),
        (&format!("{WAN6}; {WAN4}; wg0: unknown kind=wireguard mac=none; addr wg0 2001:db8:d::1/64 permanent"),
            "interface='wan0'; address='ipv4'; route='default-ipv4'"),
        ("wan0: up; wg0: unknown kind=wireguard mac=none; addr wan0 192.0.2.10/24 permanent; addr wg0 192.0.2.11/24 permanent; route default4 src 192.0.2.11 dev wan0",
            "interface='wan0'; address='ipv4'"),
        // Without wg0 the kernel can use an address of the LAN's link, so the route is required whichever address
        // it uses now.
        (&format!("wg0: unknown kind=wireguard mac=none; {WAN6}; {LAN}; addr wg0 2001:db8:d::1/64; addr br0 2001:db8:5::1/64"), ASKED6),
        // The kernel does not use this address for destinations in the internet.
        (&format!("{WAN6}; {WAN4}; {LAN}; addr br0 fd00:5::1/64 permanent"),
            "interface='wan0'; address='ipv4'; route='default-ipv4' | interface='br0'; address='ipv6'"),
    ]);
}

#[test]
#[rustfmt::skip] // tables: a line is a case
fn names_that_a_reboot_keeps() {
    let named = |link: &str, more: &str| {
        let (name, _) = link.split_once(':').unwrap();
        let text = format!("{link}; addr {name} 192.0.2.10/24 permanent; route default4 via 192.0.2.1 dev {name}; {more}");
        let learned = host(&network(&text));
        said(&learned).split("; address").next().unwrap().to_owned()
    };
    for (link, more, expected) in [
        ("enp1s0: up card", "", "interface='enp1s0'"),
        ("wlp2s0: up card alt=wlx020000000001", "", "interface='wlp2s0'"),
        ("lan0: up card alt=enp1s0", "", "interface='lan0'"),
        ("eth0: up card alt=enp1s0", "", "interface='enp1s0'"),
        // The most stable name is used.
        ("eth0: up card alt=enx020000000002 alt=enp1s0 alt=eno1 alt=ens3", "", "interface='eno1'"),
        ("eth0: up card alt=enx020000000002 alt=enp1s0", "", "interface='enp1s0'"),
        ("wlan0: up card alt=wlp3s0", "", "interface='wlp3s0'"),
        ("eth0: up card alt=office", "", "interface='mac:02:00:00:00:00:02'"),
        ("eth0: up card", "", "interface='mac:02:00:00:00:00:02'"),
        // An address that is random at each boot, or that another link has too, cannot name a link.
        ("eth0: up", "", "interface='eth0'"),
        ("eth0: up card", "vf0: up card mac=02:00:00:00:00:02 master=eth0", "interface='eth0'"),
        ("eth0: up card", "eth0.7: up kind=vlan on=eth0 mac=02:00:00:00:00:02", "interface='mac:02:00:00:00:00:02'"),
        // Configuration or an administrator gave these names.
        ("eth0: up kind=veth", "", "interface='eth0'"),
        ("br0: up kind=bridge", "en0: up master=br0", "interface='br0'"),
        ("eth0x: up card", "", "interface='eth0x'"),
        // Characters that have a meaning in a gate file are written as bytes.
        ("en*: up", "", r"interface='en\\x2a'"),
        ("!en0: up", "", r"interface='\\x21en0'"),
        ("en[0]?: up", "", r"interface='en\\x5b0]\\x3f'"),
        (r"B\xfcro: up", "", r"interface='B\\xfcro'"),
    ] {
        assert_eq!(named(link, more), expected, "{link}; {more}");
    }
}

#[test]
#[rustfmt::skip] // tables: a line is a case
fn a_host_that_does_not_work_teaches_nothing() {
    table(&[
        ("en0: nocarrier; addr en0 192.0.2.10/24 permanent; route default4 via 192.0.2.1 dev en0 linkdown",
            "not ready: unmet  carrier  en0: no carrier; unmet  route default-ipv4  default via 192.0.2.1 dev en0: en0 has no carrier"),
        ("en0: up; route default4 via 192.0.2.1 dev en0",
            "not ready: unmet  route default-ipv4  default via 192.0.2.1 dev en0: no usable IPv4 address on en0 to send from"),
        // IPv6 is not ready yet, so a gate that is learned now would lack it.
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0; addr en0 2001:db8::10/64 tentative; route default6 via fe80::1 dev en0",
            "not ready: unmet  address ipv6  2001:db8::10 on en0: tentative; unmet  route default-ipv6  default via fe80::1 dev en0: no usable IPv6 address on en0 to send from"),
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0; addr en0 2001:db8::10/64 dadfailed permanent",
            "not ready: unmet  address ipv6  2001:db8::10 on en0: dadfailed (another host has it)"),
        ("en0: up; en1: nocarrier; addr en0 2001:db8::10/64; route default6 via fe80::1 dev en0; addr en1 192.0.2.10/24 permanent; route default4 via 192.0.2.1 dev en1 linkdown",
            "not ready: unmet  carrier  en1: no carrier; unmet  route default-ipv4  default via 192.0.2.1 dev en1: en1 has no carrier"),
        // The router advertises itself but no prefix, so no host gets an IPv6 address from it.
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0; addr en0 fe80::10/64 link permanent; route default6 via fe80::1 dev en0",
            "interface='en0'; address='ipv4'; route='default-ipv4'"),
    ]);
}

fn containers(by_pasta: &[&str], without: &[&str], with_ip: &[&str]) -> Containers {
    let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Containers { by_pasta: own(by_pasta), without_pasta: own(without), with_static_ip: own(with_ip) }
}

#[test]
#[rustfmt::skip] // tables: a line is a case
fn containers_need_what_pasta_takes() {
    let uplink = "interface='en0'; address='ipv4'; route='default-ipv4'";
    let good = format!("en0: up; {STATIC4}; pasta4 default4 via 192.0.2.1 dev en0; ns 192.0.2.53");
    for (who, network_text, expected) in [
        (containers(&[], &[], &[]), good.clone(), format!("{uplink} | pasta=true | nameserver=true; grace='10s'")),
        (containers(&["a.container"], &["b.container"], &["a.container"]), good.clone(), format!("{uplink} | pasta=true | nameserver=true; grace='10s'")),
        (containers(&[], &["b.container"], &[]), good, format!("{uplink} | nameserver=true; grace='10s'")),
        (containers(&[], &[], &[]), "en0: up; addr en0 192.0.2.10/24".to_owned(), "interface='en0'; address='ipv4'".to_owned()),
        // pasta would select another link than the one that works.
        (containers(&[], &[], &[]), format!("en0: up; en1: nocarrier; {STATIC4}; addr en1 10.9.0.2/16; pasta4 default4 via 10.9.0.1 dev en1 linkdown; route default4 via 10.9.0.1 dev en1 linkdown"),
            "not ready: unmet  pasta  pasta would take en1 (default metric 0), which has no carrier".to_owned()),
    ] {
        let request = LearnRequest { gate: "podman", source: "learned", containers: Some(&who), late: &[] };
        let learned = learn(request, &network(&network_text), NOW);
        assert_eq!(said(&learned), expected, "{network_text}");
        if let Ok(learned) = learned {
            assert_eq!(learned.gate.settle.as_secs(), 1);
            assert_eq!(learned.text.contains("a.container"), !who.with_static_ip.is_empty());
        }
    }
}

#[test]
fn the_file_says_what_it_asks_for_and_what_not() {
    let learned = host(&network(&format!(
        "eth0: up card alt=enp1s0; en0: up; docker0: up kind=bridge; v0: up kind=veth master=docker0; wg0: unknown kind=wireguard; \
         {LEASED4}; {ADVERTISED}; addr eth0 10.9.0.2/16 permanent; addr docker0 172.17.0.1/16 permanent; ns 192.0.2.53"
    )));
    let text = learned.unwrap().text;
    assert_eq!(
        text,
        r#"# Gate default: what `netready learn` found on this host.
# Edit it as you like; netready.toml(5) describes every key. Add grace = "10s" to a clause if
# what it asks for may come late. Delete a clause if what it asks for is not always there.
# To see its state now: netready check default

timeout            = "90s"  # then give up: the boot goes on, and systemctl status says what was missing
no-carrier-timeout = "30s"  # give up earlier if none of these links has had carrier

# default via 192.0.2.1 dev en0
# default via fe80::1 dev en0
[[require]]
interface = "en0"
address = ["ipv4", "ipv6"]
route = ["default-ipv4", "default-ipv6"]

# Its name is eth0 now, but the kernel may give that name to another card.
# eth0: no default route leads through it.
[[require]]
interface = "enp1s0"
address = "ipv4"

# resolv.conf names 192.0.2.53.
[[require]]
nameserver = true

# Not asked for:
#   docker0: made by software, no card is its port (kind bridge)
#   v0: a port of docker0
#   wg0: made by software, which may start after the network (kind wireguard)
#   192.0.2.10 on en0: leased, so the next one may differ
#   2001:db8::10 on en0: leased, so the next one may differ
#   2001:db8::dead on en0: temporary (privacy), so the next one will differ
#   10.9.0.2 on eth0: static; if a service binds it, require address = "10.9.0.2"
"#
    );
}

#[test]
fn names_of_others_cannot_break_the_file() {
    let mut network = network(&format!("en0: up; {STATIC4}; tu: unknown kind=tun"));
    let mut odd = network.links().find(|link| link.ifname == "tu").unwrap().clone();
    odd.ifname = "t\u{1}\"[[\u{7f}".to_owned();
    let _ = network.apply(&crate::model::Message::Link(Box::new(odd)), &crate::wants::Wants::default());
    network.nameservers = crate::model::Nameservers::First("\u{1b}[31m]".to_owned());
    let learned = host(&network).unwrap();
    assert!(learned.text.contains("# resolv.conf names ?[31m].") && learned.text.contains("t?\"[[?"));
}

/// A family that arrived late in each of the last boots gets a grace, unless it is the only family.
#[test]
fn a_family_that_comes_late_gets_a_grace() {
    let late = |family, what| Late {
        family,
        what,
        link: Some("en0".to_owned()),
        boots: 3,
        least: Duration::from_millis(2900),
        most: Duration::from_millis(3100),
    };
    let learned = |text: &str, late: Late| {
        let late = [late];
        let request = LearnRequest { gate: "default", source: "learned", containers: None, late: &late };
        learn(request, &network(text), NOW)
    };
    let both = format!("en0: up; {LEASED4}; {ADVERTISED}");
    let apart = "interface='en0'; address='ipv4'; route='default-ipv4' | route='default-ipv6'; grace='7s'";
    for (text, late, expected) in [
        (&*both, late(Family::V6, LateWhat::Route), apart),
        (
            &format!("en0: up; {ADVERTISED}"),
            late(Family::V6, LateWhat::Route),
            "interface='en0'; address='ipv6'; route='default-ipv6'",
        ),
        (
            &format!("en0: up; {LEASED4}"),
            late(Family::V6, LateWhat::Route),
            "interface='en0'; address='ipv4'; route='default-ipv4'",
        ),
    ] {
        assert_eq!(said(&learned(text, late)), expected, "{text}");
    }
    let file = learned(&both, late(Family::V6, LateWhat::Route)).unwrap().text;
    assert!(
        file.contains("# At each of the last 3 boots, IPv6 came after everything else, 3.1s\n"),
        "{file}"
    );
}
