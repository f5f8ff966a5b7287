//! Examines gates: files with errors, gates that something waits for but that do not exist, gates that can never open
//! on this host, and gates that gave up in this boot.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{DoctorReport, Finding, FindingCode, Host, text_of, unit_files};
use crate::config::{self, FindError, FindErrorKind, Options, Problem};
use crate::escape::shell_word;
use crate::evaluate::matching;
use crate::model::Network;
use crate::platform::unit_tree::UnitTree;
use crate::quadlet::{Manager, Unit};
use crate::record::{self, GateRecord};
use crate::requirement::{Clause, Endpoint, Family, Gate, Item, LinkName, Links, Probe, Quorum, Subject};

/// Examines every gate that has a file, and every gate that something waits for.
pub fn look(host: &Host, quadlets: &[Unit], network: &Network, report: &mut DoctorReport) {
    let wanted = wanted(host, quadlets);
    let ipv6 = has_ipv6(&host.at("/proc/sys/net/ipv6"), network);
    let mut names = config::names(&host.environment);
    let named: Vec<String> = names.iter().cloned().collect();
    names.extend(wanted.keys().cloned());
    for name in names {
        let texts = match config::find(&name, &Options::default(), &host.environment, &config::NoLinks) {
            Ok(texts) => texts,
            Err(FindError { kind: FindErrorKind::Unreadable, problems }) => {
                report.findings.push(invalid(&name, &problems));
                continue;
            }
            Err(FindError { kind: FindErrorKind::Missing, problems }) => {
                // This gate has no file, but it may have drop-ins.
                let drop_ins = || named.contains(&name).then(|| format!("drop-ins in {name}.toml.d/"));
                let by = wanted.get(&name).cloned().or_else(drop_ins);
                report.findings.extend(by.map(|by| not_here(host.manager, &name, &by, &problems)));
                continue;
            }
            Err(FindError { kind: FindErrorKind::Masked, problems }) => {
                let by = wanted.get(&name);
                report.findings.extend(by.map(|by| not_here(host.manager, &name, by, &problems)));
                continue;
            }
        };
        match config::of_texts(&texts.name, texts.parts, &Options::default()) {
            Ok(loaded) => {
                report.findings.extend(impossible(&loaded.gate, network, ipv6));
                report.notes.extend(not_there_now(&loaded.gate, network));
            }
            Err(error) => report.findings.push(invalid(&name, &error.problems)),
        }
    }
}

/// The names of the gates that something waits for, each with what waits for it.
fn wanted(host: &Host, quadlets: &[Unit]) -> BTreeMap<String, String> {
    let mut wanted = BTreeMap::new();
    for unit in quadlets {
        if let Some(gate) = unit.gate() {
            wanted.insert(gate.to_owned(), format!("{} (Gate={gate})", unit.name));
        }
    }
    let tree = UnitTree::of(host.paths.units_above.iter().map(PathBuf::as_path));
    wanted_by_units(&tree, host.manager.main_gate(), &mut wanted);
    wanted
}

/// Keys of `[Unit]` that make a unit wait for a gate, or start it.
const NAMES_UNITS: [&str; 5] = ["After", "Wants", "Requires", "Requisite", "BindsTo"];

/// Adds the gates whose units somebody enabled, or named in a unit file or drop-in.
fn wanted_by_units(tree: &UnitTree, main_gate: &str, wanted: &mut BTreeMap<String, String>) {
    for (_, name, _) in tree.links() {
        if let Some(gate) = gate_of(name, main_gate) {
            wanted.insert(gate.to_owned(), format!("{name}, which is enabled"));
        }
    }
    for (unit, path) in tree.units().chain(tree.drop_ins()) {
        let text = text_of(path).unwrap_or_default();
        let file = unit_files::read(&path.display().to_string(), &text);
        let values = NAMES_UNITS.iter().flat_map(|key| file.every("Unit", key));
        for gate in values.flat_map(str::split_whitespace).filter_map(|word| gate_of(word, main_gate)) {
            wanted.entry(gate.to_owned()).or_insert_with(|| format!("{unit} ({})", path.display()));
        }
    }
}

/// The gate of a unit of netready's. `None` for a template, for other units, and for names with a specifier, as `%i`.
fn gate_of<'a>(unit: &'a str, main_gate: &'a str) -> Option<&'a str> {
    let gate = match unit.strip_suffix(".service")? {
        "netready" => main_gate,
        stem => stem.strip_prefix("netready@")?,
    };
    (!gate.is_empty() && !gate.contains('%')).then_some(gate)
}

/// The finding about a gate that something waits for, but that does not exist or is masked.
fn not_here(manager: Manager, name: &str, by: &str, problems: &[Problem]) -> Finding {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let folder = match manager {
        Manager::System => "/etc/netready",
        Manager::User => "~/.config/netready",
    };
    Finding {
        code: FindingCode::GateMissing,
        subject: format!("gate {name}"),
        what: format!("wanted by {by}, but there is none"),
        seen: first,
        mend: vec![format!("write {folder}/{name}.toml, or correct the name")],
    }
}

