//! The unit files, drop-ins and links that count in the folders of a service manager (systemd.unit(5)). Of files of the same
//! name, that of the first folder counts; it masks the others if it is empty or a link to /dev/null.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How many entries of a folder are looked at. Hosts have some hundred units.
const MOST: usize = 10_000;

/// Whether a file masks what has its name: it is empty, or a link to /dev/null.
pub fn is_masked(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.len() == 0)
}

/// What counts in some folders of units.
#[derive(Debug, Default)]
pub struct UnitTree {
    units: BTreeMap<String, PathBuf>,
    /// By the name of the folder (`a.service.d`, `b.target.wants`), then by the name of the entry.
    inside: BTreeMap<String, BTreeMap<String, PathBuf>>,
}

impl UnitTree {
    /// Looks into folders, of which the first ones win. A folder that cannot be read counts as empty.
    pub fn of<'a>(folders: impl Iterator<Item = &'a Path>) -> UnitTree {
        let mut tree = UnitTree::default();
        for (name, path) in folders.flat_map(entries) {
            if [".d", ".wants", ".requires"].iter().any(|end| name.ends_with(end)) {
                let inside = tree.inside.entry(name).or_default();
                for (name, path) in entries(&path) {
                    inside.entry(name).or_insert(path);
                }
            } else if name.contains('.') {
                tree.units.entry(name).or_insert(path);
            }
        }
        tree
    }

    /// The unit files, by the names of their units.
    pub fn units(&self) -> impl Iterator<Item = (&str, &Path)> {
        let units = self.units.iter().filter(|(_, path)| !is_masked(path));
        units.map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// The drop-ins, each with the name of its unit; those of a unit in the order in which systemd reads them.
    pub fn drop_ins(&self) -> impl Iterator<Item = (&str, &Path)> {
        let drop_ins = self.within(&[".d"]).filter(|(_, name, _)| name.ends_with(".conf"));
        drop_ins.map(|(unit, _, path)| (unit, path))
    }

    /// The links by which a unit wants or requires another one: the unit, the other one, and the link.
    pub fn links(&self) -> impl Iterator<Item = (&str, &str, &Path)> {
        self.within(&[".wants", ".requires"]).filter(|(_, other, _)| !self.masks(other))
    }

    /// Whether the unit of this name is masked.
    pub fn masks(&self, unit: &str) -> bool {
        self.units.get(unit).is_some_and(|path| is_masked(path))
    }

    /// The entries of the folders with these endings: the unit, the entry's name and its path.
    fn within(&self, endings: &'static [&str]) -> impl Iterator<Item = (&str, &str, &Path)> {
        let folders = self.inside.iter().filter_map(|(folder, inside)| {
            let unit = endings.iter().find_map(|ending| folder.strip_suffix(ending))?;
            Some((unit, inside))
        });
        let entries = folders.filter(|(unit, _)| !self.masks(unit)).flat_map(|(unit, inside)| {
            inside.iter().map(move |(name, path)| (unit, name.as_str(), path.as_path()))
        });
        entries.filter(|(_, _, path)| !is_masked(path))
    }
}

/// The first entries of a folder. Names that are not UTF-8 are left out: systemd has no such units.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST).flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Files in the first and the second folder, and the paths that count. A text of `-` is a link to /dev/null.
    #[test]
    fn the_first_folder_wins_and_a_mask_counts_for_all() {
        for (first, second, expected) in [
            (&[("a.service", "x")][..], &[("a.service", "y")][..], "1/a.service"),
            (&[], &[("a.service", "y")], "2/a.service"),
            (&[("a.service", "-")], &[("a.service", "y")], ""),
            (&[("a.service", "")], &[("a.service", "y")], ""),
            // Of drop-ins the name counts, and each one by itself.
            (
                &[("a.service.d/1.conf", "x")],
                &[("a.service.d/1.conf", "y"), ("a.service.d/2.conf", "y")],
                "1/a.service.d/1.conf 2/a.service.d/2.conf",
            ),
            (&[("a.service.d/1.conf", "-")], &[("a.service.d/1.conf", "y")], ""),
            (&[("a.service.d/1.conf", "")], &[("a.service.d/1.conf", "y")], ""),
            (&[("a.service.d/1.conf", "-")], &[("b.service.d/1.conf", "y")], "2/b.service.d/1.conf"),
            (&[], &[("a.service.d/1.txt", "y")], ""),
            // A masked unit has none, and a mask in a later folder is none.
            (&[("a.service", "-")], &[("a.service.d/1.conf", "y")], ""),
            (&[("a.service", "x")], &[("a.service", "-")], "1/a.service"),
            // Links.
            (&[], &[("t.target.wants/a.service", "y")], "2/t.target.wants/a.service"),
            (&[("t.target.wants/a.service", "-")], &[("t.target.wants/a.service", "y")], ""),
            (&[("t.target", "-")], &[("t.target.wants/a.service", "y")], ""),
            (&[("a.service", "-")], &[("t.target.requires/a.service", "y")], ""),
            (&[("README", "x")], &[], ""),
        ] {
            let place = tempfile::tempdir().unwrap();
            for (number, files) in [("1", first), ("2", second)] {
                for (name, text) in files {
                    let path = place.path().join(number).join(name);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    match *text {
                        "-" => symlink("/dev/null", path).unwrap(),
                        text => fs::write(path, text).unwrap(),
                    }
                }
            }
            let folders = ["1", "2", "3"].map(|number| place.path().join(number));
            let tree = UnitTree::of(folders.iter().map(PathBuf::as_path));
            let links = tree.links().map(|(_, _, path)| path);
            let paths = tree.units().chain(tree.drop_ins()).map(|(_, path)| path).chain(links);
            let paths = paths.map(|path| path.strip_prefix(&place).unwrap().to_str().unwrap());
            assert_eq!(paths.collect::<Vec<_>>().join(" "), expected, "{first:?} {second:?}");
        }
    }
}
