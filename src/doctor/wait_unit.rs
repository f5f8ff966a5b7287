//! Examines Podman's wait unit, which delays rootless quadlets: whether netready's drop-in applies to it, and if not,
//! whether anything starts the target for which it waits.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{DoctorReport, Finding, FindingCode, Host, text_of, unit_files};
use crate::quadlet::{DROP_IN, Manager, Unit, WAIT_UNIT};

const ONLINE: &str = "network-online.target";

/// Podman's wait unit with its drop-ins.
#[derive(Debug, Default, PartialEq, Eq)]
struct WaitUnit {
    /// The commands of `ExecStart=`.
    commands: Vec<String>,
    /// Whether a file of the user or the administrator replaces the packaged drop-in, so that this was a decision.
    decided: bool,
}

/// The state of network-online.target in the system's service manager.
#[derive(Debug, Default, PartialEq, Eq)]
struct Online {
    active: bool,
    wanted: bool,
}

/// Examines the wait unit of a user.
pub fn look(host: &Host, quadlets: &[Unit], report: &mut DoctorReport) {
    // Podman orders all kinds of quadlets after the wait unit. This matters only for kinds that need the network.
    if !quadlets.iter().any(|unit| unit.ordered_by_podman() && unit.kind.needs_network()) {
        return;
    }
    let Some(unit) = wait_unit(host) else { return };
    if let Some(finding) = ungated(&unit) {
        report.findings.push(finding);
    }
    if unit.waits_for_online() {
        online(host, WAIT_UNIT, report);
    }
}

/// Examines whether the system's gate is started: only network-online.target starts it.
pub fn look_at_system(host: &Host, netready_is_wanted: bool, report: &mut DoctorReport) {
    if netready_is_wanted {
        online(host, "netready.service", report);
    }
}

fn online(host: &Host, who: &str, report: &mut DoctorReport) {
    let of = |property| host.property_of(Manager::System, ONLINE, property);
    let wanted = ["WantedBy", "RequiredBy", "UpheldBy"]
        .iter()
        .try_fold(false, |wanted, property| of(property).map(|units| wanted || !units.is_empty()));
    match (of("ActiveState"), wanted) {
        (Ok(state), Ok(wanted)) => {
            report.findings.extend(unwanted(who, &Online { active: state != "inactive", wanted }));
        }
        (Err(error), _) | (_, Err(error)) => report.unseen(format!("who starts {ONLINE}"), error),
    }
}

impl WaitUnit {
    fn waits_for_online(&self) -> bool {
        self.commands.iter().any(|command| command.contains(ONLINE))
    }
}

fn ungated(unit: &WaitUnit) -> Option<Finding> {
    (unit.waits_for_online() && !unit.decided).then(|| Finding {
        code: FindingCode::WaitUnitUngated,
        subject: WAIT_UNIT.to_owned(),
        what: format!("waits for the system's {ONLINE}, not for this user's gate"),
        seen: format!("its file and drop-ins: there is no {WAIT_UNIT}.d/{DROP_IN} that replaces its command"),
        mend: vec![
            "install netready's package, which brings that drop-in (docs/containers.md)".to_owned(),
            "systemctl --user daemon-reload".to_owned(),
        ],
    })
}

fn unwanted(who: &str, online: &Online) -> Option<Finding> {
    let ours = who == "netready.service";
    (!online.active && !online.wanted).then(|| Finding {
        code: FindingCode::OnlineUnwanted,
        subject: who.to_owned(),
        what: match ours {
            true => format!("is started by {ONLINE}, which nothing starts"),
            false => format!(
                "waits for {ONLINE}, which nothing starts; after 90 s the containers start without it"
            ),
        },
        seen: format!("systemctl show {ONLINE}: inactive, WantedBy= is empty"),
        mend: vec![format!("systemctl add-wants multi-user.target {ONLINE}    # as root")],
    })
}

/// Reads the wait unit with its drop-ins, as systemd does. `None` if it does not exist or is masked.
fn wait_unit(host: &Host) -> Option<WaitUnit> {
    let generated = host.generated();
    let above = &host.paths.units_above;
    let folders: Vec<&PathBuf> = above.iter().chain(&generated).chain(&host.paths.units_below).collect();
    let file =
        folders.iter().map(|folder| folder.join(WAIT_UNIT)).find(|path| path.symlink_metadata().is_ok())?;
    let text = text_of(&file).ok().filter(|text| !text.is_empty())?;
    let mut drop_ins: BTreeMap<String, PathBuf> = BTreeMap::new();
    for folder in &folders {
        let folder = folder.join(format!("{WAIT_UNIT}.d"));
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".conf") {
                drop_ins.entry(name).or_insert(entry.path());
            }
        }
    }
    let decided = above.iter().any(|folder| drop_in_of(folder).symlink_metadata().is_ok());
    let texts = drop_ins.values().filter_map(|path| text_of(path).ok());
    Some(put_together(&text, texts, decided))
}

fn drop_in_of(folder: &Path) -> PathBuf {
    folder.join(format!("{WAIT_UNIT}.d")).join(DROP_IN)
}

fn put_together(text: &str, drop_ins: impl Iterator<Item = String>, decided: bool) -> WaitUnit {
    let mut file = unit_files::read(WAIT_UNIT, text);
    for text in drop_ins {
        file.read_over(unit_files::read(DROP_IN, &text));
    }
    let commands = file.every("Service", "ExecStart").into_iter().map(str::to_owned).collect();
    WaitUnit { commands, decided }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODMANS: &str = "[Unit]\nDescription=Wait\n[Service]\nType=oneshot\n\
        ExecStart=sh -c 'until systemctl is-active network-online.target; do sleep 0.5; done'\n";

    fn found(drop_ins: &[&str], decided: bool) -> &'static str {
        let unit = put_together(PODMANS, drop_ins.iter().map(|text| (*text).to_owned()), decided);
        ungated(&unit).map_or("", |finding| finding.code.as_str())
    }

    #[test]
    fn a_wait_unit_without_the_drop_in_is_found() {
        let packaged =
            include_str!("../../systemd/user/podman-user-wait-network-online.service.d/50-netready.conf");
        let by_generator = "[Service]\nExecStart=\nExecStart=/bin/sh -c :\n";
        for (drop_ins, decided, expected) in [
            (&[][..], false, "wait-unit-ungated"),
            (&[packaged], false, ""),
            (&[by_generator], false, ""),
            (&["[Service]\nTimeoutStartSec=5min\n"], false, "wait-unit-ungated"),
            // An empty file with the drop-in's name restores Podman's own behaviour.
            (&[""], true, ""),
        ] {
            assert_eq!(found(drop_ins, decided), expected, "{drop_ins:?}");
        }
    }

    #[test]
    fn a_target_that_nothing_starts_is_found() {
        for (active, wanted, expected) in
            [(false, false, true), (true, false, false), (false, true, false), (true, true, false)]
        {
            let found = unwanted(WAIT_UNIT, &Online { active, wanted });
            assert_eq!(found.is_some(), expected, "active {active}, wanted {wanted}");
        }
    }
}
