//! The programs that belong to this one and that users do not call. They are separate programs so that their code
//! does not use the daemon's memory.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The program that makes one attempt of a probe.
pub const PROBE: &str = "netready-probe";
/// The program with the commands that examine a host, and those that run another command.
pub const TOOLS: &str = "netready-tools";

/// The advice for an incomplete installation.
pub const INSTALL_AGAIN: &str = "install netready again";

/// The path of one of these programs: in the folder of this program (as in a build), or else in libexec, where
/// packages put programs that users do not call.
///
/// # Errors
/// Fails if the program is in neither folder. The text names both and says what to do.
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

/// The error for one of these programs that exists but cannot be run.
pub fn does_not_run(path: &Path, error: &io::Error) -> io::Error {
    // ENOENT means that its interpreter is missing. Other errors, for example lack of memory, are not the fault of
    // the installation.
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
    fn a_program_is_found_beside_this_one_or_in_libexec_or_reported_missing() {
        let place = tempfile::tempdir().unwrap();
        let bin = place.path().join("bin");
        let libexec = place.path().join("libexec");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(&libexec).unwrap();
        // A folder with that name is not the program.
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
    fn the_error_names_the_program_that_does_not_run() {
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
