//! Reads files in places that another user may have prepared.
//!
//! A name can lead to a FIFO, where open(2) blocks for ever; to a device, where opening alone can have an effect; or
//! to /dev/zero, which never ends. So only regular files are opened, and only up to a limit of bytes is read.
//!
//! Between two steps, another user can replace a folder by a link to another folder. So a folder is opened once, and
//! files in it are opened and made through its descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::chance::chance;

/// The largest configuration file that is read, in bytes: gate files, unit files, resolv.conf. Real ones are far
/// smaller.
pub const LARGEST: u64 = 1 << 20;

/// Reads a regular file of at most `limit` bytes. Symbolic links are followed.
///
/// # Errors
/// Fails if the path does not lead to a regular file (then nothing is opened), if the file is larger than `limit`, or
/// if it cannot be read.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // O_PATH: a descriptor of the file's place, which does not open the file yet.
    let place = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    check(&fstat(&place)?)?;
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    // Open it through that descriptor, because the path may lead elsewhere by now.
    let file = match options.open(format!("/proc/self/fd/{}", place.as_raw_fd())) {
        // /proc is missing, as in a bare chroot.
        Err(error) if error.kind() == ErrorKind::NotFound => options.open(path)?,
        opened => opened?,
    };
    read_file(file, limit)
}

/// Whether the same call may succeed later without a change to the file: the kernel or this process lacked a
/// resource, or a medium failed once.
pub fn can_pass(error: &io::Error) -> bool {
    use libc::{EAGAIN, EINTR, EIO, EMFILE, ENFILE, ENOMEM, ENOSPC};
    matches!(error.raw_os_error(), Some(EAGAIN | EINTR | EIO | EMFILE | ENFILE | ENOMEM | ENOSPC))
}

/// Reads an open file, if it is a regular file.
fn read_file(file: File, limit: u64) -> io::Result<Vec<u8>> {
    check(&fstat(file.as_fd())?)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}", size(limit))));
    }
    Ok(bytes)
}

