//! Reading files whose place somebody else may have prepared.
//!
//! A name can lead to a FIFO, where open(2) waits for ever; to a device, where opening alone can do something;
//! or to /dev/zero, which never ends. So only regular files are opened, and only so much of one is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// Configuration is smaller than this: gate files, unit files, resolv.conf. /dev/zero is not.
pub const LARGEST: u64 = 1 << 20;

/// Reads a regular file of at most `limit` octets. Symbolic links are followed.
///
/// # Errors
/// Where the path leads to something that is no regular file (nothing is opened then), where the file is larger
/// than `limit`, or cannot be read.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // A descriptor of the place, which opens nothing yet.
    let place = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    check(&fstat(&place)?)?;
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    // By way of the descriptor: the path may lead elsewhere by now.
    let file = match options.open(format!("/proc/self/fd/{}", place.as_raw_fd())) {
        // No /proc here, as in a bare chroot.
        Err(error) if error.kind() == ErrorKind::NotFound => options.open(path)?,
        opened => opened?,
    };
    read_file(file, limit)
}

/// Reads an open file, if it is a regular one.
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
        octets => format!("{octets} octets"),
    }
}

/// Refuses everything but a regular file.
fn check(stat: &FileStat) -> io::Result<()> {
    let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => return Ok(()),
        // The words that everybody knows.
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
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_else_is_waited_for() {
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
            (5, 4, Some("it is larger than 4 octets")),
            (1025, 1024, Some("it is larger than 1 KiB")),
            ((1 << 20) + 1, LARGEST, Some("it is larger than 1 MiB")),
        ] {
            fs::write(&path, vec![b'x'; length]).unwrap();
            let read = read_bounded(&path, limit);
            assert_eq!(read.as_ref().err().map(ToString::to_string).as_deref(), error, "{length} of {limit}");
            assert!(read.map_or(true, |bytes| bytes.len() == length));
        }
        // Files of /proc say that they are empty.
        assert!(!read_bounded(Path::new("/proc/self/status"), LARGEST).unwrap().is_empty());
    }
}
