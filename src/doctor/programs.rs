//! Runs other programs: it finds them in PATH, limits their time, and uses no shell.
//!
//! Any program may hang (Podman may wait for its lock for ever), and none may delay the examination for longer than
//! the limit.

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

/// How long a program may take. Podman takes seconds to start on a small board.
const LONGEST: Duration = Duration::from_secs(15);

/// The most bytes of a program's output that are kept.
const MOST: usize = 4 << 20;

/// Variables with folders in which programs look for their settings. Settings can name further programs.
const FOLDERS: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// The programs of the host, and how they are run.
#[derive(Debug, Clone)]
pub struct Programs {
    folders: Vec<PathBuf>,
    runtime: Option<PathBuf>,
    limit: Duration,
    /// The programs that did not answer in time. They are not run again, because all runs of Podman may wait for the
    /// same lock.
    late: RefCell<BTreeSet<PathBuf>>,
}

/// The output of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramOutput {
    /// The exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    /// What the program wrote to stdout. Bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// What the program wrote to stderr. Bytes that are not UTF-8 are replaced.
    pub stderr: String,
    /// Whether the program wrote more than is kept.
    pub cut: bool,
}

/// Why a program gave no output.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program is not in PATH.
    #[error("{0} was not found in PATH")]
    Absent(String),
    /// Root does not run this program, because another user could replace it.
    #[error("{0} is not run, because another user could replace it")]
    Foreign(String),
    /// The program cannot be run.
    #[error("{program} cannot be run: {source}")]
    Run {
        /// The path of the program.
        program: String,
        /// The error of the system call.
        #[source]
        source: io::Error,
    },
    /// This process got a signal that ends it.
    #[error("{0} was ended by a signal to netready")]
    Signalled(String),
    /// The program did not end in time.
    #[error("{program} did not answer within {}", duration_text(*.limit))]
    Late {
        /// The path of the program.
        program: String,
        /// The time limit.
        limit: Duration,
    },
}

impl ProgramOutput {
    /// The program's stdout, if it succeeded.
    ///
    /// # Errors
    /// Fails with the first line of stderr if the program failed.
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
    /// The programs in the absolute folders of `$PATH`.
    pub fn from_process(runtime: Option<&Path>) -> Programs {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
        Programs { folders, runtime: runtime.map(Path::to_owned), limit: LONGEST, late: RefCell::default() }
    }

    /// The same, with these folders in place of `$PATH`.
    #[cfg(test)]
    pub(crate) fn in_folders(&self, folders: &[PathBuf]) -> Programs {
        Programs { folders: folders.to_owned(), ..self.clone() }
    }

    /// The path of a program. For root this is the first one that no other user can replace.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let wary = is_root_of_the_host();
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths.find(|path| is_executable(path) && (!wary || is_roots(path)))
    }

    /// Why [`Programs::find`] finds no program of this name.
    pub fn missing(&self, name: &str) -> ProgramError {
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        match paths.find(|path| is_executable(path)) {
            Some(path) => ProgramError::Foreign(shown(&path)),
            None => ProgramError::Absent(name.to_owned()),
        }
    }

    /// Runs a program in PATH.
    ///
    /// # Errors
    /// Fails if there is no output: see [`ProgramError`].
    pub fn ask(&self, name: &str, arguments: &[&str]) -> Result<ProgramOutput, ProgramError> {
        let path = self.find(name).ok_or_else(|| self.missing(name))?;
        self.ask_at(&path, arguments)
    }

    /// Runs the program at a path.
    ///
    /// # Errors
    /// Fails if there is no output: see [`ProgramError`].
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
            // After su(1) or "sudo -E", this can be a folder of another user.
            if std::env::var_os(name).is_some_and(|folder| !identity.may_use(Path::new(&folder))) {
                command.env_remove(name);
            }
        }
        command.envs(self.runtime.iter().map(|runtime| ("XDG_RUNTIME_DIR", runtime)));
        // Podman fails in a working directory that the user may not enter.
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

/// Whether this process is root of the host itself. In a user namespace, files of the host's root belong to nobody,
/// and "root" is an ordinary user.
fn is_root_of_the_host() -> bool {
    let all = |map: &[u8]| String::from_utf8_lossy(map).split_whitespace().eq(["0", "0", "4294967295"]);
    geteuid().is_root()
        && files::read_bounded(Path::new("/proc/self/uid_map"), files::LARGEST).is_ok_and(|map| all(&map))
}

/// Whether only root can write to this file, and only root can replace it or a folder above it.
fn is_roots(path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    real.ancestors().all(|path| {
        path.metadata().is_ok_and(|file| {
            let mode = file.mode();
            // In a sticky folder, other users cannot replace what belongs to root.
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
    fn the_output_of_a_program_is_read() {
        let said = programs(LONGEST).ask("sh", &["-c", "echo out; echo err >&2; exit 3"]).unwrap();
        let expected = ProgramOutput {
            code: Some(3),
            stdout: "out\n".to_owned(),
            stderr: "err\n".to_owned(),
            cut: false,
        };
        assert_eq!(said, expected);
        assert_eq!(said.success(), Err("err (exit code 3)".to_owned()));
        // Both outputs are larger than a pipe.
        let much = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
        let said = programs(LONGEST).ask("sh", &["-c", much]).unwrap();
        assert_eq!((said.stdout.len(), said.stderr.len()), (300_000, 300_000));
        assert!(matches!(programs(LONGEST).ask("no-such-program", &[]), Err(ProgramError::Absent(_))));
    }

    /// Waits until a process has ended. A killed process ends only when it runs the next time, a moment after the
    /// signal.
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

    /// A program hangs, as Podman does while it waits for its lock. The processes that it started are killed with it.
    #[test]
    fn a_program_that_hangs_is_killed_with_all_that_it_started() {
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

    #[test]
    fn a_signal_that_kills_a_program_is_no_exit_code() {
        for signal in ["KILL", "TERM", "SEGV"] {
            let said = programs(LONGEST).ask("sh", &["-c", &format!("kill -{signal} $$")]).unwrap();
            assert_eq!(said.code, None, "{signal}");
        }
        assert_eq!(programs(LONGEST).ask("sh", &["-c", "exit 137"]).unwrap().code, Some(137));
    }

    /// A process that the program left in the background may hold the pipes open. It is killed too.
    #[test]
    fn the_output_is_complete_when_the_program_ends_and_nothing_is_left_running() {
        let said = programs(LONGEST).ask("sh", &["-c", "sleep 1000 & echo $!"]).unwrap();
        assert_eq!(said.code, Some(0));
        assert_ends(said.stdout.trim());
    }

    #[test]
    fn output_beyond_the_limit_is_reported_as_cut() {
        let said = programs(LONGEST).ask("sh", &["-c", "head -c 5000000 /dev/zero"]).unwrap();
        assert!(said.cut && said.stdout.len() <= MOST + 8192, "{}", said.stdout.len());
        assert!(!programs(LONGEST).ask("sh", &["-c", "echo"]).unwrap().cut);
    }

    #[test]
    fn output_of_programs_is_escaped() {
        let said = programs(LONGEST).ask("sh", &["-c", "printf '\\033[2J\\n' >&2; exit 1"]).unwrap();
        assert_eq!(said.success(), Err(r"\x1b[2J (exit code 1)".to_owned()));
    }

    /// Each row: the modes of a folder and of the program in it, their owners, and whether root runs the program.
    #[test]
    #[ignore = "needs root"]
    fn root_runs_only_what_nobody_else_can_replace() {
        use std::os::unix::fs::{chown, symlink};
        // Root in a user namespace runs any program in its PATH.
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
