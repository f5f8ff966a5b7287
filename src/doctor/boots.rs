//! Examines what the journal has of the last boots: gates that gave up, address families that came late, links that
//! flap, and pulls that needed retries.

use std::collections::{BTreeMap, BTreeSet};

use netready_core::journal::{Kind, field};

use super::{DoctorReport, Finding, FindingCode, Host};
use crate::config::{self, GateRequest};
use crate::escape::shell_word;
use crate::history;
use crate::history::boots::{
    BootHistory, Flapping, GaveUpBefore, Late, LateWhat, flapping, gave_up_before, late,
};
use crate::quadlet::Manager;
use crate::record::journalctl::{self, Found};
use crate::requirement::Gate;

/// How many boots are examined, including this one. journalctl runs once for each, which takes a second on a small
/// board. With half as many, a fault that happens only sometimes would be missed.
const BOOTS: usize = 6;

/// The folder of the journal if it is kept across boots.
const KEPT: &str = "/var/log/journal";

/// The last boots: all gates of one side in them, the latest boot first, and the pulls that were tried again.
#[derive(Debug, Default, PartialEq, Eq)]
struct Past {
    boots: Vec<BootHistory>,
    pulls: Vec<Pulls>,
    /// How many boots were read.
    read: usize,
}

/// The pulls of one unit that were tried again in one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pulls {
    offset: i64,
    unit: String,
    /// How often a pull was tried again.
    count: usize,
    /// The message of the last entry.
    last: String,
}

/// Examines the last boots.
pub fn look(host: &Host, report: &mut DoctorReport) {
    let past = read(host, report);
    let gate = |name: &str| gate_now(host, name);
    report.findings.extend(judge(host.manager, &past, &gate, &|name| file_for(host, name)));
}

/// What came late in each of the last boots of a gate, for `learn`. Empty if the journal cannot be read.
pub fn late_of(gate: &str) -> Vec<Late> {
    let host = Host::from_process();
    let past = read(&host, &mut DoctorReport::default());
    let boots: Vec<BootHistory> = past.boots.into_iter().filter(|boot| boot.gate == gate).collect();
    late(&boots)
}

/// The gate with the content that its files have now.
fn gate_now(host: &Host, name: &str) -> Option<Gate> {
    let request = GateRequest { gate: Some(name.to_owned()), ..GateRequest::default() };
    Some(config::load(&request, &host.environment, &config::NoLinks).ok()?.gate)
}

/// The path of the file that the administrator or the user writes for a gate, and whether it exists.
fn file_for(host: &Host, name: &str) -> (String, bool) {
    let path = config::own_file(name, &host.environment);
    (path.display().to_string(), path.exists())
}

fn read(host: &Host, report: &mut DoctorReport) -> Past {
    const WHAT: &str = "earlier boots";
    let mut past = Past::default();
    if !host.booted_by_systemd() {
        report.unseen(WHAT, "systemd does not run this host, so there is no journal");
        return past;
    }
    let boots = match journalctl::boots(&host.programs) {
        Ok(boots) => boots,
        Err(error) => {
            report.unseen(WHAT, error);
            return past;
        }
    };
    if boots.iter().all(|boot| boot.offset == 0) && !host.at(KEPT).is_dir() {
        report.unseen(
            WHAT,
            format!(
                "the journal is in memory only; as root: mkdir -p {KEPT} && systemctl restart systemd-journald"
            ),
        );
    }
    for boot in boots.iter().rev().take(BOOTS) {
        let entries = match journalctl::entries(&host.programs, boot, None) {
            Ok(entries) => entries,
            Err(error) => {
                report.unseen(format!("boot {}", boot.offset), error);
                continue;
            }
        };
        if entries.cut {
            report.unseen(format!("the end of boot {}", boot.offset), "its entries are too many");
        }
        let is_user = host.manager == Manager::User;
        let own = entries.entries.iter().filter(|found| found.of_user == is_user);
        past.add(boot.offset, own);
    }
    past
}

impl Past {
    /// Adds netready's entries of one boot.
    fn add<'a>(&mut self, offset: i64, entries: impl Iterator<Item = &'a Found>) {
        self.read += 1;
        let mut gates: BTreeMap<&str, BootHistory> = BTreeMap::new();
        let mut pulls: BTreeMap<&str, Pulls> = BTreeMap::new();
        for found in entries {
            if found.kind == Kind::PullRetry {
                let unit = found.unit.as_deref().unwrap_or("netready pull");
                let none = || Pulls { offset, unit: unit.to_owned(), count: 0, last: String::new() };
                let pulls = pulls.entry(unit).or_insert_with(none);
                pulls.count += 1;
                pulls.last = found.get(field::MESSAGE).unwrap_or_default().to_owned();
                continue;
            }
            let Some(gate) = found.get(field::GATE) else { continue };
            let of_gate = gates.entry(gate).or_insert_with(|| BootHistory {
                offset,
                gate: gate.to_owned(),
                ..BootHistory::default()
            });
            of_gate.entries.push((found.kind, found.get(field::CODE).map(str::to_owned)));
            let lines = found.get(field::EVENTS).unwrap_or_default();
            of_gate.events.extend(lines.lines().filter_map(history::read));
        }
        self.boots.extend(gates.into_values());
        self.pulls.extend(pulls.into_values());
    }
}

