//! Tables of events and their lines.

use core::time::Duration;

use crate::history::*;

fn event(micros: u64, what: What) -> Event {
    Event { at: Moment::after_boot(Duration::from_micros(micros)), what }
}

fn no_carrier() -> Cause {
    Cause {
        code: Code::Known(ReasonCode::NoCarrier),
        text: "e0 has no carrier".to_owned(),
        link: Some("e0".to_owned()),
    }
}

#[test]
fn each_kind_has_its_fields() {
    let clause = StartClause {
        links: vec!["e*".to_owned()],
        requirements: vec!["address ip".to_owned(), "route default".to_owned()],
        quorum: "each".to_owned(),
        grace: Some(Duration::from_secs(3)),
    };
    let table: &[(What, &str)] = &[
        (
            What::Start(Start {
                gate: "netready".to_owned(),
                source: "/etc/netready/netready.toml".to_owned(),
                reloaded: false,
                timeout: Some(Duration::from_secs(120)),
                settle: Duration::ZERO,
                clauses: vec![clause],
                more_clauses: 0,
            }),
            r#""event":"start","gate":"netready","source":"/etc/netready/netready.toml","timeout_usec":120000000,"settle_usec":0,"clauses":[{"links":["e*"],"requirements":["address ip","route default"],"quorum":"each","grace_usec":3000000}]"#,
        ),
        (
            What::Gate(GateChange {
                state: GateWord::Waiting,
                by: None,
                reason: Some(no_carrier()),
                met_by: None,
            }),
            r#""event":"gate","state":"waiting","code":"no-carrier","text":"e0 has no carrier","reason_link":"e0""#,
        ),
        (
            What::Gate(GateChange {
                state: GateWord::Opened,
                by: Some(By::Timeout),
                reason: None,
                met_by: None,
            }),
            r#""event":"gate","state":"opened","by":"timeout""#,
        ),
        (
            What::Requirement(RequirementChange {
                clause: 1,
                requirement: "route default".to_owned(),
                link: None,
                state: RequirementWord::Met,
                met_by: Some("default via 10.9.0.1 dev e0".to_owned()),
                reason: None,
            }),
            r#""event":"requirement","clause":1,"requirement":"route default","state":"met","met_by":"default via 10.9.0.1 dev e0""#,
        ),
        (
            What::Link(LinkChange {
                link: "e0".to_owned(),
                ifindex: 2,
                state: LinkWord::Carrier,
                was: Some(LinkWord::NoCarrier),
                flaps: 0,
            }),
            r#""event":"link","link":"e0","ifindex":2,"state":"carrier","was":"no-carrier""#,
        ),
        (
            What::Link(LinkChange {
                link: "e0".to_owned(),
                ifindex: 2,
                state: LinkWord::Down,
                was: None,
                flaps: 3,
            }),
            r#""event":"link","link":"e0","ifindex":2,"state":"down","flaps":3"#,
        ),
        (
            What::Address(AddressChange {
                link: "e0".to_owned(),
                ifindex: 2,
                address: "2001:db8::7/64".parse().unwrap(),
                peer: None,
                state: AddressWord::Tentative,
            }),
            r#""event":"address","link":"e0","ifindex":2,"address":"2001:db8::7/64","state":"tentative""#,
        ),
        (
            What::Route(RouteChange {
                destination: "0.0.0.0/0".parse().unwrap(),
                link: Some("e0".to_owned()),
                gateway: Some("10.9.0.1".parse().unwrap()),
                table: 254,
                metric: 100,
                state: RouteWord::Added,
            }),
            r#""event":"route","destination":"0.0.0.0/0","link":"e0","gateway":"10.9.0.1","table":254,"metric":100,"state":"added""#,
        ),
        (
            What::Probe(ProbeChange {
                probe: "tcp 192.0.2.1:443".to_owned(),
                state: ProbeWord::Failed,
                text: "Connection refused".to_owned(),
            }),
            r#""event":"probe","probe":"tcp 192.0.2.1:443","state":"failed","text":"Connection refused""#,
        ),
        (What::Dropped(7), r#""event":"dropped","count":7"#),
    ];
    for (what, expected) in table {
        let event = event(5_980_123, what.clone());
        let line = line(&event);
        assert_eq!(line, format!("{{\"usec\":5980123,{expected}}}\n"));
        assert_eq!(read(&line), Some(event));
    }
}

#[test]
fn a_reader_ignores_what_it_does_not_know() {
    let link =
        |more: &str| format!(r#"{{"usec":1,"event":"link","link":"e0","ifindex":2,"state":"down"{more}}}"#);
    let known = read(&link("")).unwrap();
    assert_eq!(read(&link(r#","colour":"red","deep":{"a":[1,2]}"#)), Some(known.clone()), "another field");
    assert_eq!(read(&link(r#","was":"melting""#)), Some(known), "another word where there need not be one");
    for line in [
        "",
        "{",
        "[]",
        "7",
        r#"{"usec":1}"#,
        r#"{"usec":1,"event":"moon"}"#,
        r#"{"usec":-1,"event":"dropped","count":1}"#,
        r#"{"usec":"1","event":"dropped","count":1}"#,
        r#"{"event":"dropped","count":1}"#,
        r#"{"usec":1,"event":"link","link":"e0","ifindex":2,"state":"melting"}"#,
        r#"{"usec":1,"event":"link","link":"e0","ifindex":4294967296,"state":"down"}"#,
        r#"{"usec":1,"event":"address","link":"e0","ifindex":2,"address":"192.0.2.1","state":"usable"}"#,
    ] {
        assert_eq!(read(line), None, "{line}");
    }
    let deep = format!(r#"{{"usec":1,"event":"dropped","count":1,"x":{}}}"#, "[".repeat(60_000));
    assert_eq!(read(&deep), None);
}

#[test]
fn long_texts_are_cut_at_the_end_of_a_character() {
    let mut long = "é".repeat(200);
    bound(&mut long);
    assert_eq!(long, format!("{}…", "é".repeat(126)));
    let mut just = "x".repeat(LONGEST_TEXT);
    bound(&mut just);
    assert_eq!(just, "x".repeat(LONGEST_TEXT));
}

#[test]
fn the_start_of_a_gate_without_end_is_bounded() {
    let clause = StartClause { requirements: vec!["address ip".to_owned(); 100], ..StartClause::default() };
    let start = Start { clauses: vec![clause; 1000], ..Start::default() };
    let Some(Event { what: What::Start(read), .. }) = read(&line(&event(1, What::Start(start)))) else {
        panic!("no start")
    };
    assert_eq!((read.clauses.len(), read.more_clauses), (3, 997));
}
