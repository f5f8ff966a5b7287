//! A router that appears seconds after the gate is ready, at each boot. At the first boot, nothing announces it.
//! After three boots, the history does.

use std::process::Child;

use crate::case::{doctor, findings, router};
use crate::guest::{Guest, Prepared};
use crate::life::{TESTER, cable, comes_to, seconds};
use crate::stacks::networkd;
use crate::table;

const NETWORK: &str =
    "[Match]\nName=e0\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\nIPv6AcceptRA=yes\n";

/// Plugs the cable in, and starts the router three seconds after the container runs. If the gate waits for the router, the
/// container does not run before.
fn one_boot(guest: &Guest, late: bool, routers: &mut Vec<Child>) {
    comes_to(guest, "netready.service", "start");
    cable(guest, true);
    if late {
        comes_to(guest, "seed.service", "running");
    }
    let since = guest.age();
    guest.sleep_until(since + seconds(if late { 3 } else { 6 }));
    router()(guest.networks(), routers);
    let heard = |guest: &Guest| guest.sh("ip -6 route show default").contains("via fe80");
    assert!(guest.soon(heard), "{}", guest.sh("ip address; ip -6 route"));
    comes_to(guest, "seed.service", "running");
    let told = |guest: &Guest| {
        let journal = guest.sh("journalctl --sync; journalctl --no-pager --boot");
        journal.contains("the first IPv6 default route came ")
    };
    assert!(!late || guest.soon(told), "{}", guest.sh("journalctl --no-pager --boot -n 60"));
}

fn end(routers: &mut Vec<Child>) {
    for mut router in routers.drain(..) {
        let _ = router.kill();
        let _ = router.wait();
    }
}

/// Boots again with a new cable, because a far end that goes down loses its IPv6 addresses.
fn restart(guest: &mut Guest, routers: &mut Vec<Child>) {
    guest.reboot_after(|networks| {
        end(routers);
        networks.lan("link del e0p");
        networks.cable("e0");
    });
}

/// The number of default routes in tester's container.
fn defaults(guest: &Guest) -> usize {
    let inside = "podman unshare --rootless-netns sh -c 'ip -4 route; ip -6 route'";
    guest.sh_as("tester", inside).matches("default via").count()
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn three_boots_with_a_late_router_and_a_fourth_with_what_doctor_says() {
    crate::enter();
    let prepared = Prepared::new(true);
    (networkd(NETWORK).write)(&prepared.files);
    prepared.files.linger("tester");
    prepared.networks.cable("e0");
    let mut guest = prepared.boot();
    let mut routers = Vec::new();
    for number in 1..=3 {
        one_boot(&guest, true, &mut routers);
        assert_eq!(defaults(&guest), 1, "boot {number}: the container is to have IPv4 only");
        if number < 3 {
            restart(&mut guest, &mut routers);
        }
    }
    let said = doctor(&guest, TESTER, "");
    let found = findings(&doctor(&guest, TESTER, "--json"));
    let late = ("family-late".to_owned(), "gate podman".to_owned());
    assert!(found.contains(&late), "{found:?}\n{said}");
    let command = "netready learn podman --write";
    assert!(said.contains(command), "{said}");
    let learned = guest.sh_as("tester", &format!("{command}; cat .config/netready/podman.toml"));

    restart(&mut guest, &mut routers);
    // The gate now waits for the router.
    one_boot(&guest, false, &mut routers);
    let status = guest.property(TESTER, "netready.service", "StatusText");
    std::fs::write(table::folder().join("history-late.log"), format!("{said}\n{learned}\n{status}\n"))
        .unwrap();
    assert_eq!(defaults(&guest), 2, "{learned}\n{status}");
    assert_eq!(guest.property(TESTER, "seed.service", "NRestarts"), "0");
    end(&mut routers);
}
