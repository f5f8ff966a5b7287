//! Reads and writes the file of the database. Reading takes a copy, and writing is one transaction under the
//! lock.
//!
//! Podman waits for the lock (flock(2)) without a limit. So reading does not take the lock, and writing holds
//! it only while a few pages are written.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::geteuid;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::files::Folder;

use super::bolt::{self, Bucket, Damage, Database};

// The recorded databases are of little-endian machines.
#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests;

/// The largest file that is read, in octets. The leases of a full /16 network take a third of it.
const LARGEST: u64 = 64 << 20;
/// The most copies that are taken. A further copy is needed if Podman writes meanwhile, which takes a
/// millisecond.
const COPIES: usize = 20;
/// How often the lock is tried. Podman holds it for milliseconds; a hundred containers that start at once
/// hold it for a second in all.
const TRIES: usize = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file system reported an error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not a regular file.
    #[error("not a regular file")]
    Kind,
    /// Another user owns the file or its folder, and could have prepared it.
    #[error("{0} belongs to another user (uid {1})")]
    Foreign(&'static str, u32),
    /// Other users can write to the folder, and could exchange the file.
    #[error("other users can write to its folder")]
    Exposed,
    /// The file is larger than the database of any address pool.
    #[error("{0} bytes: too large for a list of addresses")]
    Size(u64),
    /// The content of the file is damaged.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// Another process keeps the lock.
    #[error("locked by another process for 5 seconds; nothing was changed")]
    Locked,
    /// Its meta pages change faster than it can be copied.
    #[error("it is being written to all the time")]
    Busy,
    /// It was removed or replaced meanwhile.
    #[error("replaced while it was opened; nothing was changed")]
    Replaced,
}

impl DatabaseError {
    /// Whether the file itself is damaged, so that nobody can use it.
    pub fn is_damage(&self) -> bool {
        matches!(self, DatabaseError::Damage(_) | DatabaseError::Kind)
    }
}

/// Reads the database as it was at one moment. `None` if the file does not exist or is empty: Podman makes a
/// new database in both cases.
pub fn read(path: &Path) -> Result<Option<Database>, DatabaseError> {
    for last in (0..COPIES).map(|copy| copy + 1 == COPIES) {
        let file = match Place::of(path).and_then(|place| place.open(OFlag::O_RDONLY)) {
            Err(DatabaseError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let data = content(&file)?;
        match Database::parse(&data) {
            // Nothing that a meta page leads to is written over before another meta page leads elsewhere.
            Ok(database) if still(&file, &data, database.metas_end())? => return Ok(Some(database)),
            Err(Damage::Empty) => return Ok(None),
            Err(damage) if last => return Err(damage.into()),
            Ok(_) | Err(_) => pause(),
        }
    }
    Err(DatabaseError::Busy)
}

/// Changes the content in one transaction, under the lock. `change` returns false if it has changed nothing;
/// then nothing is written.
pub fn write(path: &Path, change: impl FnOnce(&mut Bucket) -> bool) -> Result<(), DatabaseError> {
    write_within(TRIES, path, change)
}

/// `tries`: how often the lock is asked for, if somebody else has it.
fn write_within(
    tries: usize,
    path: &Path,
    change: impl FnOnce(&mut Bucket) -> bool,
) -> Result<(), DatabaseError> {
    let place = Place::of(path)?;
    let file = lock(place.open(OFlag::O_RDWR)?, tries)?;
    let (locked, there) = (fstat(&*file).map_err(io::Error::from)?, place.stat()?);
    if (locked.st_dev, locked.st_ino) != (there.st_dev, there.st_ino) {
        return Err(DatabaseError::Replaced);
    }
    let data = content(&file)?;
    let database = Database::parse(&data)?;
    let mut root = database.root.clone();
    if !change(&mut root) {
        return Ok(());
    }
    let commit = bolt::commit(&data, &database, &root)?;
    if commit.length > file.metadata()?.len() {
        file.set_len(commit.length)?;
    }
    for (at, bytes) in &commit.pages {
        file.write_all_at(bytes, *at)?;
    }
    file.sync_data()?;
    let (at, bytes) = &commit.meta;
    file.write_all_at(bytes, *at)?;
    file.sync_data()?;
    Ok(())
}

/// The folder of the database, opened once so that nobody can exchange it between two system calls, and the
/// name of the file in it.
struct Place<'a> {
    folder: Folder,
    name: &'a OsStr,
}

impl<'a> Place<'a> {
    /// A folder of the caller's own that nobody else can write to.
    fn of(path: &'a Path) -> Result<Place<'a>, DatabaseError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(DatabaseError::Kind);
        };
        let folder = Folder::open_named(parent)?;
        owned("its folder", folder.owner())?;
        if !folder.only_its_owner_writes() {
            return Err(DatabaseError::Exposed);
        }
        Ok(Place { folder, name })
    }

    fn stat(&self) -> Result<FileStat, DatabaseError> {
        let stat = fstatat(&self.folder, self.name, AtFlags::AT_SYMLINK_NOFOLLOW);
        Ok(stat.map_err(io::Error::from)?)
    }

    /// A regular file of the caller's own, and not one that a link leads to. Others are not opened: a named pipe
    /// would hold us for ever.
    fn open(&self, how: OFlag) -> Result<File, DatabaseError> {
        let kind = |stat: &FileStat| stat.st_mode & SFlag::S_IFMT.bits();
        let is_other = |kind| kind != SFlag::S_IFREG.bits() && kind != SFlag::S_IFLNK.bits();
        if is_other(kind(&self.stat()?)) {
            return Err(DatabaseError::Kind);
        }
        let flags = how | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file =
            File::from(openat(&self.folder, self.name, flags, Mode::empty()).map_err(io::Error::from)?);
        let stat = fstat(&file).map_err(io::Error::from)?;
        if kind(&stat) != SFlag::S_IFREG.bits() {
            return Err(DatabaseError::Kind);
        }
        owned("it", stat.st_uid)?;
        match u64::try_from(stat.st_size).unwrap_or(u64::MAX) {
            size if size > LARGEST => Err(DatabaseError::Size(size)),
            _ => Ok(file),
        }
    }
}

fn owned(what: &'static str, owner: u32) -> Result<(), DatabaseError> {
    if owner == geteuid().as_raw() { Ok(()) } else { Err(DatabaseError::Foreign(what, owner)) }
}

fn content(file: &File) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    let mut rest = file.take(LARGEST);
    rest.read_to_end(&mut data)?;
    Ok(data)
}

/// Whether the start of the file is what was copied.
fn still(file: &File, data: &[u8], end: usize) -> io::Result<bool> {
    let mut now = vec![0; end];
    file.read_exact_at(&mut now, 0)?;
    Ok(data.get(..end) == Some(now.as_slice()))
}

/// A file that is locked against other writers.
struct Locked(File);

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // After an error, close(2) releases the lock. `Flock` of the crate nix would panic.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

fn lock(file: File, tries: usize) -> Result<Locked, DatabaseError> {
    for _ in 0..tries {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Locked(file)),
            Err(Errno::WOULDBLOCK | Errno::INTR) => pause(),
            Err(error) => return Err(DatabaseError::Io(error.into())),
        }
    }
    Err(DatabaseError::Locked)
}

#[allow(
    clippy::disallowed_methods,
    reason = "flock(2) has no time limit, and a file no event for what is written"
)]
fn pause() {
    std::thread::sleep(PAUSE);
}
