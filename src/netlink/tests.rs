//! The observer against this kernel, each test in a network namespace of its own: what the kernel does
//! not announce, and what gets lost on the way.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::*;
use crate::config::{Environment, Options, Request, load};
use crate::model::{Lookup, RouteKind};
use crate::requirement::RouteTo;

/// Runs a test in a namespace of its own, on this thread's runtime; where it cannot, says so.
fn in_namespace(test: impl AsyncFnOnce()) {
    if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
        assert!(std::env::var_os("CI").is_none(), "no network namespace to be had: {error}");
        println!("SKIPPED: no network namespace to be had: {error}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(test());
}

#[track_caller]
fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

#[track_caller]
fn batch(lines: &str) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn veth() {
    batch(
        "link add va0 type veth peer name vb0\nlink set lo up\nlink set va0 up\nlink set vb0 up\n\
         addr add 192.0.2.10/24 dev va0\naddr add 192.0.2.20/32 dev va0\n",
    );
}

fn gate(options: Options) -> Gate {
    load(&Request { gate: None, options }, &Environment::from_process(), &|_| false).unwrap().gate
}

fn default_ipv4() -> Gate {
    gate(Options { ipv4: true, ..Options::default() })
}

/// Drains and reads again until nothing is left to be done, as the loop does.
async fn settle(observer: &mut Observer, gate: &Gate) {
    loop {
        while observer.drain(&mut |_| {}).unwrap() == Drained::More {}
        if observer.stale() {
            observer.catch_up(gate).await.unwrap();
        } else if let Some(at) = observer.owed_until {
            let mut timer = clock::Timer::new().unwrap();
            timer.set(Some(at)).unwrap();
            timer.fired().await.unwrap();
        } else {
            return;
        }
    }
}

async fn opened(gate: &Gate, receive_buffer: usize) -> Observer {
    let mut observer = Observer::open(gate, receive_buffer).unwrap();
    settle(&mut observer, gate).await;
    observer
}

async fn ready(gate: &Gate, observer: &mut Observer) -> bool {
    settle(observer, gate).await;
    evaluate(gate, observer.network(), clock::now()).ready()
}

/// Carrier is announced when the kernel's linkwatch gets to it, up to a second later.
async fn becomes(wanted: bool, gate: &Gate, observer: &mut Observer) {
    let mut timer = clock::Timer::new().unwrap();
    timer.set(Some(clock::now() + Duration::from_secs(5))).unwrap();
    while ready(gate, observer).await != wanted {
        tokio::select! {
            changed = observer.changed() => { changed.unwrap(); }
            _ = timer.fired() => panic!("still {}ready", if wanted { "not " } else { "" }),
        }
    }
}

#[test]
fn routes_that_go_without_a_word_are_seen_to_be_gone() {
    // Each way loses the default route with no RTM_DELROUTE for it.
    let ways =
        ["link set va0 down", "addr flush dev va0", "link del va0", "nexthop del id 7", "link set vb0 down"];
    for way in ways {
        std::thread::spawn(move || {
            in_namespace(async || {
                veth();
                match way.contains("nexthop") {
                    true => batch("nexthop add id 7 via 192.0.2.1 dev va0\nroute add default nhid 7\n"),
                    false => ip("route add default via 192.0.2.1"),
                }
                let gate = default_ipv4();
                let mut observer = opened(&gate, RECEIVE_BUFFER).await;
                assert!(ready(&gate, &mut observer).await, "{way}: before");
                ip(way);
                becomes(false, &gate, &mut observer).await;
            });
        })
        .join()
        .unwrap();
    }
}

#[test]
fn a_route_is_live_again_when_carrier_is_back_though_no_route_message_says_so() {
    in_namespace(async || {
        veth();
        ip("route add default via 192.0.2.1");
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        ip("link set vb0 down");
        becomes(false, &gate, &mut observer).await;
        ip("link set vb0 up");
        becomes(true, &gate, &mut observer).await;
    });
}

/// A reader that is awake when RTM_DELADDR comes asks before the kernel has flushed what it announced.
/// Without the barrier such lookups find the route that is about to go; after it, never.
#[test]
fn the_barrier_keeps_lookups_from_seeing_what_is_about_to_go() {
    /// One is seen within the first few, unless both threads share a busy processor.
    const MOST: u32 = 200_000;
    in_namespace(async || {
        veth();
        ip("addr flush dev va0");
        let mut race = Race::new();
        let tries = (1..=MOST).find(|_| race.run_up() && race.lookup_finds_it());
        let tries = tries.expect("a lookup without the barrier is never wrong any more");
        println!("wrong without the barrier after {tries} tries");
        let mut questions = Questions::connect().unwrap();
        for _ in 0..tries.max(200) {
            race.run_up();
            questions.barrier().await.unwrap();
            assert!(!race.lookup_finds_it());
        }
    });
}

/// The removal of a link's last address, by another thread, seen as early as can be.
struct Race {
    builder: Socket,
    asker: Socket,
    events: EventSocket,
    remove: std::sync::mpsc::Sender<()>,
    removed: std::sync::mpsc::Receiver<()>,
    running: bool,
    // Made before: what is done between the message and the lookup is time that the kernel has.
    lookup: Vec<u8>,
    answer: Vec<u8>,
}

/// nlmsg_type of a datagram's first message.
fn kind(datagram: &[u8]) -> u16 {
    u16::from_ne_bytes([datagram[4], datagram[5]])
}

impl Race {
    fn new() -> Race {
        let (remove, orders) = std::sync::mpsc::channel();
        let (reports, removed) = std::sync::mpsc::channel();
        let bytes = address_bytes(RouteNetlinkMessage::DelAddress, NLM_F_REQUEST);
        std::thread::spawn(move || {
            let socket = connected();
            while orders.recv().is_ok() {
                socket.send(&bytes, 0).unwrap();
                reports.send(()).unwrap();
            }
        });
        let events = EventSocket::open(&filter::program(&Wants::default()), RECEIVE_BUFFER).unwrap();
        let lookup = lookup_bytes([203, 0, 113, 1]);
        let answer = Vec::with_capacity(4096);
        Race {
            builder: connected(),
            asker: connected(),
            events,
            remove,
            removed,
            running: false,
            lookup,
            answer,
        }
    }

    /// Address and default route are there, then they are removed; back as soon as that is announced.
    fn run_up(&mut self) -> bool {
        if std::mem::take(&mut self.running) {
            self.removed.recv().unwrap();
        }
        let address = address_bytes(RouteNetlinkMessage::NewAddress, NLM_F_REQUEST | NLM_F_CREATE);
        self.builder.send(&address, 0).unwrap();
        ip_route_default(&self.builder);
        while !matches!(self.events.receive().unwrap(), Received::Empty) {}
        self.remove.send(()).unwrap();
        self.running = true;
        loop {
            if let Received::Datagram = self.events.receive().unwrap() {
                if kind(self.events.datagram()) == libc::RTM_DELADDR {
                    return true;
                }
            }
        }
    }

    /// Asked at once, not through the connection: the flush would be done before its task ran.
    fn lookup_finds_it(&mut self) -> bool {
        self.asker.send(&self.lookup, 0).unwrap();
        self.answer.clear();
        self.asker.recv(&mut self.answer, 0).unwrap();
        kind(&self.answer) == libc::RTM_NEWROUTE
    }
}

fn connected() -> Socket {
    let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
    socket.bind_auto().unwrap();
    socket.connect(&SocketAddr::new(0, 0)).unwrap();
    socket
}

fn address_bytes(kind: fn(AddressMessage) -> RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 24;
    message.header.index = nix::net::if_::if_nametoindex("va0").unwrap();
    message.attributes.push(AddressAttribute::Local(IpAddr::from([192, 0, 2, 10])));
    message.attributes.push(AddressAttribute::Address(IpAddr::from([192, 0, 2, 10])));
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    socket::serialize(header, kind(message))
}

fn ip_route_default(socket: &Socket) {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = 254;
    message.header.protocol = netlink_packet_route::route::RouteProtocol::Boot;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Gateway(IpAddr::from([192, 0, 2, 1]).into()));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_CREATE;
    socket.send(&socket::serialize(header, RouteNetlinkMessage::NewRoute(message)), 0).unwrap();
}

