//! The process: the notify protocol, signals, exit codes, times, privileges.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use crate::harness::{Elsewhere, Exit, Process, SOON, Signal, UP0, UP1, UserManager, hear_signals};
use crate::netns;

const CARRIER: &str = "[[require]]\ninterface = \"va0\"\ncarrier = true\n";
const DEFAULT0: &str = "addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0";
/// The pair has carrier. One command takes the carrier away, and one gives it back.
const LOSE: &str = "link set vb0 down";
const REGAIN: &str = "link set vb0 up";

// ── READY and STATUS ──

#[test]
#[ignore = "needs a network namespace"]
fn status_comes_before_ready_and_ready_once() {
    let ns = netns!();
    let gate = ns.run_gate(CARRIER);
    gate.expect_waiting();
    ns.ip(UP0);
    gate.expect_ready();
    for _ in 0..3 {
        ns.ip(LOSE);
        gate.expect_lost();
        ns.ip(REGAIN);
        gate.expect_now_ready();
    }
    assert_eq!(gate.count("READY=1"), 1, "{}", gate.transcript());
    let told = gate.notifications();
    let position = |such: &dyn Fn(&str) -> bool| told.iter().position(|(_, line)| such(line)).unwrap();
    assert!(position(&|l| l.starts_with("STATUS=Waiting (up to 90s): ")) < position(&|l| l == "READY=1"));
    let statuses = gate.statuses();
    assert!(statuses.windows(2).all(|pair| pair[0] != pair[1]), "sent when it changes: {statuses:#?}");
    assert!(
        statuses.iter().all(|s| ["Waiting", "Ready", "NOT ready"].iter().any(|w| s.starts_with(w))),
        "{statuses:#?}"
    );
    // With READY=1, or next after it, comes a status that does not say "Waiting".
    let ready_at = position(&|l| l == "READY=1");
    let status = told[ready_at..].iter().find_map(|(_, l)| l.strip_prefix("STATUS="));
    assert!(status.is_some_and(|s| s.starts_with("Ready")), "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn ready_status_tells_how_long_and_by_what() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DEFAULT0}"));
    let gate = ns.run(&["-4"]);
    let status = gate.expect_now_ready();
    let (time, what) = status.strip_prefix("Ready after ").and_then(|s| s.split_once(": ")).expect(&status);
    assert!(time.ends_with("ms") || time.ends_with('s'), "{status}");
    assert_eq!(what, "default via 192.0.2.254 dev va0");
    ns.ip(LOSE);
    let status = gate.expect_lost();
    let (since, why) =
        status.strip_prefix("NOT ready since ").and_then(|s| s.split_once(": ")).expect(&status);
    assert_eq!(since.len(), "08:15:30".len(), "{status}");
    assert!(why.contains("va0") && why.contains("(was ready for "), "{status}");
}

#[test]
#[ignore = "needs a network namespace"]
fn extend_timeout_once() {
    let ns = netns!();
    for (toml, microseconds) in [
        ("timeout = \"10s\"\n", "15000000"),
        ("timeout = \"1min 30s\"\nsettle = \"2s\"\n", "97000000"),
        ("", "95000000"),
        ("timeout = 7\n", "12000000"),
        ("timeout = \"infinity\"\n", "18446744073709551614"),
    ] {
        let gate = ns.run_gate(&format!("{toml}{CARRIER}"));
        gate.expect_waiting();
        let sent = gate.all("EXTEND_TIMEOUT_USEC");
        assert_eq!(sent.len(), 1, "{}", gate.transcript());
        assert_eq!(sent[0].1, microseconds, "{toml}");
    }
    let graces = ns.run_gate(&format!(
        "timeout = \"10s\"\nsettle = \"1s\"\n{CARRIER}[[require]]\nroute = \"default\"\ngrace = \"3s\"\n[[require]]\nroute = \"default-ipv6\"\ngrace = \"4s\"\n"
    ));
    graces.expect_waiting();
    assert_eq!(graces.all("EXTEND_TIMEOUT_USEC")[0].1, "23000000", "10 + 1 + 3 + 4 + 5 s");
    let wait = ns.wait(&["-i", "va0", "-t", "10s"]);
    wait.expect_waiting();
    assert_eq!(wait.all("EXTEND_TIMEOUT_USEC")[0].1, "15000000");
}

#[test]
#[ignore = "needs a network namespace"]
fn watchdog_at_half_the_interval_waiting_and_ready() {
    let ns = netns!();
    let path = ns.gate(CARRIER);
    let started = Instant::now();
    let gate = ns.command(&["run", &path]).env("WATCHDOG_USEC", "400000").spawn();
    gate.expect_waiting();
    let beats = || -> Vec<Instant> {
        gate.notifications().into_iter().filter(|(_, l)| l == "WATCHDOG=1").map(|(at, _)| at).collect()
    };
    // The interval is half of 400 ms. On a busy machine some beats are late, so wait for two that are not, and compare
    // their number with the time since the start.
    let prompt = |beats: &[Instant]| beats.windows(2).any(|two| two[1] - two[0] < Duration::from_millis(300));
    let beat_well = |before: usize| {
        ns.until("the watchdog", || beats().len() > before + 2 && prompt(&beats()[before..]));
        let number = beats().len() as u128;
        let most = started.elapsed().as_millis() / 200 + 1;
        assert!(number <= most, "at most {most} by now\n{}", gate.transcript());
    };
    beat_well(0);
    ns.ip(UP0);
    gate.expect_ready();
    beat_well(beats().len());
    let silent = ns.run(&[&path]);
    silent.expect_ready();
    assert_eq!(silent.count("WATCHDOG=1"), 0);
    let for_another =
        ns.command(&["run", &path]).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1").spawn();
    for_another.expect_ready();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(for_another.count("WATCHDOG=1"), 0, "{}", for_another.transcript());
}

