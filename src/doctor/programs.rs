//! Asking other programs: found in PATH, bounded in time, without a shell.
//!
//! Any of them may hang (Podman waits for its lock for ever), and none may hold a look up.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::config::duration_text;
use crate::escape::{escape, escape_bytes};
use crate::files;
use crate::identity::Identity;
use crate::platform::child::{self, Captured, Output};

/// Podman on a small board takes seconds to start; a look that takes much longer is not waited for.
const LONGEST: Duration = Duration::from_secs(15);

/// As much as is kept of what a program says.
const MOST: usize = 4 << 20;

/// Folders in which programs look for their own settings, and settings name further programs.
const FOLDERS: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// Where programs are, and what they are told.
#[derive(Debug, Clone)]
pub struct Programs {
    folders: Vec<PathBuf>,
    runtime: Option<PathBuf>,
    limit: Duration,
    /// Those that did not answer, and are not asked again: one lock holds up all that Podman is asked.
    late: RefCell<BTreeSet<PathBuf>>,
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramOutput {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout. Octets that are not UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to stderr. Octets that are not UTF-8 are replaced.
    pub stderr: String,
    /// It said more than is kept.
    pub cut: bool,
}

/// Why a program said nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not in PATH.
    #[error("{0} was not found in PATH")]
    Absent(String),
    /// Root does not run what another user could replace.
    #[error("{0} is not run, because another user could replace it")]
    Foreign(String),
    /// It cannot be run.
    #[error("{program} cannot be run: {source}")]
    Run {
        /// The path of the program.
        program: String,
        /// Why it cannot be run.
        #[source]
        source: io::Error,
    },
    /// This process was sent a signal that ends it.
    #[error("{0} was ended by a signal to netready")]
    Signalled(String),
    /// It did not end in time.
    #[error("{program} did not answer within {}", duration_text(*.limit))]
    Late {
        /// The path of the program.
        program: String,
        /// How long it was waited for.
        limit: Duration,
    },
}

impl ProgramOutput {
    /// stdout, where it went well.
    ///
    /// # Errors
    /// Its first line of stderr, where it did not.
    pub fn success(self) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => {
                let first = self.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                Err(if first.is_empty() { code } else { format!("{} ({code})", escape(first)) })
            }
        }
    }
}

impl Programs {
    /// Those in the absolute folders of `$PATH`.
    pub fn from_process(runtime: Option<&Path>) -> Programs {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        Programs { folders, runtime: runtime.map(Path::to_owned), limit: LONGEST, late: RefCell::default() }
    }

    /// Where a program is. For root: the first that no other user can replace.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let wary = is_root_of_the_host();
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find(|path| is_executable(path) && (!wary || is_roots(path)))
    }

    /// Asks a program in PATH.
    ///
    /// # Errors
    /// See [`ProgramError`].
    pub fn ask(&self, name: &str, arguments: &[&str]) -> Result<ProgramOutput, ProgramError> {
        let Some(path) = self.find(name) else {
            let mut paths = self.folders.iter().map(|folder| folder.join(name));
            return Err(match paths.find(|path| is_executable(path)) {
                Some(path) => ProgramError::Foreign(shown(&path)),
                None => ProgramError::Absent(name.to_owned()),
            });
        };
        self.ask_at(&path, arguments)
    }

    /// Asks the program at a path.
    ///
    /// # Errors
    /// See [`ProgramError`].
    pub fn ask_at(&self, path: &Path, arguments: &[&str]) -> Result<ProgramOutput, ProgramError> {
        let program = shown(path);
        let late = || ProgramError::Late { program: program.clone(), limit: self.limit };
        if self.late.borrow().contains(path) {
            return Err(late());
        }
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let mut command = Command::new(path);
        command.args(arguments);
        command.env("LC_ALL", "C.UTF-8").env("SYSTEMD_PAGER", "").env_remove("NOTIFY_SOCKET");
        let identity = Identity::of_process();
        for name in FOLDERS {
            // After su(1) or "sudo -E" it can be another user's.
            if std::env::var_os(name).is_some_and(|folder| !identity.may_use(Path::new(&folder))) {
                command.env_remove(name);
            }
        }
        command.envs(self.runtime.iter().map(|runtime| ("XDG_RUNTIME_DIR", runtime)));
        // A working directory that the user may not enter stops Podman.
        command.current_dir("/");
        match child::capture(&mut command, self.limit, MOST) {
            Ok(Captured::Ended(Output { code, stdout, stderr, cut })) => {
                let [stdout, stderr] =
                    [stdout, stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
                Ok(ProgramOutput { code, stdout, stderr, cut })
            }
            Ok(Captured::Late) => {
                self.late.borrow_mut().insert(path.to_owned());
                Err(late())
            }
            Ok(Captured::Signalled) => Err(ProgramError::Signalled(program)),
            Err(source) => Err(ProgramError::Run { program, source }),
        }
    }
}

