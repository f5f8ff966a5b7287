//! The simulated kernel of the core's tests against this kernel: the same operations, one after the other, in a network
//! namespace. After each of them the links, addresses, tables and answers must be the same, and so must what was
//! announced about them.
//!
//! Only what a gate can depend on is compared. Left out are the far ends of the links, multicast and local routes, the
//! order of announcements about different things, and how often a link says the same.
//! `NETREADY_SIMULATED_SEED=…` repeats one sequence, `NETREADY_SIMULATED_SEQUENCES=…` tries more.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

use netready_core::testing::kernel::Kernel;
use netready_core::testing::operations::{OPERATIONS, SETUP};

use super::*;
use crate::model::{Address, Link, Lookup, NextHop, Route, RouteKind, RouteQuery};
use crate::requirement::Family;

const TARGETS: [&str; 2] = ["203.0.113.7", "2001:db8:7::7"];

/// Names of links by number. The numbers of both kernels differ.
type Names = BTreeMap<u32, String>;

fn of_hop(hop: &NextHop, names: &Names) -> String {
    let flag = |on: bool, word: &'static str| if on { word } else { "" };
    let dev = names.get(&hop.ifindex).map_or("?", String::as_str);
    let via = hop.gateway.map(|gateway| format!("via {gateway} ")).unwrap_or_default();
    format!("{via}dev {dev}{}{}", flag(hop.dead, " dead"), flag(hop.linkdown, " linkdown"))
}

fn of_route(route: &Route, names: &Names) -> Option<String> {
    let multicast = route.destination.addr().is_multicast();
    if multicast || !matches!(route.table, 254 | 100) {
        return None;
    }
    let hops: Vec<String> = match route.kind {
        RouteKind::Unicast => route.hops.iter().map(|hop| of_hop(hop, names)).collect(),
        RouteKind::Local
        | RouteKind::Unreachable
        | RouteKind::Blackhole
        | RouteKind::Prohibit
        | RouteKind::Throw
        | RouteKind::Broadcast
        | RouteKind::Anycast
        | RouteKind::Multicast
        | RouteKind::Other => Vec::new(),
    };
    let source = route.prefsrc.map(|source| format!(" src {source}")).unwrap_or_default();
    let nexthop = route.nexthop.map(|id| format!(" nhid {id}")).unwrap_or_default();
    Some(format!(
        "{:?} {} table {} metric {} {}{source}{nexthop}",
        route.kind,
        route.destination,
        route.table,
        route.metric,
        hops.join(" + ")
    ))
}

fn of_address(address: &Address, names: &Names) -> Option<String> {
    let name = names.get(&address.ifindex)?;
    if name.starts_with("vb") || name == "lo" {
        return None;
    }
    let flag = |on: bool, word: &'static str| if on { word } else { "" };
    const IFA_F_SECONDARY: u32 = 0x01;
    let secondary = address.local.is_ipv4() && address.flags & IFA_F_SECONDARY != 0;
    Some(format!(
        "{name} {}/{}{}{}{}",
        address.local,
        address.prefix_len,
        flag(secondary, " secondary"),
        flag(address.tentative(), " tentative"),
        flag(address.deprecated(), " deprecated"),
    ))
}

fn of_link(link: &Link) -> Option<String> {
    if link.ifname.starts_with("vb") || link.ifname == "lo" {
        return None;
    }
    let flags = [(link.admin_up(), "up"), (link.lower_up(), "lower-up"), (link.running(), "running")];
    let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    Some(format!("{} {}", link.ifname, flags.join(" ")))
}

/// What was announced, in words. The last word of a link counts, and other things count once.
/// A new or removed link has settings of its own, which the kernel announces too.
fn told(messages: &[Message], names: &Names, line: &str) -> Vec<String> {
    let mut lines: Vec<String> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Link(link) => of_link(link).map(|_| format!("link {}", link.ifname)),
            Message::LinkGone(ifindex) => {
                names.get(ifindex).filter(|name| !name.starts_with("vb")).map(|name| format!("gone {name}"))
            }
            Message::Address(address) => of_address(address, names).map(|text| format!("address {text}")),
            Message::AddressGone(address) => {
                of_address(address, names).map(|text| format!("address gone {text}"))
            }
            Message::Route(route, change) => {
                // What flags a route had when it went is of no interest.
                let hops =
                    route.hops.iter().map(|hop| NextHop { dead: false, linkdown: false, ..hop.clone() });
                let route = Route { hops: hops.collect(), ..route.clone() };
                of_route(&route, names).map(|text| format!("route {change:?} {text}"))
            }
            Message::IgnoreLinkdown(_) if !line.starts_with("sysctl") => None,
            Message::IgnoreLinkdown(link) => {
                let name = link.map_or("all", |link| names.get(&link).map_or("?", String::as_str));
                Some(format!("ignore linkdown {name}"))
            }
            Message::Rule(_) | Message::Nexthop(_) | Message::NexthopGone(_) => Some(format!("{message:?}")),
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}

