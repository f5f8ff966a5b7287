//! Kinds of links that some kernels lack: vlan, bond, team, VRF, ipvlan, macsec, dummy, tun, tunnels.
//!
//! One test sets the clock, which a machine has only once.
//!
//! `tests/uml.rs` runs these tests in a kernel that has them. If the running kernel has them: `cargo test --test
//! namespaces -- --ignored`.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::{Exit, Netns, Signal, Tun, UP0, UP1};
use crate::netns;

/// A default route through a dummy link, as K3s's guide tells administrators of hosts without one. The card has no
/// carrier.
const AIR_GAPPED: &str =
    "link add va0 type veth peer name vb0; link set va0 up; addr add 192.168.10.110/24 dev va0
     link add dummy0 type dummy; link set dummy0 up; addr add 203.0.113.254/31 dev dummy0
     route add default via 203.0.113.255 dev dummy0 metric 1000";

/// Returns the names of links in a learned gate file.
fn asked(ns: &Netns) -> Vec<String> {
    let said = ns.output(&["learn"]);
    let lines = said.stdout.lines().filter_map(|line| line.strip_prefix("interface = "));
    lines.map(|name| name.trim_matches('"').to_owned()).collect()
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn stacked_links_follow_the_link_below() {
    for (kind, name) in [
        ("vlan id 7", "va0.7"),
        ("macvlan mode bridge", "mv0"),
        ("ipvlan mode l2", "ipvl0"),
        ("ipvlan mode l3", "ipvl1"),
        ("macsec sci 1", "ms0"),
    ] {
        let ns = netns!();
        ns.ip(&format!(
            "{UP0}; link add link va0 name {name} type {kind}; link set {name} up; addr add 192.0.2.10/24 dev {name}"
        ));
        let run = ns.run(&["-i", name, "-a", "ipv4"]);
        run.expect_ready();
        ns.ip("link set vb0 down");
        run.expect_lost();
        ns.check(&["-i", name, "-a", "ipv4"]).assert_unready("no-carrier", name);
        ns.check(&["-a", "ipv4"]).assert_unready("no-carrier", "192.0.2.10");
        ns.ip("link set vb0 up");
        run.expect_now_ready();
        ns.ip("link set va0 down");
        run.expect_lost();
    }
}

/// A vlan on a bridge without a live port has no carrier, whatever its flags say.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_vlan_on_a_bridge_needs_a_port() {
    let ns = netns!();
    ns.ip("link add br0 type bridge; link set br0 up; link add link br0 name br0.7 type vlan id 7
         link set br0.7 up; addr add 192.0.2.10/24 dev br0.7");
    let run = ns.run(&["-i", "br0.7", "-a", "ipv4"]);
    run.expect_status("bridge br0 has no port with carrier");
    ns.ip(&format!("{UP0}; link set va0 master br0"));
    run.expect_ready();
    ns.ip("link set vb0 down");
    run.expect_lost();
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_bond_has_carrier_while_a_port_has() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {UP1}; link set va0 down; link set va1 down"));
    ns.ip("link add bond0 type bond mode active-backup miimon 10; link set va0 master bond0; link set va1 master bond0");
    let bond = ns.run(&["-i", "bond0", "-a", "ipv4"]);
    bond.expect_waiting();
    ns.ip("link set bond0 up; addr add 192.0.2.10/24 dev bond0; route add default via 192.0.2.1");
    bond.expect_ready();
    ns.check(&[]).assert_ready();
    // A port is matched only by its name, and only its carrier is required. A pattern never matches it.
    ns.check(&["-i", "va0"]).assert_ready();
    ns.check(&["-i", "va*"]).assert_unready("absent", "va*");
    assert_eq!(asked(&ns), ["bond0"]);
    ns.ip("link set vb0 down");
    bond.stays_ready();
    ns.ip("link set vb1 down");
    bond.expect_lost();
    ns.check(&["-r", "default"]).assert_unready("route-dead|no-carrier", "bond0");
    ns.ip("link set vb0 up");
    bond.expect_now_ready();
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_team_has_carrier_while_a_port_has() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; link set va0 down; link add team0 type team; link set va0 master team0; link set va0 up"
    ));
    let team = ns.run(&["-i", "team0", "-a", "ipv4"]);
    team.expect_waiting();
    ns.ip("link set team0 up; addr add 192.0.2.10/24 dev team0; route add default via 192.0.2.1");
    team.expect_ready();
    ns.check(&["-i", "va0"]).assert_ready();
    ns.check(&["-i", "va*"]).assert_unready("absent", "va*");
    assert_eq!(asked(&ns), ["team0"]);
    ns.ip("link set vb0 down");
    team.expect_lost();
    ns.ip("link set vb0 up");
    team.expect_now_ready();
}

