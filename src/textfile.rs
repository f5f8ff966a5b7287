//! `run --textfile`: a file that says how the gate stands, for node_exporter's textfile collector.
//!
//! Nothing depends on it: where it cannot be written, a warning says so once. It is written after READY=1 was said,
//! or once the gate was given up, because writing to a disk can take long.

use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::clock;
use crate::files::Folder;
use crate::identity::Identity;
use crate::metrics::{is_due, metrics_text};
use crate::overview::KeptGate;
use crate::snapshot::Snapshot;

/// The text file for node_exporter. The module says when it is written.
#[derive(Debug)]
pub struct TextFile {
    path: PathBuf,
    /// The state that the file shows now.
    last: Option<Snapshot>,
    complained: bool,
}

impl TextFile {
    /// A file at this path. It is not touched yet.
    pub fn new(path: &Path) -> TextFile {
        // Without a working directory, a relative path is refused as it is.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        TextFile { path, last: None, complained: false }
    }

    /// Writes how the gate stands, if that is due.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        if !is_due(self.last.as_ref(), snapshot) {
            return;
        }
        match self.write(snapshot) {
            Ok(()) => self.last = Some(snapshot.clone()),
            Err(error) => {
                if !std::mem::replace(&mut self.complained, true) {
                    warn!("--textfile {}: {error}", self.path.display());
                }
            }
        }
    }

    fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        let gate = KeptGate {
            snapshot: snapshot.clone(),
            user: user(),
            unit: None,
            pid: std::process::id(),
            running: true,
        };
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let folder = match Folder::open_own(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let rule = "must belong to this user, and nobody else may write there";
                return Err(io::Error::new(error.kind(), format!("{} {rule}", folder.display())));
            }
            opened => opened?,
        };
        folder.publish(name, metrics_text(&[gate], clock::boot_time()).as_bytes())
    }
}

/// The user whose gate it is. `None` for the system's: a unit of the system's may run as any user.
fn user() -> Option<u32> {
    let identity = Identity::of_process();
    let by_hand = std::env::var_os("RUNTIME_DIRECTORY").is_none();
    (identity.user_manager || (identity.uid != 0 && by_hand)).then_some(identity.uid)
}