// ── Ends ──

#[test]
#[ignore = "needs a network namespace"]
fn a_signal_while_waiting() {
    for (signal, number) in [(Signal::SIGTERM, 15), (Signal::SIGINT, 2)] {
        let ns = netns!();
        let gate = ns.run(&["-i", "va0"]);
        gate.expect_waiting();
        gate.signal(signal);
        assert_eq!(gate.expect_exit(), Exit::Signal(number), "{}", gate.transcript());
        assert_eq!(gate.count("STOPPING=1"), 1, "{}", gate.transcript());
        assert!(!gate.is_ready());
        let wait = ns.wait(&["-i", "va0"]);
        wait.expect_waiting();
        wait.signal(signal);
        assert_eq!(wait.expect_exit(), Exit::Signal(number), "{}", wait.transcript());
        assert_eq!(wait.count("STOPPING=1"), 0, "wait runs inside other units\n{}", wait.transcript());
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_signal_after_ready() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let ns = netns!();
        ns.ip(UP0);
        let gate = ns.run_gate(CARRIER);
        gate.expect_ready();
        gate.signal(signal);
        assert_eq!(gate.expect_exit(), Exit::Code(0), "{}", gate.transcript());
        assert_eq!(gate.count("STOPPING=1"), 1);
    }
    // The same holds if readiness was lost in the meantime.
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(CARRIER);
    gate.expect_ready();
    ns.ip(LOSE);
    gate.expect_lost();
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0), "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn the_timeout_tells_all_that_is_missing() {
    let ns = netns!();
    ns.ip("link add va0 type veth peer name vb0");
    let toml = "timeout = \"500ms\"\n[[require]]\ninterface = [\"va0\", \"va7\"]\ncarrier = true\n[[require]]\nroute = [\"default-ipv4\", \"203.0.113.0/24\"]\n";
    let path = ns.gate(toml);
    for command in ["run", "wait"] {
        let gate = ns.command(&[command, &path]).spawn();
        assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
        assert!(gate.exited_after() >= Duration::from_millis(500), "{}", gate.transcript());
        for part in ["va0", "administratively down", "va7", "default IPv4", "203.0.113.0/24"] {
            assert!(gate.stderr().contains(part), "{command}: {part}\n{}", gate.transcript());
        }
        assert!(!gate.is_ready());
        assert!(gate.last_status().contains("va0"), "{}", gate.transcript());
    }
    let json = ns.output(&["wait", "-j", &path]);
    assert_eq!(json.code, 1);
    let last: serde_json::Value =
        serde_json::from_str(json.stdout.lines().last().expect("an object")).unwrap();
    assert_eq!(last["ready"], false, "{last}");
    let unmet = last["requirements"].as_array().unwrap().iter().filter(|r| r["met"] == false).count();
    assert!(unmet >= 4, "{last:#}");
}

#[test]
#[ignore = "needs a network namespace"]
fn no_timeout_before_its_time_and_no_late_one() {
    let ns = netns!();
    let gate = ns.wait(&["-i", "va0", "-t", "1s"]);
    // The timeout of a gate that sets none would be later than this waits.
    assert_eq!(gate.expect_exit(), Exit::Code(1));
    let after = gate.exited_after();
    assert!(after >= Duration::from_secs(1), "{after:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn on_timeout_open() {
    let ns = netns!();
    let toml = format!("timeout = \"300ms\"\non-timeout = \"open\"\n{CARRIER}");
    let path = ns.gate(&toml);
    let run = ns.run(&[&path]);
    let after = run.expect_ready();
    assert!(after >= Duration::from_millis(300), "{after:?}");
    let status = run.expect_status_where("opened anyway", |s| s.starts_with("NOT ready after "));
    assert!(status.contains("opened anyway") && status.contains("va0"), "{status}");
    assert!(!run.has_exited());
    // netready continues to watch, and the status stays up to date.
    ns.ip(UP0);
    run.expect_now_ready();
    ns.ip("link del va0");
    run.expect_lost();
    assert_eq!(run.count("READY=1"), 1);
    let wait = ns.output(&["wait", &path]);
    assert_eq!(wait.code, 0, "{wait:?}");
    assert!(wait.stderr.contains("va0"), "a warning: {wait:?}");
    let exec = ns.output(&["wait", &path, "--", "sh", "-c", "echo went on"]);
    assert_eq!((exec.code, exec.stdout.trim()), (0, "went on"), "{exec:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn on_loss_fail() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("on-loss = \"fail\"\n{CARRIER}"));
    gate.expect_ready();
    ns.ip(LOSE);
    assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
    assert!(gate.stderr().contains("va0"), "{}", gate.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn on_loss_fail_when_the_loss_lasts_the_settle() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("on-loss = \"fail\"\nsettle = \"1s\"\n{CARRIER}"));
    gate.expect_ready();
    // One process does both, so that a busy machine does not prolong the loss.
    ns.ip_batch(&format!("{LOSE}\n{REGAIN}\n"));
    std::thread::sleep(Duration::from_millis(1300));
    assert!(!gate.has_exited(), "a loss shorter than the settle\n{}", gate.transcript());
    let lost = Instant::now();
    ns.ip(LOSE);
    assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
    assert!(lost.elapsed() >= Duration::from_secs(1), "{:?}", lost.elapsed());
}

