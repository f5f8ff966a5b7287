//! `netready-generator` itself, on directories of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect, its helpers too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};

use proptest::prelude::*;

const WAIT_UNIT: &str = "podman-user-wait-network-online.service";
const APP: &str = "[Container]\nImage=docker.io/library/app:1\n";

/// A user's home, runtime directory, quadlets, unit path and the generator's output; gone when dropped.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "run", "units", "normal"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Host { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A quadlet in the user's own directory.
    fn quadlet(&self, name: &str, text: impl AsRef<[u8]>) {
        self.write(&format!("home/.config/containers/systemd/{name}"), text);
    }

    fn command(&self, scope: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netready-generator"));
        command
            .env_clear()
            .env("SYSTEMD_SCOPE", scope)
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env(
                "SYSTEMD_UNIT_PATH",
                format!("{}:{}", self.path("above").display(), self.path("normal").display())
                    + ":"
                    + self.path("units").to_str().unwrap(),
            );
        command
    }

    fn generate(&self, scope: &str) -> Output {
        let normal = self.path("normal");
        let output =
            self.command(scope).arg(&normal).arg(self.path("early")).arg(self.path("late")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output
    }

    /// Every file in the output directory.
    fn written(&self) -> BTreeMap<String, String> {
        let mut written = BTreeMap::new();
        for folder in fs::read_dir(self.path("normal")).unwrap() {
            let folder = folder.unwrap();
            if folder.path().is_file() {
                let text = fs::read_to_string(folder.path()).unwrap();
                written.insert(folder.file_name().into_string().unwrap(), text);
                continue;
            }
            for file in fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                let name = file.path().strip_prefix(self.path("normal")).unwrap().display().to_string();
                written.insert(name, fs::read_to_string(file.path()).unwrap());
            }
        }
        written
    }

    fn names(&self) -> Vec<String> {
        self.written().into_keys().collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_users_quadlets_are_gated() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    host.quadlet("sub/deeper/db.container", APP);
    host.quadlet("web@.container", APP);
    host.quadlet("notes.txt", "no quadlet");
    symlink("web@.container", host.path("home/.config/containers/systemd/web@one.container")).unwrap();
    host.write("run/containers/systemd/early.container", APP);
    let output = host.generate("user");
    assert_eq!(stderr(&output), "");
    assert_eq!(
        host.names(),
        [
            "app.service.d/50-netready.conf",
            "db.service.d/50-netready.conf",
            "early.service.d/50-netready.conf",
            "web@.service.d/50-netready.conf",
            "web@one.service.d/50-netready.conf",
        ]
    );
    let text = &host.written()["app.service.d/50-netready.conf"];
    assert!(text.contains("\nWants=netready.service\nAfter=netready.service\n"), "{text}");
}

#[test]
fn where_podmans_wait_unit_is_the_packaged_drop_in_does_it() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\n");
    host.generate("user");
    assert!(host.names().is_empty());

    host.quadlet("lan.container", format!("{APP}[X-Netready]\nGate=lan\n"));
    host.generate("user");
    let wait = format!("{WAIT_UNIT}.d/50-netready.conf");
    let all = ["app.service.d/50-netready.conf", "lan.service.d/50-netready.conf", &wait];
    assert_eq!(host.names(), all);
}

