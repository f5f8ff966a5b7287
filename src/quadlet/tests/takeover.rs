//! When Podman's wait unit is to wait for nothing: only where no quadlet is left without a gate by that.

use super::*;

const LAN: &str = "lan.service: Wants=netready@lan.service; After=netready@lan.service";

/// What is said beside a quadlet with `Gate=lan`: whether the wait unit is emptied, and the complaints.
fn beside(change: impl FnOnce(&mut QuadletInput)) -> (bool, Vec<String>) {
    let lan = with("Gate=lan");
    let files = [("app.container", APP), ("lan.container", lan.as_str()), ("web.pod", "[Pod]\n")];
    let mut input = input(Manager::User, WaitUnit::Gated, &files);
    change(&mut input);
    let plan = plan(&input);
    let said = shown(&plan);
    assert!(said.iter().any(|line| line == LAN), "{said:?}");
    let emptied = said.iter().any(|line| line == EMPTIED);
    // The others have an order of their own exactly where the wait unit has none.
    for unit in ["app.service", "web-pod.service"] {
        let after = format!("{unit}: Wants=netready.service; After=netready.service");
        let taken = input.taken.contains(unit);
        assert_eq!(said.contains(&after), emptied && !taken, "{unit}: {said:?}");
    }
    (emptied, plan.problems.iter().map(ToString::to_string).collect())
}

fn file(input: &mut QuadletInput, name: &str, text: &str) {
    let source = Source { path: format!("/q0/{name}"), text: text.to_owned() };
    input.directories[0].quadlets.insert(name.to_owned(), source);
}

#[test]
fn it_is_emptied_where_every_quadlet_was_understood() {
    assert_eq!(beside(|_| ()), (true, vec![]));
    for (name, text) in [
        ("masked.container", ""),
        ("n.network", ""),
        ("v.volume", "[Volume]\n"),
        ("x.kube", "[Kube]\nYaml=a.yml\n"),
        ("i@.image", "[Image]\nImage=i\n"),
        ("gate.container", &with("Gate=a b")),
    ] {
        assert!(beside(|input| file(input, name, text)).0, "{name}");
    }
    // Drop-ins that Podman refuses cost themselves.
    let refused = Source { path: "/q0/container.d/x.conf".to_owned(), text: "nonsense".to_owned() };
    let refused = |input: &mut QuadletInput| {
        input.directories[0]
            .drop_ins
            .insert("container.d".to_owned(), [("x.conf".to_owned(), refused)].into());
    };
    assert!(beside(refused).0);
}

#[test]
fn it_is_left_alone_where_one_was_not() {
    let left = |path: &str| {
        format!(
            "{path}: netready cannot tell which unit Podman makes of this file, so {WAIT_UNIT} is left as it is, and quadlets with \
             a gate of their own wait for podman as well"
        )
    };
    for (name, text) in [
        (".hidden.container", APP),
        ("app-.container", APP),
        ("my app.container", APP),
        ("line\nbreak.container", APP),
        ("app@x.pod", "[Pod]\nServiceName=../x\n"),
        ("other.container", "[Container]\nImage=i\nServiceName=app\n"),
        ("app.kube", "[Kube]\nYaml=a.yml\n"),
        ("broken.container", "nonsense\n"),
        (&format!("{}.container", "a".repeat(241)), APP),
    ] {
        let (emptied, said) = beside(|input| file(input, name, text));
        assert!(!emptied, "{name}");
        // What is wrong with it, and what comes of that.
        assert_eq!(
            (said.len(), said.last()),
            (2, Some(&left(&escape(&format!("/q0/{name}"))))),
            "{name}: {said:?}"
        );
    }
    // Not read: too large, unreadable, no text, a folder that was not searched.
    let (emptied, said) = beside(|input| {
        input
            .directories
            .push(Directory { unread: vec!["/q/x.container".to_owned()], ..Directory::default() });
    });
    assert_eq!((emptied, said), (false, vec![left("/q/x.container")]));
    // A unit of the user's own in its place, perhaps a copy of Podman's (systemctl edit --full).
    let (emptied, said) = beside(|input| assert!(input.taken.insert("app.service".to_owned())));
    assert_eq!((emptied, said), (false, vec![left("/q0/app.container")]));
}

#[test]
fn nothing_is_said_where_it_would_not_have_been_emptied() {
    let unread = |manager, wait_unit, files: &[(&str, &str)]| {
        let mut input = input(manager, wait_unit, files);
        input.directories[0].unread.push("/q/x.container".to_owned());
        plan(&input).problems
    };
    let lan = with("Gate=lan");
    assert_eq!(unread(Manager::User, WaitUnit::Gated, &[("app.container", APP)]), []);
    assert_eq!(unread(Manager::User, WaitUnit::Absent, &[("app.container", &lan)]), []);
    assert_eq!(unread(Manager::User, WaitUnit::Replaced, &[("app.container", &lan)]), []);
    assert_eq!(unread(Manager::System, WaitUnit::Absent, &[("app.container", &lan)]), []);
}

/// A unit that is no quadlet and was ordered after the wait unit by hand would start without any gate.
#[test]
fn it_is_left_alone_where_a_unit_of_another_kind_names_it() {
    let waiting =
        |input: &mut QuadletInput| input.waiting = vec!["/u/b.service".to_owned(), "/u/c.timer".to_owned()];
    let said = format!(
        "/u/b.service: this unit names Podman's wait unit, so {WAIT_UNIT} is left as it is, and quadlets with a gate \
         of their own wait for podman as well"
    );
    assert_eq!(beside(waiting), (false, vec![said]));
    let mut input = input(Manager::User, WaitUnit::Gated, &[("app.container", APP)]);
    waiting(&mut input);
    assert_eq!(plan(&input).problems, []);
}

/// Podman orders it after nothing, but its own After= does.
#[test]
fn a_quadlet_that_names_it_itself_keeps_a_gate() {
    let lan = with("Gate=lan");
    for (unit, is_gated) in [
        ("", false),
        ("[Unit]\nAfter=network.target\n", false),
        ("[Unit]\nWants=podman-user-wait-network-online.service\n", false),
        ("[Unit]\nAfter=podman-user-wait-network-online.service\n", true),
        ("[Unit]\nAfter=a.service podman-user-wait-network-online.service\nAfter=\n", true),
        ("[Unit]\nAfter=\"podman-user-wait-network-online.service\"\n", true),
    ] {
        let own = format!("{APP}[Quadlet]\nDefaultDependencies=false\n{unit}");
        let said = user(WaitUnit::Gated, &[("lan.container", &lan), ("own.container", &own)]);
        let gated = "own.service: Wants=netready.service; After=netready.service".to_owned();
        assert_eq!(said.contains(&gated), is_gated, "{unit}: {said:?}");
        // While the wait unit waits, nothing else is needed.
        assert_eq!(user(WaitUnit::Gated, &[("own.container", &own)]), NONE, "{unit}");
    }
}
