//! Invalid gate files and command lines give exit code 2 before netready waits for anything, and a helpful message.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{Netns, Said, UP0, UserManager};
use crate::netns;

/// netready does not block on a FIFO.
#[test]
#[ignore = "needs a network namespace"]
fn a_gate_that_is_no_file_is_refused_at_once() {
    let ns = netns!();
    let folder = ns.scratch().join("gates/netready");
    std::fs::create_dir_all(folder.join("piped.toml.d")).unwrap();
    std::fs::write(folder.join("piped.toml"), "[[require]]\ninterface = \"va0\"\n").unwrap();
    let fifo = |path: &std::path::Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    for path in ["fifo.toml", "piped.toml.d/a.toml"] {
        fifo(&folder.join(path));
    }
    std::os::unix::fs::symlink("fifo.toml", folder.join("link.toml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("zero.toml")).unwrap();
    let manager = UserManager::new(&ns);
    for (gate, why) in [
        ("fifo", "it is a FIFO, not a regular file"),
        ("link", "it is a FIFO, not a regular file"),
        ("piped", "it is a FIFO, not a regular file"),
        ("zero", "it is a device, not a regular file"),
    ] {
        for command in ["check", "run", "wait", "monitor", "cat"] {
            let said = ns.command(&[command, gate]).env("MANAGERPID", &manager.pid());
            let said = said.env("XDG_CONFIG_HOME", folder.parent().unwrap().to_str().unwrap()).output();
            assert!(said.code == 2 && said.stderr.contains(why), "{command} {gate}: {said:?}");
        }
    }
    let path = folder.join("fifo.toml");
    let said = ns.output(&["check", path.to_str().unwrap()]);
    assert!(said.code == 2 && said.stderr.contains("it is a FIFO"), "{said:?}");
}

/// Words of the command line and texts in files do not reach the terminal unescaped.
#[test]
#[ignore = "needs a network namespace"]
fn errors_are_safe_to_print() {
    let ns = netns!();
    let evil = "a\u{1b}[2J\u{202e}\nnetready: Ready";
    let file = ns.gate("[[require]]\n\"b\\u001b[2J\\u202e\" = 1\n");
    for words in [
        &["check", evil][..],
        &["check", "-i", evil, "-a", evil],
        &["check", "--tcp", evil],
        &["check", &format!("/{evil}")],
        &["cat", &format!("--{evil}")],
        &[evil],
        &["run", "-t", evil],
        &["check", &file],
    ] {
        let said = ns.output(words);
        assert_eq!(said.code, 2, "{words:?}: {said:?}");
        assert!(!said.stderr.contains(['\u{1b}', '\u{202e}']), "{words:?}: {said:?}");
        assert!(!said.stderr.contains("\nnetready: Ready"), "{words:?}: {said:?}");
    }
}

/// The gate file, the line that the message must name (0 for none), and further texts that the message must
/// contain.
const BAD_FILES: &[(&str, u32, &[&str])] = &[
    // Unknown keys: the message names the nearest valid word.
    ("[[require]]\ninterfac = \"va0\"\n", 2, &["interfac", "interface"]),
    ("timeuot = \"90s\"\n[[require]]\ninterface = \"va0\"\n", 1, &["timeuot", "timeout"]),
    ("[[require]]\ninterface = \"va0\"\n\nadress = \"ipv4\"\n", 4, &["adress", "address"]),
    (
        "no_carrier_timeout = \"5s\"\n[[require]]\ninterface = \"va0\"\n",
        1,
        &["no_carrier_timeout", "no-carrier-timeout"],
    ),
    ("[[require]]\ninterface = \"va0\"\nxyzzy = 1\n", 3, &["xyzzy"]),
    ("[[requires]]\ninterface = \"va0\"\n", 1, &["requires", "require"]),
    // Plural keys.
    ("[[require]]\ninterfaces = [\"va0\", \"va1\"]\n", 2, &["interfaces", "interface"]),
    ("[[require]]\naddresses = \"ipv4\"\n", 2, &["addresses", "address"]),
    ("[[require]]\nroutes = \"default\"\n", 2, &["routes", "route"]),
    // systemd's spelling of keys.
    ("[[require]]\nInterface = \"va0\"\n", 2, &["Interface", "interface"]),
    // A key of the gate stands below a clause.
    ("[[require]]\ninterface = \"va0\"\ntimeout = \"5s\"\n", 3, &["timeout", "[[require]]"]),
    ("[[require]]\ninterface = \"va0\"\nsettle = \"5s\"\n", 3, &["settle", "[[require]]"]),
    ("[[require]]\nroute = \"default\"\non-timeout = \"open\"\n", 3, &["on-timeout"]),
    // A key of a clause stands above the first clause.
    ("interface = \"va0\"\n", 1, &["interface", "[[require]]"]),
    ("timeout = \"9s\"\ngrace = \"1s\"\n[[require]]\nroute = \"default\"\n", 2, &["grace"]),
    // Wrong types.
    ("timeout = true\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "90s"]),
    ("timeout = [\"90s\"]\n[[require]]\nroute = \"default\"\n", 1, &["timeout"]),
    ("[[require]]\ninterface = 7\n", 2, &["interface"]),
    ("[[require]]\ninterface = [\"va0\", 7]\n", 2, &["interface"]),
    ("[[require]]\ninterface = \"va0\"\ncarrier = \"yes\"\n", 3, &["carrier", "true"]),
    ("[[require]]\ninterface = \"va0\"\nif-present = \"yes\"\n", 3, &["if-present", "true"]),
    ("require = \"default\"\n", 1, &["require"]),
    ("[[require]]\ninterface = { name = \"va0\" }\n", 2, &["interface"]),
    // Invalid durations.
    ("timeout = 90s\n[[require]]\nroute = \"default\"\n", 1, &["90s", "\"90s\""]),
    ("timeout = 1min 30s\n[[require]]\nroute = \"default\"\n", 1, &["\"1min 30s\""]),
    ("timeout = \"90 secs ago\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "90 secs ago"]),
    ("timeout = \"\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout"]),
    ("timeout = \"-5s\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "-5s"]),
    ("timeout = -5\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "-5"]),
    ("timeout = \"soon\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "soon"]),
    ("[[require]]\nroute = \"default\"\ngrace = \"soon\"\n", 3, &["grace", "soon"]),
    ("timeout = 0\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "0", "infinity"]),
    ("timeout = \"0s\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout", "infinity"]),
    ("timeout = \"0\"\n[[require]]\nroute = \"default\"\n", 1, &["timeout"]),
    ("timeout = \"5s\"\nsettle = \"10s\"\n[[require]]\nroute = \"default\"\n", 2, &["settle", "timeout"]),
    ("settle = \"2min\"\n[[require]]\nroute = \"default\"\n", 1, &["settle", "timeout"]),
    // Invalid words.
    ("on-timeout = \"opne\"\n[[require]]\nroute = \"default\"\n", 1, &["on-timeout", "opne", "open"]),
    ("on-loss = \"fial\"\n[[require]]\nroute = \"default\"\n", 1, &["on-loss", "fial", "fail"]),
    ("[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = \"some\"\n", 3, &["quorum", "some", "any"]),
    ("[[require]]\naddress = \"ipv5\"\n", 2, &["address", "ipv5", "ipv4"]),
    ("[[require]]\nroute = \"defualt\"\n", 2, &["route", "defualt", "default"]),
    ("[[require]]\nroute = \"default-ipv5\"\n", 2, &["default-ipv5", "default-ipv4"]),
    // Invalid prefixes and addresses.
    ("[[require]]\naddress = \"192.0.2.7/24\"\n", 2, &["192.0.2.7/24", "192.0.2.0/24", "192.0.2.7"]),
    ("[[require]]\nroute = \"203.0.113.9/24\"\n", 2, &["203.0.113.9/24", "203.0.113.0/24"]),
    ("[[require]]\naddress = \"2001:db8::1/64\"\n", 2, &["2001:db8::1/64", "2001:db8::/64"]),
    ("[[require]]\naddress = \"192.0.2.0/33\"\n", 2, &["192.0.2.0/33"]),
    ("[[require]]\naddress = \"192.0.2.300\"\n", 2, &["192.0.2.300"]),
    ("[[require]]\naddress = \"\"\n", 2, &["address"]),
    ("[[require]]\nroute-to = \"example.org\"\n", 2, &["route-to", "example.org"]),
    ("[[require]]\nroute-to = \"198.51.100.0/24\"\n", 2, &["route-to", "198.51.100.0/24"]),
    ("[[require]]\nroute = \"default-ipv4\"\ntable = -1\n", 3, &["table"]),
    ("[[require]]\nroute = \"default-ipv4\"\ntable = 4294967296\n", 3, &["table"]),
    // Invalid names of links.
    ("[[require]]\ninterface = \"va[0\"\n", 2, &["va[0"]),
    ("[[require]]\ninterface = \"mac:02:00:5e\"\n", 2, &["mac:02:00:5e"]),
    ("[[require]]\ninterface = \"mac:zz:00:5e:00:00:01\"\n", 2, &["mac:zz"]),
    ("[[require]]\ninterface = \"\"\n", 2, &["interface"]),
    ("[[require]]\ninterface = \"va0:routable\"\n", 2, &["va0:routable", "va0"]),
    ("[[require]]\ninterface = \"va 0\"\n", 2, &["va 0"]),
    ("[[require]]\ninterface = \"va/0\"\n", 2, &["va/0"]),
    // A quorum that cannot be reached.
    ("[[require]]\ninterface = [\"va*\", \"!va*\"]\n", 2, &["!va*"]),
    ("[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = 3\n", 3, &["quorum", "3", "2"]),
    ("[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = 0\n", 3, &["quorum", "0"]),
    ("[[require]]\ninterface = [\"va0\", \"va0\"]\nquorum = 2\n", 3, &["quorum"]),
    ("[[require]]\naddress = [\"ipv4\", \"ipv6\"]\nquorum = 3\n", 3, &["quorum", "3"]),
    // Empty files and lists.
    ("", 0, &["require"]),
    ("# nothing but a comment\n", 0, &["require"]),
    ("timeout = \"90s\"\n", 0, &["require"]),
    ("[[require]]\n", 1, &["require"]),
    ("[[require]]\ngrace = \"5s\"\n", 0, &["require"]),
    ("[[require]]\ninterface = []\n", 2, &["interface"]),
    ("require = []\n", 0, &["require"]),
    // Keys that occur twice, and text that is not TOML.
    ("timeout = \"1s\"\ntimeout = \"2s\"\n[[require]]\nroute = \"default\"\n", 2, &["timeout"]),
    ("[[require]\nroute = \"default\"\n", 1, &[]),
    ("[[require]]\nroute = default\n", 2, &["default"]),
    ("[[require]]\nroute = \"default\n", 2, &[]),
    ("[[require]]\nroute = \"default\"\nmist\u{e4}ke = 1\n", 3, &[]),
];

fn names_line(text: &str, path: &str, line: u32) -> bool {
    line == 0
        || text.contains(&format!("{path}:{line}:"))
        || text.contains(&format!("{path}:{line}"))
        || text.contains(&format!("line {line}"))
}

fn json_error(said: &Said) -> Option<String> {
    let object: serde_json::Value = serde_json::from_str(said.stdout.trim()).ok()?;
    object["error"].as_str().map(str::to_owned)
}

#[test]
#[ignore = "needs a network namespace"]
fn bad_gate_files() {
    let ns = netns!();
    let mut failed = String::new();
    for (toml, line, parts) in BAD_FILES {
        let path = ns.gate(toml);
        let check = ns.output(&["check", &path]);
        let mut complaints = Vec::new();
        if check.code != 2 {
            complaints.push(format!("exit code {}, stdout {:?}", check.code, check.stdout));
        } else {
            if !check.stderr.contains(&path) {
                complaints.push("names no file".to_owned());
            }
            if !names_line(&check.stderr, &path, *line) {
                complaints.push(format!("does not name line {line}"));
            }
            complaints.extend(
                parts.iter().filter(|p| !check.stderr.contains(**p)).map(|p| format!("does not say `{p}`")),
            );
            if check.stderr.contains("panicked") || check.stderr.contains("Error {") {
                complaints.push("is no message for people".to_owned());
            }
            let json = ns.output(&["check", "-j", &path]);
            if json.code != 2 || json_error(&json).is_none_or(|e| !e.contains(&path)) {
                complaints.push(format!("with --json: {json:?}"));
            }
        }
        if !complaints.is_empty() {
            let _ =
                writeln!(failed, "* {toml:?}\n  {}\n  said: {}", complaints.join("; "), check.stderr.trim());
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
#[ignore = "needs a network namespace"]
fn every_command_refuses_a_bad_gate_at_once() {
    let ns = netns!();
    let path = ns.gate("[[require]]\ninterfac = \"va0\"\n");
    for command in ["run", "wait", "check", "monitor", "cat"] {
        let process = ns.command(&[command, &path]).spawn();
        let exit = process.expect_exit();
        assert_eq!(exit, crate::harness::Exit::Code(2), "{}", process.transcript());
        assert!(process.stderr().contains("interfac"), "{}", process.transcript());
        assert!(!process.is_ready(), "{}", process.transcript());
    }
    for command in ["wait", "check", "monitor"] {
        let said = ns.output(&[command, "--json", &path]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(json_error(&said).is_some_and(|e| e.contains("interfac")), "{said:?}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn files_that_cannot_be_read() {
    let ns = netns!();
    let missing = format!("{}/no-such.toml", ns.scratch().display());
    let dir = format!("{}/", ns.scratch().display());
    let binary = ns.scratch().join("binary.toml");
    std::fs::write(&binary, b"timeout = \"\xff\xfe\"\n\0\0").unwrap();
    let binary = binary.to_str().unwrap().to_owned();
    for path in [&missing, &dir, &binary] {
        let said = ns.output(&["check", path]);
        assert_eq!(said.code, 2, "{path}: {said:?}");
        assert!(said.stderr.contains(path.trim_end_matches('/')), "{path}: {said:?}");
    }
    assert!(ns.output(&["check", &missing]).stderr.contains("No such file"));
    let secret = ns.gate("[[require]]\nroute = \"default\"\n");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = ns.command(&["check", &secret]).unprivileged().output();
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains(&secret) && said.stderr.contains("denied"), "{said:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn good_gate_files_are_not_refused() {
    let ns = netns!();
    for toml in [
        // A string instead of a list, and one table instead of a list of tables.
        "[require]\ninterface = \"va0\"\n",
        "[require]\ninterface = [\"va0\", \"!vb*\", \"en?\"]\naddress = [\"ipv4\", \"192.0.2.0/24\"]\n",
        "timeout = 90\nsettle = 0\n[[require]]\nroute = \"default\"\n",
        "timeout = \"infinity\"\nsettle = \"2min\"\n[[require]]\nroute = [\"default-ipv4\", \"2001:db8::/32\"]\n",
        "timeout = \"1min 30s\"\nno-carrier-timeout = \"500ms\"\non-timeout = \"open\"\non-loss = \"fail\"\n[[require]]\nroute-to = [\"198.51.100.7\", \"2001:db8::7\"]\n",
        "[[require]]\ninterface = [\"va0\", \"en*\"]\nquorum = 5\n",
        "[[require]]\ninterface = [\"va0\", \"va1\"]\nquorum = 2\n",
        "[[require]]\ninterface = \"va0\"\ncarrier = false\naddress = \"ip\"\n",
        "[[require]]\ninterface = \"mac:02:00:5e:00:00:01\"\nif-present = true\ngrace = \"5s\"\n",
        "[[require]]\nroute = \"default\"\ntable = 100\n",
        "[[require]]\npasta = true\n[[require]]\nnameserver = true\ngrace = \"10s\"\n",
        "[[require]]\naddress = [\"link-local-ipv4\", \"link-local-ipv6\"]\n",
        "[[require]]\nroute = \"0.0.0.0/0\"\n",
        "settle = \"90s\"\n[[require]]\nroute = \"default\"\n",
        "\u{feff}[[require]]\r\nroute = \"default\"\r\n",
    ] {
        let path = ns.gate(toml);
        let said = ns.output(&["check", &path]);
        assert!([0, 1].contains(&said.code), "{toml:?}: {said:?}");
        assert_eq!(ns.output(&["cat", &path]).code, 0, "{toml:?}");
    }
}

/// The command line, and texts that the message must contain.
const BAD_COMMAND_LINES: &[(&[&str], &[&str])] = &[
    // A link's name as GATE: the message says what was probably meant.
    (&["check", "va0"], &["va0", "-i va0"]),
    (&["wait", "va0"], &["va0", "-i va0"]),
    (&["run", "va0"], &["va0", "-i va0"]),
    (&["check", "lo"], &["-i lo"]),
    // The form IF:STATE of systemd-networkd-wait-online.
    (&["wait", "-i", "va0:routable"], &["va0:routable", "-i va0"]),
    (&["wait", "va0:routable"], &["va0:routable", "-i va0"]),
    (&["wait", "--interface=va0:degraded"], &["va0:degraded"]),
    // Words that remain from an unquoted glob.
    (&["wait", "-i", "va0", "vb0", "vb1"], &["vb0", "quote"]),
    (&["check", "-i", "va0", "vb0"], &["vb0"]),
    // Invalid values.
    (&["wait", "-4", "-t", "0"], &["0", "infinity"]),
    (&["wait", "-4", "-t", "0s"], &["infinity"]),
    (&["wait", "-4", "-t", "90x"], &["90x"]),
    (&["wait", "-4", "-t", ""], &["timeout"]),
    (&["wait", "-4", "-t", "5s", "--settle", "10s"], &["settle", "timeout"]),
    (&["wait", "-4", "--settle", "2min"], &["settle", "timeout"]),
    (&["check", "-a", "192.0.2.7/24"], &["192.0.2.7/24", "192.0.2.0/24"]),
    (&["check", "-a", "ipv5"], &["ipv5", "ipv4"]),
    (&["check", "-r", "defualt"], &["defualt", "default"]),
    (&["check", "-r", "203.0.113.9/24"], &["203.0.113.0/24"]),
    (&["check", "--route-to", "example.org"], &["example.org"]),
    (&["check", "-i", "va[0"], &["va[0"]),
    (&["check", "-i", ""], &["interface"]),
    (&["check", "-i", "va0", "-i", "va1", "--quorum", "3"], &["quorum", "3"]),
    (&["check", "-i", "va0", "--quorum", "0"], &["quorum"]),
    (&["check", "-i", "va0", "--quorum", "most"], &["quorum", "most"]),
    (&["check", "-i", "mac:02"], &["mac:02"]),
    (&["check", "--table", "100"], &["table", "route"]),
    (&["check", "--any"], &["--any"]),
    // Unknown options and commands.
    (&["check", "--interfaec", "va0"], &["--interfaec", "--interface"]),
    (&["chek"], &["chek", "check"]),
    (&["check", "--json=yes"], &["--json"]),
    (&["check", "-i"], &["--interface"]),
    (&["check", "no-such-gate"], &["no-such-gate", "/etc/netready"]),
    (&["check", ""], &[]),
    (&["check", ".."], &[]),
    (&["check", "-4", "--", "true"], &[]),
];

#[test]
#[ignore = "needs a network namespace"]
fn bad_command_lines() {
    let ns = netns!();
    ns.ip(UP0);
    let mut failed = String::new();
    for (arguments, parts) in BAD_COMMAND_LINES {
        if let Some(complaint) = refused(&ns, arguments, parts) {
            let _ = writeln!(failed, "* netready {}\n  {complaint}", arguments.join(" "));
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

fn refused(ns: &Netns, arguments: &[&str], parts: &[&str]) -> Option<String> {
    let process = ns.command(arguments).spawn();
    let exit = process.expect_exit();
    let stderr = process.stderr();
    if exit != crate::harness::Exit::Code(2) {
        return Some(format!("{exit:?}, not 2: {}", process.transcript()));
    }
    let missing: Vec<&&str> = parts.iter().filter(|p| !stderr.contains(**p)).collect();
    if !missing.is_empty() {
        return Some(format!("does not say {missing:?}: {stderr}"));
    }
    if matches!(arguments.first(), Some(&("check" | "wait"))) && !arguments.contains(&"--") {
        let mut json = arguments.to_vec();
        json.insert(1, "--json");
        let said = ns.output(&json);
        // An error of the option parser may come without JSON if it occurs before --json.
        if said.code != 2 || json_error(&said).is_none() {
            return Some(format!("with --json: {said:?}"));
        }
    }
    None
}

#[test]
#[ignore = "needs a network namespace"]
fn help_and_version() {
    let ns = netns!();
    let help = ns.output(&["--help"]);
    assert_eq!(help.code, 0);
    for word in ["run", "wait", "check", "monitor", "cat"] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    for command in ["run", "wait", "check", "monitor", "cat"] {
        let help = ns.output(&[command, "--help"]);
        assert_eq!(help.code, 0, "{help:?}");
        for option in [
            "--interface",
            "--address",
            "--route",
            "--table",
            "--route-to",
            "--from",
            "--any",
            "--quorum",
            "--timeout",
            "--settle",
        ] {
            assert!(help.stdout.contains(option), "{command} --help lacks {option}");
        }
        assert!(!help.stdout.contains("--receive-buffer"), "{command}: a hidden option");
    }
    let version = ns.output(&["--version"]);
    assert_eq!((version.code, version.stdout.trim()), (0, concat!("netready ", env!("CARGO_PKG_VERSION"))));
}

/// netready refuses or evaluates any nonsense, and never crashes.
#[test]
#[ignore = "needs a network namespace"]
fn nonsense_never_crashes_netready() {
    let ns = netns!();
    let mut random = crate::oracle::Random::new(7);
    let pieces = [
        "[[require]]",
        "[require]",
        "\n",
        "\n",
        "interface",
        " = ",
        "\"va0\"",
        "[",
        "]",
        "\"*\"",
        "address",
        "\"ipv4\"",
        "timeout",
        "90",
        "\"",
        "{",
        "}",
        ",",
        "route",
        "\"default\"",
        "quorum",
        "3",
        "true",
        "\u{0}",
        "\u{1f980}",
        "grace",
        "\"1s\"",
        "carrier",
        "table",
        "if-present",
        "\"::/0\"",
        ".",
        "''",
    ];
    for _ in 0..150 {
        let text: String = (0..random.below(14)).map(|_| pieces[random.below(pieces.len())]).collect();
        let path = ns.gate(&text);
        let said = ns.output(&["check", &path]);
        assert!((0..=2).contains(&said.code), "{text:?}: {said:?}");
        assert!(!said.stderr.contains("panicked"), "{text:?}: {said:?}");
    }
    for _ in 0..100 {
        let word: String =
            (0..=random.below(3)).map(|_| pieces[random.below(pieces.len())].replace('\0', "x")).collect();
        let option = [
            "-i",
            "-a",
            "-r",
            "-t",
            "--route-to",
            "--from",
            "--table",
            "--quorum",
            "--settle",
            "--tcp",
            "--http",
        ][random.below(11)];
        let said = ns.output(&["check", option, &word]);
        assert!((0..=2).contains(&said.code), "{option} {word:?}: {said:?}");
    }
}
