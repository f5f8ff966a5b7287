//! Finds the units that wait for a gate, from unit files and drop-ins. This includes the drop-ins that
//! `netready-generator` makes for quadlets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::Environment;
use crate::explain::{Waiter, Waiters};
use crate::files;
use crate::generator::UnitPaths;
use crate::identity::Identity;
use crate::platform::systemd;
use crate::platform::unit_tree::UnitTree;
use crate::quadlet::Manager;

/// How many units the text names. A list that is longer than a screen helps nobody.
const MOST: usize = 20;

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

/// Finds the units in these folders that wait for one of the units `names`. A unit, drop-in or link that somebody masked
/// makes nothing wait.
fn in_folders<'a>(folders: impl Iterator<Item = &'a Path>, names: &[String]) -> Waiters {
    let tree = UnitTree::of(folders);
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !tree.masks(name)).collect();
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    // netready's own units do not wait for the gate.
    let units = tree.units().filter(|(unit, _)| !names.contains(unit));
    for (unit, path) in units.chain(tree.drop_ins()) {
        if found.contains_key(unit) {
            continue;
        }
        found.extend(line(path, &names).map(|place| (unit, place)));
    }
    // systemd orders a target after all units that it wants.
    for (unit, wanted, path) in tree.links() {
        if unit.ends_with(".target") && names.contains(&wanted) {
            found.entry(unit).or_insert_with(|| path.display().to_string());
        }
    }
    let more = found.len().saturating_sub(MOST);
    let units = found.into_iter().take(MOST);
    Waiters { units: units.map(|(unit, place)| Waiter { unit: unit.to_owned(), place }).collect(), more }
}

/// Finds the line of a unit file that orders the unit after one of the units `names`.
fn line(path: &Path, names: &[&str]) -> Option<String> {
    let bytes = files::read_bounded(path, files::LARGEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let orders = |line: &str| {
        let value =
            line.trim_start().strip_prefix("After").and_then(|rest| rest.trim_start().strip_prefix('='));
        value.is_some_and(|value| value.split_whitespace().any(|word| names.contains(&word)))
    };
    let number = text.lines().position(orders)?;
    Some(format!("{}:{}", path.display(), number + 1))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

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
            ("e.target.wants/netready@nas.service", "[Unit]\n"),
            ("f.service.wants/netready@nas.service", "[Unit]\n"),
            ("netready@nas.service", "[Unit]\nAfter=netready@nas.service\n"),
        ] {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        symlink("/dev/zero", folder.join("z.service")).unwrap();
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

    /// The folder of the administrator, then that of the generator.
    #[test]
    fn what_is_switched_off_does_not_wait() {
        const ORDER: &str = "[Unit]\nAfter=netready@nas.service\n";
        for (off, waits) in [
            ("a.service.d/60.conf", true),
            ("a.service.d/50-netready.conf", false),
            ("a.service", false),
            ("netready@nas.service", false),
        ] {
            let place = tempfile::tempdir().unwrap();
            let (own, made) = (place.path().join("etc"), place.path().join("generator"));
            fs::create_dir_all(made.join("a.service.d")).unwrap();
            fs::write(made.join("a.service.d/50-netready.conf"), ORDER).unwrap();
            fs::create_dir_all(own.join("a.service.d")).unwrap();
            symlink("/dev/null", own.join(off)).unwrap();
            let folders = [own, made];
            let found =
                in_folders(folders.iter().map(PathBuf::as_path), &["netready@nas.service".to_owned()]);
            assert_eq!(!found.units.is_empty(), waits, "{off}");
        }
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
