//! What Podman says of itself and of its containers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::leases::Container;

/// On a busy machine it takes seconds; where its storage is locked, for ever.
const LONGEST: Duration = Duration::from_secs(30);
/// Thousands of containers' worth of output.
const MOST: u64 = 32 << 20;

/// The `podman` of this user.
#[derive(Debug, Clone)]
pub struct Podman {
    program: PathBuf,
}

/// Why Podman did not say what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such program.
    #[error("podman is not installed")]
    Missing,
    /// It cannot be run.
    #[error("podman cannot be run")]
    Run(#[source] io::Error),
    /// It does not come back.
    #[error("podman {0} has not answered for 30 seconds")]
    Slow(&'static str),
    /// It failed.
    #[error("podman {command} failed: {said}")]
    Failed {
        /// What was asked.
        command: &'static str,
        /// The last line of what it said.
        said: String,
    },
    /// It said something else.
    #[error("podman {0} gave an answer that is not understood")]
    Answer(&'static str),
    /// It speaks for another host.
    #[error("podman is the client of a service elsewhere")]
    Remote,
}

impl Default for Podman {
    fn default() -> Podman {
        Podman { program: PathBuf::from("podman") }
    }
}

impl Podman {
    /// Another program that answers as Podman does.
    pub fn at(program: impl Into<PathBuf>) -> Podman {
        Podman { program: program.into() }
    }

    /// Where netavark keeps this user's leases; for root one place, whatever the storage.
    pub(super) fn database(&self) -> Result<PathBuf, Error> {
        let format = "{{.Host.ServiceIsRemote}} {{.Host.Security.Rootless}} {{.Store.RunRoot}}";
        let said = self.ask("info", &["--format", format])?;
        let said = String::from_utf8(said).map_err(|_| Error::Answer("info"))?;
        let mut words = said.trim_end_matches('\n').splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("true"), _, _) => Err(Error::Remote),
            (Some("false"), Some("false"), Some(_)) => Ok(PathBuf::from("/run/containers/networks/ipam.db")),
            (Some("false"), Some("true"), Some(runroot)) if runroot.starts_with('/') => {
                Ok(PathBuf::from(runroot).join("networks/ipam.db"))
            }
            _ => Err(Error::Answer("info")),
        }
    }

    /// Every container that exists, by ID: pods' own and those of other tools in the same storage too.
    pub(super) fn containers(&self) -> Result<BTreeMap<String, Container>, Error> {
        let said = self.ask("ps", &["--all", "--external", "--no-trunc", "--format", "json"])?;
        containers(&said).ok_or(Error::Answer("ps"))
    }

    fn ask(&self, command: &'static str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let mut child = Command::new(&self.program)
            // A list of another host's containers would make every lease a leak.
            .args(["--remote=false", command])
            .args(arguments)
            .env_remove("CONTAINER_HOST")
            .env_remove("CONTAINER_CONNECTION")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() == io::ErrorKind::NotFound {
                true => Error::Missing,
                false => Error::Run(error),
            })?;
        let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
        let said = out.recv_timeout(LONGEST);
        if said.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(Error::Run)?;
        let said = said.map_err(|_| Error::Slow(command))?;
        if status.success() {
            return Ok(said);
        }
        // What it left running may keep the pipe open.
        let complaint = err.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let complaint = String::from_utf8_lossy(&complaint).into_owned();
        let said = complaint.lines().last().map_or_else(|| status.to_string(), str::to_owned);
        Err(Error::Failed { command, said })
    }
}

/// All that comes from a pipe, once it is closed.
fn reader(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST).read_to_end(&mut said);
        }
        let _ = tell.send(said);
    });
    told
}

/// `podman ps --format json`, parsed.
pub(super) fn containers(json: &[u8]) -> Option<BTreeMap<String, Container>> {
    let list: serde_json::Value = serde_json::from_slice(json).ok()?;
    let container = |value: &serde_json::Value| {
        let id = value.get("Id")?.as_str()?.to_owned();
        let name =
            value.pointer("/Names/0").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let state = value.get("State")?.as_str()?.to_owned();
        Some((id, Container { name, state }))
    };
    list.as_array()?.iter().map(container).collect()
}

/// The words of all processes' command lines: each running container has a conmon(8) that names it, whichever
/// storage it is of.
pub(super) fn command_lines() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            // It may have ended meanwhile.
            all.extend(fs::read(entry.path().join("cmdline")));
        }
    }
    all
}
