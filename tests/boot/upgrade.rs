//! An upgrade in the middle of a boot: some gates wait, one is open, containers run, and the earlier version has left
//! its files.
//!
//! `NETREADY_DEB_BEFORE` names the package of an earlier version. Without it, this version is installed over itself,
//! and the test writes the files that an earlier version would have left.

use std::path::PathBuf;

use crate::guest::{Guest, Prepared};
use crate::life::{TESTER, cable, comes_to};
use crate::rootfs::{self, Release};
use crate::stacks::ifupdown;

/// All keys of gate files in 0.1.0.
const EVERY_KEY: &str = include_str!("../../crates/core/tests/gates-0.1.0/every-key.toml");
const SHUT: &str = "settle = \"500ms\"\n[[require]]\ninterface = \"late0\"\ncarrier = true\n";

/// The units of gates and containers, each with its user.
const UNITS: [(Option<&str>, &str); 5] = [
    (None, "netready.service"),
    (TESTER, "netready.service"),
    (TESTER, "netready@shut.service"),
    (TESTER, "seed.service"),
    (TESTER, "requires.service"),
];

/// What must not change: the processes, the states, and the times of the units.
fn states(guest: &Guest) -> Vec<String> {
    let properties =
        ["MainPID", "ControlPID", "ActiveState", "SubState", "NRestarts", "InactiveExitTimestampMonotonic"];
    let state = |(whose, unit): (Option<&str>, &str)| {
        let values = properties.map(|property| guest.property(whose, unit, property));
        format!("{whose:?} {unit} {}", values.join(" "))
    };
    UNITS.into_iter().map(state).collect()
}

fn container(settings: &str) -> String {
    format!(
        "[Container]\nImage=localhost/busybox:latest\nExec=sleep infinity\nStopTimeout=1\n\
         [Install]\nWantedBy=default.target\n{settings}"
    )
}

/// Writes the record and the events of a run of 0.1.0 into tester's folder of records.
fn plant(guest: &Guest) {
    let said = guest.sh_as(
        "tester",
        r#"cd $XDG_RUNTIME_DIR/netready-record/netready && cat >podman.json <<END && echo fine
{"boot-id":"$(cat /proc/sys/kernel/random/boot_id)","gate":"podman","gave-up-at":null,"pid":1,"source":"built-in","status":"Ready after 1.0s: default via 10.9.0.1 dev e0"}
END
printf 'half a line of an event that this version does not kn' >>podman.events"#,
    );
    assert_eq!(said, "fine\n");
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn an_upgrade_while_gates_wait_and_containers_run() {
    crate::enter();
    let prepared = Prepared::new(false);
    let files = &prepared.files;
    let before = std::env::var_os("NETREADY_DEB_BEFORE").map(PathBuf::from);
    std::fs::copy(before.as_deref().unwrap_or(rootfs::package()), files.path("/before.deb")).unwrap();
    std::fs::copy(rootfs::package(), files.path("/netready.deb")).unwrap();
    rootfs::in_overlay(Release::usual(), &files.upper, "dpkg -i /before.deb");
    (ifupdown().write)(files);
    files.linger("tester");
    files.enable("netready.service", "network-online.target");
    files.write("/etc/netready/every-key.toml", EVERY_KEY);
    files.write("/etc/netready/shut.toml", &format!("timeout = \"1h\"\n{SHUT}"));
    // This gate gives up at once, so that the container begins to start and waits by itself.
    files.write("/etc/netready/hasty.toml", &format!("timeout = \"2s\"\n{SHUT}"));
    files.quadlet("app.container", &container("[X-Netready]\nGate=shut\n"));
    let required = "[X-Netready]\nGate=hasty\nGateRequired=yes\n";
    files.quadlet("requires.container", &container(required));
    prepared.networks.cable("e0");
    prepared.networks.lan("link set e0p up");
    let guest = prepared.boot();
    comes_to(&guest, "seed.service", "running");
    comes_to(&guest, "netready@shut.service", "start");
    comes_to(&guest, "requires.service", "start-pre");
    let version = guest.sh("dpkg-query -W -f '${Version}' netready");
    if before.is_none() {
        plant(&guest);
    }

    let running = states(&guest);
    let said = guest.sh("timeout 600 dpkg -i /netready.deb 2>&1 && echo fine");
    assert!(said.ends_with("fine\n"), "{said}");
    assert_eq!(states(&guest), running, "an upgrade from {version} leaves all of them alone");
    // Load the new generator and the new units.
    let said = guest.sh_as("tester", "systemctl --user daemon-reload && echo fine");
    assert_eq!(said, "fine\n");
    assert_eq!(states(&guest), running, "and so does a reload");
    let said = guest.sh_as("tester", "netready cat every-key >/dev/null && netready doctor --json; echo $?");
    assert!(!said.contains("gate-invalid") && !said.contains("gate-unit-failed"), "{said}");

    // The gate opens in the process of the earlier version.
    guest.networks().guest("link add late0 type veth peer name late1; link set late0 up; link set late1 up");
    for unit in ["app.service", "requires.service"] {
        comes_to(&guest, unit, "running");
    }
    let container_ids = "podman ps --no-trunc --format '{{.Names}} {{.ID}} {{.StartedAt}}' | sort";
    let containers = guest.sh_as("tester", container_ids);
    assert_eq!(containers.lines().count(), 3, "{containers}");

    // Restart the gates with the new version, which reads what the earlier one left.
    guest.sh("systemctl restart netready.service");
    guest.sh_as("tester", "systemctl --user restart netready.service netready@shut.service");
    for (whose, unit) in [UNITS[0], UNITS[1], UNITS[2]] {
        let ready = |guest: &Guest| guest.property(whose, unit, "StatusText").starts_with("Ready");
        assert!(guest.soon(ready), "{}", guest.sh("journalctl -n 60 --no-pager"));
    }
    assert_eq!(guest.sh_as("tester", container_ids), containers, "no container was started again");
    let records = guest.sh_as(
        "tester",
        "cat /run/netready-record/netready/default.events $XDG_RUNTIME_DIR/netready-record/netready/podman.events",
    );
    assert!(records.matches("\"state\":\"ready\"").count() >= 2, "{records}");
    // The gates also work when the network goes and comes again.
    cable(&guest, false);
    let status = |guest: &Guest| guest.property(TESTER, "netready.service", "StatusText");
    assert!(guest.soon(|guest| status(guest).starts_with("NOT ready")));
    cable(&guest, true);
    assert!(guest.soon(|guest| status(guest).starts_with("Ready again")));
    assert_eq!(guest.sh_as("tester", container_ids), containers);
}
