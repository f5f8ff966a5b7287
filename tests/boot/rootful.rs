//! Containers of root: what starts too early without netready, and how they wait for the gates of the system.
//!
//! Root's Podman asks pasta for nothing. What it needs of the host at the start are the address that a `PublishPort=`
//! names, and the parent link of a macvlan.

use crate::case::{doctor, findings};
use crate::guest::{Guest, Prepared};
use crate::leak::held_in;
use crate::life::{PATIENT, seconds};
use crate::rootfs::{self, Release};
use crate::stacks::bare;

/// Root's image, and where it lies: not by overlayfs, because the guest's own files are an overlay.
const STORAGE: &str = r#"set -e
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
    >/etc/containers/storage.conf
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
podman --cgroup-manager=cgroupfs import -q /opt/image.tar localhost/busybox:latest 2>/dev/null
# It holds the paths of this moment.
rm -f /var/lib/containers/storage/db.sql
"#;

/// The containers and their lines about the network. `published` waits for network-online.target, and with netready
/// `cable` and `port` wait for the gate `lan`.
const CONTAINERS: &[(&str, &str)] = &[
    ("published", "PublishPort=10.9.1.2:8080:80\n"),
    ("cable", "Network=cable.network\nIP=10.9.0.77\n"),
    ("port", "Network=inner.network\nIP=172.22.0.5\nPublishPort=10.9.0.2:8081:80\n"),
];

const NETWORKS: &[(&str, &str)] = &[
    ("cable", "Driver=macvlan\nOptions=parent=e0\nSubnet=10.9.0.0/24\nGateway=10.9.0.1\n"),
    ("inner", "Subnet=172.22.0.0/24\n"),
];

/// Where root's Podman keeps the addresses.
const IPAM: &str = "/run/containers/networks/ipam.db";

/// A guest of root's containers whose e1 is connected from the start; nothing has an address yet.
fn boot(release: Release, with_netready: bool) -> Guest {
    let mut prepared = Prepared::of(release, with_netready);
    rootfs::in_overlay(release, &prepared.files.upper, STORAGE);
    // crun makes a BPF program that decides about devices.
    prepared.system_calls = "@keyring bpf";
    let files = &prepared.files;
    (bare().write)(files);
    let folder = "/etc/containers/systemd";
    for (name, lines) in NETWORKS {
        files.write(&format!("{folder}/{name}.network"), &format!("[Network]\n{lines}"));
    }
    for (name, lines) in CONTAINERS {
        let ours = match *name != "published" && with_netready {
            true => "[X-Netready]\nGate=lan\n",
            false => "",
        };
        let text = format!(
            "[Container]\nImage=localhost/busybox:latest\nContainerName={name}\nExec=busybox httpd -f -p 80 -h /bin\n\
             {lines}{ours}[Service]\nRestart=on-failure\n[Install]\nWantedBy=multi-user.target\n",
        );
        files.write(&format!("{folder}/{name}.container"), &text);
    }
    if with_netready {
        let lan = format!("{PATIENT}[[require]]\ninterface = \"e0\"\naddress = \"10.9.0.0/24\"\n");
        files.write("/etc/netready/lan.toml", &lan);
        files.write("/etc/netready/default.toml.d/patient.toml", PATIENT);
        files.enable("netready.service", "network-online.target");
    }
    prepared.networks.cable("e1");
    prepared.networks.lan("link set e1p up");
    prepared.boot()
}

/// The address and the default route of e1.
fn uplink(guest: &Guest) {
    guest.networks().guest("link set e1 up; addr add 10.9.1.2/24 dev e1; route add default via 10.9.1.1");
}

/// The card e0 is plugged in.
fn card(guest: &Guest) {
    guest.networks().cable("e0");
    guest.networks().lan("link set e0p up");
    guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0");
}

#[track_caller]
fn comes_to(guest: &Guest, unit: &str, state: &str) {
    let came = guest.soon(|guest| state_of(guest, unit) == state);
    let journal = || guest.sh("journalctl --no-pager -n 80");
    assert!(came, "{unit} is {}, not {state}\n{}", state_of(guest, unit), journal());
}

