//! Runs a program to its end and keeps its output. Time and size are limited, and nothing of the program is left
//! running.

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

/// How long to wait for a killed program. A program that SIGKILL does not end at once waits for a disk or a file
/// server.
const TO_DIE: Duration = Duration::from_secs(1);

/// How often to check whether a program that writes nothing has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// The signals that end this process.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// How a captured program ended.
#[derive(Debug)]
pub enum Captured {
    /// The program ended by itself.
    Ended(Output),
    /// The program took longer than its limit and was killed.
    Late,
    /// This process got a signal that would end it. The program was killed; the signal has not ended this process.
    Signalled,
}

/// The output of a program.
#[derive(Debug)]
pub struct Output {
    /// The exit code; `None` if a signal killed the program.
    pub code: Option<i32>,
    /// What the program wrote to stdout.
    pub stdout: Vec<u8>,
    /// What the program wrote to stderr.
    pub stderr: Vec<u8>,
    /// Whether the program wrote more than was kept.
    pub cut: bool,
}

/// Runs a program for at most `limit`, without input, and keeps about `most` bytes of each output stream.
///
/// Processes that the program leaves in its process group are killed: when the program ends, when it takes too long,
/// and when this process gets a signal that ends it. In the last case this process then ends by that signal. A
/// process that has left the group (setsid(2)) is a daemon by intention and stays: Podman's conmon and its pause
/// process do this, and serve other containers. If this process is killed by SIGKILL, the guard between it and the
/// program kills the group. If the guard is killed too, the kernel kills the program, but not what the program started.
///
/// # Errors
/// Fails if the program cannot be started or followed.
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
            // End this process as if the signal had not been held back.
            let _ = raise(signal);
            Ok(Captured::Signalled)
        }
    }
}

/// The signals that end this process, held back while a program runs. The program must be ended first: it is in a
/// process group of its own, which ^C in a terminal does not reach.
struct Held(Blocked);

impl Held {
    fn new() -> io::Result<Held> {
        let before = SigSet::thread_get_mask()?;
        // Leave out signals that do not end this process anyway (nohup(1)).
        let ends = |signal: &Signal| !before.contains(*signal) && action_of(*signal) != Action::Ignored;
        let ending: SigSet = ENDING.into_iter().filter(ends).collect();
        Ok(Held(Blocked::new(&ending)?))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // An error cannot happen: this mask was in force before.
        let _ = self.0.before().thread_set_mask();
    }
}

/// How listening to a program ended.
enum End {
    Said(Output),
    Late,
    Signalled(Signal),
}

/// A running program. Dropping this kills it and its process group.
struct Running {
    child: Child,
    /// Whether the program was waited for. Then another process may have its number.
    reaped: bool,
}

impl Running {
    fn start(command: &mut Command, held: &Held) -> io::Result<Running> {
        let terms = Terms { blocked: held.0.before(), terminal: None, guarded: true };
        Ok(Running { child: start(command, terms)?, reaped: false })
    }

    /// Reads the output until the program ends, but no longer than `until`.
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
            // A process that the program left running may hold the pipes open. So the program's own end counts, and
            // is checked too.
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

    /// Kills the program's group, but only while the program was not waited for: until then no other group can have
    /// its number.
    fn kill(&self) {
        if !self.reaped {
            // An error means that nothing of the group is left.
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

/// The output of a program on one stream so far.
#[derive(Default)]
struct Kept {
    octets: Vec<u8>,
    cut: bool,
}

/// Waits until a pipe of the program has data or has ended. A signal to this process also ends the wait.
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
    loop {
        match poll(&mut open, pause) {
            // Not an empty pipe: the caller would take it for the end of the output.
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(open.iter().skip(1).any(|end| end.any().unwrap_or(true))),
        }
    }
}

/// Reads once from a pipe if that does not block. Closes the pipe at its end.
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
        // Keep reading, so that the program can end.
        _ => into.cut = true,
    }
    Ok(())
}
