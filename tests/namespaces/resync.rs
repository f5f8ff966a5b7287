//! netready misses nothing and believes nothing false: buffer overruns, storms of changes, foreign sequence
//! numbers, forged messages, stale answers.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Netns, Process, Storm, UP0, UP1};
use crate::netns;

const ADDR0: &str = "addr add 192.0.2.1/24 dev va0";
const DEFAULT0: &str = "route add default via 192.0.2.254 dev va0";
const SMALL: &[&str] = &["--receive-buffer", "4096"];

/// A netlink socket of the test, for messages that `ip` cannot send.
struct Netlink(OwnedFd);

impl Netlink {
    fn new() -> Netlink {
        // SAFETY: the descriptor is new, so nothing else owns it.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
        };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the descriptor is open, and nothing else owns it.
        Netlink(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    fn send(&self, message: &[u8], port: u32) -> io::Result<()> {
        // SAFETY: a sockaddr_nl with all bytes zero is valid.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_pid = port;
        // SAFETY: the pointers and lengths belong to objects that live during the call.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                message.as_ptr().cast(),
                message.len(),
                0,
                (&raw const address).cast(),
                size_of::<libc::sockaddr_nl>() as u32,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn message(kind: u16, flags: u16, seq: u32, port: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + body.len()).unwrap();
    let mut bytes = Vec::new();
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    bytes.extend(port.to_ne_bytes());
    bytes.extend(body);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

/// Returns the rtmsg of an IPv4 unicast route in the main table.
fn route_body(destination: [u8; 4], length: u8, ifindex: u32) -> Vec<u8> {
    let mut body = vec![2, length, 0, 0, 254, 3, 253, 1, 0, 0, 0, 0];
    if length > 0 {
        body.extend(attribute(1, &destination));
    }
    body.extend(attribute(4, &ifindex.to_ne_bytes()));
    body
}

fn address_body(address: [u8; 4], ifindex: u32) -> Vec<u8> {
    let mut body = vec![2, 24, 0x80, 0];
    body.extend(ifindex.to_ne_bytes());
    body.extend(attribute(1, &address));
    body.extend(attribute(2, &address));
    body
}

fn ifindex(ns: &Netns, name: &str) -> u32 {
    u32::try_from(ns.ip_json(&format!("link show {name}"))[0]["ifindex"].as_u64().unwrap()).unwrap()
}

/// Returns the port and the groups of every rtnetlink socket of the process.
fn ports(gate: &Process) -> Vec<(u32, u32)> {
    let mut inodes = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/fd", gate.pid())).unwrap() {
        let target = std::fs::read_link(entry.unwrap().path()).unwrap_or_default();
        if let Some(inode) = target.to_str().and_then(|t| t.strip_prefix("socket:[")?.strip_suffix(']')) {
            inodes.push(inode.to_owned());
        }
    }
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    table
        .lines()
        .skip(1)
        .map(|l| l.split_whitespace().collect::<Vec<_>>())
        .filter(|f| f[1] == "0" && inodes.iter().any(|i| i == f[9]))
        .map(|f| (f[2].parse().unwrap(), u32::from_str_radix(f[3], 16).unwrap()))
        .collect()
}

fn with_small_buffer(ns: &Netns, options: &[&str]) -> Process {
    ns.run(&[options, SMALL, &["-t", "infinity"]].concat())
}

#[test]
#[ignore = "needs a network namespace"]
fn an_overrun_by_addresses() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = with_small_buffer(&ns, &["-i", "va0", "-a", "198.51.100.7"]);
    gate.expect_waiting();
    // Fifty addresses are added at once, and the last one meets the gate. netready is stopped meanwhile, so that
    // the buffer overflows.
    gate.signal(crate::harness::Signal::SIGSTOP);
    let adds: String = (1..=50).map(|n| format!("addr add 192.0.2.{n}/32 dev va0\n")).collect();
    ns.ip_batch(&format!("{adds}addr add 198.51.100.7/24 dev va0\n"));
    gate.signal(crate::harness::Signal::SIGCONT);
    gate.expect_ready();
    gate.signal(crate::harness::Signal::SIGSTOP);
    ns.ip_batch(&format!(
        "{}addr del 198.51.100.7/24 dev va0\n",
        adds.replace("add 192", "del 192").replace("addr add", "addr del")
    ));
    gate.signal(crate::harness::Signal::SIGCONT);
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn ten_thousand_changes_through_four_kilobytes() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}"));
    let gates = [
        with_small_buffer(&ns, &["-4"]),
        with_small_buffer(&ns, &["-r", "203.0.113.0/24"]),
        with_small_buffer(&ns, &["--route-to", "203.0.113.7"]),
        with_small_buffer(&ns, &["-i", "va0", "-a", "198.51.100.7"]),
    ];
    for gate in &gates {
        gate.expect_waiting();
    }
    let mut batch = String::new();
    for n in 0..3000_u32 {
        batch += &format!("route add 10.{}.{}.0/24 dev va0\n", n / 256, n % 256);
    }
    batch += "route add 203.0.113.0/24 via 192.0.2.254\nroute add default via 192.0.2.254\naddr add 198.51.100.7/24 dev va0\n";
    for n in 0..1000_u32 {
        batch += &format!(
            "addr add 172.16.{}.{}/32 dev va0\naddr del 172.16.{}.{}/32 dev va0\n",
            n / 250,
            n % 250,
            n / 250,
            n % 250
        );
    }
    for n in 0..2500_u32 {
        batch += &format!(
            "route del 10.{}.{}.0/24 dev va0\nroute replace 10.200.0.0/16 dev va0 metric {n}\n",
            n / 256,
            n % 256
        );
    }
    ns.ip_batch(&batch);
    for gate in &gates {
        gate.expect_ready();
        gate.stays_ready();
    }
    for gate in ["-4", "-r 203.0.113.0/24", "--route-to 203.0.113.7", "-i va0 -a 198.51.100.7"] {
        let options: Vec<&str> = gate.split_whitespace().collect();
        ns.check(&[options.as_slice(), SMALL].concat()).assert_ready();
    }
    // The address is removed during another storm of this kind.
    let mut batch = String::new();
    for n in 0..2000_u32 {
        batch += &format!(
            "route replace 10.201.{}.0/24 dev va0 metric 7\nroute del 10.201.{}.0/24 dev va0 metric 7\n",
            n % 256,
            n % 256
        );
        if n == 1000 {
            batch += "route del default\nroute del 203.0.113.0/24\naddr del 198.51.100.7/24 dev va0\n";
        }
    }
    ns.ip_batch(&batch);
    for gate in &gates {
        gate.expect_lost();
    }
}

