//! Finds rootless containers that started before the network was usable. They remain without it until they are
//! started again.
//!
//! pasta copies the host's addresses and routes only once. Containers on bridge networks share one pasta, which runs
//! until the last of them stops. The routes of a network namespace are read from /proc, where the kernel shows them
//! for each process in that namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::programs::ProgramOutput;
use super::{DoctorReport, Finding, FindingCode, Host};
use crate::clock;
use crate::config;
use crate::evaluate::evaluate;
use crate::model::Network;
use crate::platform::proc::{beginning, processes, users};
use crate::requirement::Family;

/// The IPv4 address that pasta uses if it found no IPv4 to copy. pasta before 2026 uses it only if it found no IPv6
/// either. For IPv6, pasta in local mode uses only a link-local address.
const LOCAL_MODE: &str = "169.254.2.1";
/// RTF_UP and RTF_REJECT in linux/route.h.
const UP: u32 = 1;
const REJECT: u32 = 0x200;
const FILES: [&str; 3] = ["route", "ipv6_route", "fib_trie"];
/// The most bytes that are read of each of these files. The default routes come first in them.
const MOST: u64 = 8 << 20;
/// The most bytes that are read of a process's command line and state, because users can make them very long.
const COMMAND_LINE: u64 = 64 << 10;

/// Which default routes a network namespace has. Routes of pasta's local mode do not count, because pasta did not
/// copy them from the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Defaults {
    v4: bool,
    v6: bool,
}

/// What the network namespace of a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Inside {
    defaults: Defaults,
    local_mode: bool,
    /// Whether there is a route through a link other than lo.
    connected: bool,
}

/// A container in the output of `podman ps`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Container {
    name: String,
    pid: u32,
    /// Whether the container is on a bridge network, and so has no pasta of its own.
    bridged: bool,
    unit: Option<String>,
}

/// A pasta process of this user.
#[derive(Debug, Default)]
struct Pasta {
    /// Whether this pasta serves all bridge networks.
    shared: bool,
    /// Whether an option tells this pasta to leave out an address family.
    one_family: bool,
}

/// Examines the network namespaces of a user's containers.
pub fn look(host: &Host, network: &Network, report: &mut DoctorReport) {
    let pastas = pastas(&host.at("/proc"), host.environment.uid);
    if pastas.is_empty() {
        return;
    }
    let defaults = host_defaults(network);
    let ask = |words: &[&str]| {
        let said = host.programs.ask("podman", words).map_err(|error| error.to_string());
        said.and_then(ProgramOutput::success)
    };
    let containers = match ask(&["ps", "--format", "json"]) {
        Ok(text) => containers(&text),
        Err(error) => return report.unseen("this user's containers", error),
    };
    let of_bridges: Vec<&Container> = containers.iter().filter(|container| container.bridged).collect();
    if pastas.iter().any(|pasta| pasta.shared) && !of_bridges.is_empty() {
        // This command would make Podman create the namespace. Here it exists already, because its pasta runs.
        let files = FILES.map(|file| format!("/proc/self/net/{file}"));
        let [a, b, c] = &files;
        match ask(&["unshare", "--rootless-netns", "cat", a, b, c]) {
            Ok(text) => report.findings.extend(judge(inside(&text), defaults, &of_bridges, false)),
            Err(error) => report.unseen("the network that this user's bridge networks share", error),
        }
    }
    let one_family = pastas.iter().any(|pasta| pasta.one_family);
    let proc = host.at("/proc");
    match alone(&proc, &containers) {
        Ok(groups) => report.findings.extend(groups.iter().filter_map(|group| {
            let text = shown(&proc, group.first()?.pid);
            judge(inside(&text), defaults, group, one_family)
        })),
        Err(error) => report.unseen("the networks of this user's containers", error),
    }
}

fn judge(inside: Inside, host: Defaults, containers: &[&Container], one_family: bool) -> Option<Finding> {
    let has_one = |defaults: Defaults| defaults.v4 || defaults.v6;
    // If the host itself has no default route, a restart would not help.
    if !inside.connected || !has_one(host) {
        return None;
    }
    let lacks = |family| match family {
        Family::V4 => host.v4 && !inside.defaults.v4,
        Family::V6 => host.v6 && !inside.defaults.v6,
    };
    // On a host with IPv6 only, pasta of 2026 is in its local mode for IPv4. This is no fault.
    let (code, what) = if inside.local_mode && (host.v4 || !inside.defaults.v6) {
        let missing = if inside.defaults.v6 { "IPv4" } else { "network" };
        (
            FindingCode::ContainerLocal,
            format!("started before there was any {missing}, in pasta's local mode"),
        )
    } else if !has_one(inside.defaults) {
        (FindingCode::ContainerNoDefault, "started before there was a default route, and has none".to_owned())
    } else {
        let family = Family::BOTH.into_iter().find(|family| lacks(*family)).filter(|_| !one_family)?;
        let what = format!("started before there was an {family} default route, and has none of {family}");
        (FindingCode::ContainerOneFamily, what)
    };
    let units: Vec<&str> = containers.iter().filter_map(|container| container.unit.as_deref()).collect();
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let subject = names.join(", ");
    let units = units.join(" ");
    Some(Finding {
        code,
        subject: format!("container {subject}"),
        what: format!("{what}; the host has one now"),
        seen: "the routes in its network namespace, beside the host's".to_owned(),
        mend: match (units.is_empty(), containers) {
            (true, [one]) => vec![format!("podman restart {}", one.name)],
            (true, _) => vec![format!("podman stop {0} && podman start {0}", names.join(" "))],
            // Stop all of them first: the pasta that they share runs until the last one has stopped.
            (false, _) => vec![format!("systemctl --user stop {units} && systemctl --user start {units}")],
        },
    })
}

