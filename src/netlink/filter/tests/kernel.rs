//! The program on a real netlink socket, in a network namespace of this test's own.

use std::process::Command;

use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sched::{CloneFlags, unshare};
use socket2::SockRef;

use super::super::program;
use super::wants;
use crate::model::Message;
use crate::moment::Moment;
use crate::netlink::decode::{Event, event, frames};
use crate::netlink::socket::{EventSocket, Received};

fn ip(command: &str) {
    let status = Command::new("ip").args(command.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {command}");
}

/// The destinations of all route messages that got through, and how many messages of other sorts.
fn received(socket: &Socket) -> (Vec<String>, usize) {
    let (mut destinations, mut others) = (Vec::new(), 0);
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        buffer.clear();
        match socket.recv(&mut buffer, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return (destinations, others),
            Err(error) => panic!("{error}"),
        }
        for frame in frames(&buffer) {
            match event(frame.unwrap(), Moment::default()) {
                Event::Message(Message::Route(route, _)) => destinations.push(route.destination.to_string()),
                Event::Message(_) | Event::Irrelevant | Event::Undecodable(_) => others += 1,
            }
        }
    }
}

fn in_a_namespace(test: impl FnOnce() + Send + 'static) {
    let in_it = move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace, which needs root");
        test();
    };
    std::thread::spawn(in_it).join().unwrap();
}

#[test]
#[ignore = "needs a network namespace"]
fn of_what_ip_does_only_the_wanted_gets_through() {
    in_a_namespace(|| {
        let wants = wants(&["0.0.0.0/0", "2001:db8:7::/48"], &["198.51.100.7"]);
        let mut socket = Socket::new(NETLINK_ROUTE).unwrap();
        SockRef::from(&borrow(&socket)).attach_filter(&program(&wants)).unwrap();
        // RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE
        socket.bind(&SocketAddr::new(0, 1 | 1 << 4 | 1 << 6 | 1 << 10)).unwrap();
        ip("link add ve0 type veth peer name ve1");
        ip("link set ve1 up");
        ip("link set ve0 up");
        ip("addr add 192.0.2.10/24 dev ve0");
        ip("-6 addr add 2001:db8::10/64 dev ve0 nodad");
        let (routes, others) = received(&socket);
        assert!(others >= 4, "links and addresses pass: {others}");
        assert_eq!(routes, Vec::<String>::new(), "connected and local routes are nobody's");

        for route in ["10.0.0.0/8", "198.51.101.0/24", "2001:db8:8::/48", "2001:db8:7::/49"] {
            ip(&format!("route add {route} dev ve0"));
            ip(&format!("route del {route} dev ve0"));
        }
        assert_eq!(received(&socket).0, Vec::<String>::new());

        ip("route add default via 192.0.2.1 dev ve0 metric 100");
        ip("route replace default via 192.0.2.2 dev ve0 metric 100");
        ip("route del default");
        assert_eq!(received(&socket).0, ["0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"]);
        ip("route add 198.51.100.0/24 dev ve0 table 77");
        ip("route add unreachable 198.51.100.7/32");
        ip("-6 route add 2001:db8:7::/48 dev ve0");
        assert_eq!(received(&socket).0, ["198.51.100.0/24", "198.51.100.7/32", "2001:db8:7::/48"]);
    });
}

fn borrow(socket: &Socket) -> std::os::fd::BorrowedFd<'_> {
    use std::os::fd::AsRawFd;
    // SAFETY: the socket owns the descriptor and outlives the borrow.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// What a program costs is counted against net.core.optmem_max: 20480 octets before Linux 6.8, which fifteen
/// IPv6 targets exceed (ENOMEM). A reload needs room for the old one and the new one at once.
#[test]
#[ignore = "needs a network namespace"]
fn where_the_kernel_has_no_room_for_the_program_everything_is_told() {
    in_a_namespace(|| {
        // A kernel where it is not a namespace's own is older than 6.8 too, and has this value anyway.
        let _ = std::fs::write("/proc/sys/net/core/optmem_max", "20480");
        let targets =
            |count: u32| -> Vec<String> { (0..count).map(|at| format!("2001:db8::{at:x}")).collect() };
        let program = |count: u32| {
            let targets = targets(count);
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            program(&wants(&[], &targets))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let mut reloaded = EventSocket::open(&program(9), 1 << 20).unwrap();
            ip("route add unreachable 10.0.0.0/8");
            assert!(matches!(reloaded.receive().unwrap(), Received::Empty), "the program is at work");
            reloaded.set_filter(&program(8)).unwrap();
            let mut opened = EventSocket::open(&program(20), 1 << 20).unwrap();
            ip("route add unreachable 10.1.0.0/16");
            for socket in [&mut reloaded, &mut opened] {
                assert!(matches!(socket.receive().unwrap(), Received::Datagram));
            }
        });
    });
}