/// Podman's wait unit keeps waiting as long as a quadlet could start without any gate otherwise.
#[test]
fn the_wait_unit_is_emptied_only_where_all_was_understood() {
    type Change = fn(&Host);
    let changes: [(&str, bool, Change); 20] = [
        ("nothing else", true, |_| ()),
        ("a pod without a key", true, |host| host.quadlet("web.pod", "[Pod]\n")),
        ("an empty pod", true, |host| host.quadlet("web.pod", "")),
        ("data", true, |host| host.quadlet("data/file.bin", [0xff; 1000])),
        ("a unit that is masked", true, |host| {
            fs::create_dir(host.path("above")).unwrap();
            symlink("/dev/null", host.path("above/app.service")).unwrap();
        }),
        ("a unit of the user's own", false, |host| host.write("above/app.service", "[Unit]\nAfter=x\n")),
        ("a hidden name", false, |host| host.quadlet(".hidden.container", APP)),
        ("a name that is a prefix", false, |host| host.quadlet("app-.container", APP)),
        ("more than 1 MiB", false, |host| host.quadlet("big.pod", vec![b'\n'; (1 << 20) + 1])),
        ("a large drop-in", false, |host| host.quadlet("app.container.d/x.conf", vec![b'\n'; (1 << 20) + 1])),
        ("no UTF-8", false, |host| host.quadlet("latin.container", [APP.as_bytes(), b"#\xfc\n"].concat())),
        ("a link to nothing", false, |host| {
            symlink("nowhere", host.path("home/.config/containers/systemd/x.container")).unwrap();
        }),
        ("a folder", false, |host| host.quadlet("x.container/y.txt", "")),
        ("a unit of another kind that waits for Podman's", false, |host| {
            host.write("above/compose.service", format!("[Unit]\nAfter=network.target {WAIT_UNIT}\n"));
        }),
        ("a drop-in that waits for it", false, |host| {
            host.write("above/compose.service.d/wait.conf", format!("[Unit]\r\n  After={WAIT_UNIT}\r\n"));
        }),
        ("a timer among the packaged units", false, |host| {
            host.write("units/update.timer", format!("[Unit]\nWants=x \\\n {WAIT_UNIT}\n"));
        }),
        ("a comment", true, |host| host.write("above/x.service", format!("# {WAIT_UNIT}\n;{WAIT_UNIT}\n"))),
        ("the wait unit's own drop-ins", true, |host| {
            host.write(&format!("above/{WAIT_UNIT}.d/40-own.conf"), format!("[Unit]\nBefore={WAIT_UNIT}\n"));
        }),
        ("a FIFO among the units", true, |host| {
            host.write("above/x.service", "");
            nix::unistd::mkfifo(&host.path("above/y.service"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
        ("a link to all", false, |host| {
            symlink("/", host.path("home/.config/containers/systemd/all")).unwrap();
        }),
    ];
    for (what, emptied, change) in changes {
        let host = Host::new();
        host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\n");
        host.quadlet("app.container", APP);
        host.quadlet("lan.container", format!("{APP}[X-Netready]\nGate=lan\n"));
        change(&host);
        let said = stderr(&host.generate("user"));
        let written = host.written();
        assert_eq!(
            written.contains_key(&format!("{WAIT_UNIT}.d/50-netready.conf")),
            emptied,
            "{what}: {said}"
        );
        assert_eq!(said.contains(&format!("so {WAIT_UNIT} is left as it is")), !emptied, "{what}: {said}");
        assert!(written.contains_key("lan.service.d/50-netready.conf"), "{what}");
        // Its pods have an order of their own then.
        let pod = written.contains_key("web-pod.service.d/50-netready.conf");
        assert_eq!(pod, what.contains("pod"), "{what}");
    }
}

/// No name and no value of a quadlet can add a line to a unit, or a file outside of the generator's folders.
#[test]
fn nothing_of_others_reaches_a_unit_as_it_stands() {
    let evil = "a\nExecStart=/bin/evil";
    let host = Host::new();
    for (index, value) in
        [evil, "a\u{1b}[2J", "a\u{202e}b", "../../x", "%n", "a\"b", "a\u{2028}b"].iter().enumerate()
    {
        host.quadlet(
            &format!("name{index}.container"),
            format!("[Container]\nImage=i\nServiceName={value}\n"),
        );
        host.quadlet(&format!("gate{index}.container"), format!("{APP}[X-Netready]\nGate={value}\n"));
        let image = format!("[Container]\nImage={value}\nGlobalArgs='{value}'\n[X-Netready]\nPullRetry=2\n");
        host.quadlet(&format!("image{index}.container"), image);
        if !value.contains('/') {
            host.quadlet(&format!("{value}{index}/{value}{index}.container"), APP);
        }
    }
    let said = stderr(&host.generate("user"));
    assert!(said.lines().all(|line| line.starts_with("<4>netready-generator[")), "{said}");
    let written = host.written();
    assert!(written.len() >= 15, "{written:?}");
    let is_raw = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202e}' | '\u{2028}'));
    assert!(!said.contains(is_raw), "{said}");
    for (name, text) in &written {
        assert!(!text.contains(is_raw) && !text.contains("\nExecStart="), "{name}: {text}");
        let (unit, rest) = name.split_once(".service.d/").unwrap();
        assert!(unit.chars().all(|c| c.is_ascii_alphanumeric()) && rest == "50-netready.conf", "{name}");
    }
}

#[test]
fn a_masked_wait_unit_is_none() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\n");
    fs::create_dir(host.path("above")).unwrap();
    symlink("/dev/null", host.path(&format!("above/{WAIT_UNIT}"))).unwrap();
    host.generate("user");
    assert_eq!(host.names(), ["app.service.d/50-netready.conf"]);
}

#[test]
fn a_replaced_drop_in_is_respected() {
    let host = Host::new();
    host.quadlet("lan.container", format!("{APP}[X-Netready]\nGate=lan\n"));
    host.quadlet("app.container", APP);
    host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\n");
    host.write(&format!("above/{WAIT_UNIT}.d/50-netready.conf"), "");
    host.generate("user");
    assert_eq!(host.names(), ["lan.service.d/50-netready.conf"]);
}

#[test]
fn a_unit_above_the_generated_one_is_not_podmans() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    host.quadlet("db.container", APP);
    host.write("above/app.service", "[Service]\nExecStart=/bin/true\n");
    host.generate("user");
    assert_eq!(host.names(), ["db.service.d/50-netready.conf"]);
}

#[test]
fn the_first_directory_and_its_drop_ins_win() {
    let host = Host::new();
    host.write("run/containers/systemd/app.container", APP);
    host.write("run/containers/systemd/container.d/gate.conf", "[X-Netready]\nGate=wide\n");
    host.quadlet("app.container", format!("{APP}[X-Netready]\nGate=below\n"));
    host.quadlet("app.container.d/gate.conf", "[X-Netready]\nGate=narrow\n");
    host.generate("user");
    let text = &host.written()["app.service.d/50-netready.conf"];
    assert!(text.contains("After=netready@narrow.service\n"), "{text}");
}

#[test]
fn other_directories_are_read_on_request() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    let own = format!("{APP}[X-Netready]\nGate=lan\n");
    host.write("other/x.container", &own);
    host.write("other/loop/y.container", &own);
    symlink(host.path("other"), host.path("other/loop/again")).unwrap();
    let output = host
        .command("system")
        .env("QUADLET_UNIT_DIRS", host.path("other"))
        .arg(host.path("normal"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(host.names(), ["x.service.d/50-netready.conf", "y.service.d/50-netready.conf"]);
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let host = Host::new();
    host.quadlet("app.container", format!("{APP}[X-Netready]\nPullRetry=lots\nGate=lan\n"));
    let output = host.generate("user");
    let said = stderr(&output);
    assert!(said.starts_with("<4>netready-generator["), "{said}");
    assert!(said.contains("/app.container:4: PullRetry: takes a number"), "{said}");
    let text = &host.written()["app.service.d/50-netready.conf"];
    assert!(text.contains("After=netready@lan.service\n") && !text.contains("pull"), "{text}");
}

#[test]
fn it_does_not_flood_the_log() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    for index in 0..150 {
        host.quadlet(&format!("data/{index}.pod"), "=head1 NAME\n");
    }
    let said = stderr(&host.generate("user"));
    assert_eq!(said.lines().count(), 100, "{said}");
    assert!(said.lines().last().unwrap().ends_with("--dry-run prints all of them"), "{said}");
    assert_eq!(host.names(), ["app.service.d/50-netready.conf"]);
    let all = host.command("user").arg("--dry-run").output().unwrap();
    assert_eq!(stderr(&all).lines().count(), 150);
}

#[test]
fn it_prints_what_it_would_write() {
    let host = Host::new();
    host.quadlet("app.container", format!("{APP}[X-Netready]\nGate=lan\n"));
    let output = host.command("system").args(["--dry-run", "--user"]).output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("# app.service.d/50-netready.conf\n# Made by netready-generator from "),
        "{said}"
    );
    assert!(host.names().is_empty());

    let output = host.command("system").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = host.command("system").arg("--help").output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"Writes drop-ins"));
}

