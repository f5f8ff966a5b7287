//! Service managers other than systemd, with the service files of docs/other-inits.md. .ci/test-runner leaves out
//! the tests of managers that are not installed. Debian 12 has s6, but not dinit.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{Netns, UP0, copy_program, write_program};
use crate::netns;

/// Returns the fenced block that follows this line of docs/other-inits.md.
fn example(before: &str) -> String {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/other-inits.md")).unwrap();
    let (_, after) = page.split_once(&format!("{before}\n\n```")).unwrap_or_else(|| panic!("no {before}"));
    let (_, block) = after.split_once('\n').unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// s6-supervise with one service. Both end when this value is dropped.
struct S6 {
    supervisor: Child,
    service: PathBuf,
}

impl S6 {
    fn start(ns: &Netns, run: &str) -> S6 {
        let service = ns.scratch().join("netready");
        std::fs::create_dir(&service).unwrap();
        let script = service.join("run");
        write_program(&script, run);
        std::fs::write(service.join("notification-fd"), example("`/etc/s6/netready/notification-fd`:"))
            .unwrap();
        let supervisor = Command::new("s6-supervise")
            .arg(&service)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        ns.until("s6-supervise", || service.join("supervise/status").exists());
        S6 { supervisor, service }
    }

    /// Whether s6-svwait(8) sees the service ready within this many milliseconds.
    fn is_ready_within(&self, millis: u32) -> bool {
        let mut wait = Command::new("s6-svwait");
        wait.args(["-U", "-t", &millis.to_string()]).arg(&self.service);
        wait.stderr(Stdio::null()).status().unwrap().success()
    }

    fn state(&self) -> String {
        let output = Command::new("s6-svstat").arg(&self.service).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for S6 {
    fn drop(&mut self) {
        // The service ends, and then its supervisor ends.
        let _ = Command::new("s6-svc").arg("-xd").arg(&self.service).status();
        let _ = self.supervisor.wait();
    }
}

/// Returns the script of the page, with the built binary instead of the installed one.
fn run_script(binary: &Path, gate: &str) -> String {
    let script = example("`/etc/s6/netready/run`:");
    assert!(script.contains("/usr/bin/netready run --ready-fd 3"), "{script}");
    script
        .replace("/usr/bin/netready", binary.to_str().unwrap())
        .replace("--ready-fd 3", &format!("--ready-fd 3 {gate}"))
}

#[test]
#[ignore = "needs a network namespace, and s6"]
fn s6_takes_the_service_for_ready_when_the_gate_opens() {
    let ns = netns!().with_private_etc();
    let s6 = S6::start(&ns, &run_script(Path::new(env!("CARGO_BIN_EXE_netready")), "-i va0 -a 192.0.2.1"));
    assert!(!s6.is_ready_within(300), "{}", s6.state());
    ns.until("it waits", || s6.state().starts_with("up "));
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0");
    assert!(s6.is_ready_within(80_000), "{}", s6.state());
    assert!(s6.state().contains("ready"), "{}", s6.state());
}

/// The pipe belongs to root, so another user could not open it. But the inherited descriptor itself is usable.
#[test]
#[ignore = "needs a network namespace, and s6"]
fn s6_with_a_service_of_another_user() {
    let ns = netns!().with_private_etc();
    ns.ip(UP0);
    // Other users may not enter the build directory, so run a copy.
    let copy = ns.scratch().join("netready-copy");
    copy_program(Path::new(env!("CARGO_BIN_EXE_netready")), &copy);
    let script = run_script(&copy, &ns.gate("[[require]]\ninterface = \"va0\"\ncarrier = true\n"));
    let s6 = S6::start(&ns, &script.replace("exec /", "exec s6-setuidgid nobody /"));
    assert!(s6.is_ready_within(80_000), "{}", s6.state());
}

#[test]
#[ignore = "needs a network namespace, and s6"]
fn s6_starts_a_gate_that_gave_up_again() {
    let ns = netns!().with_private_etc();
    let s6 = S6::start(
        &ns,
        &run_script(Path::new(env!("CARGO_BIN_EXE_netready")), "-i va0 -a 192.0.2.1 -t 200ms"),
    );
    assert!(!s6.is_ready_within(1500), "{}", s6.state());
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0");
    assert!(s6.is_ready_within(80_000), "{}", s6.state());
}

/// dinit as PID 1 of a PID namespace. The namespace ends with it.
struct Dinit {
    init: Child,
    control: PathBuf,
}

impl Dinit {
    /// Starts dinit with a service `app` that waits for netready, and a service `needs-it` that depends on it.
    fn start(ns: &Netns, gate: &str) -> Dinit {
        // Other users may not enter the build directory, so run a copy.
        let copy = ns.scratch().join("netready-copy");
        copy_program(Path::new(env!("CARGO_BIN_EXE_netready")), &copy);
        let folder = ns.scratch().join("dinit.d");
        std::fs::create_dir(&folder).unwrap();
        let netready = example("`/etc/dinit.d/netready`:");
        let command = format!("{} run --ready-fd 3 {gate}", copy.display());
        let netready = netready
            .replace("/usr/bin/netready run --ready-fd 3", &command)
            .replace("/var/log/netready.log", ns.scratch().join("log").to_str().unwrap());
        let app = example("`/etc/dinit.d/app`, which starts when the gate is ready or has failed:")
            .replace("/usr/local/bin/app", "/bin/sleep 600");
        let boot = "type = internal\nwaits-for: app\nwaits-for: needs-it\n";
        for (name, text) in [
            ("netready", netready.as_str()),
            ("app", &app),
            ("needs-it", &app.replace("waits-for", "depends-on")),
            ("boot", boot),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let control = ns.scratch().join("dinitctl");
        let init = Command::new("unshare")
            .args(["--pid", "--mount", "--fork", "--kill-child", "--mount-proc"])
            .args(["dinit", "--container", "--services-dir"])
            .arg(&folder)
            .arg("--socket-path")
            .arg(&control)
            .arg("boot")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        ns.until("dinit", || control.exists());
        Dinit { init, control }
    }

    fn is_started(&self, service: &str) -> bool {
        self.says(&["is-started", service])
    }

    /// Whether the service was started and failed.
    fn has_failed(&self, service: &str) -> bool {
        self.says(&["is-failed", service])
    }

    fn says(&self, words: &[&str]) -> bool {
        let mut dinitctl = Command::new("dinitctl");
        dinitctl.arg("--socket-path").arg(&self.control).args(words);
        dinitctl.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Dinit {
    fn drop(&mut self) {
        // The child of this process is PID 1 of the namespace. When it ends, the kernel ends all others.
        let _ = self.init.kill();
        let _ = self.init.wait();
    }
}

#[test]
#[ignore = "needs a network namespace, and dinit"]
fn dinit_starts_what_waits_when_the_gate_opens() {
    let ns = netns!().with_private_etc();
    let dinit = Dinit::start(&ns, "-i va0 -a 192.0.2.1");
    let log = ns.scratch().join("log");
    ns.until("a gate that waits", || {
        std::fs::read_to_string(&log).is_ok_and(|said| said.contains("Waiting"))
    });
    assert!(!dinit.is_started("netready") && !dinit.is_started("app") && !dinit.is_started("needs-it"));
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0");
    ns.until("everything", || ["netready", "app", "needs-it"].iter().all(|name| dinit.is_started(name)));
}

#[test]
#[ignore = "needs a network namespace, and dinit"]
fn dinit_goes_on_without_a_gate_that_gave_up() {
    let ns = netns!().with_private_etc();
    let dinit = Dinit::start(&ns, "-i va0 -a 192.0.2.1 -t 300ms");
    ns.until("what waits goes on", || dinit.is_started("app"));
    ns.until("what depends on it has failed", || dinit.has_failed("needs-it"));
    assert!(!dinit.is_started("netready"));
}
