//! Debian's next release, with Podman 5.8, pasta of 2026 and systemd 262. This pasta no longer fails on an incomplete
//! network: without netready, the container starts and keeps the network of that moment.

use crate::case::{Case, Outcome, Stack, carrier, case, doctor, flap, guest, plug};
use crate::guest::{Guest, Prepared};
use crate::life::TESTER;
use crate::registry::{Fault, IMAGE, Lasts, Registry, WITHOUT_TLS};
use crate::rootfs::Release;
use crate::stacks::{STATIC, STATIC_AT_ONCE, bare, networkd};
use crate::watch::Need;
use crate::{V4, V6, generated, leak, life, rootful};

/// The configuration file that gives pasta an option that it does not know.
const PASTA: &str = "/etc/containers/containers.conf.d/50-pasta.conf";

fn forky(name: &'static str, stack: Stack) -> Case {
    case(name, stack).on(Release::Forky)
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn late_carrier() {
    forky("ConfigureWithoutCarrier, carrier late", networkd(STATIC_AT_ONCE))
        .at(6.0, carrier("e0", true))
        .without(Outcome::Good)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_link_that_is_plugged_in_late() {
    forky("NIC plugged in 5 s after boot", networkd(STATIC))
        .cables(&[])
        .at(6.0, plug("e0"))
        .without(Outcome::Local)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_address_first_and_the_route_later() {
    forky("address first, default route 5 s later", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 10.9.0.2/24 dev e0"))
        .at(6.0, guest("route add default via 10.9.0.1"))
        .without(Outcome::NoDefault)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn ipv6_first_ipv4_later() {
    forky("IPv6 at once, IPv4 4 s later", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 2001:db8:0::2/64 dev e0 nodad"))
        .at(0.0, guest("-6 route add default via 2001:db8:0::1 dev e0"))
        .at(4.0, guest("addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1"))
        .needs(&[Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::Address("2001:db8::2"), V4, V6])
        .without(Outcome::LocalV4)
        .run();
}

/// On a host with IPv6 only, this pasta is in its local mode for IPv4. doctor must not report that the container
/// started too early.
#[test]
#[ignore = "boots take minutes: make boot"]
fn ipv6_only() {
    forky("IPv6 only, default route 6 s late", bare())
        .at(0.0, carrier("e0", true))
        .at(0.0, guest("link set e0 up; addr add 2001:db8:0::2/64 dev e0 nodad"))
        .at(6.0, guest("-6 route add default via 2001:db8:0::1 dev e0"))
        .needs(&[Need::Carrier("e0"), Need::Address("2001:db8::2"), V6])
        // The gate waits for IPv4 for its grace of 10 s, and settles for 1 s.
        .settle(11_000.0)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_carrier_flaps() {
    forky("carrier flaps for 5 s", networkd(STATIC_AT_ONCE))
        .at(4.0, flap("e0", 20))
        .without(Outcome::Good)
        .run();
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn upgrade_removal_and_reboot() {
    life::upgraded_and_removed(Release::Forky);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn quadlets_of_all_kinds() {
    generated::generated(Release::Forky);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn containers_of_root() {
    rootful::waits(Release::Forky);
}

/// Podman 5.8 frees the address if pasta fails. An address is still leaked if a container's storage is removed while
/// the container has the address. Then `netready doctor --fix` repairs the database of Podman 5.8, and Podman can
/// still use it.
#[test]
#[ignore = "boots take minutes: make boot"]
fn addresses_that_podman_holds() {
    crate::enter();
    let guest = life::boot_of(Release::Forky, |prepared| {
        prepared.files.linger("tester");
        prepared.files.write(PASTA, "[network]\npasta_options = [\"--no-such-option\"]\n");
    });
    life::cable(&guest, true);
    let tester = |script: &str| guest.sh_as("tester", script);
    let failed =
        |guest: &Guest| guest.sh("journalctl --no-pager").matches("pasta failed with exit code").count() > 2;
    assert!(guest.soon(failed), "{}", guest.sh("journalctl --no-pager -n 80"));
    let journal = guest.sh("journalctl --no-pager");
    assert!(!journal.contains("is already allocated"), "{journal}");
    guest.sh(&format!("rm {PASTA}"));
    life::comes_to(&guest, "seed.service", "running");
    let seed = leak::held(&guest);
    assert!(seed.len() == 1 && seed[0].starts_with("172.21.0.2 "), "{seed:?}");

    let said = tester(
        "podman='podman --root /home/tester/other --network-config-dir /home/tester/.local/share/containers/storage/networks'
         $podman import -q /opt/image.tar localhost/busybox:latest 2>&1
         $podman run -d --name lost --network systemd-seed --ip 172.21.0.9 localhost/busybox:latest sleep 600 2>&1
         kill -KILL $($podman inspect -f '{{.State.ConmonPid}} {{.State.Pid}}' lost) && echo fine
         podman unshare rm -rf /home/tester/other",
    );
    assert!(said.contains("fine\n"), "{said}");
    let lost = leak::held(&guest).into_iter().find(|held| held.starts_with("172.21.0.9 "));
    let lost = lost.unwrap_or_else(|| panic!("{said}"));
    let run = "podman run --rm --network systemd-seed --ip 172.21.0.9 localhost/busybox:latest sleep 0; echo code $?";
    let said = tester(run);
    assert!(said.contains("is already allocated to container ID"), "{said}");

    let report = doctor(&guest, TESTER, "");
    let finding = format!(
        "lease-leaked  network systemd-seed: 172.21.0.9 is held for container {}, which does not exist",
        &lost["172.21.0.9 ".len()..][..12]
    );
    assert!(report.contains(&finding), "{report}");
    let report = doctor(&guest, TESTER, "--fix --yes");
    assert!(report.contains("Freed 172.21.0.9 of network systemd-seed\n"), "{report}");
    assert_eq!(leak::held(&guest), seed, "the other keeps its lease");
    assert_eq!(guest.property(TESTER, "seed.service", "SubState"), "running");
    assert_eq!(tester(run), "code 0\n");
    assert_eq!(tester("systemctl --user stop seed.service; echo $?"), "0\n");
    assert_eq!(leak::held(&guest), [""; 0]);
}

/// Podman 5.5 and later know `Retry=`. netready makes as many attempts as `PullRetry=` says, whatever `Retry=` says.
/// Then the image is present, and Podman does not pull it.
#[test]
#[ignore = "boots take minutes: make boot"]
fn pull_retry_beside_podmans_retry() {
    crate::enter();
    const PORT: u16 = 6001;
    let prepared = Prepared::of(Release::Forky, true);
    (bare().write)(&prepared.files);
    prepared.files.linger("tester");
    prepared.files.without_images("tester");
    prepared.files.write("/etc/containers/registries.conf.d/50-test.conf", WITHOUT_TLS);
    let quadlet = |host: &str, settings: &str| {
        format!(
            "[Container]\nImage={host}.registry.example.org:{PORT}/{IMAGE}\nExec=sleep infinity\n\
             Retry=2\nRetryDelay=1s\n{settings}[Install]\nWantedBy=default.target\n"
        )
    };
    let ours = "[X-Netready]\nPullRetry=200\nPullRetryMaxDelay=2s\n";
    prepared.files.quadlet("plain.container", &quadlet("plain", ""));
    prepared.files.quadlet("both.container", &quadlet("both", ours));
    prepared.files.quadlet("gone.container", &quadlet("gone", ours).replace("library/", "nobody/"));
    prepared.files.write(
        "/etc/hosts",
        "10.9.0.1 plain.registry.example.org both.registry.example.org gone.registry.example.org\n",
    );
    prepared.networks.cable("e0");
    prepared.networks.lan("link set e0p up");
    let registry = Registry::start(&prepared.networks);
    let door = registry.door(PORT);
    door.fails(Fault::Status(503), Lasts::Forever);
    let guest = prepared.boot();
    guest.networks().guest("link set e0 up; addr add 10.9.0.2/24 dev e0; route add default via 10.9.0.1");

    // Podman has given up, and netready continues.
    guest.comes_to("tester", "plain.service", "failed");
    let attempts = |guest: &Guest| {
        let status = guest.property(TESTER, "both.service", "StatusText");
        let number = status.strip_prefix("Attempt ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        number.unwrap_or(0_u32)
    };
    let many = guest.soon(|guest| attempts(guest) > 4);
    assert!(many, "{}", guest.property(TESTER, "both.service", "StatusText"));
    assert_eq!(guest.property(TESTER, "both.service", "SubState"), "start-pre");
    door.heals();
    guest.comes_to("tester", "both.service", "running");
    assert_eq!(guest.property(TESTER, "both.service", "NRestarts"), "0");
    // An error that does not pass ends the pull at once: Podman is not told to repeat it Retry= times.
    guest.comes_to("tester", "gone.service", "failed");
    assert_eq!(guest.property(TESTER, "gone.service", "ExecMainStartTimestamp"), "");
    let pulls = door.requests();
    let pulled = pulls.iter().filter(|request| request.fault.is_none() && request.line.contains("library/"));
    assert_eq!(
        pulled.filter(|request| request.line.contains("/manifests/")).count(),
        1,
        "one pull: {pulls:?}"
    );
}