/// The lines that only one of both has.
fn differences(simulated: &[String], here: &[String]) -> String {
    let mut text = String::new();
    for line in here.iter().filter(|line| !simulated.contains(line)) {
        let _ = writeln!(text, "only this kernel: {line}");
    }
    for line in simulated.iter().filter(|line| !here.contains(line)) {
        let _ = writeln!(text, "only simulated: {line}");
    }
    text
}

fn names(links: &[Link]) -> Names {
    links.iter().map(|link| (link.ifindex, link.ifname.clone())).collect()
}

fn of_path(lookup: Option<&Lookup>, names: &Names) -> String {
    match lookup {
        Some(Lookup::Path { ifindex, gateway, source, .. }) => {
            format!("{:?} {gateway:?} {source:?}", names.get(ifindex))
        }
        Some(Lookup::Broadcast | Lookup::None(_)) => "no way".to_owned(),
        None => "undecodable".to_owned(),
    }
}

/// What the simulated kernel has and answers, in words.
fn simulated(kernel: &Kernel) -> Vec<String> {
    let names = names(&kernel.links());
    let tables = [(Family::V4, 254), (Family::V6, 254), (Family::V4, 100), (Family::V6, 100)];
    let routes = tables.iter().flat_map(|(family, id)| kernel.table(*family, *id));
    let addresses = kernel.addresses();
    let mut lines: Vec<String> = kernel.links().iter().filter_map(of_link).collect();
    lines.extend(addresses.iter().filter_map(|address| of_address(address, &names)));
    lines.extend(routes.filter_map(|route| of_route(&route, &names)));
    for target in TARGETS {
        let target = target.parse().unwrap();
        let way = kernel.path(&RouteQuery::target(target));
        let matching = kernel.matching(target).and_then(|route| of_route(&route, &names));
        lines.push(format!("{target}: {}; {matching:?}", of_path(Some(&way), &names)));
    }
    lines.push(format!("bind {}", kernel.binds("192.0.2.7".parse().unwrap())));
    lines
}

/// What this kernel has and answers, in words.
async fn real(requests: &mut RequestSocket) -> Vec<String> {
    let (links, addresses) = tables::links(requests).await.unwrap();
    let names = names(&links);
    let mut lines: Vec<String> = links.iter().filter_map(of_link).collect();
    lines.extend(addresses.iter().filter_map(|address| of_address(address, &names)));
    for (family, id) in [(Family::V4, 254), (Family::V6, 254), (Family::V4, 100), (Family::V6, 100)] {
        let routes = every_route(requests, family, id).await;
        lines.extend(routes.iter().filter_map(|route| of_route(route, &names)));
    }
    for target in TARGETS {
        let target = target.parse().unwrap();
        let way = requests.path(RouteQuery::target(target), clock::now()).await.unwrap();
        let matching = requests.matching_route(target, clock::now()).await.unwrap();
        let matching = matching.and_then(|route| of_route(&route, &names));
        lines.push(format!("{target}: {}; {matching:?}", of_path(way.as_ref(), &names)));
    }
    lines.push(format!("bind {}", UdpSocket::bind("192.0.2.7:0").is_ok()));
    lines
}

async fn every_route(requests: &mut RequestSocket, family: Family, id: u32) -> Vec<Route> {
    let prefixes = [
        "0.0.0.0/0",
        "::/0",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "203.0.113.0/25",
        "2001:db8::/64",
        "2001:db8:1::/64",
        "2001:db8:7::/48",
    ];
    let destinations = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    let wanted = crate::refresh::ReadTable { family, id, destinations, pasta: false };
    // A table that does not exist has no routes.
    tables::read(requests, &wanted).await.map(|table| table.routes).unwrap_or_default()
}

