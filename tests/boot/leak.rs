//! The address that a container leaves reserved when pasta fails: nobody can use it until it is freed.

use netready::ipam::bolt::Database;
use netready::ipam::leases;

use crate::case::doctor;
use crate::guest::{Guest, Prepared};
use crate::stacks::ifupdown;

const TESTER: &str = "tester";
/// The file that restores Podman's own wait unit, as netready's drop-in documents it: then there is no gate.
const NO_GATE: &str = "/etc/systemd/user/podman-user-wait-network-online.service.d/50-netready.conf";
/// A container on the same network, which is started by hand when the network is good. It serves a file.
const OTHER: &str = "[Container]\nImage=localhost/busybox:latest\nContainerName=other\nNetwork=seed.network\n\
                     Exec=busybox httpd -f -p 7 -h /bin\n";

/// All addresses that are reserved in the database of tester's Podman, as `ADDRESS CONTAINER`.
pub fn held(guest: &Guest) -> Vec<String> {
    held_in(guest, "/run/user/1000/containers/networks/ipam.db")
}

/// All addresses that are reserved in this database, as `ADDRESS CONTAINER`.
pub fn held_in(guest: &Guest, database: &str) -> Vec<String> {
    let dump = guest.sh(&format!("od -An -v -tx1 {database}"));
    let bytes: Vec<u8> =
        dump.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).expect(&dump)).collect();
    let database = Database::parse(&bytes).unwrap();
    assert!(database.accounts_for_every_page());
    let held = leases::held(&database.root).unwrap();
    held.iter().map(|held| format!("{} {}", held.address, held.container)).collect()
}

#[track_caller]
fn comes_to(guest: &Guest, unit: &str, state: &str) {
    let came = guest.soon(|guest| guest.property(Some(TESTER), unit, "SubState") == state);
    assert!(came, "{unit} is not {state}\n{}", guest.sh("journalctl --no-pager -n 80"));
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_leaked_address_is_found_and_freed() {
    crate::enter();
    let prepared = Prepared::new(true);
    (ifupdown().write)(&prepared.files);
    prepared.files.linger(TESTER);
    prepared.files.write(NO_GATE, "");
    prepared.files.write("/etc/containers/systemd/users/other.container", OTHER);
    prepared.networks.cable("e0");
    let guest = prepared.boot();
    let tester = |script: &str| guest.sh_as(TESTER, script);
    let doctor = |options: &str| doctor(&guest, Some(TESTER), options);
    let inspect = |what: &str, name: &str| {
        tester(&format!("podman inspect -f '{{{{{what}}}}}' {name}")).trim().to_owned()
    };
    let address = "(index .NetworkSettings.Networks \"systemd-seed\").IPAddress";

    // Without carrier, pasta fails and the address stays reserved. So does the address of a second container, which
    // is not removed.
    let allocated = "is already allocated to container ID";
    let lost = |guest: &Guest| guest.sh("journalctl --no-pager").contains(allocated);
    assert!(guest.soon(lost), "{}", guest.sh("journalctl --no-pager -n 80"));
    tester("systemctl --user stop seed.service");
    let said = tester(
        "podman create -q --name idle --network systemd-seed --ip 172.21.0.9 localhost/busybox:latest sleep 9; podman start idle",
    );
    assert!(said.contains("pasta failed"), "{said}");

    // The network is good now, but that does not help.
    guest.networks().lan("link set e0p up");
    tester("systemctl --user start other.service");
    comes_to(&guest, "other.service", "running");
    let said = tester("podman start idle");
    assert!(said.contains(allocated), "{said}");
    let said = tester(
        "systemctl --user start seed.service; systemctl --user stop seed.service; journalctl --user --no-pager -n 20",
    );
    assert!(said.contains(allocated), "{said}");
    let before = [inspect(".Id", "other"), inspect(".State.Pid", "other"), inspect(address, "other")];
    assert!(before[2].starts_with("172.21.0."), "{before:?}");
    let seed = held(&guest).into_iter().find(|held| held.starts_with("172.21.0.2 ")).unwrap();

    let said = doctor("");
    println!("{said}");
    let lines = |said: &str| -> Vec<String> {
        said.lines().filter(|line| line.starts_with("lease-")).map(str::to_owned).collect()
    };
    let leak = format!(
        "lease-leaked  network systemd-seed: 172.21.0.2 is held for container {}, which does not exist",
        &seed["172.21.0.2 ".len()..][..12]
    );
    let idle = "lease-idle  container idle: it does not run, and 172.21.0.9 is held for it";
    assert_eq!(lines(&said), [&leak, idle], "{said}");
    assert!(said.ends_with("exit code 1\n"), "{said}");
    let all = held(&guest);
    let said = doctor("--fix");
    assert!(said.contains("add --yes") && said.contains("exit code 2\n"), "{said}");
    assert_eq!(held(&guest), all);

    let said = {
        tester("podman rm idle");
        doctor("--fix --yes")
    };
    println!("{said}");
    for freed in ["172.21.0.2", "172.21.0.9"] {
        assert!(said.contains(&format!("Freed {freed} of network systemd-seed\n")), "{said}");
    }
    assert_eq!(
        held(&guest),
        [format!("{} {}", before[2], before[0])],
        "the other keeps its lease, and only it"
    );
    let after = [inspect(".Id", "other"), inspect(".State.Pid", "other"), inspect(address, "other")];
    assert_eq!(after, before, "it was not touched");
    assert_eq!(guest.property(Some(TESTER), "other.service", "SubState"), "running");
    let said = doctor("--fix --yes --json");
    assert!(said.contains("\"freed\": []") || said.contains("\"freed\":[]"), "{said}");

    // The container that failed starts with its address and reaches the other container.
    tester("systemctl --user reset-failed; systemctl --user start seed.service");
    comes_to(&guest, "seed.service", "running");
    assert_eq!(inspect(address, "seed"), "172.21.0.2");
    let said = tester(&format!(
        "podman exec seed busybox wget -q -T 5 -O /dev/null http://{}:7/cat && echo fine",
        before[2]
    ));
    assert_eq!(said, "fine\n");
    assert_eq!(held(&guest).len(), 2);
    assert_eq!(lines(&doctor("")), [""; 0], "nothing is amiss with them");

    // Podman can still use the database: it frees both addresses.
    let said = tester("systemctl --user stop seed.service other.service; echo $?");
    assert_eq!(said, "0\n");
    assert_eq!(held(&guest), [""; 0]);
    let journal = guest.off();
    let wrong = journal.iter().find(|entry| entry.message.contains("failed to get network bucket"));
    assert!(wrong.is_none());
}
