use core::time::Duration;

use super::*;
use crate::history::Code;
use crate::report::paint_none;
use crate::verdict::ReasonCode;

/// The moment this many seconds after the gates of these tests started.
pub(crate) fn at(seconds: u64) -> Moment {
    Moment::after_boot(Duration::from_secs(100 + seconds))
}

/// A gate of the system that netready.service keeps.
pub(crate) fn kept(gate: &str, state: &str) -> KeptGate {
    let state = GateWord::of(state).unwrap();
    let snapshot = Snapshot {
        gate: gate.to_owned(),
        source: "/etc/netready/default.toml".to_owned(),
        version: "0.1.0".to_owned(),
        started: at(0),
        awaited_since: at(0),
        at: at(6),
        state,
        since: at(6),
        ready_after: Some(Duration::from_millis(5980)),
        losses: 1,
        gave_up: None,
        last_gave_up: None,
        reason: None,
        what: "default via 10.9.0.1 dev e0".to_owned(),
    };
    KeptGate { snapshot, user: None, unit: Some("netready".to_owned()), pid: 7, running: true }
}

/// A waiting gate of a user, whose `run` was started by hand.
pub(crate) fn nas() -> KeptGate {
    let mut gate = kept("nas", "waiting");
    (gate.user, gate.unit, gate.pid) = (Some(1000), None, 9);
    gate.snapshot.source = "/etc/netready/nas.toml".to_owned();
    (gate.snapshot.ready_after, gate.snapshot.losses, gate.snapshot.since) = (None, 0, at(0));
    let text = "e0 has no carrier".to_owned();
    gate.snapshot.what.clone_from(&text);
    gate.snapshot.reason =
        Some(Cause { code: Code::Known(ReasonCode::NoCarrier), text, link: Some("e0".to_owned()) });
    gate
}

fn ended(gate: KeptGate) -> KeptGate {
    KeptGate { running: false, ..gate }
}

fn hidden(unit: &str, says: Option<(&str, &str, &str)>) -> HiddenUnit {
    let says = says.map(|(active, sub, status)| UnitState {
        active: active.to_owned(),
        sub: sub.to_owned(),
        status_text: status.to_owned(),
    });
    HiddenUnit { unit: unit.to_owned(), says }
}

fn overview(gates: Vec<KeptGate>, hidden: Vec<HiddenUnit>, asked: &[&str]) -> Overview {
    Overview { gates, hidden, asked: asked.iter().map(|name| (*name).to_owned()).collect() }
}

fn table(overview: &Overview) -> String {
    status_table(overview, at(3666), &|moment| format!("@{}", moment.since_boot().as_secs()), paint_none)
}

#[test]
fn a_line_for_each_gate() {
    let gave_up = ended(kept("late", "gave-up"));
    let text = table(&overview(
        vec![kept("default", "ready"), gave_up, nas(), ended(kept("old", "ready"))],
        vec![],
        &[],
    ));
    let expected = "\
GATE        STATE    SINCE           TOOK   LOSSES  BY WHAT, OR WHAT IS MISSING
default     ready    @106 (1h 1min)  5.98s  1       default via 10.9.0.1 dev e0
late        gave-up  @106 (1h 1min)  5.98s  1       default via 10.9.0.1 dev e0
nas (user)  waiting  @100 (1h 1min)  -      0       e0 has no carrier
stopped earlier in this boot: old
";
    assert_eq!(text, expected);
}

#[test]
fn a_gate_that_waits_again_says_when_it_gave_up() {
    for (state, gave_up, expected) in [
        ("waiting", Some(at(4)), "gave up at @104; e0 has no carrier"),
        ("settling", Some(at(4)), "gave up at @104; e0 has no carrier"),
        ("waiting", None, "0       e0 has no carrier"),
        ("gave-up", Some(at(4)), "0       e0 has no carrier"),
    ] {
        let mut gate = nas();
        (gate.snapshot.state, gate.snapshot.gave_up) = (GateWord::of(state).unwrap(), gave_up);
        let text = table(&overview(vec![gate], vec![], &[]));
        assert!(text.trim_end().ends_with(expected), "{text}");
    }
    let mut gate = nas();
    gate.snapshot.last_gave_up = Some(at(4));
    let json = status_json(&overview(vec![gate], vec![], &[]), &|_| String::new());
    assert_eq!(json["gates"][0]["gave-up"], Value::Null);
    assert_eq!(json["gates"][0]["last-gave-up"]["since-boot"], 104.0);
}

#[test]
fn gates_that_the_user_names_are_shown() {
    let gates = || vec![kept("default", "ready"), ended(kept("old", "ready"))];
    let text = table(&overview(gates(), vec![], &["old", "none\n"]));
    assert_eq!(
        text,
        "GATE  STATE    SINCE  TOOK   LOSSES  BY WHAT, OR WHAT IS MISSING\n\
         old   stopped  -      5.98s  1\n\
         none\\x0a: no netready keeps this gate in this boot; to look at it once: netready check none\\x0a\n"
    );
    assert_eq!(table(&overview(vec![], vec![], &[])), NOTHING_KEPT);
}

