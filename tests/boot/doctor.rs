//! `netready doctor` on a host that has every fault at once. Each good case asserts that doctor finds nothing on a
//! good host.

use std::collections::BTreeSet;

use crate::case::{doctor, findings};
use crate::files::Files;
use crate::guest::{Guest, Prepared};

const TESTER: Option<&str> = Some("tester");

/// A gate that gives up before there is any network, and then keeps waiting.
const HASTY: &str = "timeout = \"4s\"\nno-carrier-timeout = \"3s\"\n[[require]]\npasta = true\n";

/// Containers that are started by hand, each with its own pasta, at different moments.
const PASTAS: [&str; 3] = ["nothing", "half", "four"];

fn plant(files: &Files) {
    files.linger("tester");
    let gate = |name: &str, text: &str| files.write(&format!("/etc/netready/{name}.toml"), text);
    gate("podman", HASTY);
    gate("broken", "timeout = 5\nrequire = 7\n");
    gate("six", "[[require]]\ninterface = \"e2\"\naddress = \"ipv6\"\n");
    gate("never", "timeout = \"2s\"\n[[require]]\ninterface = \"never0\"\n");
    gate("other", "[[require]]\ninterface = \"e1\"\n");
    let own = |name: &str, text: &str| files.write(&format!("/etc/systemd/user/{name}"), text);
    own("app.service", "[Unit]\nAfter=network-online.target\n[Service]\nExecStart=/bin/true\n");
    // Both gates are started at boot. One gives up for good; the other is refused because of an error in its file.
    own(
        "gates.service",
        "[Unit]\nWants=netready@never.service netready@broken.service\n[Service]\nExecStart=/bin/sleep infinity\n",
    );
    own("default.target.d/gates.conf", "[Unit]\nWants=gates.service\n");
    let quadlet =
        |name: &str, text: &str| files.write(&format!("/etc/containers/systemd/users/{name}"), text);
    let container = |name: &str, more: &str| {
        quadlet(name, &format!("[Container]\nImage=localhost/busybox:latest\nExec=sleep infinity\n{more}"));
    };
    container("late.container", "[Install]\nWantedBy=multi-user.target\n");
    container("retry.container", "Retry=3\n");
    container("setting.container", "[X-Netready]\nGat=uplink\n");
    container("named.container", "[X-Netready]\nGate=uplnk\n");
    container("elsewhere.container", "[X-Netready]\nGate=other\n");
    for name in PASTAS {
        container(&format!("{name}.container"), "Network=pasta\n[X-Netready]\nGate=none\n");
    }
    container("twin.container", "Network=seed.network\nIP=172.21.0.2\n");
    container("outside.container", "Network=seed.network\nIP=10.1.1.1\n");
    for waiter in ["netready", "NetworkManager-wait-online", "my-wait-online"] {
        files.enable(&format!("{waiter}.service"), "network-online.target");
    }
}

fn found(guest: &Guest, who: Option<&str>) -> BTreeSet<String> {
    found_in(&doctor(guest, who, "--json"))
}

fn found_in(said: &str) -> BTreeSet<String> {
    findings(said).into_iter().map(|(code, subject)| format!("{code} {subject}")).collect()
}

/// Asserts that the expected findings exist; others may exist too.
#[track_caller]
fn finds(guest: &Guest, who: Option<&str>, expected: &[&str]) {
    let found = found(guest, who);
    let missing: Vec<&&str> = expected.iter().filter(|finding| !found.contains(**finding)).collect();
    let containers = guest.sh_as("tester", "podman ps --format json; ps axf");
    assert!(
        missing.is_empty(),
        "missing {missing:#?}\nin {found:#?}\n{}\n{containers}",
        doctor(guest, who, "--json")
    );
}

