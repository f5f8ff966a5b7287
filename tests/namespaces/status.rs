//! `status`, `list`, `metrics` and `run --textfile`, with gates that a `run` really keeps.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::*;
use crate::netns;
use crate::schema::assert_valid;

/// Writes a gate that requires an address of a link.
fn gate(ns: &Netns, name: &str, timeout: &str, link: &str) -> String {
    let path = ns.scratch().join(format!("{name}.toml"));
    let text = format!("timeout = \"{timeout}\"\n[[require]]\ninterface = \"{link}\"\naddress = \"ipv4\"\n");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Starts `run` as a unit does. Its record is below /run, which belongs to this test.
fn unit(ns: &Netns, unit: &str, arguments: &[&str]) -> Process {
    let folder = Path::new("/run/netready-record").join(unit);
    std::fs::create_dir_all(&folder).unwrap();
    ns.command(&[&["run"], arguments].concat()).env("RUNTIME_DIRECTORY", folder.to_str().unwrap()).spawn()
}

#[track_caller]
fn status(ns: &Netns, asked: &[&str]) -> Value {
    let said = ns.output(&[&["status", "--json"], asked].concat());
    let json = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_valid("status", &json);
    json
}

/// Returns the fields of the first gate with this name.
fn fields<const N: usize>(ns: &Netns, gate: &str, names: [&str; N]) -> [Value; N] {
    let json = status(ns, &[gate]);
    names.map(|name| json["gates"][0][name].clone())
}

#[test]
#[ignore = "needs a network namespace"]
fn status_shows_the_gates_that_are_kept() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; {DARK1}; addr add 192.0.2.2/24 dev va1"));
    let nothing = ns.output(&["status"]);
    let of_users = "gates of users are not shown here; to see a user's gate: systemctl --user -M USER@ status netready.service";
    let told: Vec<&str> = nothing.stdout.lines().collect();
    let how = "no netready keeps a gate here now: a gate is kept while `netready run` runs, as in netready.service; to look at a gate once: netready check";
    assert_eq!((nothing.code, told), (1, vec![how, of_users]));
    let lan = unit(&ns, "netready", &[&gate(&ns, "lan", "infinity", "va0")]);
    lan.expect_ready();
    let nas = unit(&ns, "netready@nas", &[&gate(&ns, "nas", "infinity", "va1")]);
    nas.expect_waiting();
    let late = ns.command(&["run", &gate(&ns, "late", "10ms", "va1")]).by_hand().spawn();
    assert_eq!(late.expect_exit(), Exit::Code(1));

    ns.until("three gates", || status(&ns, &[])["gates"].as_array().unwrap().len() == 3);
    let table = ns.output(&["status"]);
    assert_eq!(table.code, 1);
    let rows: Vec<Vec<&str>> = table.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows.iter().map(|row| row[..2].join(" ")).collect::<Vec<_>>(),
        ["GATE STATE", "lan ready", "late gave-up", "nas waiting"]
    );
    assert!(table.stdout.contains("va1 has no carrier"), "{}", table.stdout);
    assert_eq!(ns.output(&["status", "lan"]).code, 0);
    assert_eq!(ns.output(&["status", "lan", "nas"]).code, 1);
    let other = ns.output(&["status", "lan", "other"]);
    assert_eq!(other.code, 1);
    assert!(other.stdout.contains("other: no netready keeps this gate"), "{}", other.stdout);
    let about = ["unit", "scope", "pid", "losses"];
    assert_eq!(
        fields(&ns, "lan", about),
        [json!("netready.service"), json!("system"), json!(lan.pid()), json!(0)]
    );

    // The gate is lost and ready again, the reason changes during the wait, and the process is killed.
    ns.ip("link set vb0 down");
    lan.expect_lost();
    ns.until("the loss", || fields(&ns, "lan", ["state"]) == ["lost"]);
    assert_eq!(fields(&ns, "lan", ["code", "link", "losses"]), [json!("no-carrier"), json!("va0"), json!(1)]);
    assert_eq!(ns.output(&["status", "lan"]).code, 1);
    ns.ip("link set vb0 up");
    lan.expect_now_ready();
    ns.until("the return", || fields(&ns, "lan", ["state"]) == ["ready"]);
    assert_eq!(fields(&ns, "lan", ["code", "losses"]), [Value::Null, json!(1)]);
    ns.ip("link del va1");
    nas.expect_status("no such link");
    ns.until("the new reason", || fields(&ns, "nas", ["code", "state"]) == ["absent", "waiting"]);
    lan.signal(Signal::SIGKILL);
    lan.expect_exit();
    assert_eq!(fields(&ns, "lan", ["state", "since", "pid"]), [json!("stopped"), Value::Null, Value::Null]);
    nas.signal(Signal::SIGTERM);
    nas.expect_exit();
    let [state, since] = fields(&ns, "nas", ["state", "since"]);
    assert!(state == "stopped" && since.is_object(), "{since}");
    let table = ns.output(&["status"]).stdout;
    assert!(table.ends_with("stopped earlier in this boot: lan, nas"), "{table}");
}