#[test]
fn a_unit_that_may_not_be_seen_is_named_with_what_systemd_says() {
    let units = || {
        vec![
            hidden("netready", Some(("active", "running", "Ready after 5s\n"))),
            hidden("netready@nas", Some(("failed", "failed", ""))),
            hidden("netready@lab", None),
        ]
    };
    assert_eq!(
        table(&overview(vec![], units(), &[])),
        "netready.service (active, running): Ready after 5s\\x0a; run as root to see its gate\n\
         netready@nas.service (failed, failed); run as root to see its gate\n\
         netready@lab.service; run as root to see its gate\n"
    );
    for (asked, line) in [("default", "netready.service ("), ("lab", "netready@lab.service;")] {
        let text = table(&overview(vec![], units(), &[asked]));
        assert!(text.starts_with(line) && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn the_answer_is_about_the_gates_that_the_user_named() {
    use Answer::{NotReady, Ready, Unknown};
    let gates = || vec![kept("a", "ready"), kept("b", "ready"), kept("c", "lost"), ended(kept("d", "ready"))];
    for (asked, answer) in [
        (&["a"][..], Ready),
        (&["a", "b"], Ready),
        (&["a", "c"], NotReady),
        (&["d"], NotReady),
        (&["e"], NotReady),
        (&["a", "e"], NotReady),
        (&[], NotReady),
        (&["a", "nas"], Unknown),
        (&["c", "nas"], NotReady),
    ] {
        assert_eq!(
            overview(gates(), vec![hidden("netready@nas", None)], asked).answer(),
            answer,
            "{asked:?}"
        );
    }
    assert_eq!(overview(vec![], vec![], &[]).answer(), NotReady, "nothing is kept");
    assert_eq!(overview(vec![kept("a", "ready")], vec![], &[]).answer(), Ready);
    assert_eq!(overview(vec![kept("a", "ready"), ended(kept("d", "lost"))], vec![], &[]).answer(), Ready);
    assert_eq!(
        overview(vec![kept("a", "ready"), ended(kept("d", "gave-up"))], vec![], &[]).answer(),
        NotReady
    );
    for state in GateWord::ALL {
        let answer = overview(vec![kept("a", state.as_str())], vec![], &["a"]).answer();
        assert_eq!(answer == Ready, *state == GateWord::Ready, "{state:?}");
    }
    let of_both = vec![kept("a", "ready"), KeptGate { user: Some(0), ..kept("a", "waiting") }];
    assert_eq!(overview(of_both, vec![], &["a"]).answer(), NotReady, "the user's gate is meant too");
}

#[test]
fn what_a_process_noted_is_true_while_it_lives() {
    for (state, running, shown, since) in [
        ("ready", true, "ready", true),
        ("ready", false, "stopped", false),
        ("waiting", false, "stopped", false),
        ("stopped", false, "stopped", true),
        ("gave-up", true, "gave-up", true),
        ("gave-up", false, "gave-up", true),
    ] {
        let gate = KeptGate { running, ..kept("a", state) };
        assert_eq!((gate.state().as_str(), gate.since().is_some()), (shown, since), "{state} {running}");
    }
    assert!(nas().reason().is_some());
    assert!(ended(nas()).reason().is_none());
}

#[test]
fn json_has_what_the_table_has() {
    let time = |moment: Moment| format!("@{}", moment.since_boot().as_secs());
    let hidden = vec![hidden("netready@lab", Some(("active", "running", "Ready")))];
    let json = status_json(&overview(vec![kept("default", "ready"), ended(nas())], hidden, &[]), &time);
    assert_eq!(json["gates"].as_array().unwrap().len(), 1);
    let gate = &json["gates"][0];
    for (name, value) in [
        ("gate", json!("default")),
        ("scope", json!("system")),
        ("unit", json!("netready.service")),
        ("pid", json!(7)),
        ("state", json!("ready")),
        ("ready", json!(true)),
        ("since", json!({ "timestamp": "@106", "since-boot": 106.0 })),
        ("ready-after", json!(5.98)),
        ("losses", json!(1)),
        ("code", Value::Null),
    ] {
        assert_eq!(gate[name], value, "{name}");
    }
    assert_eq!(json["hidden"][0]["status-text"], "Ready");
    let json = status_json(&overview(vec![nas()], vec![], &["nas", "other"]), &time);
    let gate = &json["gates"][0];
    assert_eq!(
        (&gate["code"], &gate["link"], &gate["uid"]),
        (&json!("no-carrier"), &json!("e0"), &json!(1000))
    );
    assert_eq!(json["not-kept"], json!(["other"]));
}
