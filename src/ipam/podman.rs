//! What Podman says about itself and its containers, and which processes run for a container.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::leases::Container;
use crate::doctor::programs::{ProgramError, Programs};
use crate::platform::proc;

/// The database of root's leases. All Podmans of root share it, whatever storage they use, because they share
/// one network namespace.
pub const ROOTS: &str = "/run/containers/networks/ipam.db";

/// The `podman` of this user.
#[derive(Debug, Clone)]
pub struct Podman {
    /// Runs other programs.
    pub programs: Programs,
    /// The path of the program.
    pub program: PathBuf,
}

/// Why Podman gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PodmanError {
    /// Podman cannot be run, or does not answer in time.
    #[error(transparent)]
    Ask(#[from] ProgramError),
    /// The subcommand failed with this message.
    #[error("podman {0}: {1}")]
    Failed(&'static str, String),
    /// The subcommand's answer has an unknown form.
    #[error("podman {0}: netready does not understand the answer")]
    Answer(&'static str),
    /// This Podman is the client of a Podman on another host.
    #[error("podman is the client of a service elsewhere")]
    Remote,
    /// /proc belongs to another PID namespace, or is not mounted.
    #[error("/proc does not show the processes of this namespace, so nobody can tell which containers run")]
    Processes,
    /// The processes cannot be read.
    #[error("cannot tell which containers are in use: {0}")]
    Unseen(#[from] io::Error),
}

impl Podman {
    /// Finds `podman` in `$PATH`.
    pub fn find(programs: &Programs) -> Option<Podman> {
        Some(Podman { program: programs.find("podman")?, programs: programs.clone() })
    }

    /// The path of the database in which netavark keeps this user's leases.
    ///
    /// # Errors
    /// Podman does not say where its files are.
    pub fn database(&self) -> Result<PathBuf, PodmanError> {
        let format = "{{.Host.ServiceIsRemote}} {{.Host.Security.Rootless}} {{.Store.RunRoot}}";
        database(&self.ask("info", &["--format", format])?)
    }

    /// Every container that exists, by ID. Pods' infra containers and those that other tools made in the same storage
    /// are among them.
    pub(super) fn containers(&self) -> Result<BTreeMap<String, Container>, PodmanError> {
        let said = self.ask("ps", &["--all", "--external", "--no-trunc", "--format", "json"])?;
        containers(&said).ok_or(PodmanError::Answer("ps"))
    }

    fn ask(&self, command: &'static str, arguments: &[&str]) -> Result<String, PodmanError> {
        // Never ask a remote Podman: with the containers of another host, every lease would look leaked.
        let words = [&["--remote=false", command], arguments].concat();
        self.programs
            .ask_at(&self.program, &words)?
            .success()
            .map_err(|said| PodmanError::Failed(command, said))
    }
}

/// Reads the answer of `podman info` and returns the path of the database. The answer has three words: whether the
/// service is remote, whether Podman is rootless, and the run root.
pub(super) fn database(said: &str) -> Result<PathBuf, PodmanError> {
    let mut words = said.trim_end_matches('\n').splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("true"), _, _) => Err(PodmanError::Remote),
        (Some("false"), Some("false"), Some(_)) => Ok(PathBuf::from(ROOTS)),
        (Some("false"), Some("true"), Some(runroot)) if runroot.starts_with('/') => {
            Ok(PathBuf::from(runroot).join("networks/ipam.db"))
        }
        _ => Err(PodmanError::Answer("info")),
    }
}

/// Parses `podman ps --format json`. `None` if one entry cannot be read: a container that is left out would seem to
/// be gone.
pub(super) fn containers(json: &str) -> Option<BTreeMap<String, Container>> {
    let list: serde_json::Value = serde_json::from_str(json).ok()?;
    let container = |value: &serde_json::Value| {
        let id = value.get("Id")?.as_str()?.to_owned();
        let name =
            value.pointer("/Names/0").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let state = value.get("State")?.as_str()?.to_owned();
        Some((id, Container { name, state }))
    };
    list.as_array()?.iter().map(container).collect()
}

/// The most bytes that are read of one command line. conmon(8) has the ID in the first hundred.
const COMMAND_LINE: u64 = 64 << 10;

/// Returns those of `ids` that are a word on the command line of some process. Each running container has a conmon(8)
/// with its ID on the command line, whichever storage the container is in. Users choose their command lines, so this
/// function searches while it reads, and keeps nothing of them in memory.
///
/// # Errors
/// Fails if the command line of a process cannot be read, unless the process has ended or belongs to another user. A
/// container whose process was skipped would seem to be gone.
pub(super) fn named_by_processes(folder: &Path, ids: &BTreeSet<&str>) -> io::Result<BTreeSet<String>> {
    let mut named = BTreeSet::new();
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
    for entry in fs::read_dir(folder)? {
        if named.len() == ids.len() {
            break;
        }
        let entry = entry?;
        if !proc::is_process(&entry) {
            continue;
        }
        let found = |word: &[u8]| {
            let id = std::str::from_utf8(word).ok().filter(|id| ids.contains(id));
            named.extend(id.map(str::to_owned));
        };
        let line = File::open(entry.path().join("cmdline"));
        match line.and_then(|line| each_word(line.take(COMMAND_LINE), longest, found)) {
            Err(error) if !is_gone_or_hidden(&error) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(named)
}

/// Whether a process has ended, or this user may not see it (the mount option hidepid of proc(5)).
fn is_gone_or_hidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH | libc::EACCES | libc::EPERM))
}

