//! `doctor`: what it finds, what it does not find, and that it changes nothing.
//!
//! With `MANAGERPID` it examines a user's side, as in a service of that user's manager.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Builder, Exit, Netns, Said, UP0, UserManager, write_program};
use crate::netns;

const ONLINE: &str = "addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0";
const APP: &str = "[Container]\nImage=localhost/app:1\n";

/// Writes a file in the scratch folder. Quadlets are in `q/`, programs in `bin/`.
fn write(ns: &Netns, path: &str, text: &str) {
    let path = ns.scratch().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_program(&path, text);
}

fn gate(name: &str, text: &str) {
    fs::create_dir_all("/etc/netready").unwrap();
    fs::write(format!("/etc/netready/{name}.toml"), text).unwrap();
}

/// Runs `doctor` for the user's side, with only the quadlets and programs of the test.
fn of_user(ns: &Netns, arguments: &[&str]) -> Said {
    of_user_command(ns, &UserManager::new(ns), arguments).output()
}

fn of_user_command(ns: &Netns, manager: &UserManager, arguments: &[&str]) -> Builder {
    let path = |name: &str| ns.scratch().join(name).display().to_string();
    ns.command(&[&["doctor"], arguments].concat())
        .env("MANAGERPID", &manager.pid())
        .env("QUADLET_UNIT_DIRS", &path("q"))
        .env("PATH", &path("bin"))
}

fn of_system(ns: &Netns, arguments: &[&str]) -> Said {
    let path = ns.scratch().join("bin").display().to_string();
    ns.command(&[&["doctor"], arguments].concat()).env("PATH", &path).output()
}

#[track_caller]
fn codes(said: &Said) -> Vec<String> {
    let report: Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs a network namespace"]
fn a_host_that_is_well() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    gate("storage", "[[require]]\ninterface = \"va0\"\n");
    write(&ns, "q/app.container", APP);
    for said in [of_system(&ns, &[]), of_user(&ns, &[])] {
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.stdout.contains("Nothing found"), "{said:?}");
    }
    assert!(codes(&of_user(&ns, &["--json"])).is_empty());
    assert_eq!(of_system(&ns, &["-q"]).stdout, "");
}

#[test]
#[ignore = "needs a network namespace"]
fn gates_that_are_wrong() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    ns.sysctl("net.ipv6.conf.va0.disable_ipv6", "1");
    gate("broken", "timeout = 5\nrequire = 7\n");
    gate("six", "[[require]]\ninterface = \"va0\"\naddress = \"ipv6\"\n");
    gate("later", "[[require]]\ninterface = \"usb0\"\n");
    fs::create_dir_all("/etc/netready/typo.toml.d").unwrap();
    fs::write("/etc/netready/typo.toml.d/a.toml", "settle = \"1s\"\n").unwrap();
    std::os::unix::fs::symlink("/dev/null", "/etc/netready/masked.toml").unwrap();
    let said = of_system(&ns, &["-j"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(codes(&said), ["gate-invalid", "gate-impossible", "gate-missing"], "{said:?}");
    let text = of_system(&ns, &[]).stdout;
    for part in [
        "gate-invalid  gate broken: /etc/netready/broken.toml:2: ",
        "\n  do    netready cat broken",
        "address ipv6 is wanted on va0, where IPv6 is switched off",
        "drop-ins in typo.toml.d/, but there is none",
        "note: gate later: usb0: not there now",
        "3 findings: the system's side of this host",
    ] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    assert_eq!(of_system(&ns, &["--quiet"]).stdout.lines().count(), 3);
    // A mask is intended, unless something waits for the gate.
    write(&ns, "q/app.container", &format!("{APP}[X-Netready]\nGate=masked\n"));
    assert!(codes(&of_user(&ns, &["-j"])).contains(&"gate-missing".to_owned()));
}

/// docker0 has an address before the uplink has one. pasta would copy docker0 for the container's whole life.
#[test]
#[ignore = "needs a network namespace"]
fn what_pasta_would_take_now() {
    let ns = netns!().with_private_etc();
    ns.ip("link add docker0 type bridge; addr add 172.17.0.1/16 dev docker0; link set docker0 up");
    assert!(codes(&of_user(&ns, &["-j"])).is_empty(), "nobody has a quadlet");
    write(&ns, "q/app.container", APP);
    let said = of_user(&ns, &["-j"]);
    assert_eq!(codes(&said), ["pasta-unfit"], "{said:?}");
    assert!(said.stdout.contains("pasta would take docker0"), "{said:?}");
    assert!(codes(&of_system(&ns, &["-j"])).is_empty(), "no container of root's has pasta");
    ns.ip(&format!("{UP0}; {ONLINE}"));
    assert!(codes(&of_user(&ns, &["-j"])).is_empty());
}

#[test]
#[ignore = "needs a network namespace"]
fn addresses_of_quadlets_and_what_podman_does_not_say() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    let container = |network: &str, ip: &str| format!("{APP}Network={network}\nIP={ip}\n");
    write(&ns, "q/a.container", &container("known", "10.89.0.2"));
    write(&ns, "q/b.container", &container("known", "10.90.0.2"));
    write(&ns, "q/c.container", &container("unknown", "10.89.0.2"));
    write(
        &ns,
        "bin/podman",
        "#!/bin/sh\ncase $3 in\nknown) echo '[{\"subnets\":[{\"subnet\":\"10.89.0.0/24\"}]}]' ;;\n\
         *) echo \"Error: unable to find network $3\" >&2; exit 125 ;;\nesac\n",
    );
    let said = of_user(&ns, &["-j"]);
    assert_eq!(codes(&said), ["address-outside"], "{said:?}");
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["findings"][0]["subject"], "b.container");
    let unseen = report["not_looked_at"].to_string();
    assert!(unseen.contains("unable to find network unknown (exit code 125)"), "{unseen}");
}

