//! Finds addresses that Podman reserves for containers that do not exist or do not run.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::{DoctorReport, Finding, FindingCode, Host};
use crate::escape::{escape, shell_word};
use crate::ipam::{self, Lease, LeaseList, LeaseState, Podman};
use crate::quadlet::Manager;
use crate::report::chain;

/// The most addresses of a network that a finding lists. The others are counted.
const NAMED: usize = 8;

/// Examines the leases of the containers of this side.
pub fn look(host: &Host, report: &mut DoctorReport) {
    let podman = match (was_used(host), Podman::find(&host.programs)) {
        (Ok(true), Some(podman)) => podman,
        (Ok(false), _) => return,
        // On a user's side another tool, for example Buildah, may have made the folders.
        (Ok(true), None) if host.manager == Manager::User => return,
        (Ok(true), None) => return unknown(report, &host.programs.missing("podman")),
        (Err(error), _) => return unknown(report, &error),
    };
    match ipam::look(&podman) {
        Ok(look) => {
            report.findings.extend(judge(&look, host.manager));
            report.leaked =
                look.leases.into_iter().filter(|lease| lease.state == LeaseState::Leaked).collect();
        }
        Err(error) => match &error {
            ipam::LeaseError::File { path, source } if source.is_damage() => {
                report.leases_unknown = Some(chain(&error));
                report.findings.push(damaged(path, source, host.manager));
            }
            ipam::LeaseError::File { .. } | ipam::LeaseError::Podman(_) | ipam::LeaseError::Layout { .. } => {
                unknown(report, &error)
            }
        },
    }
}

/// Reports that the leases could not be examined, and why.
fn unknown(report: &mut DoctorReport, error: &dyn std::error::Error) {
    let because = chain(error);
    report.leases_unknown = Some(because.clone());
    report.unseen("the addresses that Podman holds for containers", because);
}

/// The finding about a damaged database. Podman cannot use it either. If the file does not exist, Podman makes a new
/// database, which hands out the addresses of running containers again; so all containers must be stopped before any
/// is started. The file must be moved away before that, because Podman 5.4 crashes (SIGBUS) on a truncated database
/// when it stops a container.
fn damaged(path: &Path, source: &ipam::file::DatabaseError, manager: Manager) -> Finding {
    let user = if manager == Manager::User { " --user" } else { "" };
    let path = path.display().to_string();
    let (from, to) = (shell_word(&path), format!("{path}.damaged"));
    Finding {
        code: FindingCode::LeasesDamaged,
        subject: path.clone(),
        what: format!("Podman cannot use this list of addresses: {}", chain(source)),
        seen: "it was read 20 times, as Podman's library reads it".to_owned(),
        mend: vec![
            format!("mv {from} {}    # Podman makes a new one", shell_word(&to)),
            format!(
                "then stop all containers on bridge networks: systemctl{user} stop UNIT; podman stop NAME    # \
                 \"failed to get network bucket\" is harmless now"
            ),
            "when all have stopped, start them again".to_owned(),
        ],
    }
}

/// Whether Podman was used here since the boot. The first use of Podman leaves files, so doctor must not be the first
/// to run it.
///
/// # Errors
/// Fails if a path cannot be examined.
fn was_used(host: &Host) -> io::Result<bool> {
    match host.manager {
        Manager::System => host.at(ipam::podman::ROOTS).try_exists(),
        Manager::User => {
            let Some(runtime) = host.paths.runtime.as_deref() else { return Ok(false) };
            Ok(runtime.join("containers").try_exists()? || runtime.join("libpod").try_exists()?)
        }
    }
}

