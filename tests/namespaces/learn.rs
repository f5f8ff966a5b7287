//! `learn` on real links: the gate that it prints is ready there, and it writes the gate where `run` finds it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Exit, Netns, Said, UP0, UP1};
use crate::netns;

const STATIC: &str = "addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1";
const GATE: &str = "/etc/netready/default.toml";

/// Makes a host with its own files, but without a gate and without resolv.conf.
fn host(setup: &str) -> Netns {
    let ns = Netns::new().with_private_etc();
    ns.ip(UP0);
    ns.ip(setup);
    ns
}

/// Returns the learned clauses on one line. Checks that the printed gate file is ready.
#[track_caller]
fn learned(ns: &Netns) -> String {
    let said = ns.output(&["learn"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    ns.check_gate(&said.stdout).assert_ready();
    clauses(&said.stdout)
}

fn clauses(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let clauses: Vec<&str> = lines.skip_while(|line| *line != "[[require]]").collect();
    let text = clauses.join("; ").replace("; [[require]]; ", " | ").replace("[[require]]; ", "");
    text.replace(" = ", "=").replace('"', "'")
}

/// Returns what was left out, one line each.
fn left_out(said: &Said) -> Vec<String> {
    let (_, rest) = said.stdout.split_once("# Not asked for:\n").unwrap_or_default();
    rest.lines().map(|line| line.trim_start_matches("#   ").to_owned()).collect()
}

#[test]
#[ignore = "needs a network namespace"]
fn hosts_of_several_kinds() {
    for (setup, expected) in [
        (STATIC, "interface='va0'; address='ipv4'; route='default-ipv4'"),
        // The addresses and routes are as DHCP and a router leave them.
        (
            "addr add 192.0.2.10/24 dev va0 valid_lft 3600 preferred_lft 3600; route add default via 192.0.2.1
             addr add 2001:db8::10/64 dev va0 nodad valid_lft 3600 preferred_lft 1800
             -6 route add default via fe80::1 dev va0",
            "interface='va0'; address=['ipv4', 'ipv6']; route=['default-ipv4', 'default-ipv6']",
        ),
        // The host runs containers.
        (
            "addr add 192.0.2.10/24 dev va0; route add default via 192.0.2.1
             link add docker0 type bridge; link set docker0 up; addr add 172.17.0.1/16 dev docker0
             link add veth1 type veth peer name ceth1; link set veth1 master docker0; link set veth1 up; link set ceth1 up",
            "interface='va0'; address='ipv4'; route='default-ipv4'",
        ),
        // The uplink is a bridge, or is stacked on a link.
        (
            "link add br0 type bridge; link set br0 up; link set va0 master br0
             addr add 192.0.2.10/24 dev br0; route add default via 192.0.2.1",
            "interface='br0'; address='ipv4'; route='default-ipv4'",
        ),
        (
            "link add mv0 link va0 type macvlan; link set mv0 up
             addr add 192.0.2.10/24 dev mv0; route add default via 192.0.2.1",
            "interface='mv0'; address='ipv4'; route='default-ipv4'",
        ),
        // Without a default route, the gate asks for an address.
        ("addr add 192.0.2.10/24 dev va0 valid_lft 3600 preferred_lft 3600", "interface='va0'; address='ipv4'"),
    ] {
        let ns = host(setup);
        assert_eq!(learned(&ns), expected, "{setup}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn learn_lists_what_it_leaves_out() {
    let ns = host(STATIC);
    ns.ip(UP1);
    ns.ip(
        "link set vb1 down; addr add 10.9.0.2/16 dev va1; link add docker0 type bridge; link set docker0 up",
    );
    ns.ip("addr add 172.17.0.1/16 dev docker0; addr add 192.0.2.11/24 dev va0 valid_lft 60 preferred_lft 60");
    // The kernel changes the far end's operstate a moment later.
    ns.until("vb0 is up", || ns.output(&["learn"]).stdout.contains("vb0: no address"));
    let said = ns.output(&["learn"]);
    assert_eq!(
        left_out(&said),
        [
            "docker0: made by software, no card is its port (kind bridge)",
            "vb0: no address",
            "vb1: administratively down",
            "va1: no carrier (LOWERLAYERDOWN)",
            "192.0.2.10 on va0: static; if a service binds it, require address = \"192.0.2.10\"",
            "192.0.2.11 on va0: leased, so the next one may differ",
        ],
        "{said:?}"
    );
}

#[test]
#[ignore = "needs a network namespace"]
fn a_nameserver_that_is_there_is_asked_for() {
    let ns = host(STATIC);
    fs::write("/etc/resolv.conf", "nameserver 192.0.2.53\n").unwrap();
    assert_eq!(learned(&ns), "interface='va0'; address='ipv4'; route='default-ipv4' | nameserver=true");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_lease_of_another_address_is_enough() {
    let ns = host("addr add 192.0.2.10/24 dev va0 valid_lft 3600 preferred_lft 3600");
    ns.ip("route add default via 192.0.2.1");
    let gate = ns.gate(&ns.output(&["learn"]).stdout);
    ns.ip("addr flush dev va0; link set va0 down; link set va0 up");
    let run = ns.run(&[&gate]);
    run.expect_waiting();
    ns.ip("addr add 192.0.2.99/24 dev va0 valid_lft 3600 preferred_lft 3600");
    run.stays_unready();
    ns.ip("route add default via 192.0.2.1");
    run.expect_ready();
}

#[test]
#[ignore = "needs a network namespace"]
fn a_host_that_does_not_work_teaches_nothing() {
    let ns = host(STATIC);
    for (change, reason) in [
        ("link set vb0 down", "unmet  carrier  va0: no carrier"),
        ("link set va0 down", "va0: administratively down"),
        ("link set vb0 up; link set va0 up; addr flush dev va0", "va0: no address"),
    ] {
        ns.ip(change);
        for arguments in [&["learn"][..], &["learn", "--write"]] {
            let said = ns.output(arguments);
            assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{change}: {said:?}");
            assert!(said.stderr.contains(reason), "{change}: {said:?}");
        }
    }
    assert!(!Path::new("/etc/netready").exists());
}

#[test]
#[ignore = "needs a network namespace"]
fn written_where_run_finds_it_and_never_over_another() {
    let ns = host(STATIC);
    let said = ns.output(&["learn", "--write"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, GATE), "{said:?}");
    assert!(said.stderr.contains("systemctl reload netready.service"), "{said:?}");
    let written = fs::read_to_string(GATE).unwrap();
    assert_eq!(written.trim_end(), ns.output(&["learn"]).stdout);
    // The file must be readable for a service that runs as another user.
    assert_eq!(fs::metadata(GATE).unwrap().permissions().mode() & 0o777, 0o644);
    let check = ns.check(&[]);
    check.assert_ready();
    assert_eq!(check.json["source"], GATE);

    fs::write(GATE, "# mine\n").unwrap();
    let said = ns.output(&["learn", "--write"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert!(said.stderr.contains(GATE) && said.stderr.contains("--force"), "{said:?}");
    assert_eq!(fs::read_to_string(GATE).unwrap(), "# mine\n");

    assert_eq!(ns.output(&["learn", "--write", "--force"]).code, 0);
    assert_eq!(fs::read_to_string(GATE).unwrap(), written);
    let files: Vec<_> =
        fs::read_dir("/etc/netready").unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["default.toml"]);
}

/// `learn` also says which other files affect the gate.
#[test]
#[ignore = "needs a network namespace"]
fn learn_names_the_file_that_it_replaces_and_the_drop_ins() {
    let ns = host(STATIC);
    for (path, text) in [
        ("/run/netready/default.toml", "[[require]]\nroute = \"default\"\n"),
        ("/run/netready/default.toml.d/50-more.toml", "timeout = \"7s\"\n"),
    ] {
        fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let said = ns.output(&["learn", "--write"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains("this file replaces /run/netready/default.toml"), "{said:?}");
    assert!(
        said.stderr.contains("/run/netready/default.toml.d/50-more.toml overrides parts of it"),
        "{said:?}"
    );
}

/// The containers of a user wait for the gate `podman`.
#[test]
#[ignore = "needs a network namespace"]
fn a_user_learns_the_gate_of_his_containers() {
    let ns = host(STATIC);
    let home = ns.scratch().join("me");
    let quadlets = home.join(".config/containers/systemd");
    fs::create_dir_all(&quadlets).unwrap();
    fs::write(quadlets.join("app.container"), "[Container]\nImage=i\nNetwork=lan.network\nIP=10.89.7.5\n")
        .unwrap();
    for folder in [&home, &home.join(".config")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let learn = |arguments: &[&str]| {
        let arguments = [&["learn"], arguments].concat();
        ns.command(&arguments).unprivileged().env("HOME", home.to_str().unwrap()).output()
    };
    let said = learn(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(clauses(&said.stdout), "interface='va0'; address='ipv4'; route='default-ipv4' | pasta=true");
    assert!(said.stdout.contains("settle ") && said.stdout.contains("app.container"), "{said:?}");
    let said = learn(&["default"]);
    assert_eq!(clauses(&said.stdout), "interface='va0'; address='ipv4'; route='default-ipv4'");

    let said = learn(&["--write"]);
    let path = home.join(".config/netready/podman.toml");
    assert_eq!((said.code, said.stdout.as_str()), (0, path.to_str().unwrap()), "{said:?}");
    assert!(said.stderr.contains("systemctl --user reload netready.service"), "{said:?}");
    let check = ns.command(&["check", "podman"]).unprivileged().env("HOME", home.to_str().unwrap()).output();
    assert!(check.code == 0 && check.stdout.contains(path.to_str().unwrap()), "{check:?}");

    // Without a home directory, a user has no folder for gates.
    let said = ns.command(&["learn", "--write"]).unprivileged().output();
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
    assert!(said.stderr.contains("/etc/netready/podman.toml cannot be written"), "{said:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn names_that_no_gate_has_are_refused() {
    let ns = netns!();
    for (gate, said) in [
        ("./default.toml", "netready learn >FILE"),
        ("default.toml", "write the name of a gate without .toml"),
        ("none", "not a name for a gate"),
        ("a b", "not a name for a gate"),
    ] {
        let output = ns.output(&["learn", gate]);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains(said), "{gate}: {output:?}");
    }
    assert_eq!(ns.output(&["learn", "--force"]).code, 2);
    let output = ns.command(&["learn"]).without_netlink().output();
    assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{output:?}");
}

#[test]
#[ignore = "needs a network namespace"]
fn a_closed_stdout_is_no_failure() {
    let ns = host(STATIC);
    let learn = ns.command(&["learn"]).closed_stdout().without_notify_socket().spawn();
    assert_eq!(learn.expect_exit(), Exit::Code(0));
}