#[test]
#[ignore = "needs a network namespace"]
fn orders_that_systemd_drops() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    fs::create_dir_all("/etc/systemd/system").unwrap();
    fs::write("/etc/systemd/system/network-online.target", "[Unit]\n").unwrap();
    const AFTER: &str = "[Unit]\nAfter=network-online.target\n";
    write(&ns, "q/app.container", APP);
    // Podman orders the unit after the gate, and the drop-in does not change this.
    write(&ns, "home/.config/systemd/user/app.service.d/after.conf", AFTER);
    let said = of_user(&ns, &["-j"]);
    assert!(
        codes(&said).is_empty()
            && said.stdout.contains("app.service: After=network-online.target has no effect"),
        "{said:?}"
    );
    write(&ns, "home/.config/systemd/user/own.service", AFTER);
    let said = of_user(&ns, &["-j"]);
    assert_eq!(codes(&said), ["ordering-dropped"], "{said:?}");
    write(&ns, "home/.config/systemd/user/own.service.d/gate.conf", "[Unit]\nAfter=netready.service\n");
    assert!(codes(&of_user(&ns, &["-j"])).is_empty());
}

#[test]
#[ignore = "needs a network namespace"]
fn it_changes_nothing() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    gate("broken", "timeout = 5\n");
    write(&ns, "q/app.container", APP);
    let before = [files(Path::new("/etc")), files(Path::new("/run"))];
    assert_eq!(of_system(&ns, &[]).code, 1);
    assert_eq!(of_user(&ns, &[]).code, 1);
    assert_eq!([files(Path::new("/etc")), files(Path::new("/run"))], before);
}

fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((entry.path().display().to_string(), entry.metadata().unwrap().len())),
        }
    }
    found.sort();
    found
}

#[test]
#[ignore = "needs a network namespace"]
fn exit_codes_of_errors() {
    let ns = netns!().with_private_etc();
    assert_eq!(of_system(&ns, &["--yes"]).code, 2);
    assert_eq!(of_system(&ns, &["default"]).code, 2);
    let said = ns.command(&["doctor", "--json"]).without_netlink().output();
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stdout.starts_with("{\"error\":"), "{said:?}");
}

/// A Podman that hangs and has a child process. It writes the numbers of both processes to a file.
const HANGS: &str = "#!/bin/sh\n/usr/bin/sleep 1000 &\necho $$ $! >SCRATCH/pids.new\n\
    /usr/bin/mv SCRATCH/pids.new SCRATCH/pids\nwait\n";

fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim();
    !(state.is_empty() || state.starts_with(['Z', 'X']))
}