/// When a link moves into a VRF or out of it, its kept addresses become tentative without a message. The link has
/// no carrier in between, so that they stay tentative. An exact address counts without carrier.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn kept_addresses_of_a_link_that_changes_its_vrf() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; link add mgmt type vrf table 1001; link set mgmt up; link add prod type vrf table 1002; link set prod up
         sysctl net.ipv6.conf.va0.keep_addr_on_down=1; addr add 2001:db8::7/64 dev va0"
    ));
    let run = ns.run(&["-a", "2001:db8::7"]);
    for change in ["va0 master mgmt", "va0 master prod", "va0 nomaster", "va0 master mgmt", "mgmt"] {
        run.expect_now_ready();
        ns.ip("link set vb0 down");
        run.stays_ready();
        match change {
            // A VRF that is deleted releases its links.
            "mgmt" => ns.ip("link del mgmt"),
            _ => ns.ip(&format!("link set {change}")),
        }
        assert!(UdpSocket::bind("[2001:db8::7]:0").is_err(), "{change}: the kernel keeps it usable");
        assert!(run.expect_lost().contains("tentative"), "{change}");
        ns.ip("link set vb0 up");
    }
    run.expect_now_ready();
    assert!(UdpSocket::bind("[2001:db8::7]:0").is_ok());
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_member_of_a_vrf_is_no_port() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; link add mgmt type vrf table 1001; link set mgmt up; link set va0 master mgmt
         addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1 table 1001"
    ));
    ns.check(&["-i", "va*", "-a", "ipv4"]).assert_ready();
    ns.check(&["-r", "default-ipv4", "--table", "mgmt"]).assert_ready();
    ns.check(&["-r", "default-ipv4", "--table", "1001"]).assert_ready();
    ns.check(&["-r", "default-ipv4"]).assert_unready("no-route", "default IPv4 route");
    ns.check(&["-r", "default-ipv4", "--table", "other"]).assert_unready("absent", "VRF other");
}

/// A table that is named by its VRF, and route-to in that VRF, follow the VRF's device through all its states. A
/// program in the VRF shows what is right.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_vrf_that_comes_goes_and_is_renamed() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.10/24 dev va0"));
    let gates: [&[&str]; 2] =
        [&["-r", "default-ipv4", "--table", "mgmt"], &["--route-to", "198.51.100.7", "--table", "mgmt"]];
    let runs = gates.map(|options| ns.run(options));
    let became = |what: &str, ready: bool| {
        assert_eq!(connects_in("mgmt"), ready, "{what}: a program in the VRF");
        for (run, options) in runs.iter().zip(gates) {
            if ready {
                drop(run.expect_now_ready())
            } else {
                drop(run.expect_status_where(what, |s| !s.starts_with("Ready")))
            }
            assert_eq!(ns.check(options).ready(), ready, "{what}: {options:?}");
        }
    };
    const DEFAULT: &str = "route replace default via 192.0.2.1 dev va0 table 1001";
    became("it is not there", false);
    ns.ip("link add mgmt type vrf table 1001");
    became("it is down, and its table empty", false);
    ns.ip(&format!("link set va0 master mgmt; {DEFAULT}"));
    became("it is down", false);
    ns.ip("link set mgmt up");
    became("it is up", true);
    ns.ip("link set mgmt down");
    became("it was set down", false);
    ns.ip("link set mgmt name red");
    became("it has another name", false);
    ns.ip(&format!("link set red name mgmt; link set mgmt up; {DEFAULT}",));
    became("it has its name again", true);
    ns.ip("link set va0 nomaster");
    became("its link was taken out", false);
    ns.ip(&format!("link set va0 master mgmt; {DEFAULT}"));
    became("its link is back", true);
    ns.ip("link del mgmt");
    became("it was deleted", false);
    // Another VRF gets the same name, with another table.
    ns.ip("link add mgmt type vrf table 1002; link set mgmt up; link set va0 master mgmt");
    became("the new one's table is empty", false);
    ns.ip("route add default via 192.0.2.1 dev va0 table 1002");
    became("the new one has a route", true);
}

/// A gate may name a VRF by an altname.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_vrf_is_known_by_its_altname() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; link add red type vrf table 1001; link set red up; link set va0 master red
         addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1 table 1001"
    ));
    let gates: [&[&str]; 2] =
        [&["-r", "default-ipv4", "--table", "mgmt"], &["--route-to", "198.51.100.7", "--table", "mgmt"]];
    let runs = gates.map(|options| ns.run(options));
    for run in &runs {
        run.expect_status("mgmt");
    }
    ns.ip("link property add dev red altname mgmt");
    for (run, options) in runs.iter().zip(gates) {
        run.expect_ready();
        ns.check(options).assert_ready();
    }
    ns.ip("link property del dev red altname mgmt");
    for (run, options) in runs.iter().zip(gates) {
        run.expect_lost();
        ns.check(options).assert_unready("absent", "mgmt");
    }
}