fn lookup_bytes(target: [u8; 4]) -> Vec<u8> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = 32;
    message.attributes.push(RouteAttribute::Destination(IpAddr::from(target).into()));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    socket::serialize(header, RouteNetlinkMessage::GetRoute(message))
}

#[test]
fn a_connection_that_ended_is_made_anew() {
    in_namespace(async || {
        veth();
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        observer.lookups = Questions::ended();
        ip("route add default via 192.0.2.1");
        assert!(ready(&gate, &mut observer).await);
        observer.barrier = Some(Questions::ended());
        ip("link set va0 down");
        becomes(false, &gate, &mut observer).await;
    });
}

#[test]
fn what_others_send_is_not_believed() {
    in_namespace(async || {
        veth();
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        let mut address = SocketAddr::new(0, 0);
        observer.events.address(&mut address);
        // A default route that the kernel never had.
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = 254;
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Oif(1));
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        let bytes = socket::serialize(header, RouteNetlinkMessage::NewRoute(message));
        let forger = Socket::new(NETLINK_ROUTE).unwrap();
        forger.send_to(&bytes, &address, 0).unwrap();
        let mut seen = 0;
        observer.changed().await.unwrap();
        observer.drain(&mut |_| seen += 1).unwrap();
        assert_eq!(seen, 0);
        assert!(!observer.stale());
        assert!(!ready(&gate, &mut observer).await);
    });
}

