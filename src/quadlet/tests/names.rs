//! Under which names units get their drop-ins, and of which files there are units at all.

use super::*;

/// The units that have a drop-in or are netready's own.
fn written(files: &[(&str, &str)]) -> Vec<String> {
    let plan = plan(&input(Manager::System, WaitUnit::Absent, files));
    assert_eq!(plan.problems, [], "{files:?}");
    let own = plan.units.into_iter().map(|unit| unit.name);
    plan.drop_ins.into_iter().map(|drop_in| drop_in.unit).chain(own).collect()
}

/// Podman 5.7 and later puts what it adds to a name before the `@`; which Podman is here is not known.
#[test]
fn templates_have_both_names() {
    for (file, section, units) in [
        ("a@.image", "Image", &["a-image@.service", "a@-image.service"][..]),
        ("a@.pod", "Pod", &["a-pod@.service", "a@-pod.service"]),
        ("a@.build", "Build", &["a-build@.service", "a@-build.service"]),
        ("a@.artifact", "Artifact", &["a-artifact@.service", "a@-artifact.service"]),
        ("a-b@.image", "Image", &["a-b-image@.service", "a-b@-image.service"]),
        ("a.b@.image", "Image", &["a.b-image@.service", "a.b@-image.service"]),
        // Podman adds nothing to these.
        ("a@.container", "Container", &["a@.service"]),
        ("a@.kube", "Kube", &["a@.service"]),
        // Instances kept their names.
        ("a@1.image", "Image", &["a@1-image.service"]),
        ("a@1@.pod", "Pod", &["a@1-pod@.service", "a@1@-pod.service"]),
    ] {
        let text = format!("[{section}]\nk=v\n[X-Netready]\nGate=g\n");
        assert_eq!(written(&[(file, &text)]), units, "{file}");
        let text = format!("[{section}]\nServiceName=other@\n[X-Netready]\nGate=g\n");
        assert_eq!(written(&[(file, &text)]), ["other@.service"], "{file}");
    }
    // Networks and volumes need no gate, whatever they are called.
    for (file, section) in [("a@.network", "Network"), ("a@.volume", "Volume")] {
        assert_eq!(written(&[(file, &format!("[{section}]\nk=v\n"))]), NONE, "{file}");
    }
}

#[test]
fn both_names_of_a_template_say_the_same() {
    let text = "[Image]\nImage=r/i:%i\n[X-Netready]\nGate=g\nPullRetry=2\n";
    let plan = plan(&input(Manager::System, WaitUnit::Absent, &[("a@.image", text)]));
    let texts: Vec<&str> = plan.drop_ins.iter().map(|drop_in| drop_in.text.as_str()).collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].ends_with("pull --gate g --retries 2 --policy always r/i:%i\n"), "{}", texts[0]);
}

/// One drop-in says one thing.
#[test]
fn a_name_that_another_quadlet_has_is_that_ones() {
    let image = "[Image]\nImage=r/i:%i\n[X-Netready]\nGate=image\n";
    let container = "[Container]\nImage=i\n[X-Netready]\nGate=container\n";
    let said = system(&[("a@.image", image), ("a-image@.container", container)]);
    assert_eq!(
        said,
        [
            "a-image@.service: Wants=netready@container.service; After=netready@container.service",
            "a@-image.service: Wants=netready@image.service; After=netready@image.service",
        ]
    );
    let mut input = input(Manager::System, WaitUnit::Absent, &[("a@.image", image)]);
    input.taken.insert("a-image@.service".to_owned());
    assert_eq!(shown(&plan(&input)).len(), 1);
}

#[test]
fn each_name_of_a_template_has_a_helper() {
    let text = "[Pod]\n[X-Netready]\nGate=g\nRestartWhenReady=yes\n";
    assert_eq!(
        written(&[("a@.pod", text)]),
        [
            "a-pod@.service",
            "a@-pod.service",
            "netready-restart-a-pod@.service",
            "netready-restart-a@-pod.service",
            "netready-restart-g.target",
        ]
    );
}

/// Podman makes a unit of a pod, a network and a volume without a key, and of an empty file.
#[test]
fn files_without_keys() {
    let gate = "[X-Netready]\nGate=g\n";
    for (file, text, units) in [
        ("a.pod", "[Pod]\n", &["a-pod.service"][..]),
        ("a.pod", "", &["a-pod.service"]),
        ("a.pod", "# nothing\n\n", &["a-pod.service"]),
        ("a.pod", "[Unit]\nDescription=x\n", &["a-pod.service"]),
        ("a.container", "[Container]\n", &[]),
        ("a.container", "", &[]),
        ("a.container", "[Unit]\nDescription=x\n", &[]),
        ("a.kube", "", &[]),
        ("a.image", "[Image]\n", &[]),
        ("a.build", "", &[]),
        ("a.artifact", "[Artifact]\n", &[]),
    ] {
        let (_, kind) = file.split_once('.').unwrap();
        // For all of a kind, so also for one that is masked.
        let all = format!("{kind}.d/x.conf");
        assert_eq!(written(&[(file, text), (&all, gate)]), units, "{file}: {text:?}");
    }
    // The keys may all stand in a drop-in.
    let drop_in = format!("{APP}{gate}");
    assert_eq!(written(&[("a.container", ""), ("a.container.d/x.conf", &drop_in)]), ["a.service"]);
    // An empty one hides the next, as everywhere.
    assert_eq!(written(&[("a.container", ""), ("1:a.container", &drop_in)]), NONE);
    // In a user's manager a pod that says nothing waits for the user's gate.
    assert_eq!(
        user(WaitUnit::Absent, &[("a.pod", "")]),
        ["a-pod.service: Wants=netready.service; After=netready.service"]
    );
}

