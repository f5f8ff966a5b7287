//! Tests of clauses with probes: what they mean, and the errors of invalid ones.

use std::time::Duration;

use super::*;
use crate::config::parse;
use crate::requirement::{Gate, Presence, Probe};

fn clause(lines: &str) -> Result<Gate, String> {
    parse("g", "g", &format!("[[require]]\n{lines}")).map_err(|error| error.to_string())
}

/// The clause's items as texts.
fn items(gate: &Gate) -> Vec<String> {
    gate.clauses[0].items.iter().map(ToString::to_string).collect()
}

#[test]
fn probes_have_the_meaning_of_their_keys() {
    for (lines, meant) in [
        ("dns = \"example.org\"", &["dns example.org"][..]),
        (
            "gateway = \"any\"\nping = \"192.0.2.1\"\nhttp = \"https://a.example\"\ntcp = \"nas:22\"\ndns = \"nas\"\nroute = \"default\"",
            &[
                "route default",
                "dns nas",
                "tcp nas:22",
                "http https://a.example/",
                "ping 192.0.2.1",
                "gateway any",
            ],
        ),
        ("tcp = [\"a:1\", \"b:2\", \"a:1\"]", &["tcp a:1", "tcp b:2"]),
        (
            "http = [\"http://a.example\", \"http://b.example\"]\nexpect = [200, 401]",
            &["http http://a.example/ expect 200, 401", "http http://b.example/ expect 200, 401"],
        ),
        ("http = \"http://a.example\"\nexpect = 204", &["http http://a.example/ expect 204"]),
        ("gateway = [\"ipv4\", \"ipv6\"]", &["gateway ipv4", "gateway ipv6"]),
    ] {
        let gate = clause(lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
        assert_eq!(items(&gate), meant, "{lines}");
        assert_eq!(gate.clauses[0].subject, Subject::Host { needed: meant.len() });
    }
}

#[test]
fn probes_can_have_the_other_keys_of_a_clause() {
    let gate =
        clause("tcp = [\"a:1\", \"b:2\"]\nquorum = \"any\"\nrecheck = \"30s\"\ngrace = \"5s\"").unwrap();
    assert_eq!(gate.clauses[0].subject, Subject::Host { needed: 1 });
    assert_eq!(gate.clauses[0].recheck, Some(Duration::from_secs(30)));
    let gate = clause("ping = \"2001:db8::1\"\ngateway = \"ipv6\"\nif-present = true").unwrap();
    assert_eq!(gate.clauses[0].if_present, Some(Presence::Family(V6)));
}

#[test]
fn bad_clauses_are_explained() {
    for (lines, said) in [
        (
            "interface = \"va0\"\ntcp = \"a:1\"",
            "g:3: tcp \"a:1\" is not about a link: write it in a [[require]] of its own, without interface",
        ),
        (
            "dns = \"a\"\nexpect = 200",
            "g:3: expect 200 sets the statuses that http accepts, but there is no http",
        ),
        (
            "http = \"http://a\"\nexpect = [200, 600]",
            "g:3: expect 600 is not an HTTP status; a status is a number from 100 to 599",
        ),
        (
            "http = \"http://a\"\nexpect = []",
            "g:3: expect: the list is empty; write for example expect = [200, 401], or leave the key out",
        ),
        (
            "http = \"http://a\"\nexpect = true",
            "g:3: expect: true or false is given, but this key needs a number, or a list of them: expect = [200, 401]",
        ),
        (
            "route = \"default\"\nrecheck = \"30s\"",
            "g:3: recheck \"30s\" sets how often probes are repeated, but there is no probe",
        ),
        ("dns = \"a\"\nrecheck = \"500ms\"", "g:3: recheck \"500ms\" is too often; write at least 1s"),
        ("dns = \"a\"\nrecheck = 30s", "g:3: durations are quoted: recheck = \"30s\""),
        ("tcp = nas:22", "g:2: texts are quoted: tcp = \"nas:22\""),
        (
            "dns = \"a\"\ntcp = \"a:1\"\nquorum = \"any\"",
            "g:4: quorum \"any\" counts links, or the entries of a list: name the links with interface, or ask for one list and nothing else",
        ),
        (
            "dns = \"a\"\nif-present = true",
            "g:3: if-present = true needs something that can be absent: an interface list, or addresses and routes of one family (\"ipv6\", \"default-ipv6\", 2001:db8::/32)",
        ),
        (
            "gateway = \"192.0.2.1\"",
            "g:2: gateway \"192.0.2.1\" is an address; the gateway is read from the default route: \"any\", \"ipv4\" or \"ipv6\" (one host: ping)",
        ),
    ] {
        assert_eq!(clause(lines).map(|gate| items(&gate)), Err(said.to_owned()), "{lines}");
    }
}

#[test]
fn options_make_a_clause_of_their_own() {
    let loaded = load_typed("-i va0 --tcp a:1 --dns b --tcp c:2 --gateway any").unwrap();
    let [links, probes] = loaded.gate.clauses.as_slice() else { panic!("{:?}", loaded.gate) };
    assert_eq!(*links, implied(of("va0", vec![Item::Carrier, EITHER])));
    let shown: Vec<String> = probes.items.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["dns b", "tcp a:1", "tcp c:2", "gateway any"]);
    assert_eq!(parse("options", "command line", &loaded.parts[0].text), Ok(loaded.gate.clone()));
    assert_eq!(probes.items[0], Item::Probe(Probe::Dns("b".to_owned())));
    let error = load_typed("--tcp nas").unwrap_err();
    assert_eq!(error.to_string(), "--tcp nas has no port; write nas:443 or another one");
}