/// The findings about the last boots. `gate` returns the gate with the content that its files have now. `file`
/// returns the path of its own file, and whether it exists.
fn judge(
    manager: Manager,
    past: &Past,
    gate: &dyn Fn(&str) -> Option<Gate>,
    file: &dyn Fn(&str) -> (String, bool),
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names: BTreeSet<&str> = past.boots.iter().map(|boot| boot.gate.as_str()).collect();
    for name in names {
        let boots: Vec<BootHistory> = past.boots.iter().filter(|boot| boot.gate == name).cloned().collect();
        findings.extend(gave_up_before(&boots).map(|found| gave_up(manager, name, &found)));
        let now = gate(name);
        for late in late(&boots) {
            if now.as_ref().is_none_or(|gate| !late.is_waited_for(gate)) {
                findings.push(came_late(name, &late, &file(name)));
            }
        }
    }
    findings.extend(flapping(&past.boots).iter().map(flaps));
    findings.extend(retried(manager, past));
    findings
}

fn gave_up(manager: Manager, gate: &str, found: &GaveUpBefore) -> Finding {
    let GaveUpBefore { boots, of, code } = found;
    let code = code.as_deref().map(|code| format!("; the last time: {code}")).unwrap_or_default();
    let user = user(manager);
    let word = shell_word(gate);
    Finding {
        code: FindingCode::GateGaveUpBefore,
        subject: format!("gate {gate}"),
        what: format!("gave up in {boots} of the last {of} boots before this one{code}"),
        seen: format!("journalctl{user} NETREADY_GATE={word} NETREADY_EVENT=gave-up"),
        mend: vec![
            format!("journalctl{user} -x NETREADY_GATE={word} NETREADY_EVENT=gave-up    # what was missing"),
            format!("netready cat {word}    # a longer timeout, or a grace for what comes late"),
        ],
    }
}

fn came_late(gate: &str, late: &Late, (file, exists): &(String, bool)) -> Finding {
    let Late { family, what, link, boots, least, most } = late;
    let what = match what {
        LateWhat::Route => "default route",
        LateWhat::Address => "address",
    };
    let (least, most) = (least.as_secs_f64(), most.as_secs_f64());
    let by = link.as_deref().map(|link| format!(" by {link}")).unwrap_or_default();
    let mut mend = Vec::new();
    let word = shell_word(gate);
    // `learn --write` would replace a file that exists.
    if !exists {
        mend.push(format!("netready learn {word} --write    # writes a gate that waits for it; or"));
    }
    let drop_in = format!("{file}.d/50-{}.toml", family.to_string().to_lowercase());
    mend.push(format!("add this clause to the gate, for example as {drop_in}:"));
    mend.extend(late.clause_text().lines().map(str::to_owned));
    Finding {
        code: FindingCode::FamilyLate,
        subject: format!("gate {gate}"),
        what: format!(
            "the first {family} {what}{by} came {least:.1}s to {most:.1}s after the gate was ready in each of the last {boots} boots"
        ),
        seen: format!("the events of these boots: journalctl NETREADY_GATE={word} -o json"),
        mend,
    }
}

fn flaps(found: &Flapping) -> Finding {
    let Flapping { link, boots, of, most } = found;
    Finding {
        code: FindingCode::LinkFlaps,
        subject: format!("link {link}"),
        what: format!(
            "lost carrier up to {most} times within two minutes of the boot, in {boots} of the last {of} boots"
        ),
        seen: "the events of these boots in the journal".to_owned(),
        mend: vec![
            format!(
                "check the cable, the transceiver and the switch port of {link} (spanning tree: set the port to edge or portfast)"
            ),
            "settle = \"3s\"    # in the gate: it opens when everything has held for that long".to_owned(),
        ],
    }
}

/// The findings about units whose pulls were tried again, with the message of the latest boot.
fn retried(manager: Manager, past: &Past) -> Vec<Finding> {
    let mut units: BTreeMap<&str, Vec<&Pulls>> = BTreeMap::new();
    for pulls in &past.pulls {
        units.entry(&pulls.unit).or_default().push(pulls);
    }
    let user = user(manager);
    let findings = units.into_iter().filter_map(|(unit, boots)| {
        let most = boots.iter().map(|pulls| pulls.count).max()?;
        let last = &boots.first()?.last;
        Some(Finding {
            code: FindingCode::PullRetried,
            subject: unit.to_owned(),
            what: format!(
                "its pull was tried again in {} of the last {} boots, up to {most} times; the last time: {last}",
                boots.len(),
                past.read
            ),
            seen: format!("journalctl{user} NETREADY_EVENT=pull-retry"),
            mend: vec![
                format!("journalctl{user} -x -u {}    # the registry's own words", shell_word(unit)),
                "[X-Netready] Gate=podman    # in the quadlet, if it names no gate: pull when the network is ready".to_owned(),
                "keep the image: Pull=missing, or a mirror nearer by in registries.conf(5)".to_owned(),
            ],
        })
    });
    findings.collect()
}

fn user(manager: Manager) -> &'static str {
    match manager {
        Manager::System => "",
        Manager::User => " --user",
    }
}

#[cfg(test)]
mod tests;