fn invalid(name: &str, problems: &[Problem]) -> Finding {
    let mut lines = problems.iter().map(ToString::to_string);
    let first = lines.next().unwrap_or_default();
    let more = match lines.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Finding {
        code: FindingCode::GateInvalid,
        subject: format!("gate {name}"),
        what: format!("{first}{more}"),
        seen: "its file and drop-ins were read as netready run reads them".to_owned(),
        mend: vec![format!("netready cat {}    # prints each wrong line; correct them", shell_word(name))],
    }
}

/// Whether any link of this host can have an IPv6 address. `sysctls` is /proc/sys/net/ipv6.
fn has_ipv6(sysctls: &Path, network: &Network) -> bool {
    let of_new_links = fs::read_to_string(sysctls.join("conf/default/disable_ipv6"));
    let enabled = network.links().any(|link| !link.loopback() && !link.ipv6_disabled);
    // If the folder does not exist, the kernel was started with ipv6.disable=1, or has no IPv6.
    sysctls.is_dir() && (enabled || of_new_links.is_ok_and(|value| value.trim() == "0"))
}

/// The finding about a gate that can never open on this host. A link or an address that may still appear is no
/// reason.
fn impossible(gate: &Gate, network: &Network, ipv6: bool) -> Option<Finding> {
    // Skip clauses with a grace, because the gate opens without them. Skip clauses with if-present, because they may
    // not count.
    let required = gate.clauses.iter().filter(|clause| clause.grace.is_none() && clause.if_present.is_none());
    let why = required.filter_map(|clause| never(clause, network, ipv6)).next()?;
    Some(Finding {
        code: FindingCode::GateImpossible,
        subject: format!("gate {}", gate.name),
        what: why.what,
        seen: why.seen,
        mend: vec![format!(
            "netready cat {}    # change that requirement, or give it a grace",
            shell_word(&gate.name)
        )],
    })
}

struct Never {
    what: String,
    seen: String,
}

fn never(clause: &Clause, network: &Network, ipv6: bool) -> Option<Never> {
    let of_ipv6: Vec<&Item> = clause.items.iter().filter(|item| family(item) == Some(Family::V6)).collect();
    let links = match &clause.subject {
        Subject::Host { needed } => {
            let never = |item: &&&Item| !ipv6 || zone_without_ipv6(item, network).is_some();
            let never: Vec<&&Item> = of_ipv6.iter().filter(never).collect();
            let first = never.first().filter(|_| clause.items.len() - never.len() < *needed)?;
            return Some(match zone_without_ipv6(first, network).filter(|_| ipv6) {
                Some(zone) => without_ipv6_on(first, zone),
                None => without_ipv6(first),
            });
        }
        Subject::Links(links) => links,
    };
    if let Some(item) = of_ipv6.first().filter(|_| !ipv6) {
        return Some(without_ipv6(item));
    }
    // With another quorum, a link that appears later may satisfy the clause.
    if matches!(links.quorum, Quorum::AtLeast(_)) {
        return None;
    }
    let item = of_ipv6.first()?;
    links.entries.iter().find_map(|entry| never_entry(entry, item, network))
}

fn never_entry(entry: &LinkName, item: &Item, network: &Network) -> Option<Never> {
    let LinkName::Exact(name) = entry else { return None };
    let link = network.links().find(|link| link.named(name) && link.ipv6_disabled)?;
    Some(Never {
        seen: format!("net.ipv6.conf.{}.disable_ipv6 = 1", link.ifname),
        ..without_ipv6_on(item, name)
    })
}

fn without_ipv6_on(item: &Item, name: &str) -> Never {
    Never {
        what: format!("{item} is wanted on {name}, where IPv6 is switched off"),
        seen: format!("net.ipv6.conf.{name}.disable_ipv6 = 1"),
    }
}

fn without_ipv6(item: &Item) -> Never {
    Never {
        what: format!("{item} is wanted, and IPv6 is switched off on this host"),
        seen: "/proc/sys/net/ipv6 and net.ipv6.conf.*.disable_ipv6".to_owned(),
    }
}

/// The address family that an item needs. `None` if either family is enough.
fn family(item: &Item) -> Option<Family> {
    let Item::Probe(probe) = item else { return item.family() };
    // The address ::1 of this host needs no link.
    target(probe).map(|(address, _)| address).filter(|it| !it.is_loopback()).map(Family::of)
}