/// A pipe that nobody writes to, a directory, a loop and a file that is too large are no quadlets.
#[test]
fn nothing_holds_it_up() {
    let host = Host::new();
    let own = host.path("home/.config/containers/systemd");
    fs::create_dir_all(own.join("folder.container")).unwrap();
    nix::unistd::mkfifo(&own.join("pipe.container"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    symlink("loop.container", own.join("loop.container")).unwrap();
    symlink("/dev/zero", own.join("zero.container")).unwrap();
    symlink("/dev/null", own.join("masked.container")).unwrap();
    host.quadlet("large.container", vec![b'#'; 3 << 20]);
    host.quadlet("binary.container", [0xff, 0xfe, 0x00, b'\n', b'[', 0xff]);
    host.quadlet("app.container", APP);
    host.generate("user");
    assert_eq!(host.names(), ["app.service.d/50-netready.conf"]);
}

/// With musl, of which the released programs are made, the standard library leaves `O_PATH` out of `custom_flags` and opens
/// the file: a FIFO then blocks for ever. The tests run with glibc and cannot see it.
#[test]
fn no_file_is_opened_by_a_flag_that_musl_loses() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                seen += 1;
                let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
                let wrong: Vec<&str> = code.filter(|code| code.contains("libc::O_PATH")).collect();
                // Whether a descriptor was opened so may be asked.
                let wrong: Vec<&str> =
                    wrong.into_iter().filter(|code| !code.contains(" & libc::O_PATH")).collect();
                assert_eq!(wrong, [""; 0], "{}: use nix's OFlag::O_PATH", path.display());
            }
        }
    }
    assert!(seen > 100, "only {seen} files were read");
}

