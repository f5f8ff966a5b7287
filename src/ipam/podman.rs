//! What Podman says of itself and of its containers, and which processes run for one.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::leases::Container;
use crate::doctor::programs::{AskError, Programs};

/// Where root's leases are, whatever the storage: all of root's Podmans share one network namespace.
pub const ROOTS: &str = "/run/containers/networks/ipam.db";

/// The `podman` of this user.
#[derive(Debug, Clone)]
pub struct Podman {
    /// How it is asked.
    pub programs: Programs,
    /// Where it is.
    pub program: PathBuf,
}

/// Why Podman did not say what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be run, or does not come back.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// It failed.
    #[error("podman {0}: {1}")]
    Failed(&'static str, String),
    /// It said something else.
    #[error("podman {0}: an answer that is not understood")]
    Answer(&'static str),
    /// It speaks for another host.
    #[error("podman is the client of a service elsewhere")]
    Remote,
}

impl Podman {
    /// The one in `$PATH`, if there is one.
    pub fn find(programs: &Programs) -> Option<Podman> {
        Some(Podman { program: programs.find("podman")?, programs: programs.clone() })
    }

    /// Where netavark keeps this user's leases.
    ///
    /// # Errors
    /// Where Podman does not say so.
    pub fn database(&self) -> Result<PathBuf, Error> {
        let format = "{{.Host.ServiceIsRemote}} {{.Host.Security.Rootless}} {{.Store.RunRoot}}";
        database(&self.ask("info", &["--format", format])?)
    }

    /// Every container that exists, by ID: pods' own and those of other tools in the same storage too.
    pub(super) fn containers(&self) -> Result<BTreeMap<String, Container>, Error> {
        let said = self.ask("ps", &["--all", "--external", "--no-trunc", "--format", "json"])?;
        containers(&said).ok_or(Error::Answer("ps"))
    }

    fn ask(&self, command: &'static str, arguments: &[&str]) -> Result<String, Error> {
        // With a list of another host's containers every lease would be a leak.
        let words = [&["--remote=false", command], arguments].concat();
        self.programs.ask_at(&self.program, &words)?.good().map_err(|said| Error::Failed(command, said))
    }
}

/// `podman info`, in the words that it was asked for.
pub(super) fn database(said: &str) -> Result<PathBuf, Error> {
    let mut words = said.trim_end_matches('\n').splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("true"), _, _) => Err(Error::Remote),
        (Some("false"), Some("false"), Some(_)) => Ok(PathBuf::from(ROOTS)),
        (Some("false"), Some("true"), Some(runroot)) if runroot.starts_with('/') => {
            Ok(PathBuf::from(runroot).join("networks/ipam.db"))
        }
        _ => Err(Error::Answer("info")),
    }
}

/// `podman ps --format json`, parsed. All of it or nothing: a container that is left out would be one that is gone.
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

/// All processes' command lines: each running container has a conmon(8) that names it, whichever storage it is of.
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
