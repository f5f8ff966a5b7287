//! What netready may do and what it does. Compares the filter of system calls in the units with a traced run, and
//! checks which rights a probe gives up.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{Exit, Netns, Process, SOON, Signal};
use crate::netns;
use crate::probe::{Authority, LO, children, http, name_server, neighbour, silent, status, tls};

const UNITS: [&str; 4] = [
    "system/netready.service",
    "system/netready@.service",
    "user/netready.service",
    "user/netready@.service",
];

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Returns the words of all `SystemCallFilter=` lines.
fn words(unit: &str) -> BTreeSet<String> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let words: BTreeSet<String> = lines.flat_map(str::split_whitespace).map(str::to_owned).collect();
    assert!(
        !words.iter().any(|word| word.starts_with('~')),
        "this test reads lists of what is allowed: {words:?}"
    );
    words
}

/// Returns the calls of a group, as defined by the systemd of this machine.
fn members(group: &str) -> BTreeSet<String> {
    let output = Command::new("systemd-analyze").args(["syscall-filter", group]).output().unwrap();
    assert!(output.status.success(), "{group}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut calls = BTreeSet::new();
    for line in lines {
        if line.starts_with('@') {
            calls.append(&mut members(line));
        } else {
            calls.insert(line.to_owned());
        }
    }
    calls
}

/// Returns the calls that a list allows. systemd adds `@default` to each list.
fn allowed(words: &BTreeSet<String>) -> BTreeSet<String> {
    let mut calls = members("@default");
    for word in words {
        if word.starts_with('@') {
            calls.append(&mut members(word));
        } else {
            calls.insert(word.clone());
        }
    }
    calls
}

/// Divides the lines of `strace -f` into the process and what it did.
fn lines(trace: &str) -> Vec<(&str, &str)> {
    trace.lines().filter_map(|line| line.split_once(' ')).map(|(pid, did)| (pid, did.trim_start())).collect()
}

/// Returns the calls of a trace that have returned. For a process that was killed during a call, strace shows a
/// number that is not a call.
fn seen(trace: &str) -> BTreeSet<String> {
    let calls = lines(trace).into_iter().filter(|(_, did)| !did.ends_with("<unfinished ...>")).filter_map(
        |(_, did)| {
            let did = did.strip_prefix("<... ").unwrap_or(did);
            let end = did.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            // A signal (`---`) or an end (`+++`) has no name.
            let name = did.get(..end).filter(|name| !name.is_empty())?;
            did[end..].starts_with(['(', ' ']).then(|| name.to_owned())
        },
    );
    calls.collect()
}

/// Traces everything that a unit's `run` does in its life: waiting, probes of each kind, readiness, the watchdog,
/// the text file, files that the service manager keeps, a reload, a loss, an end.
fn whole_life(ns: &Netns) -> String {
    let trace = ns.scratch().join("trace");
    let other = neighbour(ns);
    ns.sysctl("net.ipv4.ping_group_range", "0 2147483647");
    std::fs::write("/etc/nsswitch.conf", "hosts: files dns\n").unwrap();
    std::fs::write("/etc/hosts", "127.0.0.1 here\n").unwrap();
    std::fs::write("/etc/resolv.conf", "nameserver 127.0.0.10\n").unwrap();
    let folder = ns.scratch().join("collector");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ours = Authority::new("ours");
    let store = ns.file("roots", &ours.pem);
    let _names = name_server("127.0.0.10", None);
    let _web = http("127.0.0.1:4000", status("204 No Content"));
    let _tls = tls("127.0.0.1:4443", "127.0.0.1", (2020, 2100), Some(&ours), "http/1.1");
    let gate = ns.gate(
        "timeout = \"infinity\"\nsettle = \"20ms\"\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n\
         [[require]]\nroute = \"default\"\nnameserver = true\ngateway = \"ipv4\"\n\
         [[require]]\ntcp = \"here:4000\"\nhttp = [\"http://here:4000/\", \"https://127.0.0.1:4443/\"]\n\
         dns = \"registry.example.org\"\nping = \"192.0.2.254\"\n",
    );
    let textfile = folder.join("netready.prom");
    let run = ns
        .command(&["run", &gate, "--textfile", textfile.to_str().unwrap()])
        .env("SSL_CERT_FILE", &store)
        .env("WATCHDOG_USEC", "400000")
        .env("FDSTORE", "1")
        .traced(&trace)
        .spawn();
    run.expect_waiting();
    ns.ip("route add default via 192.0.2.254 dev va0");
    run.expect_ready();
    ns.until("the watchdog", || run.count("WATCHDOG=1") > 1);
    ns.until("the text file", || textfile.exists());
    run.signal(Signal::SIGHUP);
    ns.until("the reload", || run.count("READY=1") > 1);
    other.ip("link set vb0 down");
    run.expect_lost();
    run.signal(Signal::SIGTERM);
    assert_eq!(run.expect_exit(), Exit::Code(0), "{}", run.transcript());
    whole(ns, &trace, &run)
}

/// Traces more runs: one that gives up, one that a signal ends while it waits, and one that is opened by hand.
fn other_ends(ns: &Netns) -> String {
    let trace = ns.scratch().join("gives-up");
    let gate = ns.gate("timeout = \"200ms\"\n[[require]]\ninterface = \"vz0\"\n");
    let run = ns.command(&["run", &gate]).traced(&trace).spawn();
    assert_eq!(run.expect_exit(), Exit::Code(1));
    let gives_up = whole(ns, &trace, &run);
    let trace = ns.scratch().join("ended");
    let run = ns.command(&["run", "--interface", "vz0"]).traced(&trace).spawn();
    run.expect_waiting();
    run.signal(Signal::SIGINT);
    run.expect_exit();
    let ended = whole(ns, &trace, &run);
    let trace = ns.scratch().join("opened");
    let run = ns.command(&["run", "--interface", "vz0"]).traced(&trace).spawn();
    run.expect_waiting();
    run.signal(Signal::SIGUSR1);
    run.expect_ready();
    run.signal(Signal::SIGTERM);
    assert_eq!(run.expect_exit(), Exit::Code(0), "{}", run.transcript());
    gives_up + &ended + &whole(ns, &trace, &run)
}

/// Returns a trace after strace has written the end of the process.
fn whole(ns: &Netns, trace: &Path, run: &Process) -> String {
    let pid = run.pid().to_string();
    let text = || std::fs::read_to_string(trace).unwrap_or_default();
    ns.until("the trace", || lines(&text()).iter().any(|(of, did)| *of == pid && did.starts_with("+++ ")));
    text()
}

#[test]
#[ignore = "needs a network namespace"]
fn each_call_of_a_traced_run_is_in_the_filter_of_the_units() {
    let ns = netns!().with_private_etc();
    let trace = whole_life(&ns);
    let mut seen = seen(&(trace.clone() + &other_ends(&ns)));
    // Add the calls of the shell of ExecReload=, and those that a static program (musl) makes instead of others.
    // They were traced in the same way.
    for call in ["kill", "clone", "epoll_pwait", "fstat", "lstat", "open", "stat", "tkill"] {
        seen.insert(call.to_owned());
    }
    println!("{} calls: {seen:?}", seen.len());
    for call in ["execve", "epoll_wait", "sendmsg", "inotify_add_watch", "renameat", "timerfd_settime"] {
        assert!(seen.contains(call), "the trace has no {call}: {seen:?}");
    }
    let listed = words(&unit(UNITS[0]));
    for name in UNITS {
        assert_eq!(words(&unit(name)), listed, "{name}");
    }
    let may = allowed(&listed);
    let missing: Vec<&String> = seen.difference(&may).collect();
    assert!(missing.is_empty(), "the units do not allow {missing:?}");
    // If a call is removed from the units, this test notices it.
    let by_default = members("@default");
    for call in listed.iter().filter(|word| seen.contains(*word) && !by_default.contains(*word)) {
        let mut fewer = listed.clone();
        fewer.remove(call);
        assert!(!allowed(&fewer).contains(call), "{call} is allowed twice");
    }
    // The units allow no further calls either.
    for never in [
        "io_uring_setup",
        "unshare",
        "setns",
        "ptrace",
        "mount",
        "keyctl",
        "shmget",
        "mknodat",
        "linkat",
        "symlinkat",
        "fchownat",
        "process_vm_writev",
        "bpf",
        "perf_event_open",
        "userfaultfd",
    ] {
        assert!(!may.contains(never), "{never}");
    }
    probes_give_up_rights_before_they_talk(&trace);
}

fn probes_give_up_rights_before_they_talk(trace: &str) {
    let lines = lines(trace);
    let is_start = |did: &str| did.starts_with("execve(") && did.contains("/netready-probe\"");
    let probes: BTreeSet<&str> = lines.iter().filter(|(_, did)| is_start(did)).map(|(pid, _)| *pid).collect();
    assert!(probes.len() >= 6, "{probes:?}");
    for probe in probes {
        let own: Vec<&str> = lines.iter().filter(|(pid, _)| *pid == probe).map(|(_, did)| *did).collect();
        // A probe that was killed at its start has done neither.
        let Some(talk) = own.iter().position(|did| did.starts_with("socket(") || did.starts_with("clone"))
        else {
            continue;
        };
        // strace writes `<... landlock_restrict_self resumed>` if a line of another process is in between.
        let confined =
            own.iter().position(|did| did.contains("landlock_restrict_self") && did.ends_with("= 0"));
        assert!(confined.is_some_and(|confined| confined < talk), "{own:#?}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_probe_gains_no_privileges() {
    let ns = netns!();
    ns.ip(LO);
    let calls = silent("127.0.0.1:4000");
    let run = ns.run(&["--http", "http://127.0.0.1:4000/"]);
    calls.recv_timeout(SOON).unwrap();
    let probes = children(&run);
    assert!(!probes.is_empty(), "{}", run.transcript());
    for pid in probes {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    }
}
