//! Boots systemd, a network manager and rootless Podman with a static-IP container, on networks that come late,
//! without netready and with its package.
//!
//! Boots take minutes, so each test is ignored by default. `make boot` and CI (.ci/test-runner) run them. The
//! resulting table is in docs/boot.md. The journal of every boot is written to `target/tmp/boot/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test ends at what it did not expect, its helpers too"
)]
#![allow(clippy::disallowed_methods, reason = "a case is a plan in real time, and systemd is polled")]

mod case;
mod compare;
mod doctor;
mod documents;
mod files;
mod front;
mod generated;
mod guest;
mod heal;
mod history;
mod kernel_line;
mod late;
mod leak;
mod learn;
mod life;
mod machine;
mod package;
mod platforms;
mod probes;
mod pulls;
mod qemu;
mod quadlets;
mod registry;
mod rootfs;
mod rootful;
mod stacks;
mod starts;
mod table;
mod upgrade;
mod watch;

use std::sync::Once;

use case::{Outcome, carrier, case, flap, guest, plug, router, router_with_dhcp};
use stacks::{
    AUTOMATIC, STATIC, STATIC_AT_ONCE, bare, ifupdown, network_manager, networkd, networkd_with_wait_online,
};
use watch::{Family, Need};

/// Each boot begins with this. It fails if this machine cannot boot guests, and says what is missing.
pub fn enter() {
    static SWEEP: Once = Once::new();
    if let Some(why) = rootfs::missing() {
        panic!("this machine cannot boot guests: {why}");
    }
    SWEEP.call_once(rootfs::sweep);
}

const V4: Need = Need::Default(Family::V4);
const V6: Need = Need::Default(Family::V6);

// ── networkd ──

