//! Searches for quadlets in Podman's search path, by Podman's rules (podman-systemd.unit(5)).
//!
//! Podman descends into every folder below the first ones, also through symbolic links, and data of containers is
//! often kept beside quadlets. So this search visits each folder only once, reads nothing but the entries of folders
//! and the quadlets, and has limits. It visits folders level by level, and folders behind links last. So if a limit
//! ends the search, the deepest folders are missing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::quadlet::{Directory, Kind, Manager, Source};

use super::{UnitPaths, shown};

const RUN: &str = "/run/containers/systemd";
const ADMIN: &str = "/etc/containers/systemd";
const DISTRIBUTION: &str = "/usr/share/containers/systemd";

/// The limits of a search. Each is far above what hosts have. Together they limit a reload to a few seconds.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// The most folders that are opened and links that are followed.
    folders: usize,
    /// The most entries of all folders.
    entries: usize,
    /// The most bytes of one file. A quadlet has some hundred.
    file: u64,
    /// The most bytes of all files together, which are kept in memory.
    text: u64,
}

const LIMITS: Limits = Limits { folders: 100_000, entries: 2_000_000, file: 1 << 20, text: 64 << 20 };

/// A folder at which Podman begins its search, and which folders below it Podman leaves out.
struct Start {
    path: PathBuf,
    leaves_out: LeavesOut,
}

enum LeavesOut {
    Nothing,
    /// Below this folder, the folders of single users, whose names are numbers.
    SingleUsers(PathBuf),
    /// These folders and everything below them.
    Below([PathBuf; 2]),
}

impl LeavesOut {
    fn folder(&self, folder: &Path) -> bool {
        match self {
            LeavesOut::Nothing => false,
            LeavesOut::SingleUsers(users) => {
                let first = folder.strip_prefix(users).ok().and_then(|rest| rest.components().next());
                first.is_some_and(|name| name.as_os_str().as_bytes().iter().all(u8::is_ascii_digit))
            }
            LeavesOut::Below(folders) => folders.iter().any(|users| folder.starts_with(users)),
        }
    }
}

/// Reads all directories that Podman reads, in Podman's order. Directories without quadlets are left out.
pub fn directories(paths: &UnitPaths, complain: &mut dyn FnMut(&str)) -> Vec<Directory> {
    let starts = starts(paths, complain);
    Search::new(starts, LIMITS, complain).run()
}

fn starts(paths: &UnitPaths, complain: &mut dyn FnMut(&str)) -> Vec<Start> {
    let mut starts = Vec::new();
    let mut begin_at = |path: PathBuf, leaves_out| starts.push(Start { path, leaves_out });
    if let Some(folders) = env::var_os("QUADLET_UNIT_DIRS").filter(|folders| !folders.is_empty()) {
        for folder in env::split_paths(&folders) {
            if !folder.is_absolute() {
                complain(&format!("QUADLET_UNIT_DIRS: {} is not absolute", shown(&folder)));
                break;
            }
            begin_at(folder, LeavesOut::Nothing);
        }
        return starts;
    }
    let users = |base: &str| {
        let users = Path::new(base).join("users");
        fs::canonicalize(&users).unwrap_or(users)
    };
    match paths.manager {
        Manager::User => {
            for folder in paths.runtime.iter().chain(&paths.config) {
                begin_at(folder.join("containers/systemd"), LeavesOut::Nothing);
            }
            // Podman 6.0 and later also read the distribution's folder. With an earlier version that folder does not
            // exist.
            for base in [ADMIN, DISTRIBUTION] {
                let users = users(base);
                begin_at(users.clone(), LeavesOut::SingleUsers(users.clone()));
                begin_at(users.join(paths.uid.to_string()), LeavesOut::Nothing);
            }
        }
        Manager::System => {
            for folder in [RUN, ADMIN, DISTRIBUTION] {
                begin_at(folder.into(), LeavesOut::Below([users(ADMIN), users(DISTRIBUTION)]));
            }
        }
    }
    starts
}

