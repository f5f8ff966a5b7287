//! The work grows with the number of links, and not with its square.

use core::cell::Cell;

use proptest::prelude::*;

use crate::evaluate::evaluate;
use crate::model::{Address, Link, Message, Network, Operstate};
use crate::testing::{CARRIER, IFF_UP, NOW, gate, network};
use crate::wants::Wants;

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

/// The network calls this for each link that it looks at.
pub(in crate::model) fn look() {
    LOOKS.set(LOOKS.get() + 1);
}

/// Returns how many links are looked at while `run` runs.
fn looks_in(run: impl FnOnce()) -> usize {
    LOOKS.set(0);
    run();
    LOOKS.get()
}

fn link(ifindex: u32, kind: &str, flags: u32) -> Link {
    Link {
        ifindex,
        ifname: format!("x{ifindex}"),
        flags,
        operstate: if flags == CARRIER { Operstate::Up } else { Operstate::Down },
        kind: kind.to_owned(),
        hardware_address: vec![2, 0, 0, 0, 0, 1],
        ..Link::default()
    }
}

/// Makes bridges, each with a port and a VLAN on it. No packet leaves through them, so a search for an uplink or an
/// address looks at all of them. Each VLAN has an address.
fn bridges(count: u32) -> (Vec<Link>, Vec<Address>) {
    let (mut links, mut addresses) = (Vec::new(), Vec::new());
    for number in 0..count {
        let [bridge, port, vlan] = [3, 4, 5].map(|offset| number * 3 + offset);
        let (kind, flags) = if number % 2 == 0 { ("dummy", CARRIER) } else { ("", IFF_UP) };
        links.push(link(bridge, "bridge", CARRIER));
        links.push(Link { master: Some(bridge), ..link(port, kind, flags) });
        links.push(Link { lower: Some(bridge), ..link(vlan, "vlan", CARRIER) });
        let address = format!("x0: up; addr x0 10.{}.{}.1/24", number >> 8, number & 255);
        let address = network(&address).addresses().last().unwrap().clone();
        addresses.push(Address { ifindex: vlan, ..address });
    }
    (links, addresses)
}

/// Makes a bridge with ports that all have carrier.
fn one_bridge(count: u32) -> (Vec<Link>, Vec<Address>) {
    let port = |ifindex| Link { master: Some(3), ..link(ifindex, "", CARRIER) };
    (core::iter::once(link(3, "bridge", CARRIER)).chain((4..4 + count).map(port)).collect(), Vec::new())
}

fn judge(text: &str, network: &Network) {
    assert!(!evaluate(&gate(text), network, NOW).ready(), "{text}");
}

fn with_more_losses(links: &[Link]) -> Vec<Link> {
    let lost = |link: &Link| Link { carrier_down_count: link.carrier_down_count + 1, ..link.clone() };
    links.iter().map(lost).collect()
}

#[test]
fn ten_times_the_links_are_ten_times_the_work() {
    type Host = fn(u32) -> (Vec<Link>, Vec<Address>);
    type Run = fn(&mut Network, Vec<Link>);
    let looks = |host: Host, run: Run, count: u32| {
        let (links, addresses) = host(count);
        let mut network = Network::default();
        network.replace_links(links.clone(), addresses);
        looks_in(|| run(&mut network, links))
    };
    let all_flapped: Run = |network, links| {
        let flapped = network.replace_links(with_more_losses(&links), Vec::new());
        assert_eq!(flapped.len(), links.len());
    };
    let cases: [(Host, Run); 5] = [
        (bridges, |network, _| judge("address='ipv4'", network)),
        (bridges, |network, _| judge("route='default'", network)),
        (bridges, |network, _| judge("interface='x*'; address='2001:db8::/32'", network)),
        (bridges, all_flapped),
        (one_bridge, all_flapped),
    ];
    for (case, (host, run)) in cases.into_iter().enumerate() {
        let (few, many) = (looks(host, run, 100), looks(host, run, 1000));
        assert!(few > 100 && many < 11 * few, "case {case}: {few} {many}");
    }
}

/// Links whose masters have greater numbers, and whose links below them have smaller ones. `true`: it lost carrier.
fn some_links() -> impl Strategy<Value = Vec<(Link, bool)>> {
    let one = |ifindex: u32| {
        let kind =
            prop_oneof![Just("bridge"), Just("bond"), Just("vlan"), Just("dummy"), Just("vrf"), Just("")];
        let flags = prop_oneof![3 => Just(CARRIER), 1 => Just(IFF_UP), 1 => Just(0)];
        let near = || proptest::option::of(1_u32..4);
        (kind, flags, near(), near(), any::<bool>()).prop_map(move |(kind, flags, master, lower, lost)| {
            let master = master.map(|distance| ifindex + distance);
            let lower = lower.and_then(|distance| ifindex.checked_sub(distance));
            (Link { master, lower, ..link(ifindex, kind, flags) }, lost)
        })
    };
    (2..9_u32).map(one).collect::<Vec<_>>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The network climbs only from the links that lost carrier. Every other link needs none of them.
    #[test]
    fn the_links_that_need_one_are_all_found(links in some_links()) {
        let before: Vec<Link> = links.iter().map(|(link, _)| link.clone()).collect();
        let after = |(link, lost): &(Link, bool)| match lost {
            true => Link { carrier_down_count: 1, ..link.clone() },
            false => link.clone(),
        };
        let mut network = Network::default();
        network.replace_links(before.clone(), Vec::new());
        let found = network.replace_links(links.iter().map(after).collect(), Vec::new());
        let lost = || links.iter().filter(|(_, lost)| *lost).map(|(link, _)| link.ifindex);
        let needs = |link: &&Link| lost().any(|lower| network.needs_link(link.ifindex, lower));
        let expected: Vec<u32> = before.iter().filter(needs).map(|link| link.ifindex).collect();
        prop_assert_eq!(found, expected);
    }

    /// Messages, in any order and with links that go, leave the same network as a list of the links that are left.
    #[test]
    fn ports_are_known_by_messages_as_by_a_list(
        first in some_links(),
        second in some_links(),
        gone in proptest::collection::btree_set(2..9_u32, 0..4),
    ) {
        let mut network = Network::default();
        let links = || first.iter().chain(&second).map(|(link, _)| link.clone());
        for link in links() {
            network.apply(&Message::Link(Box::new(link)), &Wants::default());
        }
        for ifindex in &gone {
            network.apply(&Message::LinkGone(*ifindex), &Wants::default());
        }
        let mut listed = Network::default();
        let left = second.iter().map(|(link, _)| link.clone()).filter(|link| !gone.contains(&link.ifindex));
        listed.replace_links(left.collect(), Vec::new());
        prop_assert_eq!(network, listed);
    }
}
