//! A folder of temporary files for one run of a command. It is made before the run and removed after it.
//!
//! Podman, skopeo and buildah keep the layers that they fetch in a folder below /var/tmp (or $TMPDIR). They remove it
//! only if they end by themselves. If a registry stalls again and again, each attempt would leave its part of the
//! image. So each attempt of a pull gets a folder of its own as TMPDIR, and netready removes that folder. netready
//! never removes anything else:
//!
//! - The folder is known by its descriptor. If its name leads elsewhere meanwhile, nothing is removed.
//! - The content of the folder is removed by name, relative to open descriptors. No symbolic link is followed.
//! - No mount point is entered, not even one of the same file system (openat2(2), RESOLVE_NO_XDEV).

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat, mkdirat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};

use crate::chance::chance;
use crate::files::{self, Folder};
use crate::platform::xdg;

/// The start of the folder's name. Podman's own tmpfiles.d removes such names from /var/tmp at the next boot, which
/// cleans up after a host that loses power during a pull.
const PREFIX: &str = "container_images_netready-";

/// How many levels of folders are removed. Podman's files lie one or two levels deep. Each level costs a descriptor.
const DEEPEST: u32 = 64;

/// Why a command gets no folder of its own. Its temporary files then lie where they would without netready.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The folder above cannot be opened.
    #[error("{}", crate::escape::escape_bytes(folder.as_os_str().as_bytes()))]
    Io {
        /// The folder that cannot be used.
        folder: PathBuf,
        /// The error of the system call.
        #[source]
        source: io::Error,
    },
    /// The folder above belongs to another user, who could replace what is in it.
    #[error("{} belongs to another user", crate::escape::escape_bytes(.0.as_os_str().as_bytes()))]
    Owner(PathBuf),
    /// Other users can write to the folder above and it is not sticky, so they could replace what is in it.
    #[error("other users can write to {}, which is not sticky", crate::escape::escape_bytes(.0.as_os_str().as_bytes()))]
    Open(PathBuf),
    /// The administrator has set the folder for temporary files in this file, and TMPDIR would take precedence over
    /// that.
    #[error("{} says where temporary files go", crate::escape::escape_bytes(.0.as_os_str().as_bytes()))]
    Configured(PathBuf),
    /// This user has no runtime directory. Podman would then keep files in TMPDIR that must outlive the pull.
    #[error("this user has no runtime directory (XDG_RUNTIME_DIR)")]
    NoRuntimeDirectory,
}

/// The folder in which the folders of all attempts are made.
#[derive(Debug)]
pub struct Above {
    path: PathBuf,
    folder: Folder,
}

impl Above {
    /// Opens $TMPDIR, or else /var/tmp, where Podman keeps temporary files.
    ///
    /// # Errors
    /// Fails if no folder can be made there safely: see [`Refused`].
    pub fn find() -> Result<Above, Refused> {
        let user = Uid::effective();
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if !user.is_root() && variable("XDG_RUNTIME_DIR").is_none() {
            let own = fs::symlink_metadata(xdg::runtime(user.as_raw()));
            if !own.is_ok_and(|folder| folder.is_dir() && folder.uid() == user.as_raw()) {
                return Err(Refused::NoRuntimeDirectory);
            }
        }
        if std::env::var_os("TMPDIR").is_none() {
            if let Some(file) = configurations(&variable).into_iter().find(|file| configures(file)) {
                return Err(Refused::Configured(file));
            }
        }
        let path = variable("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
        Above::at(&path, user)
    }

    fn at(path: &Path, user: Uid) -> Result<Above, Refused> {
        let io = |source: io::Error| Refused::Io { folder: path.to_owned(), source };
        // A relative path is relative to netready's working directory, which the command inherits.
        let path = std::path::absolute(path).map_err(io)?;
        let folder = Folder::open_named(&path).map_err(io)?;
        if folder.owner() != user.as_raw() && folder.owner() != 0 {
            return Err(Refused::Owner(path));
        }
        if !folder.only_its_owner_writes() && !folder.is_sticky() {
            return Err(Refused::Open(path));
        }
        Ok(Above { path, folder })
    }
}

/// The files that Podman reads its settings from.
fn configurations(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let [home, named] = ["HOME", "XDG_CONFIG_HOME"].map(|name| variable(name).map(PathBuf::from));
    let user = xdg::config_home(named, home.as_deref());
    let mut files: Vec<PathBuf> = ["CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE"]
        .into_iter()
        .filter_map(variable)
        .map(PathBuf::from)
        .collect();
    let folders = [Some(PathBuf::from("/usr/share")), Some(PathBuf::from("/etc")), user];
    for folder in folders.into_iter().flatten() {
        files.push(folder.join("containers/containers.conf"));
        let drop_ins = fs::read_dir(folder.join("containers/containers.conf.d"));
        files.extend(drop_ins.into_iter().flatten().flatten().map(|entry| entry.path()));
    }
    files
}

/// Whether this configuration file sets image_copy_tmp_dir, or TMPDIR in the engine's environment: netready's TMPDIR
/// would override both. A file that cannot be read is ignored here; Podman itself reports it.
fn configures(file: &Path) -> bool {
    let Ok(text) = files::read_bounded(file, files::LARGEST) else { return false };
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    lines.any(|line| line.starts_with("image_copy_tmp_dir") || line.contains("TMPDIR="))
}

/// The folder of temporary files of one run.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    above: OwnedFd,
    name: CString,
    folder: OwnedFd,
}