fn size(octets: u64) -> String {
    match octets {
        octets if octets >= 1 << 20 && octets % (1 << 20) == 0 => format!("{} MiB", octets >> 20),
        octets if octets >= 1 << 10 && octets % (1 << 10) == 0 => format!("{} KiB", octets >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// The most symbolic links that are followed: the same number as in path_resolution(7).
const MOST_LINKS: u32 = 40;

/// An open folder. Its methods act on this folder, even if its path leads elsewhere by now.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    /// The user ID of the owner.
    owner: u32,
    mode: u32,
}

impl Folder {
    /// Opens a folder. Only symbolic links that root owns are followed on the way to it. So only root can lead
    /// netready to another folder; another user cannot, whether by a variable or by a folder that he owns on the way.
    ///
    /// # Errors
    /// Fails if the path is not absolute, leads through a link of another user, or does not lead to a folder.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let root = || open("/", flags | OFlag::O_DIRECTORY, Mode::empty());
        if !path.is_absolute() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut here = root()?;
        let mut ahead = steps(path);
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            let next = openat(&here, step.as_os_str(), flags, Mode::empty())?;
            let stat = fstat(&next)?;
            match kind_of(&stat) {
                SFlag::S_IFDIR => here = next,
                SFlag::S_IFLNK if stat.st_uid == 0 && links < MOST_LINKS => {
                    links += 1;
                    let target = PathBuf::from(readlinkat(&next, "")?);
                    if target.is_absolute() {
                        here = root()?;
                    }
                    ahead.extend(steps(&target));
                }
                SFlag::S_IFLNK => return Err(Errno::ELOOP.into()),
                _ => return Err(Errno::ENOTDIR.into()),
            }
        }
        Folder::of(here)
    }

    /// Opens a folder that the caller named. All symbolic links on the way are followed.
    ///
    /// # Errors
    /// Fails if the path does not lead to a folder.
    pub fn open_named(path: &Path) -> io::Result<Folder> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Folder::of(open(path, flags, Mode::empty())?)
    }

    /// Opens a folder directly inside this one. A symbolic link is not followed.
    ///
    /// # Errors
    /// Fails if this name is not a folder.
    pub fn open_below(&self, name: &OsStr) -> io::Result<Folder> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Folder::of(openat(&self.descriptor, name, flags, Mode::empty())?)
    }

    fn of(descriptor: OwnedFd) -> io::Result<Folder> {
        let stat = fstat(&descriptor)?;
        Ok(Folder { descriptor, owner: stat.st_uid, mode: stat.st_mode })
    }

    /// Opens a folder that belongs to the caller and to which only the caller (and root) can write.
    ///
    /// # Errors
    /// Fails as [`Folder::open`] does, or if the folder belongs to another user, or if others can write to it.
    pub fn open_own(path: &Path) -> io::Result<Folder> {
        let folder = Folder::open(path)?;
        match folder.owner == geteuid().as_raw() && folder.only_its_owner_writes() {
            true => Ok(folder),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Whether the caller can trust the folder's content: the folder belongs to the caller or to root, and no one
    /// else can write to it.
    pub fn is_trusted(&self) -> bool {
        (self.owner == 0 || self.owner == geteuid().as_raw()) && self.only_its_owner_writes()
    }

    /// The user ID of the owner.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Whether the folder is sticky: users who can write to it can remove and replace only their own files.
    pub fn is_sticky(&self) -> bool {
        self.mode & libc::S_ISVTX != 0
    }

    /// Whether neither the folder's group nor all users can write to it.
    pub fn only_its_owner_writes(&self) -> bool {
        self.mode & 0o022 == 0
    }

    /// Makes a folder inside this one that all users can list, if none exists.
    ///
    /// # Errors
    /// Fails if mkdirat(2) fails, except if the name already exists.
    pub fn make(&self, name: &OsStr) -> io::Result<()> {
        match mkdirat(&self.descriptor, name, Mode::from_bits_truncate(0o755)) {
            Err(Errno::EEXIST) => Ok(()),
            made => Ok(made?),
        }
    }

    /// Up to `most` names in the folder, without `.` and `..`.
    ///
    /// # Errors
    /// Fails if the folder cannot be listed.
    pub fn names(&self, most: usize) -> io::Result<Vec<OsString>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut folder = Dir::openat(&self.descriptor, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                if names.len() == most {
                    break;
                }
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Reads a regular file in the folder, of at most `limit` bytes, which must belong to root, to the caller, or to
    /// the folder's owner. A symbolic link is not followed.
    ///
    /// # Errors
    /// Fails if the name is any other file, or if the file cannot be read.
    pub fn read(&self, name: &OsStr, limit: u64) -> io::Result<Vec<u8>> {
        let stat = fstatat(&self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        check(&stat)?;
        let flags =
            OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.descriptor, name, flags, Mode::empty())?);
        let owner = fstat(&file)?.st_uid;
        if owner != 0 && owner != geteuid().as_raw() && owner != self.owner {
            return Err(ErrorKind::PermissionDenied.into());
        }
        read_file(file, limit)
    }

    /// Writes a new file in the folder, which all users may read. It never writes through a link.
    ///
    /// # Errors
    /// Fails if the name already exists, or if the file cannot be written; in the second case nothing is left behind.
    pub fn write_new(&self, name: &OsStr, text: &[u8]) -> io::Result<()> {
        let written = self.create(name)?.write_all(text);
        if written.is_err() {
            self.remove_draft(name);
        }
        written
    }

    /// Removes a file that was just made and could not be finished, so it belongs to nobody else. If the file cannot
    /// be removed, it does no harm.
    fn remove_draft(&self, name: &OsStr) {
        let _ = unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir);
    }

    fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(File::from(openat(&self.descriptor, name, flags, Mode::from_bits_truncate(0o644))?))
    }

    /// Opens a regular file in the folder that belongs to the caller, for reading and writing. Makes it if it does
    /// not exist, and keeps the content if it does. A symbolic link is not followed.
    ///
    /// # Errors
    /// Fails if the name is any other file, or belongs to another user.
    pub fn open_to_write(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_RDWR
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_NOCTTY
            | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.descriptor, name, flags, Mode::from_bits_truncate(0o644))?);
        let stat = fstat(&file)?;
        check(&stat)?;
        match stat.st_uid == geteuid().as_raw() {
            true => Ok(file),
            false => Err(ErrorKind::PermissionDenied.into()),
        }
    }

    /// Writes a file in the folder completely or not at all, in place of whatever has this name. It never writes
    /// through a link: the file is always a new one.
    ///
    /// # Errors
    /// Fails if the file cannot be written; then nothing is left behind.
    pub fn replace(&self, name: &OsStr, text: &[u8]) -> io::Result<()> {
        self.put(name, text, |_| Ok(()))
    }

    /// Like [`Folder::replace`], but all users may read the file, whatever the umask.
    ///
    /// # Errors
    /// Fails as [`Folder::replace`] does.
    pub fn publish(&self, name: &OsStr, text: &[u8]) -> io::Result<()> {
        self.put(name, text, |file| Ok(fchmod(file, Mode::from_bits_truncate(0o644))?))
    }

    fn put(&self, name: &OsStr, text: &[u8], set_up: fn(&File) -> io::Result<()>) -> io::Result<()> {
        // Nobody can know this name in advance. If somebody has guessed it, O_EXCL makes the call fail.
        let mut draft = OsString::from(".");
        draft.push(name);
        draft.push(format!(".{:x}", chance().to_bits()));
        let mut file = self.create(&draft)?;
        let done = set_up(&file)
            .and_then(|()| file.write_all(text))
            .and_then(|()| Ok(renameat(&self.descriptor, draft.as_os_str(), &self.descriptor, name)?));
        if done.is_err() {
            self.remove_draft(&draft);
        }
        done
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The steps of a path in reverse order, so that `pop` gives the first one.
fn steps(path: &Path) -> Vec<OsString> {
    let steps = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    let mut steps: Vec<OsString> = steps.collect();
    steps.reverse();
    steps
}

fn kind_of(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Refuses everything but a regular file.
fn check(stat: &FileStat) -> io::Result<()> {
    let kind = match kind_of(stat) {
        SFlag::S_IFREG => return Ok(()),
        // The usual text: "Is a directory".
        SFlag::S_IFDIR => return Err(io::Error::from_raw_os_error(libc::EISDIR)),
        SFlag::S_IFIFO => "a FIFO",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFLNK => "a symbolic link",
        SFlag::S_IFCHR | SFlag::S_IFBLK => "a device",
        _ => "something else",
    };
    Err(io::Error::other(format!("it is {kind}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_no_other_file_blocks() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("gone", at("dangling")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        symlink("fifo", at("to-fifo")).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read_bounded(&at(name), 4).unwrap(), b"text", "{name}");
        }
        for (name, error) in [
            ("zero", "it is a device, not a regular file"),
            ("null", "it is a device, not a regular file"),
            ("fifo", "it is a FIFO, not a regular file"),
            ("to-fifo", "it is a FIFO, not a regular file"),
            ("socket", "it is a socket, not a regular file"),
            (".", "Is a directory (os error 21)"),
            ("dangling", "No such file or directory (os error 2)"),
            ("loop", "Too many levels of symbolic links (os error 40)"),
        ] {
            assert_eq!(read_bounded(&at(name), 4).unwrap_err().to_string(), error, "{name}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        for (length, limit, error) in [
            (0, 0, None),
            (4, 4, None),
            (5, 4, Some("it is larger than 4 bytes")),
            (1025, 1024, Some("it is larger than 1 KiB")),
            ((1 << 20) + 1, LARGEST, Some("it is larger than 1 MiB")),
        ] {
            fs::write(&path, vec![b'x'; length]).unwrap();
            let read = read_bounded(&path, limit);
            assert_eq!(read.as_ref().err().map(ToString::to_string).as_deref(), error, "{length} of {limit}");
            assert!(read.map_or(true, |bytes| bytes.len() == length));
        }
        // Files in /proc have the size 0.
        assert!(!read_bounded(Path::new("/proc/self/status"), LARGEST).unwrap().is_empty());
    }

    #[test]
    fn only_links_of_root_lead_to_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("folder/below")).unwrap();
        fs::write(at("file"), "").unwrap();
        symlink("folder/../folder", at("link")).unwrap();
        symlink(at("folder"), at("absolute")).unwrap();
        symlink("loop", at("loop")).unwrap();
        assert!(Folder::open(&at("folder/below")).is_ok());
        assert_eq!(Folder::open(&at("file")).unwrap_err().raw_os_error(), Some(libc::ENOTDIR));
        assert!(Folder::open(Path::new("relative")).is_err());
        assert_eq!(Folder::open(&at("loop/x")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        let root = geteuid().is_root();
        for link in ["link", "absolute", "link/below"] {
            assert_eq!(Folder::open(&at(link)).is_ok(), root, "{link}: a link is root's here: {root}");
        }
        if root {
            std::os::unix::fs::lchown(at("link"), Some(65534), None).unwrap();
            for link in ["link", "link/below"] {
                let refused = Folder::open(&at(link)).unwrap_err();
                assert_eq!(refused.raw_os_error(), Some(libc::ELOOP), "{link}: another user's link");
            }
        }
    }

    #[test]
    fn a_folder_is_trusted_if_nobody_else_can_write_to_it() {
        let place = tempfile::tempdir().unwrap();
        for (mode, own) in [(0o700, true), (0o755, true), (0o775, false), (0o757, false), (0o1777, false)] {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Folder::open_own(place.path()).is_ok(), own, "{mode:o}");
            assert_eq!(Folder::open(place.path()).unwrap().is_trusted(), own, "{mode:o}");
        }
        if geteuid().is_root() {
            fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
            chown(place.path(), Some(65534), None).unwrap();
            assert!(Folder::open_own(place.path()).is_err());
            assert!(!Folder::open(place.path()).unwrap().is_trusted());
        }
    }

    #[test]
    fn in_a_folder_only_files_are_read_and_only_new_ones_written() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let folder = Folder::open_own(place.path()).unwrap();
        fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        assert_eq!(folder.read("file".as_ref(), 4).unwrap(), b"text");
        for name in ["link", "fifo", ".", "gone"] {
            assert!(folder.read(name.as_ref(), 4).is_err(), "{name}");
        }
        assert!(folder.read("file".as_ref(), 3).is_err());
        for name in ["link", "fifo", "new"] {
            folder.replace(name.as_ref(), b"new").unwrap();
            assert!(at(name).symlink_metadata().unwrap().is_file(), "{name}");
            assert_eq!(fs::read(at(name)).unwrap(), b"new", "{name}");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"text", "written through a link");
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(at("new"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink("file", at("published")).unwrap();
        for name in ["new", "published"] {
            folder.publish(name.as_ref(), b"new").unwrap();
            assert_eq!(mode(name), 0o644, "{name}: everybody may read it");
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"text", "written through a link");
        fs::remove_file(at("published")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        assert!(folder.replace("folder".as_ref(), b"new").is_err());
        assert!(folder.publish("folder".as_ref(), b"new").is_err());
        for name in ["link", "file"] {
            let mut file = folder.open_to_write(name.as_ref()).unwrap();
            file.write_all(b"N").unwrap();
        }
        assert_eq!(fs::read(at("file")).unwrap(), b"Next", "the rest of an old file stays");
        symlink("file", at("to-file")).unwrap();
        nix::unistd::mkfifo(&at("another"), Mode::from_bits_truncate(0o600)).unwrap();
        for name in ["to-file", "another", "folder"] {
            assert!(folder.open_to_write(name.as_ref()).is_err(), "{name}");
        }
        fs::remove_file(at("to-file")).unwrap();
        fs::remove_file(at("another")).unwrap();
        let mut names = folder.names(10).unwrap();
        names.sort();
        assert_eq!(names, ["fifo", "file", "folder", "link", "new"], "a draft was left behind");
        assert_eq!(folder.names(2).unwrap().len(), 2);
        if geteuid().is_root() {
            chown(at("file"), Some(65534), None).unwrap();
            assert!(folder.read("file".as_ref(), 4).is_err(), "another user's file");
            assert!(folder.open_to_write("file".as_ref()).is_err(), "another user's file");
        }
    }
}
