//! Examines the services for which network-online.target waits: those of a network manager that does not run, those of
//! several managers, and all others if it also waits for netready. netready disables none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::escape::shell_word;
use crate::platform::systemd::system_units;

use super::{DoctorReport, Finding, FindingCode, Host, text_of, wait_unit};

const NETREADY: &str = "netready.service";
const ONLINE: &str = "network-online.target";
const NETWORKD: &str = "systemd-networkd-wait-online";

/// The waiters that network managers ship: the name of each, and the unit of its manager, which must run for the
/// waiter to end.
const MANAGERS: [(&str, &str); 4] = [
    (NETWORKD, "systemd-networkd.service"),
    ("NetworkManager-wait-online", "NetworkManager.service"),
    ("connman-wait-online", "connman.service"),
    ("ifupdown-wait-online", "networking.service"),
];

/// If network-online.target wants netready.service: one line for each other service for which the target waits, with
/// the command that disables it.
pub fn still_wanted() -> Vec<String> {
    let wanted = wanted(&system_units().map(PathBuf::from).collect::<Vec<_>>());
    beside(&wanted)
        .iter()
        .map(|name| format!("{ONLINE} waits for {name} too: systemctl disable {name}"))
        .collect()
}

/// The other services for which the target waits, if it also waits for netready.
fn beside(wanted: &BTreeSet<String>) -> Vec<&String> {
    wanted.iter().filter(|name| wanted.contains(NETREADY) && is_waiter(name)).collect()
}

fn is_waiter(name: &str) -> bool {
    name.contains("wait-online") && name.ends_with(".service")
}

/// The name without the instance, so that instances of one service do not count as several services.
fn kind(name: &str) -> &str {
    name.split(['@', '.']).next().unwrap_or(name)
}

/// What is known of the waiters of this host.
#[derive(Debug, Default)]
struct Known {
    /// The units that are enabled for network-online.target.
    wanted: BTreeSet<String>,
    /// Whether the unit of a manager is active. There is no entry if that is unknown.
    active: BTreeMap<String, bool>,
    /// Whether networkd manages a link. `None` if that is unknown.
    networkd_has_links: Option<bool>,
}

/// Examines the services that are enabled for network-online.target.
pub fn look(host: &Host, report: &mut DoctorReport) {
    let folders: Vec<PathBuf> = system_units().map(|folder| host.at(folder)).collect();
    let mut known = Known { wanted: wanted(&folders), ..Known::default() };
    wait_unit::look_at_system(host, known.wanted.contains(NETREADY), report);
    let waiters: Vec<&String> = known.wanted.iter().filter(|name| is_waiter(name)).collect();
    if waiters.is_empty() {
        return;
    }
    for (_, manager) in MANAGERS.iter().filter(|(waiter, _)| waiters.iter().any(|name| kind(name) == *waiter))
    {
        match host.property(manager, "ActiveState") {
            // A unit that is being started counts as active.
            Ok(state) => {
                known.active.insert((*manager).to_owned(), !["inactive", "failed"].contains(&state.as_str()));
            }
            Err(error) => report.unseen(format!("whether {manager} runs"), error),
        }
    }
    known.networkd_has_links = networkd_has_links(&host.at("/run/systemd/netif/links"));
    report.findings.extend(judge(&known));
}

fn judge(known: &Known) -> Vec<Finding> {
    let waiters: Vec<&String> = known.wanted.iter().filter(|name| is_waiter(name)).collect();
    let finding = |code, name: &str, what: String, seen: String| Finding {
        code,
        subject: name.to_owned(),
        what,
        seen,
        mend: vec![format!("systemctl disable {}", shell_word(name))],
    };
    let mut findings = Vec::new();
    let mut idle = BTreeSet::new();
    for name in &waiters {
        let manager = MANAGERS.iter().find(|(waiter, _)| *waiter == kind(name)).map(|(_, manager)| *manager);
        let Some(manager) = manager else { continue };
        let seen = format!("{ONLINE}.wants/{name}; systemctl show {manager}");
        let absent = known.active.get(manager) == Some(&false);
        let without_links = kind(name) == NETWORKD && known.networkd_has_links == Some(false);
        let what = match (absent, without_links) {
            (true, _) => format!("{manager}, whose links it waits for, does not run"),
            (false, true) => format!("{manager} manages none of this host's links"),
            (false, false) => continue,
        };
        idle.insert(*name);
        findings.push(finding(FindingCode::WaitOnlineNoManager, name, what, seen));
    }
    let live: Vec<&String> = waiters.into_iter().filter(|name| !idle.contains(name)).collect();
    if known.wanted.contains(NETREADY) {
        findings.extend(live.iter().map(|name| {
            let what = format!("{ONLINE} waits for it too, beside {NETREADY}");
            finding(FindingCode::WaitOnlineBeside, name, what, format!("{ONLINE}.wants/ has both"))
        }));
        return findings;
    }
    // Leave out services that no manager ships: somebody on this host wrote them.
    let known_kind = |name: &&&String| MANAGERS.iter().any(|(waiter, _)| *waiter == kind(name));
    let of_managers: Vec<&&String> = live.iter().filter(known_kind).collect();
    if let [first, others @ ..] = &of_managers[..] {
        findings.extend(others.iter().filter(|name| kind(name) != kind(first)).map(|name| {
            let what = format!("{ONLINE} waits for it and for {first}");
            let several =
                finding(FindingCode::WaitOnlineSeveral, name, what, format!("{ONLINE}.wants/ has both"));
            let mend = vec![format!(
                "systemctl disable {}    # or {first}, whichever manages less",
                shell_word(name)
            )];
            Finding { mend, ..several }
        }));
    }
    findings
}

