//! `run --textfile`: a file that says how the gate stands, for node_exporter's textfile collector.
//!
//! Nothing depends on it: where it cannot be written, a warning says so once. A thread of its own writes it, because
//! writing to a disk can take long, and READY=1, timeouts and signals must not wait for that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use tracing::warn;

use crate::clock;
use crate::files::Folder;
use crate::identity::Identity;
use crate::metrics::{is_due, metrics_text};
use crate::overview::KeptGate;
use crate::snapshot::Snapshot;

/// How long netready waits at its end until the last state is written. At half of it, a busy disk could miss that the
/// gate gave up; at double, a disk that hangs would hold up a unit that is to stop.
const PATIENCE: Duration = Duration::from_secs(2);

/// The text file for node_exporter. The module says how it is written.
#[derive(Debug)]
pub struct TextFile {
    writer: Arc<Writer>,
    /// The state that the file shows, or will show when the thread has written it.
    last: Option<Snapshot>,
}

/// What the thread shares with its owner.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    state: Mutex<State>,
    /// There is something to write.
    work: Condvar,
    /// Something was written, or failed.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be written next. A newer state takes the place of one that was not written yet.
    next: Option<Snapshot>,
    writing: bool,
    /// Whether the thread was started.
    started: bool,
}

impl TextFile {
    /// A file at this path. It is not touched yet.
    pub fn new(path: &Path) -> TextFile {
        // Without a working directory, a relative path is refused as it is.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (state, work, done) = Default::default();
        TextFile { writer: Arc::new(Writer { path, state, work, done }), last: None }
    }

    /// Has the thread write how the gate stands, if that is due. It never waits.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        if !is_due(self.last.as_ref(), snapshot) {
            return;
        }
        let mut state = self.writer.lock();
        if !state.started && !start(&self.writer) {
            // Without a thread nothing is written: whatever is done here, the gate would wait for.
            return;
        }
        state.started = true;
        state.next = Some(snapshot.clone());
        self.writer.work.notify_one();
        self.last = Some(snapshot.clone());
    }

    /// Before netready ends: waits a little until everything is written.
    pub fn finish(&self) {
        let unwritten = |state: &mut State| state.writing || state.next.is_some();
        // What is not written by then is lost.
        let _ = self.writer.done.wait_timeout_while(self.writer.lock(), PATIENCE, unwritten);
    }
}

/// Starts the thread; false if the kernel refuses one.
fn start(writer: &Arc<Writer>) -> bool {
    let writer = Arc::clone(writer);
    // Signals are the main thread's.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let thread = std::thread::Builder::new().name("textfile".to_owned());
    let started = thread.spawn(move || writer.serve()).is_ok();
    if let Ok(before) = before {
        // It is the mask that was in force, so it can be set.
        let _ = before.thread_set_mask();
    }
    started
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut complained = false;
        loop {
            let nothing = |state: &mut State| state.next.is_none();
            let mut state =
                self.work.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
            let Some(snapshot) = state.next.take() else { continue };
            state.writing = true;
            drop(state);
            if let Err(error) = self.write(&snapshot) {
                if !std::mem::replace(&mut complained, true) {
                    warn!("--textfile {}: {error}", self.path.display());
                }
            }
            self.lock().writing = false;
            self.done.notify_all();
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
