//! Measures, in the same boot, how long after the network was usable each way of waiting for it ends.
//!
//! Only `make bench-boot` runs this, not `make boot`: it asserts nothing about the times. It appends lines to the
//! file that `NETREADY_COMPARE` names: suite, network manager, waiter, and milliseconds after the network was usable.
//! The program in `benches/` makes the table and the plot from them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use crate::case::{SYSFS_LOOP, Stack, peer};
use crate::files::Files;
use crate::guest::{Guest, Prepared};
use crate::rootfs::Release;
use crate::stacks::{STATIC, ifupdown, network_manager, networkd_with_wait_online};
use crate::table;
use crate::watch::{Family, Need, Watch, now, usable};

const NEEDS: [Need; 3] = [Need::Carrier("e0"), Need::Address("10.9.0.2"), Need::Default(Family::V4)];
/// Like `STATIC`, but without an IPv6 link-local address, for which wait-online would wait.
const STATIC_IPV4_ONLY: &str = "[Match]\nName=e0\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\n\
                                IPv6AcceptRA=no\nLinkLocalAddressing=no\n";
/// When the cable is plugged in, in seconds after the start of the boot. All waiters have started by then.
const CABLE: f64 = 5.0;
/// How long a waiter may take, in seconds after the cable.
const PATIENCE: u64 = 20;
const USER: &str = "tester";
/// The system's gate in a unit of its own. netready.service itself is before network-online.target, for which
/// Podman's wait unit waits: so it would delay that wait unit, where other waiters are too early.
const GATE: &str = "gate.service";
const PODMAN: &str = "podman-user-wait-network-online.service";

/// A way of waiting for the network: a unit that is active when it has finished.
struct Waiter {
    name: &'static str,
    user: Option<&'static str>,
    unit: &'static str,
    /// The command of the unit, if the distribution does not have the unit.
    command: Option<&'static str>,
}

const fn waiter(name: &'static str, unit: &'static str) -> Waiter {
    Waiter { name, user: None, unit, command: None }
}

const EVERYWHERE: [Waiter; 4] = [
    waiter("`netready run`, READY=1", GATE),
    Waiter { command: Some("/usr/bin/netready wait"), ..waiter("`netready wait`", "peer-netready.service") },
    Waiter { command: Some(SYSFS_LOOP), ..waiter("sysfs loop, 1 s", "peer-sysfs.service") },
    Waiter { user: Some(USER), ..waiter("Podman's wait unit", PODMAN) },
];
const NETWORKD: [Waiter; 1] =
    [waiter("systemd-networkd-wait-online", "systemd-networkd-wait-online.service")];
const NETWORK_MANAGER: [Waiter; 2] = [
    waiter("NetworkManager-wait-online (`nm-online -s`)", "NetworkManager-wait-online.service"),
    Waiter {
        command: Some("/usr/bin/nm-online --quiet --timeout=60"),
        ..waiter("`nm-online`", "peer-nm-online.service")
    },
];
const IFUPDOWN: [Waiter; 1] = [waiter("ifupdown-wait-online", "ifupdown-wait-online.service")];

/// A network manager: its name, its files, and the waiters that exist only with it.
type Compared = (&'static str, fn() -> Stack, &'static [Waiter]);

#[test]
#[ignore = "boots take minutes: make bench-boot"]
fn everybody_who_waits_for_the_same_network() {
    crate::enter();
    let boots: u32 = std::env::var("NETREADY_BOOTS").map_or(10, |boots| boots.parse().unwrap());
    let stacks: [Compared; 4] = [
        ("networkd", || networkd_with_wait_online(STATIC), &NETWORKD),
        ("networkd, IPv4 only", || networkd_with_wait_online(STATIC_IPV4_ONLY), &NETWORKD),
        ("NetworkManager", || network_manager("NetworkManager", ""), &NETWORK_MANAGER),
        ("ifupdown", ifupdown, &IFUPDOWN),
    ];
    // Take turns, so that changes of the machine's load affect all network managers alike.
    for number in 0..boots {
        for (name, stack, own) in &stacks {
            let waiters: Vec<&Waiter> = EVERYWHERE.iter().chain(*own).collect();
            let lines = boot(number, name, &stack(), &waiters);
            let mut file = fs::OpenOptions::new().create(true).append(true).open(results()).unwrap();
            file.write_all(lines.as_bytes()).unwrap();
        }
    }
}

