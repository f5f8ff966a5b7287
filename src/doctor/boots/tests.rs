use super::*;
use crate::moment::Moment;
use std::time::Duration;

/// An entry as it is read back from the journal.
fn found(kind: Kind, fields: &[(&'static str, &str)]) -> Found {
    Found {
        kind,
        realtime_usec: 0,
        monotonic: Duration::ZERO,
        at: Some(Moment::default()),
        unit: Some("web.service".to_owned()),
        of_user: true,
        fields: fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
    }
}

const READY: &str = r#"{"usec":900000,"event":"route","destination":"0.0.0.0/0","link":"e0","table":254,"metric":0,"state":"added"}
{"usec":1000000,"event":"gate","state":"ready","met_by":"x"}
not an event"#;

const SIX: &str = r#"{"usec":4000000,"event":"route","destination":"::/0","link":"e0","table":254,"metric":0,"state":"added"}"#;

fn late_boot(past: &mut Past, offset: i64) {
    let entries = [
        found(Kind::Ready, &[(field::GATE, "podman"), (field::EVENTS, READY)]),
        found(Kind::Late, &[(field::GATE, "podman"), (field::EVENTS, SIX)]),
    ];
    past.add(offset, entries.iter());
}

fn judged(past: &Past, gate: &str, exists: bool) -> Vec<Finding> {
    let now = |name: &str| config::parse(name, "t", gate).ok();
    judge(Manager::User, past, &now, &|name| (format!("/c/{name}.toml"), exists))
}

const ANY: &str = "[[require]]\nroute = \"default\"\n";

#[test]
fn the_finding_about_a_late_family_has_the_clause_for_it() {
    let mut past = Past::default();
    late_boot(&mut past, 0);
    assert_eq!(judged(&past, ANY, false), [], "once is an accident");
    late_boot(&mut past, -1);
    late_boot(&mut past, -2);
    let [finding] = &judged(&past, ANY, false)[..] else { panic!("{past:?}") };
    assert_eq!(finding.code, FindingCode::FamilyLate);
    assert_eq!(
        finding.what,
        "the first IPv6 default route by e0 came 3.0s to 3.0s after the gate was ready in each of the last 3 boots"
    );
    assert_eq!(
        finding.mend,
        [
            "netready learn podman --write    # writes a gate that waits for it; or",
            "add this clause to the gate, for example as /c/podman.toml.d/50-ipv6.toml:",
            "[[require]]",
            "route = \"default-ipv6\"",
            "grace = \"7s\""
        ]
    );
    assert!(judged(&past, ANY, true)[0].mend[0].starts_with("add this clause"), "a file of its own stays");
    let taken_over = format!("{ANY}{}\n", finding.mend[2..].join("\n"));
    assert_eq!(judged(&past, &taken_over, true), [], "{taken_over}");
}

#[test]
fn earlier_boots_in_which_a_gate_gave_up_are_found() {
    let mut past = Past::default();
    let gave_up = || [found(Kind::GaveUp, &[(field::GATE, "default"), (field::CODE, "no-carrier")])];
    past.add(0, gave_up().iter());
    assert_eq!(judged(&past, ANY, false), [], "this boot has a finding of its own");
    past.add(-1, gave_up().iter());
    past.add(-2, [found(Kind::Ready, &[(field::GATE, "default")])].iter());
    let [finding] = &judged(&past, ANY, false)[..] else { panic!("{past:?}") };
    assert_eq!(finding.code, FindingCode::GateGaveUpBefore);
    assert_eq!(finding.what, "gave up in 1 of the last 2 boots before this one; the last time: no-carrier");
}

#[test]
fn a_link_that_flaps_is_found() {
    let mut past = Past::default();
    let flap =
        r#"{"usec":1,"event":"link","link":"e0","ifindex":2,"state":"carrier","was":"carrier","flaps":3}"#;
    for offset in [0, -1] {
        past.add(offset, [found(Kind::Ready, &[(field::GATE, "podman"), (field::EVENTS, flap)])].iter());
    }
    let [finding] = &judged(&past, ANY, false)[..] else { panic!("{past:?}") };
    assert_eq!((finding.code, &*finding.subject), (FindingCode::LinkFlaps, "link e0"));
    assert!(
        finding.what.contains("up to 3 times") && finding.what.contains("2 of the last 2"),
        "{finding:?}"
    );
}

#[test]
fn a_pull_that_needed_retries_is_found() {
    let mut past = Past::default();
    let retry = |text: &str| found(Kind::PullRetry, &[(field::MESSAGE, text)]);
    past.add(0, [].iter());
    past.add(-1, [retry("first"), retry("second")].iter());
    past.add(-2, [retry("older")].iter());
    let [finding] = &judged(&past, ANY, false)[..] else { panic!("{past:?}") };
    assert_eq!((finding.code, &*finding.subject), (FindingCode::PullRetried, "web.service"));
    assert_eq!(
        finding.what,
        "its pull was tried again in 2 of the last 3 boots, up to 2 times; the last time: second"
    );
}