/// The findings: one for the leaked leases of each network, and one for each container that does not run.
fn judge(look: &LeaseList, manager: Manager) -> Vec<Finding> {
    let mut leaked = BTreeMap::<&str, Vec<&Lease>>::new();
    let mut idle = BTreeMap::<&str, Vec<&Lease>>::new();
    for lease in &look.leases {
        match lease.state {
            LeaseState::Leaked => leaked.entry(&lease.held.network).or_default().push(lease),
            LeaseState::Idle => idle.entry(&lease.held.container).or_default().push(lease),
            LeaseState::InUse | LeaseState::Elsewhere => {}
        }
    }
    let database = look.database.display();
    let user = if manager == Manager::User { " --user" } else { "" };
    let gone = leaked.into_iter().map(|(network, leases)| Finding {
        code: FindingCode::LeaseLeaked,
        subject: format!("network {network}"),
        what: match leases.as_slice() {
            [one] => format!(
                "{} is held for container {:.12}, which does not exist",
                one.held.address, one.held.container
            ),
            several => {
                format!(
                    "{} addresses are held for containers that do not exist: {}",
                    several.len(),
                    names(several)
                )
            }
        },
        seen: format!("{database}; neither podman ps --all nor a process knows the container"),
        mend: vec![
            "netready doctor --fix".to_owned(),
            format!("then start what failed: systemctl{user} restart UNIT"),
        ],
    });
    let still = idle.into_values().map(|leases| {
        let container =
            leases.first().map(|lease| lease.name.clone().unwrap_or_default()).unwrap_or_default();
        Finding {
            code: FindingCode::LeaseIdle,
            subject: format!("container {container}"),
            what: format!("it does not run, and {} held for it", is_or_are(&leases)),
            seen: format!("{database}; podman ps --all"),
            mend: vec![format!("podman rm {}", shell_word(&container)), "netready doctor --fix".to_owned()],
        }
    });
    gone.chain(still).collect()
}

fn is_or_are(leases: &[&Lease]) -> String {
    format!("{} {}", names(leases), if leases.len() == 1 { "is" } else { "are" })
}

fn names(leases: &[&Lease]) -> String {
    let named: Vec<String> = leases.iter().take(NAMED).map(|lease| lease.held.address.to_string()).collect();
    match leases.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// The text that says what `--fix` is going to do.
pub fn plan(leaked: &[Lease]) -> String {
    let mut text = "--fix frees these addresses, and changes nothing else:\n".to_owned();
    for Lease { held, .. } in leaked {
        let (network, container) = (escape(&held.network), escape(&held.container));
        text += &format!("  {}  network {network}, container {container:.12}\n", held.address);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipam::HeldAddress;

    /// Without Podman in PATH.
    #[test]
    fn leases_that_cannot_be_examined_are_reported() {
        let root = tempfile::tempdir().unwrap();
        let mut host = Host::from_process();
        (host.manager, host.environment.root) = (Manager::System, root.path().to_owned());
        host.programs = host.programs.in_folders(&[]);
        let unknown = || {
            let mut report = DoctorReport::default();
            super::look(&host, &mut report);
            assert_eq!(report.unseen.len(), usize::from(report.leases_unknown.is_some()));
            report.leases_unknown
        };
        assert_eq!(unknown(), None, "Podman was not used");
        let folder = root.path().join("run/containers/networks");
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        std::fs::write(&folder, "").unwrap();
        assert_eq!(unknown().unwrap(), "Not a directory (os error 20)");
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ipam.db"), "").unwrap();
        assert_eq!(unknown().unwrap(), "podman was not found in PATH");
    }

    #[test]
    fn leaked_and_idle_leases_are_found() {
        let lease = |network: &str, last: u8, container: &str, state| Lease {
            held: HeldAddress {
                network: network.into(),
                address: [10, 0, 0, last].into(),
                container: container.repeat(64),
            },
            name: (state != LeaseState::Leaked).then(|| format!("name-{container}")),
            state,
        };
        let mut leases = vec![
            lease("a", 2, "1", LeaseState::InUse),
            lease("a", 3, "2", LeaseState::Leaked),
            lease("b", 3, "3", LeaseState::Idle),
            lease("c", 3, "3", LeaseState::Idle),
            lease("d", 3, "4", LeaseState::Elsewhere),
        ];
        leases.extend((10..21).map(|last| lease("e", last, "5", LeaseState::Leaked)));
        let look = LeaseList { database: "/db".into(), leases };
        let said: Vec<String> = judge(&look, Manager::User)
            .iter()
            .map(|finding| format!("{} {}: {}", finding.code.as_str(), finding.subject, finding.what))
            .collect();
        assert_eq!(
            said,
            [
                "lease-leaked network a: 10.0.0.3 is held for container 222222222222, which does not exist",
                "lease-leaked network e: 11 addresses are held for containers that do not exist: 10.0.0.10, \
                 10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14, 10.0.0.15, 10.0.0.16, 10.0.0.17 and 3 more",
                "lease-idle container name-3: it does not run, and 10.0.0.3, 10.0.0.3 are held for it",
            ]
        );
        let healthy = LeaseList { leases: look.leases[..1].to_vec(), ..look };
        assert_eq!(judge(&healthy, Manager::User), []);
    }
}
