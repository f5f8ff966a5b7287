//! What was learned in one boot is used in the next: there the network is late, DHCP gives another address, and the
//! network card has another number and another hardware address.

use std::process::Child;
use std::time::Duration;

use crate::case::{Act, PROMPT, Stack, router_with_dhcp, router_with_other_dhcp};
use crate::guest::{Guest, Prepared};
use crate::stacks::{ifupdown, network_manager_automatic, networkd};
use crate::watch::{Family, Need, Watch, now, usable};

/// How late READY=1 may be, in milliseconds. The limit allows for a busy machine; a gate that requires too much would
/// give up only after 90 s.
const LATE: f64 = 2000.0;
const AUTOMATIC: &str =
    "[Match]\nName=e0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\nIPv6PrivacyExtensions=yes\n";

const V4: Need = Need::Default(Family::V4);
const V6: Need = Need::Default(Family::V6);

struct Plan {
    stack: Stack,
    /// What starts on the cable at the first boot and at the second.
    answers: Option<[Act; 2]>,
    /// The clause for the link that must be learned.
    clause: &'static str,
    /// What the network needs at the second boot.
    needs: Vec<Need>,
    user: Option<&'static str>,
}

fn answer(act: Option<&Act>, guest: &Guest, children: &mut Vec<Child>) {
    if let Some(act) = act {
        act(guest.networks(), children);
    }
}

fn run(plan: &Plan) {
    crate::enter();
    let prepared = Prepared::new(true);
    (plan.stack.write)(&prepared.files);
    prepared.files.enable("netready.service", "network-online.target");
    if let Some(user) = plan.user {
        prepared.files.linger(user);
    }
    prepared.networks.cable("e0");
    prepared.networks.lan("link set e0p up");
    let mut guest = prepared.boot();
    let mut children = Vec::new();
    answer(plan.answers.as_ref().map(|[first, _]| first), &guest, &mut children);

    // Wait until everything exists, because only what exists is learned.
    let has_all = |guest: &Guest| {
        let said = guest.sh("netready learn");
        said.contains(plan.clause)
    };
    assert!(guest.soon(has_all), "{}", guest.sh("netready learn; ip addr; ip route"));
    let said = guest.sh("netready learn --write");
    assert!(said.starts_with("/etc/netready/default.toml\n"), "{said}");
    let learned = guest.sh("cat /etc/netready/default.toml");
    assert!(learned.contains(plan.clause) && learned.contains("nameserver = true"), "{learned}");
    if let Some(user) = plan.user {
        let said = guest.sh_as(user, "netready learn --write && cat .config/netready/podman.toml");
        assert!(said.contains(plan.clause) && said.contains("pasta = true"), "{said}");
        assert!(said.contains("seed.container"), "it has an IP=: {said}");
    }

    let mut watch = None;
    guest.reboot_after(|networks| {
        networks.lan("link del e0p");
        networks.cable("e0");
        watch = Some(Watch::on(&networks.guest));
    });
    answer(plan.answers.as_ref().map(|[_, second]| second), &guest, &mut children);
    guest.sleep_until(Duration::from_secs(4));
    let waits = |guest: &Guest| guest.property(None, "netready.service", "SubState") == "start";
    assert!(guest.soon(waits), "{}", guest.console());
    guest.networks().lan("link set e0p up");
    let ready = |guest: &Guest| {
        let whose = std::iter::once(None).chain(plan.user.map(Some));
        let mut states = whose.map(|user| guest.property(user, "netready.service", "SubState"));
        states.all(|state| state == "running")
            && plan
                .user
                .is_none_or(|user| guest.property(Some(user), "seed.service", "SubState") == "running")
    };
    let came = guest.soon(ready);
    let check = guest.sh("netready check; ip addr; ip route; ip -6 route");
    assert!(came, "{check}\n{}", guest.sh("journalctl --no-pager -b -n 60"));
    assert!(check.starts_with("Ready: gate default (/etc/netready/default.toml)\n"), "{check}");

    let events = watch.unwrap().events();
    let usable = usable(&events, &plan.needs, now());
    let usable = usable.unwrap_or_else(|| panic!("it never was usable: {events:?}\n{check}"));
    let gates = std::iter::once((None, 0.0)).chain(plan.user.map(|user| (Some(user), 1000.0)));
    for (user, settle) in gates {
        let at = guest.active_at(user, "netready.service").unwrap();
        let late = (at as f64 - usable as f64) / 1000.0 - settle;
        println!(
            "{} {user:?}: READY=1 {late} ms after the last needed event and the settle",
            plan.stack.name
        );
        assert!(late > -PROMPT && late < LATE, "{user:?}: {late} ms\n{learned}\n{events:?}");
    }
    if let Some(user) = plan.user {
        assert_eq!(guest.property(Some(user), "seed.service", "NRestarts"), "0");
        let inside = guest.sh_as(user, "podman unshare --rootless-netns sh -c 'ip -4 route; ip -6 route'");
        assert_eq!(inside.matches("default via").count(), 2, "{inside}");
    }
    for mut child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn learned_from_networkd_with_dhcp_and_a_router() {
    run(&Plan {
        stack: networkd(AUTOMATIC),
        answers: Some([router_with_dhcp(), router_with_other_dhcp()]),
        clause: "interface = \"e0\"\naddress = [\"ipv4\", \"ipv6\"]\nroute = [\"default-ipv4\", \"default-ipv6\"]\n",
        needs: vec![Need::Carrier("e0"), Need::Address("10.9.0.77"), Need::AddressIn("2001:db8:"), V4, V6],
        user: Some("tester"),
    });
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn learned_from_ifupdown_with_a_static_address() {
    run(&Plan {
        stack: ifupdown(),
        answers: None,
        clause: "interface = \"e0\"\naddress = \"ipv4\"\nroute = \"default-ipv4\"\n",
        needs: vec![Need::Carrier("e0"), Need::Address("10.9.0.2"), V4],
        user: None,
    });
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn learned_from_network_manager_with_dhcp_and_a_router() {
    run(&Plan {
        stack: network_manager_automatic(),
        answers: Some([router_with_dhcp(), router_with_other_dhcp()]),
        clause: "interface = \"e0\"\naddress = [\"ipv4\", \"ipv6\"]\nroute = [\"default-ipv4\", \"default-ipv6\"]\n",
        needs: vec![Need::Carrier("e0"), Need::Address("10.9.0.77"), Need::AddressIn("2001:db8:"), V4, V6],
        user: None,
    });
}
