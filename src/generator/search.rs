//! Podman's search path for quadlets, by Podman's rules (podman-systemd.unit(5)).

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::quadlet::{Directory, Kind, Manager, Source};

use super::{Place, shown};

const RUN: &str = "/run/containers/systemd";
const ADMIN: &str = "/etc/containers/systemd";
const DISTRIBUTION: &str = "/usr/share/containers/systemd";

/// A quadlet is some hundred bytes; what is larger is none, and would only cost time at every reload.
const LARGEST: u64 = 1 << 20;

/// Deeper than anybody nests; every folder is visited once, but a chain of them could be long.
const DEEPEST: usize = 16;

/// Every directory that Podman reads, the first one first.
pub fn folders(place: &Place, complain: &mut dyn FnMut(&str)) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(folders) = env::var_os("QUADLET_UNIT_DIRS").filter(|folders| !folders.is_empty()) {
        for folder in env::split_paths(&folders) {
            if !folder.is_absolute() {
                complain(&format!("QUADLET_UNIT_DIRS: {} is not absolute", folder.display()));
                break;
            }
            add(&mut found, &folder, &|_| true, DEEPEST);
        }
        return found;
    }
    let users = |base: &str| {
        let users = Path::new(base).join("users");
        fs::canonicalize(&users).unwrap_or(users)
    };
    match place.manager {
        Manager::User => {
            let own = place.runtime.iter().chain(&place.config);
            for folder in own {
                add(&mut found, &folder.join("containers/systemd"), &|_| true, DEEPEST);
            }
            // Podman reads the distribution's from 6.0 on; before that there are none.
            for base in [ADMIN, DISTRIBUTION] {
                let users = users(base);
                add(&mut found, &users, &|folder| !is_some_users(&users, folder), DEEPEST);
                add(&mut found, &users.join(place.uid.to_string()), &|_| true, DEEPEST);
            }
        }
        Manager::System => {
            let (of_admin, of_distribution) = (users(ADMIN), users(DISTRIBUTION));
            let not_users =
                |folder: &Path| !folder.starts_with(&of_admin) && !folder.starts_with(&of_distribution);
            for folder in [RUN, ADMIN, DISTRIBUTION] {
                add(&mut found, Path::new(folder), &not_users, DEEPEST);
            }
        }
    }
    found
}

/// Whether a folder belongs to one user, whose number it has for a name.
fn is_some_users(users: &Path, folder: &Path) -> bool {
    let first = folder.strip_prefix(users).ok().and_then(|rest| rest.components().next());
    first.is_some_and(|name| name.as_os_str().as_encoded_bytes().iter().all(u8::is_ascii_digit))
}

/// Adds a folder and, in the order of their names, those below it.
fn add(found: &mut Vec<PathBuf>, folder: &Path, wanted: &dyn Fn(&Path) -> bool, depth: usize) {
    let Ok(folder) = fs::canonicalize(folder) else { return };
    let is_drop_ins = folder.extension().is_some_and(|extension| extension == "d");
    if depth == 0 || is_drop_ins || found.contains(&folder) || !wanted(&folder) || !folder.is_dir() {
        return;
    }
    found.push(folder.clone());
    let mut below: Vec<PathBuf> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        // Most are plain files; only a folder or a link needs another look.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink()))
        .map(|entry| entry.path())
        .collect();
    below.sort();
    for folder in below {
        add(found, &folder, wanted, depth - 1);
    }
}

/// Reads one directory: its quadlets, and the drop-ins in its `.d` folders.
pub fn read(folder: &Path, complain: &mut dyn FnMut(&str)) -> Directory {
    let mut directory = Directory::default();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // Podman's units have names that systemd takes, which are ASCII.
        let Some(name) = name.to_str() else { continue };
        let path = entry.path();
        if Kind::of(name).is_some() {
            if let Some(source) = source(&path, complain) {
                directory.quadlets.insert(name.to_owned(), source);
            }
        } else if name.strip_suffix(".d").is_some_and(is_drop_in_folder) && path.is_dir() {
            let drop_ins = drop_ins(&path, complain);
            directory.drop_ins.insert(name.to_owned(), drop_ins);
        }
    }
    directory
}

/// `foo.container`, and `container` for all of a kind.
fn is_drop_in_folder(name: &str) -> bool {
    Kind::of(name).is_some() || Kind::of(&format!("x.{name}")).is_some()
}

fn drop_ins(folder: &Path, complain: &mut dyn FnMut(&str)) -> BTreeMap<String, Source> {
    let mut drop_ins = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.ends_with(".conf")) else { continue };
        if let Some(source) = source(&entry.path(), complain) {
            drop_ins.insert(name.to_owned(), source);
        }
    }
    drop_ins
}

fn source(path: &Path, complain: &mut dyn FnMut(&str)) -> Option<Source> {
    match text(path) {
        Ok(text) => Some(Source { path: shown(path), text: text? }),
        Err(error) => {
            complain(&format!("{}: {error}", shown(path)));
            None
        }
    }
}

/// `None` of what is no file. A pipe would hold up the reload, so nothing is waited for when it is opened.
fn text(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let kind = file.metadata()?;
    // A link to /dev/null masks.
    if kind.file_type().is_char_device() && kind.rdev() == libc::makedev(1, 3) {
        return Ok(Some(String::new()));
    }
    if !kind.is_file() || kind.len() > LARGEST {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(kind.len()).unwrap_or_default() + 1);
    file.by_ref().take(LARGEST).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes);
    Ok(Some(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())))
}
