//! Random networks: checks what is learned from them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::host;
use crate::evaluate::evaluate;
use crate::learn::Refusal;
use crate::model::{Address, Network};
use crate::report::unmet_lines;
use crate::requirement::{Item, LinkName, Subject};
use crate::testing::{NOW, network};

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
                // A text must not name a link that does not exist, and no link is stacked on itself.
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

/// Returns the same host after a reboot: links have other numbers, cards that the kernel numbers have other names,
/// leased and temporary addresses are different, and the links of daemons do not exist yet.
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
                core::net::IpAddr::V4(v4) => core::net::Ipv4Addr::from_bits(v4.to_bits() + 100).into(),
                core::net::IpAddr::V6(v6) => core::net::Ipv6Addr::from_bits(v6.to_bits() + 0xf000).into(),
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
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, failure_persistence: None, ..ProptestConfig::default() })]

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
    // If too few networks taught something, the properties above would test little.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut learned = 0;
    for _ in 0..400 {
        let text = a_network().new_tree(&mut runner).unwrap().current();
        learned += usize::from(host(&network(&text)).is_ok());
    }
    assert!(learned > 100, "{learned} of 400");
}