/// A folder that was found.
struct Folder {
    /// The path of the folder, with all symbolic links resolved.
    path: PathBuf,
    /// The index of the start from which this folder was found.
    start: usize,
    /// The folders below this one: the name of each in this folder, and its index.
    below: Vec<(OsString, usize)>,
    directory: Directory,
}

/// A symbolic link that may lead to a folder.
struct Link {
    folder: usize,
    name: OsString,
}

struct Search<'a> {
    starts: Vec<Start>,
    left: Limits,
    complain: &'a mut dyn FnMut(&str),
    folders: Vec<Folder>,
    numbers: HashMap<PathBuf, usize>,
    /// The indexes of the folders that are still to be opened.
    next: VecDeque<usize>,
    /// The links that are followed when no folder is left to be opened.
    links: VecDeque<Link>,
    /// Why the search ended early.
    ended: Option<&'static str>,
}

impl<'a> Search<'a> {
    fn new(starts: Vec<Start>, left: Limits, complain: &'a mut dyn FnMut(&str)) -> Search<'a> {
        Search {
            starts,
            left,
            complain,
            folders: Vec::new(),
            numbers: HashMap::new(),
            next: VecDeque::new(),
            links: VecDeque::new(),
            ended: None,
        }
    }

    fn run(mut self) -> Vec<Directory> {
        let mut first = Vec::new();
        let mut unread = Directory::default();
        for start in 0..self.starts.len() {
            let Some(path) = self.starts.get(start).map(|start| start.path.clone()) else { continue };
            let path = match folder_of(&path) {
                Ok(Some(path)) => path,
                Ok(None) => continue,
                Err(error) => {
                    self.not_read(&path, &error.to_string(), &mut unread);
                    continue;
                }
            };
            if let Some(start) = self.starts.get_mut(start) {
                start.path.clone_from(&path);
            }
            first.extend(self.found(path, start));
        }
        while self.ended.is_none() {
            if let Some(folder) = self.next.pop_front() {
                self.open(folder);
            } else if let Some(link) = self.links.pop_front() {
                self.follow(link);
            } else {
                break;
            }
        }
        let ended = self.ended.map(|why| self.told(why));
        let mut directories = self.in_order(&first);
        unread.unread.extend(ended);
        directories.extend(Some(unread).filter(|unread| *unread != Directory::default()));
        directories
    }

    /// Adds a folder, unless Podman leaves it out. Returns its index.
    fn found(&mut self, path: PathBuf, start: usize) -> Option<usize> {
        if let Some(number) = self.numbers.get(&path) {
            return Some(*number);
        }
        let left_out = self.starts.get(start).is_none_or(|start| start.leaves_out.folder(&path));
        if left_out || path.as_os_str().as_bytes().ends_with(b".d") {
            return None;
        }
        let number = self.folders.len();
        self.numbers.insert(path.clone(), number);
        self.folders.push(Folder { path, start, below: Vec::new(), directory: Directory::default() });
        self.next.push_back(number);
        Some(number)
    }

    /// Counts one more folder or link. Returns false if the limit is reached.
    fn has_a_folder_left(&mut self) -> bool {
        match self.left.folders.checked_sub(1) {
            Some(left) => self.left.folders = left,
            None => self.ended = Some("there are too many folders and links"),
        }
        self.ended.is_none()
    }

    /// Counts one more entry of a folder. Returns false if the limit is reached.
    fn has_an_entry_left(&mut self) -> bool {
        match self.left.entries.checked_sub(1) {
            Some(left) => self.left.entries = left,
            None => self.ended = Some("there are too many files"),
        }
        self.ended.is_none()
    }

    /// Reports that the search ended early. Returns the first folder that was not completely searched.
    fn told(&mut self, why: &str) -> String {
        let first = self.starts.iter().find(|start| self.numbers.contains_key(&start.path));
        let first = first.map(|start| shown(&start.path)).unwrap_or_default();
        let others = if self.starts.len() > 1 { " and the other folders of quadlets" } else { "" };
        (self.complain)(&format!(
            "below {first}{others} {why}, so the rest of them was not searched; keep the data of containers elsewhere"
        ));
        first
    }

    fn open(&mut self, number: usize) {
        if !self.has_a_folder_left() {
            return;
        }
        let Some(folder) = self.folders.get(number) else { return };
        let (path, start) = (folder.path.clone(), folder.start);
        let mut directory = Directory::default();
        let mut below = Vec::new();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // Podman skips such folders too. Data of containers often belongs to another user.
            Err(error) if is_passed_over(&error) => return,
            Err(error) => {
                (self.complain)(&format!("{}: {error}", shown(&path)));
                directory.unread.push(shown(&path));
                return self.keep(number, below, directory);
            }
        };
        for entry in entries {
            if !self.has_an_entry_left() {
                break;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.not_read(&path, &error.to_string(), &mut directory);
                    break;
                }
            };
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            let may_be_folder = kind.is_dir() || kind.is_symlink();
            if is_quadlet(&name) {
                self.quadlet(&path.join(&name), &mut directory);
            } else if let Some(name) = name.to_str().filter(|name| is_drop_in_folder(name)) {
                if may_be_folder {
                    let drop_ins = self.drop_ins(&path.join(name), &mut directory);
                    directory.drop_ins.insert(name.to_owned(), drop_ins);
                }
                continue;
            }
            if kind.is_dir() {
                if let Some(folder) = self.found(path.join(&name), start) {
                    below.push((name, folder));
                }
            } else if kind.is_symlink() && self.links.len() <= self.left.folders {
                self.links.push_back(Link { folder: number, name });
            }
        }
        self.keep(number, below, directory);
    }

    fn keep(&mut self, number: usize, below: Vec<(OsString, usize)>, directory: Directory) {
        if let Some(folder) = self.folders.get_mut(number) {
            folder.below = below;
            folder.directory = directory;
        }
    }

    fn follow(&mut self, link: Link) {
        let Some(folder) = self.folders.get(link.folder) else { return };
        let start = folder.start;
        let path = folder.path.join(&link.name);
        if !self.has_a_folder_left() {
            return;
        }
        let target = match folder_of(&path) {
            Ok(Some(target)) => target,
            Ok(None) => return,
            Err(error) => {
                (self.complain)(&format!("{}: {error}", shown(&path)));
                if let Some(folder) = self.folders.get_mut(link.folder) {
                    folder.directory.unread.push(shown(&path));
                }
                return;
            }
        };
        let above = self.starts.get(start).filter(|start| start.path.starts_with(&target));
        if above.is_some_and(|start| start.path != target) {
            let why =
                format!("leads to {}, which contains this folder itself; remove the link", shown(&target));
            (self.complain)(&format!("{}: {why}", shown(&path)));
            if let Some(folder) = self.folders.get_mut(link.folder) {
                folder.directory.unread.push(shown(&path));
            }
            return;
        }
        if let Some(number) = self.found(target, start) {
            if let Some(folder) = self.folders.get_mut(link.folder) {
                folder.below.push((link.name, number));
            }
        }
    }

    /// The directories in Podman's order: it descends in the order of names, and visits each folder once.
    fn in_order(&mut self, first: &[usize]) -> Vec<Directory> {
        let mut directories = Vec::new();
        let mut seen = vec![false; self.folders.len()];
        let mut stack: Vec<usize> = first.iter().rev().copied().collect();
        while let Some(number) = stack.pop() {
            let Some(seen) = seen.get_mut(number).filter(|seen| !**seen) else { continue };
            *seen = true;
            let Some(folder) = self.folders.get_mut(number) else { continue };
            folder.below.sort();
            stack.extend(folder.below.iter().rev().map(|(_, below)| *below));
            let directory = std::mem::take(&mut folder.directory);
            if directory != Directory::default() {
                directories.push(directory);
            }
        }
        directories
    }

    fn quadlet(&mut self, path: &Path, directory: &mut Directory) {
        let name = path.file_name().and_then(OsStr::to_str).filter(|name| Kind::of(name).is_some());
        let Some(name) = name else {
            return self.not_read(path, "its name is not a valid unit name; rename it", directory);
        };
        match self.source(path) {
            Ok((source, is_whole)) => {
                if !is_whole {
                    directory.unread.push(source.path.clone());
                }
                directory.quadlets.insert(name.to_owned(), source);
            }
            Err(why) => self.not_read(path, &why, directory),
        }
    }

    fn drop_ins(&mut self, folder: &Path, directory: &mut Directory) -> BTreeMap<String, Source> {
        let mut drop_ins = BTreeMap::new();
        if !self.has_a_folder_left() {
            return drop_ins;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                if !is_passed_over(&error) {
                    self.not_read(folder, &error.to_string(), directory);
                }
                return drop_ins;
            }
        };
        for entry in entries {
            if !self.has_an_entry_left() {
                break;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.not_read(folder, &error.to_string(), directory);
                    break;
                }
            };
            let name = entry.file_name();
            if !name.as_bytes().ends_with(b".conf") {
                continue;
            }
            match self.source(&entry.path()) {
                Ok((source, is_whole)) => {
                    if !is_whole {
                        directory.unread.push(source.path.clone());
                    }
                    drop_ins.insert(name.to_string_lossy().into_owned(), source);
                }
                Err(why) => self.not_read(&entry.path(), &why, directory),
            }
        }
        drop_ins
    }

    fn not_read(&mut self, path: &Path, why: &str, directory: &mut Directory) {
        (self.complain)(&format!("{}: {why}", shown(path)));
        directory.unread.push(shown(path));
    }

    /// Reads a file. The second value says whether all of it is UTF-8; Podman accepts other bytes unchanged.
    fn source(&mut self, path: &Path) -> Result<(Source, bool), String> {
        let bytes = read(path, self.left.file, self.left.text)?;
        self.left.text = self.left.text.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let (text, is_whole) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
        };
        Ok((Source { path: shown(path), text }, is_whole))
    }
}

