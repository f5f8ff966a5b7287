//! The table of `check`, the lines at a timeout, and JSON.

use super::super::{Details, Tone, error_json, json_text, outcome, paint_none, status, summary, table, unmet_lines, verdict_json};
use super::{judged, standing};
use crate::kernel_line::Forced;
use crate::requirement::Gate;
use crate::verdict::{ReasonCode, Outcome};

const STORAGE: &str = "interface=['ens2f0','ens2f1']; carrier=true | address='10.10.0.0/16' | address='ipv6'; grace='5s' \
                       | interface='wg0'; if-present=true";
const CHECK_ENS2F1: &str = "check what ens2f1 is connected to: a cable, a switch port, an access point or a peer";
const HOST: &str = "ens2f0: up; ens2f1: nocarrier; addr ens2f0 10.10.0.21/16";

#[test]
fn check_says_the_verdict_and_then_each_requirement() {
    let (gate, verdict) = judged(STORAGE, HOST);
    assert_eq!(
        table(&gate, &verdict, verdict.ready(), Details::default(), paint_none),
        "NOT ready: gate test (test.toml)\n\
         \x20 met     carrier               ens2f0\n\
         \x20 unmet   carrier               ens2f1: no carrier\n\
         \x20         next: check what ens2f1 is connected to: a cable, a switch port, an access point or a peer\n\
         \x20 met     address 10.10.0.0/16  10.10.0.21 on ens2f0\n\
         \x20 wanted  address ipv6          no IPv6 address\n\
         \x20 absent  carrier               not there, does not count\n\
         \x20 absent  address ip            not there, does not count\n"
    );
}

#[test]
fn the_columns_are_those_of_the_manual() {
    let (gate, verdict) = judged("interface='ens2f0'; carrier=true | address='10.10.0.0/16'", HOST);
    assert_eq!(
        table(&gate, &verdict, true, Details::default(), paint_none),
        "Ready: gate test (test.toml)\n\
         \x20 met    carrier               ens2f0\n\
         \x20 met    address 10.10.0.0/16  10.10.0.21 on ens2f0\n"
    );
}

#[test]
fn colour_does_not_move_the_columns() {
    let (gate, verdict) = judged(STORAGE, HOST);
    let painted = table(&gate, &verdict, false, Details::default(), |tone, word| {
        let mark = match tone {
            Tone::Good => '+',
            Tone::Bad => '-',
            Tone::Dim => '.',
        };
        format!("{mark}{word}")
    });
    let plain = table(&gate, &verdict, false, Details::default(), paint_none);
    let has_a_word = |(_, plain): &(&str, &str)| !plain.contains("next: ");
    for (painted, plain) in painted.lines().zip(plain.lines()).filter(has_a_word) {
        let (colour, word) = painted.split_once(|c| "+-.".contains(c)).unwrap();
        assert_eq!(format!("{colour}{word}"), plain);
    }
    assert!(painted.contains("+met ") && painted.contains("-unmet ") && painted.contains(".wanted "), "{painted}");
}

#[test]
fn warnings_stand_below() {
    let (gate, verdict) = judged("address='ipv6'", "x0: up; addr x0 2001:db8::10/64; addr x0 2001:db8::11/64 dadfailed");
    let text = table(&gate, &verdict, true, Details::default(), paint_none);
    assert_eq!(text.lines().last(), Some("warning: 2001:db8::11 on x0 is dadfailed: another host has it"));
}

#[test]
fn at_the_timeout_every_unmet_requirement_has_a_line() {
    let (_, verdict) = judged(STORAGE, HOST);
    assert_eq!(unmet_lines(&verdict), ["unmet  carrier  ens2f1: no carrier", "wanted  address ipv6  no IPv6 address"]);
}