/// Calls `found` with each word of a command line that has at most `longest` bytes. Longer words are skipped.
///
/// # Errors
/// Fails if the command line cannot be read.
fn each_word(mut line: impl Read, longest: usize, mut found: impl FnMut(&[u8])) -> io::Result<()> {
    let mut word = Vec::with_capacity(longest);
    let mut too_long = false;
    let mut buffer = [0; 4096];
    loop {
        let read = match line.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for octet in buffer.get(..read).unwrap_or_default() {
            if *octet == 0 {
                if !too_long {
                    found(&word);
                }
                word.clear();
                too_long = false;
            } else if word.len() < longest {
                word.push(*octet);
            } else {
                too_long = true;
            }
        }
    }
    // A process may write over its command line, and leave out the last NUL.
    if !too_long {
        found(&word);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Command lines, and their words of at most four bytes.
    #[test]
    fn words_of_a_command_line() {
        for (line, words) in [
            ("", vec![""]),
            ("a\0bc\0", vec!["a", "bc", ""]),
            ("a\0bc", vec!["a", "bc"]),
            ("abcd\0abcde\0e", vec!["abcd", "e"]),
            ("\0\0", vec!["", "", ""]),
            // The rest of a word that is too long does not count as a word.
            ("abcdefgh", vec![]),
        ] {
            let mut found = Vec::new();
            let take = |word: &[u8]| found.push(String::from_utf8(word.to_vec()).unwrap());
            each_word(line.as_bytes(), 4, take).unwrap();
            assert_eq!(found, words, "{line:?}");
        }
    }

    #[test]
    fn processes_that_name_an_id() {
        let proc = tempfile::tempdir().unwrap();
        let ids = ["11aa", "22bb", "33cc", "44dd", "55ee", "66ff"];
        let big = format!("x\0{}\0", "y".repeat(64 << 10));
        for (pid, line) in [
            ("1", "conmon\0-c\x0011aa\0-u\x0022bb\0".to_owned()),
            // The ID is part of a longer word; lies beyond the bytes that are read; or is not of a process.
            ("2", "sh\0-c\0echo 33cc\0x33cc\0".to_owned()),
            ("3", format!("{big}44dd\0")),
            ("self", "55ee\0".to_owned()),
            ("5", "66ff".to_owned()),
        ] {
            fs::create_dir(proc.path().join(pid)).unwrap();
            fs::write(proc.path().join(pid).join("cmdline"), line).unwrap();
        }
        fs::create_dir(proc.path().join("6")).unwrap();
        let named = named_by_processes(proc.path(), &BTreeSet::from(ids)).unwrap();
        assert_eq!(named.iter().map(String::as_str).collect::<Vec<_>>(), ["11aa", "22bb", "66ff"]);
        // A command line that cannot be read may have the ID.
        fs::create_dir_all(proc.path().join("7/cmdline")).unwrap();
        let error = named_by_processes(proc.path(), &BTreeSet::from(ids)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
    }
}
