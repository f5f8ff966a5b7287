//! Finds settings that systemd ignores silently: dependencies on units that the user's service manager does not have,
//! an `[Install]` section without effect, and quadlets that should start at boot although nothing starts the user's
//! service manager then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::quadlets::named_quadlets;
use super::{DoctorReport, Finding, FindingCode, Host, text_of, unit_files};
use crate::escape::shell_word;
use crate::platform::systemd;
use crate::quadlet::unit_file::UnitFile;
use crate::quadlet::{Kind, Unit, WAIT_UNIT};

/// A quadlet that is wanted by this target should start at boot.
const AT_BOOT: &str = "default.target";

/// Keys of `[Unit]` that have no effect if the other unit does not exist.
const ORDERS: [&str; 2] = ["After", "Wants"];
/// Keys of `[Unit]` that make the start fail if the other unit does not exist.
const DEMANDS: [&str; 3] = ["Requires", "Requisite", "BindsTo"];

/// The names of the units that exist.
#[derive(Debug, Default)]
struct There {
    of_user: BTreeSet<String>,
    of_system: BTreeSet<String>,
}

impl There {
    /// Whether the system's service manager has a unit of this name and the user's does not.
    fn only_of_system(&self, name: &str) -> bool {
        let template = name.split_once('@').map(|(stem, rest)| {
            let kind = rest.rsplit_once('.').map_or("", |(_, kind)| kind);
            format!("{stem}@.{kind}")
        });
        let has = |units: &BTreeSet<String>| {
            units.contains(name) || template.as_ref().is_some_and(|template| units.contains(template))
        };
        has(&self.of_system) && !has(&self.of_user)
    }
}

/// Examines a user's quadlets and the units that the user wrote.
pub fn look(host: &Host, quadlets: &[Unit], report: &mut DoctorReport) {
    let there = there(host, quadlets);
    // Podman orders a quadlet after its wait unit, unless the quadlet turns that off.
    let is_gated = |unit: &Unit| unit.ordered_by_podman() || unit.gate().is_some();
    for unit in quadlets {
        judge(&unit.name, &unit.path, &unit.file, is_gated(unit), &there, report);
    }
    let own = own_units(&host.paths.units_above);
    let more = own.iter().map(|(name, (_, file))| (name.as_str(), file)).collect();
    report.findings.extend(without_order(quadlets, &more));
    for (name, (path, mut file)) in own {
        // Podman does not translate names of quadlets in systemd's own unit files.
        report.findings.extend(named_quadlets(&name, &path, &file, quadlets));
        // A copy of a packaged unit still gets the packaged drop-ins, which may make it wait for a gate.
        for folder in host.generated().iter().chain(&host.paths.units_below) {
            for path in unit_files::drop_ins(&folder.join(format!("{name}.d"))) {
                let text = text_of(&path).unwrap_or_default();
                file.read_over(unit_files::read(&path.display().to_string(), &text));
            }
        }
        // These may be drop-ins for the unit that Podman makes from a quadlet.
        let gated = quadlets.iter().any(|unit| unit.service == name && is_gated(unit));
        judge(&name, &path, &file, gated, &there, report);
    }
    linger(host, quadlets, report);
}

