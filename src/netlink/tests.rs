//! The sockets against this kernel, each test in a network namespace of its own: what gets lost on the way, and
//! what a lookup says too early.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::*;

mod simulated;

/// Runs a test in a network namespace of its own, on this thread's runtime.
pub(crate) fn in_namespace(test: impl AsyncFnOnce()) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace, which needs root");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(test());
}

#[track_caller]
pub(crate) fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(done.success(), "ip {arguments}");
}

#[track_caller]
pub(crate) fn batch(lines: &str) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

pub(crate) fn veth() {
    batch(
        "link add va0 type veth peer name vb0\nlink set lo up\nlink set va0 up\nlink set vb0 up\n\
         addr add 192.0.2.10/24 dev va0\naddr add 192.0.2.20/32 dev va0\n",
    );
}

/// A reader that is awake when RTM_DELADDR comes asks before the kernel has flushed what it announced.
/// Without the barrier such lookups find the route that is about to go; after it, never.
#[test]
#[ignore = "needs a network namespace"]
fn the_barrier_keeps_lookups_from_seeing_what_is_about_to_go() {
    /// A lookup without the barrier is wrong within the first few tries if both threads run at the same time. On one
    /// processor, or on a busy machine, they may never do so. That is no mistake, so it is only printed.
    const LONGEST: Duration = Duration::from_secs(5);
    in_namespace(async || {
        veth();
        ip("addr flush dev va0");
        let mut race = Race::new();
        let end = clock::now() + LONGEST;
        let mut tries = 0;
        let mut wrong = false;
        while !wrong && clock::now() < end {
            tries += 1;
            wrong = race.run_up() && race.lookup_finds_it();
        }
        println!("without the barrier, wrong: {wrong}, after {tries} tries");
        let mut requests = RequestSocket::open().unwrap();
        for _ in 0..tries.clamp(200, 2000) {
            race.run_up();
            requests.pass_barrier().await.unwrap();
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

/// A full receive buffer makes the kernel refuse a dump (-ENOBUFS), which is no empty list.
#[test]
#[ignore = "needs a network namespace"]
fn a_refused_dump_is_tried_again() {
    in_namespace(async || {
        veth();
        let mut dumps = RequestSocket::open().unwrap();
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
#[ignore = "needs a network namespace"]
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
        let mut dumps = RequestSocket::open().unwrap();
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
#[ignore = "needs a network namespace"]
fn what_others_send_is_not_believed() {
    in_namespace(async || {
        veth();
        let mut notifications = Notifications::subscribe(&default_ipv4(), RECEIVE_BUFFER).unwrap();
        while notifications.take().unwrap() != Notification::Dry {}
        let mut address = SocketAddr::new(0, 0);
        notifications.socket.address(&mut address);
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
        notifications.readable().await.unwrap();
        assert_eq!(notifications.take().unwrap(), Notification::Dry);
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_full_receive_buffer_is_told_as_a_loss() {
    in_namespace(async || {
        veth();
        let mut notifications = Notifications::subscribe(&default_ipv4(), 4096).unwrap();
        // Nobody reads meanwhile: far more than the buffer holds.
        let lines: String = (0..200).map(|i| format!("addr add 10.1.0.{}/32 dev va0\n", i + 1)).collect();
        batch(&lines);
        let taken = std::iter::from_fn(|| {
            Some(notifications.take().unwrap()).filter(|taken| *taken != Notification::Dry)
        });
        let lost = taken.filter(|taken| *taken == Notification::Lost(Stale::ALL)).count();
        assert!(lost > 0, "the buffer held all of it: nothing is tested");
    });
}

fn default_ipv4() -> Wants {
    let prefix = "0.0.0.0/0".parse().unwrap();
    Wants { routes: [(prefix, crate::requirement::Table::MAIN)].into(), ..Wants::default() }
}

impl EventSocket {
    fn address(&self, address: &mut SocketAddr) {
        self.descriptor().get_address(address).unwrap();
    }
}

impl RequestSocket {
    fn address(&self, address: &mut SocketAddr) {
        self.descriptor().get_address(address).unwrap();
    }
}
