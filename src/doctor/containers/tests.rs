use super::*;

const HEADER: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const ON_LINK: &str = "e0\t0000090A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
const DEFAULT4: &str = "e0\t00000000\t0100090A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
const REJECTED4: &str = "e0\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";
const DEFAULT6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     e0\n";
/// An IPv6 default route counts only together with this route: in local mode, pasta makes only the default route.
const PREFIX6: &str = "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     e0\n";
const UNREACHABLE6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
const LINK_LOCAL6: &str = "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     e0\n";
const LOCAL: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 169.254.2.1\n        /32 host LOCAL\n";

#[test]
fn routes_of_a_namespace_are_read() {
    let of = |parts: &[&str]| {
        let inside = inside(&parts.concat());
        let defaults = inside.defaults;
        [defaults.v4, defaults.v6, inside.local_mode, inside.connected].map(u8::from)
    };
    assert_eq!(of(&[HEADER, UNREACHABLE6]), [0, 0, 0, 0], "lo alone: --network none");
    assert_eq!(of(&[HEADER, UNREACHABLE6, LINK_LOCAL6]), [0, 0, 0, 0]);
    assert_eq!(of(&[HEADER, ON_LINK, UNREACHABLE6]), [0, 0, 0, 1]);
    assert_eq!(of(&[HEADER, ON_LINK, REJECTED4]), [0, 0, 0, 1]);
    assert_eq!(of(&[HEADER, DEFAULT4, ON_LINK, UNREACHABLE6]), [1, 0, 0, 1]);
    assert_eq!(of(&[HEADER, DEFAULT4, DEFAULT6, PREFIX6, UNREACHABLE6, LINK_LOCAL6]), [1, 1, 0, 1]);
    assert_eq!(of(&[HEADER, DEFAULT4, DEFAULT6, UNREACHABLE6, LINK_LOCAL6]), [1, 0, 0, 1]);
    assert_eq!(of(&[HEADER, DEFAULT4, LOCAL]), [0, 0, 1, 1]);
    assert_eq!(of(&[HEADER, DEFAULT4, LOCAL, DEFAULT6, PREFIX6]), [0, 1, 1, 1], "pasta of 2026");
    assert_eq!(of(&["no table\n"]), [0, 0, 0, 0]);
}

fn container(name: &str, bridged: bool, unit: Option<&str>) -> Container {
    Container { name: name.to_owned(), pid: 7, bridged, unit: unit.map(str::to_owned) }
}

/// Each row: the container's routes, the host's default routes, whether its pasta leaves out a family, and the
/// finding.
#[test]
fn containers_have_their_findings() {
    let (none, v4, v6) =
        (Defaults::default(), Defaults { v4: true, v6: false }, Defaults { v4: false, v6: true });
    let both = Defaults { v4: true, v6: true };
    for (parts, host, one_family, expected) in [
        (&[DEFAULT4, ON_LINK][..], v4, false, ""),
        (&[DEFAULT4, DEFAULT6, PREFIX6], both, false, ""),
        (&[DEFAULT4, DEFAULT6, PREFIX6], none, false, ""),
        // The network with which the container started is gone, and the host has another one now.
        (&[DEFAULT4, DEFAULT6, PREFIX6], v6, false, ""),
        (&[ON_LINK], v4, false, "container-no-default"),
        (&[ON_LINK], none, false, ""),
        (&[DEFAULT4, LOCAL], v4, false, "container-local"),
        (&[DEFAULT4, LOCAL], none, false, ""),
        // pasta of 2026 has a local mode for each family. On a host with IPv6 only, local mode for IPv4 is no fault.
        (&[DEFAULT4, LOCAL, DEFAULT6, PREFIX6], v6, false, ""),
        (&[DEFAULT4, LOCAL, DEFAULT6, PREFIX6], both, false, "container-local"),
        (&[DEFAULT4, LOCAL, DEFAULT6, LINK_LOCAL6], both, false, "container-local"),
        (&[DEFAULT4, ON_LINK, DEFAULT6, LINK_LOCAL6], v4, false, ""),
        (&[DEFAULT4, ON_LINK, DEFAULT6, LINK_LOCAL6], both, false, "container-one-family"),
        (&[ON_LINK, DEFAULT6, LINK_LOCAL6], v4, false, "container-no-default"),
        (&[DEFAULT4], both, false, "container-one-family"),
        (&[DEFAULT4], both, true, ""),
        (&[DEFAULT6, PREFIX6], both, false, "container-one-family"),
        // --network none
        (&[UNREACHABLE6], both, false, ""),
    ] {
        let web = container("web", true, Some("web.service"));
        let found = judge(inside(&parts.concat()), host, &[&web], one_family);
        let code = found.map_or("", |finding| finding.code.as_str());
        assert_eq!(code, expected, "{parts:?} {host:?}");
    }
}