fn judge(name: &str, path: &str, file: &UnitFile, gated: bool, there: &There, report: &mut DoctorReport) {
    let orders = words(file, "Unit", &ORDERS);
    let gated = gated || orders.iter().any(|unit| unit.starts_with("netready") || *unit == WAIT_UNIT);
    let finding = |code, what: String, mend: Vec<String>| Finding {
        code,
        subject: name.to_owned(),
        what,
        seen: path.to_owned(),
        mend,
    };
    let dropped: BTreeSet<&str> = orders.into_iter().filter(|unit| there.only_of_system(unit)).collect();
    if !dropped.is_empty() {
        let list = listed(&dropped);
        let network = dropped.iter().all(|unit| is_of_network(unit));
        if gated && network {
            // The unit waits for the network through its gate, so this is only a note.
            report.notes.push(format!(
                "{name}: After={list} has no effect in a user's service manager; the unit waits for its gate"
            ));
        } else {
            let what = format!("is ordered after {list}, which only the system's service manager has");
            report.findings.push(finding(
                FindingCode::OrderingDropped,
                what,
                vec![in_place_of(&dropped).to_owned()],
            ));
        }
    }
    let demands = words(file, "Unit", &DEMANDS);
    let missing: BTreeSet<&str> = demands.into_iter().filter(|unit| there.only_of_system(unit)).collect();
    if !missing.is_empty() {
        let what = format!(
            "demands {}, which only the system's service manager has, so it cannot start",
            listed(&missing)
        );
        let mend = vec![in_place_of(&missing).to_owned()];
        report.findings.push(finding(FindingCode::OrderingDropped, what, mend));
    }
    let wanted_by = words(file, "Install", &["WantedBy", "RequiredBy", "UpheldBy"]);
    let nowhere: BTreeSet<&str> =
        wanted_by.iter().copied().filter(|unit| there.only_of_system(unit)).collect();
    if !nowhere.is_empty() && nowhere.len() == wanted_by.len() {
        let what = format!(
            "is wanted by {}, which only the system's service manager has, so nothing starts it",
            listed(&nowhere)
        );
        let mend = vec![format!("[Install] WantedBy={AT_BOOT}, then systemctl --user daemon-reload")];
        report.findings.push(finding(FindingCode::InstallTarget, what, mend));
    }
}

/// Finds quadlets that are not ordered after the network because of `DefaultDependencies=false`. This setting is
/// often recommended to avoid a wait of 90 s at each boot. `more` has the unit files that add settings to a quadlet's
/// unit, by the name of the unit.
fn without_order(quadlets: &[Unit], more: &BTreeMap<&str, &UnitFile>) -> Vec<Finding> {
    let mut ordered: BTreeSet<&str> = BTreeSet::new();
    let is_netreadys = |word: &&str| word.starts_with("netready") || *word == WAIT_UNIT;
    // A unit that is ordered after an ordered unit is ordered too, so repeat until nothing changes.
    loop {
        let before = ordered.len();
        for unit in quadlets {
            let own = words(&unit.file, "Unit", &["After"]);
            let added = more.get(unit.service.as_str()).map(|file| words(file, "Unit", &["After"]));
            // Podman orders a unit after the units of the quadlets that it names: Pod=, Image=, Network=, Volume=,
            // Mount=.
            let entries = unit.file.entries.iter().filter(|entry| &*entry.section == unit.kind.section());
            let named = entries.flat_map(|entry| entry.value.split([':', ',', '=', ' ']));
            let named = named.filter(|word| Kind::of(word).is_some());
            let mut after = own.into_iter().chain(added.unwrap_or_default()).chain(named);
            let by_itself = unit.ordered_by_podman() || unit.gate().is_some();
            if by_itself || after.any(|word| is_netreadys(&word) || ordered.contains(word)) {
                ordered.extend([unit.service.as_str(), unit.name.as_str()]);
            }
        }
        if ordered.len() == before {
            break;
        }
    }
    let finding = |unit: &Unit, what: &str, mend: &[&str]| Finding {
        code: FindingCode::DependenciesOff,
        subject: unit.name.clone(),
        what: what.to_owned(),
        seen: unit.path.clone(),
        mend: mend.iter().map(|line| (*line).to_owned()).collect(),
    };
    let mut findings = Vec::new();
    for unit in quadlets.iter().filter(|unit| unit.kind.needs_network()) {
        let decided = unit.settings.gate.is_some() || unit.file.word("Container", "Network") == Some("none");
        if !decided && !ordered.contains(unit.service.as_str()) {
            findings.push(finding(
                unit,
                "[Quadlet] DefaultDependencies=false removes its order after the network, and it waits for no gate",
                &[
                    "remove it; netready's drop-in for Podman's wait unit ends the wait of 90 s (docs/containers.md)",
                    "or keep it, and add [X-Netready] Gate=podman (Gate=none if it needs no network)",
                ],
            ));
        }
        if unit.file.switch("Unit", "DefaultDependencies") == Some(false) {
            findings.push(finding(
                unit,
                "[Unit] DefaultDependencies=false is systemd's key: it does not end the wait of 90 s, and the unit is \
                 no longer stopped in order at shutdown",
                &["remove it; netready's drop-in for Podman's wait unit ends the wait of 90 s (docs/containers.md)"],
            ));
        }
    }
    findings
}

