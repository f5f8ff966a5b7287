//! What the generator makes from quadlets of all kinds, as systemd loads it together with what Podman made.

use std::collections::HashMap;

use crate::guest::{Guest, Prepared};
use crate::life::{TESTER, comes_to};
use crate::rootfs::Release;

/// The name and the text of a file; its unit; the gates' units after which it is ordered; and the commands before its
/// start.
type Quadlet = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const QUADLETS: &[Quadlet] = &[
    (
        "plain.container",
        "[Container]\nImage=registry.example.org/app:1\n",
        "plain.service",
        &["netready.service"],
        &[],
    ),
    (
        "own.container",
        "[Container]\nImage=registry.example.org/app:1\n\
         [X-Netready]\nGate=lan\nGateRequired=yes\nPullRetry=3\nPullRetryDelay=1s\nPullRetryMaxDelay=10s\n\
         [Service]\nExecStartPre=/bin/echo first\n",
        "own.service",
        &["netready@lan.service"],
        &[
            "/bin/echo first",
            "/usr/bin/netready wait lan --timeout infinity --no-carrier-timeout infinity",
            "/usr/bin/netready pull --gate lan --retries 3 --delay 1s --max-delay 10s --policy missing registry.example.org/app:1",
        ],
    ),
    (
        "broken.container",
        "[Container]\nImage=registry.example.org/app:1\n\
         [X-Netready]\nGate=lan/x\nGateRequired=perhaps\nPullRetry=many\nPullRetryDelay=3s\n",
        "broken.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --delay 3s --policy missing registry.example.org/app:1"],
    ),
    (
        "none.container",
        "[Container]\nImage=registry.example.org/app:1\nPull=newer\n[X-Netready]\nGate=none\nPullRetry=1\n",
        "none.service",
        &[],
        &["/usr/bin/netready pull --gate none --retries 1 --policy newer registry.example.org/app:1"],
    ),
    (
        "undone.container",
        "[Container]\nImage=registry.example.org/app:1\n[Quadlet]\nDefaultDependencies=false\n",
        "undone.service",
        &[],
        &[],
    ),
    (
        "never.container",
        "[Container]\nImage=registry.example.org/app:1\nPull=never\n[X-Netready]\nGate=lan\nPullRetry=3\n",
        "never.service",
        &["netready@lan.service"],
        &[],
    ),
    (
        "name.container",
        "[Container]\nImage=registry.example.org/app:1\nServiceName=another\n[X-Netready]\nPullRetry=3\n",
        "another.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --retries 3 --policy missing registry.example.org/app:1"],
    ),
    (
        "arguments.container",
        "[Container]\nImage=registry.example.org/app:1\nGlobalArgs=--log-level=error\n\
         ContainersConfModule=/etc/module.conf\nPodmanArgs=--tls-verify=false --memory 1g --authfile /etc/auth.json\n\
         [X-Netready]\nPullRetry=3\n",
        "arguments.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --retries 3 --policy missing \
           --global-arg=--module=/etc/module.conf --global-arg=--log-level=error registry.example.org/app:1 -- \
           --tls-verify=false --authfile=/etc/auth.json"],
    ),
    (
        "many@.container",
        "[Container]\nImage=registry.example.org/app:%i\n[X-Netready]\nPullRetry=3\n",
        "many@two.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --retries 3 --policy missing registry.example.org/app:two"],
    ),
    (
        "extended.container",
        "[Container]\nImage=registry.example.org/app:1\n",
        "extended.service",
        &["netready@lan.service"],
        &["/usr/bin/netready pull --gate lan --retries 5 --policy missing registry.example.org/app:1"],
    ),
    ("extended.container.d/10-netready.conf", "[X-Netready]\nGate=lan\nPullRetry=5\n", "", &[], &[]),
    (
        "base.image",
        "[Image]\nImage=registry.example.org/base:1\nAuthFile=/etc/auth.json\nTLSVerify=false\nArch=amd64\n\
         PodmanArgs=--quiet\n[X-Netready]\nPullRetry=2\n",
        "base-image.service",
        &["netready@lan.service"],
        &["/usr/bin/netready pull --gate lan --retries 2 --policy always registry.example.org/base:1 -- \
           --arch=amd64 --authfile=/etc/auth.json --tls-verify=false --quiet"],
    ),
    (
        "uses.container",
        "[Container]\nImage=base.image\n[X-Netready]\nGate=lan\n",
        "uses.service",
        &["netready@lan.service"],
        &[],
    ),
    (
        "group.pod",
        "[Pod]\nPodName=group\n[X-Netready]\nGate=lan\nGateRequired=yes\n",
        "group-pod.service",
        &["netready@lan.service"],
        &["/usr/bin/netready wait lan --timeout infinity --no-carrier-timeout infinity"],
    ),
    (
        "member.container",
        "[Container]\nImage=registry.example.org/app:1\nPod=group.pod\n",
        "member.service",
        &["netready@lan.service"],
        &[],
    ),
    (
        "cubes.kube",
        "[Kube]\nYaml=cubes.yaml\n[X-Netready]\nGate=lan\n",
        "cubes.service",
        &["netready@lan.service"],
        &[],
    ),
    ("cubes.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: cubes\n", "", &[], &[]),
    (
        "made.build",
        "[Build]\nImageTag=localhost/made:1\nSetWorkingDirectory=unit\n[X-Netready]\nGate=lan\n",
        "made-build.service",
        &["netready@lan.service"],
        &[],
    ),
    ("Containerfile", "FROM registry.example.org/base:1\n", "", &[], &[]),
    ("cable.network", "[Network]\nSubnet=10.90.0.0/24\n", "cable-network.service", &[], &[]),
    ("data.volume", "[Volume]\n", "data-volume.service", &[], &[]),
];