/// Whether networkd manages a link, according to its files for libsystemd. `None` if there are no such files, as
/// before networkd's first start.
fn networkd_has_links(folder: &Path) -> Option<bool> {
    let states: Vec<String> =
        fs::read_dir(folder).ok()?.flatten().filter_map(|entry| text_of(&entry.path()).ok()).collect();
    let unmanaged = |state: &String| state.lines().any(|line| line == "ADMIN_STATE=unmanaged");
    (!states.is_empty()).then(|| !states.iter().all(unmanaged))
}

/// The units that are enabled for network-online.target and not masked.
fn wanted(folders: &[PathBuf]) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for folder in folders {
        let Ok(links) = std::fs::read_dir(folder.join("network-online.target.wants")) else { continue };
        for link in links.flatten() {
            let name = link.file_name().to_string_lossy().into_owned();
            let null = |path: &Path| path.canonicalize().is_ok_and(|path| path == Path::new("/dev/null"));
            let masked = folders.iter().any(|folder| null(&folder.join(&name))) || null(&link.path());
            if !masked {
                wanted.insert(name);
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Each row: the units that are wanted, the managers that run, whether networkd has links, and the findings.
    #[test]
    fn waiters_have_their_findings() {
        const NM: &str = "NetworkManager-wait-online.service";
        const NETWORKD: &str = "systemd-networkd-wait-online.service";
        const OF_LINK: &str = "systemd-networkd-wait-online@e0.service";
        type Case = (&'static [&'static str], &'static [&'static str], Option<bool>, &'static str);
        let rows: [Case; 12] = [
            (&[], &[], None, ""),
            (&[NETWORKD], &["systemd-networkd.service"], Some(true), ""),
            (&[NETWORKD], &["systemd-networkd.service"], None, ""),
            (&[NM], &["NetworkManager.service"], None, ""),
            (&[NETWORKD, OF_LINK], &["systemd-networkd.service"], Some(true), ""),
            (&[NM], &[], None, "wait-online-no-manager NetworkManager"),
            (
                &[NETWORKD],
                &["systemd-networkd.service"],
                Some(false),
                "wait-online-no-manager systemd-networkd",
            ),
            // A waiter whose manager does not run is not reported a second time.
            (
                &[NETWORKD, NM],
                &["systemd-networkd.service"],
                Some(true),
                "wait-online-no-manager NetworkManager",
            ),
            (
                &[NETWORKD, NM],
                &["systemd-networkd.service", "NetworkManager.service"],
                Some(true),
                "wait-online-several systemd-networkd",
            ),
            (&[NETWORKD, "my-wait-online.service"], &["systemd-networkd.service"], Some(true), ""),
            (&[NETREADY, NM], &["NetworkManager.service"], None, "wait-online-beside NetworkManager"),
            (&[NETREADY, "storage.service"], &[], None, ""),
        ];
        for (wanted, running, networkd_has_links, expected) in rows {
            let active = MANAGERS.iter().map(|(_, name)| ((*name).to_owned(), running.contains(name)));
            let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
            let known = Known { wanted, active: active.collect(), networkd_has_links };
            let found: Vec<String> = judge(&known)
                .iter()
                .map(|f| format!("{} {}", f.code.as_str(), f.subject.replace("-wait-online.service", "")))
                .collect();
            assert_eq!(found.join(" | "), expected, "{known:?}");
        }
        // If it is unknown whether a manager runs, there is no finding about it.
        let known = Known { wanted: [NM.to_owned()].into(), ..Known::default() };
        assert!(judge(&known).is_empty());
    }

    #[test]
    fn links_of_networkd_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(networkd_has_links(&folder.path().join("none")), None);
        assert_eq!(networkd_has_links(folder.path()), None);
        std::fs::write(folder.path().join("1"), "# x\nADMIN_STATE=unmanaged\nOPER_STATE=routable\n").unwrap();
        assert_eq!(networkd_has_links(folder.path()), Some(false));
        std::fs::write(folder.path().join("2"), "ADMIN_STATE=configured\n").unwrap();
        assert_eq!(networkd_has_links(folder.path()), Some(true));
    }

    #[test]
    fn masked_units_are_not_wanted() {
        let root = tempfile::tempdir().unwrap();
        let (etc, usr) = (root.path().join("etc"), root.path().join("usr"));
        let wants = etc.join("network-online.target.wants");
        std::fs::create_dir_all(&wants).unwrap();
        std::fs::create_dir_all(&usr).unwrap();
        for name in ["netready.service", "a-wait-online.service", "b-wait-online.service"] {
            std::fs::write(usr.join(name), "").unwrap();
            symlink(usr.join(name), wants.join(name)).unwrap();
        }
        symlink("/dev/null", etc.join("b-wait-online.service")).unwrap();
        let expected = ["a-wait-online.service", "netready.service"].map(str::to_owned);
        assert_eq!(wanted(&[etc, usr]), BTreeSet::from(expected));
    }
}
