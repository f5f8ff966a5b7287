//! `run --ready-fd N`: writes a newline to an inherited descriptor when the gate opens.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::harness::{Exit, INHERITED, Netns, Process, Signal, UP0};
use crate::netns;

/// Makes a pipe as a service manager does. The manager keeps the reader.
fn pipe() -> (File, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    (File::from(reader), writer)
}

fn start(ns: &Netns, gate: &[&str], writer: OwnedFd) -> Process {
    let number = INHERITED.to_string();
    ns.command(&[&["run", "--ready-fd", &number], gate].concat()).inherits(writer).spawn()
}

/// Reads up to the end, which comes when nobody has the other end open any more.
fn read_to_end(reader: &mut File) -> String {
    use std::os::fd::AsFd;
    let mut text = String::new();
    loop {
        let mut asked = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut asked, PollTimeout::from(60_000_u16)).unwrap();
        assert!(ready > 0, "the other end is still open; read so far: {text:?}");
        let mut octets = [0; 4096];
        match reader.read(&mut octets).unwrap() {
            0 => return text,
            length => text.push_str(std::str::from_utf8(&octets[..length]).unwrap()),
        }
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn one_newline_is_written_with_ready_and_the_descriptor_is_closed() {
    let ns = netns!();
    let (mut reader, writer) = pipe();
    let gate = start(&ns, &["-i", "va0", "--settle", "100ms"], writer);
    gate.expect_waiting();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0");
    assert_eq!(read_to_end(&mut reader), "\n");
    gate.expect_ready();
    assert!(!gate.has_exited());
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

#[test]
#[ignore = "needs a network namespace"]
fn it_needs_no_systemd_and_says_nothing_where_the_gate_does_not_open() {
    let ns = netns!();
    let (mut reader, writer) = pipe();
    let number = INHERITED.to_string();
    let words = ["run", "--ready-fd", &number, "-i", "va0", "-t", "100ms"];
    let gate = ns.command(&words).without_notify_socket().inherits(writer).spawn();
    assert_eq!(read_to_end(&mut reader), "");
    assert_eq!(gate.expect_exit(), Exit::Code(1));
}

#[test]
#[ignore = "needs a network namespace"]
fn the_newline_is_written_whatever_opens_the_gate() {
    let ns = netns!();
    let (mut reader, writer) = pipe();
    let gate = start(&ns, &["-i", "va0"], writer);
    gate.expect_waiting();
    gate.signal(Signal::SIGUSR1);
    assert_eq!(read_to_end(&mut reader), "\n");
    gate.signal(Signal::SIGHUP);
    gate.expect("RELOADING=1");
    assert!(!gate.has_exited(), "a reload says nothing more");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_full_pipe_delays_neither_ready_nor_signals() {
    let ns = netns!();
    ns.ip(UP0);
    let (mut reader, writer) = pipe();
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut filler = File::from(writer.try_clone().unwrap());
    filler.write_all(&[b'x'; 4096]).unwrap();
    drop(filler);
    let path = ns.gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n");
    let gate = start(&ns, &[&path], writer);
    gate.expect_ready();
    ns.ip("link set vb0 down");
    gate.expect_lost();
    assert_eq!(read_to_end(&mut reader), "x".repeat(4096) + "\n");
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

/// A probe that hangs may run longer than the gate waits. It would keep the pipe open.
#[test]
#[ignore = "needs a network namespace"]
fn probes_do_not_inherit_it() {
    let ns = netns!();
    ns.ip("link set lo up");
    // The listener never accepts. Its queue is full after the first two connections.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (reader, writer) = pipe();
    let pipe = std::fs::read_link(format!("/proc/self/fd/{}", reader.as_raw_fd())).unwrap();
    let gate = start(&ns, &["--http", &format!("http://{}/", listener.local_addr().unwrap())], writer);
    let tries = || {
        let children = format!("/proc/{0}/task/{0}/children", gate.pid());
        let pids = std::fs::read_to_string(children).unwrap();
        pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    // `None` if the process has ended meanwhile.
    let has_pipe = |pid: &str| {
        let mut open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        Some(open.any(|entry| {
            entry.is_ok_and(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to == pipe))
        }))
    };
    assert_eq!(has_pipe(&gate.pid().to_string()), Some(true));
    // Look at a child that runs the probe program. Before that it is a copy of netready.
    let is_probe = |pid: &String| {
        std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with("netready-probe"))
    };
    ns.until("a try", || {
        let pipes: Vec<bool> =
            tries().iter().filter(|pid| is_probe(pid)).filter_map(|pid| has_pipe(pid)).collect();
        assert!(!pipes.contains(&true), "{}", gate.transcript());
        !pipes.is_empty()
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_descriptor_that_cannot_be_used_is_an_error() {
    let ns = netns!();
    for (number, said) in [
        ("1", "error: --ready-fd 1: 0, 1 and 2 are standard input, output and error"),
        ("77", "error: --ready-fd 77: no such descriptor is open; the service manager must open it"),
        ("x", "invalid value 'x' for '--ready-fd <N>'"),
        ("-1", "'-1'"),
    ] {
        let output = ns.output(&["run", "--ready-fd", number, "-i", "lo"]);
        assert_eq!(output.code, 2, "{number}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{number}: {}", output.stderr);
    }
    let (reader, _writer) = pipe();
    let reading = start(&ns, &["-i", "lo"], reader.into());
    reading.expect_stderr("--ready-fd 200: this descriptor is not open for writing");
    assert_eq!(reading.expect_exit(), Exit::Code(2));
}
