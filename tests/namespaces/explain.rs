//! `explain`, and the advice for a user who mistyped a command.

use std::fs;
use std::path::Path;

use crate::harness::{DARK0, UP0};
use crate::netns;

const NAS: &str = "timeout = \"30s\"\n\n[[require]]\ninterface = \"va0\"\naddress = \"ipv4\"\n";

fn write(path: &str, text: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
#[ignore = "needs a network namespace"]
fn explain_names_files_lines_options_and_units() {
    let ns = netns!().with_private_etc();
    write("/etc/netready/nas.toml", NAS);
    write("/etc/netready/nas.toml.d/50.toml", "on-timeout = \"open\"\n");
    write("/etc/systemd/system/app.service", "[Unit]\nAfter=netready@nas.service\n");
    let said = ns.output(&["explain", "nas", "--settle", "2s", "-r", "default"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    for text in [
        "Gate nas (/etc/netready/nas.toml)\n",
        "It gives up after 30s. (timeout, /etc/netready/nas.toml:1)",
        "The link has a usable IPv4 address. (address, /etc/netready/nas.toml:5)",
        "READY=1 anyway",
        "(on-timeout, /etc/netready/nas.toml.d/50.toml:1)",
        "has held for 2s without interruption. (settle, --settle 2s)",
        "(route, --route default)",
        "app.service (/etc/systemd/system/app.service:2)",
    ] {
        assert!(said.stdout.contains(text), "{text}\n{}", said.stdout);
    }
    // A gate file with an error gets the same message as with other commands.
    write("/etc/netready/bad.toml", "timout = 1\n");
    let bad = ns.output(&["explain", "bad"]);
    assert_eq!((bad.code, bad.stdout.as_str()), (2, ""), "{bad:?}");
    assert_eq!(bad.stderr, ns.output(&["check", "bad"]).stderr);
}

#[test]
#[ignore = "needs a network namespace"]
fn check_is_quiet_or_says_who_asks_for_what() {
    let ns = netns!().with_private_etc();
    ns.ip(DARK0);
    ns.ip("link set lo up");
    write("/etc/netready/nas.toml", NAS);
    for (arguments, code) in [(&["check", "-q", "nas"][..], 1), (&["check", "-q", "-a", "127.0.0.1"], 0)] {
        let said = ns.output(arguments);
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (code, "", ""), "{said:?}");
    }
    assert!(ns.output(&["check", "-q", "-j", "nas"]).stdout.starts_with('{'));
    assert_eq!(ns.output(&["check", "-q", "nonesuch"]).code, 2);
    let verbose = ns.output(&["check", "-v", "-a", "127.0.0.1"]);
    assert!(verbose.stdout.contains("asked for by --address 127.0.0.1"), "{verbose:?}");
    assert!(!verbose.stderr.contains("debug"), "{verbose:?}");
    ns.ip("link set va0 down");
    let down = ns.output(&["check", "nas"]);
    let step = "next: ip link set va0 up (asked for in /etc/netready/nas.toml:4)";
    assert!(down.stdout.contains(step), "{down:?}");
    let json = ns.check(&["nas"]).json;
    assert_eq!(json["requirements"][0]["next"], "ip link set va0 up", "{json:#}");
    assert_eq!(json["requirements"][0]["place"], "/etc/netready/nas.toml:4", "{json:#}");
    let waited = ns.output(&["wait", "-t", "50ms", "nas"]);
    assert!(waited.stderr.contains(&format!("netready:          {step}\n")), "{waited:?}");
}

/// One case a line: what is typed, the exit status, and the command that the message names. Each of these commands
/// is valid.
#[test]
#[ignore = "needs a network namespace"]
fn a_slip_leads_to_a_command_that_works() {
    let ns = netns!().with_private_etc();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0");
    write("/etc/netready/storage.toml", "[[require]]\nroute = \"default\"\n");
    for (typed, command) in [
        ("check va0:routable", "netready check -i va0 -r default"),
        ("check va0:carrier", "netready check -i va0"),
        ("check va0", "netready check -i va0"),
        ("check va1", "netready check -i va0"),
        ("storage", "netready check storage"),
        ("va0", "netready check -i va0"),
        ("va0:routable", "netready check -i va0 -r default"),
        ("-i va0", "netready check -i va0"),
        ("--interface va0 -r default", "netready check --interface va0 -r default"),
    ] {
        let said = ns.output(&typed.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, 2, "{typed}: {said:?}");
        let line = said.stderr.trim_end();
        let named = line.rfind("netready check").map(|at| line[at..].trim_end_matches('?'));
        assert_eq!(named, Some(command), "{typed}: {said:?}");
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        assert_eq!(ns.output(&words).code, 0, "{command}");
    }
    for (typed, said) in [
        ("check -i va0,va1", "-i va0 -i va1"),
        ("storge", "did you mean storage?"),
        ("chek", "'check'"),
        ("check --timout 1s", "'--timeout'"),
        ("check storge", "did you mean storage?"),
        ("check -r defualt", "did you mean \"default\"?"),
    ] {
        let output = ns.output(&typed.split(' ').collect::<Vec<_>>());
        assert!(output.code == 2 && output.stderr.contains(said), "{typed}: {output:?}");
    }
    let near = ns.output(&["check", "-i", "va9"]);
    assert!(near.stdout.contains("next: did you mean the link va0?"), "{near:?}");
    let json = ns.output(&["storage", "--json"]);
    assert!(json.code == 2 && json.stdout.starts_with("{\"error\":"), "{json:?}");
}