/// A wanted event during a storm is not queued behind the storm.
#[test]
#[ignore = "needs a network namespace"]
fn a_storm_elsewhere_delays_nothing() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {UP1}; {ADDR0}"));
    ns.ip("addr add 198.51.100.1/24 dev va1");
    let gate = ns.run(&["-4"]);
    gate.expect_waiting();
    let storm = Storm::start(|n| {
        let address = format!("172.16.{}.{}/32 dev va1", n / 250 % 250, n % 250);
        format!("addr add {address}\naddr del {address}\n")
    });
    std::thread::sleep(Duration::from_millis(300));
    let (before, used) = (Instant::now(), cpu_ms(&gate));
    ns.ip(DEFAULT0);
    // The storm does not end by itself, so the event was not queued behind it.
    gate.expect_ready();
    let (took, cpu) = (before.elapsed().as_millis(), cpu_ms(&gate) - used);
    drop(storm);
    assert!(u128::from(cpu) < 500 + took / 2, "{cpu} ms of CPU time in {took} ms");
    ns.check(&["-4"]).assert_ready();
}

fn cpu_ms(gate: &Process) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", gate.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

/// Routes that no requirement needs do not even wake netready.
#[test]
#[ignore = "needs a network namespace"]
fn unwanted_routes_are_filtered_by_the_kernel() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}; {DEFAULT0}"));
    let gate = ns.run(&["-4"]);
    gate.expect_ready();
    let before = waits(&gate);
    let mut batch = String::new();
    for n in 0..10_000_u32 {
        batch += &format!("route add 10.{}.{}.0/24 dev va0\n", n / 256, n % 256);
    }
    ns.ip_batch(&batch);
    gate.stays_ready();
    let woken = waits(&gate) - before;
    assert!(woken <= 200, "woken {woken} times for 10,000 routes that nobody wants");
}

