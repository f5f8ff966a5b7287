//! A boot with a kernel of its own, a virtio network card, DHCP and router advertisements, and suspend to RAM.
//!
//! `make qemu` runs this alone: without KVM the processor is emulated, and a run takes minutes.

use std::time::Duration;

use crate::files::Files;
use crate::machine::{self, Machine};
use crate::rootfs;

/// Longer than WatchdogSec= below.
const SUSPEND: Duration = Duration::from_secs(12);
/// The limit for what the guest does by itself.
const PATIENCE: Duration = Duration::from_secs(300);
/// The gate of the host, and one that waits for duplicate address detection and has a settle of 2 s.
const GATES: [&str; 2] = ["netready.service", "netready@v6.service"];
/// How often network-online.target let a service start.
const STARTS: &str = "cat /var/log/starts 2>/dev/null";

#[test]
#[ignore = "an emulated machine takes minutes: make qemu"]
fn a_boot_of_a_virtual_machine_and_suspend() {
    if let Some(why) = machine::missing() {
        panic!("this machine cannot run guests in qemu: {why}");
    }
    rootfs::sweep();
    let mut machine = Machine::boot(write);
    println!("{}; the guest answers after {:.0?}", machine.sh("uname -sr"), machine.age());

    status_becomes(&mut machine, GATES[0], "Waiting", "ens3 has no carrier");
    assert_eq!(machine.sh("systemctl is-active network-online.target"), "inactive");
    assert_eq!(machine.sh(STARTS), "", "a service started before the gate opened");
    println!("the gate waits for carrier after {:.0?}", machine.age());

    machine.cable(true);
    status_becomes(&mut machine, GATES[0], "Ready", "default via 10.0.2.2 dev ens3");
    status_becomes(&mut machine, GATES[1], "Ready", "default via fe80::2 dev ens3");
    until(&mut machine, "the service starts", |machine| !machine.sh(STARTS).is_empty());
    println!("both gates are open after {:.0?}", machine.age());
    times(&mut machine);
    let processes = GATES.map(|gate| property(&mut machine, gate, "MainPID"));

    suspended(&mut machine);

    println!("suspended three times after {:.0?}", machine.age());
    for (gate, process) in GATES.iter().zip(processes) {
        assert_eq!(property(&mut machine, gate, "MainPID"), process, "{gate} is not the same process");
        assert_eq!(property(&mut machine, gate, "NRestarts"), "0", "{gate}");
    }
    assert_eq!(machine.sh(STARTS), "started", "the service starts once");
    assert_eq!(machine.sh("cat /sys/power/suspend_stats/success"), "3");
}

fn write(files: &Files) {
    files.write(
        "/etc/systemd/network/10-nic.network",
        "[Match]\nDriver=virtio_net\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n",
    );
    files.enable("systemd-networkd.service", "multi-user.target");
    // The driver of the card is loaded long after the gate's start where the processor is slow.
    let patient = "timeout = \"1h\"\nno-carrier-timeout = \"1h\"\n";
    files.write("/etc/netready/default.toml.d/patient.toml", patient);
    let gate = format!("{patient}settle = \"2s\"\n[[require]]\nroute = \"default-ipv6\"\n");
    files.write("/etc/netready/v6.toml", &gate);
    let watchdog = "[Service]\nWatchdogSec=10s\n";
    files.write("/etc/systemd/system/netready.service.d/watchdog.conf", watchdog);
    files.write("/etc/systemd/system/netready@.service.d/watchdog.conf", watchdog);
    files.enable("netready.service", "network-online.target");
    let v6 = files.path("/etc/systemd/system/network-online.target.wants/netready@v6.service");
    std::os::unix::fs::symlink("/usr/lib/systemd/system/netready@.service", v6).unwrap();
    files.write(
        "/etc/systemd/system/wants-online.service",
        "[Unit]\nWants=network-online.target\nAfter=network-online.target\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo started >>/var/log/starts'\n",
    );
    files.enable("wants-online.service", "multi-user.target");
    // Its clock is the measure, so it is the first to run.
    files.write(
        "/etc/systemd/system/listen.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nEnvironment=TZ=UTC\nCPUSchedulingPolicy=fifo\nCPUSchedulingPriority=50\n\
         ExecStart=/usr/bin/ip -ts -o monitor address route\nStandardOutput=file:/run/heard\n",
    );
    files.enable("listen.service", "sysinit.target");
}

