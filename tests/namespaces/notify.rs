//! The notify socket: which addresses it can have, and what happens if nobody reads it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::harness::{Exit, Netns, Process, SOON, Signal, UP0};
use crate::netns;

const ADDRESS: &str = "addr add 192.0.2.1/24 dev va0";

/// A service manager of the test, at an abstract address.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn new(name: &str) -> Manager {
        let name = format!("netready-{name}-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Manager { socket, name }
    }

    /// Fills the socket, so that nothing more can be sent to it.
    fn fill(&self) {
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        sender.connect_addr(&SocketAddr::from_abstract_name(&self.name).unwrap()).unwrap();
        while sender.send(b"FILL=1").is_ok() {}
    }

    fn start(&self, ns: &Netns, arguments: &[&str]) -> Process {
        let command = ns.command(arguments).without_notify_socket();
        command.env("NOTIFY_SOCKET", &format!("@{}", self.name)).spawn()
    }

    /// Reads until a message contains this text.
    #[track_caller]
    fn expect(&self, what: &str) -> String {
        self.socket.set_read_timeout(Some(SOON)).unwrap();
        let mut octets = [0; 8192];
        loop {
            let length = self.socket.recv(&mut octets).unwrap_or_else(|error| panic!("no {what}: {error}"));
            let said = String::from_utf8(octets[..length].to_vec()).unwrap();
            if said.contains(what) {
                return said;
            }
        }
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn an_abstract_socket_is_told() {
    let ns = netns!();
    let manager = Manager::new("abstract");
    let gate = manager.start(&ns, &["run", "-i", "va0"]);
    manager.expect("EXTEND_TIMEOUT_USEC=");
    manager.expect("STATUS=Waiting");
    ns.ip(&format!("{UP0}; {ADDRESS}"));
    manager.expect("READY=1");
    manager.expect("STATUS=Ready");
    gate.signal(Signal::SIGTERM);
    manager.expect("STOPPING=1");
    assert_eq!(gate.expect_exit(), Exit::Code(0));
    let waits = manager.start(&ns, &["wait", "-i", "va0"]);
    manager.expect("STATUS=Ready");
    assert_eq!(waits.expect_exit(), Exit::Code(0));
}

#[test]
#[ignore = "needs a network namespace"]
fn ready_waits_for_room_and_is_said_then() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {ADDRESS}"));
    let manager = Manager::new("room");
    manager.fill();
    let gate = manager.start(&ns, &["run", "-i", "va0"]);
    gate.expect_stderr("Ready after");
    // Everything else continues, and only the latest status is kept.
    ns.ip("link set va0 down");
    gate.expect_stderr("NOT ready since");
    ns.ip("link set va0 up");
    manager.expect("READY=1");
    manager.expect("STATUS=Ready");
    ns.ip("link set va0 down");
    manager.expect("STATUS=NOT ready since");
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_full_socket_blocks_no_signal_and_no_timeout() {
    let ns = netns!();
    let manager = Manager::new("signal");
    manager.fill();
    for (signal, exit) in [(Signal::SIGTERM, Exit::Signal(15)), (Signal::SIGINT, Exit::Signal(2))] {
        let gate = manager.start(&ns, &["run", "-i", "va0"]);
        gate.expect_stderr("Waiting");
        gate.signal(signal);
        assert_eq!(gate.expect_exit(), exit, "{}", gate.transcript());
    }
    for command in ["run", "wait"] {
        let gate = manager.start(&ns, &[command, "-i", "va0", "-t", "50ms"]);
        assert_eq!(gate.expect_exit(), Exit::Code(1), "{command}: {}", gate.transcript());
    }
}