/// A full receive buffer makes the kernel refuse a dump (-ENOBUFS), which is no empty list.
#[test]
fn a_refused_dump_is_tried_again() {
    in_namespace(async || {
        veth();
        let mut dumps = DumpSocket::open().unwrap();
        let mut address = SocketAddr::new(0, 0);
        dumps.address(&mut address);
        let filler = Socket::new(NETLINK_ROUTE).unwrap();
        filler.set_non_blocking(true).unwrap();
        let junk = vec![0; 16 * 1024];
        let mut sent = 0;
        while filler.send_to(&junk, &address, libc::MSG_DONTWAIT).is_ok() {
            sent += 1;
        }
        assert!(sent > 3, "the buffer must be full: {sent}");
        let (links, addresses) = tables::links(&mut dumps).await.unwrap();
        assert_eq!(
            links.len(),
            Command::new("ip").args(["-o", "link"]).output().unwrap().stdout.split(|b| *b == b'\n').count()
                - 1
        );
        assert!(addresses.iter().any(|address| address.local == IpAddr::from([192, 0, 2, 10])));
    });
}

/// Changes meanwhile interrupt a dump (NLM_F_DUMP_INTR): no list that is given out is torn.
#[test]
fn an_interrupted_dump_is_done_again() {
    in_namespace(async || {
        veth();
        let steady: String =
            (0..400).map(|i| format!("addr add 10.1.{}.{}/32 dev va0\n", i / 200, i % 200 + 1)).collect();
        batch(&steady);
        let churn = "addr add 10.2.0.1/32 dev va0\naddr del 10.2.0.1/32 dev va0\n".repeat(2000);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, churn).unwrap();
        let mut storm = Command::new("ip").arg("-batch").arg(file.path()).spawn().unwrap();
        let mut dumps = DumpSocket::open().unwrap();
        let mut whole = 0;
        while storm.try_wait().unwrap().is_none() {
            match tables::links(&mut dumps).await {
                Ok((_, addresses)) => {
                    let steady = addresses.iter().filter(|address| match address.local {
                        IpAddr::V4(v4) => v4.octets()[..2] == [10, 1],
                        IpAddr::V6(_) => false,
                    });
                    assert_eq!(steady.count(), 400);
                    whole += 1;
                }
                Err(DumpError::Interrupted) => {}
                Err(error) => panic!("{error}"),
            }
        }
        println!("{whole} whole lists during the storm");
        let (_, addresses) = tables::links(&mut dumps).await.unwrap();
        assert!(addresses.iter().all(|address| address.local != IpAddr::from([10, 2, 0, 1])));
    });
}