#[test]
fn a_finding_has_the_commands_that_mend_it() {
    let of = |containers: &[&Container]| {
        let found = judge(inside(ON_LINK), Defaults { v4: true, v6: false }, containers, false);
        let finding = found.unwrap();
        format!("{}: {}", finding.subject, finding.mend.join("; "))
    };
    let (web, db) = (container("web", true, Some("web.service")), container("db", true, Some("db.service")));
    assert_eq!(
        of(&[&web, &db]),
        "container web, db: systemctl --user stop web.service db.service && systemctl --user start web.service db.service"
    );
    assert_eq!(of(&[&container("a", false, None)]), "container a: podman restart a");
    assert_eq!(
        of(&[&container("a", true, None), &container("b", true, None)]),
        "container a, b: podman stop a b && podman start a b"
    );
}

#[test]
fn containers_are_read_from_podman() {
    let text = r#"[
        {"Names":["seed"],"Pid":77,"Networks":["systemd-seed"],"Labels":{"PODMAN_SYSTEMD_UNIT":"seed.service"}},
        {"Names":["own"],"Pid":78,"Networks":[],"Labels":null},
        {"Names":["gone"],"Pid":0,"Networks":[]}
    ]"#;
    let seed = Container { pid: 77, ..container("seed", true, Some("seed.service")) };
    assert_eq!(containers(text), [seed, Container { pid: 78, ..container("own", false, None) }]);
    assert!(containers("").is_empty());
}

#[test]
fn pastas_are_recognized_by_their_command_lines() {
    let folder = tempfile::tempdir().unwrap();
    let uid = nix::unistd::geteuid().as_raw();
    let add = |pid: &str, comm: &str, words: &[&str], uid: u32| {
        let process = folder.path().join(pid);
        fs::create_dir(&process).unwrap();
        fs::write(process.join("comm"), format!("{comm}\n")).unwrap();
        fs::write(process.join("cmdline"), words.join("\0")).unwrap();
        fs::write(process.join("status"), format!("Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"))
            .unwrap();
    };
    add(
        "7",
        "pasta.avx2",
        &["/usr/bin/pasta", "--config-net", "/run/user/7/rootless-netns/rootless-netns"],
        uid,
    );
    add("8", "pasta", &["pasta", "-4", "--netns", "/run/user/7/netns/a"], uid);
    add("9", "pasta", &["pasta"], uid + 1);
    add("10", "sh", &["sh", "-c", "pasta"], uid);
    let mut found = pastas(folder.path(), uid);
    found.sort_by_key(|pasta| pasta.shared);
    let found: Vec<[bool; 2]> = found.iter().map(|pasta| [pasta.shared, pasta.one_family]).collect();
    assert_eq!(found, [[false, true], [true, false]]);
}

/// The containers of a pod share one namespace. A namespace is left out if it is the host's, or if one of its
/// containers is on a bridge network.
#[test]
fn containers_with_their_own_pasta_are_found() {
    let folder = tempfile::tempdir().unwrap();
    for (pid, namespace) in [
        ("self", "net:[1]"),
        ("2", "net:[1]"),
        ("3", "net:[3]"),
        ("4", "net:[4]"),
        ("5", "net:[4]"),
        ("6", "net:[5]"),
        ("7", "net:[5]"),
    ] {
        fs::create_dir_all(folder.path().join(pid).join("ns")).unwrap();
        std::os::unix::fs::symlink(namespace, folder.path().join(pid).join("ns/net")).unwrap();
    }
    let of = |name: &str, pid: u32, bridged: bool| Container { pid, ..container(name, bridged, None) };
    let containers = [
        of("host", 2, false),
        of("own", 3, false),
        of("infra", 4, true),
        of("member", 5, false),
        of("a", 6, false),
        of("b", 7, false),
        of("gone", 8, false),
    ];
    let groups = alone(folder.path(), &containers).unwrap();
    let names: Vec<Vec<&str>> =
        groups.iter().map(|group| group.iter().map(|container| container.name.as_str()).collect()).collect();
    assert_eq!(names, [vec!["own"], vec!["a", "b"]]);
}

/// An image's label becomes part of a command that the user is told to type.
#[test]
fn labels_that_are_not_the_name_of_a_unit_are_dropped() {
    for (label, expected) in [
        ("web.service", true),
        ("web@1.service", true),
        (r"a\\x2db.service", true),
        ("x.service; rm -rf ~", false),
        ("$(reboot).service", false),
        ("--now.service", false),
        ("a.service b.service", false),
        ("", false),
    ] {
        let text = format!(r#"[{{"Names":["web"],"Pid":7,"Labels":{{"PODMAN_SYSTEMD_UNIT":"{label}"}}}}]"#);
        let unit = containers(&text).pop().unwrap().unit;
        assert_eq!(unit.is_some(), expected, "{label}");
    }
}
