//! Runs a program to its end, and keeps what it says: bounded in time and in size, and nothing of it is left.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, killpg, raise};

use super::{Terms, has_ended, pid, start};
use crate::moment::Moment;
use crate::platform::clock;
use crate::platform::signals::{Action, Blocked, action_of};

/// A program that SIGKILL does not end waits for a disk or a file server, and is not waited for any longer.
const TO_DIE: Duration = Duration::from_secs(1);

/// How often a program is looked at that says nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// The signals that end this process.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// How a program ended that was captured.
#[derive(Debug)]
pub enum Captured {
    /// The program ended by itself.
    Ended(Output),
    /// It took longer than it was given, and was killed.
    Late,
    /// This process was sent a signal that ends it. The program was killed, and the signal has not ended this process.
    Signalled,
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What the program wrote to stdout.
    pub stdout: Vec<u8>,
    /// What the program wrote to stderr.
    pub stderr: Vec<u8>,
    /// It said more than was kept.
    pub cut: bool,
}

/// Runs a program, which gets nothing to read, for as long as `limit`, and keeps about as many octets of each stream
/// as `most`.
///
/// What it leaves in its process group is killed with it: when it ends, when it takes too long, and when this process
/// is sent a signal that ends it. Then this process ends by that signal, once nothing of the program is left. What
/// left the group (setsid(2)) is a daemon by its own wish and stays: Podman's conmon and its pause process do so, and
/// serve other containers. If this process is killed (SIGKILL), so is the program, but not what it started.
///
/// # Errors
/// Where it cannot be started or followed.
pub fn capture(command: &mut Command, limit: Duration, most: usize) -> io::Result<Captured> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let held = Held::new()?;
    let mut running = Running::start(command, &held)?;
    let end = running.listen(clock::now() + limit, most, &held)?;
    drop(running);
    drop(held);
    match end {
        End::Said(output) => Ok(Captured::Ended(output)),
        End::Late => Ok(Captured::Late),
        End::Signalled(signal) => {
            // Now this process ends as if it had not held the signal back.
            let _ = raise(signal);
            Ok(Captured::Signalled)
        }
    }
}

/// The signals that end this process, held back while a program runs: the program has to be ended first, for it
/// is in a process group of its own, which a terminal's ^C does not reach.
struct Held(Blocked);

impl Held {
    fn new() -> io::Result<Held> {
        let before = SigSet::thread_get_mask()?;
        // What does not end this process otherwise (nohup(1)) is not to end it now.
        let ends = |signal: &Signal| !before.contains(*signal) && action_of(*signal) != Action::Ignored;
        let ending: SigSet = ENDING.into_iter().filter(ends).collect();
        Ok(Held(Blocked::new(&ending)?))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It is the mask that was in force, so it can be set.
        let _ = self.0.before().thread_set_mask();
    }
}

/// How listening to a program ended.
enum End {
    Said(Output),
    Late,
    Signalled(Signal),
}

/// A program that is ended, with what it started, when nobody listens any more.
struct Running {
    child: Child,
    /// Its number may be another process's by now.
    reaped: bool,
}

impl Running {
    fn start(command: &mut Command, held: &Held) -> io::Result<Running> {
        let terms = Terms { blocked: held.0.before(), terminal: None };
        Ok(Running { child: start(command, terms)?, reaped: false })
    }

    /// Until it ends, but no longer than this.
    fn listen(&mut self, until: Moment, most: usize, held: &Held) -> io::Result<End> {
        let (mut stdout, mut stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let (mut out, mut err) = (Kept::default(), Kept::default());
        loop {
            if let Some(signal) = held.0.next()? {
                return Ok(End::Signalled(signal));
            }
            let left = until - clock::now();
            if left.is_zero() {
                return Ok(End::Late);
            }
            // What it left running may hold the pipes open, so its own end counts, and is looked for too.
            let ended = has_ended(pid(&self.child))?.is_some();
            let pause = if ended { Duration::ZERO } else { left.min(PAUSE) };
            if wait(stdout.as_ref(), stderr.as_ref(), held, pause)? {
                take(&mut stdout, &mut out, most)?;
                take(&mut stderr, &mut err, most)?;
            } else if ended {
                self.kill();
                let code = self.child.wait()?.code();
                self.reaped = true;
                let cut = out.cut || err.cut;
                return Ok(End::Said(Output { code, stdout: out.octets, stderr: err.octets, cut }));
            }
        }
    }

    /// Kills its group. Only while it has not been waited for: until then the number is its group's.
    fn kill(&self) {
        if !self.reaped {
            // Where nothing of the group is left, there is nothing to do.
            let _ = killpg(pid(&self.child), Signal::SIGKILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        self.kill();
        let until = clock::now() + TO_DIE;
        while let Ok(None) = self.child.try_wait() {
            if (until - clock::now()).is_zero() {
                return;
            }
            let _ = poll(&mut [], PollTimeout::from(10_u8));
        }
    }
}

/// What a program has said so far on one stream.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    cut: bool,
}

/// Whether there is something to read of a program, or an end. A signal ends the wait as well.
fn wait(
    stdout: Option<&ChildStdout>,
    stderr: Option<&ChildStderr>,
    held: &Held,
    pause: Duration,
) -> io::Result<bool> {
    let pipes = stdout.map(AsFd::as_fd).into_iter().chain(stderr.map(AsFd::as_fd));
    let open = std::iter::once(held.0.as_fd()).chain(pipes);
    let mut open: Vec<PollFd<'_>> = open.map(|end| PollFd::new(end, PollFlags::POLLIN)).collect();
    let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
    match poll(&mut open, pause) {
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(open.iter().skip(1).any(|end| end.any().unwrap_or(true))),
    }
}

/// Reads once of a pipe where that does not block; closes it at its end.
fn take<Pipe: Read + AsFd>(pipe: &mut Option<Pipe>, into: &mut Kept, most: usize) -> io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut one = [PollFd::new(open.as_fd(), PollFlags::POLLIN)];
    if poll(&mut one, PollTimeout::ZERO)? == 0 {
        return Ok(());
    }
    let mut buffer = [0; 8192];
    match open.read(&mut buffer)? {
        0 => *pipe = None,
        length if into.octets.len() < most => {
            into.octets.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        // It is read on, so that the program can end.
        _ => into.cut = true,
    }
    Ok(())
}