fn state_of(guest: &Guest, unit: &str) -> String {
    guest.property(None, unit, "SubState")
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn without_netready_they_start_too_early() {
    crate::enter();
    let guest = boot(Release::usual(), false);
    let journal = |guest: &Guest| guest.sh("journalctl --no-pager");
    for told in [
        "listen tcp4 10.9.1.2:8080: bind: cannot assign requested address",
        "listen tcp4 10.9.0.2:8081: bind: cannot assign requested address",
        "parent interface e0 does not exist",
        "Dependency failed for cable.service",
    ] {
        let said = |guest: &Guest| journal(guest).contains(told);
        assert!(guest.soon(said), "{told}\n{}", journal(&guest));
    }
    uplink(&guest);
    card(&guest);
    // systemd does not start again what failed by a dependency, whatever its Restart= says.
    guest.sleep_until(guest.age() + seconds(3));
    assert_eq!(state_of(&guest, "cable.service"), "dead");
    // By hand it starts, so it was the moment that was wrong.
    guest.sh("systemctl reset-failed; systemctl start cable.service port.service published.service");
    for unit in ["cable.service", "port.service", "published.service"] {
        comes_to(&guest, unit, "running");
    }
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn with_netready_they_wait() {
    waits(Release::usual());
}

/// The network of `published` comes first, that of the two others later.
#[track_caller]
pub fn waits(release: Release) {
    crate::enter();
    let guest = boot(release, true);
    for gate in ["netready.service", "netready@lan.service"] {
        comes_to(&guest, gate, "start");
    }
    uplink(&guest);
    comes_to(&guest, "published.service", "running");
    // network-online.target is active, and the gate `lan` is not.
    for unit in ["cable.service", "cable-network.service", "port.service"] {
        assert_eq!(state_of(&guest, unit), "dead", "{unit}");
    }
    card(&guest);
    for unit in ["cable.service", "port.service"] {
        comes_to(&guest, unit, "running");
    }
    let failed = guest.sh("systemctl list-units --failed --plain --no-legend");
    assert_eq!(failed, "");
    for unit in ["published.service", "cable.service", "port.service"] {
        assert_eq!(guest.property(None, unit, "NRestarts"), "0", "{unit}");
    }
    let server = |address: &str| {
        let get = "/opt/image/bin/busybox wget -q -T 5 -O /dev/null";
        guest.sh(&format!("{get} http://{address}/cat && echo fine"))
    };
    for address in ["10.9.1.2:8080", "10.9.0.2:8081"] {
        assert_eq!(server(address), "fine\n", "{address}");
    }
    let said = guest.sh("podman exec cable ip -o -4 address; podman exec cable ip route");
    assert!(said.contains("10.9.0.77/24") && said.contains("default via 10.9.0.1"), "{said}");

    let report = doctor(&guest, None, "--json");
    assert_eq!(findings(&report), [], "{report}");
    leaked(&guest);
}

/// A container whose storage goes away while it holds an address. doctor frees it in root's database.
#[track_caller]
fn leaked(guest: &Guest) {
    let before = held_in(guest, IPAM);
    let said = guest.sh(
        "podman='podman --root /home/other --storage-driver vfs'
         $podman import -q /opt/image.tar localhost/busybox:latest 2>&1
         $podman run -d --name lost --network systemd-inner --ip 172.22.0.9 localhost/busybox:latest sleep 600 2>&1
         kill -KILL $($podman inspect -f '{{.State.ConmonPid}} {{.State.Pid}}' lost) && echo fine
         rm -rf /home/other",
    );
    assert!(said.contains("fine\n"), "{said}");
    let lost = held_in(guest, IPAM).into_iter().find(|held| held.starts_with("172.22.0.9 "));
    let lost = lost.unwrap_or_else(|| panic!("{said}"));
    let run = "podman run --rm --network systemd-inner --ip 172.22.0.9 localhost/busybox:latest sleep 0 2>&1; echo code $?";
    let said = guest.sh(run);
    assert!(said.contains("is already allocated to container ID"), "{said}");

    let report = doctor(guest, None, "");
    let finding = format!(
        "lease-leaked  network systemd-inner: 172.22.0.9 is held for container {}, which does not exist",
        &lost["172.22.0.9 ".len()..][..12]
    );
    assert!(report.contains(&finding), "{report}");
    let report = doctor(guest, None, "--fix --yes");
    assert!(report.contains("Freed 172.22.0.9 of network systemd-inner\n"), "{report}");
    assert_eq!(held_in(guest, IPAM), before, "the others keep their leases");
    let said = guest.sh(run);
    assert!(said.ends_with("code 0\n"), "{said}");
    for unit in ["published.service", "cable.service", "port.service"] {
        assert_eq!(guest.property(None, unit, "SubState"), "running");
    }
}