/// Whether a UDP socket that is bound to this device can connect. It sends nothing.
fn connects_in(device: &str) -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    let far: std::net::SocketAddr = "198.51.100.7:9".parse().unwrap();
    socket.bind_device(Some(device.as_bytes())).is_ok() && socket.connect(&far.into()).is_ok()
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_dummy_link_meets_nothing_unless_it_is_named() {
    let ns = netns!();
    ns.ip(AIR_GAPPED);
    ns.check(&["-a", "ipv4"]).assert_unready("no-carrier", "192.168.10.110");
    ns.check(&["-a", "203.0.113.0/24"]).assert_unready("no-address", "203.0.113.0/24");
    ns.check(&["-i", "*", "-a", "ipv4"]).assert_unready("no-carrier", "va0");
    // These name the link, by a pattern too, or an address that a service binds.
    for options in ["-i dummy0 -a ipv4 -r default", "-i dummy* -a ipv4", "-a 203.0.113.254"] {
        ns.check(&options.split(' ').collect::<Vec<_>>()).assert_ready();
    }
    ns.check(&["podman"]).assert_unready("route-dead", "nothing beyond this host");
    // A connection through the dummy link is accepted but never answered. An address of this host answers.
    ns.check(&["--route-to", "198.51.100.7"]).assert_unready("route-dead", "dummy0");
    ns.ip("link set lo up");
    ns.check(&["--route-to", "203.0.113.254"]).assert_ready();
    ns.check(&["-i", "dummy0", "--route-to", "198.51.100.7"]).assert_ready();
    assert_eq!(asked(&ns), [""; 0]);
    // The carrier of the dummy link does not count, so the host has none.
    let run = ns.run(&["-a", "ipv4", "--no-carrier-timeout", "1s", "-t", "infinity"]);
    run.expect_status("without carrier");
    // Once the card works, the dummy link does not matter.
    ns.ip("link set vb0 up");
    ns.until("the card has carrier", || ns.check(&["-a", "ipv4"]).ready());
}

/// LXD gives a bridge a dummy port, which is all that gives the bridge carrier.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn what_is_made_of_dummy_links_leads_nowhere_either() {
    let ns = netns!();
    ns.ip("link add d0 type dummy; link set d0 up; link add br0 type bridge; link set br0 up; link set d0 master br0; \
           link add link br0 name br0.5 type vlan id 5; link set br0.5 up; \
           addr add 10.9.0.1/24 dev br0; addr add 10.9.1.1/24 dev br0.5; route add default via 10.9.1.2");
    ns.until("the bridge has carrier", || ns.check(&["-i", "br0.5", "-a", "ipv4"]).ready());
    ns.check(&["-a", "ipv4"]).assert_unready("no-address", "no IPv4 address");
    ns.check(&["-r", "default"]).assert_unready("route-dead", "does not leave this host");
    // A port that leads out makes the bridge lead out.
    ns.ip("link add c0 type veth peer name c1; link set c1 up; link set c0 up; link set c0 master br0");
    ns.until("the port has carrier", || ns.check(&["-a", "ipv4", "-r", "default"]).ready());
}

/// On BGP-unnumbered hosts the addresses are on loopback or dummy links, and the route leads out of a card.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_source_may_stand_on_a_dummy_link() {
    let ns = netns!();
    ns.ip(&format!(
        "{UP0}; link add dummy0 type dummy; link set dummy0 up; addr add 203.0.113.10/32 dev dummy0"
    ));
    ns.ip("-4 route add default via inet6 fe80::1 dev va0");
    ns.check(&["-r", "default-ipv4"]).assert_ready();
    assert_eq!(asked(&ns), ["va0"]);
}