impl Temporary {
    /// Makes a folder that no other user may enter.
    pub(super) fn new(above: &Above) -> io::Result<Temporary> {
        let descriptor = above.folder.as_fd().try_clone_to_owned()?;
        loop {
            let [a, b] = [chance(), chance()].map(f64::to_bits);
            let name = CString::new(format!("{PREFIX}{:016x}", a.rotate_left(29) ^ b))?;
            match mkdirat(&descriptor, name.as_c_str(), Mode::S_IRWXU) {
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => {
                    let folder = open(descriptor.as_fd(), &name).inspect_err(|_| {
                        // rmdir(2) removes the folder only if it is empty. If another user put a folder in its place,
                        // that one stays unless it is empty.
                        let _ = unlinkat(&descriptor, name.as_c_str(), UnlinkatFlags::RemoveDir);
                    })?;
                    let path = above.path.join(OsStr::from_bytes(name.to_bytes()));
                    return Ok(Temporary { path, above: descriptor, name, folder });
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The arguments for [`remove`]: the folder above, the name of the folder there, and the folder itself.
    pub(super) fn place(&self) -> (BorrowedFd<'_>, &CStr, BorrowedFd<'_>) {
        (self.above.as_fd(), &self.name, self.folder.as_fd())
    }

    /// Removes the folder, if it is still there.
    pub(super) fn remove(&self) -> io::Result<()> {
        let (above, name, folder) = self.place();
        Ok(remove(above, name, folder)?)
    }
}

/// Removes the folder with this descriptor, which has this name in the folder `above`. Fails if the name leads
/// elsewhere.
pub(super) fn remove(above: BorrowedFd<'_>, name: &CStr, folder: BorrowedFd<'_>) -> nix::Result<()> {
    let mut last = Ok(());
    // Try three times: a process that was just killed may still have written a file.
    for _ in 0..3 {
        let own = fstat(folder)?;
        if own.st_nlink == 0 {
            return Ok(());
        }
        if !same(&own, &fstatat(above, name, AtFlags::AT_SYMLINK_NOFOLLOW)?) {
            return Err(Errno::ESTALE);
        }
        let emptied = clear(folder, DEEPEST);
        last = unlinkat(above, name, UnlinkatFlags::RemoveDir);
        match last {
            Ok(()) => return Ok(()),
            // The error that kept the folder from being emptied says more.
            Err(Errno::ENOTEMPTY) => last = emptied.and(last),
            Err(_) => return last,
        }
    }
    last
}

fn same(one: &FileStat, other: &FileStat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Removes the content of a folder as far as possible, and returns the first error.
fn clear(folder: BorrowedFd<'_>, depth: u32) -> nix::Result<()> {
    // Read the folder through another open file, because the position in a folder belongs to the open file.
    let mut names = Dir::from_fd(open(folder, c".")?)?;
    let mut done = Ok(());
    for entry in names.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            done = done.and(clear_one(folder, name, depth));
        }
    }
    done
}

fn clear_one(folder: BorrowedFd<'_>, name: &CStr, depth: u32) -> nix::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => {}
        Err(Errno::ENOENT) => return Ok(()),
        done => return done,
    }
    let depth = depth.checked_sub(1).ok_or(Errno::ELOOP)?;
    let emptied = clear(open(folder, name)?.as_fd(), depth);
    match unlinkat(folder, name, UnlinkatFlags::RemoveDir) {
        Err(Errno::ENOTEMPTY) => emptied.and(Err(Errno::ENOTEMPTY)),
        done => done,
    }
}

/// Opens a folder directly inside another one. Fails for a symbolic link and for a mount point. A kernel before 5.6
/// has no openat2(2); this then fails, and nothing is removed.
fn open(folder: BorrowedFd<'_>, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_XDEV
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    openat2(folder, name, OpenHow::new().flags(flags).resolve(resolve))
}

#[cfg(test)]
mod tests;