/// What is said of a template is for its instances, but not for units that only look like instances, and not for
/// instances that say something else.
#[test]
fn a_template_speaks_for_no_other_unit() {
    const TEMPLATE: &str = "[Container]\nImage=r/i:%i\n[X-Netready]\nGate=g\nGateRequired=yes\nPullRetry=2\n";
    let files = |own: &[(&'static str, &'static str)]| [&[("a@.container", TEMPLATE)], own].concat();
    for (own, shielded) in [
        (&[][..], &[][..]),
        (&[("a@.volume", "")], &["a@-volume.service"]),
        (&[("a@.network", "[Network]\n"), ("b@.volume", "")], &["a@-network.service"]),
        (&[("a@.image", "[Image]\nImage=oci:/srv/i\n")], &["a@-image.service"]),
        (&[("a@1.volume", "")], &["a@1-volume.service"]),
        (&[("x.network", "[Network]\nServiceName=a@net\n")], &["a@net.service"]),
        (&[("a@1.container", "[Container]\nImage=i\n[X-Netready]\nGate=none\n")], &["a@1.service"]),
        (&[("a-b@1.volume", ""), ("a.volume", ""), ("aa@1.volume", "")], &[]),
        // These have a drop-in of their own.
        (&[("a@1.container", TEMPLATE)], &[]),
        (&[("a@.pod", "[X-Netready]\nGate=g\n")], &[]),
    ] {
        let plan = plan(&input(Manager::System, WaitUnit::Absent, &files(own)));
        let silent =
            plan.drop_ins.iter().filter(|drop_in| drop_in.text.lines().all(|line| line.starts_with('#')));
        let silent: Vec<&str> = silent.map(|drop_in| drop_in.unit.as_str()).collect();
        assert_eq!(silent, shielded, "{own:?}");
    }
    // A unit of somebody's own that is no quadlet.
    let mut input = input(Manager::System, WaitUnit::Absent, &files(&[]));
    input.taken.extend(["a@own.service", "b@own.service", "a.service", "a@.x"].map(str::to_owned));
    assert_eq!(
        shown(&plan(&input)),
        [
            "a@.service: Wants=netready@g.service; After=netready@g.service; \
             TimeoutStartSec=infinity; wait g --timeout infinity --no-carrier-timeout infinity; pull --gate g --retries 2 --policy missing r/i:%i",
            "a@own.service: ",
        ]
    );
}

/// A generated unit takes precedence over a packaged one, so such a quadlet would replace the gate itself.
#[test]
fn a_name_of_netreadys_own_or_of_podmans_wait_unit_is_refused() {
    for (file, service, owner) in [
        ("netready.container", "netready.service", "netready"),
        ("netready@lan.kube", "netready@lan.service", "netready"),
        ("netready-restart-app.container", "netready-restart-app.service", "netready"),
        ("podman-user-wait-network-online.container", WAIT_UNIT, "Podman"),
    ] {
        let text = "[Container]\nImage=r/i\n[Kube]\nYaml=k.yml\n[X-Netready]\nGate=g\n";
        let said = user(WaitUnit::Gated, &[(file, text), ("app.container", &with("Gate=g"))]);
        let problem = format!(
            "/q0/{file}: {service} is the name of a unit of {owner}, which this one would replace; rename the file, or write ServiceName="
        );
        assert!(said.contains(&problem), "{said:?}");
        let drop_ins: Vec<&String> = said.iter().filter(|line| !line.starts_with('/')).collect();
        assert_eq!(drop_ins, ["app.service: Wants=netready@g.service; After=netready@g.service"], "{file}");
        let text = format!("{text}[Container]\nServiceName=other\n[Kube]\nServiceName=other\n");
        assert!(user(WaitUnit::Absent, &[(file, &text)])[0].starts_with("other.service: "), "{file}");
    }
    // Podman makes netready-pod.service of this one.
    assert_eq!(written(&[("netready.pod", "[X-Netready]\nGate=g\n")]), ["netready-pod.service"]);
}

#[test]
fn a_byte_order_mark_is_named() {
    let said = system(&[("a.container", "\u{feff}[Container]\nImage=r/i\n")]);
    assert_eq!(
        said,
        [
            "/q0/a.container:1: Podman refuses this file: it begins with a byte order mark; save it without one"
        ]
    );
}