/// A signal that ends `doctor` also ends the program that it has asked, which is in a process group of its own.
#[test]
#[ignore = "needs a network namespace"]
fn a_signal_leaves_nothing_behind() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    write(&ns, "q/a.container", &format!("{APP}Network=known\nIP=10.89.0.2\n"));
    write(&ns, "bin/podman", &HANGS.replace("SCRATCH", &ns.scratch().display().to_string()));
    let manager = UserManager::new(&ns);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let process = of_user_command(&ns, &manager, &[]).without_notify_socket().spawn();
        let pids = ns.scratch().join("pids");
        ns.until("podman is asked", || pids.exists());
        let asked = fs::read_to_string(&pids).unwrap();
        fs::remove_file(&pids).unwrap();
        process.signal(signal);
        assert_eq!(process.expect_exit(), Exit::Signal(signal as i32));
        ns.until(&format!("{signal}: nothing of {asked} runs"), || !asked.split_whitespace().any(runs));
    }
}

/// A process that is killed cannot end other processes. The guard of the program ends what `doctor` has asked.
#[test]
#[ignore = "needs a network namespace"]
fn doctor_is_killed() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    write(&ns, "q/a.container", &format!("{APP}Network=known\nIP=10.89.0.2\n"));
    write(&ns, "bin/podman", &HANGS.replace("SCRATCH", &ns.scratch().display().to_string()));
    let manager = UserManager::new(&ns);
    let process = of_user_command(&ns, &manager, &[]).without_notify_socket().spawn();
    let pids = ns.scratch().join("pids");
    ns.until("podman is asked", || pids.exists());
    let asked = fs::read_to_string(&pids).unwrap();
    process.signal(Signal::SIGKILL);
    assert_eq!(process.expect_exit(), Exit::Signal(9));
    assert_eq!(asked.split_whitespace().count(), 2, "podman and its child: {asked}");
    ns.until("podman and its child are gone", || !asked.split_whitespace().any(runs));
}

/// `doctor` opens and reads nothing that could block.
#[test]
#[ignore = "needs a network namespace"]
fn fifos_and_devices_are_not_waited_for() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    write(&ns, "q/app.container", APP);
    write(&ns, "home/.config/systemd/user/own.service", "[Unit]\nDescription=x\n");
    write(
        &ns,
        "home/.config/systemd/user/podman-user-wait-network-online.service",
        "[Service]\nType=oneshot\n",
    );
    fs::create_dir_all("/etc/netready").unwrap();
    let fifo = |path: &Path| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    fifo(Path::new("/etc/netready/fifo.toml"));
    for path in [
        "home/.config/systemd/user/fifo.service",
        "home/.config/systemd/user/own.service.d/fifo.conf",
        "home/.config/systemd/user/podman-user-wait-network-online.service.d/fifo.conf",
    ] {
        fifo(&ns.scratch().join(path));
    }
    let said = of_user(&ns, &["-j"]);
    assert_eq!(codes(&said), ["gate-invalid"], "{said:?}");
    // Podman's generator would block on these.
    fifo(&ns.scratch().join("q/fifo.container"));
    fifo(&ns.scratch().join("q/app.container.d/fifo.conf"));
    std::os::unix::fs::symlink("/dev/zero", ns.scratch().join("q/zero.volume")).unwrap();
    let said = of_user(&ns, &["-j"]);
    let refused = ["quadlet-refused"; 3];
    assert_eq!(codes(&said), [&["gate-invalid"][..], &refused[..]].concat(), "{said:?}");
    assert!(said.stdout.contains("its generator would wait for "), "{said:?}");
}

/// Texts of others do not reach the terminal unescaped.
#[test]
#[ignore = "needs a network namespace"]
fn texts_of_others_are_printed_safely() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    gate("broken", "timeout = \"\\u001b[2J\\u202e\"\n");
    write(
        &ns,
        "q/a.container",
        &format!("{APP}Network=n\u{1b}[2J\nIP=10.89.0.2\n[X-Netready]\nGat\u{7f}=x\n"),
    );
    write(&ns, "bin/podman", "#!/bin/sh\nprintf 'Error: \\033[31m\\302\\233x\\n' >&2; exit 125\n");
    let said = of_user(&ns, &[]);
    let shown = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    assert!(!shown(&said.stdout) && !shown(&said.stderr), "{said:?}");
    assert!(said.stdout.contains(r"Error: \x1b[31m\u{009b}x (exit code 125)"), "{said:?}");
}