/// Kinds of quadlets that Podman 5.4 does not know.
const NEWER: &[Quadlet] = &[
    (
        "thing.artifact",
        "[Artifact]\nArtifact=registry.example.org/thing:1\n[X-Netready]\nGate=lan\n",
        "thing-artifact.service",
        &["netready@lan.service"],
        &[],
    ),
    (
        "retry.container",
        "[Container]\nImage=registry.example.org/app:1\nRetry=5\nRetryDelay=2s\n[X-Netready]\nPullRetry=3\n",
        "retry.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --retries 3 --policy missing registry.example.org/app:1"],
    ),
    (
        "retry.image",
        "[Image]\nImage=registry.example.org/base:1\nRetry=5\n[X-Netready]\nPullRetry=2\n",
        "retry-image.service",
        &["netready.service"],
        &["/usr/bin/netready pull --gate podman --retries 2 --policy always registry.example.org/base:1"],
    ),
];

/// The commands of an `Exec…=` property of `systemctl show`.
fn commands(shown: &str) -> Vec<String> {
    let lines = shown.lines().filter_map(|line| line.split_once("argv[]=")?.1.split_once(" ; "));
    lines.map(|(command, _)| command.to_owned()).collect()
}

/// The units of netready in a list of units.
fn gates(list: &str) -> Vec<&str> {
    let mut gates: Vec<&str> = list.split_whitespace().filter(|unit| unit.starts_with("netready")).collect();
    gates.sort_unstable();
    gates
}

/// The words of a command, sorted, where `--authfile X` and `--authfile=X` are the same.
fn words(command: &str) -> Vec<&str> {
    let mut words: Vec<&str> = command.split([' ', '=']).collect();
    words.sort_unstable();
    words
}

fn boot(release: Release, quadlets: &[Quadlet]) -> Guest {
    let prepared = Prepared::of(release, true);
    let files = &prepared.files;
    files.linger("tester");
    files.write("/etc/netready/lan.toml", "[[require]]\ninterface = \"e0\"\naddress = \"10.9.0.0/24\"\n");
    for (name, text, ..) in quadlets {
        files.quadlet(name, text);
    }
    files.write(
        "/etc/containers/systemd/rootful.container",
        "[Container]\nImage=registry.example.org/app:1\n[X-Netready]\nGate=lan\nPullRetry=many\nPullRetryDelay=1s\n",
    );
    files.write(
        "/etc/containers/systemd/unasked.container",
        "[Container]\nImage=registry.example.org/app:1\n",
    );
    prepared.networks.cable("e0");
    prepared.boot()
}

