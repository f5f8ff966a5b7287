use super::*;
use netready_core::testing::{gate, network};

/// Each row: a gate, a network, whether the host has IPv6, and why the gate can never open.
#[test]
fn gates_that_can_never_open() {
    const BOTH: &str = "x0: up; addr x0 192.0.2.10/24";
    const OFF: &str = "x0: up noipv6; addr x0 192.0.2.10/24";
    for (gate_text, network_text, ipv6, expected) in [
        ("route=\"default\"", BOTH, false, ""),
        ("route=\"default-ipv6\"", BOTH, true, ""),
        (
            "route=\"default-ipv6\"",
            BOTH,
            false,
            "route default-ipv6 is wanted, and IPv6 is switched off on this host",
        ),
        (
            "address=\"2001:db8::/32\"",
            BOTH,
            false,
            "address 2001:db8::/32 is wanted, and IPv6 is switched off on this host",
        ),
        (
            "route-to=\"2001:db8::1\"",
            BOTH,
            false,
            "route-to 2001:db8::1 is wanted, and IPv6 is switched off on this host",
        ),
        ("gateway=\"ipv6\"", BOTH, false, "gateway ipv6 is wanted, and IPv6 is switched off on this host"),
        ("gateway=\"any\"", BOTH, false, ""),
        (
            "ping=\"2001:db8::1\"",
            BOTH,
            false,
            "ping 2001:db8::1 is wanted, and IPv6 is switched off on this host",
        ),
        ("ping=\"192.0.2.1\"", BOTH, false, ""),
        ("ping=\"::1\"", BOTH, false, ""),
        ("ping=[\"192.0.2.1\",\"2001:db8::1\"];quorum=\"any\"", BOTH, false, ""),
        (
            "tcp=\"[2001:db8::1]:22\"",
            BOTH,
            false,
            "tcp [2001:db8::1]:22 is wanted, and IPv6 is switched off on this host",
        ),
        (
            "http=\"https://[2001:db8::1]:8443/x\"",
            BOTH,
            false,
            "http https://[2001:db8::1]:8443/x is wanted, and IPv6 is switched off on this host",
        ),
        // A name may have an IPv4 address.
        ("tcp=\"db.example:22\"|http=\"http://example/\"|dns=\"example\"", BOTH, false, ""),
        ("ping=\"fe80::1%x0\"", OFF, true, "ping fe80::1%x0 is wanted on x0, where IPv6 is switched off"),
        ("ping=\"fe80::1%x0\"", BOTH, true, ""),
        (
            "tcp=\"[fe80::1%x0]:22\"",
            OFF,
            true,
            "tcp [fe80::1%x0]:22 is wanted on x0, where IPv6 is switched off",
        ),
        ("ping=\"fe80::1%y0\"", OFF, true, ""),
        ("ping=\"2001:db8::1\"", OFF, true, ""),
        ("ping=\"2001:db8::1\";grace=\"5s\"", BOTH, false, ""),
        // One of the two is enough.
        ("route=[\"default-ipv4\",\"default-ipv6\"];quorum=\"any\"", BOTH, false, ""),
        (
            "route=[\"default-ipv4\",\"default-ipv6\"]",
            BOTH,
            false,
            "route default-ipv6 is wanted, and IPv6 is switched off on this host",
        ),
        // The gate opens without this clause, or the clause does not count.
        ("route=\"default-ipv6\";grace=\"5s\"", BOTH, false, ""),
        ("route=\"default-ipv6\";if-present=true", BOTH, false, ""),
        (
            "route=\"default\"|route=\"default-ipv6\"",
            BOTH,
            false,
            "route default-ipv6 is wanted, and IPv6 is switched off on this host",
        ),
        (
            "interface=\"x0\";address=\"ipv6\"",
            OFF,
            true,
            "address ipv6 is wanted on x0, where IPv6 is switched off",
        ),
        ("interface=\"x0\";address=\"ipv4\"", OFF, true, ""),
        ("interface=\"x0\"", OFF, true, ""),
        ("interface=[\"x0\",\"y0\"];quorum=\"any\";address=\"ipv6\"", OFF, true, ""),
        // A link that does not exist may appear later.
        ("interface=\"y0\";address=\"ipv6\"", OFF, true, ""),
        ("interface=[\"x*\",\"!x0\"]", BOTH, true, ""),
    ] {
        let found = impossible(&gate(gate_text), &network(network_text), ipv6);
        let found = found.map(|finding| finding.what).unwrap_or_default();
        assert_eq!(found, expected, "{gate_text} on {network_text}");
    }
}

#[test]
fn links_that_do_not_exist_are_noted() {
    let network = network("x0: up alt=lan0");
    for (gate_text, expected) in [
        ("interface=\"x0\"", ""),
        ("interface=\"lan0\"", ""),
        ("interface=[\"x*\",\"y*\"]", "gate test: y*: not there now"),
        ("interface=\"y0\";if-present=true", ""),
        ("route=\"default\"", ""),
    ] {
        assert_eq!(not_there_now(&gate(gate_text), &network).join(" | "), expected, "{gate_text}");
    }
}

