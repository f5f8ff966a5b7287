//! The directory that systemd gave the generator: new files in it, and nothing outside of it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// The beginning of every file that the generator writes. It replaces only files that begin like this.
const MARK: &[u8] = b"# Made by netready-generator";

/// An output directory. Symbolic links in it are not followed.
pub struct Output {
    normal: OwnedFd,
}

impl Output {
    /// Opens the directory. systemd has made it; elsewhere it is made here.
    pub fn open(normal: &Path) -> io::Result<Output> {
        fs::create_dir_all(normal)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Output { normal: open(normal, flags, Mode::empty())? })
    }

    /// Writes `NAME` or `FOLDER/NAME`.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        match path.split_once('/') {
            None => write_in(&self.normal, path, text),
            Some((folder, name)) => write_in(&self.folder(folder)?, name, text),
        }
    }

    fn folder(&self, name: &str) -> io::Result<OwnedFd> {
        is_plain(name)?;
        match mkdirat(&self.normal, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.normal, name, flags, Mode::empty())?)
    }
}

fn write_in(folder: &OwnedFd, name: &str, text: &str) -> io::Result<()> {
    is_plain(name)?;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let new = || openat(folder, name, flags, Mode::from_bits_truncate(0o644));
    let file = match new() {
        Err(Errno::EEXIST) if is_ours(folder, name) => {
            unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)?;
            new()?
        }
        Err(Errno::EEXIST) => {
            let why = "is there already, and netready-generator did not make it";
            return Err(io::Error::new(ErrorKind::AlreadyExists, why));
        }
        file => file?,
    };
    File::from(file).write_all(text.as_bytes())
}

/// Whether an earlier run made the file.
fn is_ours(folder: &OwnedFd, name: &str) -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let Ok(file) = openat(folder, name, flags, Mode::empty()) else { return false };
    let mut file = File::from(file);
    let mut begins = [0; MARK.len()];
    file.metadata().is_ok_and(|kind| kind.is_file())
        && file.read_exact(&mut begins).is_ok()
        && begins == *MARK
}

/// Checks a name once more before it reaches the file system. Names are checked where they are made, too.
fn is_plain(name: &str) -> io::Result<()> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is no name of a file"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    const TEXT: &str = "# Made by netready-generator from x\n";

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let normal = folder.path().join("normal");
        fs::create_dir(&normal).unwrap();
        (folder, normal)
    }

    #[test]
    fn new_files_are_written_and_our_own_are_written_anew() {
        let (_folder, normal) = folder();
        let output = Output::open(&normal).unwrap();
        for path in ["a.service.d/50-netready.conf", "b.service", "a.service.d/50-netready.conf"] {
            output.write(path, TEXT).unwrap();
            assert_eq!(fs::read_to_string(normal.join(path)).unwrap(), TEXT);
        }
        Output::open(&normal.join("new/deeper")).unwrap().write("x", TEXT).unwrap();
        assert!(normal.join("new/deeper/x").is_file());
    }

    #[test]
    fn nothing_of_others_is_touched() {
        let (folder, normal) = folder();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), TEXT).unwrap();
        fs::write(normal.join("theirs"), "[Service]\n").unwrap();
        fs::write(normal.join("short"), "#").unwrap();
        fs::create_dir(normal.join("folder")).unwrap();
        symlink(&outside, normal.join("link.d")).unwrap();
        symlink(outside.join("file"), normal.join("link")).unwrap();
        symlink(outside.join("new"), normal.join("dangling")).unwrap();
        nix::unistd::mkfifo(&normal.join("pipe"), Mode::S_IRWXU).unwrap();
        let output = Output::open(&normal).unwrap();
        for path in [
            "theirs",
            "short",
            "folder",
            "link",
            "dangling",
            "pipe",
            "link.d/x",
            "theirs/x",
            "../outside/x",
            "../x",
            "..",
            ".",
            "",
            "a/../x",
            "a/b/c",
            "/x",
            "a/",
        ] {
            assert!(output.write(path, "new").is_err(), "{path}");
        }
        assert_eq!(fs::read_to_string(normal.join("theirs")).unwrap(), "[Service]\n");
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), TEXT);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(!folder.path().join("x").exists());
    }
}