/// How often the first thread of the process has waited for something.
fn waits(gate: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

/// Route messages of another process have its own nlmsg_seq, with numbers as small as those of netready's dumps.
/// None of them ends a dump.
#[test]
#[ignore = "needs a network namespace"]
fn foreign_sequence_numbers() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}"));
    let many: String =
        (0..4000_u32).map(|n| format!("route add 10.{}.{}.0/24 dev va0\n", n / 256, n % 256)).collect();
    ns.ip_batch(&many);
    ns.ip("route add 203.0.113.0/24 via 192.0.2.254; route add 203.0.113.0/25 via 192.0.2.254; route add 203.0.113.128/25 via 192.0.2.254");
    ns.ip("link add va1 type veth peer name vb1; link set va1 up");
    let index = ifindex(&ns, "va0");
    let stop = AtomicBool::new(false);
    let ns_fd = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            nix::sched::setns(&ns_fd, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let netlink = Netlink::new();
            let body = route_body([198, 18, 0, 0], 24, index);
            let mut seq = 0;
            while !stop.load(Ordering::Relaxed) {
                seq = seq % 24 + 1;
                let _ = netlink.send(&message(RTM_NEWROUTE, 0x1 | 0x400, seq, 0, &body), 0);
                let _ = netlink.send(&message(RTM_DELROUTE, 0x1, seq, 0, &body), 0);
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..12 {
                // More specific routes cover the prefix, so a lookup cannot find it and netready reads the table.
                // The other checks are about links and addresses.
                ns.check(&["-r", "203.0.113.0/24"]).assert_ready();
                ns.check(&["-i", "va0", "-a", "192.0.2.1"]).assert_ready();
                ns.check(&["-r", "203.0.112.0/24"]).assert_unready("no-route", "203.0.112.0/24");
            }
            let gate = ns.run(&["-r", "203.0.113.0/24", "-a", "192.0.2.1"]);
            gate.expect_ready();
            for _ in 0..10 {
                ns.ip("link set vb1 up; link set vb1 down");
            }
            gate.stays_ready();
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Another process may be allowed to send netlink messages to netready's port. netready must not believe them.
#[test]
#[ignore = "needs a network namespace"]
fn messages_that_are_not_from_the_kernel() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 198.51.100.1/24 dev va0"));
    let address = ns.run(&["-i", "va0", "-a", "192.0.2.1", "-t", "infinity"]);
    let link = ns.run_gate("timeout = \"infinity\"\n[[require]]\ninterface = \"va7\"\ncarrier = true\n");
    let route = ns.run(&["-r", "203.0.113.0/24", "-t", "infinity"]);
    let ready = ns.run(&["-i", "va0"]);
    for gate in [&address, &link, &route] {
        gate.expect_waiting();
    }
    ready.expect_ready();
    let index = ifindex(&ns, "va0");
    let mut link_body = vec![0, 0, 1, 0];
    link_body.extend(9_u32.to_ne_bytes());
    link_body.extend(0x1_0043_u32.to_ne_bytes());
    link_body.extend([0xff; 4]);
    link_body.extend(attribute(3, b"va7\0"));
    link_body.extend(attribute(16, &[6]));
    let mut gone = vec![0, 0, 1, 0];
    gone.extend(index.to_ne_bytes());
    gone.extend([0; 8]);
    gone.extend(attribute(3, b"va0\0"));
    let forged = [
        message(RTM_NEWADDR, 0, 0, 0, &address_body([192, 0, 2, 1], index)),
        message(RTM_NEWLINK, 0, 0, 0, &link_body),
        message(RTM_NEWROUTE, 0, 0, 0, &route_body([203, 0, 113, 0], 24, index)),
        message(RTM_DELLINK, 0, 0, 0, &gone),
        message(3, 2, 1, 0, &[0; 4]),
        vec![0xff; 64],
        vec![1, 2, 3],
    ];
    let netlink = Netlink::new();
    for gate in [&address, &link, &route, &ready] {
        let ports = ports(gate);
        assert!(ports.iter().any(|(_, groups)| *groups != 0), "a subscribed socket: {ports:?}");
        for (port, _) in ports.iter().filter(|(port, _)| *port != 0) {
            for bytes in &forged {
                // A socket that is connected to the kernel refuses messages of others. This is fine.
                let _ = netlink.send(bytes, *port);
            }
        }
    }
    for gate in [&address, &link, &route] {
        gate.stays_unready();
    }
    ready.stays_ready();
    // netready still receives real messages.
    ns.ip(&format!("{ADDR0}; route add 203.0.113.0/24 via 192.0.2.254; link add va7 type veth peer name vb7; link set vb7 up; link set va7 up"));
    for gate in [&address, &link, &route] {
        gate.expect_ready();
    }
}

/// RTM_NEWLINK, RTM_DELADDR and RTM_DELNEXTHOP arrive before the kernel flushes the routes. An answer that is read
/// at that moment is stale, and no later message corrects it. The test repeats this many times and compares the
/// final verdict with a new `check` and with `ip`.
#[test]
#[ignore = "needs a network namespace"]
fn stale_answers() {
    let restore =
        "link set va0 up\naddr replace 192.0.2.1/24 dev va0\nroute replace default via 192.0.2.254 dev va0\n";
    let restore_nexthop = "link set va0 up\naddr replace 192.0.2.1/24 dev va0\nnexthop replace id 7 via 192.0.2.254 dev va0\nroute replace default nhid 7\n";
    for (restore, loss) in [
        (restore, "addr del 192.0.2.1/24 dev va0\n"),
        (restore, "link set va0 down\n"),
        (restore, "link set va0 down\nlink set va0 up\n"),
        (restore_nexthop, "nexthop del id 7\n"),
    ] {
        let ns = netns!();
        ns.ip(UP0);
        ns.ip_batch(restore);
        let gates = [
            ns.run(&["-4"]),
            ns.run(&["--route-to", "203.0.113.7"]),
            ns.run(&["-r", "default-ipv4", "-a", "192.0.2.1"]),
            // The address stays, so that only the route can cause the loss.
            ns.run(&["-r", "default"]),
        ];
        for gate in &gates {
            gate.expect_ready();
        }
        for round in 0..40 {
            ns.ip_batch(loss);
            assert!(ns.ip_json("-4 route show default").is_empty(), "{loss}");
            for gate in &gates {
                gate.expect_lost();
            }
            for gate in &gates {
                // No further message would correct the status, so it must not have changed back.
                assert!(
                    gate.last_status().starts_with("NOT ready"),
                    "round {round} of {loss}{}",
                    gate.transcript()
                );
            }
            if round % 10 == 0 {
                ns.check(&["-4"]).assert_unready("no-route", "");
                ns.check(&["--route-to", "203.0.113.7"]);
            }
            ns.ip_batch(restore);
            for gate in &gates {
                gate.expect_now_ready();
            }
        }
    }
}

/// A stale answer never leads to READY=1. The wanted address arrives at the same time as the default route goes
/// without a message.
#[test]
#[ignore = "needs a network namespace"]
fn no_ready_by_a_stale_route() {
    for loss in [
        "link set va0 down\nlink set va0 up\n",
        "addr del 192.0.2.1/24 dev va0\naddr add 192.0.2.1/24 dev va0\n",
    ] {
        for _ in 0..15 {
            let ns = netns!();
            ns.ip(&format!("{UP0}; {UP1}; {ADDR0}; {DEFAULT0}"));
            let gate = ns.run(&["-r", "default-ipv4", "-a", "198.51.100.7"]);
            gate.expect_status("198.51.100.7");
            ns.ip_batch(&format!("{loss}addr add 198.51.100.7/24 dev va1\n"));
            gate.expect_status("no default IPv4 route");
            assert!(!gate.is_ready(), "{loss}{}", gate.transcript());
        }
    }
}

/// The state changes between two parts of a dump: many links and addresses are renewed while dumps run.
#[test]
#[ignore = "needs a network namespace"]
fn interrupted_dumps() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}"));
    let links: String = (0..120).map(|n| format!("link add mv{n} link va0 type macvlan mode bridge\nlink set mv{n} up\naddr add 10.9.{n}.1/24 dev mv{n}\n")).collect();
    ns.ip_batch(&links);
    let _storm = Storm::start(|n| {
        let address = format!("172.16.{}.{}/32 dev mv{}", n / 250 % 250, n % 250, n % 120);
        format!("addr add {address}\naddr del {address}\n")
    });
    for _ in 0..6 {
        ns.check(&["-i", "mv119", "-a", "10.9.119.1"]).assert_ready();
        ns.check(&["-i", "mv0", "-a", "10.9.119.1"]).assert_unready("no-address", "mv0");
        let gate = ns.run(&["-i", "mv119", "-a", "10.9.119.1"]);
        gate.expect_ready();
    }
}