#[test]
fn json_has_the_documented_fields() {
    let (gate, verdict) = judged(STORAGE, HOST);
    let json = serde_json::Value::Object(verdict_json(&gate, &verdict, verdict.ready(), "waiting", None));
    let row = |clause: u32, requirement: &str, met: bool, required: bool, code: Option<&str>, reason: &str, interface: Option<&str>, grace: Option<&str>, evidence: serde_json::Value| {
        serde_json::json!({
            "requirement": requirement, "met": met, "required": required, "code": code, "reason": reason,
            "interface": interface, "grace": grace, "clause": clause, "evidence": evidence,
            "next": (code == Some("no-carrier")).then_some(CHECK_ENS2F1), "place": null,
        })
    };
    let link = |name: &str, ifindex: u32| serde_json::json!({ "link": name, "ifindex": ifindex });
    let address = serde_json::json!({ "link": "ens2f0", "ifindex": 2, "address": "10.10.0.21" });
    let none = || serde_json::Value::Null;
    let expected = serde_json::json!({
        "ready": false,
        "gate": "test",
        "source": "test.toml",
        "requirements": [
            row(1, "carrier", true, true, None, "ens2f0", Some("ens2f0"), None, link("ens2f0", 2)),
            row(1, "carrier", false, true, Some("no-carrier"), "ens2f1: no carrier", Some("ens2f1"), None, serde_json::json!({ "link": "ens2f1" })),
            row(2, "address 10.10.0.0/16", true, true, None, "10.10.0.21 on ens2f0", None, None, address),
            row(3, "address ipv6", false, false, Some("no-address"), "no IPv6 address", None, Some("5s"), none()),
            row(4, "carrier", false, false, Some("not-present"), "not there, does not count", None, None, none()),
            row(4, "address ip", false, false, Some("not-present"), "not there, does not count", None, None, none()),
        ],
        "warnings": [],
        "state": "waiting",
        "clauses": [
            { "met": false, "required": true, "quorum": { "met": 1, "needed": 2, "of": 2 } },
            { "met": true, "required": true, "quorum": null },
            { "met": false, "required": false, "quorum": null },
            { "met": true, "required": true, "quorum": null },
        ],
    });
    assert_eq!(json, expected);
    assert_eq!(error_json("no gate").to_string(), r#"{"error":"no gate"}"#);
}

#[test]
fn json_tells_what_the_kernel_command_line_changes() {
    let (gate, verdict) = judged(STORAGE, HOST);
    let json = |open, bounded| {
        let gate = Gate { forced: Forced { open, bounded }, ..gate.clone() };
        verdict_json(&gate, &verdict, false, "waiting", None).get("kernel_command_line").cloned()
    };
    assert_eq!(json(false, false), None);
    assert_eq!(json(true, false), Some(serde_json::json!({ "open": true, "timeout": null })));
    assert_eq!(json(false, true), Some(serde_json::json!({ "open": false, "timeout": "90s" })));
}

#[test]
fn a_code_is_null_exactly_if_the_requirement_is_met() {
    for network in ["", HOST, "unread4; unread6"] {
        let (gate, verdict) = judged(&format!("{STORAGE} | pasta=true | route-to='198.51.100.7'"), network);
        let json = verdict_json(&gate, &verdict, verdict.ready(), "waiting", None);
        for (row, (_, known)) in json["requirements"].as_array().unwrap().iter().zip(verdict.rows()) {
            assert_eq!(row["code"].is_null(), matches!(known.outcome, Outcome::Met(_)), "{row}");
            assert_eq!(row["met"].as_bool(), Some(row["code"].is_null()), "{row}");
            if let Some(code) = row["code"].as_str() {
                assert!(ReasonCode::ALL.iter().any(|known| known.as_str() == code), "{code} is documented");
            }
        }
    }
}

#[test]
fn codes_are_words_of_their_own() {
    let mut words: Vec<&str> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), ReasonCode::ALL.len());
    // These words are stable, because scripts rely on them.
    for word in ["absent", "admin-down", "no-carrier", "dormant", "no-address", "tentative", "dadfailed", "deprecated", "no-route", "route-dead"] {
        assert!(words.contains(&word), "{word}");
    }
}

#[test]
fn the_table_says_what_met_a_probe_or_why_it_failed() {
    const GATE: &str = "route='default' | tcp='10.10.0.5:3260'; dns='registry.example.org'; gateway='any' | http='https://a.example'; grace='5s'";
    let host = "e0: up; addr e0 192.0.2.10/24; route default4 via 192.0.2.1 dev e0; fails dns registry.example.org = NXDOMAIN from 192.0.2.53; \
                says tcp 10.10.0.5:3260 = 10.10.0.5:3260; fails gateway 192.0.2.1 e0 = does not answer";
    let (gate, verdict) = judged(GATE, host);
    assert_eq!(
        table(&gate, &verdict, verdict.ready(), Details::default(), paint_none),
        "NOT ready: gate test (test.toml)\n\
         \x20 met     route default             default via 192.0.2.1 dev e0\n\
         \x20 unmet   dns registry.example.org  NXDOMAIN from 192.0.2.53\n\
         \x20 met     tcp 10.10.0.5:3260        10.10.0.5:3260\n\
         \x20 unmet   gateway any               gateway 192.0.2.1 on e0 does not answer\n\
         \x20         next: ip neigh show 192.0.2.1 dev e0\n\
         \x20 wanted  http https://a.example/   no answer yet\n"
    );
    let (gate, verdict) = judged(GATE, "e0: up");
    assert_eq!(
        table(&gate, &verdict, verdict.ready(), Details::default(), paint_none),
        "NOT ready: gate test (test.toml)\n\
         \x20 unmet   route default             no default route\n\
         \x20 unmet   dns registry.example.org  not tried: waits for the others\n\
         \x20 unmet   tcp 10.10.0.5:3260        not tried: waits for the others\n\
         \x20 unmet   gateway any               no default route\n\
         \x20 wanted  http https://a.example/   not tried: waits for the others\n"
    );
}