// ── Settle ──

/// The settle of the gates that lose something during it, and how much of it passes before. What follows must not begin
/// before the rest is over, so on a busy machine the rest must be long.
const SETTLE: Duration = Duration::from_secs(3);
const PART: Duration = Duration::from_millis(300);
/// How much less than the settle can be measured: the kernel's clocks have ticks.
const EARLY: Duration = Duration::from_millis(10);

#[test]
#[ignore = "needs a network namespace"]
fn settle_holds_ready_back() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("settle = \"1s\"\n{CARRIER}"));
    gate.expect_told("all met, must hold for 1s more");
    let after = gate.expect_ready();
    assert!(after >= Duration::from_secs(1), "{after:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn settle_begins_again_after_a_loss() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("settle = \"3s\"\n{CARRIER}"));
    gate.expect_status("must hold");
    std::thread::sleep(PART);
    ns.ip(LOSE);
    gate.expect_status("no carrier");
    let again = Instant::now();
    ns.ip(REGAIN);
    gate.expect_ready();
    assert!(again.elapsed() >= SETTLE, "{:?}", again.elapsed());
}

/// Carrier is lost and regained faster than netready reads. This still interrupts the settle.
#[test]
#[ignore = "needs a network namespace"]
fn settle_sees_a_flap_within_one_read() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("settle = \"3s\"\n{CARRIER}"));
    gate.expect_status("must hold");
    std::thread::sleep(PART);
    gate.signal(Signal::SIGSTOP);
    ns.ip_batch(&format!("{LOSE}\n{REGAIN}\n"));
    let again = Instant::now();
    gate.signal(Signal::SIGCONT);
    gate.expect_ready();
    assert!(again.elapsed() >= SETTLE - EARLY, "{:?}\n{}", again.elapsed(), gate.transcript());
}

/// If a link's peer is in another namespace and has the same number there, the kernel does not treat the link as
/// stacked. It announces its carrier at most once a second, as for a real card.
#[test]
#[ignore = "needs a network namespace"]
fn settle_sees_a_flap_that_is_not_announced_in_time() {
    // The settle must be shorter than a second, and the flap must come during it. A busy machine needs several attempts.
    const SHORT: Duration = Duration::from_millis(800);
    for _ in 0..50 {
        let ns = netns!();
        let other = Elsewhere::new();
        ns.ip(&format!("link add va0 index 77 type veth peer name vb0 index 77 netns {}", other.pid()));
        ns.ip("link set va0 up");
        let gate = ns.run_gate(&format!("settle = \"800ms\"\n{CARRIER}"));
        gate.expect_waiting();
        let up = Instant::now();
        other.ip("link set vb0 up");
        gate.expect_told("must hold");
        // The kernel announced this change at once. It announces nothing more for a second.
        std::thread::sleep(Duration::from_millis(200));
        other.ip("link set vb0 down; link set vb0 up");
        let again = Instant::now();
        if again - up < SHORT {
            gate.expect_ready();
            assert!(again.elapsed() >= SHORT - EARLY, "{:?}\n{}", again.elapsed(), gate.transcript());
            return;
        }
    }
    panic!("this machine is too slow for a flap of a carrier in {SHORT:?}");
}

/// The link loses its carrier, and another link takes over before the kernel announces the loss.
#[test]
#[ignore = "needs a network namespace"]
fn settle_sees_an_unannounced_loss_after_which_another_link_took_over() {
    // As above, the settle must be shorter than a second.
    const SHORT: Duration = Duration::from_millis(800);
    for _ in 0..50 {
        let ns = netns!();
        let other = Elsewhere::new();
        ns.ip(&format!("{UP1}; addr add 198.51.100.1/24 dev va1"));
        ns.ip(&format!("link add va0 index 77 type veth peer name vb0 index 77 netns {}", other.pid()));
        ns.ip("link set va0 up; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0 metric 100");
        let gate = ns.run(&["-r", "default-ipv4", "--settle", "800ms"]);
        gate.expect_waiting();
        let up = Instant::now();
        other.ip("link set vb0 up");
        gate.expect_told("must hold");
        std::thread::sleep(Duration::from_millis(200));
        other.ip("link set vb0 down");
        let again = Instant::now();
        ns.ip("route add default via 198.51.100.254 dev va1");
        if up.elapsed() < SHORT {
            gate.expect_ready();
            assert!(again.elapsed() >= SHORT - EARLY, "{:?}\n{}", again.elapsed(), gate.transcript());
            return;
        }
    }
    panic!("this machine is too slow for a loss of carrier in {SHORT:?}");
}

/// A nexthop object matters only if the route that counts is made of it. Returns how long after the change the gate opened.
fn settles_after(change: &str) -> Duration {
    const OBJECTS: &str =
        "nexthop add id 7 via 192.0.2.254 dev va0; nexthop add id 8 via 192.0.2.253 dev va0";
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; {OBJECTS}; route add default nhid 7"));
    let gate = ns.run(&["-r", "default-ipv4", "--settle", "3s"]);
    gate.expect_told("must hold");
    std::thread::sleep(Duration::from_millis(1500));
    let again = Instant::now();
    ns.ip_batch(change);
    gate.expect_ready();
    again.elapsed()
}

