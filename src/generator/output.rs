//! Writes into the directory that systemd gave the generator: only netready's own files, and nothing outside of it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::files::{Folder, LARGEST};

/// The beginning of every file that the generator writes. It replaces only files that begin with this text.
const MARK: &[u8] = b"# Made by netready-generator";

/// An output directory. Symbolic links in it are not followed.
pub struct Output {
    normal: Folder,
}

impl Output {
    /// Opens the directory, and makes it if it does not exist. systemd has made its own.
    pub fn open(normal: &Path) -> io::Result<Output> {
        fs::create_dir_all(normal)?;
        Ok(Output { normal: Folder::open_named(normal)? })
    }

    /// Writes `NAME` or `FOLDER/NAME`.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        match path.split_once('/') {
            None => write_in(&self.normal, path, text),
            Some((folder, name)) => {
                let folder = is_plain(folder)?;
                self.normal.make(folder)?;
                write_in(&self.normal.open_below(folder)?, name, text)
            }
        }
    }
}

fn write_in(folder: &Folder, name: &str, text: &str) -> io::Result<()> {
    let name = is_plain(name)?;
    match folder.write_new(name, text.as_bytes()) {
        // A file with this name exists. It is replaced if an earlier run of the generator made it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match folder.read(name, LARGEST) {
            Ok(there) if there.starts_with(MARK) => folder.replace(name, text.as_bytes()),
            Ok(_) | Err(_) => {
                let why = "exists already, and netready-generator did not make it";
                Err(io::Error::new(ErrorKind::AlreadyExists, why))
            }
        },
        done => done,
    }
}

/// Fails unless this is a plain file name. The code that makes names checks them too; this is the last check before
/// the file system.
fn is_plain(name: &str) -> io::Result<&OsStr> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is not a file name"));
    }
    Ok(OsStr::new(name))
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
    fn new_files_are_written_and_our_own_are_replaced() {
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
    fn files_of_others_are_not_changed() {
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
        nix::unistd::mkfifo(&normal.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
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
