//! Finds the units that wait for a gate, from unit files and drop-ins. This includes the drop-ins that
//! `netready-generator` makes for quadlets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::explain::{Waiter, Waiters};
use crate::files;
use crate::generator::UnitPaths;
use crate::identity::Identity;
use crate::platform::systemd;
use crate::quadlet::Manager;

/// How many units the text names. A list that is longer than a screen helps nobody.
const MOST: usize = 20;

/// How many entries of a folder are read. Hosts have some hundred units.
const ENTRIES: usize = 10_000;

/// Finds the units of this caller's service manager that wait for the gate with this name.
pub(super) fn of(gate: &str, environment: &Environment) -> Waiters {
    let paths = UnitPaths::from_process(environment.is_user(), None, None);
    let generated = match (paths.manager, Identity::of_process().runtime) {
        (Manager::System, _) => vec![PathBuf::from("/run/systemd/generator")],
        (Manager::User, Some(runtime)) => systemd::generated(&runtime).into(),
        (Manager::User, None) => Vec::new(),
    };
    let main = match paths.manager {
        Manager::System => "default",
        Manager::User => "podman",
    };
    let mut names = vec![format!("netready@{gate}.service")];
    if gate == main {
        names.push("netready.service".to_owned());
    }
    let folders = paths.units_above.iter().chain(&generated).chain(&paths.units_below);
    in_folders(folders.map(PathBuf::as_path), &names)
}

/// Finds the units in these folders that wait for one of the units `names`.
fn in_folders<'a>(folders: impl Iterator<Item = &'a Path>, names: &[String]) -> Waiters {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        for (name, path) in entries(folder) {
            let Some((unit, place)) = waits(&name, &path, names) else { continue };
            found.entry(unit).or_insert(place);
        }
    }
    let more = found.len().saturating_sub(MOST);
    let units = found.into_iter().take(MOST).map(|(unit, place)| Waiter { unit, place }).collect();
    Waiters { units, more }
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES).flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named.collect()
}

/// If an entry of a folder of units makes a unit wait, returns the unit and the place that says so.
fn waits(name: &str, path: &Path, names: &[String]) -> Option<(String, String)> {
    if let Some(unit) = name.strip_suffix(".d") {
        let mut drop_ins = entries(path);
        drop_ins.sort();
        let said = drop_ins.iter().filter(|(name, _)| name.ends_with(".conf"));
        let place = said.filter_map(|(_, path)| line(path, names)).next()?;
        return Some((unit.to_owned(), place));
    }
    // systemd orders a target after all units that it wants.
    let target = [".wants", ".requires"].iter().find_map(|suffix| name.strip_suffix(suffix));
    if let Some(unit) = target.filter(|unit| unit.ends_with(".target")) {
        let link = entries(path).into_iter().find(|(name, _)| names.contains(name))?;
        return Some((unit.to_owned(), link.1.display().to_string()));
    }
    // netready's own units do not wait for the gate.
    if names.contains(&name.to_owned()) || !name.contains('.') {
        return None;
    }
    Some((name.to_owned(), line(path, names)?))
}

/// Finds the line of a unit file that orders the unit after one of the units `names`.
fn line(path: &Path, names: &[String]) -> Option<String> {
    let bytes = files::read_bounded(path, files::LARGEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let orders = |line: &str| {
        let value =
            line.trim_start().strip_prefix("After").and_then(|rest| rest.trim_start().strip_prefix('='));
        value.is_some_and(|value| value.split_whitespace().any(|word| names.iter().any(|name| name == word)))
    };
    let number = text.lines().position(orders)?;
    Some(format!("{}:{}", path.display(), number + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_drop_ins_and_targets_are_found() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        for (path, text) in [
            (
                "a.service",
                "[Unit]\nDescription=After=netready@nas.service\nAfter=network.target netready@nas.service\n",
            ),
            ("b.service", "[Unit]\nWants=netready@nas.service\n# After=netready@nas.service\n"),
            ("c.mount.d/50.conf", "[Unit]\nAfter = netready@nas.service\n"),
            ("d.service", "[Unit]\nAfter=netready@nas2.service\n"),
            ("e.target.wants/netready@nas.service", ""),
            ("f.service.wants/netready@nas.service", ""),
            ("netready@nas.service", "[Unit]\nAfter=netready@nas.service\n"),
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("/dev/zero", folder.join("z.service")).unwrap();
        let found = in_folders(std::iter::once(folder), &["netready@nas.service".to_owned()]);
        let said: Vec<String> =
            found.units.iter().map(|waiter| format!("{} {}", waiter.unit, waiter.place)).collect();
        let at = |path: &str| folder.join(path).display().to_string();
        assert_eq!(
            said,
            [
                format!("a.service {}:3", at("a.service")),
                format!("c.mount {}:2", at("c.mount.d/50.conf")),
                format!("e.target {}", at("e.target.wants/netready@nas.service")),
            ]
        );
        assert_eq!(found.more, 0);
    }

    #[test]
    fn no_more_than_a_screen_is_named() {
        let place = tempfile::tempdir().unwrap();
        for number in 0..MOST + 3 {
            fs::write(place.path().join(format!("u{number}.service")), "[Unit]\nAfter=n.service\n").unwrap();
        }
        let found = in_folders(std::iter::once(place.path()), &["n.service".to_owned()]);
        assert_eq!((found.units.len(), found.more), (MOST, 3));
        assert_eq!(in_folders(std::iter::once(Path::new("/nonexistent")), &[]), Waiters::default());
    }
}
