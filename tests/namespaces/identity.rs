//! How links are identified: altnames, renames, swapped names, hardware addresses, reused numbers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use crate::harness::{DARK0, Exit, UP0, UP1};
use crate::netns;

const LAN0: &str = "[[require]]\ninterface = \"lan0\"\ncarrier = true\n";

#[test]
#[ignore = "needs a network namespace"]
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
#[ignore = "needs a network namespace"]
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
#[ignore = "needs a network namespace"]
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
#[ignore = "needs a network namespace"]
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
#[ignore = "needs a network namespace"]
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

/// A hardware address does not name a stacked link or a master that has the same address.
#[test]
#[ignore = "needs a network namespace"]
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
#[ignore = "needs a network namespace"]
fn a_recreated_link_with_the_same_number() {
    let ns = netns!();
    ns.ip("link add va0 index 77 type veth peer name vb0; link set va0 up; link set vb0 up; addr add 192.0.2.1/24 dev va0");
    let gate = ns.run(&["-i", "va0"]);
    let address = ns.run(&["-a", "192.0.2.1"]);
    gate.expect_ready();
    address.expect_ready();
    // Another device gets the same number at once. Nothing of the old device may remain.
    ns.ip_batch(
        "link del va0\nlink add va0 index 77 type veth peer name vb0\nlink set va0 up\nlink set vb0 up\n",
    );
    gate.expect_lost();
    address.expect_lost();
    ns.check(&["-i", "va0"]).assert_unready("no-address", "va0");
    ns.ip("addr add 192.0.2.1/24 dev va0");
    gate.expect_now_ready();
    // A link with another name gets the same number.
    ns.ip_batch("link del va0\nlink add lan0 index 77 type veth peer name vb0\nlink set lan0 up\nlink set vb0 up\naddr add 192.0.2.1/24 dev lan0\n");
    let lost = gate.expect_lost();
    assert!(lost.contains("va0"), "{lost}");
    address.expect_now_ready();
}

/// Runs `ip` with words that may not be UTF-8.
#[track_caller]
fn ip(words: &[&[u8]]) {
    let status = Command::new("ip").args(words.iter().map(|word| OsStr::from_bytes(word))).status();
    assert!(status.unwrap().success(), "ip {words:?}");
}

/// The label of an address contains the name too.
#[test]
#[ignore = "needs a network namespace"]
fn a_name_that_is_not_utf8_can_be_used() {
    const NAME: &[u8] = b"B\xfcro";
    let ns = netns!();
    ns.ip(UP0);
    ns.ip("link set va0 down");
    ip(&[b"link", b"set", b"va0", b"name", NAME]);
    let before = ns.run(&["-i", r"B\xfcro", "-a", "192.0.2.10"]);
    before.expect_waiting();
    ip(&[b"link", b"set", NAME, b"up"]);
    ip(&[b"addr", b"add", b"192.0.2.10/24", b"dev", NAME]);
    ns.ip("route add default via 192.0.2.1");
    before.expect_ready();
    ns.check(&[]).assert_ready();
    for entry in [r"B\xfcro", r"B\xFCro", "B?ro", "B*", r"?\xfc*"] {
        ns.check(&["-i", entry, "-a", "ipv4", "-r", "default-ipv4"]).assert_ready();
        let gate = format!("[[require]]\ninterface = '{entry}'\naddress = 'ipv4'\n");
        ns.check_gate(&gate).assert_ready();
    }
    for entry in [r"B\xf6ro", "Büro", "B??ro", r"B\\xfcro"] {
        ns.check(&["-i", entry, "-a", "ipv4"]).assert_unready("absent", entry);
    }
    let said = ns.output(&["check", "-i", "B*", "-a", "ipv4"]);
    assert!(said.stdout.contains(r"192.0.2.10 on B\xfcro"), "{said:?}");
    // The zone of a link-local address can be such a name too.
    ip(&[b"addr", b"add", b"fe80::7/64", b"dev", NAME, b"nodad"]);
    ns.ip("link set lo up; sysctl net.ipv4.ping_group_range=0 2147483647");
    ns.check(&["--ping", r"fe80::7%B\xfcro"]).assert_ready();
    let gate = ns.gate(&ns.output(&["learn"]).stdout);
    let learned = ns.check(&[&gate]);
    learned.assert_ready();
    assert!(learned.text().contains(r#""interface":"B\\xfcro""#), "{}", learned.text());
    ip(&[b"link", b"set", NAME, b"down"]);
    before.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn an_alias_matters_to_nobody() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1"));
    let run = ns.run(&["-i", "va0", "-a", "ipv4", "-r", "default-ipv4"]);
    run.expect_ready();
    for alias in [&b"B\xfcro"[..], b"\xff\xfe\x01", b"a\nb\x1b[31m", "\u{202e}".as_bytes(), &[0xc3; 255]] {
        ip(&[b"link", b"set", b"va0", b"alias", alias]);
        ns.check(&[]).assert_ready();
        ns.check(&["-i", "va0", "-a", "ipv4", "-r", "default-ipv4"]).assert_ready();
    }
    run.stays_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn odd_names_and_altnames_are_names() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.10/24 dev va0"));
    let long = [b"\xe9".repeat(126), b"z".to_vec()].concat();
    let spelled = format!("{}z", r"\xe9".repeat(126));
    for altname in [&b"B\xfcro"[..], b"x%d", b"say\"hi\"", b"it's", br"a\b", br"a\xff", b"e\x1b[31m", &long] {
        ip(&[b"link", b"property", b"add", b"dev", b"va0", b"altname", altname]);
    }
    for entry in [r"B\xfcro", "x%d", "say\"hi\"", "it's", r"a\b", r"a\x5cxff", r"e\x1b\x5b31m", &spelled] {
        ns.check(&["-i", entry]).assert_ready();
    }
    for entry in [r"a\xff", r"a\x5cb\x5c"] {
        ns.check(&["-i", entry]).assert_unready("absent", "no such link");
    }
    // The name looks like a pattern or an exclusion. Its spelling names only this link.
    ip(&[b"link", b"set", b"va0", b"down"]);
    ip(&[b"link", b"set", b"va0", b"name", b"!v*"]);
    ip(&[b"link", b"set", b"!v*", b"up"]);
    // The kernel may announce the carrier of the link up to a second later.
    assert_eq!(ns.wait(&["-i", r"\x21v\x2a", "--timeout", "60s"]).expect_exit(), Exit::Code(0));
    ns.check(&["-i", r"\x21v\x2a"]).assert_ready();
    ns.check(&["-i", r"\x21b\x2a"]).assert_unready("absent", "!b*");
}
