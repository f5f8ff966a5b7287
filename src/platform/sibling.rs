//! The programs that belong to this one and that users do not call. What they need in memory is none of the
//! daemon's.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// One try of a probe.
pub const PROBE: &str = "netready-probe";
/// The commands that look over a host, and those that run another command.
pub const TOOLS: &str = "netready-tools";

/// What mends an installation that is not whole.
pub const INSTALL_AGAIN: &str = "install netready again";

/// Beside this program where both were built, else where packages put what users do not call.
///
/// # Errors
/// Where it is in neither place; the text says which these are, and what to do.
pub fn path(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    beside(own.parent().unwrap_or(Path::new("/")), name)
}

fn beside(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let apart = folder.parent().unwrap_or(folder).join("libexec");
    let places = [folder, &apart];
    let mut paths = places.iter().map(|place| place.join(name));
    paths.find(|path| path.is_file()).ok_or_else(|| {
        let text =
            format!("there is no {name} in {} nor in {}; {INSTALL_AGAIN}", folder.display(), apart.display());
        io::Error::new(ErrorKind::NotFound, text)
    })
}

/// What to say of a program of ours that is there and cannot be run.
pub fn does_not_run(path: &Path, error: &io::Error) -> io::Error {
    // ENOENT is said of its interpreter. Anything else is no fault of the installation, but, say, a want of memory.
    let of_the_program = [libc::ENOENT, libc::EACCES, libc::EPERM, libc::ENOEXEC, libc::ELIBBAD];
    let mend = match error.raw_os_error() {
        Some(code) if of_the_program.contains(&code) => format!("; {INSTALL_AGAIN}"),
        Some(_) | None => String::new(),
    };
    io::Error::new(error.kind(), format!("{} does not run: {error}{mend}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_beside_or_in_libexec_or_said_to_be_missing() {
        let place = tempfile::tempdir().unwrap();
        let bin = place.path().join("bin");
        let libexec = place.path().join("libexec");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&libexec).unwrap();
        // A folder of that name is no program.
        fs::create_dir(bin.join(PROBE)).unwrap();
        assert_eq!(
            beside(&bin, PROBE).unwrap_err().to_string(),
            format!(
                "there is no netready-probe in {} nor in {}; install netready again",
                bin.display(),
                libexec.display()
            )
        );
        fs::write(libexec.join(PROBE), "").unwrap();
        assert_eq!(beside(&bin, PROBE).unwrap(), libexec.join(PROBE));
        fs::remove_dir(bin.join(PROBE)).unwrap();
        fs::write(bin.join(PROBE), "").unwrap();
        assert_eq!(beside(&bin, PROBE).unwrap(), bin.join(PROBE));
    }

    #[test]
    fn what_does_not_run_is_named() {
        for (code, said) in [
            (libc::EACCES, "/x does not run: Permission denied (os error 13); install netready again"),
            (libc::ENOEXEC, "/x does not run: Exec format error (os error 8); install netready again"),
            (libc::EAGAIN, "/x does not run: Resource temporarily unavailable (os error 11)"),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(does_not_run(Path::new("/x"), &error).to_string(), said);
        }
    }
}