#[test]
fn an_overrun_loses_nothing_in_the_end() {
    in_namespace(async || {
        veth();
        let gate = default_ipv4();
        let mut observer = opened(&gate, 4096).await;
        // Nobody reads meanwhile: far more than the buffer holds.
        let mut lines: String = (0..200).map(|i| format!("addr add 10.1.0.{}/32 dev va0\n", i + 1)).collect();
        lines.push_str("route add default via 192.0.2.1\n");
        lines.extend((0..200).map(|i| format!("addr del 10.1.0.{}/32 dev va0\n", i + 1)));
        batch(&lines);
        let mut lost = 0;
        observer.drain(&mut |glimpse| lost += u32::from(matches!(glimpse, Glimpse::Lost))).unwrap();
        assert!(lost > 0, "the buffer held all of it: nothing is tested");
        assert!(ready(&gate, &mut observer).await);
        assert_eq!(observer.network().addresses_of(observer.index("va0")).count(), 3);
    });
}

/// In a namespace without a link for it an IPv6 host is no different: both families, one path.
#[test]
fn a_default_that_a_more_specific_route_hides_from_lookups_is_found_in_the_table() {
    in_namespace(async || {
        veth();
        batch(
            "route add default via 192.0.2.1\nroute add 0.0.0.0/1 via 192.0.2.2\nroute add 128.0.0.0/1 via 192.0.2.2\n\
             addr add 2001:db8:1::10/64 dev va0 nodad\nroute add default via 2001:db8:1::1\n\
             route add ::/1 via 2001:db8:1::2\nroute add 2000::/3 via 2001:db8:1::2\n",
        );
        for gate in [default_ipv4(), gate(Options { ipv6: true, ..Options::default() })] {
            let mut observer = opened(&gate, RECEIVE_BUFFER).await;
            assert!(ready(&gate, &mut observer).await, "{gate:?}");
            assert!(!observer.network().routes.complete.is_empty(), "the table was read");
        }
    });
}

#[test]
fn a_lookup_alone_answers_where_it_can() {
    in_namespace(async || {
        veth();
        ip("route add default via 192.0.2.1");
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        assert!(ready(&gate, &mut observer).await);
        assert!(observer.network().routes.complete.is_empty(), "no table was read");
    });
}

/// Two links with a default route each, of both families; the one of better metric has no carrier.
fn dead_before_live() {
    batch(
        "link add va0 type veth peer name vb0\nlink set lo up\nlink set va0 up\nlink set vb0 up\n\
         link add vc0 type veth peer name vd0\nlink set vc0 up\nlink set vd0 up\n\
         addr add 192.0.2.10/24 dev va0\naddr add 2001:db8:1::10/64 dev va0 nodad\n\
         addr add 198.51.100.10/24 dev vc0\naddr add 2001:db8:2::10/64 dev vc0 nodad\n\
         route add default via 192.0.2.1 metric 50\nroute add default via 198.51.100.1 metric 100\n\
         route add default via 2001:db8:1::1 metric 50\nroute add default via 2001:db8:2::1 metric 100\n\
         link set vb0 down\n",
    );
}

/// Of this thread's namespace.
fn sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{}", name.replace('.', "/")), value).unwrap();
}

