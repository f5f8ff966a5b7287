//! Where gates are found: folders, drop-ins, masks and built-in gates. Also `cat`, and the gate that `check` names
//! first.

use crate::harness::{Netns, UP0, UserManager};
use crate::netns;

const BASE: &str = "timeout = \"41s\"\n[[require]]\ninterface = \"va0\"\ncarrier = true\n";

fn write(path: &str, content: &str) {
    let path = std::path::Path::new(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn up() -> Netns {
    let ns = Netns::new().with_private_etc();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    ns
}

#[test]
#[ignore = "needs a network namespace"]
fn a_gate_by_its_name() {
    let ns = up();
    let missing = ns.output(&["check", "storage"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("storage") && missing.stderr.contains("/etc/netready"), "{missing:?}");
    write("/etc/netready/storage.toml", BASE);
    let check = ns.check(&["storage"]);
    check.assert_ready();
    assert_eq!(check.json["gate"], "storage", "{:#}", check.json);
    assert_eq!(check.json["source"], "/etc/netready/storage.toml", "{:#}", check.json);
    let text = ns.output(&["check", "storage"]);
    let first = text.stdout.lines().next().unwrap_or_default();
    assert!(first.contains("gate storage (/etc/netready/storage.toml)"), "{text:?}");
    assert!(text.stdout.lines().any(|l| l.trim_start().starts_with("met ") && l.contains("va0")), "{text:?}");
    ns.ip("link set vb0 down");
    let text = ns.output(&["check", "storage"]);
    assert!(text.stdout.starts_with("NOT ready: gate storage (/etc/netready/storage.toml)\n"), "{text:?}");
    assert!(
        text.stdout.lines().any(|l| l.trim_start().starts_with("unmet ") && l.contains("va0")),
        "{text:?}"
    );
}

#[test]
#[ignore = "needs a network namespace"]
fn the_first_directory_wins_and_drop_ins_of_all_are_read() {
    let ns = up();
    let config = ns.scratch().join("config");
    let config = config.to_str().unwrap();
    write("/etc/netready/web.toml", BASE);
    write("/run/netready/web.toml", "timeout = \"42s\"\n[[require]]\nroute = \"default-ipv6\"\n");
    assert_eq!(ns.check(&["web"]).json["source"], "/etc/netready/web.toml");
    std::fs::remove_file("/etc/netready/web.toml").unwrap();
    let check = ns.check(&["web"]);
    assert_eq!(check.json["source"], "/run/netready/web.toml");
    check.assert_unready("no-route", "IPv6");
    write("/etc/netready/web.toml", BASE);
    // Drop-ins add clauses and replace keys. They are sorted by name across all folders.
    write(
        "/run/netready/web.toml.d/20-late.toml",
        "timeout = \"22s\"\n[[require]]\naddress = \"198.51.100.22\"\n",
    );
    write(
        "/etc/netready/web.toml.d/10-early.toml",
        "timeout = \"11s\"\n[[require]]\naddress = \"198.51.100.11\"\n",
    );
    let check = ns.check(&["web"]);
    check.assert_unready("no-address", "198.51.100.11").assert_unready("no-address", "198.51.100.22");
    assert_eq!(check.json["requirements"][0]["interface"], "va0", "{:#}", check.json);
    let run = ns.run(&["web"]);
    assert!(run.expect_waiting().starts_with("Waiting (up to 22s)"), "{}", run.transcript());
    // If two folders have a drop-in with the same name, the first folder counts.
    write("/run/netready/web.toml.d/10-early.toml", "[[require]]\naddress = \"198.51.100.99\"\n");
    assert!(!ns.check(&["web"]).text().contains("198.51.100.99"));
    // A link to /dev/null masks a drop-in.
    std::os::unix::fs::symlink("/dev/null", "/etc/netready/web.toml.d/20-late.toml").unwrap();
    assert!(!ns.check(&["web"]).text().contains("198.51.100.22"));
    // Not every file in the folder is a drop-in.
    write("/etc/netready/web.toml.d/README", "not toml [");
    ns.check(&["web"]).assert_unready("no-address", "198.51.100.11");
    // XDG_CONFIG_HOME comes first. For uid 0 it counts only in a user manager.
    write(&format!("{config}/netready/web.toml"), "[[require]]\naddress = \"198.51.100.77\"\n");
    let manager = UserManager::new(&ns);
    let of_user = |pid: &str| {
        ns.command(&["check", "-j", "web"]).env("XDG_CONFIG_HOME", config).env("MANAGERPID", pid).output()
    };
    for pid in [manager.pid(), std::process::id().to_string()] {
        let said = of_user(&pid);
        let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(json["source"], format!("{config}/netready/web.toml"), "{json:#}");
        assert!(said.stdout.contains("198.51.100.77") && said.stdout.contains("198.51.100.11"), "{json:#}");
    }
    // The variable alone is not enough: it stays set after the manager has ended, and su(1) keeps it.
    let other = UserManager::of_nobody(&ns);
    for (pid, whose) in
        [(other.pid(), "another user's"), ("0".to_owned(), "nobody's"), (String::new(), "none")]
    {
        let json: serde_json::Value = serde_json::from_str(&of_user(&pid).stdout).unwrap();
        assert_eq!(json["source"], "/etc/netready/web.toml", "{whose}: {json:#}");
    }
    // `cat` prints each part with its path.
    let cat = ns.output(&["cat", "web"]);
    assert_eq!(cat.code, 0, "{cat:?}");
    for part in [
        "/etc/netready/web.toml",
        "/etc/netready/web.toml.d/10-early.toml",
        "198.51.100.11",
        "interface = \"va0\"",
    ] {
        assert!(cat.stdout.contains(part), "{part}: {}", cat.stdout);
    }
    assert!(!cat.stdout.contains("198.51.100.22"), "{}", cat.stdout);
    // An error in a drop-in names the drop-in.
    write("/etc/netready/web.toml.d/10-early.toml", "[[require]]\n\naddres = \"ipv4\"\n");
    let bad = ns.output(&["check", "web"]);
    assert_eq!(bad.code, 2, "{bad:?}");
    assert!(bad.stderr.contains("/etc/netready/web.toml.d/10-early.toml:3"), "{bad:?}");
    // The gate is masked.
    std::fs::remove_file("/etc/netready/web.toml").unwrap();
    std::os::unix::fs::symlink("/dev/null", "/etc/netready/web.toml").unwrap();
    let masked = ns.output(&["check", "web"]);
    assert_eq!(masked.code, 2, "{masked:?}");
    assert!(masked.stderr.contains("mask"), "{masked:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn the_built_in_default() {
    let ns = up();
    for arguments in [&[][..], &["check"], &["check", "default"]] {
        let said = ns.output(arguments);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stdout.contains("gate default") && said.stdout.contains("built"), "{said:?}");
    }
    ns.check(&[]).assert_unready("no-route", "default");
    let run = ns.run(&[]);
    assert!(
        run.expect_waiting().starts_with("Waiting (up to 90s): no default route"),
        "{}",
        run.transcript()
    );
    ns.ip("route add default via 192.0.2.254 dev va0");
    run.expect_ready();
    assert_eq!(ns.output(&[]).code, 0);
    let cat = ns.output(&["cat"]);
    assert!(
        cat.stdout.contains("no-carrier-timeout")
            && cat.stdout.contains("\"30s\"")
            && cat.stdout.contains("route"),
        "{cat:?}"
    );
    let cat = ns.output(&["cat", "podman"]);
    for part in ["pasta", "nameserver", "if-present", "\"5min\"", "settle"] {
        assert!(cat.stdout.contains(part), "{part}: {}", cat.stdout);
    }
    // The output of `cat` for a built-in gate is a valid gate file.
    let copy = ns.gate(&cat.stdout);
    assert!([0, 1].contains(&ns.check(&[&copy]).code));
    // A file with the same name replaces the built-in gate, and a drop-in adds to it.
    write("/etc/netready/default.toml.d/50-more.toml", "[[require]]\naddress = \"198.51.100.7\"\n");
    ns.check(&[]).assert_unready("no-address", "198.51.100.7");
    write("/etc/netready/default.toml", BASE);
    std::fs::remove_file("/etc/netready/default.toml.d/50-more.toml").unwrap();
    ns.check(&[]).assert_ready();
    assert_eq!(ns.check(&[]).json["source"], "/etc/netready/default.toml");
}

#[test]
#[ignore = "needs a network namespace"]
fn options_make_a_gate_or_add_to_one() {
    let ns = up();
    write("/etc/netready/storage.toml", BASE);
    ns.check(&["storage"]).assert_ready();
    ns.check(&["storage", "-a", "198.51.100.7"]).assert_unready("no-address", "198.51.100.7");
    let run = ns.run(&["storage", "-a", "198.51.100.7", "-t", "17s"]);
    assert!(run.expect_waiting().starts_with("Waiting (up to 17s)"), "{}", run.transcript());
    let run = ns.run(&["storage", "-a", "198.51.100.7"]);
    assert!(run.expect_waiting().starts_with("Waiting (up to 41s)"), "{}", run.transcript());
    // Without requirement options, a timeout changes only the timeout of the default gate.
    let run = ns.run(&["-t", "17s"]);
    assert!(
        run.expect_waiting().starts_with("Waiting (up to 17s): no default route"),
        "{}",
        run.transcript()
    );
    // Given options, `cat` prints the gate file that is equivalent to them.
    let cat = ns.output(&[
        "cat",
        "-i",
        "va0",
        "-a",
        "192.0.2.1",
        "-a",
        "198.51.100.7",
        "-r",
        "default-ipv4",
        "-t",
        "1min",
        "--any",
    ]);
    assert_eq!(cat.code, 0, "{cat:?}");
    let path = ns.gate(&cat.stdout);
    let (file, options) = (
        ns.check(&[&path]),
        ns.check(&[
            "-i",
            "va0",
            "-a",
            "192.0.2.1",
            "-a",
            "198.51.100.7",
            "-r",
            "default-ipv4",
            "-t",
            "1min",
            "--any",
        ]),
    );
    assert_eq!(without_places(&file.json), without_places(&options.json), "{}", cat.stdout);
    let run = ns.run(&[&path]);
    assert!(
        run.expect_waiting().starts_with("Waiting (up to 60s)")
            || run.last_status().starts_with("Waiting (up to 1min)"),
        "{}",
        run.transcript()
    );
}

/// For every form of options, the file that `cat` prints has the same meaning.
#[test]
#[ignore = "needs a network namespace"]
fn cat_of_options_round_trips() {
    let ns = up();
    ns.ip("route add default via 192.0.2.254 dev va0");
    for options in [
        "-4",
        "-6",
        "-4 -6",
        "-i va0",
        "-i va0 -4",
        "-i va0 -4 -r default",
        "-i va* -i !va1 --quorum 1",
        "-i va0 -i va9 --any -a ip",
        "-r default -r 192.0.2.0/24",
        "-r default-ipv4 --table 100",
        "--route-to 203.0.113.7",
        "-i va0 --route-to 203.0.113.7 -a 192.0.2.0/24",
        "-i va0 --route-to 203.0.113.7 --from 192.0.2.1",
        "--route-to 203.0.113.7 --route-to 198.51.100.7 --table mgmt --from 192.0.2.1 --any",
        "--route-to fe80::7%va0 --from fe80::1",
        "--tcp [fe80::7%va0]:80 --http http://[fe80::7%25va0]/ --ping fe80::7%va0",
        "-i mac:02:00:5e:00:00:01",
        "-a ipv4 -a 192.0.2.1 --settle 1s -t infinity --no-carrier-timeout 5s",
    ] {
        let options: Vec<&str> = options.split_whitespace().collect();
        let cat = ns.output(&[&["cat"], options.as_slice()].concat());
        assert_eq!(cat.code, 0, "{options:?}: {cat:?}");
        let path = ns.gate(&cat.stdout);
        let (file, direct) = (ns.check(&[&path]), ns.check(&options));
        assert_eq!(without_places(&file.json), without_places(&direct.json), "{options:?}\n{}", cat.stdout);
        assert_eq!(file.code, direct.code, "{options:?}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_nameserver_appears() {
    let ns = up();
    let toml = "[[require]]\nnameserver = true\n";
    let path = ns.gate(toml);
    let gate = ns.run(&[&path]);
    gate.expect_status("nameserver");
    // A file without a nameserver line is not enough.
    write("/etc/resolv.conf", "# nameserver 192.0.2.53\n; nameserver 192.0.2.53\nsearch example.org\n");
    gate.stays_unready();
    ns.check(&[&path]).assert_unready("no-nameserver", "resolv.conf");
    write("/etc/resolv.conf", "search example.org\nnameserver 192.0.2.53\n");
    gate.expect_ready();
    ns.check(&[&path]).assert_ready();
    // The file is replaced as editors do, and through a link whose target appears folder by folder.
    std::fs::remove_file("/etc/resolv.conf").unwrap();
    gate.expect_lost();
    std::os::unix::fs::symlink("../run/resolver/stub/resolv.conf", "/etc/resolv.conf").unwrap();
    gate.stays_lost();
    std::fs::create_dir("/run/resolver").unwrap();
    std::fs::create_dir("/run/resolver/stub").unwrap();
    gate.stays_lost();
    write("/run/resolver/stub/resolv.conf.tmp", "nameserver 2001:db8::53\n");
    std::fs::rename("/run/resolver/stub/resolv.conf.tmp", "/run/resolver/stub/resolv.conf").unwrap();
    gate.expect_now_ready();
    std::fs::remove_dir_all("/run/resolver").unwrap();
    gate.expect_lost();
    write("/run/resolver/stub/resolv.conf", "nameserver 127.0.0.53\n");
    gate.expect_now_ready();
    // The file is truncated in place.
    write("/run/resolver/stub/resolv.conf", "");
    gate.expect_lost();
}

#[test]
#[ignore = "needs a network namespace"]
fn bare_netready_is_check() {
    let ns = up();
    write("/etc/netready/default.toml", BASE);
    let (bare, check) = (ns.output(&[]), ns.output(&["check"]));
    assert_eq!((bare.code, &bare.stdout), (check.code, &check.stdout));
    assert_eq!(bare.code, 0);
}

#[test]
#[ignore = "needs a network namespace"]
fn an_unprivileged_user_has_gates_of_their_own() {
    let ns = netns!();
    let home = ns.scratch().join("nobody");
    write(home.join(".config/netready/mine.toml").to_str().unwrap(), BASE);
    let said =
        ns.command(&["check", "-j", "mine"]).unprivileged().env("HOME", home.to_str().unwrap()).output();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stdout.contains(".config/netready/mine.toml"), "{said:?}");
}

/// Returns the requirements of a verdict without the fields that name lines of a gate file.
fn without_places(verdict: &serde_json::Value) -> serde_json::Value {
    let mut requirements = verdict["requirements"].clone();
    for requirement in requirements.as_array_mut().unwrap() {
        requirement.as_object_mut().unwrap().remove("place").unwrap();
    }
    requirements
}