/// Data of containers beside quadlets: many folders, links to everywhere.
#[test]
fn a_quadlet_beside_much_data_is_found() {
    let host = Host::new();
    host.quadlet("app/app.container", APP);
    for index in 0..300 {
        let folder = format!("home/.config/containers/systemd/app/data/{}/{index}", index % 20);
        fs::create_dir_all(host.path(&folder)).unwrap();
    }
    let own = host.path("home/.config/containers/systemd");
    symlink(own.join("app"), own.join("app/data/again")).unwrap();
    assert_eq!(stderr(&host.generate("user")), "");
    assert_eq!(host.names(), ["app.service.d/50-netready.conf"]);

    symlink("/", own.join("all")).unwrap();
    symlink("/", own.join("app/data/everything")).unwrap();
    let said = stderr(&host.generate("user"));
    assert!(said.contains("/systemd/all: leads to /, which contains this folder itself"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(host.names(), ["app.service.d/50-netready.conf"]);
}

#[test]
fn it_writes_only_where_it_may_and_over_nothing_of_others() {
    let host = Host::new();
    for name in ["app", "db", "web"] {
        host.quadlet(&format!("{name}.container"), APP);
    }
    host.quadlet("out.container", "[Container]\nImage=i\nServiceName=../../home/out\n");
    host.write("normal/app.service.d/50-netready.conf", "# somebody's own\n");
    host.write("home/db.service.d/kept", "");
    symlink(host.path("home/db.service.d"), host.path("normal/db.service.d")).unwrap();
    let said = stderr(&host.generate("user"));
    for unit in ["app.service.d/50-netready.conf: exists already", "db.service.d/50-netready.conf: "] {
        assert!(said.contains(unit), "{unit}: {said}");
    }
    assert!(said.contains("out.container: "), "{said}");
    let app = fs::read_to_string(host.path("normal/app.service.d/50-netready.conf")).unwrap();
    assert_eq!(app, "# somebody's own\n");
    assert!(host.path("normal/web.service.d/50-netready.conf").is_file());
    let home: Vec<String> = fs::read_dir(host.path("home"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".config")
        .collect();
    assert_eq!(home, ["db.service.d"]);
    assert_eq!(fs::read_dir(host.path("home/db.service.d")).unwrap().count(), 1);
}

#[test]
fn it_ends_well_where_it_cannot_write() {
    let host = Host::new();
    host.quadlet("app.container", APP);
    host.quadlet("db.container", APP);
    host.write("normal/app.service.d", "a file where the folder belongs");
    let output = host.generate("user");
    assert!(stderr(&output).contains("app.service.d"), "{output:?}");
    assert!(host.path("normal/db.service.d/50-netready.conf").exists());

    let nowhere = host.command("user").arg("/proc/nowhere").output().unwrap();
    assert_eq!(nowhere.status.code(), Some(0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn broken_files_cost_no_other(files in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..4)) {
        let host = Host::new();
        for (index, bytes) in files.iter().enumerate() {
            host.quadlet(&format!("broken{index}.container"), bytes);
            host.quadlet(&format!("broken{index}.container.d/x.conf"), bytes);
            let text = [b"[Container]\nImage=i\n[X-Netready]\n".as_slice(), bytes].concat();
            host.quadlet(&format!("section{index}.container"), text);
        }
        host.quadlet("app.container", APP);
        host.generate("user");
        let written = host.written();
        prop_assert!(written.contains_key("app.service.d/50-netready.conf"));
        prop_assert!(written.keys().all(|name| name.starts_with("app.") || name.starts_with("netready-restart-") || name.starts_with("broken") || name.starts_with("section")));
    }
}

/// As a user's manager would see it: the unit that Podman generates, with our drop-in.
#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_understands_the_drop_ins() {
    let host = Host::new();
    host.quadlet(
        "app.container",
        "[Container]\nImage=r.example/app:%i ${TAG}\nGlobalArgs=--root '/a \"b\" \\\\ 100%%'\n\
         [X-Netready]\nGate=lan\nGateRequired=yes\nPullRetry=8\nPullRetryMaxDelay=90s 500ms\n",
    );
    host.quadlet(
        "job.container",
        "[Container]\nImage=r.example/\u{202e}\u{1b}\u{e0041}:1\n[Service]\nType=oneshot\n\
         [X-Netready]\nGate=lan\nGateRequired=yes\nPullRetry=8\n",
    );
    host.quadlet("late.container", "[Container]\nImage=i\n[X-Netready]\nGate=lan\nRestartWhenReady=yes\n");
    host.quadlet("t@.container", "[Container]\nImage=i:%i\n[X-Netready]\nGate=lan\nPullRetry=8\n");
    host.quadlet("t@.volume", "[Volume]\n");
    host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\nExecStart=/bin/false\n");
    host.generate("user");
    let unit = "[Service]\nType=notify\nExecStart=/bin/true\n";
    for (name, text) in [
        ("app.service", unit),
        ("job.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
        ("late.service", unit),
        ("t@-volume.service", unit),
        ("netready@.service", unit),
        ("basic.target", "[Unit]\n"),
        ("shutdown.target", "[Unit]\n"),
    ] {
        host.write(&format!("units/{name}"), text);
    }
    // The program is not installed here.
    let dropin = host.path("normal/app.service.d/50-netready.conf");
    let text = fs::read_to_string(&dropin).unwrap();
    for path in host.names().iter().map(|name| host.path("normal").join(name)) {
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("/usr/bin/netready", env!("CARGO_BIN_EXE_netready"))).unwrap();
    }
    let verify = |unit: &str| {
        let unit_path = format!("{}:{}", host.path("normal").display(), host.path("units").display());
        let output = Command::new("systemd-analyze")
            .args(["--user", "verify"])
            .arg(host.path("units").join(unit))
            .env("SYSTEMD_UNIT_PATH", unit_path)
            .env("XDG_RUNTIME_DIR", host.path("run"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
    };
    for unit in ["app.service", "job.service", "late.service", WAIT_UNIT] {
        assert_eq!(verify(unit), "", "{unit}\n{text}");
    }
    let verify_helper = |unit: &str| {
        fs::rename(host.path("normal").join(unit), host.path("units").join(unit)).unwrap();
        verify(unit)
    };
    for unit in ["netready-restart-lan.target", "netready-restart-late.service"] {
        assert_eq!(verify_helper(unit), "", "{unit}");
    }
    // That it would have said so.
    fs::write(&dropin, format!("{text}NoSuchSetting=yes\n")).unwrap();
    assert!(verify("app.service").contains("NoSuchSetting"));
    // systemd takes `t@-volume.service` for an instance of `t@.service`, and its drop-in with it.
    let of_template = host.path("normal/t@.service.d/50-netready.conf");
    fs::write(&of_template, "[Service]\nNoSuchSetting=yes\n").unwrap();
    assert_eq!(verify("t@-volume.service"), "");
    fs::remove_dir_all(host.path("normal/t@-volume.service.d")).unwrap();
    assert!(verify("t@-volume.service").contains("NoSuchSetting"));
}

#[test]
fn a_hundred_quadlets() {
    let host = Host::new();
    for index in 0..100 {
        host.quadlet(&format!("app{index}.container"), format!("{APP}[X-Netready]\nGate=lan\nPullRetry=8\n"));
    }
    host.generate("user");
    assert_eq!(host.names().len(), 100);
}

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The quadlets in the documents, and what the page says comes of the first one.
#[test]
fn the_examples_in_the_documents_are_right() {
    let page = read("docs/quadlets.md");
    let blocks = |language: &str| -> Vec<String> {
        let start = format!("```{language}\n");
        page.split(start.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    };
    let manual = read("man/netready-quadlet.7");
    let shown = manual.split(".Bd -literal -offset indent\n").skip(1);
    let mut examples = blocks("ini");
    // A network that they name needs no gate.
    examples.extend(shown.map(|rest| rest.split(".Ed").next().unwrap().to_owned()));
    examples.retain(|text| text.contains("[X-Netready]"));
    assert!(examples.len() >= 5);
    for (index, text) in examples.iter().enumerate() {
        let host = Host::new();
        let name = if text.contains("[Container]") { "app.container" } else { "container.d/x.conf" };
        host.quadlet("app.container", APP);
        host.quadlet(name, text);
        let output = host.generate("user");
        assert_eq!(stderr(&output), "", "{text}");
        let written = &host.written()["app.service.d/50-netready.conf"];
        let gate = text.lines().find_map(|line| line.strip_prefix("Gate=")).unwrap_or_default();
        let meant = match text {
            text if text.contains("PullRetry=") => " pull ".to_owned(),
            text if text.contains("RestartWhenReady=") => "PartOf=netready-restart-app.service".to_owned(),
            _ => format!("After=netready@{gate}.service"),
        };
        assert!(written.contains(&meant), "{text}\n{written}");
        if index == 0 {
            let shown = blocks("console").concat();
            let body = written.split_once('\n').unwrap().1;
            assert!(shown.contains(body), "docs/quadlets.md does not show this:\n{body}");
        }
    }
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let host = Host::new();
    host.quadlet("app.container", format!("{APP}[X-Netready]\nqqqqqqqqqqqq=1\n"));
    let said = stderr(&host.generate("user"));
    let keys = said.split("the keys of [X-Netready] are ").nth(1).unwrap().trim();
    let manual = read("man/netready-quadlet.7");
    let documented: Vec<&str> = manual.lines().filter_map(|line| line.strip_prefix(".It Cm ")).collect();
    assert_eq!(documented.join(", "), keys);
}

/// What is written is what the program takes; `pull` is not asked.
#[test]
fn the_program_takes_the_wait() {
    let options = ["--timeout", "infinity", "--no-carrier-timeout", "infinity"];
    let output = Command::new(env!("CARGO_BIN_EXE_netready"))
        .args(["cat", "podman"])
        .args(options)
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The quadlets of the pages in docs/: Podman's own settings pass, and those of `[X-Netready]` are understood.
#[test]
fn the_quadlets_of_the_pages_are_understood() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut tried = 0;
    for page in glob::glob(docs.join("**/*.md").to_str().unwrap()).unwrap() {
        let page = page.unwrap();
        let text = fs::read_to_string(&page).unwrap();
        let host = Host::new();
        host.quadlet("plain.container", APP);
        for block in text.split("\n```ini\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let path = block.strip_prefix("# ~/").and_then(|rest| rest.split_once('\n'));
            match path {
                Some((path, body)) if path.starts_with(".config/containers/systemd/") => {
                    host.write(&format!("home/{path}"), body);
                }
                // What a reader would add to a quadlet of theirs.
                _ if block.starts_with("[X-Netready]\n") => {
                    host.quadlet("plain.container", [APP, block].concat())
                }
                _ => continue,
            }
            let output = host.generate("user");
            assert_eq!(stderr(&output), "", "{}:\n{block}", page.display());
            tried += 1;
        }
    }
    assert!(tried >= 8, "the pages show only {tried} quadlets");
}

#[test]
fn the_page_about_registries_shows_what_is_written() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/how-to/flaky-registry.md");
    let page = fs::read_to_string(page).unwrap();
    let block = |start: &str| page.split(start).nth(1).unwrap().split("```").next().unwrap();
    let host = Host::new();
    host.write(&format!("units/{WAIT_UNIT}"), "[Service]\nType=oneshot\n");
    host.quadlet("web.container", block("```ini\n# ~/.config/containers/systemd/web.container\n"));
    host.generate("user");
    let written = host.written()["web.service.d/50-netready.conf"].clone();
    let written = written.replace(host.path("home").to_str().unwrap(), "/home/me");
    let shown = block("netready-generator --dry-run --user\n# web.service.d/50-netready.conf\n");
    assert_eq!(written.trim_end(), shown.trim_end());
}
