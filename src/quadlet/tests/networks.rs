//! Networks on a link of the host, which Podman cannot create before the link exists.

use super::*;

const MACVLAN: &str = "[Network]\nDriver=macvlan\nOptions=parent=e0\nSubnet=10.9.0.0/24\n";
const ORDERED: &str = "n-network.service: Wants=netready@lan.service; After=netready@lan.service";

/// What is written for `n.network`, and said of it, in the system's manager.
fn of_network(files: &[(&str, &str)]) -> Vec<String> {
    let lines = system(files).into_iter();
    lines.filter(|line| line.starts_with("n-network") || line.contains("n.network")).collect()
}

#[test]
fn a_network_on_a_link_has_the_gate_of_those_that_use_it() {
    let with_driver = |driver: &str| MACVLAN.replace("macvlan", driver);
    for (network, ordered) in [
        (MACVLAN.to_owned(), true),
        (with_driver("ipvlan"), true),
        (with_driver("\"macvlan\""), true),
        (with_driver("bridge"), false),
        ("[Network]\nSubnet=10.89.7.0/24\n".to_owned(), false),
        (format!("{MACVLAN}[Quadlet]\nDefaultDependencies=false\n"), false),
    ] {
        let container = with("Gate=lan\n[Container]\nNetwork=n.network");
        let expected: &[&str] = if ordered { &[ORDERED] } else { &[] };
        assert_eq!(
            of_network(&[("n.network", &network), ("c.container", &container)]),
            expected,
            "{network}"
        );
    }
}

#[test]
fn whoever_names_it_uses_it() {
    for (name, text, uses) in [
        ("c.container", "[Container]\nImage=i\nNetwork=n.network", true),
        ("c.container", "[Container]\nImage=i\nNetwork=n.network:ip=10.9.0.7", true),
        ("c.container", "[Container]\nImage=i\nNetwork=\"n.network:ip=10.9.0.7\"", true),
        ("c.container", "[Container]\nImage=i\nNetwork=host\nNetwork=n.network", true),
        ("p.pod", "[Pod]\nNetwork=n.network", true),
        ("k.kube", "[Kube]\nYaml=k.yml\nNetwork=n.network", true),
        ("b.build", "[Build]\nImageTag=b\nNetwork=n.network", true),
        ("c.container", "[Container]\nImage=i\nNetwork=other.network", false),
        ("c.container", "[Container]\nImage=i\nNetwork=n.network\nNetwork=", false),
    ] {
        let text = format!("{text}\n[X-Netready]\nGate=lan\n");
        let expected: &[&str] = if uses { &[ORDERED] } else { &[] };
        assert_eq!(of_network(&[("n.network", MACVLAN), (name, &text)]), expected, "{text}");
    }
}

#[test]
fn its_own_gate_comes_first_and_its_users_must_agree() {
    let on_it = |settings: &str| with(&format!("{settings}\n[Container]\nNetwork=n.network"));
    let (lan, wan, unsaid) = (on_it("Gate=lan"), on_it("Gate=wan"), on_it(""));
    let own = format!("{MACVLAN}[X-Netready]\nGate=own\n");
    assert_eq!(
        of_network(&[("n.network", &own), ("c.container", &lan)]),
        ["n-network.service: Wants=netready@own.service; After=netready@own.service"]
    );
    let both =
        |other: &str| of_network(&[("n.network", MACVLAN), ("c.container", &lan), ("d.container", other)]);
    assert_eq!(both(&lan), [ORDERED]);
    assert_eq!(both(&wan), NONE);
    assert_eq!(both(&unsaid), NONE);
    assert_eq!(of_network(&[("n.network", MACVLAN), ("c.container", &unsaid)]), NONE);
}

/// Podman makes the users require the unit of the network. If it failed because the gate gave up, they would not start
/// later either.
#[test]
fn it_waits_as_long_as_those_that_use_it() {
    let on_it = |settings: &str| with(&format!("{settings}\n[Container]\nNetwork=n.network"));
    let required = on_it("Gate=lan\nGateRequired=yes");
    let waits =
        format!("{ORDERED}; NotifyAccess=all; wait lan --timeout infinity --no-carrier-timeout infinity");
    assert_eq!(of_network(&[("n.network", MACVLAN), ("c.container", &required)]), [waits.as_str()]);
    let other = on_it("Gate=lan");
    let files = [("n.network", MACVLAN), ("c.container", required.as_str()), ("d.container", other.as_str())];
    assert_eq!(of_network(&files), [ORDERED]);
    // The pod's setting is its members'. So it is for what else they are made of.
    let image = ("n.image", "[Image]\nImage=r/i\n");
    let pod = ("p.pod", "[Pod]\n[X-Netready]\nGate=lan\nGateRequired=yes\n");
    let member = ("m.container", "[Container]\nImage=n.image\nPod=p.pod\n");
    let said = user(WaitUnit::Absent, &[image, pod, member]);
    assert_eq!(
        said.iter().find(|line| line.starts_with("n-image")),
        Some(&waits.replace("n-network", "n-image"))
    );
    // Whether it is the gate that was meant is not known.
    let unknown = on_it("Gate=lan\nGate=a/b\nGateRequired=yes");
    assert!(!of_network(&[("n.network", MACVLAN), ("c.container", &unknown)]).concat().contains("wait"));
    let main = with("GateRequired=yes\n[Container]\nNetwork=n.network");
    let said = user(WaitUnit::Absent, &[("n.network", MACVLAN), ("c.container", &main)]);
    assert!(said[1].ends_with("wait podman --timeout infinity --no-carrier-timeout infinity"), "{said:?}");
}

#[test]
fn settings_of_other_networks_and_of_volumes_are_refused() {
    let section = "[X-Netready]\nGate=lan\n";
    assert_eq!(
        of_network(&[("n.network", &format!("[Network]\n{section}"))]),
        [
            "/q0/n.network:2: [X-Netready]: a .network file needs no network, unless its Driver= is macvlan or ipvlan"
        ]
    );
    assert_eq!(
        system(&[("v.volume", &format!("[Volume]\n{section}"))]),
        ["/q0/v.volume:2: [X-Netready]: a .volume file needs no network"]
    );
    // What does not fit a network is said.
    let own = format!("{MACVLAN}[X-Netready]\nGate=lan\nPullRetry=3\nRestartWhenReady=yes\n");
    assert_eq!(
        of_network(&[("n.network", &own)]),
        [
            ORDERED,
            "/q0/n.network:8: RestartWhenReady: a .network file has no container to restart",
            "/q0/n.network:7: PullRetry…: a .network file has no pull of its own; write this setting into a .container or .image file",
        ]
    );
}