/// The address that a probe asks, and its zone. `None` if the target is a name.
fn target(probe: &Probe) -> Option<(IpAddr, Option<&str>)> {
    match probe {
        Probe::Ping { address, zone } => Some((*address, zone.as_deref())),
        Probe::Tcp(endpoint) => of_endpoint(endpoint),
        Probe::Http(request) => of_endpoint(&request.url.endpoint),
        Probe::Dns(_) => None,
    }
}

/// The address and the zone of an endpoint. `None` if its host is a name.
fn of_endpoint(endpoint: &Endpoint) -> Option<(IpAddr, Option<&str>)> {
    Some((endpoint.host.parse().ok()?, endpoint.zone.as_deref()))
}

/// The zone of a probe's target, if that zone is a link without IPv6.
fn zone_without_ipv6<'a>(item: &'a Item, network: &Network) -> Option<&'a str> {
    let Item::Probe(probe) = item else { return None };
    let (_, zone) = target(probe)?;
    zone.filter(|zone| network.links().any(|link| link.named(zone) && link.ipv6_disabled))
}

/// Notes about links that a gate names and that this host does not have now. This may be intended.
fn not_there_now(gate: &Gate, network: &Network) -> Vec<String> {
    let mut notes = Vec::new();
    for clause in gate.clauses.iter().filter(|clause| clause.if_present.is_none()) {
        let Subject::Links(links) = &clause.subject else { continue };
        for entry in &links.entries {
            let alone = Links { entries: vec![entry.clone()], ..links.clone() };
            if matching(&alone, network).is_empty() {
                notes.push(format!("gate {}: {entry}: not there now", gate.name));
            }
        }
    }
    notes
}

/// Examines the records that `netready run` wrote, and the state of netready's units.
pub fn look_back(host: &Host, report: &mut DoctorReport) {
    let run = match host.manager {
        Manager::System => Some(host.at("/run")),
        Manager::User => host.paths.runtime.clone(),
    };
    let records = run.map(|run| record::of_this_boot(&run.join(record::FOLDER))).unwrap_or_default();
    for kept in &records {
        match gave_up(host.manager, kept) {
            Some(Back::Finding(finding)) => report.findings.push(finding),
            Some(Back::Note(note)) => report.notes.push(note),
            None => {}
        }
    }
    if !host.booted_by_systemd() {
        return;
    }
    match host.units("netready*.service", "Id,ActiveState,Result,ExecMainStatus") {
        Ok(units) => report.findings.extend(units.iter().filter_map(|unit| failed(host.manager, unit))),
        Err(error) => report.unseen("the state of netready's units", error),
    }
}

/// What is reported about a gate that gave up.
#[derive(Debug, PartialEq, Eq)]
enum Back {
    Finding(Finding),
    Note(String),
}

/// What to report about a gate that gave up: a finding if the gate is not ready now, otherwise a note.
fn gave_up(manager: Manager, kept: &GateRecord) -> Option<Back> {
    let at = kept.gave_up_at.as_ref()?;
    match kept.ready {
        // The gate was ready after that, even if it is lost again by now.
        ready if ready == Some(true) || kept.ready_later => {
            return Some(Back::Note(format!("gate {} gave up at {at}, and became ready later", kept.gate)));
        }
        Some(_) => {}
        None => {
            let status = &kept.status;
            return Some(Back::Note(format!(
                "gate {} gave up at {at}; its status is now: {status}",
                kept.gate
            )));
        }
    }
    let user = match manager {
        Manager::System => "",
        Manager::User => " --user",
    };
    Some(Back::Finding(Finding {
        code: FindingCode::GateGaveUp,
        subject: format!("gate {}", kept.gate),
        what: format!("gave up at {at}, and is not ready: {}", kept.status),
        seen: format!("the record of its run ({})", kept.source),
        mend: vec![
            format!("netready check {}    # what is missing now", shell_word(&kept.gate)),
            format!("journalctl{user} -b -u 'netready*'    # what was missing then"),
        ],
    }))
}

/// The finding about a unit that has failed, which systemd does not start again by itself.
fn failed(manager: Manager, unit: &BTreeMap<String, String>) -> Option<Finding> {
    let of = |name: &str| unit.get(name).map(String::as_str).unwrap_or_default();
    if of("ActiveState") != "failed" {
        return None;
    }
    let user = match manager {
        Manager::System => "",
        Manager::User => " --user",
    };
    let (id, code) = (of("Id"), of("ExecMainStatus"));
    let word = shell_word(id);
    let meaning = if code == "2" { ", a usage or configuration error" } else { "" };
    Some(Finding {
        code: FindingCode::GateUnitFailed,
        subject: id.to_owned(),
        what: format!("has failed ({}, exit code {code}{meaning}) and is not started again", of("Result")),
        seen: format!("systemctl{user} show {word}"),
        mend: vec![
            format!("journalctl{user} -b -u {word}    # shows the cause; correct it"),
            format!("systemctl{user} restart {word}"),
        ],
    })
}

#[cfg(test)]
mod tests;