/// Makes these users linger, in the files of logind. The files are in a mount namespace of the test.
fn linger(users: &[&str]) {
    use nix::mount::{MsFlags, mount};
    let state = "/var/lib/systemd";
    mount(Some("tmpfs"), state, Some("tmpfs"), MsFlags::empty(), Some("mode=0755")).unwrap();
    fs::create_dir(format!("{state}/linger")).unwrap();
    for user in users {
        fs::write(format!("{state}/linger/{user}"), "").unwrap();
    }
}

/// The process that examines a user has only the rights of that user.
#[test]
#[ignore = "needs a network namespace"]
fn root_looks_at_each_user_who_lingers() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    linger(&["gone\u{1b}", "nobody", "root"]);
    gate("secret", "[[require]]\ninterface = \"va0\"\n");
    fs::set_permissions("/etc/netready/secret.toml", fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir_all("/etc/containers/systemd/users").unwrap();
    fs::write("/etc/containers/systemd/users/a.container", format!("{APP}[X-Netready]\nGate=typo\n"))
        .unwrap();
    let said = of_system(&ns, &["--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(codes(&said).is_empty(), "the system's side is well: {said:?}");
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    crate::schema::assert_valid("doctor", &report);
    let [user] = &report["users"].as_array().unwrap()[..] else { panic!("{said:?}") };
    assert_eq!(user["user"], "nobody");
    let found = user["findings"].as_array().unwrap();
    let has = |code: &str, text: &str| {
        found
            .iter()
            .any(|finding| finding["code"] == code && finding["what"].as_str().unwrap().contains(text))
    };
    assert!(has("gate-missing", "Gate=typo"), "{found:#?}");
    assert!(has("gate-invalid", "denied"), "it has root's rights: {found:#?}");
    let unseen: Vec<&str> =
        report["not_looked_at"].as_array().unwrap().iter().map(|of| of["what"].as_str().unwrap()).collect();
    assert!(unseen.contains(&r"user gone\x1b") && unseen.contains(&"user root"), "{unseen:?}");
    assert!(!said.stdout.contains("other users' sides"), "{said:?}");
    let text = of_system(&ns, &[]).stdout;
    assert!(text.contains("gate-missing  user nobody: gate typo: wanted by"), "{text}");
    assert!(text.ends_with("findings: the system's side of this host, user nobody"), "{text}");
    let system = of_system(&ns, &["--side", "system"]);
    assert_eq!(system.code, 0, "{system:?}");
    assert!(system.stdout.ends_with("the system's side of this host"), "{system:?}");
    let users = of_system(&ns, &["--side=users"]);
    assert_eq!(users.code, 1, "{users:?}");
    assert!(users.stdout.ends_with("findings: user nobody"), "{users:?}");
}

/// A user is told which part was not examined. The system's side is refused.
#[test]
#[ignore = "needs a network namespace"]
fn a_user_looks_at_one_side() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    let text = of_user(&ns, &[]).stdout;
    assert!(text.contains("not looked at: the system's side of this host, because only root can"), "{text}");
    assert!(text.contains("not looked at: other users' sides"), "{text}");
    assert!(text.ends_with("Nothing found in what was looked at: this user's side of this host"), "{text}");
    assert!(!of_user(&ns, &["--side", "users"]).stdout.contains("other users"));
    assert_eq!(of_user(&ns, &["--side", "system"]).code, 2);
}

/// If root's PATH has a user's program, as after su(1) without a dash, `doctor` does not run it.
#[test]
#[ignore = "needs a network namespace"]
fn root_runs_no_program_of_another_user() {
    let ns = netns!().with_private_etc();
    ns.ip(&format!("{UP0}; {ONLINE}"));
    write(&ns, "q/a.container", &format!("{APP}Network=known\nIP=10.89.0.2\n"));
    write(&ns, "bin/podman", &format!("#!/bin/sh\n: >{}/was-run\nexit 125\n", ns.scratch().display()));
    let was_run = || ns.scratch().join("was-run").exists();
    std::os::unix::fs::chown(ns.scratch().join("bin/podman"), Some(1234), None).unwrap();
    let said = of_user(&ns, &["-j"]);
    assert!(
        said.stdout.contains("podman is not run, because another user could replace it") && !was_run(),
        "{said:?}"
    );
    std::os::unix::fs::chown(ns.scratch().join("bin/podman"), Some(0), None).unwrap();
    of_user(&ns, &["-j"]);
    assert!(was_run(), "root's own is run");
}