#[test]
#[ignore = "boots take minutes: make boot"]
fn networkd_with_wait_online_and_late_carrier() {
    case("ConfigureWithoutCarrier, carrier late", networkd_with_wait_online(STATIC_AT_ONCE))
        .at(6.0, carrier("e0", true))
        .without(Outcome::Good)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn networkd_without_wait_online_and_late_carrier() {
    case("ConfigureWithoutCarrier, carrier late", networkd(STATIC_AT_ONCE))
        .at(6.0, carrier("e0", true))
        .without(Outcome::Lost)
        .run();
}

/// The kernel announces a link's carrier at most once a second, which is also the built-in settle. netready reads
/// losses in between from the link's counter.
#[test]
#[ignore = "boots take minutes: make boot"]
fn the_carrier_flaps() {
    case("carrier flaps for 5 s", networkd(STATIC_AT_ONCE))
        .at(4.0, flap("e0", 20))
        .without(Outcome::Lost)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_carrier_flaps_and_a_longer_settle() {
    case("carrier flaps for 5 s, settle 2 s", networkd(STATIC_AT_ONCE))
        .at(4.0, flap("e0", 20))
        .gate("/etc/netready/podman.toml.d/settle.toml", "settle = \"2s\"\n")
        .settle(2000.0)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_link_that_is_plugged_in_late() {
    case("NIC plugged in 5 s after boot", networkd(STATIC))
        .cables(&[])
        .at(6.0, plug("e0"))
        .without(Outcome::Local)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn router_first_dhcp_later() {
    case("IPv6 by RA first, IPv4 by DHCP 3 s later", networkd_with_wait_online(AUTOMATIC))
        .at(1.0, router())
        .at(2.0, carrier("e0", true))
        .at(6.0, router_with_dhcp())
        .needs(&[Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::AddressIn("2001:db8:"), V4, V6])
        .without(Outcome::Only(Family::V6))
        .run();
}

// ── ifupdown, NetworkManager ──

#[test]
#[ignore = "boots take minutes: make boot"]
fn ifupdown_and_the_cable_late() {
    case("static, cable late", ifupdown()).at(6.0, carrier("e0", true)).without(Outcome::Lost).run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn network_manager_and_late_carrier() {
    case("static, carrier late", network_manager("NetworkManager", ""))
        .at(11.0, carrier("e0", true))
        .without(Outcome::Local)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn network_manager_that_ignores_carrier() {
    let settings = "[device-e0]\nmatch-device=interface-name:e0\nignore-carrier=yes\n";
    case("static, ignore-carrier, carrier late", network_manager("NetworkManager", settings))
        .at(11.0, carrier("e0", true))
        .without(Outcome::Lost)
        .run();
}

// ── no manager: the case configures the network from outside ──

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_address_first_and_the_route_later() {
    case("address first, default route 5 s later", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 10.9.0.2/24 dev e0"))
        .at(6.0, guest("route add default via 10.9.0.1"))
        .without(Outcome::NoDefault)
        .run();
}

/// Without IPv4, the gate waits for it until the grace of 10 s is over.
#[test]
#[ignore = "boots take minutes: make boot"]
fn the_ipv6_address_is_tentative() {
    case("IPv6 only, tentative for 6 s", bare())
        .at(0.0, carrier("e0", true))
        .at(
            0.0,
            guest(
                "sysctl net.ipv6.conf.e0.dad_transmits=6; link set e0 up; addr add 2001:db8:0::2/64 dev e0",
            ),
        )
        .at(0.0, guest("-6 route add default via 2001:db8:0::1 dev e0"))
        .needs(&[Need::Carrier("e0"), Need::Address("2001:db8::2"), V6])
        .settle(11_000.0)
        .without(Outcome::Good)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_first_default_is_dead() {
    case("first default on a NIC without carrier, second on a live one", bare())
        .cables(&["e0", "e1"])
        .at(0.0, carrier("e1", true))
        .at(
            0.0,
            guest("link set e0 up; addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1 metric 100"),
        )
        .at(
            0.0,
            guest("link set e1 up; addr add 10.9.1.2/24 dev e1; route add default via 10.9.1.1 metric 200"),
        )
        .at(6.0, carrier("e0", true))
        .without(Outcome::Lost)
        .run();
}

/// docker0 has carrier from the moment when its first container runs. Then the gate waits for an IPv4 default route.
#[test]
#[ignore = "boots take minutes: make boot"]
fn an_idle_bridge_beside_an_ipv6_uplink() {
    case("IPv6-only uplink, idle docker0", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link add docker0 type bridge; link add d0 type veth peer name d1; link set d0 master docker0"))
        .at(0.0, guest("link set docker0 up; addr add 172.17.0.1/16 dev docker0"))
        .at(0.0, guest("link set e0 up; addr add 2001:db8:0::2/64 dev e0 nodad"))
        .at(0.0, guest("-6 route add default via 2001:db8:0::1 dev e0"))
        .at(6.0, guest("link set d1 up; link set d0 up"))
        .needs(&[Need::Carrier("docker0"), Need::Carrier("e0"), V6])
        .settle(11_000.0)
        .without(Outcome::Lost)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_macvlan_on_a_bridge() {
    case("macvlan on a bridge whose port comes late", bare())
        .at(
            0.0,
            guest(
                "link add br0 type bridge; link set br0 up; link add mv0 link br0 type macvlan mode bridge",
            ),
        )
        .at(0.0, guest("link set mv0 up; addr add 10.9.0.2/24 dev mv0; route add default via 10.9.0.1"))
        .at(0.0, guest("link set e0 up; link set e0 master br0"))
        .at(6.0, carrier("e0", true))
        .without(Outcome::Lost)
        .run();
}

// ── what nothing announces, and what never comes ──

const STATIC_THEN_ROUTER: &str =
    "[Match]\nName=e0\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\nIPv6AcceptRA=yes\n";

/// A known limit of the built-in gate: IPv4 is complete, and nothing announces that IPv6 will come.
#[test]
#[ignore = "boots take minutes: make boot"]
fn a_router_that_is_heard_after_ipv4_is_complete() {
    case("static IPv4, RA 3 s later", networkd(STATIC_THEN_ROUTER))
        .at(4.0, carrier("e0", true))
        .at(8.0, router())
        .needs(&[Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::AddressIn("2001:db8:"), V4, V6])
        .with(Outcome::Only(Family::V4))
        .finds(&["container-one-family"])
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_gate_that_requires_ipv6() {
    case("static IPv4, RA 3 s later, gate requires IPv6", networkd(STATIC_THEN_ROUTER))
        .at(4.0, carrier("e0", true))
        .at(8.0, router())
        .needs(&[Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::AddressIn("2001:db8:"), V4, V6])
        .gate("/etc/netready/podman.toml.d/ipv6.toml", "[[require]]\nroute = \"default-ipv6\"\n")
        .run();
}

/// A gate file with seconds in place of the built-in times.
const SECONDS: &str =
    "timeout = \"6s\"\nno-carrier-timeout = \"4s\"\nsettle = \"1s\"\n[[require]]\npasta = true\n";

#[test]
#[ignore = "boots take minutes: make boot"]
fn nothing_ever_comes() {
    case("nothing ever comes (give-up time 4 s)", networkd(STATIC))
        .cables(&[])
        .gate("/etc/netready/podman.toml", SECONDS)
        .gives_up(4.0, Outcome::Local)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn no_default_route_ever_comes() {
    case("no default route ever comes (give-up time 6 s)", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 10.9.0.2/24 dev e0"))
        .gate("/etc/netready/podman.toml", SECONDS)
        .gives_up(6.0, Outcome::NoDefault)
        .run();
}

/// The built-in gate with its real times.
#[test]
#[ignore = "boots take minutes: make boot"]
fn nothing_ever_comes_and_the_built_in_gate() {
    case("nothing ever comes, built-in gate (90 s)", bare()).cables(&[]).gives_up(90.0, Outcome::Local).run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn no_default_route_ever_comes_and_the_built_in_gate() {
    case("no default route ever comes, built-in gate (5 min)", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 10.9.0.2/24 dev e0"))
        // Longer than a start may take by default: a gate that waits is not ended by a reload.
        .reload(100.0)
        .gives_up(300.0, Outcome::NoDefault)
        .run();
}

// ── the system's gate ──

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_networkd() {
    case("system gate, carrier late", networkd(STATIC)).system_gate().at(5.0, carrier("e0", true)).run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_ifupdown() {
    case("system gate, cable late", ifupdown()).system_gate().at(5.0, carrier("e0", true)).run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_network_manager() {
    case("system gate, carrier late", network_manager("NetworkManager", ""))
        .system_gate()
        .finds(&["wait-online-beside"])
        .at(11.0, carrier("e0", true))
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_no_manager() {
    case("system gate, route late", bare())
        .system_gate()
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 10.9.0.2/24 dev e0"))
        .at(5.0, guest("route add default via 10.9.0.1"))
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn two_users() {
    case("two users", ifupdown()).linger(&["tester", "second"]).at(6.0, carrier("e0", true)).run();
}