#[test]
#[ignore = "needs a network namespace"]
fn settle_begins_again_only_if_the_route_s_own_nexthop_object_is_removed() {
    const SETTLE: Duration = Duration::from_secs(3);
    let own = "nexthop del id 7\nnexthop add id 7 via 192.0.2.254 dev va0\nroute add default nhid 7\n";
    let after = settles_after(own);
    assert!(after >= SETTLE - EARLY, "{after:?}");
    // A busy machine may need several attempts.
    let shortest = (0..5).map(|_| settles_after("nexthop del id 8\n")).find(|after| *after < SETTLE - EARLY);
    assert!(shortest.is_some(), "the settle began again");
}

/// The same for addresses and routes, for which the kernel does not count flaps. Two routes refuse all traffic without any
/// change of the default route.
#[test]
#[ignore = "needs a network namespace"]
fn settle_sees_addresses_and_routes_that_change_and_change_back_within_one_read() {
    for (flap, options) in [
        ("addr del 192.0.2.1/24 dev va0\naddr add 192.0.2.1/24 dev va0\n", ["-a", "ipv4"]),
        ("route del default\nroute add default via 192.0.2.254 dev va0\n", ["-r", "default-ipv4"]),
        (
            "route add blackhole 0.0.0.0/1\nroute add blackhole 128.0.0.0/1\n\
             route del blackhole 0.0.0.0/1\nroute del blackhole 128.0.0.0/1\n",
            ["-r", "default-ipv4"],
        ),
    ] {
        let ns = netns!();
        ns.ip(&format!("{UP0}; {DEFAULT0}"));
        let gate = ns.run(&[&options[..], &["--settle", "3s"]].concat());
        gate.expect_status("must hold");
        std::thread::sleep(PART);
        gate.signal(Signal::SIGSTOP);
        ns.ip_batch(flap);
        let again = Instant::now();
        gate.signal(Signal::SIGCONT);
        gate.expect_ready();
        assert!(again.elapsed() >= SETTLE - EARLY, "{flap}{:?}\n{}", again.elapsed(), gate.transcript());
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn the_timeout_does_not_cut_a_settle_short_to_open_the_gate() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(&format!("timeout = \"3200ms\"\nsettle = \"3s\"\n{CARRIER}"));
    gate.expect_status("must hold");
    std::thread::sleep(PART);
    ns.ip(LOSE);
    gate.expect_status("no carrier");
    let again = Instant::now();
    ns.ip(REGAIN);
    // The settle began before the timeout. It may end after the timeout (EXTEND_TIMEOUT_USEC includes it), or the
    // timeout ends it. The gate must not open before the settle is over.
    ns.until("an end", || gate.is_ready() || gate.has_exited());
    match gate.notifications().iter().find(|(_, line)| line == "READY=1") {
        Some((at, _)) => assert!(*at - again >= SETTLE, "{}", gate.transcript()),
        None => assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript()),
    }
}

// ── SIGUSR1 ──