#[test]
fn a_host_has_ipv6_if_a_link_can_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let sysctls = folder.path().join("ipv6");
    let (on, off) = (network("x0: up"), network("x0: up noipv6"));
    assert!(!has_ipv6(&sysctls, &on), "ipv6.disable=1: the folder is not there");
    fs::create_dir_all(sysctls.join("conf/default")).unwrap();
    fs::write(sysctls.join("conf/default/disable_ipv6"), "1\n").unwrap();
    assert!(has_ipv6(&sysctls, &on));
    assert!(!has_ipv6(&sysctls, &off));
    fs::write(sysctls.join("conf/default/disable_ipv6"), "0\n").unwrap();
    assert!(has_ipv6(&sysctls, &off), "a link that comes later will have it");
}

fn kept(status: &str, ready: Option<bool>, gave_up_at: Option<&str>) -> GateRecord {
    GateRecord {
        gate: "podman".to_owned(),
        source: "built-in".to_owned(),
        status: status.to_owned(),
        ready,
        gave_up_at: gave_up_at.map(str::to_owned),
        ready_later: false,
    }
}

#[test]
fn a_gate_that_gave_up_is_a_finding_until_it_is_ready() {
    let found = |status: &str, ready, at| match gave_up(Manager::User, &kept(status, ready, at)) {
        None => String::new(),
        Some(Back::Note(note)) => format!("note {note}"),
        Some(Back::Finding(finding)) => finding.what,
    };
    assert_eq!(found("Ready after 2s: …", Some(true), None), "");
    assert_eq!(found("Waiting (up to 90s): x0 has no carrier", Some(false), None), "");
    assert_eq!(
        found("a text", Some(true), Some("08:15:30")),
        "note gate podman gave up at 08:15:30, and became ready later"
    );
    let lost = GateRecord { ready_later: true, ..kept("NOT ready since …", Some(false), Some("08:15:30")) };
    let note = "gate podman gave up at 08:15:30, and became ready later".to_owned();
    assert_eq!(gave_up(Manager::User, &lost), Some(Back::Note(note)), "also if it was lost after that");
    // The state decides, not the beginning of the text.
    assert_eq!(
        found("Ready or not", Some(false), Some("08:15:30")),
        "gave up at 08:15:30, and is not ready: Ready or not"
    );
    assert_eq!(
        found("Ready after 2s: …", None, Some("08:15:30")),
        "note gate podman gave up at 08:15:30; its status is now: Ready after 2s: …"
    );
    assert_eq!(
        found("Waiting (gave up at 08:15:30): x0 has no carrier", Some(false), Some("08:15:30")),
        "gave up at 08:15:30, and is not ready: Waiting (gave up at 08:15:30): x0 has no carrier"
    );
}

#[test]
fn a_unit_that_failed_is_found() {
    let unit = |state: &str, code: &str| {
        let properties = [("Id", "netready.service"), ("ActiveState", state), ("Result", "exit-code")];
        let properties = properties.into_iter().chain([("ExecMainStatus", code)]);
        properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    assert_eq!(failed(Manager::System, &unit("active", "0")), None);
    assert_eq!(failed(Manager::System, &unit("activating", "1")), None, "it is started again");
    let finding = failed(Manager::User, &unit("failed", "2")).unwrap();
    assert_eq!(
        finding.what,
        "has failed (exit-code, exit code 2, a usage or configuration error) and is not started again"
    );
    assert_eq!(finding.mend[1], "systemctl --user restart netready.service");
}

#[test]
fn gates_that_units_name() {
    let place = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("a.service", "[Unit]\nAfter=network.target netready@after.service\n"),
        ("b.service.d/10.conf", "[Unit]\nWants=netready@wants.service\nRequires=netready@requires.service\n"),
        ("c.service.d/10.conf", "[Unit]\nBindsTo=netready.service\nDescription=netready@text.service\n"),
        ("d@.service", "[Unit]\nAfter=netready@%i.service netready@.service netready-x.service\n"),
        ("e.service.d/10.txt", "[Unit]\nAfter=netready@none.service\n"),
        ("f.service", "[Service]\nAfter=netready@none.service\n# After=netready@none.service\n"),
        // One gate after another.
        ("netready@own.service.d/1.conf", "[Unit]\nAfter=netready@first.service\n"),
        ("multi-user.target.wants/netready@enabled.service", "[Unit]\n"),
        ("multi-user.target.wants/netready@after.service", "[Unit]\n"),
    ] {
        let path = place.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink("/dev/null", place.path().join("g.service")).unwrap();
    fs::create_dir(place.path().join("g.service.d")).unwrap();
    fs::write(place.path().join("g.service.d/10.conf"), "[Unit]\nAfter=netready@masked.service\n").unwrap();
    let mut wanted = BTreeMap::new();
    let tree = UnitTree::of(std::iter::once(place.path()));
    wanted_by_units(&tree, Manager::System.main_gate(), &mut wanted);
    let at = |unit: &str, path: &str| format!("{unit} ({})", place.path().join(path).display());
    let expected = [
        ("after", "netready@after.service, which is enabled".to_owned()),
        ("default", at("c.service", "c.service.d/10.conf")),
        ("enabled", "netready@enabled.service, which is enabled".to_owned()),
        ("first", at("netready@own.service", "netready@own.service.d/1.conf")),
        ("requires", at("b.service", "b.service.d/10.conf")),
        ("wants", at("b.service", "b.service.d/10.conf")),
    ];
    let wanted: Vec<(&str, String)> = wanted.iter().map(|(gate, by)| (gate.as_str(), by.clone())).collect();
    assert_eq!(wanted, expected);
}