/// Does an operation in this namespace. Returns whether the kernel did it.
fn really(line: &str) -> bool {
    let ip = |line: &str| {
        let output = Command::new("ip").args(line.split_whitespace()).output().unwrap();
        output.status.success()
    };
    match line.split_whitespace().collect::<Vec<&str>>().as_slice() {
        ["link", "add", name, ..] => {
            let peer = name.replace("va", "vb");
            ip(&format!("link add {name} type veth peer name {peer}"))
                && ip(&format!("link set {name} addrgenmode none"))
                && ip(&format!("link set {peer} addrgenmode none"))
                && ip(&format!("link set {peer} up"))
        }
        ["cable", name, way] => {
            let name = if *name == "lan0" { "va1" } else { name };
            let known =
                Command::new("ip").args(["link", "show", "dev", name]).output().unwrap().status.success();
            known
                && ip(&format!(
                    "link set {} {}",
                    name.replace("va", "vb"),
                    if *way == "in" { "up" } else { "down" }
                ))
        }
        ["sysctl", setting] => {
            let (name, value) = setting.split_once('=').unwrap();
            std::fs::write(format!("/proc/sys/{}", name.replace('.', "/")), value).is_ok()
        }
        _ => ip(line),
    }
}

/// Left out are operations whose end takes seconds or whose numbers differ, and the lifetimes that an IPv6 address gives
/// to its prefix route.
fn is_compared(line: &str) -> bool {
    let detects = line.starts_with("addr add 2001") && !line.contains("nodad");
    !detects
        && !line.starts_with("addr change 2001")
        && !["expires", "index", "duplicate", "keep_addr"].iter().any(|word| line.contains(word))
}

/// Plays one sequence. Returns what differs after the first operation that is done differently.
async fn sequence(seed: u64, steps: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).unwrap()
    };
    let lines: Vec<&str> =
        OPERATIONS.iter().flat_map(|kind| *kind).copied().filter(|line| is_compared(line)).collect();
    let mut kernel = Kernel::new(Moment::after_boot(Duration::from_secs(100)));
    ip("link set lo up");
    // A new namespace has the settings of the host.
    for links in ["all", "default"] {
        std::fs::write(format!("/proc/sys/net/ipv4/conf/{links}/promote_secondaries"), "0").unwrap();
    }
    for line in ["link add va0", "link add va1"].iter().chain(SETUP) {
        assert!(really(line), "{line}");
        kernel.do_all(line);
    }
    let pass = |kernel: &mut Kernel| {
        let until = kernel.now() + Duration::from_millis(100);
        kernel.pass_until(until);
        kernel.finish();
    };
    pass(&mut kernel);
    let mut events = EventSocket::open(&filter::pass_everything(), RECEIVE_BUFFER).unwrap();
    let mut requests = RequestSocket::open().unwrap();
    // The kernel tells of a new IPv6 address a moment later.
    std::thread::park_timeout(Duration::from_millis(100));
    let mut done = Vec::new();
    for _ in 0..steps {
        let line = lines[below(lines.len())];
        done.push(line);
        let mut before = names(&kernel.links());
        kernel.take_announced();
        let (links, _) = tables::links(&mut requests).await.unwrap();
        let mut real_names = names(&links);
        while !matches!(events.receive().unwrap(), Received::Empty) {}
        let did = really(line);
        let simulated_did = kernel.begin(line).is_ok();
        kernel.finish();
        pass(&mut kernel);
        before.extend(names(&kernel.links()));
        let expected = told(&kernel.take_announced(), &before, line);
        let mut messages = Vec::new();
        let mut difference = String::new();
        for attempt in 0..40 {
            tokio::task::yield_now().await;
            std::thread::park_timeout(Duration::from_millis(5));
            while let Received::Datagram = events.receive().unwrap() {
                for frame in frames(events.datagram()).flatten() {
                    if let Event::Message(message) = event(frame, clock::now()) {
                        messages.push(message);
                    }
                }
            }
            let (links, _) = tables::links(&mut requests).await.unwrap();
            real_names.extend(names(&links));
            let (found, wanted) = (real(&mut requests).await, simulated(&kernel));
            let heard = told(&messages, &real_names, line);
            difference = differences(&wanted, &found) + &differences(&expected, &heard);
            if did != simulated_did {
                let _ = writeln!(difference, "done here: {did}, simulated: {simulated_did}");
            }
            if difference.is_empty() || (did != simulated_did && attempt > 3) {
                break;
            }
        }
        if !difference.is_empty() {
            return format!("NETREADY_SIMULATED_SEED={seed}, after\n  {}\n{difference}", done.join("\n  "));
        }
    }
    String::new()
}

#[test]
#[ignore = "needs a network namespace"]
fn the_simulated_kernel_does_what_this_kernel_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("NETREADY_SIMULATED_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("NETREADY_SIMULATED_SEQUENCES").unwrap_or(4),
    };
    let mut wrong = String::new();
    for seed in seeds {
        let one = std::thread::spawn(move || {
            let mut difference = String::new();
            in_namespace(async || difference = sequence(seed, 25).await);
            difference
        });
        wrong += &one.join().unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}