#[test]
#[ignore = "needs a network namespace"]
fn sigusr1_opens_a_waiting_run() {
    let ns = netns!();
    let gate = ns.run_gate(CARRIER);
    gate.expect_waiting();
    gate.signal(Signal::SIGUSR1);
    gate.expect_ready();
    let status = gate.expect_lost();
    assert!(status.contains("va0"), "{status}");
    ns.ip(UP0);
    gate.expect_now_ready();
    gate.signal(Signal::SIGUSR1);
    gate.stays_ready();
    assert_eq!(gate.count("READY=1"), 1);
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

// ── wait ──

#[test]
#[ignore = "needs a network namespace"]
fn wait_says_what_is_missing_and_ends_with_zero() {
    let ns = netns!();
    let wait = ns.wait(&["-i", "va0"]);
    wait.expect_stderr("va0");
    ns.ip("link add va0 type veth peer name vb0; link set va0 up");
    wait.expect_stderr("va0 has no carrier");
    ns.ip("link set vb0 up; addr add 192.0.2.1/24 dev va0");
    assert_eq!(wait.expect_exit(), Exit::Code(0), "{}", wait.transcript());
    let sent: Vec<String> = wait.notifications().into_iter().map(|(_, l)| l).collect();
    assert!(
        !sent.iter().any(|l| ["READY=1", "RELOADING=1", "STOPPING=1"].contains(&l.as_str())),
        "{sent:#?}"
    );
    assert!(sent.iter().any(|l| l.starts_with("STATUS=Waiting")), "{sent:#?}");
    // From now on another program sets the status of the unit, so netready clears it.
    assert_eq!(sent.iter().rfind(|l| l.starts_with("STATUS=")).unwrap(), "STATUS=");
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_quiet_says_only_the_end() {
    let ns = netns!();
    let wait = ns.wait(&["-q", "-i", "va0", "-t", "3s"]);
    wait.expect_waiting();
    assert_eq!(wait.stderr(), "");
    ns.ip("link add va0 type veth peer name vb0; link set va0 up");
    assert_eq!(wait.expect_exit(), Exit::Code(1));
    assert!(wait.stderr().contains("va0"), "{}", wait.transcript());
    ns.ip("link set vb0 up; addr add 192.0.2.1/24 dev va0");
    let ready = ns.output(&["wait", "-q", "-i", "va0"]);
    assert_eq!((ready.code, ready.stdout.as_str()), (0, ""));
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_becomes_the_command() {
    let ns = netns!();
    let wait = ns.wait(&["-i", "va0", "--", "sh", "-c", "echo pid $$ \"$1\"; exit 7", "sh", "a  b"]);
    wait.expect_waiting();
    assert_eq!(wait.stdout(), "");
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    assert_eq!(wait.expect_exit(), Exit::Code(7), "{}", wait.transcript());
    assert_eq!(wait.stdout(), format!("pid {} a  b", wait.pid()), "the same process");
}

#[test]
#[ignore = "needs a network namespace"]
fn the_command_gets_a_clean_start() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    // The command must start as if the shell had started it: no signal is blocked or ignored (Rust's runtime
    // ignores SIGPIPE), and only inherited descriptors are open. Signals 32 and 33 belong to the C library.
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -oE '^Sig...|[0-9a-f]{7}$'; ls /proc/self/fd | wc -l";
    let said = ns.output(&["wait", "-q", "-i", "va0", "--", "sh", "-c", script]);
    assert_eq!(said.code, 0, "{said:?}");
    let mut direct = std::process::Command::new("sh");
    direct.args(["-c", script]).stdin(std::process::Stdio::null());
    // SAFETY: this calls only signal(2), as for the command that it is compared with.
    let direct = unsafe { direct.pre_exec(hear_signals) }.output().unwrap();
    assert_eq!(said.stdout.trim(), String::from_utf8_lossy(&direct.stdout).trim());
    let missing = ns.output(&["wait", "-q", "-i", "va0", "--", "/no/such/command"]);
    assert!(missing.code != 0 && missing.stderr.contains("/no/such/command"), "{missing:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_does_not_run_the_command_where_it_gave_up() {
    let ns = netns!();
    let said = ns.output(&["wait", "-i", "va0", "-t", "200ms", "--", "echo", "ran"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_json_is_one_object_a_line() {
    let ns = netns!();
    let wait = ns.wait(&["-j", "-i", "va0"]);
    let is = |ready: bool| {
        move |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|v| v["ready"] == ready)
    };
    wait.expect_stdout_where("an object, not ready", is(false));
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    assert_eq!(wait.expect_exit(), Exit::Code(0));
    wait.expect_stdout_where("an object, ready", is(true));
    for line in wait.stdout_lines() {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(object.is_object(), "{line}");
    }
}

// ── stdout, NOTIFY_SOCKET, privileges ──

#[test]
#[ignore = "needs a network namespace"]
fn a_closed_stdout_ends_a_command_silently() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DEFAULT0}"));
    for arguments in [&["check", "-4"][..], &["check", "-j", "-4"], &["cat"], &["--help"], &["check", "-6"]] {
        let process = ns.command(arguments).closed_stdout().without_notify_socket().spawn();
        process.expect_exit();
        assert_eq!(process.stderr(), "", "{}", process.transcript());
    }
    let monitor = ns.command(&["monitor", "-4"]).closed_stdout().without_notify_socket().spawn();
    std::thread::sleep(Duration::from_millis(50));
    if !monitor.has_exited() {
        ns.ip(LOSE);
    }
    monitor.expect_exit();
    assert_eq!(monitor.stderr(), "", "{}", monitor.transcript());
}

/// A full disk gives an error of its own. It is neither a verdict nor an error of the kernel's state.
#[test]
#[ignore = "needs a network namespace"]
fn an_output_that_cannot_be_written_is_an_error_of_its_own() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DEFAULT0}"));
    let to = |words: &str, stdout: &str| {
        let command = format!("exec {} {words} >{stdout}", env!("CARGO_BIN_EXE_netready"));
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    // This holds for ready and not ready, as text and as JSON.
    for words in [
        "check -4",
        "check -6",
        "check -j -4",
        "cat -4",
        "--help",
        "--version",
        "monitor -4",
        "monitor -j -4",
    ] {
        let (code, said) = to(words, "/dev/full");
        assert_eq!(code, Some(4), "{words}: {said}");
        assert!(said.starts_with("netready: error: stdout: No space left on device"), "{words}: {said}");
    }
    // The error is reported on stderr.
    let (code, said) = to("check -j no-such-gate", "/dev/full");
    assert!(code == Some(2) && said.contains("there is no no-such-gate.toml"), "{said}");
    // The purpose of `wait` is to wait, so its exit code is still the verdict.
    for (words, code) in
        [("wait -j -4", 0), ("wait -j -i vz9 -t 20ms", 1), ("wait -j -4 -- sh -c 'exit 7'", 7)]
    {
        let (ended, said) = to(words, "/dev/full");
        assert_eq!(ended, Some(code), "{words}: {said}");
        assert_eq!(said.matches("no more JSON is printed").count(), 1, "{words}: {said}");
        assert_eq!(to(words, "/dev/null").0, Some(code), "{words}");
    }
    // The reader has closed the pipe. The exit code is still the verdict.
    for (words, code) in [
        ("check -4", 0),
        ("check -i vz9", 1),
        ("check -j -i vz9", 1),
        ("wait -j -i vz9 -t 20ms", 1),
        ("wait -j -4", 0),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let process = ns.command(&words).closed_stdout().without_notify_socket().spawn();
        assert_eq!(process.expect_exit(), Exit::Code(code), "{words:?}: {}", process.transcript());
        assert!(!process.stderr().contains("error"), "{}", process.transcript());
    }
}

/// If a program of the installation is missing, the message names it and does not blame another host.
#[test]
#[ignore = "needs a network namespace"]
fn a_missing_program_differs_from_a_failed_probe() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; {DEFAULT0}"));
    let alone = ns.scratch().join("alone");
    std::fs::create_dir(&alone).unwrap();
    let run = |words: &[&str]| {
        assert!(std::process::Command::new(words[0]).args(&words[1..]).status().unwrap().success())
    };
    run(&["cp", env!("CARGO_BIN_EXE_netready"), alone.to_str().unwrap()]);
    let netready = |words: &[&str]| {
        let output = std::process::Command::new(alone.join("netready")).args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let probe = ["-4", "--tcp", "192.0.2.1:9", "--dns", "a.example", "--gateway", "ipv4"];
    let missing = format!("there is no netready-probe in {}", alone.display());
    let seen = |why: &str| {
        let (code, stdout, _) = netready(&[&["check", "-j"], &probe[..]].concat());
        let verdict: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let rows = verdict["requirements"].as_array().unwrap();
        let probes: Vec<_> = rows.iter().filter(|row| row["met"] == false).collect();
        assert!(code == Some(1) && probes.len() == 3, "{verdict:#}");
        for row in probes {
            assert_eq!(row["code"], "probe-program", "{verdict:#}");
            let reason = row["reason"].as_str().unwrap();
            assert!(reason.starts_with("probes cannot be tried: ") && reason.contains(why), "{reason}");
            assert!(reason.contains("install netready again"), "{reason}");
        }
    };
    seen(&missing);
    // The daemon reports only this.
    let socket = ns.scratch().join("alone-notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let records = alone.join("netready-record");
    std::fs::create_dir(&records).unwrap();
    let mut gate = std::process::Command::new(alone.join("netready"))
        .args(["run", "-4", "--gateway", "ipv4", "-t", "2min"])
        .env("NOTIFY_SOCKET", &socket)
        .env("RUNTIME_DIRECTORY", &records)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let expect = |what: &str| {
        let mut octets = [0; 8192];
        loop {
            let length = manager.recv(&mut octets).unwrap_or_else(|error| panic!("no {what}: {error}"));
            let said = String::from_utf8_lossy(&octets[..length]).into_owned();
            assert!(what == "READY=1" || !said.contains("READY=1"), "{said}");
            if said.contains(what) {
                return said;
            }
        }
    };
    assert!(expect("probes cannot be tried").contains(&missing));
    gate.kill().unwrap();
    gate.wait().unwrap();
    run(&["cp", env!("CARGO_BIN_EXE_netready-probe"), alone.to_str().unwrap()]);
    // The program is broken in other ways.
    let program = alone.join("netready-probe");
    run(&["chmod", "a-x", program.to_str().unwrap()]);
    seen(&format!("{} does not run: Permission denied", program.display()));
    run(&[
        "sh",
        "-c",
        "printf '#!/bin/sh\nexit 127\n' >\"$0\" && chmod 755 \"$0\"",
        program.to_str().unwrap(),
    ]);
    seen("netready-probe ended without an answer");
    // The program of other commands is missing.
    for (words, code) in [(&["doctor"][..], 4), (&["learn"], 4), (&["retry", "--", "true"], 125)] {
        let (ended, _, stderr) = netready(words);
        assert_eq!(ended, Some(code), "{words:?}: {stderr}");
        assert!(
            stderr.contains("there is no netready-tools in ") && stderr.contains("install netready again"),
            "{stderr}"
        );
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn without_a_notify_socket() {
    let ns = netns!();
    ns.ip(UP0);
    let path = ns.gate(CARRIER);
    let gate = ns.command(&["run", &path]).without_notify_socket().spawn();
    gate.expect_stderr("netready: Ready");
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

#[test]
#[ignore = "needs a network namespace"]
fn a_notify_socket_that_is_gone() {
    let ns = netns!();
    ns.ip(UP0);
    let path = ns.gate(CARRIER);
    let gate = ns
        .command(&["run", &path])
        .env("NOTIFY_SOCKET", "/nonexistent/notify")
        .without_notify_socket()
        .spawn();
    // The unit could never become active. netready reports an error in how it was started; it does not wait for the
    // network.
    assert_eq!(gate.expect_exit(), Exit::Code(2), "{}", gate.transcript());
    assert!(gate.stderr().contains("NOTIFY_SOCKET=/nonexistent/notify"), "{}", gate.transcript());
    // For `wait` the socket is only for reports, so it works without.
    ns.ip("addr add 192.0.2.1/24 dev va0");
    let wait = ns
        .command(&["wait", "-i", "va0", "--", "echo", "went on"])
        .env("NOTIFY_SOCKET", "/nonexistent/notify")
        .without_notify_socket()
        .spawn();
    assert_eq!(wait.expect_exit(), Exit::Code(0), "{}", wait.transcript());
    assert_eq!(wait.stdout(), "went on");
    // An abstract address, and addresses that are not valid.
    for socket in ["@nobody-listens-here", "not-absolute", "/"] {
        let gate = ns.command(&["run", &path]).env("NOTIFY_SOCKET", socket).without_notify_socket().spawn();
        assert_eq!(gate.expect_exit(), Exit::Code(2), "{socket}: {}", gate.transcript());
        assert!(gate.stderr().contains("NOTIFY_SOCKET"), "{}", gate.transcript());
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_notify_socket_that_goes() {
    let ns = netns!();
    let gate = ns.run_gate(CARRIER);
    gate.expect_waiting();
    std::fs::remove_file(gate.notify_socket()).unwrap();
    ns.ip(UP0);
    gate.expect_stderr("NOTIFY_SOCKET");
    // READY=1 cannot be sent any more. netready must not crash: it ends with the documented exit code, or
    // continues.
    ns.until("an end, or a life without", || gate.has_exited() || gate.stderr().contains("Ready after"));
    std::thread::sleep(Duration::from_millis(100));
    if gate.has_exited() {
        assert_eq!(gate.expect_exit(), Exit::Code(2), "{}", gate.transcript());
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn unprivileged_it_works_the_same() {
    let ns = netns!();
    let runtime = ns.scratch().join("xdg");
    std::fs::create_dir(&runtime).unwrap();
    std::os::unix::fs::chown(&runtime, Some(65534), Some(65534)).unwrap();
    let path = ns.gate(&format!("{CARRIER}address = \"ipv4\"\nroute = [\"default-ipv4\", \"203.0.113.0/24\"]\nroute-to = \"203.0.113.7\"\n"));
    let nobody = |arguments: &[&str]| {
        ns.command(arguments).unprivileged().env("XDG_RUNTIME_DIR", runtime.to_str().unwrap())
    };
    let gate = nobody(&["run", &path]).spawn();
    let loud = nobody(&["run", "-v", &path]).spawn();
    let wait = nobody(&["wait", &path, "--", "id", "-u"]).spawn();
    gate.expect_waiting();
    wait.expect_waiting();
    loud.expect_waiting();
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    assert!(
        status.contains("Uid:\t65534\t65534") && status.contains("CapEff:\t0000000000000000"),
        "{status}"
    );
    let unready = nobody(&["check", "-j", &path]).output();
    assert_eq!(unready.code, 1, "{unready:?}");
    ns.ip(&format!("{UP0}; {DEFAULT0}; route add 203.0.113.0/24 via 192.0.2.253"));
    gate.expect_ready();
    assert_eq!(wait.expect_exit(), Exit::Code(0), "{}", wait.transcript());
    assert_eq!(wait.stdout(), "65534");
    assert_eq!(nobody(&["check", "-j", &path]).output().code, 0);
    ns.ip("link set va0 down; link set va0 up");
    gate.expect_lost();
    // netready does not report that SO_RCVBUFFORCE was refused.
    let lower = gate.stderr().to_lowercase();
    assert!(
        !lower.contains("rcvbuf") && !lower.contains("permitted") && !lower.contains("permission"),
        "{lower}"
    );
    gate.signal(Signal::SIGTERM);
    assert_eq!(gate.expect_exit(), Exit::Code(0));
}

/// Root has another user's variables, as after su(1) without a dash.
#[test]
#[ignore = "needs a network namespace"]
fn another_users_runtime_directory_is_neither_read_nor_written() {
    let ns = netns!().with_private_etc();
    let runtime = ns.scratch().join("xdg");
    let records = runtime.join("netready-record");
    std::fs::create_dir_all(records.join("netready")).unwrap();
    let record = records.join("netready/x.json");
    let forged = |gate: &str| {
        let pid = std::process::id();
        format!(
            r#"{{"gate": "{gate}", "source": "/x\nReady: gate default", "pid": {pid}, "status": "Ready"}}"#
        )
    };
    std::fs::write(&record, forged("forged")).unwrap();
    for path in [&runtime, &records, &records.join("netready"), &record] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let (other, own) = (UserManager::of_nobody(&ns), UserManager::new(&ns));
    let names = |folder: &std::path::Path| std::fs::read_dir(folder).unwrap().count();
    // The folder is not used, neither with that user's manager nor with one of root.
    for manager in [&other, &own] {
        let root = |arguments: &[&str]| {
            let command = ns.command(arguments).env("MANAGERPID", &manager.pid());
            command.env("XDG_RUNTIME_DIR", runtime.to_str().unwrap()).by_hand()
        };
        let gate = root(&["run", "-i", "va0", "-t", "1ms"]).spawn();
        assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
        assert_eq!(names(&records), 1, "a record was written into another user's folder");
        let said = root(&["check", "-i", "va0"]).output();
        assert!(said.code == 1 && !said.stdout.contains("/x"), "{said:?}");
    }
    assert!(std::path::Path::new("/run/netready-record/options.json").is_file(), "root's own record");
    // It is not used either if a unit's variable leads there, directly or through a link.
    std::os::unix::fs::symlink("/etc", records.join("etc")).unwrap();
    std::os::unix::fs::lchown(records.join("etc"), Some(65534), None).unwrap();
    std::fs::write("/etc/options.json", "mine").unwrap();
    for folder in [records.clone(), records.join("etc")] {
        let command = ns.command(&["run", "-i", "va0", "-t", "1ms"]);
        let gate = command.env("RUNTIME_DIRECTORY", folder.to_str().unwrap()).spawn();
        assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
        assert_eq!(names(&records), 2, "{}", folder.display());
        assert_eq!(std::fs::read_to_string("/etc/options.json").unwrap(), "mine");
    }
}

/// The record's folder belongs to the caller, but netready does not follow links in it.
#[test]
#[ignore = "needs a network namespace"]
fn a_record_is_read_and_written_as_a_file_only() {
    let ns = netns!();
    let runtime = ns.scratch().join("xdg");
    let records = runtime.join("netready-record");
    std::fs::create_dir_all(records.join("netready")).unwrap();
    let file = ns.scratch().join("file");
    std::fs::write(&file, "mine").unwrap();
    let manager = UserManager::new(&ns);
    let user = |arguments: &[&str]| {
        let command = ns.command(arguments).env("MANAGERPID", &manager.pid());
        command.env("XDG_RUNTIME_DIR", runtime.to_str().unwrap()).by_hand()
    };
    for name in ["options.json", "options.new"] {
        std::os::unix::fs::symlink(&file, records.join(name)).unwrap();
    }
    let gate = user(&["run", "-i", "va0", "-t", "1ms"]).spawn();
    assert_eq!(gate.expect_exit(), Exit::Code(1), "{}", gate.transcript());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(records.join("options.json").symlink_metadata().unwrap().is_file());
    let record = records.join("netready/x.json");
    let check = || {
        let said = user(&["check", "-i", "va0"]).output();
        assert_eq!(said.code, 1, "{said:?}");
        said.stdout
    };
    nix::unistd::mkfifo(&record, nix::sys::stat::Mode::S_IRUSR).unwrap();
    check();
    for target in ["/dev/zero", "../options.json"] {
        std::fs::remove_file(&record).unwrap();
        std::os::unix::fs::symlink(target, &record).unwrap();
        assert!(!check().contains("keeps another gate"), "{target}");
    }
    std::fs::remove_file(&record).unwrap();
    let running = user(&["run", "-i", "va0"]).spawn();
    running.expect_waiting();
    let text =
        format!(r#"{{"gate": "a\nReady: gate b\u001b[2J", "source": "/s", "pid": {}}}"#, running.pid());
    std::fs::write(&record, text).unwrap();
    let said = check();
    assert!(said.contains(r"keeps another gate: a\x0aReady: gate b\x1b[2J (/s)"), "{said}");
    let named = user(&["check", "default"]).output();
    assert!(!named.stdout.contains("keeps another gate"), "who names a gate means it: {named:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn without_netlink_nothing_can_be_observed() {
    let ns = netns!();
    for arguments in [&["check", "-4"][..], &["wait", "-4"], &["run", "-4"], &["monitor", "-4"]] {
        let said = ns.command(arguments).without_netlink().output();
        assert_eq!(said.code, 3, "{arguments:?}: {said:?}");
        assert!(said.stderr.contains("kernel") || said.stderr.contains("netlink"), "{said:?}");
    }
    for command in ["check", "wait", "monitor"] {
        let said = ns.command(&[command, "-j", "-4"]).without_netlink().output();
        assert_eq!(said.code, 3, "{command}: {said:?}");
        let object: serde_json::Value = serde_json::from_str(said.stdout.trim()).expect(&said.stdout);
        assert!(object["error"].is_string(), "{object}");
    }
}

// ── Idle, time ──

#[test]
#[ignore = "needs a network namespace"]
fn idle_means_idle() {
    let ns = netns!();
    ns.ip(UP0);
    let waiting = ns.run(&["-4", "-t", "infinity"]);
    let ready = ns.run_gate(CARRIER);
    waiting.expect_waiting();
    ready.expect_ready();
    // Wait for the end of the links' own IPv6 activity. (Duplicate address detection and router solicitations
    // change nothing here.)
    ns.until("link-local addresses", || {
        ns.ip_json("-6 addr show").iter().all(|l| !l.to_string().contains("\"tentative\":true"))
    });
    // Count the context switches of every thread.
    let switches = |gate: &Process| -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", gate.pid())).unwrap();
        let status = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
        status
            .flat_map(|s| {
                s.lines()
                    .filter(|l| l.starts_with("voluntary_ctxt_switches"))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    // The last events are written into the history a second later, or later still on a busy machine.
    std::thread::sleep(Duration::from_millis(1500));
    ns.until("three seconds without a switch", || {
        let before = (switches(&waiting), switches(&ready));
        std::thread::sleep(Duration::from_secs(3));
        before == (switches(&waiting), switches(&ready))
    });
}

/// Changing the wall clock would affect the host. Instead, check that the only timer is on CLOCK_BOOTTIME.
#[test]
#[ignore = "needs a network namespace"]
fn the_timer_is_on_boottime() {
    let ns = netns!();
    let gate = ns.run(&["-i", "va0", "-t", "60s"]);
    gate.expect_waiting();
    let mut clocks = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{}/fdinfo", gate.pid())).unwrap() {
        let info = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        clocks.extend(info.lines().filter_map(|l| l.strip_prefix("clockid: ").map(str::to_owned)));
    }
    assert_eq!(clocks, ["7"], "CLOCK_BOOTTIME, one timerfd");
}

#[test]
#[ignore = "needs a network namespace"]
fn stopped_for_a_while_it_catches_up() {
    let ns = netns!();
    ns.ip(UP0);
    let gate = ns.run_gate(CARRIER);
    gate.expect_ready();
    gate.signal(Signal::SIGSTOP);
    ns.ip_batch(&format!("{LOSE}\n{REGAIN}\n{LOSE}\n"));
    gate.signal(Signal::SIGCONT);
    gate.expect_lost();
    assert!(gate.statuses().len() <= 4, "{}", gate.transcript());
}
