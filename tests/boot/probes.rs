//! Probes in the sandbox of the units as they are shipped, the system's and a user's.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};

use nix::sched::{CloneFlags, setns};

use crate::guest::{Guest, Prepared};
use crate::stacks::ifupdown;

const GATE: &str = "[[require]]\ngateway = \"ipv4\"\ndns = \"registry.example.org\"\n\
    tcp = \"registry.example.org:80\"\nhttp = \"http://registry.example.org/v2/\"\nping = \"10.9.0.1\"\n";

/// Starts a name server that gives the same address for every name, and a server at that address. They run in the LAN
/// while this process lives.
fn serve(lan: String) {
    std::thread::spawn(move || {
        setns(File::open(format!("/run/netns/{lan}")).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
        let names = UdpSocket::bind("10.9.0.53:53").unwrap();
        let server = TcpListener::bind("10.9.0.1:80").unwrap();
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, from)) = names.recv_from(&mut query) {
                let end = 12 + query[12..length].iter().position(|octet| *octet == 0).unwrap() + 5;
                let mut reply = query[..end].to_vec();
                reply[2..4].copy_from_slice(&[0x81, 0x80]);
                reply[6..12].fill(0);
                if query[end - 3] == 1 {
                    reply[7] = 1;
                    reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 9, 0, 1]);
                }
                let _ = names.send_to(&reply, from);
            }
        });
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            // A probe may connect and disconnect without sending anything.
            if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn probes_work_in_the_sandbox() {
    crate::enter();
    let prepared = Prepared::new(true);
    (ifupdown().write)(&prepared.files);
    prepared.files.linger("tester");
    prepared.files.write("/etc/netready/probes.toml", GATE);
    prepared.networks.cable("e0");
    prepared.networks.lan("link set e0p up");
    // On real hosts, systemd's own sysctl.d sets this; a guest may not.
    prepared.networks.guest("sysctl net.ipv4.ping_group_range=0 2147483647");
    serve(prepared.networks.lan.clone());
    let guest = prepared.boot();
    for user in [None, Some("tester")] {
        let start = "systemctl start --no-block netready@probes.service";
        let manager = |guest: &Guest| guest.property(user, "basic.target", "ActiveState") == "active";
        assert!(guest.soon(manager), "{}", guest.console());
        match user {
            None => guest.sh(start),
            Some(user) => guest.sh_as(user, &start.replace("systemctl", "systemctl --user")),
        };
        let status = |guest: &Guest| guest.property(user, "netready@probes.service", "StatusText");
        let ready = guest.soon(|guest| status(guest).starts_with("Ready"));
        let log = guest.sh("journalctl --no-pager -n 40");
        assert!(ready, "{user:?}: {}\n{log}", status(&guest));
        // Count systemd's filters in addition to those of the container in which the guest runs.
        let pid = guest.property(user, "netready@probes.service", "MainPID");
        let filters = |pid: &str| {
            let said = guest.sh(&format!("sed -n 's/^Seccomp_filters:[[:space:]]*//p' /proc/{pid}/status"));
            said.trim().parse::<u32>().unwrap_or_else(|error| panic!("{said}: {error}"))
        };
        assert!(filters(&pid) > filters("1"), "{user:?}: the unit has no filter");
        let left = guest.sh("cat /proc/[0-9]*/comm 2>/dev/null");
        assert!(left.contains("netready\n") && !left.contains("netready-probe"), "{left}");
    }
}