/// When a tunnel's module is loaded, the kernel makes a link of its own in each namespace.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn tunnels_are_not_asked_for() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1"));
    let own = ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0"];
    let there: Vec<&str> =
        own.into_iter().filter(|name| ns.try_ip(&format!("link show {name}")).status.success()).collect();
    assert!(there.len() > 4, "{there:?}");
    let tunnels = [
        ("gre1", "gre local 192.0.2.10 remote 192.0.2.20"),
        ("gretap1", "gretap local 192.0.2.10 remote 192.0.2.20 key 7"),
        ("ipip1", "ipip local 192.0.2.10 remote 192.0.2.20"),
        ("sit1", "sit local 192.0.2.10 remote 192.0.2.20"),
        ("vti1", "vti local 192.0.2.10 remote 192.0.2.21 key 9"),
        ("vxlan1", "vxlan id 7 dev va0 remote 192.0.2.20 dstport 4789"),
        ("geneve1", "geneve id 7 remote 192.0.2.20"),
    ];
    for (number, (name, kind)) in tunnels.iter().enumerate() {
        ns.ip(&format!("link add {name} type {kind}; link set {name} up"));
        // Each tunnel has a static address and a default route.
        match *name {
            "sit1" => ns.ip("addr add 2001:db8:6::2/64 dev sit1 nodad; route add ::/0 dev sit1"),
            _ => ns.ip(&format!(
                "addr add 10.9.{number}.2/30 dev {name}; route add default dev {name} metric {}",
                700 + number
            )),
        }
    }
    let said = ns.output(&["learn"]).stdout;
    assert_eq!(said.matches("interface = ").count(), 1, "{said}");
    assert!(said.contains("interface = \"va0\""), "{said}");
    for (name, _) in tunnels {
        assert!(said.contains(&format!("{name}: made by software")), "{name}: {said}");
    }
    for name in there {
        assert!(!said.contains(name), "{name}: {said}");
    }
    // The host's cable is out. The tunnels are no uplinks.
    ns.ip("link set vb0 down");
    let run = ns.run(&["-a", "203.0.113.0/24", "--no-carrier-timeout", "1s", "-t", "infinity"]);
    run.expect_status("without carrier");
}

/// A link that is built on cards is learned if a default route leads through it.
#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn uplinks_that_are_made_of_cards_are_learned() {
    for (setup, uplink) in [
        ("link add link va0 name va0.7 type vlan id 7; link set va0.7 up", "va0.7"),
        ("link add link va0 name mv0 type macvlan; link set mv0 up", "mv0"),
        ("link add link va0 name ipvl0 type ipvlan; link set ipvl0 up", "ipvl0"),
        (
            "link set va0 down; link add bond0 type bond miimon 10; link set va0 master bond0; link set bond0 up",
            "bond0",
        ),
    ] {
        let ns = netns!();
        ns.ip(&format!(
            "{UP0}; {setup}; addr add 192.0.2.10/24 dev {uplink}; route add default via 192.0.2.1"
        ));
        ns.until("it has carrier", || ns.check(&["-i", uplink, "-a", "ipv4"]).ready());
        let gate = ns.output(&["learn"]).stdout;
        assert!(gate.contains(&format!("interface = \"{uplink}\"")), "{gate}");
        assert_eq!(gate.matches("interface = ").count(), 1, "{gate}");
        ns.check_gate(&gate).assert_ready();
    }
}

#[test]
#[ignore = "needs link kinds: tests/uml.rs runs it"]
fn a_tun_has_carrier_while_it_is_open() {
    let ns = netns!();
    ns.ip("tuntap add dev tun0 mode tun; addr add 192.0.2.1/32 dev tun0; link set tun0 up");
    let gate = ns.run(&["-i", "tun0"]);
    gate.expect_status("tun0");
    gate.stays_unready();
    let tun = Tun::open("tun0");
    gate.expect_ready();
    tun.close();
    gate.expect_lost();
}

/// A host without a battery for its clock sets it in the middle of the boot. Timeouts and settles follow another clock.
/// Only the guest's clock is set here.
#[test]
#[ignore = "needs a clock of its own: tests/uml.rs runs it"]
fn a_clock_that_is_set_prolongs_and_shortens_nothing() {
    let kernel = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    assert!(kernel.contains("User Mode Linux"), "this would set the clock of this machine");
    let ns = netns!();
    let set = |by: &str| {
        let told = Command::new("date").args(["--set", by]).stdout(Stdio::null()).status();
        assert!(told.unwrap().success(), "{by}");
    };
    for by in ["1 day", "3000 days ago"] {
        ns.ip("link add va0 type veth peer name vb0; link set vb0 up");
        let begun = Instant::now();
        let times_out = ns.wait(&["-i", "va0", "-t", "3s"]);
        let settles = ns.run(&["-i", "va0", "--settle", "3s"]);
        settles.expect_waiting();
        set(by);
        assert_eq!(times_out.expect_exit(), Exit::Code(1));
        assert!((2900..60_000).contains(&begun.elapsed().as_millis()), "{by}: {:?}", begun.elapsed());
        let met = Instant::now();
        ns.ip("link set va0 up; addr add 192.0.2.1/24 dev va0");
        settles.expect_told("must hold for");
        set("1 hour");
        set("2 hours ago");
        settles.expect_ready();
        assert!((2900..60_000).contains(&met.elapsed().as_millis()), "{by}: {:?}", met.elapsed());
        ns.ip("link set va0 down");
        settles.expect_lost();
        set("1 hour");
        ns.ip("link set va0 up");
        settles.expect_now_ready();
        settles.signal(Signal::SIGTERM);
        assert_eq!(settles.expect_exit(), Exit::Code(0));
        ns.ip("link del va0");
    }
}