/// Some properties of many units, by the unit.
fn show(guest: &Guest, manager: &str, units: &[&str]) -> HashMap<String, HashMap<String, String>> {
    let properties = "Id,LoadState,After,Wants,ExecStartPre,ExecStart,NotifyAccess,TimeoutStartUSec";
    let script = format!("systemctl {manager} show -p {properties} {}", units.join(" "));
    let said = match manager {
        "--user" => guest.sh_as("tester", &script),
        _ => guest.sh(&script),
    };
    let mut shown = HashMap::new();
    for unit in said.split("\n\n") {
        let mut properties: HashMap<String, String> = HashMap::new();
        for (name, value) in unit.lines().filter_map(|line| line.split_once('=')) {
            // A property with several commands has several lines.
            let so_far = properties.entry(name.to_owned()).or_default();
            *so_far += &format!("{value}\n");
        }
        shown.insert(properties.get("Id").unwrap_or_else(|| panic!("{said}")).trim().to_owned(), properties);
    }
    shown
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn quadlets_of_all_kinds() {
    generated(Release::usual());
}

#[track_caller]
pub fn generated(release: Release) {
    crate::enter();
    let quadlets = match release {
        Release::Forky => [QUADLETS, NEWER].concat(),
        Release::Bookworm | Release::Trixie | Release::Machine => QUADLETS.to_vec(),
    };
    let guest = boot(release, &quadlets);
    comes_to(&guest, "netready.service", "start");
    let mut units: Vec<&str> =
        quadlets.iter().map(|quadlet| quadlet.2).filter(|unit| !unit.is_empty()).collect();
    units.push("podman-user-wait-network-online.service");
    let of_user = show(&guest, "--user", &units);
    let shown = |unit: &str, property: &str| {
        of_user[unit].get(property).map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    for (name, _, unit, ordered_after, before) in quadlets.iter().filter(|quadlet| !quadlet.2.is_empty()) {
        assert_eq!(shown(unit, "LoadState"), "loaded", "{name}");
        for property in ["After", "Wants"] {
            assert_eq!(gates(&shown(unit, property)), *ordered_after, "{name}: {property}=");
        }
        let mut commands_before = commands(&shown(unit, "ExecStartPre"));
        commands_before.retain(|command| !command.starts_with("/usr/bin/podman "));
        assert_eq!(commands_before, *before, "{name}");
        // What Podman made is still in the unit.
        let podman = commands(&shown(unit, "ExecStart"));
        assert!(podman.iter().any(|command| command.starts_with("/usr/bin/podman ")), "{name}: {podman:?}");
    }
    // Podman orders all of them after this unit.
    let waits = commands(&shown("podman-user-wait-network-online.service", "ExecStart"));
    assert_eq!(waits, ["/bin/sh -c :"]);

    // Podman's own pull of an .image follows netready's, with the same words.
    let podman = commands(&shown("base-image.service", "ExecStart")).concat();
    let ours = commands(&shown("base-image.service", "ExecStartPre")).concat();
    let (_, podman) = podman.split_once("/usr/bin/podman image pull ").unwrap();
    let (_, ours) = ours.split_once(" --policy always ").unwrap();
    assert_eq!(words(podman), words(&ours.replacen(" -- ", " ", 1)));
    // Its status must be visible, and a slow pull must outlive a TimeoutStartSec= of the user.
    assert_eq!(shown("base-image.service", "NotifyAccess"), "all");
    // Podman makes a pod's unit Type=forking.
    assert_eq!(shown("group-pod.service", "TimeoutStartUSec"), "infinity");
    // Nothing starts it again after a timeout, which a reload would bring.
    assert_eq!(shown("own.service", "TimeoutStartUSec"), "infinity");
    assert_ne!(shown("plain.service", "TimeoutStartUSec"), "infinity");

    // The units of the system's service manager.
    let of_system = show(&guest, "--system", &["rootful.service", "unasked.service"]);
    assert_eq!(gates(&of_system["rootful.service"]["After"]), ["netready@lan.service"]);
    assert_eq!(
        commands(&of_system["rootful.service"]["ExecStartPre"]),
        ["/usr/bin/netready pull --gate lan --delay 1s --policy missing registry.example.org/app:1"]
    );
    let after = &of_system["unasked.service"]["After"];
    assert!(gates(after).is_empty() && after.contains("network-online.target"), "{after}");

    // A quadlet that is added later: an instance as a link.
    let folder = ".config/containers/systemd";
    guest.sh_as("tester", &format!("ln -s many@.container {folder}/many@three.container"));
    guest.sh_as("tester", "systemctl --user daemon-reload");
    let before = commands(&guest.property(TESTER, "many@three.service", "ExecStartPre")).concat();
    assert!(before.ends_with(" registry.example.org/app:three"), "{before}");

    // The system's generator writes to the kernel's log, which a container does not have.
    let generator = "/usr/lib/systemd/system-generators/netready-generator --dry-run 2>&1 >/dev/null";
    let said = guest.sh(generator);
    assert!(
        said.contains("/etc/containers/systemd/rootful.container:5: PullRetry: takes a number"),
        "{said}"
    );

    // There is one complaint at the start of the manager, and one at the reload.
    let journal = guest.off();
    let file = "/home/tester/.config/containers/systemd/broken.container";
    for complaint in ["4: Gate: ", "5: GateRequired: takes yes or no", "6: PullRetry: takes a number"] {
        let complaint = format!("{file}:{complaint}");
        let told = journal.iter().filter(|entry| entry.message.contains(&complaint)).count();
        assert_eq!(told, 2, "{complaint}");
    }
    let told = journal.iter().filter(|entry| entry.message.contains("netready-generator[")).count();
    assert_eq!(told, 6, "nothing else to complain of");
}
