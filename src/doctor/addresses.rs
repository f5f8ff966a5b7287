//! Finds static addresses of containers that two quadlets of a network use, or that are outside the subnets of the
//! network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::{DoctorReport, Finding, FindingCode, Host};
use crate::quadlet::{Kind, Unit};

/// A static address in a quadlet, and the network that it is for.
#[derive(Debug, Clone)]
struct Static<'a> {
    unit: &'a Unit,
    network: String,
    address: IpAddr,
}

/// Examines the static addresses of all quadlets.
pub fn look(host: &Host, quadlets: &[Unit], report: &mut DoctorReport) {
    let addresses: Vec<Static<'_>> = quadlets.iter().flat_map(addresses).collect();
    let mut subnets: BTreeMap<String, Vec<IpNet>> = BTreeMap::new();
    for network in addresses.iter().map(|address| &address.network) {
        if subnets.contains_key(network) {
            continue;
        }
        let written = written(network, quadlets);
        if !written.is_empty() {
            subnets.insert(network.clone(), written);
            continue;
        }
        let known = host.programs.ask("podman", &["network", "inspect", &name(network, quadlets)]);
        match known.map_err(|error| error.to_string()).and_then(super::programs::ProgramOutput::success) {
            Ok(text) => {
                subnets.insert(network.clone(), inspected(&text));
            }
            Err(error) => report.unseen(format!("the subnets of {network}"), error),
        }
    }
    report.findings.extend(judge(&addresses, &subnets, host.reload()));
}

fn judge(addresses: &[Static<'_>], subnets: &BTreeMap<String, Vec<IpNet>>, reload: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, one) in addresses.iter().enumerate() {
        let earlier = addresses.iter().take(index);
        let same = |other: &&Static<'_>| other.network == one.network && other.address == one.address;
        if let Some(other) = earlier.filter(same).find(|other| !exclusive(one.unit, other.unit)) {
            findings.push(Finding {
                code: FindingCode::AddressTwice,
                subject: one.unit.name.clone(),
                what: format!("has {} on {}, and so has {}", one.address, one.network, other.unit.name),
                seen: format!("{} and {}", one.unit.path, other.unit.path),
                mend: vec![format!("give one of them another address, then {reload}")],
            });
        }
        let Some(nets) = subnets.get(&one.network) else { continue };
        let family = |net: &&IpNet| net.addr().is_ipv4() == one.address.is_ipv4();
        let listed: Vec<String> = nets.iter().filter(family).map(ToString::to_string).collect();
        if !nets.iter().any(|net| net.contains(&one.address)) {
            let of = match listed.is_empty() {
                true => "which has no subnet of its family".to_owned(),
                false => format!("whose subnet is {}", listed.join(", ")),
            };
            findings.push(Finding {
                code: FindingCode::AddressOutside,
                subject: one.unit.name.clone(),
                what: format!("has {} on {}, {of}", one.address, one.network),
                seen: one.unit.path.clone(),
                mend: vec![format!("write an address of that subnet, then {reload}")],
            });
        }
    }
    findings
}

/// Whether one of two units names the other in Conflicts=, so that they never run at the same time.
fn exclusive(one: &Unit, other: &Unit) -> bool {
    let names = |unit: &Unit, other: &Unit| {
        let values = unit.file.every("Unit", "Conflicts");
        let mut words = values.into_iter().flat_map(str::split_whitespace);
        words.any(|word| word == other.service || word == other.name)
    };
    names(one, other) || names(other, one)
}

fn addresses(unit: &Unit) -> Vec<Static<'_>> {
    if !matches!(unit.kind, Kind::Container | Kind::Pod) {
        return Vec::new();
    }
    let section = unit.kind.section();
    let networks: Vec<(String, Vec<IpAddr>)> =
        unit.file.every(section, "Network").iter().filter_map(|value| network(value)).collect();
    let mut found = Vec::new();
    let mut add = |network: &str, address: IpAddr| {
        found.push(Static { unit, network: network.to_owned(), address });
    };
    for (network, addresses) in &networks {
        addresses.iter().for_each(|address| add(network, *address));
    }
    // Podman accepts these keys only with one network.
    if let [(network, _)] = &networks[..] {
        for key in ["IP", "IP6"] {
            if let Some(address) = unit.file.word(section, key).and_then(|word| word.parse().ok()) {
                add(network, address);
            }
        }
    }
    found
}

