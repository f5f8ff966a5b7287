//! What is learned from which network, as tables; and what holds for every one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{Containers, Learned, Pupil, Refusal, learn};
use crate::config::clause_text;
use crate::evaluate::evaluate;
use crate::evaluate::tests::world::{NOW, network};
use crate::model::{Address, Network};
use crate::report::unmet_lines;
use crate::requirement::{Item, LinkName, Subject};

fn host(network: &Network) -> Result<Learned, Refusal> {
    learn(Pupil { gate: "default", source: "learned", containers: None }, network, NOW)
}

/// The clauses on one line, or why there are none.
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
        // A family without a default route: only where it is the host's own doing.
        (&format!("en0: up; {STATIC4}; addr en0 fd00::10/64"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; {STATIC4}; addr en0 fd00::10/64 permanent"), "interface='en0'; address=['ipv4', 'ipv6']; route='default-ipv4'"),
        // BGP-unnumbered: the address is on lo.
        ("en0: up; addr lo 203.0.113.10/32 permanent; route default4 via fe80::1 dev en0", "interface='en0'; route='default-ipv4'"),
        // Other links with a card: static ones.
        (&format!("en0: up; en1: up; {STATIC4}; addr en1 10.9.0.2/16 permanent"),
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='en1'; address='ipv4'"),
        (&format!("en0: up; en1: up; {STATIC4}; addr en1 10.9.0.2/16"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        (&format!("en0: up; en1: nocarrier; {STATIC4}; addr en1 10.9.0.2/16 permanent"), "interface='en0'; address='ipv4'; route='default-ipv4'"),
        // Those with default routes first, whatever their numbers.
        (&format!("en1: up; en0: up; {STATIC4}; addr en1 10.9.0.2/16 permanent"),
            "interface='en0'; address='ipv4'; route='default-ipv4' | interface='en1'; address='ipv4'"),
        // Two ways out.
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
        // A way out that is a daemon's.
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
        // No default route through it, but a card below it: a storage network.
        (&format!("en0: up; en1: up master=br1; br1: up kind=bridge; {STATIC4}; addr br1 10.9.0.2/16 permanent"),
            &format!("{uplink} | interface='br1'; address='ipv4'")),
        (&format!("en0: up; en0.7: up kind=vlan on=en0; {STATIC4}; addr en0.7 10.9.0.2/16 permanent"),
            &format!("{uplink} | interface='en0.7'; address='ipv4'")),
        // In a container there is no card; its veth is what it has.
        ("eth0: up kind=veth; addr eth0 10.0.3.7/24 permanent", "interface='eth0'; address='ipv4'"),
        ("eth0: up kind=veth; addr eth0 10.0.3.7/24; route default4 via 10.0.3.1 dev eth0", "interface='eth0'; address='ipv4'; route='default-ipv4'"),
        // Links that know each other from messages only may form a ring.
        ("a0: up kind=vlan on=b0; b0: up kind=vlan on=a0; addr a0 10.9.0.2/16 permanent",
            "nothing: a0: made by software, no default route leads through it (kind vlan); b0: made by software, no default route leads through it (kind vlan)"),
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
        // The steadiest of its names.
        ("eth0: up card alt=enx020000000002 alt=enp1s0 alt=eno1 alt=ens3", "", "interface='eno1'"),
        ("eth0: up card alt=enx020000000002 alt=enp1s0", "", "interface='enp1s0'"),
        ("wlan0: up card alt=wlp3s0", "", "interface='wlp3s0'"),
        ("eth0: up card alt=office", "", "interface='mac:02:00:00:00:00:02'"),
        ("eth0: up card", "", "interface='mac:02:00:00:00:00:02'"),
        // An address that is made up anew at each boot, or that another link has too, names nothing.
        ("eth0: up", "", "interface='eth0'"),
        ("eth0: up card", "vf0: up card mac=02:00:00:00:00:02 master=eth0", "interface='eth0'"),
        ("eth0: up card", "eth0.7: up kind=vlan on=eth0 mac=02:00:00:00:00:02", "interface='mac:02:00:00:00:00:02'"),
        // Whoever made these named them.
        ("eth0: up kind=veth", "", "interface='eth0'"),
        ("br0: up kind=bridge", "en0: up master=br0", "interface='br0'"),
        ("eth0x: up card", "", "interface='eth0x'"),
        // Names that a gate file reads as something else.
        ("en*: up", "", "interface='en[*]'"),
        ("!en0: up card", "", "interface='mac:02:00:00:00:00:02'"),
        ("!en0: up", "", "nothing: !en0: no gate file can hold its name"),
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
        // IPv6 is on its way: what is learned now would lack it.
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0; addr en0 2001:db8::10/64 tentative; route default6 via fe80::1 dev en0",
            "not ready: unmet  address ipv6  2001:db8::10 on en0: tentative; unmet  route default-ipv6  default via fe80::1 dev en0: no usable IPv6 address on en0 to send from"),
        ("en0: up; addr en0 192.0.2.10/24; route default4 via 192.0.2.1 dev en0; addr en0 2001:db8::10/64 dadfailed permanent",
            "not ready: unmet  address ipv6  2001:db8::10 on en0: dadfailed (another host has it)"),
        ("en0: up; en1: nocarrier; addr en0 2001:db8::10/64; route default6 via fe80::1 dev en0; addr en1 192.0.2.10/24 permanent; route default4 via 192.0.2.1 dev en1 linkdown",
            "not ready: unmet  carrier  en1: no carrier; unmet  route default-ipv4  default via 192.0.2.1 dev en1: en1 has no carrier"),
        // A router that advertises itself and no prefix gives IPv6 to nobody.
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
        // pasta would take another link than the one that works.
        (containers(&[], &[], &[]), format!("en0: up; en1: nocarrier; {STATIC4}; addr en1 10.9.0.2/16; pasta4 default4 via 10.9.0.1 dev en1 linkdown; route default4 via 10.9.0.1 dev en1 linkdown"),
            "not ready: unmet  pasta  pasta would take en1 (default metric 0), which has no carrier".to_owned()),
    ] {
        let pupil = Pupil { gate: "podman", source: "learned", containers: Some(&who) };
        let learned = learn(pupil, &network(&network_text), NOW);
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
        r#"# Gate default: what this host had when `netready learn` looked at it.
# Change what you like: netready.toml(5) has every key. A clause that may be missing for a
# while can have a grace = "10s"; one for what is not always there goes.
# Where it stands now: netready check default

timeout            = "90s"  # give up then: boot goes on, and systemctl status says what was missing
no-carrier-timeout = "30s"  # give up earlier where none of these links has had carrier

# default via 192.0.2.1 dev en0
# default via fe80::1 dev en0
[[require]]
interface = "en0"
address = ["ipv4", "ipv6"]
route = ["default-ipv4", "default-ipv6"]

# eth0 now, a name that the kernel may give to another card.
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
#   192.0.2.10 on en0: leased: the next one may be another
#   2001:db8::10 on en0: leased: the next one may be another
#   2001:db8::dead on en0: temporary (privacy): the next one is another
#   10.9.0.2 on eth0: static; where a service binds it, ask for address = "10.9.0.2"
"#
    );
}

#[test]
fn what_others_named_cannot_break_the_file() {
    let mut network = network(&format!("en0: up; {STATIC4}; tu: unknown kind=tun"));
    let mut odd = network.links().find(|link| link.ifname == "tu").unwrap().clone();
    odd.ifname = "t\u{1}\"[[\u{7f}".to_owned();
    let _ = network.apply(&crate::model::Message::Link(Box::new(odd)), &crate::wants::Wants::default());
    network.nameservers = crate::model::Nameservers::First("\u{1b}[31m]".to_owned());
    let learned = host(&network).unwrap();
    assert!(learned.text.contains("# resolv.conf names ?[31m].") && learned.text.contains("t?\"[[?"));
}

// Every network.

const LINKS: [&str; 8] = ["enp1s0", "eth0", "wl0", "br0", "docker0", "wg0", "v*0", "bond0"];
const STATES: [&str; 5] = ["up", "up", "unknown", "nocarrier", "down"];
const MORE: [&str; 12] = [
    "",
    "",
    "card",
    "card alt=en@",
    "kind=bridge",
    "kind=vlan on=enp1s0",
    "kind=bond",
    "kind=dummy",
    "master=br0",
    "kind=veth master=docker0",
    "kind=wireguard mac=none",
    "kind=veth",
];
const ADDRESSES: [&str; 9] = [
    "192.0.2.10/24",
    "192.0.2.11/24 permanent",
    "169.254.1.1/16",
    "203.0.113.10/32 peer 203.0.113.1 permanent",
    "2001:db8::10/64",
    "2001:db8::11/64 permanent",
    "2001:db8::12/64 temporary",
    "2001:db8::13/64 tentative",
    "2001:db8::14/64 deprecated",
];
const ROUTES: [&str; 5] = [
    "default4 via 192.0.2.1",
    "default4 via 192.0.2.1 metric 600",
    "default6 via fe80::1",
    "default6 via fe80::1 expires 99",
    "default4 src 192.0.2.11",
];
const EXTRAS: [&str; 3] = ["ns 192.0.2.53", "ns none", "route default4 unreachable metric 9999"];

fn a_network() -> impl Strategy<Value = String> {
    let links = subsequence(LINKS.to_vec(), 1..=LINKS.len()).prop_flat_map(|names| {
        let details = vec((select(&STATES[..]), select(&MORE[..])), names.len());
        (Just(names), details)
    });
    links.prop_flat_map(|(names, details)| {
        let text: Vec<String> = names
            .iter()
            .zip(details)
            .map(|(name, (state, more))| {
                let told = |other: &&str| names.contains(other) || !more.contains(*other);
                // What is not there cannot be named, and nothing stands on itself.
                let sound =
                    ["br0", "enp1s0", "docker0"].iter().all(told) && !more.ends_with(&format!("={name}"));
                // No two links have the same altname.
                let more = more.replace("en@", &format!("enx{}", name.replace('*', "")));
                format!("{name}: {state} {}", if sound { &more } else { "" })
            })
            .collect();
        let mut on = names;
        on.push("lo");
        let dev = || select(on.clone());
        let addresses =
            vec((dev(), select(&ADDRESSES[..])).prop_map(|(dev, a)| format!("addr {dev} {a}")), 1..8);
        let routes =
            vec((dev(), select(&ROUTES[..])).prop_map(|(dev, r)| format!("route {r} dev {dev}")), 0..4);
        let extras = subsequence(EXTRAS.to_vec(), 0..=2);
        (Just(text), addresses, routes, extras).prop_map(|(text, addresses, routes, extras)| {
            let extras = extras.into_iter().map(str::to_owned);
            text.into_iter().chain(extras).chain(addresses).chain(routes).collect::<Vec<_>>().join("; ")
        })
    })
}

/// The same host after a reboot: links have other numbers, and cards that the kernel numbers other names;
/// leased and temporary addresses are others, daemons' links are not there yet.
fn rebooted(network: &Network) -> Network {
    let software = |kind: &str| matches!(kind, "wireguard" | "tun");
    let renumbered = |ifindex: u32| if ifindex == 1 { 1 } else { 100 - ifindex };
    let mut links = Vec::new();
    for link in network.links().filter(|link| !software(&link.kind)) {
        let mut link = link.clone();
        link.ifindex = renumbered(link.ifindex);
        link.master = link.master.map(renumbered);
        link.lower = link.lower.map(renumbered);
        if link.kind.is_empty() && link.ifname == "eth0" && link.permanent_address {
            link.ifname = "eth7".to_owned();
        }
        links.push(link);
    }
    let another = |address: &Address| {
        let mut address = address.clone();
        address.ifindex = renumbered(address.ifindex);
        if !address.permanent() && address.global() {
            address.local = match address.local {
                std::net::IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() + 100).into(),
                std::net::IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() + 0xf000).into(),
            };
            address.remote = address.local;
        }
        address
    };
    let addresses = network.addresses().map(another).collect();
    let mut after = network.clone();
    after.replace_links(links, addresses);
    for route in &mut after.routes.known {
        for hop in &mut route.hops {
            hop.ifindex = renumbered(hop.ifindex);
        }
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_learned_is_ready_and_asks_for_nothing_that_is_left_out(text in a_network()) {
        let network = network(&text);
        let learned = match host(&network) {
            Ok(learned) => learned,
            Err(Refusal::Unreadable(error)) => return Err(TestCaseError::fail(error.to_string())),
            Err(Refusal::NotReady(_, verdict)) => {
                prop_assert!(!verdict.ready());
                return Ok(());
            }
            Err(Refusal::Nothing(left_out)) => {
                let links = network.links().filter(|link| !link.loopback()).count();
                prop_assert_eq!(left_out.len(), links, "each link, and why: {:?}", left_out);
                return Ok(());
            }
        };
        prop_assert!(evaluate(&learned.gate, &network, NOW).ready(), "{}", learned.text);
        let (_, left_out) = learned.text.split_once("# Not asked for:\n").unwrap_or_default();
        let mut named = Vec::new();
        for clause in &learned.gate.clauses {
            for item in &clause.items {
                let exact = matches!(item, Item::Address(spec) if spec.to_string().contains(['.', ':']));
                prop_assert!(!exact, "{}", learned.text);
            }
            if let Subject::Links(links) = &clause.subject {
                named.extend(links.entries.clone());
            }
        }
        for link in network.links() {
            let asked = named.iter().any(|name| match name {
                LinkName::Exact(name) => link.named(name),
                LinkName::Glob(pattern) => pattern.matches(&link.ifname),
                LinkName::Mac(octets) => link.hardware_address == *octets && !link.stacked() && !link.is_master(),
            });
            let told = left_out.lines().any(|line| line.starts_with(&format!("#   {}: ", link.ifname)));
            prop_assert!(asked != told || link.loopback(), "{}: {}", link.ifname, learned.text);
            prop_assert!(!asked || !network.is_port(link), "a port: {}", learned.text);
            prop_assert!(!asked || link.kind != "wireguard", "a daemon's: {}", learned.text);
        }
    }

    #[test]
    fn what_is_learned_is_ready_after_a_reboot(text in a_network()) {
        let network = network(&text);
        let Ok(learned) = host(&network) else { return Ok(()) };
        let verdict = evaluate(&learned.gate, &rebooted(&network), NOW);
        prop_assert!(verdict.ready(), "{:?}\n{}", unmet_lines(&verdict), learned.text);
    }
}

#[test]
fn many_random_networks_teach_something() {
    use proptest::strategy::ValueTree;
    // Else the properties above would say little.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut learned = 0;
    for _ in 0..400 {
        let text = a_network().new_tree(&mut runner).unwrap().current();
        learned += usize::from(host(&network(&text)).is_ok());
    }
    assert!(learned > 100, "{learned} of 400");
}
