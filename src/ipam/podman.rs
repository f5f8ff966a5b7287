//! What Podman says about itself and its containers, and which processes run for a container.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::leases::{Container, is_podmans};
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
pub(super) fn named_by_processes(folder: &Path, ids: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or_default();
    for (_, process) in proc::processes(folder) {
        if named.len() == ids.len() {
            break;
        }
        // The process may have ended meanwhile.
        if let Ok(line) = File::open(process.join("cmdline")) {
            let found = |word: &[u8]| {
                let id = std::str::from_utf8(word).ok().filter(|id| ids.contains(id));
                named.extend(id.map(str::to_owned));
            };
            each_word(line.take(COMMAND_LINE), longest, found);
        }
    }
    named
}

/// Returns those of `ids` for which a storage has a folder below its run root. Podman makes this folder when it creates
/// a container and removes it together with the container. So it shows a container of another storage even if its
/// processes cannot be seen from here, because they are in another PID namespace.
///
/// `database` is `RUNROOT/networks/ipam.db` for a user. For root it is in a folder beside the run root, which is
/// `/run/containers/storage`.
pub(super) fn named_by_storage<'a>(database: &Path, ids: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let Some(base) = database.parent().and_then(Path::parent) else { return BTreeSet::new() };
    let roots = [base.to_owned(), base.join("storage")];
    let entries = roots.iter().filter_map(|root| fs::read_dir(root).ok()).flatten().flatten();
    // The name begins with the storage driver's, as in `overlay-containers`.
    let folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().ends_with(b"-containers"))
        .map(|entry| entry.path())
        .collect();
    let is_there = |id: &str| {
        folders.iter().any(|folder| match fs::symlink_metadata(folder.join(id)) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::NotFound,
        })
    };
    ids.iter().copied().filter(|id| is_podmans(id) && is_there(id)).collect()
}

/// Calls `found` with each word of a command line that has at most `longest` bytes. Longer words are skipped.
fn each_word(mut line: impl Read, longest: usize, mut found: impl FnMut(&[u8])) {
    let mut word = Vec::with_capacity(longest);
    let mut too_long = false;
    let mut buffer = [0; 4096];
    while let Some(read) = line.read(&mut buffer).ok().filter(|length| *length > 0) {
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
            each_word(line.as_bytes(), 4, |word| found.push(String::from_utf8(word.to_vec()).unwrap()));
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
        let named = named_by_processes(proc.path(), &BTreeSet::from(ids));
        assert_eq!(named.iter().map(String::as_str).collect::<Vec<_>>(), ["11aa", "22bb", "66ff"]);
    }
}