fn in_place_of(units: &BTreeSet<&str>) -> &'static str {
    match units.iter().all(|unit| is_of_network(unit)) {
        true => "write instead: Wants=netready.service and After=netready.service",
        false => "remove it; a user's unit cannot wait for a unit of the system",
    }
}

fn listed(units: &BTreeSet<&str>) -> String {
    units.iter().copied().collect::<Vec<_>>().join(" and ")
}

/// All units that these keys name.
fn words<'a>(file: &'a UnitFile, section: &str, keys: &[&str]) -> Vec<&'a str> {
    let values = keys.iter().flat_map(|key| file.every(section, key));
    values.flat_map(str::split_whitespace).collect()
}

/// Whether a unit of the system is there for the network. A gate of netready can take its place.
fn is_of_network(unit: &str) -> bool {
    let managers =
        ["systemd-networkd", "NetworkManager", "systemd-resolved", "networking.", "connman", "dhcpcd"];
    unit.starts_with("network")
        || unit.starts_with("nss-lookup")
        || managers.iter().any(|name| unit.starts_with(name))
}

fn there(host: &Host, quadlets: &[Unit]) -> There {
    let mut there = There::default();
    let folders = host.paths.units_above.iter().chain(&host.paths.units_below);
    let generated = host.generated();
    for folder in folders.chain(&generated) {
        there.of_user.extend(unit_files::names(folder));
    }
    there.of_user.extend(quadlets.iter().map(|unit| unit.service.clone()));
    for folder in systemd::system_units_and_generated() {
        there.of_system.extend(unit_files::names(&host.at(folder)));
    }
    there
}

/// The units and drop-ins that the user or the administrator wrote, by the name of the unit. Packages put theirs into
/// other folders.
fn own_units(folders: &[PathBuf]) -> BTreeMap<String, (String, UnitFile)> {
    let mut units: BTreeMap<String, (String, UnitFile)> = BTreeMap::new();
    for folder in folders {
        for name in unit_files::names(folder) {
            let path = folder.join(&name);
            let (unit, files) = match name.strip_suffix(".d") {
                Some(unit) => (unit.to_owned(), unit_files::drop_ins(&path)),
                None => (name, vec![path]),
            };
            let kinds = [".service", ".timer", ".socket", ".path", ".target", ".mount"];
            if !kinds.iter().any(|kind| unit.ends_with(kind)) {
                continue;
            }
            for path in files.iter().filter(|path| is_own(path)) {
                let Ok(text) = text_of(path) else { continue };
                let shown = path.display().to_string();
                let file = unit_files::read(&shown, &text);
                units.entry(unit.clone()).or_insert((shown, UnitFile::default())).1.read_over(file);
            }
        }
    }
    units
}

/// Whether a file was written on this host. An alias of a packaged unit was not, and neither was a mask.
fn is_own(path: &Path) -> bool {
    let packaged = ["/usr/lib", "/lib", "/usr/share", "/dev"];
    fs::canonicalize(path)
        .is_ok_and(|real| real.is_file() && !packaged.iter().any(|folder| real.starts_with(folder)))
}

fn linger(host: &Host, quadlets: &[Unit], report: &mut DoctorReport) {
    let at_boot: Vec<&Unit> = quadlets
        .iter()
        .filter(|unit| {
            words(&unit.file, "Install", &["WantedBy", "RequiredBy", "UpheldBy"]).contains(&AT_BOOT)
        })
        .collect();
    if at_boot.is_empty() {
        return;
    }
    let what = "whether this user has linger";
    match &host.user {
        _ if !host.booted_by_systemd() => report.unseen(what, "systemd does not run this host"),
        None => report.unseen(what, "this user has no name"),
        Some(user) => {
            let file = host.at("/var/lib/systemd/linger").join(user);
            report.findings.extend(lingers(user, &file, file.exists(), &at_boot));
        }
    }
}