/// A name that others give to a server, a link or a gate.
const EVIL: &str = "a\nREADY=1\u{1b}[2J\u{202e}\u{9b}1m";
const SAFE: &str = r"a\x0aREADY=1\x1b[2J\u{202e}\u{009b}1m";

fn evil() -> (crate::requirement::Gate, crate::verdict::Verdict) {
    let (mut gate, mut verdict) = judged("interface='x0'; carrier=true | tcp='a:1' | nameserver=true", "x0: up; ns 192.0.2.53; fails tcp a:1");
    gate.name = EVIL.to_owned();
    gate.source = format!("/{EVIL}");
    for row in verdict.clauses.iter_mut().flat_map(|clause| &mut clause.rows) {
        let text = match &mut row.outcome {
            Outcome::Met(crate::verdict::Evidence::Link { ifname, .. }) => Some(ifname),
            Outcome::Met(crate::verdict::Evidence::Nameserver(server)) => Some(server),
            Outcome::Unmet(crate::verdict::Reason::ProbeFailed { why, .. }) => Some(why),
            Outcome::Met(_) | Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => None,
        };
        EVIL.clone_into(text.unwrap());
    }
    (gate, verdict)
}

#[test]
fn text_of_others_is_escaped_for_people() {
    let (gate, verdict) = evil();
    let phase = crate::gate_state::Phase::Waiting;
    let rows: Vec<String> = verdict.rows().map(|(_, row)| outcome(row)).collect();
    let mut printings = vec![table(&gate, &verdict, false, Details::default(), paint_none).replace('\n', " "), status(&gate, &verdict, standing(phase)), summary(&verdict)];
    printings.extend(unmet_lines(&verdict).into_iter().chain(rows));
    for text in printings {
        assert!(text.contains(SAFE), "{text:?}");
        assert!(!text.contains(crate::escape::is_unsafe), "{text:?}");
    }
}

#[test]
fn json_keeps_the_values_and_shows_nothing_to_a_terminal() {
    let (gate, verdict) = evil();
    let text = json_text(&verdict_json(&gate, &verdict, false, "waiting", None).into());
    assert!(!text.contains(crate::escape::is_unsafe), "{text:?}");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["gate"], EVIL);
    assert_eq!(value["requirements"][1]["reason"], EVIL);
    let tag = serde_json::json!({"a\u{e0041}": "\u{7f}"});
    assert_eq!(json_text(&tag), r#"{"a\udb40\udc41":"\u007f"}"#);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json_text(&tag)).unwrap(), tag);
}

#[test]
fn json_says_what_a_requirement_is_met_by_and_what_its_reason_is_about() {
    for (gate, network, row, evidence) in [
        ("route='default'", "x0: up; addr x0 10.0.0.2/24; route default4 via 10.0.0.1 dev x0", 0,
            r#"{"link":"x0","ifindex":2,"destination":"0.0.0.0/0","gateway":"10.0.0.1","table":254,"metric":0,"address":"10.0.0.2"}"#),
        ("pasta=true", "x0: up; addr x0 10.0.0.2/24; pasta4 default4 via 10.0.0.1 dev x0; gateway4", 0,
            r#"{"routes":[{"link":"x0","ifindex":2,"destination":"0.0.0.0/0","gateway":"10.0.0.1","table":254,"metric":0}]}"#),
        ("address='2001:db8::7'", "x0: up; addr x0 2001:db8::7/64 dadfailed", 0,
            r#"{"link":"x0","ifindex":2,"address":"2001:db8::7"}"#),
        ("interface='x0'", "", 0, r#"{"link":"x0"}"#),
        ("interface='x0'; address='ipv4'", "x0: up", 1, r#"{"link":"x0"}"#),
    ] {
        let (gate, verdict) = judged(gate, network);
        let json = verdict_json(&gate, &verdict, verdict.ready(), "waiting", None);
        assert_eq!(json["requirements"][row]["evidence"].to_string(), evidence, "{:#}", json["requirements"]);
    }
}
