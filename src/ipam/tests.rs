use std::collections::BTreeMap;

use super::bolt::Database;
use super::leases::{Container, held, judge, lasting, without};
use super::podman::containers;
use super::*;

const LEAK: &[u8] = include_bytes!("tests/leak.db");
const NETWORKS: &[u8] = include_bytes!("tests/networks.db");

/// `NETWORK ADDRESS FIRST-DIGITS`, a line each.
fn text<'a>(all: impl IntoIterator<Item = &'a Held>) -> String {
    let line = |held: &Held| format!("{} {} {:.4}\n", held.network, held.address, held.container);
    all.into_iter().map(line).collect()
}

#[cfg(target_endian = "little")]
#[test]
fn recorded_leases() {
    let read = |data| held(&Database::parse(data).unwrap().root).unwrap();
    assert_eq!(text(&read(LEAK)), "systemd-seed 172.21.0.2 7c62\n");
    let all = read(NETWORKS);
    assert_eq!(all.len(), 19);
    let mine = all.iter().filter(|held| held.container.starts_with("d5b8"));
    assert_eq!(text(mine), "dual 10.77.0.7 d5b8\ndual fd00:77::7 d5b8\none 10.89.0.7 d5b8\n");
}

#[cfg(target_endian = "little")]
#[test]
fn only_what_leaked_is_taken_out() {
    let mut root = Database::parse(NETWORKS).unwrap().root;
    let before = held(&root).unwrap();
    let leaked: BTreeSet<Held> = before
        .iter()
        .filter(|held| held.container.starts_with("d5b8") && held.network == "dual")
        .cloned()
        .collect();
    let mut other = leaked.first().unwrap().clone();
    other.container = "f".repeat(64);
    let asked = leaked.iter().cloned().chain([other]).collect();
    assert_eq!(without(&mut root, &asked), leaked, "what another holds by now stays");
    assert_eq!(held(&root).unwrap(), before.difference(&leaked).cloned().collect());
    let debug = format!("{root:?}");
    assert_eq!(
        debug.matches("Bucket(").count(),
        format!("{:?}", Database::parse(NETWORKS).unwrap().root).matches("Bucket(").count()
    );
    assert_eq!(without(&mut root, &asked), BTreeSet::new(), "a second time there is nothing to do");
}

#[test]
fn verdicts() {
    let id = "0eebf4178c8cea329b06ce7ee3380dbb819560f6a4ff3bba7d478e69e5eb4e89";
    let build = "buildah-buildah2837482913";
    let judged = |container: &str, listed: Option<&str>, running: bool| {
        let held = Held { network: "n".into(), address: [10, 0, 0, 2].into(), container: container.into() };
        let containers: BTreeMap<String, Container> = listed
            .map(|state| (container.to_owned(), Container { name: "web".into(), state: state.into() }))
            .into_iter()
            .collect();
        judge([held].into(), &containers, |_| running)[0].state
    };
    for (container, listed, running, expected) in [
        (id, Some("running"), true, State::InUse),
        (id, Some("running"), false, State::InUse),
        (id, Some("paused"), true, State::InUse),
        (id, Some("stopping"), true, State::InUse),
        (id, Some("a state of tomorrow"), false, State::InUse),
        (id, Some("created"), false, State::Idle),
        (id, Some("exited"), false, State::Idle),
        (id, Some("exited"), true, State::InUse),
        (id, None, false, State::Leaked),
        (id, None, true, State::Elsewhere),
        (build, None, false, State::Elsewhere),
    ] {
        assert_eq!(judged(container, listed, running), expected, "{container} {listed:?} {running}");
    }
}

#[test]
fn a_container_that_is_just_starting_is_not_amiss() {
    let lease = |last: u8, state| Lease {
        held: Held { network: "n".into(), address: [10, 0, 0, last].into(), container: "a".repeat(64) },
        name: None,
        state,
    };
    let first = [lease(2, State::Leaked), lease(3, State::InUse), lease(4, State::Idle)];
    let second = vec![
        lease(2, State::Leaked),
        lease(3, State::Leaked),
        lease(4, State::Leaked),
        lease(5, State::Idle),
        lease(6, State::Elsewhere),
    ];
    let states: Vec<State> = lasting(&first, second).iter().map(|lease| lease.state).collect();
    assert_eq!(states, [State::Leaked, State::InUse, State::InUse, State::InUse, State::Elsewhere]);
}

#[test]
fn a_list_of_containers() {
    let json = br#"[{"Id":"aa","Names":["web"],"State":"running","IsInfra":false},{"Id":"bb","Names":null,"State":"created"}]"#;
    let list = containers(json).unwrap();
    assert_eq!(list["aa"], Container { name: "web".into(), state: "running".into() });
    assert_eq!(list["bb"].name, "");
    assert!(containers(b"[]").unwrap().is_empty());
    for wrong in ["", "null", "{}", r#"[{"Id":"aa"}]"#, r#"[{"Id":7,"State":"running"}]"#] {
        assert_eq!(containers(wrong.as_bytes()), None, "{wrong}: none of them must be taken for gone");
    }
}
