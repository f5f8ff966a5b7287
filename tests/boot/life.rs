//! What happens to gates and containers besides a boot: sessions, restarts, reloads, upgrades and removal.

use std::time::Duration;

use crate::guest::{Guest, Prepared};
use crate::rootfs::{self, Release};
use crate::stacks::ifupdown;

pub const TESTER: Option<&str> = Some("tester");
/// A drop-in for a gate that must not give up during a test, however busy the machine is.
pub const PATIENT: &str = "timeout = \"1h\"\nno-carrier-timeout = \"1h\"\n";

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Boots a guest with a static network on e0, still without carrier.
pub fn boot(change: impl Fn(&Prepared)) -> Guest {
    boot_of(Release::usual(), change)
}

pub fn boot_of(release: Release, change: impl Fn(&Prepared)) -> Guest {
    let prepared = Prepared::of(release, true);
    if release == Release::Bookworm {
        prepared.files.gate_of_users();
    }
    (ifupdown().write)(&prepared.files);
    change(&prepared);
    prepared.networks.cable("e0");
    prepared.boot()
}

pub fn cable(guest: &Guest, on: bool) {
    guest.networks().lan(&format!("link set e0p {}", if on { "up" } else { "down" }));
}

#[track_caller]
pub fn comes_to(guest: &Guest, what: &str, state: &str) {
    guest.comes_to("tester", what, state);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_user_without_linger() {
    crate::enter();
    let guest = boot(|_| ());
    let up = |guest: &Guest| guest.property(None, "multi-user.target", "ActiveState") == "active";
    assert!(guest.soon(up), "{}", guest.console());
    assert_eq!(guest.property(None, "user@1000.service", "ActiveState"), "inactive");
    guest.sh("systemd-run --uid=tester --property=PAMName=login sleep 3600");
    comes_to(&guest, "netready.service", "start");
    std::thread::sleep(seconds(2));
    assert_eq!(guest.property(TESTER, "seed.service", "SubState"), "dead", "the gate is shut");
    cable(&guest, true);
    comes_to(&guest, "seed.service", "running");
    assert_eq!(guest.property(TESTER, "seed.service", "NRestarts"), "0");
}

/// A restart of the gate does not affect the containers. A changed gate file is read. What starts later waits too.
#[test]
#[ignore = "boots take minutes: make boot"]
fn restart_reload_and_later_starts() {
    crate::enter();
    let guest = boot(|prepared| prepared.files.linger("tester"));
    cable(&guest, true);
    comes_to(&guest, "seed.service", "running");
    let container = guest.property(TESTER, "seed.service", "MainPID");

    guest.sh_as("tester", "systemctl --user restart netready.service");
    comes_to(&guest, "netready.service", "running");
    assert_eq!(guest.property(TESTER, "seed.service", "MainPID"), container);

    let gate = guest.property(TESTER, "netready.service", "MainPID");
    guest.sh("mkdir -p /etc/netready/podman.toml.d");
    guest.sh("printf '[[require]]\\ninterface = \"late0\"\\ncarrier = true\\n' >/etc/netready/podman.toml.d/late.toml");
    guest.sh_as("tester", "systemctl --user reload netready.service");
    let status = |guest: &Guest| guest.property(TESTER, "netready.service", "StatusText");
    let told = guest.soon(|guest| status(guest).starts_with("NOT ready"));
    assert!(told && status(&guest).contains("late0"), "{}", status(&guest));
    assert_eq!(guest.property(TESTER, "netready.service", "MainPID"), gate);
    assert_eq!(guest.property(TESTER, "netready.service", "SubState"), "running");
    assert_eq!(guest.property(TESTER, "seed.service", "MainPID"), container);

    guest.sh_as("tester", "systemctl --user restart --no-block seed.service");
    std::thread::sleep(seconds(4));
    assert_ne!(guest.property(TESTER, "seed.service", "SubState"), "running", "a later start must wait");
    guest.networks().guest("link add late0 type veth peer name late1; link set late0 up; link set late1 up");
    comes_to(&guest, "seed.service", "running");
    assert!(status(&guest).starts_with("Ready"), "{}", status(&guest));
}

/// Installs the package again over a running version, then removes it, then boots without it.
#[test]
#[ignore = "boots take minutes: make boot"]
fn upgrade_removal_and_reboot() {
    upgraded_and_removed(Release::usual());
}

#[track_caller]
pub fn upgraded_and_removed(release: Release) {
    crate::enter();
    let mut guest = boot_of(release, |prepared| {
        prepared.files.linger("tester");
        prepared.files.enable("netready.service", "network-online.target");
        for gate in ["default", "podman"] {
            prepared.files.write(&format!("/etc/netready/{gate}.toml.d/patient.toml"), PATIENT);
        }
        std::fs::copy(rootfs::package(), prepared.files.path("/netready.deb")).unwrap();
    });
    comes_to(&guest, "netready.service", "start");
    assert!(guest.soon(|guest| guest.property(None, "netready.service", "SubState") == "start"));
    let gates = |guest: &Guest| {
        [None, TESTER].map(|whose| {
            ["MainPID", "SubState"].map(|property| guest.property(whose, "netready.service", property))
        })
    };
    let before = gates(&guest);
    assert_eq!([&before[0][1], &before[1][1]], ["start", "start"], "both gates wait");

    // There is no network, so dpkg would hang if it started or restarted a gate.
    let said = guest.sh("timeout 600 dpkg -i /netready.deb && echo fine");
    assert!(said.ends_with("fine\n"), "{said}");
    assert_eq!(gates(&guest), before, "an upgrade leaves the gates alone");

    cable(&guest, true);
    comes_to(&guest, "seed.service", "running");
    let said = guest.sh("dpkg -r netready && echo fine");
    assert!(said.ends_with("fine\n"), "{said}");
    assert_eq!(
        guest.sh("find /etc/systemd /usr/lib/systemd /run/netready-record -iname '*netready*' 2>/dev/null"),
        ""
    );
    assert_eq!(guest.property(None, "netready.service", "ActiveState"), "inactive");
    assert_eq!(guest.property(TESTER, "seed.service", "SubState"), "running", "a removal stops no container");

    guest.reboot();
    cable(&guest, true);
    comes_to(&guest, "seed.service", "running");
    let unit = guest.sh_as("tester", "systemctl --user cat podman-user-wait-network-online.service");
    assert!(unit.contains("is-active network-online.target") && !unit.contains("netready"), "{unit}");
    assert_eq!(guest.property(TESTER, "netready.service", "LoadState"), "not-found");
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn no_ordering_cycle_and_a_tight_sandbox() {
    ordering_and_sandbox(Release::usual());
}

#[track_caller]
pub fn ordering_and_sandbox(release: Release) {
    crate::enter();
    let with_podman = release != Release::Bookworm;
    let guest = boot_of(release, |prepared| {
        prepared.files.linger("tester");
        prepared.files.enable("netready.service", "network-online.target");
    });
    cable(&guest, true);
    comes_to(&guest, if with_podman { "seed.service" } else { "netready.service" }, "running");
    let verified = guest.sh(
        "systemd-analyze --man=no verify default.target netready.service netready@x.service && echo fine",
    );
    assert!(verified.ends_with("fine\n") && !verified.contains("cycle"), "{verified}");
    let of_podman = match with_podman {
        true => "podman-restart.service podman-kube@x.service podman-auto-update.service",
        false => "",
    };
    let verify = "systemd-analyze --user --man=no verify default.target netready.service netready@x.service";
    let verified = guest.sh_as("tester", &format!("{verify} {of_podman} && echo fine"));
    assert!(verified.ends_with("fine\n") && !verified.contains("cycle"), "{verified}");
    for (said, most) in [
        (guest.sh("systemd-analyze security --no-pager netready.service"), 1.6),
        (guest.sh_as("tester", "systemd-analyze --user security --no-pager netready.service"), 2.0),
    ] {
        let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
        println!("{said}");
        let exposure = line.split_whitespace().find_map(|word| word.parse::<f64>().ok());
        assert!(exposure.is_some_and(|exposure| exposure <= most), "{said}");
    }
    for unit in of_podman.split_whitespace() {
        let after = guest.property(TESTER, unit, "After");
        assert!(after.contains("netready.service"), "{unit}: {after}");
    }
    let journal = guest.off();
    assert!(!journal.iter().any(|entry| entry.message.contains("ordering cycle")));
}