/// The host's default routes that are usable.
fn host_defaults(network: &Network) -> Defaults {
    let live = |spec: &str| {
        let text = format!("[[require]]\nroute = \"{spec}\"\n");
        let gate = config::parse("default", "built-in", &text);
        gate.is_ok_and(|gate| evaluate(&gate, network, clock::now()).ready())
    };
    Defaults { v4: live("default-ipv4"), v6: live("default-ipv6") }
}

/// Parses the contents of `route`, `ipv6_route` and `fib_trie` in /proc/PID/net, one after the other.
fn inside(text: &str) -> Inside {
    let mut inside = Inside::default();
    let mut copied_v6 = false;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let flags = |field: &str| u32::from_str_radix(field, 16).unwrap_or_default();
        let live = |field: &str| flags(field) & (UP | REJECT) == UP;
        match fields[..] {
            [link, destination, _, bits, _, _, _, mask, _, _, _] if destination.len() == 8 && live(bits) => {
                inside.connected |= link != "lo";
                inside.defaults.v4 |= destination == "00000000" && mask == "00000000";
            }
            [destination, length, _, _, _, _, _, _, bits, link] if destination.len() == 32 && live(bits) => {
                let link_local = destination.starts_with("fe80") || destination.starts_with("ff00");
                let whole = length == "00" && destination.bytes().all(|byte| byte == b'0');
                inside.connected |= link != "lo" && !link_local;
                copied_v6 |= link != "lo" && !link_local && !whole;
                inside.defaults.v6 |= whole && link != "lo";
            }
            ["|--", LOCAL_MODE] => inside.local_mode = true,
            _ => {}
        }
    }
    inside.defaults.v4 &= !inside.local_mode;
    inside.defaults.v6 &= copied_v6;
    inside
}

fn containers(text: &str) -> Vec<Container> {
    let list: Value = serde_json::from_str(text).unwrap_or_default();
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|container| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let networks = container.get("Networks").and_then(Value::as_array);
        Some(Container {
            name: text(container.get("Names")?.as_array()?.first()?)?,
            pid: u32::try_from(container.get("Pid")?.as_u64()?).ok().filter(|pid| *pid > 0)?,
            bridged: networks.is_some_and(|networks| !networks.is_empty()),
            unit: container
                .get("Labels")
                .and_then(|labels| text(labels.get("PODMAN_SYSTEMD_UNIT")?))
                .filter(|unit| is_service(unit)),
        })
    })
    .collect()
}

/// Whether a name is safe in a command that the user is told to type. Images can set this label to any text.
fn is_service(unit: &str) -> bool {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b":-_.@\\".contains(&octet);
    unit.ends_with(".service") && !unit.starts_with('-') && unit.bytes().all(plain)
}

/// Groups containers by their network namespace. Leaves out the host's namespace, and namespaces of containers on
/// bridge networks. Each remaining namespace has its own pasta.
fn alone<'a>(proc: &Path, containers: &'a [Container]) -> std::io::Result<Vec<Vec<&'a Container>>> {
    let of = |who: &str| fs::read_link(proc.join(who).join("ns/net"));
    let host = of("self")?;
    let mut groups: BTreeMap<PathBuf, Vec<&Container>> = BTreeMap::new();
    for container in containers {
        match of(&container.pid.to_string()) {
            Ok(namespace) if namespace != host => groups.entry(namespace).or_default().push(container),
            Ok(_) => {}
            // The container has ended meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(groups.into_values().filter(|group| !group.iter().any(|container| container.bridged)).collect())
}

/// What the kernel shows of a process's network. A kernel without IPv6 has no file ipv6_route.
fn shown(proc: &Path, pid: u32) -> String {
    let net = proc.join(pid.to_string()).join("net");
    FILES.map(|file| beginning(&net.join(file), MOST).unwrap_or_default()).concat()
}

/// The pasta processes of one user. All users can read the command line of a process, but not most of its other
/// files.
fn pastas(proc: &Path, uid: u32) -> Vec<Pasta> {
    processes(proc).filter_map(|(_, process)| pasta(&process, uid)).collect()
}

fn pasta(process: &Path, uid: u32) -> Option<Pasta> {
    // If the processor has AVX2, the name is pasta.avx2.
    let comm = beginning(&process.join("comm"), COMMAND_LINE)?;
    let owner = || users(process).map(|[real, ..]| real);
    if comm.trim_end().split('.').next() != Some("pasta") || owner() != Some(uid) {
        return None;
    }
    let line = beginning(&process.join("cmdline"), COMMAND_LINE)?;
    let words: BTreeSet<&str> = line.split('\0').collect();
    let families = ["-4", "-6", "--ipv4-only", "--ipv6-only"];
    Some(Pasta {
        shared: words.iter().any(|word| word.ends_with("/rootless-netns")),
        one_family: families.iter().any(|option| words.contains(option)),
    })
}

#[cfg(test)]
mod tests;