/// The file that collects the results. Existing lines stay: two releases of Debian make one table.
fn results() -> PathBuf {
    std::env::var_os("NETREADY_COMPARE").map_or_else(|| table::folder().join("compare.tsv"), PathBuf::from)
}

/// Boots once, and returns a line for each waiter.
fn boot(number: u32, name: &str, stack: &Stack, waiters: &[&Waiter]) -> String {
    let prepared = Prepared::new(true);
    (stack.write)(&prepared.files);
    let unit = "[Service]\nType=notify\nExecStart=/usr/bin/netready run\nTimeoutStartSec=infinity\n";
    prepared.files.write(&format!("/etc/systemd/system/{GATE}"), unit);
    prepared.files.enable(GATE, "multi-user.target");
    if name == "ifupdown" {
        prepared.files.enable("ifupdown-wait-online.service", "network-online.target");
    }
    podman_waits_as_without_netready(&prepared.files);
    for waiter in waiters {
        if let Some(command) = waiter.command {
            let name = waiter.unit.trim_start_matches("peer-").trim_end_matches(".service");
            peer(&prepared.files, name, command);
        }
    }
    prepared.networks.cable("e0");
    let watch = Watch::on(&prepared.networks.guest);
    let guest = prepared.boot();
    // Plug the cable in at another fraction of a second in each boot, spread evenly, because some waiters check once
    // a second.
    let phase = (f64::from(number) * 0.618_034).fract();
    guest.sleep_until(Duration::from_secs_f64(CABLE + phase));
    guest.networks().lan("link set e0p up");
    let all_done = |guest: &Guest| waiters.iter().all(|waiter| done(guest, waiter).is_some());
    // Query nothing while the network comes, so that the queries disturb no waiter.
    guest.sleep_until(guest.age() + Duration::from_secs(4));
    guest.wait_for(guest.age() + Duration::from_secs(PATIENCE), all_done);
    let moments: Vec<Option<u64>> = waiters.iter().map(|waiter| done(&guest, waiter)).collect();
    let versions = guest.sh(
        "dpkg-query -W -f '${Package} ${Version}; ' systemd podman network-manager ifupdown; netready --version; \
         echo \"; $(uname -sr); $(nproc) CPUs\"",
    );
    let usable = usable(&watch.events(), &NEEDS, now()).expect("the network never came");
    let mut lines = format!("# {}: {}\n", Release::usual().name(), versions.trim().replace('\n', ""));
    for (waiter, moment) in waiters.iter().zip(moments) {
        let after =
            moment.map_or("-".to_owned(), |at| format!("{:.3}", (at as f64 - usable as f64) / 1000.0));
        let _ = writeln!(lines, "{}\t{name}\t{}\t{after}", Release::usual().name(), waiter.name);
    }
    let journal: String = guest.off().iter().fold(String::new(), |mut text, entry| {
        let _ = writeln!(text, "{:>12} {} {}: {}", entry.at, entry.unit, entry.who, entry.message);
        text
    });
    let log: String = format!("compare-{}-{name}", Release::usual().name())
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    fs::write(table::folder().join(format!("{log}.log")), format!("usable {usable}\n{lines}\n{journal}"))
        .unwrap();
    // Write past libtest's capture, because the series takes minutes.
    let _ = write!(std::io::stderr(), "boot {}\n{lines}", number + 1);
    lines
}

/// When a waiter had finished, in microseconds of the monotonic clock.
fn done(guest: &Guest, waiter: &Waiter) -> Option<u64> {
    guest.active_at(waiter.user, waiter.unit)
}

/// Sets up Podman's own wait unit in a user's service manager as if netready's package were not installed: without
/// netready's drop-in and generator. No container starts, because its start would compete with the other waiters.
fn podman_waits_as_without_netready(files: &Files) {
    files.linger(USER);
    files.write(&format!("/etc/systemd/user/{PODMAN}.d/50-netready.conf"), "");
    files.write("/etc/containers/systemd/users/seed.container", "");
    for folder in ["user-generators", "user/default.target.wants"] {
        fs::create_dir_all(files.path(&format!("/etc/systemd/{folder}"))).unwrap();
    }
    symlink("/dev/null", files.path("/etc/systemd/user-generators/netready-generator")).unwrap();
    let wants = files.path(&format!("/etc/systemd/user/default.target.wants/{PODMAN}"));
    symlink(format!("/usr/lib/systemd/user/{PODMAN}"), wants).unwrap();
}