fn families() -> [(&'static str, Gate); 2] {
    [("ipv4", default_ipv4()), ("ipv6", gate(Options { ipv6: true, ..Options::default() }))]
}

/// No route, no link, no address changes with the setting: only the netconf message tells.
#[test]
fn a_dead_default_hides_a_live_one_until_the_kernel_is_told_to_pass_it_over() {
    in_namespace(async || {
        dead_before_live();
        for (family, gate) in families() {
            let mut observer = opened(&gate, RECEIVE_BUFFER).await;
            let flagged = |observer: &Observer| {
                observer.network().routes.known.iter().flat_map(|route| &route.hops).any(|hop| hop.linkdown)
            };
            // The kernel's linkwatch gets to it up to a second later.
            while !flagged(&observer) {
                observer.changed().await.unwrap();
                assert!(!ready(&gate, &mut observer).await);
            }
            for of in ["va0", "all"] {
                let setting = format!("{family}.conf.{of}.ignore_routes_with_linkdown");
                sysctl(&setting, "1");
                observer.changed().await.unwrap();
                assert!(ready(&gate, &mut observer).await, "{setting}");
                sysctl(&setting, "0");
                observer.changed().await.unwrap();
                assert!(!ready(&gate, &mut observer).await, "{setting}");
            }
            // Another setting of the link says nothing of routes.
            sysctl(&format!("{family}.conf.va0.forwarding"), "1");
            observer.changed().await.unwrap();
            while observer.drain(&mut |_| {}).unwrap() == Drained::More {}
            assert!(!observer.stale());
            sysctl(&format!("{family}.conf.va0.forwarding"), "0");
        }
    });
}

/// The route that was passed over is not among those that were read, and comes back with its link. Its
/// link has no address of its own to send from, so what the kernel takes then is of no use.
#[test]
fn a_route_that_was_passed_over_hides_again_when_its_link_is_back() {
    in_namespace(async || {
        dead_before_live();
        batch("addr flush dev va0 scope global\nroute add default dev va0 metric 50\n");
        sysctl("ipv4.conf.all.ignore_routes_with_linkdown", "1");
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        becomes(true, &gate, &mut observer).await;
        ip("link set vb0 up");
        becomes(false, &gate, &mut observer).await;
        ip("link set vb0 down");
        becomes(true, &gate, &mut observer).await;
    });
}

#[test]
fn a_refusing_default_hides_a_live_one_while_it_stands() {
    in_namespace(async || {
        dead_before_live();
        ip("link set vb0 up");
        for (family, gate) in families() {
            let family = if family == "ipv4" { "-4" } else { "-6" };
            let mut observer = opened(&gate, RECEIVE_BUFFER).await;
            becomes(true, &gate, &mut observer).await;
            for kind in ["unreachable", "blackhole", "prohibit", "throw"] {
                ip(&format!("{family} route add {kind} default metric 1"));
                assert!(!ready(&gate, &mut observer).await, "{kind}");
                ip(&format!("{family} route del {kind} default metric 1"));
                assert!(ready(&gate, &mut observer).await, "{kind}");
                ip(&format!("{family} route add {kind} default metric 4000"));
                assert!(ready(&gate, &mut observer).await, "{kind}");
                ip(&format!("{family} route del {kind} default metric 4000"));
            }
        }
    });
}

#[test]
fn a_lookup_obeys_policy_rules() {
    in_namespace(async || {
        veth();
        batch("route add default via 192.0.2.1 table 100\n");
        let target = IpAddr::from([198, 51, 100, 7]);
        let gate = gate(Options { route_to: vec![target.to_string()], ..Options::default() });
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        assert!(!ready(&gate, &mut observer).await);
        ip("rule add to 198.51.100.0/24 table 100");
        assert!(ready(&gate, &mut observer).await);
        assert!(matches!(observer.network().lookups[&RouteTo::target(target)], Lookup::Way { .. }));
        ip("rule del to 198.51.100.0/24 table 100");
        assert!(!ready(&gate, &mut observer).await);
    });
}

#[test]
fn an_unreachable_default_is_read_as_what_it_is() {
    in_namespace(async || {
        veth();
        ip("route add unreachable default metric 4278198272");
        let gate = default_ipv4();
        let mut observer = opened(&gate, RECEIVE_BUFFER).await;
        assert!(!ready(&gate, &mut observer).await);
        assert_eq!(observer.network().routes.known[0].kind, RouteKind::Unreachable);
    });
}

/// After any sequence of changes, what was kept from events is what a fresh look finds.
#[test]
fn what_is_kept_is_what_a_fresh_look_finds() {
    let steps = [
        "link set {} up",
        "link set {} down",
        "link set {} up",
        "addr add 10.0.{n}.1/24 dev {}",
        "addr del 10.0.{n}.1/24 dev {}",
        "addr add 2001:db8:{n}::1/64 dev {} nodad",
        "addr flush dev {}",
        "route add default via 192.0.2.1",
        "route del default",
        "route replace default dev {} metric 5",
        "route add unreachable default metric 900",
        "route add blackhole default",
        "route add default via 192.0.2.1 tos 16",
        "route append default dev {} metric 5",
        "route flush table main",
        "link set {} name vx{n}",
        "link add vy{n} type veth peer name vz{n}",
        "link del {}",
        "nexthop replace id 7 dev {}",
        "nexthop del id 7",
        "route replace default nhid 7",
        "route add 198.51.100.0/24 dev {}",
        "route add default dev {} table 100",
    ];
    for receive_buffer in [RECEIVE_BUFFER, 4096] {
        for seed in 0..6_u64 {
            std::thread::spawn(move || {
                in_namespace(async || {
                    veth();
                    let gate = gate(Options {
                        route: vec!["default".to_owned(), "198.51.100.0/24".to_owned()],
                        ..Options::default()
                    });
                    let mut observer = opened(&gate, receive_buffer).await;
                    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                    let mut history = Vec::new();
                    for _ in 0..12 {
                        for _ in 0..6 {
                            random = random
                                .wrapping_mul(6_364_136_223_846_793_005)
                                .wrapping_add(1_442_695_040_888_963_407);
                            let number = random >> 33;
                            let names: Vec<String> =
                                observer.network().links().map(|link| link.ifname.clone()).collect();
                            let name = &names[usize::try_from(number).unwrap() / 64 % names.len()];
                            let step = steps[usize::try_from(number).unwrap() % steps.len()]
                                .replace("{}", name)
                                .replace("{n}", &(number % 4).to_string());
                            // Many fail, as a link of that name is there or an address is not.
                            let done = Command::new("ip")
                                .args(step.split_whitespace())
                                .stderr(Stdio::null())
                                .status()
                                .unwrap();
                            history.push((step, done.success()));
                        }
                        // The kernel goes on by itself for a while (operstate, duplicate address
                        // detection): what differs must differ again and again to count.
                        let mut tries = 0;
                        loop {
                            settle(&mut observer, &gate).await;
                            let fresh = opened(&gate, RECEIVE_BUFFER).await;
                            let (kept, fresh) = (observer.network(), fresh.network());
                            let verdict = |network| {
                                let verdict = evaluate(&gate, network, Moment::default());
                                (verdict.ready(), verdict.unread)
                            };
                            if kept.links().eq(fresh.links())
                                && announced(kept).eq(announced(fresh))
                                && verdict(kept) == verdict(fresh)
                            {
                                break;
                            }
                            tries += 1;
                            assert!(tries < 100, "seed {seed}: {history:#?}\n{kept:#?}\n{fresh:#?}");
                        }
                    }
                });
            })
            .join()
            .unwrap();
        }
    }
}

/// The kernel does not announce a link-local address that it made itself before it is usable.
fn announced(network: &Network) -> impl Iterator<Item = &crate::model::Address> {
    let hidden =
        |address: &crate::model::Address| address.tentative() && crate::model::link_local(address.local);
    network.addresses().filter(move |address| !hidden(address))
}

impl Observer {
    fn index(&self, name: &str) -> u32 {
        self.network.links().find(|link| link.named(name)).unwrap().ifindex
    }
}

impl EventSocket {
    fn address(&self, address: &mut SocketAddr) {
        self.descriptor().get_address(address).unwrap();
    }
}

impl DumpSocket {
    fn address(&self, address: &mut SocketAddr) {
        self.descriptor().get_address(address).unwrap();
    }
}
