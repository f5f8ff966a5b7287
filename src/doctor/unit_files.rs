//! Reads the unit files and drop-ins of this host.

use std::fs;
use std::path::{Path, PathBuf};

use crate::quadlet::unit_file::{self, UnitFile};

/// The names of the entries of a folder, in no order. Empty if the folder cannot be read. Names that are not UTF-8
/// are left out, because systemd has no such units.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// The paths of the drop-ins in a folder `UNIT.d`.
pub fn drop_ins(folder: &Path) -> Vec<PathBuf> {
    let names = names(folder).into_iter().filter(|name| name.ends_with(".conf"));
    names.map(|name| folder.join(name)).collect()
}

/// Reads a unit file as systemd does: skips each line that cannot be parsed, and keeps the others.
pub fn read(path: &str, text: &str) -> UnitFile {
    let mut lines: Vec<&str> = text.lines().collect();
    loop {
        match unit_file::read(path, &lines.join("\n")) {
            Ok(file) => return file,
            Err(refused) => match lines.get_mut(refused.place.line.saturating_sub(1)) {
                Some(line) if !line.is_empty() => *line = "",
                Some(_) | None => return UnitFile::default(),
            },
        }
    }
}