/// The folder to which a path leads, with all links resolved. `None` if Podman skips what is there.
fn folder_of(path: &Path) -> io::Result<Option<PathBuf>> {
    let found = fs::canonicalize(path).and_then(|found| Ok((found.metadata()?.is_dir(), found)));
    match found {
        Ok((is_folder, found)) => Ok(Some(found).filter(|_| is_folder)),
        // A link that leads to itself leads nowhere.
        Err(error) if is_passed_over(&error) || error.raw_os_error() == Some(libc::ELOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error means that the folder is to be skipped: it is gone, is not a folder, or may not be read by this
/// user.
pub(super) fn is_passed_over(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether this is the name of a quadlet. Like Podman, this looks only at what follows the last dot.
fn is_quadlet(name: &OsStr) -> bool {
    let extension = name.as_bytes().rsplit(|byte| *byte == b'.').next();
    let extension = extension.filter(|extension| extension.len() < name.len());
    extension
        .is_some_and(|extension| Kind::of(&format!("x.{}", String::from_utf8_lossy(extension))).is_some())
}

/// Whether this is the name of a folder of drop-ins: `foo.container.d`, or `container.d` for all quadlets of a kind.
fn is_drop_in_folder(name: &str) -> bool {
    name.strip_suffix(".d")
        .is_some_and(|name| Kind::of(name).is_some() || Kind::of(&format!("x.{name}")).is_some())
}

/// Reads a file. Opens it only after it is known to be regular, because opening a FIFO would block, and opening a
/// device can have effects.
fn read(path: &Path, largest: u64, left: u64) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| error.to_string();
    // Not with `custom_flags(O_PATH)`: with musl, the standard library leaves this flag out, and opens the file.
    let handle = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(io::Error::from);
    let handle = File::from(handle.map_err(said)?);
    let kind = handle.metadata().map_err(said)?;
    // A link to /dev/null counts as an empty file.
    if kind.file_type().is_char_device() && kind.rdev() == libc::makedev(1, 3) {
        return Ok(Vec::new());
    }
    if !kind.is_file() {
        return Err("is not a file".to_owned());
    }
    let same = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(same).map_err(said)?;
    let mut bytes = Vec::with_capacity(usize::try_from(kind.len().min(largest)).unwrap_or_default());
    file.take(largest + 1).read_to_end(&mut bytes).map_err(said)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > largest {
        return Err(format!("is larger than {} KiB; that is not a quadlet", largest >> 10));
    }
    if length > left {
        return Err("was not read, because all quadlets together are too large".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