/// Parses a value of Network= such as `web.network:ip=10.0.0.2,ip6=…`. `None` if the value does not name a network.
fn network(value: &str) -> Option<(String, Vec<IpAddr>)> {
    let (name, options) = value.split_once(':').unwrap_or((value, ""));
    let without = ["host", "none", "private", "pasta", "slirp4netns", "container", "ns", "bridge"];
    if name.is_empty() || without.contains(&name) || name.ends_with(".container") {
        return None;
    }
    let addresses = options.split(',').filter_map(|option| match option.split_once('=')? {
        ("ip" | "ip6", address) => address.parse().ok(),
        _ => None,
    });
    Some((name.to_owned(), addresses.collect()))
}

/// The subnets in the quadlet of the network.
fn written(network: &str, quadlets: &[Unit]) -> Vec<IpNet> {
    let unit = quadlets.iter().find(|unit| unit.name == network);
    let values = unit.map(|unit| unit.file.every("Network", "Subnet")).unwrap_or_default();
    values.iter().filter_map(|value| value.parse().ok()).collect()
}

/// Podman's name of a network.
fn name(network: &str, quadlets: &[Unit]) -> String {
    let Some(stem) = network.strip_suffix(".network") else { return network.to_owned() };
    let unit = quadlets.iter().find(|unit| unit.name == network);
    let named = unit.and_then(|unit| unit.file.word("Network", "NetworkName"));
    named.map_or_else(|| format!("systemd-{stem}"), str::to_owned)
}

fn inspected(text: &str) -> Vec<IpNet> {
    let networks: Value = serde_json::from_str(text).unwrap_or_default();
    let networks = networks.as_array().into_iter().flatten();
    let subnets = networks.filter_map(|network| network.get("subnets")?.as_array()).flatten();
    subnets.filter_map(|subnet| subnet.get("subnet")?.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::quadlets_of;

    /// Each row: two container quadlets, and the findings.
    #[test]
    fn static_addresses_have_their_findings() {
        const NET: (&str, &str) = ("n.network", "[Network]\nSubnet=10.0.0.0/24\n");
        let of = |network: &str, more: &str| format!("[Container]\nImage=x\nNetwork={network}\n{more}\n");
        for (a, b, expected) in [
            (of("n.network", "IP=10.0.0.2"), of("n.network", "IP=10.0.0.3"), ""),
            (
                of("n.network", "IP=10.0.0.2"),
                of("n.network", "IP=10.0.0.2"),
                "b.container: has 10.0.0.2 on n.network, and so has a.container",
            ),
            (
                of("n.network", "IP=10.0.0.2"),
                of("n.network:ip=10.0.0.2,mac=00:00:00:00:00:01", ""),
                "b.container: has 10.0.0.2 on n.network, and so has a.container",
            ),
            // The same address on another network, and in two containers that never run at the same time.
            (of("n.network", "IP=10.0.0.2"), of("other", "IP=10.0.0.2"), ""),
            (of("n.network", "IP=10.0.0.2"), of("n.network", "IP=10.0.0.2\n[Unit]\nConflicts=a.service"), ""),
            (
                of("n.network", "IP=10.0.1.2"),
                of("n.network", ""),
                "a.container: has 10.0.1.2 on n.network, whose subnet is 10.0.0.0/24",
            ),
            (
                of("n.network", "IP6=fd00::2"),
                of("n.network", ""),
                "a.container: has fd00::2 on n.network, which has no subnet of its family",
            ),
            (
                of("known", "IP=192.0.2.1"),
                of("n.network", ""),
                "a.container: has 192.0.2.1 on known, whose subnet is 10.89.0.0/24",
            ),
            (of("host", "IP=10.0.0.2"), of("pasta:-4", "IP=10.0.0.2"), ""),
            // Podman refuses an address together with two networks, and reports this itself.
            (of("n.network", "Network=other\nIP=10.9.9.9"), of("n.network", ""), ""),
        ] {
            let units = quadlets_of(&[("a.container", &a), ("b.container", &b), NET]);
            let addresses: Vec<Static<'_>> = units.iter().flat_map(super::addresses).collect();
            let mut subnets = BTreeMap::from([("known".to_owned(), vec!["10.89.0.0/24".parse().unwrap()])]);
            subnets.insert("n.network".to_owned(), written("n.network", &units));
            let found: Vec<String> = judge(&addresses, &subnets, "")
                .iter()
                .map(|f| format!("{}: {}", f.subject, f.what))
                .collect();
            assert_eq!(found.join(" | "), expected, "{a}{b}");
        }
    }

    #[test]
    fn subnets_are_read_from_podman() {
        let text = r#"[{"name":"n","subnets":[{"subnet":"10.89.0.0/24","gateway":"10.89.0.1"},{"subnet":"fd00::/64"}]}]"#;
        assert_eq!(inspected(text), ["10.89.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()]);
        assert!(inspected("no JSON").is_empty());
    }
}
