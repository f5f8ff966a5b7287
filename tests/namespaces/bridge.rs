//! A bridge has carrier only with a port that has carrier.

use std::time::Duration;

use crate::harness::{DARK0, UP0, UP1, Want, rows};
use crate::netns;

const BR0: &str = "link add br0 type bridge; addr add 192.0.2.1/24 dev br0; link set br0 up";
const WANTS_BR0: &str = "interface = \"br0\"; carrier = true";

#[test]
#[ignore = "needs a network namespace"]
fn bridges_row_by_row() {
    let not = Want::Not;
    let ported = format!("{UP0}; {BR0}; link set va0 master br0");
    let over =
        "link add mv0 link br0 type macvlan mode bridge; addr add 192.0.2.77/24 dev mv0; link set mv0 up";
    rows(&[
        // The kernel gives a new bridge LOWER_UP and RUNNING, although it has no port.
        (BR0.to_owned(), WANTS_BR0, not("no-carrier", "br0")),
        (BR0.to_owned(), "-i br0", not("no-carrier", "br0")),
        (format!("{DARK0}; {BR0}; link set va0 master br0"), WANTS_BR0, not("no-carrier", "br0")),
        (ported.clone(), WANTS_BR0, Want::Ready),
        (ported.clone(), "-i br0", Want::Ready),
        (format!("{ported}; link set va0 nomaster"), WANTS_BR0, not("no-carrier", "br0")),
        (format!("{ported}; link set br0 down"), WANTS_BR0, not("admin-down", "br0")),
        // The port is set down, or has no carrier.
        (format!("{ported}; link set va0 down"), WANTS_BR0, not("no-carrier", "br0")),
        (format!("{ported}; link set vb0 down"), WANTS_BR0, not("no-carrier", "br0")),
        (format!("{ported}; {UP1}; link set va1 master br0; link set vb0 down"), WANTS_BR0, Want::Ready),
        // A link that is stacked on a bridge has no carrier if the bridge has none.
        (format!("{BR0}; {over}"), "-i mv0", not("no-carrier", "mv0")),
        (format!("{ported}; {over}"), "-i mv0", Want::Ready),
        (format!("{ported}; {over}; link set va0 nomaster"), "-i mv0", not("no-carrier", "mv0")),
        // An address or a route on such a bridge does not meet a clause about the host: docker0 before its first
        // container.
        (BR0.to_owned(), "-a ipv4", not("no-address|no-carrier", "")),
        (BR0.to_owned(), "-a 192.0.2.0/24", not("no-address|no-carrier", "192.0.2.")),
        (BR0.to_owned(), "-a 192.0.2.1", Want::Ready),
        (format!("{BR0}; route add default via 192.0.2.254"), "-4", not("route-dead|no-carrier", "br0")),
        (format!("{ported}; route add default via 192.0.2.254"), "-4", Want::Ready),
        // A port can be named only by its name. Then only its carrier is required.
        (ported.clone(), "interface = \"va*\"; carrier = true", not("absent", "va*")),
        (ported.clone(), "-i va0", Want::Ready),
        (format!("{DARK0}; {BR0}; link set va0 master br0"), "-i va0", not("no-carrier", "va0")),
        (format!("{ported}; {UP1}; addr add 198.51.100.1/24 dev va1"), "-i va*", Want::Ready),
    ]);
}

#[test]
#[ignore = "needs a network namespace"]
fn ports_come_and_go() {
    let ns = netns!();
    ns.ip(&format!("{BR0}; {UP0}; {UP1}; link set vb0 down"));
    let gate = ns.run(&["-i", "br0", "-a", "ipv4"]);
    gate.expect_status("br0");
    gate.stays_unready();
    ns.ip("link set va0 master br0");
    gate.stays_unready();
    ns.ip("link set vb0 up");
    gate.expect_ready();
    ns.ip("link set va1 master br0");
    ns.ip("link set vb0 down");
    gate.stays_ready();
    ns.ip("link set va1 nomaster");
    gate.expect_lost();
    ns.ip("link set vb0 up");
    gate.expect_now_ready();
    ns.ip("link del va0");
    gate.expect_lost();
    ns.ip("link set va1 master br0");
    gate.expect_now_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_port_recreated_quickly_leaves_no_trace() {
    let ns = netns!();
    ns.ip(BR0);
    let gate = ns.run(&["-i", "br0"]);
    gate.expect_status("br0");
    for _ in 0..4 {
        ns.ip_batch(
            "link add va0 type veth peer name vb0\nlink set va0 master br0\nlink set va0 up\nlink set vb0 up\nlink del va0\n",
        );
    }
    gate.expect_status_where("not ready at last", |s| !s.starts_with("Ready"));
    ns.check(&["-i", "br0"]).assert_unready("no-carrier", "br0");
    ns.ip(&format!("{UP0}; link set va0 master br0"));
    gate.expect_now_ready();
    gate.stays_ready();
    ns.check(&["-i", "br0"]).assert_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn stp_holds_the_carrier_back() {
    let ns = netns!();
    ns.ip("link add br0 type bridge stp_state 1 forward_delay 400; addr add 192.0.2.1/24 dev br0; link set br0 up");
    let gate = ns.run(&["-i", "br0"]);
    gate.expect_status("br0");
    ns.ip(&format!("{UP0}; link set va0 master br0"));
    let after = gate.expect_ready();
    // Twice the forward delay, for listening and for learning.
    assert!(after > Duration::from_secs(6), "{after:?}");
}