/// Compares READY=1 with what another program heard from the kernel, and prints how much later it was.
#[track_caller]
fn times(machine: &mut Machine) {
    let heard = machine.sh("cat /run/heard");
    let at = |what: &dyn Fn(&str) -> bool| {
        let line = heard.lines().find(|line| what(line)).unwrap_or_else(|| panic!("not heard:\n{heard}"));
        microseconds(line)
    };
    let needed = [
        at(&|line| line.contains("] default via 10.0.2.2 ")),
        at(&|line| line.contains("inet6 2001:db8::") && !line.contains(" tentative ")),
    ];
    for ((gate, needed), settle) in GATES.iter().zip(needed).zip([0, 2_000_000]) {
        let ready =
            machine.sh(&format!("systemctl show --timestamp=us+utc --value -p ActiveEnterTimestamp {gate}"));
        // Both are times of day.
        let after = (microseconds(&ready) - needed).rem_euclid(24 * 3_600_000_000);
        assert!((settle..settle + 60_000_000).contains(&after), "{gate}: READY=1 after {after} µs\n{heard}");
        println!("{gate}: READY=1 {:.1} ms after the last needed event", millis(after - settle));
    }
}

#[allow(clippy::cast_precision_loss, reason = "less than a day")]
fn millis(microseconds: i64) -> f64 {
    microseconds as f64 / 1000.0
}

/// The first time of day in a text, as `01:05:41.391718`.
#[track_caller]
fn microseconds(text: &str) -> i64 {
    let is_time = |word: &&str| word.matches(':').count() == 2 && word.contains('.');
    let time = text.split(['[', ']', 'T', ' ']).find(is_time).unwrap_or_else(|| panic!("no time: {text}"));
    let number = |text: &str| text.parse::<i64>().unwrap();
    let (clock, fraction) = time.split_once('.').unwrap();
    let seconds = clock.split(':').fold(0, |sum, part| sum * 60 + number(part));
    seconds * 1_000_000 + number(&format!("{fraction:0<6}"))
}

/// Three times: with the cable in, while it is pulled out, and while it is put back.
///
/// Some kernels' driver does not look at the cable when it resumes, and says what it last knew until the cable changes
/// again. The gate must agree with the kernel, so what the kernel says is asked for, and the cable is moved once more.
#[track_caller]
fn suspended(machine: &mut Machine) {
    machine.suspend(SUSPEND, |_| ());
    agrees(machine, "the cable was in");

    machine.suspend(SUSPEND, |machine| machine.cable(false));
    agrees(machine, "the cable was pulled out");
    machine.cable(true);
    machine.cable(false);
    for gate in GATES {
        status_becomes(machine, gate, "NOT ready", "ens3");
    }

    machine.suspend(SUSPEND, |machine| machine.cable(true));
    agrees(machine, "the cable was put back");
    machine.cable(false);
    machine.cable(true);
    for gate in GATES {
        status_becomes(machine, gate, "Ready again", "ens3");
    }
}

/// Waits until the host's gate is ready exactly if the card has carrier.
#[track_caller]
fn agrees(machine: &mut Machine, what: &str) {
    until(machine, what, |machine| {
        let carrier = machine.sh("cat /sys/class/net/ens3/carrier") == "1";
        status(machine, GATES[0]).starts_with("Ready") == carrier
    });
    let (carrier, status) = (machine.sh("cat /sys/class/net/ens3/carrier"), status(machine, GATES[0]));
    println!("{what} in suspend: carrier is {carrier}; {status}");
}

fn property(machine: &mut Machine, unit: &str, property: &str) -> String {
    machine.sh(&format!("systemctl show --value -p {property} {unit}"))
}

fn status(machine: &mut Machine, gate: &str) -> String {
    property(machine, gate, "StatusText")
}

#[track_caller]
fn status_becomes(machine: &mut Machine, gate: &str, start: &str, part: &str) {
    until(machine, &format!("{gate}: {start} … {part}"), |machine| {
        let status = status(machine, gate);
        status.starts_with(start) && status.contains(part)
    });
}

#[track_caller]
fn until(machine: &mut Machine, what: &str, mut is_so: impl FnMut(&mut Machine) -> bool) {
    let deadline = machine.age() + PATIENCE;
    while !is_so(machine) {
        if machine.age() > deadline {
            let seen =
                machine.sh("systemctl status --no-pager -l 'netready*'; ip addr; ip route; ip -6 route");
            panic!("not seen: {what}\n{seen}");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
