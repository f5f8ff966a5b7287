//! Words on the kernel command line, on a network that never comes.

use crate::guest::Prepared;
use crate::life::{PATIENT, TESTER, cable};
use crate::rootfs::Release;
use crate::stacks::ifupdown;

#[test]
#[ignore = "boots take minutes: make boot"]
fn netready_open_leads_past_the_gates_of_the_system_and_of_users() {
    opened_by_the_kernel_line(Release::usual());
}

#[track_caller]
pub fn opened_by_the_kernel_line(release: Release) {
    crate::enter();
    let mut prepared = Prepared::of(release, true);
    if release == Release::Bookworm {
        prepared.files.gate_of_users();
    }
    (ifupdown().write)(&prepared.files);
    prepared.files.linger("tester");
    prepared.files.enable("netready.service", "network-online.target");
    prepared.files.enable("netready@shut.service", "multi-user.target");
    let shut = format!("{PATIENT}[[require]]\ninterface = \"e0\"\ncarrier = true\n");
    prepared.files.write("/etc/netready/shut.toml", &shut);
    // In a container, the kernel command line is PID 1's arguments, which the units' sandbox hides.
    for unit in ["system/netready.service", "system/netready@shut.service", "user/netready.service"] {
        let path = format!("/etc/systemd/{unit}.d/proc.conf");
        prepared.files.write(&path, "[Service]\nProtectProc=default\n");
    }
    prepared.kernel_line = "netready.open=default,podman".to_owned();
    prepared.networks.cable("e0");
    let guest = prepared.boot();
    let is = |user, unit: &str, state: &str| guest.property(user, unit, "ActiveState") == state;
    let up = guest
        .soon(|_| is(None, "network-online.target", "active") && is(TESTER, "netready.service", "active"));
    assert!(up, "{}", guest.console());
    for user in [None, TESTER] {
        let status = guest.property(user, "netready.service", "StatusText");
        let why = "opened by the kernel command line (netready.open): ";
        assert!(status.starts_with("NOT ready after") && status.contains(why), "{user:?}: {status}");
    }
    assert!(is(None, "netready@shut.service", "activating"), "a gate that is not named stays shut");
    let check = guest.sh("netready check");
    assert!(check.contains("note: run and wait open this gate at once"), "{check}");
    cable(&guest, true);
    let ready =
        guest.soon(|guest| guest.property(None, "netready.service", "StatusText").starts_with("Ready after"));
    assert!(ready, "it is watched: {}", guest.property(None, "netready.service", "StatusText"));
}
