use alloc::collections::BTreeSet;

use super::*;
use crate::config::{of_options, parse};
use crate::testing::options;

const PATH: &str = "/etc/netready/g.toml";

fn explained(text: &str) -> String {
    explain(&parse("g", PATH, text).unwrap(), &Waiters::default())
}

#[test]
fn a_gate_is_explained_in_whole_sentences() {
    let text = "\
timeout = \"30s\"
settle = \"500ms\"
on-loss = \"fail\"

[[require]]
interface = [\"eth0\", \"enp*\", \"!enp9*\"]
address = \"ipv4\"

[[require]]
http = \"https://registry.example.org/v2/\"
expect = [200, 401]
grace = \"5s\"
";
    let units = vec![Waiter {
        unit: "app.service".to_owned(),
        place: "/etc/systemd/system/app.service:3".to_owned(),
    }];
    let gate = parse("g", PATH, text).unwrap();
    assert_eq!(
        explain(&gate, &Waiters { units, more: 2 }),
        "\
Gate g (/etc/netready/g.toml)

What it waits for:
  - The gate needs clause 1. It also waits for clause 2, but only for a limited time.

  Clause 1 (/etc/netready/g.toml:5):
  - All of the following must hold for the link eth0 and one link that matches enp*; links that match enp9* are excluded. (interface, /etc/netready/g.toml:6)
  - The link is up and has carrier. (interface, /etc/netready/g.toml:6)
  - The link has a usable IPv4 address. (address, /etc/netready/g.toml:7)

  Clause 2 (/etc/netready/g.toml:9):
  - https://registry.example.org/v2/ answers with the status 200 or 401. (http, /etc/netready/g.toml:10; expect, /etc/netready/g.toml:11)
  - After the gate has opened, netready does not ask again.
  - Once every clause without a grace is met, the gate waits for this one for 5s at most, and then opens without it. (grace, /etc/netready/g.toml:12)

How long it waits:
  - It gives up after 30s. (timeout, /etc/netready/g.toml:1)
  - It opens when everything has held for 500ms without interruption. (settle, /etc/netready/g.toml:2)

What happens then:
  - When it gives up, run and wait end with exit code 1. systemd then starts the units that only want the gate (Wants=), and not those that require it (Requires=, BindsTo=). It also starts run again, which goes on waiting. (on-timeout, the default)
  - If something is lost after READY=1 and is still lost after 500ms, run ends with exit code 1. (on-loss, /etc/netready/g.toml:3)

Who waits for it:
  - app.service (/etc/systemd/system/app.service:3)
  - 2 more
"
    );
}

/// One case a line: the clauses, and a sentence that the text must contain.
#[test]
fn the_first_sentence_says_which_clauses_must_be_met() {
    let needed = "[[require]]\naddress = \"ipv4\"\n";
    let graced = "[[require]]\nroute = \"default\"\ngrace = \"5s\"\n";
    for (clauses, lead) in [
        (vec![needed], "The gate opens when its one clause is met."),
        (vec![graced], "The gate waits for its one clause for a limited time, and then opens without it."),
        (vec![needed, needed], "The gate opens when all of its 2 clauses are met at the same time."),
        (
            vec![graced, graced],
            "The gate waits for its 2 clauses for a limited time, and then opens without those that are not met.",
        ),
        (
            vec![graced, needed, graced, graced],
            "The gate needs clause 2. It also waits for clauses 1, 3 and 4, but only for a limited time.",
        ),
        (
            vec![needed, needed, graced],
            "The gate needs clauses 1 and 2. It also waits for clause 3, but only for a limited time.",
        ),
    ] {
        let text = explained(&clauses.concat());
        assert!(text.contains(&format!("  - {lead}\n")), "{lead}\n{text}");
    }
}

#[test]
fn each_kind_of_requirement_has_its_sentence() {
    for (clause, sentences) in [
        ("route = \"default\"", vec!["There is a live default route, and the kernel uses it."]),
        (
            "route = \"10.0.0.0/8\"\ntable = 7",
            vec![
                "There is a live route to 10.0.0.0/8 in table 7, and the kernel uses it. (route, g:2; table, g:3)",
            ],
        ),
        (
            "interface = \"va0\"\nroute = \"default-ipv6\"",
            vec!["There is a live IPv6 default route through the link."],
        ),
        (
            "address = [\"192.0.2.1\", \"2001:db8::/32\"]\nquorum = 1",
            vec![
                "At least 1 of the following 2 must hold. (quorum, g:3)",
                "The host has the address 192.0.2.1, and a program can bind it.",
                "The host has a usable address in 2001:db8::/32.",
            ],
        ),
        (
            "route-to = \"198.51.100.7\"\nfrom = \"192.0.2.1\"",
            vec![
                "The kernel has a usable way to 198.51.100.7 for a program that binds 192.0.2.1. (route-to, g:2; from, g:3)",
            ],
        ),
        (
            "route-to = \"198.51.100.7\"\ntable = \"blue\"",
            vec!["The kernel has a usable way to 198.51.100.7 in the VRF blue."],
        ),
        ("pasta = true", vec!["A rootless container would get a working network from pasta. (pasta, g:2)"]),
        ("nameserver = true", vec!["resolv.conf names a server. (nameserver, g:2)"]),
        (
            "dns = \"example.org\"\nrecheck = \"30s\"",
            vec![
                "This host's resolver finds example.org. (dns, g:2)",
                "After an answer, netready asks again every 30s. (recheck, g:3)",
            ],
        ),
        (
            "tcp = \"192.0.2.7:22\"",
            vec!["192.0.2.7:22 accepts a TCP connection. (tcp, g:2)", "netready does not ask again"],
        ),
        (
            "http = \"http://a.example/\"",
            vec!["http://a.example/ answers with a status below 500 other than 429."],
        ),
        ("ping = \"192.0.2.1\"", vec!["192.0.2.1 answers a ping."]),
        ("gateway = \"ipv4\"", vec!["The gateway of the IPv4 default route answers neighbour discovery."]),
        ("gateway = \"any\"", vec!["The gateway of the default route answers neighbour discovery."]),
        (
            "interface = [\"va0\", \"va1\"]\nquorum = \"any\"",
            vec![
                "for one of these links: the link va0 or the link va1. (interface, g:2; quorum, g:3)",
                "The link has a usable IP address. (interface, g:2)",
            ],
        ),
        ("interface = \"va*\"\nquorum = \"all\"", vec!["for every link that matches va*."]),
        ("interface = \"va*\"\nquorum = 2", vec!["for at least 2 of these links: links that match va*."]),
        (
            "interface = \"mac:02:00:00:00:00:01\"",
            vec!["the link with the hardware address mac:02:00:00:00:00:01"],
        ),
        (
            "interface = \"va0\"\ncarrier = false\nroute = \"default\"",
            vec!["Carrier is not asked for. (carrier, g:3)"],
        ),
        (
            "interface = \"va0\"\nif-present = true",
            vec!["counts only while there is such a link. (if-present, g:3)"],
        ),
        (
            "route = \"default-ipv6\"\nif-present = true",
            vec!["counts only while this host has IPv6. (if-present, g:3)"],
        ),
        ("route = \"default\"\nif-present = false", vec!["This value changes nothing. (if-present, g:3)"]),
    ] {
        let said = explained(&format!("[[require]]\n{clause}\n")).replace(PATH, "g");
        for sentence in sentences {
            assert!(said.contains(sentence), "{clause}: {sentence}\n{said}");
        }
    }
}

/// One case a line: the gate's own keys, and a sentence that the text must contain.
#[test]
fn the_gates_own_keys_say_how_long_and_what_then() {
    for (keys, sentence) in [
        ("", "It gives up after 90s. (timeout, the default)"),
        ("timeout = \"infinity\"", "It never gives up. (timeout, g:1)"),
        (
            "no-carrier-timeout = \"15s\"",
            "has had carrier by then, it gives up after 15s. (no-carrier-timeout, g:1)",
        ),
        (
            "no-carrier-timeout = \"infinity\"",
            "does not give up earlier if no link has carrier. (no-carrier-timeout, g:1)",
        ),
        ("", "It opens at the moment when everything holds. (settle, the default)"),
        ("on-timeout = \"open\"", "run sends READY=1 anyway"),
        ("on-loss = \"fail\"", "after READY=1, run ends with exit code 1. (on-loss, g:1)"),
        ("on-loss = \"report\"", "and goes on watching. (on-loss, g:1)"),
    ] {
        let said = explained(&format!("{keys}\n[[require]]\nroute = \"default\"\n")).replace(PATH, "g");
        assert!(said.contains(sentence), "{keys}: {sentence}\n{said}");
    }
}

/// Each key of the table changes the text, and the text names the line of the key.
#[test]
fn every_key_of_the_table_is_explained() {
    let mut seen = BTreeSet::new();
    for key in keys::all() {
        for example in key.example.split(" or ") {
            let beside = match &key.role {
                Role::Gate => String::new(),
                Role::Refines { refined, .. } => {
                    keys::all().find(|other| refined(other)).map(|other| other.example).unwrap().to_owned()
                }
                Role::Clause | Role::Asks { .. } if key.name == keys::INTERFACE.name => {
                    "carrier = true".to_owned()
                }
                Role::Clause | Role::Asks { of: keys::AskedOf::Links, .. } => {
                    "interface = [\"va0\", \"vb*\"]\nroute = \"default\"".to_owned()
                }
                Role::Asks { .. } => String::new(),
            };
            let (with, line) = match key.level() {
                Level::Gate => (format!("{example}\n[[require]]\nroute = \"default\"\n"), 1),
                Level::Clause => {
                    let text = format!("[[require]]\n{beside}\n{example}\n");
                    let line = text.lines().position(|line| line == example).unwrap() + 1;
                    (text, line)
                }
            };
            let said = explained(&with);
            let place = format!("{}, {PATH}:{line}", key.name);
            assert!(said.contains(&place), "{place}\n{with}\n{said}");
            let without = with.replacen(example, "", 1);
            if let Ok(gate) = parse("g", PATH, &without) {
                assert_ne!(explain(&gate, &Waiters::default()), said, "{with}");
            }
            seen.insert(key.name);
        }
    }
    assert_eq!(seen.len(), keys::all().count());
}

#[test]
fn options_are_explained_by_what_was_typed() {
    let gate = of_options(&options("-i va0 -r default -t 5s --gateway any")).unwrap().gate;
    let said = explain(&gate, &Waiters::default());
    for place in [
        "(timeout, --timeout 5s)",
        "(route, --route default)",
        "(interface, --interface va0)",
        "(gateway, --gateway any)",
    ] {
        assert!(said.contains(place), "{place}\n{said}");
    }
    assert!(said.contains("No unit file"), "{said}");
}

#[test]
fn text_of_others_is_escaped() {
    let mut gate = parse("g", PATH, "[[require]]\nroute = \"default\"\n").unwrap();
    gate.name = "\u{1b}[2J".to_owned();
    let units = vec![Waiter { unit: "a\u{1b}b".to_owned(), place: "\u{202e}".to_owned() }];
    let said = explain(&gate, &Waiters { units, more: 0 });
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
}