/// Otherwise `status` would say that no `run` is there, and nobody would know why.
#[test]
#[ignore = "needs a network namespace"]
fn a_run_that_can_keep_no_record_says_why() {
    use std::os::unix::fs::PermissionsExt;
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let folder = Path::new("/run/netready-record/netready");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let lan = unit(&ns, "netready", &[&gate(&ns, "lan", "infinity", "va0")]);
    lan.expect_ready();
    lan.expect_stderr("status and timeline cannot show this gate, because its record cannot be kept: /run/netready-record/netready: ");
    lan.signal(Signal::SIGTERM);
    lan.expect_exit();
    let stderr = lan.stderr();
    assert_eq!(stderr.matches("cannot be kept").count(), 1, "{stderr}");
    assert!(stderr.contains("nobody else may be able to write there"), "{stderr}");
}

#[test]
#[ignore = "needs a network namespace"]
fn another_user_sees_the_system_s_gates_as_far_as_may_be() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let lan = unit(&ns, "netready", &[&gate(&ns, "lan", "infinity", "va0")]);
    lan.expect_ready();
    let seen = |asked: &[&str]| ns.command(&[&["status"], asked].concat()).unprivileged().output();
    ns.until("a record", || seen(&["lan"]).code == 0);
    // systemd makes this if a unit has DynamicUser= and a runtime directory that is kept.
    std::fs::create_dir("/run/private").unwrap();
    std::fs::set_permissions("/run/private", std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("../private/nas", "/run/netready-record/netready@nas").unwrap();
    for (asked, code, line) in [
        (&[][..], 3, "netready@nas.service; run as root to see its gate"),
        (&["nas"], 3, "netready@nas.service; run as root to see its gate"),
        (
            &["other"],
            1,
            "other: no netready keeps this gate in this boot; to look at it once: netready check other",
        ),
    ] {
        let said = seen(asked);
        assert_eq!(said.code, code, "{asked:?} {said:?}");
        assert!(said.stdout.lines().any(|found| found == line), "{asked:?} {said:?}");
    }
    assert_eq!(seen(&["lan"]).code, 0);
    let metrics = ns.command(&["metrics"]).unprivileged().output();
    assert!(metrics.stdout.contains("netready_gate_ready{gate=\"lan\",scope=\"system\"} 1"), "{metrics:?}");
    assert!(metrics.stderr.contains("netready@nas.service: run as root"), "{metrics:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn gates_that_can_be_named_are_listed_with_their_files() {
    let ns = netns!().with_private_etc();
    let write = |path: &str, text: &str| {
        let path = Path::new(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let good = "[[require]]\nroute = \"default\"\n";
    write("/etc/netready/lab.toml", good);
    write("/run/netready/lab.toml", good);
    write("/etc/netready/lab.toml.d/50-late.toml", "timeout = \"5s\"\n");
    write("/etc/netready/wrong.toml", "tiemout = 1\n[[require]]\nroute = \"default\"\n");
    write("/etc/netready/alone.toml.d/50-late.toml", "timeout = \"5s\"\n");
    std::os::unix::fs::symlink("/dev/null", "/etc/netready/podman.toml").unwrap();
    let table = ns.output(&["list"]);
    assert_eq!(table.code, 0, "{table:?}");
    for lines in [
        "lab      system    /etc/netready/lab.toml\n         hides runtime   /run/netready/lab.toml\n         \
         with /etc/netready/lab.toml.d/50-late.toml\n",
        "podman   system    /etc/netready/podman.toml\n         masked: this gate cannot be used\n",
        "wrong    system    /etc/netready/wrong.toml\n         error: /etc/netready/wrong.toml:1: ",
        "alone    -\n",
        "default  ",
    ] {
        assert!(table.stdout.contains(lines), "{lines}\nis not in:\n{}", table.stdout);
    }
    let json: Value = serde_json::from_str(&ns.output(&["list", "--json"]).stdout).unwrap();
    assert_valid("list", &json);
    let states = json["gates"].as_array().unwrap().iter();
    let states: Vec<String> = states.map(|gate| format!("{} {}", gate["gate"], gate["state"])).collect();
    let expected =
        [("alone", "error"), ("default", "ok"), ("lab", "ok"), ("podman", "masked"), ("wrong", "error")];
    assert_eq!(states, expected.map(|(gate, state)| format!("\"{gate}\" \"{state}\"")));
}

/// Returns the value of a sample, given its metric and labels.
fn sample(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

fn state(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_suffix("\"} 1")?.split_once(",state=\""));
    lines.map(|(_, state)| state.to_owned()).collect()
}

#[test]
#[ignore = "needs a network namespace"]
fn a_text_file_follows_the_gate() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{DARK0}; addr add 192.0.2.1/24 dev va0"));
    let folder = ns.scratch().join("collector");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.join("netready.prom");
    // The path is a link. netready does not write through it, and does not change its target.
    let precious = ns.scratch().join("precious");
    std::fs::write(&precious, "precious").unwrap();
    symlink(&precious, &path).unwrap();
    let gate = gate(&ns, "lan", "infinity", "va0");
    let text = || std::fs::read_to_string(&path).unwrap();
    let start = || unit(&ns, "netready", &[&gate, "--textfile", path.to_str().unwrap()]);
    let run = start();
    run.expect_waiting();
    ns.until("the file", || text() != "precious");
    let of_gate = "{gate=\"lan\",scope=\"system\"}";
    assert_eq!(sample(&text(), &format!("netready_gate_ready{of_gate}")), Some(0.0));
    let waits =
        |text: &str, code: &str| state(text) == "waiting" && text.contains(&format!("code=\"{code}\""));
    assert!(waits(&text(), "no-carrier"), "{}", text());
    ns.ip("addr del 192.0.2.1/24 dev va0; link set vb0 up");
    ns.until("another reason", || waits(&text(), "no-address"));
    ns.ip("addr add 192.0.2.1/24 dev va0");
    run.expect_ready();
    ns.until("ready", || state(&text()) == "ready");
    assert_eq!(sample(&text(), &format!("netready_gate_ready{of_gate}")), Some(1.0));
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    let stat = std::fs::symlink_metadata(&path).unwrap();
    assert_eq!((stat.is_file(), stat.mode() & 0o777), (true, 0o644));
    let now = jiff::Timestamp::now().as_second() as f64;
    for name in ["netready_gate_start_time_seconds", "netready_gate_state_timestamp_seconds"] {
        let value = sample(&text(), &format!("{name}{of_gate}")).unwrap();
        assert!((now - 120.0..=now + 1.0).contains(&value), "{name} {value} {now}");
    }
    ns.ip("link set vb0 down");
    run.expect_lost();
    ns.until("the loss", || state(&text()) == "lost");
    assert!(text().contains(
        "netready_gate_unmet_info{gate=\"lan\",scope=\"system\",code=\"no-carrier\",link=\"va0\"} 1"
    ));
    ns.ip("link set vb0 up");
    run.expect_now_ready();
    ns.until("the return", || state(&text()) == "ready");
    assert_eq!(sample(&text(), &format!("netready_gate_losses_total{of_gate}")), Some(1.0));
    let but_the_clock = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.contains("timestamp_seconds{") && !line.contains("time_seconds{"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    // netready writes the record after the text file.
    ns.until("what `metrics` prints", || {
        but_the_clock(&ns.output(&["metrics"]).stdout) == but_the_clock(&text())
    });
    // A change that does not affect the text writes nothing.
    let before = std::fs::metadata(&path).unwrap().ino();
    ns.ip("addr add 198.51.100.3/24 dev va0; addr del 192.0.2.1/24 dev va0");
    run.expect_status("198.51.100.3");
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), before, "{}", text());
    run.signal(Signal::SIGTERM);
    run.expect_exit();
    assert_eq!(
        (state(&text()).as_str(), sample(&text(), &format!("netready_gate_ready{of_gate}"))),
        ("stopped", Some(0.0))
    );
    let names: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [path], "a draft was left");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_gate_that_gave_up_or_was_opened_is_in_the_text_file() {
    let ns = netns!();
    ns.ip(&format!("{DARK0}; addr add 192.0.2.1/24 dev va0"));
    let path = ns.scratch().join("netready.prom");
    let start = |timeout| ns.run(&[&gate(&ns, "lan", timeout, "va0"), "--textfile", path.to_str().unwrap()]);
    assert_eq!(start("10ms").expect_exit(), Exit::Code(1));
    assert_eq!(state(&std::fs::read_to_string(&path).unwrap()), "gave-up");
    let run = start("infinity");
    run.expect_waiting();
    run.signal(Signal::SIGUSR1);
    run.expect_ready();
    ns.until("the file", || state(&std::fs::read_to_string(&path).unwrap()) == "opened");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_text_file_that_cannot_be_written_is_one_warning() {
    use std::os::unix::fs::PermissionsExt;
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let folder = ns.scratch().join("of-everybody");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let gate = gate(&ns, "lan", "infinity", "va0");
    for (path, why) in [
        (folder.join("netready.prom"), "nobody else may write there"),
        (ns.scratch().join("gone/netready.prom"), "No such file or directory"),
        (PathBuf::from("/proc/netready.prom"), "No such file or directory"),
    ] {
        let run = ns.run(&[&gate, "--textfile", path.to_str().unwrap()]);
        run.expect_ready();
        run.expect_stderr(why);
        ns.ip("link set vb0 down");
        run.expect_lost();
        ns.ip("link set vb0 up");
        run.expect_now_ready();
        run.signal(Signal::SIGTERM);
        assert_eq!(run.expect_exit(), Exit::Code(0));
        assert_eq!(run.stderr().matches("--textfile").count(), 1, "{}", run.stderr());
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

/// Runs the `promtool` of this machine, or the one that `.ci/prepare` has unpacked in the target folder.
fn promtool(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    use std::io::Write;
    let built = Path::new(env!("CARGO_BIN_EXE_netready")).ancestors().nth(2).unwrap();
    let unpacked = built.join("prometheus/usr/bin/promtool");
    let program = if unpacked.exists() { unpacked } else { PathBuf::from("promtool") };
    let mut promtool = Command::new(program);
    promtool.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool, of Debian's package prometheus");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

#[test]
#[ignore = "needs promtool"]
fn promtool_accepts_the_metrics() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; {DARK1}; addr add 192.0.2.2/24 dev va1"));
    let lan = unit(&ns, "netready", &[&gate(&ns, "lan \"\\\n", "infinity", "va0")]);
    lan.expect_ready();
    let nas = unit(&ns, "netready@nas", &[&gate(&ns, "nas", "infinity", "va1")]);
    nas.expect_waiting();
    // Two processes keep the same gate.
    let by_hand = ns.command(&["run", &gate(&ns, "nas", "infinity", "va1")]).by_hand().spawn();
    by_hand.expect_waiting();
    ns.until("both gates", || status(&ns, &[])["gates"].as_array().unwrap().len() >= 2);
    let metrics = ns.output(&["metrics"]);
    assert_eq!((metrics.code, metrics.stderr.as_str()), (0, ""));
    let text = format!("{}\n", metrics.stdout);
    assert!(text.contains("gate=\"nas\""), "{text}");
    assert_eq!(promtool(&["check", "metrics"], &text), (Some(0), String::new()), "{text}");
    // promtool would report an error, as this wrong text shows.
    assert_ne!(promtool(&["check", "metrics"], &text.replace("_total", "_total_ms")).1, "");
}

#[test]
#[ignore = "needs promtool"]
fn promtool_accepts_the_alert_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let rules = folder.join("netready.rules.yml");
    let (code, said) = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(code == Some(0) && said.contains("SUCCESS"), "{said}");
    let tests = folder.join("netready.rules.test.yml");
    let (code, said) = promtool(&["test", "rules", tests.to_str().unwrap()], "");
    assert_eq!(code, Some(0), "{said}");
}
