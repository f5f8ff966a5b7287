//! `run --textfile`: writes the state of the gate to a file for node_exporter's textfile collector.
//!
//! No decision depends on the file. If it cannot be written, `run` warns once and goes on. A separate thread writes it,
//! because writing to a disk can take long, and READY=1, timeouts and signals must not wait for the disk.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::clock;
use crate::files::Folder;
use crate::identity::Identity;
use crate::metrics::{is_due, metrics_text};
use crate::overview::KeptGate;
use crate::platform::worker::Worker;
use crate::snapshot::Snapshot;

/// How long `run` waits for the last write before it ends. If this time were half as long, the file could miss the last
/// state on a busy disk, for example that the gate gave up. If it were twice as long, a disk that hangs would delay the
/// stop of the unit too much.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file for node_exporter, and the thread that writes it.
#[derive(Debug)]
pub struct TextFile {
    path: Arc<Path>,
    /// Writes the file. A newer state replaces one that was not written yet.
    writer: Arc<Worker<Option<Snapshot>>>,
    /// The state that the file shows, or will show when the thread has written it.
    last: Option<Snapshot>,
}

impl TextFile {
    /// A file at this path. It is not touched yet.
    pub fn new(path: &Path) -> TextFile {
        if !is_collected(path) {
            warn!("--textfile {}: node_exporter reads only files whose names end in .prom", path.display());
        }
        // Without a working directory, a relative path is refused as it is.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        TextFile { path: path.into(), writer: Arc::new(Worker::new(None)), last: None }
    }

    /// Lets the thread write the state of the gate if that is due. This function never waits for the disk.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        if !is_due(self.last.as_ref(), snapshot) || !self.start() {
            // If the thread cannot be started, nothing is written: a write here would delay the gate.
            return;
        }
        self.writer.change(|next| *next = Some(snapshot.clone()));
        self.last = Some(snapshot.clone());
    }

    /// Waits until everything is written, at most [`PATIENCE`]. Call it before netready ends. A state that is not written
    /// by then is lost.
    pub fn finish(&self) {
        self.writer.finish(PATIENCE, PATIENCE);
    }

    fn start(&self) -> bool {
        let path = Arc::clone(&self.path);
        let mut complained = false;
        let thread = std::thread::Builder::new().name("textfile".to_owned());
        Worker::start(Arc::clone(&self.writer), thread, move |snapshot: Snapshot| {
            if let Err(error) = write(&path, snapshot) {
                if !std::mem::replace(&mut complained, true) {
                    warn!("--textfile {}: {error}", path.display());
                }
            }
        })
    }
}

/// Whether the textfile collector of node_exporter reads a file of this name.
fn is_collected(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "prom")
}

fn write(path: &Path, snapshot: Snapshot) -> io::Result<()> {
    let gate = KeptGate { snapshot, user: user(), unit: None, pid: std::process::id(), running: true };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
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

/// The user who owns the gate. `None` for a gate of the system, whose unit may run as any user.
fn user() -> Option<u32> {
    let identity = Identity::of_process();
    let by_hand = std::env::var_os("RUNTIME_DIRECTORY").is_none();
    (identity.user_manager || (identity.uid != 0 && by_hand)).then_some(identity.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_exporter_reads_names_that_end_in_prom() {
        for (path, expected) in [
            ("/a/netready.prom", true),
            ("netready.prom", true),
            ("/a/netready", false),
            ("/a/x.prom.txt", false),
        ] {
            assert_eq!(is_collected(Path::new(path)), expected, "{path}");
        }
    }
}
