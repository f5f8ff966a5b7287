//! Which link is meant: altnames, renames, swaps, hardware addresses, reused numbers.

use crate::harness::{DARK0, UP0, UP1};
use crate::netns;

const LAN0: &str = "[[require]]\ninterface = \"lan0\"\ncarrier = true\n";

#[test]
fn an_altname_is_a_name() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate("[[require]]\ninterface = \"an0-quite-a-long-altname\"\ncarrier = true\n");
    let glob = ns.run_gate("[[require]]\ninterface = \"an0-*\"\ncarrier = true\n");
    gate.expect_status("an0-quite-a-long-altname");
    glob.expect_waiting();
    ns.ip("link property add dev va0 altname an0-quite-a-long-altname");
    gate.expect_ready();
    glob.expect_ready();
    ns.ip("link property del dev va0 altname an0-quite-a-long-altname");
    gate.expect_lost();
    glob.expect_lost();
}

#[test]
fn a_link_is_renamed_to_the_wanted_name() {
    let ns = netns!();
    ns.ip("link add eth9tmp type veth peer name vb0; link set vb0 up; link set eth9tmp up");
    let gate = ns.run_gate(LAN0);
    gate.expect_status("lan0");
    gate.stays_unready();
    ns.ip("link set eth9tmp name lan0");
    gate.expect_ready();
    ns.ip("link set lan0 name wan0");
    gate.expect_lost();
}

#[test]
fn two_links_swap_their_names() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; {UP1}"));
    let gate = ns.run_gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    let other = ns.run_gate("[[require]]\ninterface = \"va1\"\ncarrier = true\n");
    gate.expect_waiting();
    other.expect_ready();
    ns.ip_batch("link set va0 name tmp0\nlink set va1 name va0\nlink set tmp0 name va1\n");
    gate.expect_ready();
    other.expect_lost();
    ns.ip_batch("link set va0 name tmp0\nlink set va1 name va0\nlink set tmp0 name va1\n");
    gate.expect_lost();
    other.expect_now_ready();
}

#[test]
fn addresses_and_routes_go_with_the_link_not_with_its_name() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {UP1}; addr add 192.0.2.1/24 dev va0; addr add 198.51.100.1/24 dev va1"));
    ns.ip("route add default via 192.0.2.254 dev va0");
    let gate = ns.run(&["-i", "va0", "-a", "192.0.2.1", "-r", "default-ipv4"]);
    let other = ns.run(&["-i", "va1", "-a", "192.0.2.1", "-r", "default-ipv4"]);
    gate.expect_ready();
    other.expect_waiting();
    ns.ip_batch("link set va0 name tmp0\nlink set va1 name va0\nlink set tmp0 name va1\n");
    gate.expect_lost();
    other.expect_ready();
    ns.check(&["-i", "va1", "-a", "192.0.2.1", "-r", "default-ipv4"]).assert_ready();
}

#[test]
fn a_hardware_address_stays_when_the_name_does_not() {
    let ns = netns!();
    ns.ip("link add va0 address 02:00:5e:10:20:30 type veth peer name vb0");
    let upper = ns.run_gate("[[require]]\ninterface = \"mac:02:00:5E:10:20:30\"\ncarrier = true\n");
    let lower = ns.run_gate("[[require]]\ninterface = \"mac:02:00:5e:10:20:30\"\ncarrier = true\n");
    upper.expect_waiting();
    ns.ip("link set va0 up; link set vb0 up");
    upper.expect_ready();
    lower.expect_ready();
    ns.ip("link set va0 name lan0");
    upper.stays_ready();
    lower.stays_ready();
    ns.ip("link set vb0 down");
    upper.expect_lost();
    ns.check(&["-i", "mac:02:00:5e:10:20:30"]).assert_unready("no-carrier", "lan0");
    ns.check(&["-i", "mac:02:00:5e:10:20:31"]).assert_unready("absent", "02:00:5e:10:20:31");
}

/// A stacked link or a master that wears the same address is not meant.
#[test]
fn a_hardware_address_is_not_that_of_a_stacked_link() {
    let ns = netns!();
    ns.ip("link add va0 address 02:00:5e:10:20:30 type veth peer name vb0; link set va0 up");
    ns.ip(&format!(
        "{UP1}; link add mv1 link va1 address 02:00:5e:10:20:30 type macvlan mode bridge; link set mv1 up"
    ));
    ns.ip("link add br0 address 02:00:5e:10:20:30 type bridge; link set vb1 master br0; link set br0 up");
    let gate = ns.run_gate("[[require]]\ninterface = \"mac:02:00:5e:10:20:30\"\ncarrier = true\n");
    gate.expect_status("va0 has no carrier");
    gate.stays_unready();
    ns.ip("link set vb0 up");
    gate.expect_ready();
}

#[test]
fn a_recreated_link_with_the_same_number() {
    let ns = netns!();
    ns.ip("link add va0 index 77 type veth peer name vb0; link set va0 up; link set vb0 up; addr add 192.0.2.1/24 dev va0");
    let gate = ns.run(&["-i", "va0"]);
    let address = ns.run(&["-a", "192.0.2.1"]);
    gate.expect_ready();
    address.expect_ready();
    // In one breath: another device with that number; nothing of the old one may cling to it.
    ns.ip_batch(
        "link del va0\nlink add va0 index 77 type veth peer name vb0\nlink set va0 up\nlink set vb0 up\n",
    );
    gate.expect_lost();
    address.expect_lost();
    ns.check(&["-i", "va0"]).assert_unready("no-address", "va0");
    ns.ip("addr add 192.0.2.1/24 dev va0");
    gate.expect_now_ready();
    // And another name with that number.
    ns.ip_batch("link del va0\nlink add lan0 index 77 type veth peer name vb0\nlink set lan0 up\nlink set vb0 up\naddr add 192.0.2.1/24 dev lan0\n");
    let lost = gate.expect_lost();
    assert!(lost.contains("va0"), "{lost}");
    address.expect_now_ready();
}