fn shown(path: &Path) -> String {
    escape_bytes(path.as_os_str().as_encoded_bytes()).into_owned()
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// In a user namespace files of the host's root belong to nobody, and "root" is an ordinary user.
fn is_root_of_the_host() -> bool {
    let all = |map: &[u8]| String::from_utf8_lossy(map).split_whitespace().eq(["0", "0", "4294967295"]);
    geteuid().is_root()
        && files::read_bounded(Path::new("/proc/self/uid_map"), files::LARGEST).is_ok_and(|map| all(&map))
}

/// Whether only root can write this file, and exchange it or a folder above it.
fn is_roots(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    real.ancestors().all(|path| {
        path.metadata().is_ok_and(|file| {
            let mode = file.mode();
            // In a sticky folder others cannot exchange what is root's.
            let sticky = file.is_dir() && mode & libc::S_ISVTX != 0;
            file.uid() == 0 && (mode & 0o022 == 0 || sticky)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(limit: Duration) -> Programs {
        let folders = ["/nowhere", "/usr/bin", "/bin"].map(PathBuf::from).to_vec();
        Programs { folders, runtime: None, limit, late: RefCell::default() }
    }

    #[test]
    fn what_a_program_says() {
        let said = programs(LONGEST).ask("sh", &["-c", "echo out; echo err >&2; exit 3"]).unwrap();
        let expected = ProgramOutput {
            code: Some(3),
            stdout: "out\n".to_owned(),
            stderr: "err\n".to_owned(),
            cut: false,
        };
        assert_eq!(said, expected);
        assert_eq!(said.success(), Err("err (exit code 3)".to_owned()));
        // More than a pipe holds, on both.
        let much = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
        let said = programs(LONGEST).ask("sh", &["-c", much]).unwrap();
        assert_eq!((said.stdout.len(), said.stderr.len()), (300_000, 300_000));
        assert!(matches!(programs(LONGEST).ask("no-such-program", &[]), Err(ProgramError::Absent(_))));
    }

    /// It dies when it is its turn to run, a moment after the signal.
    #[track_caller]
    #[allow(clippy::disallowed_methods, reason = "nobody tells when a stranger's child is gone")]
    fn assert_ends(pid: &str) {
        let stat = format!("/proc/{pid}/stat");
        let runs = || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = stat.rsplit(')').next().unwrap_or_default().trim();
            !(state.is_empty() || state.starts_with(['Z', 'X']))
        };
        let ended = (0..3000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !runs()
        });
        assert!(ended, "{pid} still runs");
    }

    /// Podman waits for its lock for ever; what it started is ended with it.
    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", pid.display());
        let programs = programs(Duration::from_millis(500));
        let error = programs.ask("sh", &["-c", &script]).unwrap_err();
        assert!(error.to_string().ends_with("did not answer within 500ms"), "{error}");
        assert!(programs.ask("sh", &["-c", "exit 0"]).is_err(), "it is not asked again");
        let Ok(pid) = std::fs::read_to_string(pid) else { return };
        assert_ends(pid.trim());
    }

    /// What it left in the background may hold the pipes open. It is ended too.
    #[test]
    fn a_program_that_ended_is_not_waited_for_any_longer_and_leaves_nothing() {
        let said = programs(LONGEST).ask("sh", &["-c", "sleep 1000 & echo $!"]).unwrap();
        assert_eq!(said.code, Some(0));
        assert_ends(said.stdout.trim());
    }

    #[test]
    fn more_than_is_kept_is_told() {
        let said = programs(LONGEST).ask("sh", &["-c", "head -c 5000000 /dev/zero"]).unwrap();
        assert!(said.cut && said.stdout.len() <= MOST + 8192, "{}", said.stdout.len());
        assert!(!programs(LONGEST).ask("sh", &["-c", "echo"]).unwrap().cut);
    }

    #[test]
    fn what_others_say_is_made_safe_to_print() {
        let said = programs(LONGEST).ask("sh", &["-c", "printf '\\033[2J\\n' >&2; exit 1"]).unwrap();
        assert_eq!(said.success(), Err(r"\x1b[2J (exit code 1)".to_owned()));
    }

    /// The mode of a folder in /tmp and of the program in it, and whose each is; whether root runs it.
    #[test]
    #[ignore = "needs root"]
    fn root_runs_only_what_nobody_else_can_replace() {
        use std::os::unix::fs::{chown, symlink};
        // Root of a container runs what is in its PATH.
        let choosy = is_root_of_the_host();
        for (folder_mode, mode, folder_uid, uid, expected) in [
            (0o755, 0o755, 0, 0, true),
            (0o1777, 0o755, 0, 0, true),
            (0o777, 0o755, 0, 0, false),
            (0o775, 0o755, 0, 0, false),
            (0o755, 0o775, 0, 0, false),
            (0o755, 0o757, 0, 0, false),
            (0o755, 0o755, 1234, 0, false),
            (0o755, 0o755, 0, 1234, false),
        ] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("bin");
            let program = folder.join("podman");
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(&program, "").unwrap();
            std::fs::set_permissions(&program, PermissionsExt::from_mode(mode)).unwrap();
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(folder_mode)).unwrap();
            chown(&folder, Some(folder_uid), None).unwrap();
            chown(&program, Some(uid), None).unwrap();
            let link = root.path().join("podman");
            symlink(&program, &link).unwrap();
            let case = format!("{folder_mode:o} {mode:o} {folder_uid} {uid}");
            assert_eq!(is_roots(&program), expected, "{case}");
            assert_eq!(is_roots(&link), expected, "by a link: {case}");
            let folders = vec![folder, PathBuf::from("/usr/bin")];
            let found = Programs { folders, ..programs(LONGEST) }.find("podman");
            assert_eq!(found == Some(program), expected || !choosy, "{case}");
        }
    }
}
