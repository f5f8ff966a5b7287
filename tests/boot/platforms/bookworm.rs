//! Debian 12: systemd 252 with the system's gate and a user's. Podman in Debian 12 has no quadlets.

use crate::case::{ATTEMPTS, PROMPT, Stack};
use crate::guest::{Guest, Prepared};
use crate::life::seconds;
use crate::rootfs::Release;
use crate::stacks::{STATIC, ifupdown, networkd};
use crate::watch::{Family, Need, Watch, now, usable};
use crate::{history, kernel_line, life};

const NEEDS: [Need; 3] = [Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::Default(Family::V4)];

/// The milliseconds from the usable network to network-online.target, and to READY=1.
struct Seen {
    online: f64,
    ready: Option<f64>,
}

fn boot(stack: &Stack, with_netready: bool) -> Seen {
    let prepared = Prepared::of(Release::Bookworm, with_netready);
    (stack.write)(&prepared.files);
    if with_netready {
        prepared.files.enable("netready.service", "network-online.target");
    }
    prepared.networks.cable("e0");
    let watch = Watch::on(&prepared.networks.guest);
    let guest = prepared.boot();
    let online = |guest: &Guest| guest.active_at(None, "network-online.target");
    // The cable comes after what waits has begun to wait, or is done without it.
    let begun = |guest: &Guest| match with_netready {
        true => guest.property(None, "netready.service", "SubState") == "start",
        false => online(guest).is_some(),
    };
    assert!(guest.soon(begun), "{}", guest.console());
    guest.sleep_until(guest.age() + seconds(1));
    guest.networks().lan("link set e0p up");
    // Query nothing while the network comes, so that the queries disturb no waiter.
    guest.sleep_until(guest.age() + seconds(3));
    assert!(guest.soon(|guest| online(guest).is_some()), "{}", guest.console());
    let usable = usable(&watch.events(), &NEEDS, now()).expect("the network never came");
    let after = |at: u64| (at as f64 - usable as f64) / 1000.0;
    let ready = with_netready.then(|| guest.active_at(None, "netready.service")).flatten();
    Seen { online: after(online(&guest).unwrap()), ready: ready.map(after) }
}

/// Boots without netready, and then with its system gate until READY=1 is prompt: some boots may be slow because of the
/// machine.
#[track_caller]
fn system_gate(stack: &Stack, too_early_without: bool) {
    crate::enter();
    let without = boot(stack, false);
    println!("bookworm, {}: network-online.target without netready {:.1} ms", stack.name, without.online);
    assert_eq!(without.online < 0.0, too_early_without);
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let with = boot(stack, true);
        let ready = with.ready.expect("READY=1 never came");
        println!(
            "bookworm, {}: READY=1 {ready:.1} ms, network-online.target {:.1} ms",
            stack.name, with.online
        );
        assert!(ready > -PROMPT && with.online >= ready, "too early: {ready} ms, {} ms", with.online);
        seen.push(ready);
        if ready <= PROMPT {
            return;
        }
    }
    panic!("READY=1 came late in each boot: {seen:?} ms");
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_networkd() {
    system_gate(&networkd(STATIC), true);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_system_gate_and_ifupdown() {
    system_gate(&ifupdown(), true);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_loss_and_a_restart_of_the_unit() {
    history::loss_and_restart(Release::Bookworm);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn netready_open_on_the_kernel_command_line() {
    kernel_line::opened_by_the_kernel_line(Release::Bookworm);
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn no_ordering_cycle_and_a_tight_sandbox() {
    life::ordering_and_sandbox(Release::Bookworm);
}
