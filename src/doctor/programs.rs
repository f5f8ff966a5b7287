//! Asking other programs: found in PATH, bounded in time, without a shell.
//!
//! Any of them may hang (Podman waits for its lock for ever), and none may hold a look up.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::clock;
use crate::config::duration_text;
use crate::moment::Moment;

/// Podman on a small board takes seconds to start; a look that takes much longer is not waited for.
const LONGEST: Duration = Duration::from_secs(15);

/// As much as is read of what a program says.
const MOST: u64 = 4 << 20;

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
pub struct Said {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// On stdout.
    pub stdout: String,
    /// On stderr.
    pub stderr: String,
}

/// Why a program said nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is not in PATH.
    #[error("{0} is not here")]
    Absent(String),
    /// It cannot be run.
    #[error("{program} cannot be run: {source}")]
    Run {
        /// Which.
        program: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It did not end in time.
    #[error("{program} did not answer within {}", duration_text(*.limit))]
    Late {
        /// Which.
        program: String,
        /// How long it was waited for.
        limit: Duration,
    },
}

impl Said {
    /// stdout, where it went well.
    ///
    /// # Errors
    /// Its first line of stderr, where it did not.
    pub fn good(self) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => {
                let first = self.stderr.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                Err(if first.is_empty() { code } else { format!("{first} ({code})") })
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

    /// Where a program is.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path))
    }

    /// Asks a program in PATH.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask(&self, name: &str, arguments: &[&str]) -> Result<Said, AskError> {
        let path = self.find(name).ok_or_else(|| AskError::Absent(name.to_owned()))?;
        self.ask_at(&path, arguments)
    }

    /// Asks the program at a path.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn ask_at(&self, path: &Path, arguments: &[&str]) -> Result<Said, AskError> {
        let late = || AskError::Late { program: path.display().to_string(), limit: self.limit };
        if self.late.borrow().contains(path) {
            return Err(late());
        }
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("LC_ALL", "C.UTF-8").env("SYSTEMD_PAGER", "").env_remove("NOTIFY_SOCKET");
        command.envs(self.runtime.iter().map(|runtime| ("XDG_RUNTIME_DIR", runtime)));
        // A working directory that the user may not enter stops Podman.
        command.current_dir("/").process_group(0);
        let program = path.display().to_string();
        let failed = |source| AskError::Run { program: program.clone(), source };
        let mut running = Running(command.spawn().map_err(failed)?);
        match running.listen(clock::now() + self.limit).map_err(failed)? {
            Some(said) => Ok(said),
            None => {
                self.late.borrow_mut().insert(path.to_owned());
                Err(late())
            }
        }
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// A program that is ended, with what it started, when nobody listens any more.
struct Running(Child);

impl Running {
    /// Until it ends; `None` where it does not in time.
    fn listen(&mut self, until: Moment) -> io::Result<Option<Said>> {
        let (mut stdout, mut stderr) = (self.0.stdout.take(), self.0.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            let left = until - clock::now();
            if left.is_zero() {
                return Ok(None);
            }
            // What it left running may hold the pipes open, so its own end counts, and is looked for too.
            let ended = self.0.try_wait()?;
            let pause = if ended.is_some() { Duration::ZERO } else { left.min(Duration::from_millis(20)) };
            let something = wait(stdout.as_ref(), stderr.as_ref(), pause)?;
            if something {
                take(&mut stdout, &mut out)?;
                take(&mut stderr, &mut err)?;
            } else if let Some(status) = ended {
                let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
                return Ok(Some(Said { code: status.code(), stdout: text(&out), stderr: text(&err) }));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            if let Ok(pid) = i32::try_from(self.0.id()) {
                // It was not waited for, so the number is still its group's.
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
            let _ = self.0.wait();
        }
    }
}

/// Whether there is something to read, or an end.
fn wait(stdout: Option<&ChildStdout>, stderr: Option<&ChildStderr>, pause: Duration) -> io::Result<bool> {
    let open = stdout.map(AsFd::as_fd).into_iter().chain(stderr.map(AsFd::as_fd));
    let mut open: Vec<PollFd<'_>> = open.map(|end| PollFd::new(end, PollFlags::POLLIN)).collect();
    let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
    match poll(&mut open, pause) {
        Err(nix::errno::Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(ready) => Ok(ready > 0),
    }
}

/// Reads once of a pipe where that does not block; closes it at its end.
fn take<Pipe: Read + AsFd>(pipe: &mut Option<Pipe>, into: &mut Vec<u8>) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut one = [PollFd::new(open.as_fd(), PollFlags::POLLIN)];
    if poll(&mut one, PollTimeout::ZERO)? == 0 {
        return Ok(());
    }
    let mut buffer = [0; 8192];
    match open.read(&mut buffer)? {
        0 => *pipe = None,
        length if (into.len() as u64) < MOST => {
            into.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        // It is read on, so that the program can end.
        _ => {}
    }
    Ok(())
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
        let expected = Said { code: Some(3), stdout: "out\n".to_owned(), stderr: "err\n".to_owned() };
        assert_eq!(said, expected);
        assert_eq!(said.good(), Err("err (exit code 3)".to_owned()));
        // More than a pipe holds, on both.
        let much = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
        let said = programs(LONGEST).ask("sh", &["-c", much]).unwrap();
        assert_eq!((said.stdout.len(), said.stderr.len()), (300_000, 300_000));
        assert!(matches!(programs(LONGEST).ask("no-such-program", &[]), Err(AskError::Absent(_))));
    }

    /// Podman waits for its lock for ever; what it started is ended with it.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "nobody tells when a stranger's child is gone")]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", pid.display());
        let programs = programs(Duration::from_millis(500));
        let error = programs.ask("sh", &["-c", &script]).unwrap_err();
        assert!(error.to_string().ends_with("did not answer within 500ms"), "{error}");
        assert!(programs.ask("sh", &["-c", "exit 0"]).is_err(), "it is not asked again");
        let Ok(pid) = std::fs::read_to_string(pid) else { return };
        let stat = format!("/proc/{}/stat", pid.trim());
        let runs = || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            let state = stat.rsplit(')').next().unwrap_or_default().trim();
            !(state.is_empty() || state.starts_with(['Z', 'X']))
        };
        // It dies when it is its turn to run, a moment after the signal.
        let ended = (0..3000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            !runs()
        });
        assert!(ended, "it still runs");
    }

    /// What it left in the background may hold the pipes open.
    #[test]
    fn a_program_that_ended_is_not_waited_for_any_longer() {
        let said = programs(LONGEST).ask("sh", &["-c", "sleep 5 & echo done"]).unwrap();
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), "done\n"));
    }
}