#[track_caller]
fn start(guest: &Guest, name: &str) {
    guest.sh_as("tester", &format!("systemctl --user start {name}.service"));
    let state = guest.property(TESTER, &format!("{name}.service"), "SubState");
    assert_eq!(state, "running", "{name}: {}", guest.sh("journalctl --no-pager -n 40"));
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn every_fault_is_found() {
    crate::enter();
    let prepared = Prepared::new(true);
    plant(&prepared.files);
    prepared.networks.cable("e0");
    prepared.networks.cable("e1");
    prepared.networks.cable("e2");
    let guest = prepared.boot();
    let running = |guest: &Guest| guest.property(TESTER, "seed.service", "SubState") == "running";
    assert!(guest.soon(running), "{}", guest.sh("journalctl --no-pager -n 80"));
    // Each container keeps the network that exists when it starts.
    start(&guest, "nothing");
    let networks = guest.networks();
    networks.lan("link set e0p up; link set e1p up");
    networks
        .guest("link set e1 up; link set e0 up; addr add 10.9.0.2/24 dev e0; addr add 10.9.1.2/24 dev e1");
    start(&guest, "half");
    finds(&guest, TESTER, &["pasta-unfit interface e0"]);
    networks.guest("route add default via 10.9.0.1");
    start(&guest, "four");
    networks.guest("addr add 2001:db8:0::2/64 dev e0 nodad; -6 route add default via 2001:db8:0::1 dev e0");
    networks.guest("sysctl net.ipv6.conf.e2.disable_ipv6=1");

    finds(
        &guest,
        TESTER,
        &[
            "gate-invalid gate broken",
            "gate-missing gate uplnk",
            "gate-impossible gate six",
            "gate-gave-up gate never",
            "gate-unit-failed netready@broken.service",
            "ordering-dropped app.service",
            "install-target late.container",
            "quadlet-refused retry.container",
            "quadlet-setting setting.container",
            "address-twice twin.container",
            "address-outside outside.container",
            "pasta-other gate other",
            "container-local container seed",
            "container-local container systemd-nothing",
            "container-no-default container systemd-half",
            "container-one-family container systemd-four",
        ],
    );
    finds(
        &guest,
        None,
        &[
            "gate-invalid gate broken",
            "wait-online-no-manager NetworkManager-wait-online.service",
            "wait-online-beside my-wait-online.service",
            "online-unwanted netready.service",
        ],
    );
    // The service manager of this user does not run and cannot be queried. The faults in files are found anyway.
    let found_by_second = found_in(&guest.sh_as("second", "netready doctor --json"));
    for finding in ["linger-off user second", "gate-invalid gate broken"] {
        assert!(found_by_second.contains(finding), "{finding} is missing in {found_by_second:#?}");
    }

    // The other faults.
    guest.sh("rm /etc/systemd/system/network-online.target.wants/netready.service");
    guest.sh(
        "cd /etc/systemd/system/network-online.target.wants
         ln -s /usr/lib/systemd/system/ifupdown-wait-online.service /usr/lib/systemd/system/systemd-networkd-wait-online.service .
         printf '[Match]\\nName=e2\\n[Network]\\nLinkLocalAddressing=no\\n' >/etc/systemd/network/e2.network
         printf 'auto lo\\niface lo inet loopback\\n' >/etc/network/interfaces
         systemctl start systemd-networkd.service networking.service",
    );
    finds(&guest, None, &["wait-online-several systemd-networkd-wait-online.service"]);
    guest.sh("rm /usr/lib/systemd/user/podman-user-wait-network-online.service.d/50-netready.conf");
    guest.sh("rm -r /run/user/1000/systemd/generator/podman-user-wait-network-online.service.d");
    networks.guest(
        "route del default; route add default nexthop via 10.9.0.1 dev e0 nexthop via 10.9.1.1 dev e1",
    );
    finds(
        &guest,
        TESTER,
        &[
            "wait-unit-ungated podman-user-wait-network-online.service",
            "online-unwanted podman-user-wait-network-online.service",
            "pasta-multipath interface e0",
        ],
    );

    // Follow the advice: after the containers are started again, they are good.
    networks.guest("route del default; route add default via 10.9.0.1");
    guest.sh_as(
        "tester",
        "systemctl --user stop seed nothing half four; systemctl --user start seed nothing half four",
    );
    for name in ["seed", "nothing", "half", "four"] {
        assert_eq!(guest.property(TESTER, &format!("{name}.service"), "SubState"), "running", "{name}");
    }
    let left: Vec<String> =
        found(&guest, TESTER).into_iter().filter(|finding| finding.starts_with("container-")).collect();
    assert!(left.is_empty(), "{left:#?}");
}