/// Anything may happen between subscribing and dumping, and between the dump and READY=1. netready starts while the
/// state changes all the time, and must end with the final state.
#[test]
#[ignore = "needs a network namespace"]
fn started_in_the_middle_of_it() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}"));
    for round in 0..20 {
        let there = round % 2 == 0;
        let mut changes = "route replace default via 192.0.2.254 dev va0\nroute del default\n".repeat(30);
        if there {
            changes += "route replace default via 192.0.2.253 dev va0\n";
        }
        let mut storm = ns.start_ip_batch(&changes);
        let gate = ns.run(&["-4"]);
        let wait = ns.wait(&["-4", "-q"]);
        assert!(storm.wait().unwrap().success());
        gate.expect_status_where("what the table says", |s| s.starts_with("Ready") == there);
        assert_eq!(ns.check(&["-4"]).ready(), there);
        if there {
            wait.expect_exit();
        }
        let _ = ns.try_ip("route del default");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn many_links_and_routes_cost_little_memory() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDR0}"));
    let routes: String =
        (0..30_000_u32).map(|n| format!("route add 10.{}.{}.0/24 dev va0\n", n / 256, n % 256)).collect();
    ns.ip_batch(&routes);
    ns.ip("route add 203.0.113.0/24 via 192.0.2.254; route add 203.0.113.0/25 dev va0; route add 203.0.113.128/25 dev va0");
    // More specific routes cover the prefix, so netready reads the table.
    let gate = ns.run(&["-r", "203.0.113.0/24", "-r", "192.0.2.0/24"]);
    gate.expect_ready();
    // Compare with a netready that reads no table, because most of a debug build's memory is its own code.
    let other = ns.run(&["-i", "va0"]);
    other.expect_ready();
    let peak = |process: &Process| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    };
    let (reader, other) = (peak(&gate), peak(&other));
    // If netready kept 30,000 routes, they would take 4 MB and more.
    assert!(reader < other + 2_500, "{reader} kB, and {other} kB without a table");
}