fn lingers(user: &str, file: &Path, there: bool, at_boot: &[&Unit]) -> Option<Finding> {
    let names: Vec<&str> = at_boot.iter().map(|unit| unit.name.as_str()).collect();
    (!there).then(|| Finding {
        code: FindingCode::LingerOff,
        subject: format!("user {user}"),
        what: format!("has no linger, but {} should start at boot", names.join(", ")),
        seen: format!("[Install] WantedBy={AT_BOOT}; there is no {}", file.display()),
        mend: vec![format!("loginctl enable-linger {}", shell_word(user))],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::quadlets_of;

    fn there() -> There {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        There {
            of_user: set(&[
                "default.target",
                "basic.target",
                "db.service",
                "netready.service",
                "timers.target",
            ]),
            of_system: set(&[
                "default.target",
                "basic.target",
                "multi-user.target",
                "network-online.target",
                "remote-fs.target",
                "db.service",
                "wg-quick@.service",
            ]),
        }
    }

    /// Each row: the text of a unit, whether something makes it wait for a gate, and the findings and then the notes.
    #[test]
    fn units_have_their_findings() {
        for (text, gated, expected) in [
            ("[Unit]\nAfter=basic.target db.service other.service\n", false, ""),
            (
                "[Unit]\nAfter=network-online.target\n",
                false,
                "ordering-dropped is ordered after network-online.target, which only the system's service manager has",
            ),
            (
                "[Unit]\nAfter=network-online.target\nWants=network-online.target\n",
                true,
                "note a: After=network-online.target has no effect in a user's service manager; the unit waits for its gate",
            ),
            (
                "[Unit]\nAfter=network-online.target netready.service\n",
                false,
                "note a: After=network-online.target has no effect in a user's service manager; the unit waits for its gate",
            ),
            ("[Unit]\nAfter=network-online.target\nAfter=\n", false, ""),
            // A gate does not take the place of this unit.
            (
                "[Unit]\nAfter=remote-fs.target\n",
                true,
                "ordering-dropped is ordered after remote-fs.target, which only the system's service manager has",
            ),
            (
                "[Unit]\nAfter=wg-quick@wg0.service\n",
                false,
                "ordering-dropped is ordered after wg-quick@wg0.service, which only the system's service manager has",
            ),
            (
                "[Unit]\nRequires=network-online.target\n",
                true,
                "ordering-dropped demands network-online.target, which only the system's service manager has, so it cannot start",
            ),
            ("[Install]\nWantedBy=default.target\n", false, ""),
            ("[Install]\nWantedBy=default.target multi-user.target\n", false, ""),
            (
                "[Install]\nWantedBy=multi-user.target\n",
                false,
                "install-target is wanted by multi-user.target, which only the system's service manager has, so nothing starts it",
            ),
            ("[Container]\nAfter=network-online.target\n", false, ""),
            (
                "no line of a unit\n[Unit]\nneither\nAfter=remote-fs.target\n",
                true,
                "ordering-dropped is ordered after remote-fs.target, which only the system's service manager has",
            ),
        ] {
            let mut report = DoctorReport::default();
            judge("a", "/a", &unit_files::read("/a", text), gated, &there(), &mut report);
            let findings = report.findings.iter().map(|f| format!("{} {}", f.code.as_str(), f.what));
            let notes = report.notes.iter().map(|note| format!("note {note}"));
            let found: Vec<String> = findings.chain(notes).collect();
            assert_eq!(found.join(" | "), expected, "{text:?}");
        }
    }

    /// Each row: the text of a quadlet, a drop-in of its unit, another quadlet, and the findings about the first
    /// quadlet.
    #[test]
    fn quadlets_without_an_order_after_the_network_are_found() {
        const OFF: &str = "[Container]\nImage=x\n[Quadlet]\nDefaultDependencies=false\n";
        const GATED: &str = "[Container]\nImage=x\n";
        let taken = "[Quadlet] DefaultDependencies=false removes its order after the network, and it waits for no gate";
        let systemds = "[Unit] DefaultDependencies=false is systemd's key: it does not end the wait of 90 s, and the unit is no longer stopped in order at shutdown";
        let with = |more: &str| format!("{OFF}{more}\n");
        for (text, more, other, expected) in [
            (GATED.to_owned(), "", "", ""),
            (OFF.to_owned(), "", "", taken),
            (OFF.replace("false", "no"), "", "", taken),
            (OFF.replace("false", "off"), "", GATED, taken),
            (OFF.replace("false", "yes"), "", "", ""),
            (with("[X-Netready]\nGate=lan"), "", "", ""),
            (with("[X-Netready]\nGate=none"), "", "", ""),
            (with("[Unit]\nAfter=netready.service"), "", "", ""),
            (with("[Unit]\nAfter=netready@lan.service"), "", "", ""),
            (with("[Unit]\nAfter=podman-user-wait-network-online.service"), "", "", ""),
            // Wants= does not change the order.
            (with("[Unit]\nWants=netready.service"), "", "", taken),
            (OFF.to_owned(), "[Unit]\nAfter=netready.service\n", "", ""),
            (OFF.to_owned(), "[Unit]\nAfter=other.service\n", "", taken),
            // The unit is ordered after another one, which waits for a gate or does not.
            (with("[Unit]\nAfter=b.service"), "", GATED, ""),
            (with("[Unit]\nAfter=b.container"), "", GATED, ""),
            (with("[Unit]\nAfter=c.service"), "", OFF, taken),
            (with("[Container]\nNetwork=none"), "", "", ""),
            ("[Container]\nImage=x\n[Unit]\nDefaultDependencies=no\n".to_owned(), "", "", systemds),
            ("[Container]\nImage=x\n[Unit]\nDefaultDependencies=yes\n".to_owned(), "", "", ""),
            (with("[Unit]\nDefaultDependencies=0\nAfter=netready.service"), "", "", systemds),
        ] {
            let files: Vec<(&str, &str)> = [("a.container", text.as_str()), ("b.container", other)]
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .collect();
            let quadlets = quadlets_of(&files);
            let more_file = unit_files::read("/m", more);
            let more = BTreeMap::from([("a.service", &more_file)]);
            let found: Vec<String> = without_order(&quadlets, &more)
                .into_iter()
                .filter(|finding| finding.subject == "a.container")
                .map(|finding| finding.what)
                .collect();
            assert_eq!(found.join(" | "), expected, "{text}, {other}");
        }
        // Podman itself orders a unit after the units of the quadlets that it names.
        for (line, expected) in [
            ("Network=n.network:ip=10.0.0.2", 0),
            ("Volume=v.volume:/data", 0),
            ("Mount=type=volume,source=v.volume,destination=/data", 0),
            ("Image=i.image", 0),
            ("Volume=off.volume:/data", 1),
            ("Network=host", 1),
        ] {
            let container = with(&format!("[Container]\n{line}"));
            let off = "[Volume]\nVolumeName=v\n[Quadlet]\nDefaultDependencies=false\n";
            let quadlets = quadlets_of(&[
                ("a.container", &container),
                ("n.network", "[Network]\nSubnet=10.0.0.0/24\n"),
                ("v.volume", "[Volume]\nVolumeName=v\n"),
                ("i.image", "[Image]\nImage=x\n"),
                ("off.volume", off),
            ]);
            assert_eq!(without_order(&quadlets, &BTreeMap::new()).len(), expected, "{line}");
        }
        // The containers of a pod are ordered with the pod. A volume needs no network.
        for (pod, expected) in
            [("[Pod]\nPodName=p\n", 0), ("[Pod]\nPodName=p\n[Quadlet]\nDefaultDependencies=false\n", 2)]
        {
            let container = with("[Container]\nPod=p.pod");
            let volume = "[Volume]\nVolumeName=v\n[Quadlet]\nDefaultDependencies=false\n";
            let quadlets = quadlets_of(&[("a.container", &container), ("p.pod", pod), ("v.volume", volume)]);
            assert_eq!(without_order(&quadlets, &BTreeMap::new()).len(), expected, "{pod}");
        }
    }

    #[test]
    fn own_units_are_those_that_no_package_installs() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.service"), "[Unit]\nAfter=x.target\n").unwrap();
        fs::create_dir(at("a.service.d")).unwrap();
        fs::write(at("a.service.d/b.conf"), "[Unit]\nAfter=y.target\n").unwrap();
        fs::write(at("readme.txt"), "[Unit]\n").unwrap();
        std::os::unix::fs::symlink("/dev/null", at("masked.service")).unwrap();
        // Reading must not block at these FIFOs.
        for fifo in ["fifo.service", "a.service.d/fifo.conf"] {
            nix::unistd::mkfifo(&at(fifo), nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let units = own_units(&[folder.path().to_owned()]);
        assert_eq!(units.keys().collect::<Vec<_>>(), ["a.service"]);
        assert_eq!(words(&units["a.service"].1, "Unit", &["After"]).len(), 2);
    }
}
