//! The programs that are compared, and how one is started, watched and measured.

use std::fs;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::unistd::Pid;

/// No step of any trial takes this long in a program that works.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A program with its arguments, started with a clean environment and nothing to read or to write.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    /// Exit codes that are no failure.
    succeeds_with: Vec<i32>,
    search_path: String,
}

impl Program {
    pub fn new(path: impl AsRef<Path>, arguments: &[&str]) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            succeeds_with: vec![0],
            search_path: "/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        }
    }

    /// This exit code is a success too.
    pub fn or_exit_code(mut self, code: i32) -> Self {
        self.succeeds_with.push(code);
        self
    }

    /// The program finds no other program.
    pub fn without_others(mut self) -> Self {
        "/nowhere".clone_into(&mut self.search_path);
        self
    }

    /// Another program with these arguments runs this one.
    pub fn under(&self, other: &str, arguments: &[&str]) -> Self {
        let mut program = Self { path: other.into(), ..self.clone() };
        let own = [self.path.to_string_lossy().into_owned()].into_iter().chain(self.arguments.clone());
        program.arguments = arguments.iter().map(|&argument| argument.to_owned()).chain(own).collect();
        program
    }

    pub fn with(&self, arguments: &[&str]) -> Self {
        let mut program = self.clone();
        program.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        program
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", &self.search_path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// From before the start to after the end; an error where it does not succeed.
    pub fn run(&self) -> io::Result<Duration> {
        let mut command = self.command();
        let start = Instant::now();
        let status = command.status()?;
        let elapsed = start.elapsed();
        match status.code().is_some_and(|code| self.succeeds_with.contains(&code)) {
            true => Ok(elapsed),
            false => Err(io::Error::other(format!("{self}: {status}"))),
        }
    }

    /// A child that is ended when it is dropped.
    pub fn start(&self) -> io::Result<Running> {
        Ok(Running(self.command().spawn()?))
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        write!(f, "{} {}", name.to_string_lossy(), self.arguments.join(" "))
    }
}

pub struct Running(Child);

impl Running {
    pub fn wait(&mut self) -> io::Result<()> {
        self.0.wait().map(drop)
    }

    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for thread in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let thread = thread?.path();
            let status = fs::read_to_string(thread.join("status"))?;
            usage.switches +=
                field(&status, "voluntary_ctxt_switches:")? + field(&status, "nonvoluntary_ctxt_switches:")?;
            // The first number is the time on a CPU in ns; /proc/PID/stat counts in 10 ms.
            let schedule = fs::read_to_string(thread.join("schedstat"))?;
            let on_cpu = schedule.split_whitespace().next().and_then(|ns| ns.parse().ok());
            usage.cpu += Duration::from_nanos(on_cpu.ok_or_else(|| io::Error::other("schedstat"))?);
        }
        Ok(usage)
    }

    /// The memory that is its own, and its share of what it shares, in KiB.
    pub fn proportional_memory(&self) -> io::Result<u64> {
        field(&fs::read_to_string(format!("/proc/{}/smaps_rollup", self.0.id()))?, "Pss:")
    }

    /// Asks it to end, and waits for that.
    pub fn end(&mut self) -> io::Result<()> {
        let pid = i32::try_from(self.0.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        self.wait()
    }

    /// The most memory it ever had, in KiB.
    pub fn peak_memory(&self) -> io::Result<u64> {
        field(&fs::read_to_string(format!("/proc/{}/status", self.0.id()))?, "VmHWM:")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process has used so far.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub switches: u64,
    pub cpu: Duration,
}

impl Usage {
    pub fn since(self, earlier: Self) -> Self {
        Self { switches: self.switches - earlier.switches, cpu: self.cpu - earlier.cpu }
    }
}

fn field(status: &str, name: &str) -> io::Result<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.split_whitespace().next())
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} in /proc")))
}

/// A program with a notify socket.
pub struct Daemon {
    pub process: Running,
    notifications: Notifications,
}

impl Daemon {
    pub fn start(program: &Program) -> io::Result<Self> {
        let notifications = Notifications::bind()?;
        let process = Running(program.command().env("NOTIFY_SOCKET", &notifications.path).spawn()?);
        Ok(Self { process, notifications })
    }

    /// One that has found its gate shut, said so, and gone to sleep.
    pub fn start_waiting(program: &Program) -> io::Result<Self> {
        let mut daemon = Self::start(program)?;
        daemon.wait_for("STATUS=Waiting")?;
        daemon.settle(Duration::from_millis(5))?;
        Ok(daemon)
    }

    /// When the first datagram arrived, of those not yet read, that has a line with this beginning.
    pub fn wait_for(&mut self, line: &str) -> io::Result<SystemTime> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Some((text, arrival)) = self.notifications.receive(Duration::from_secs(1))? else {
                if let Some(status) = self.process.0.try_wait()? {
                    return Err(io::Error::other(format!("no {line}: {status}")));
                }
                continue;
            };
            if text.lines().any(|l| l.starts_with(line)) {
                return Ok(arrival);
            }
        }
        Err(io::Error::other(format!("no {line} within {PATIENCE:?}")))
    }

    /// The first datagram of those not yet read that says how the gate stands.
    pub fn first_word(&mut self) -> io::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let received = self.notifications.receive(Duration::from_secs(1))?;
            if let Some((text, _)) = received {
                if text.contains("READY=1") || text.contains("STATUS=Waiting") {
                    return Ok(text);
                }
            } else if let Some(status) = self.process.0.try_wait()? {
                return Err(io::Error::other(format!("nothing said: {status}")));
            }
        }
        Err(io::Error::other(format!("nothing said within {PATIENCE:?}")))
    }

    /// All that has been said and not yet been read.
    pub fn said(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        while let Some((text, _)) = self.notifications.receive(Duration::from_micros(1))? {
            lines.extend(text.lines().map(str::to_owned));
        }
        Ok(lines)
    }

    /// Waits until it has used no CPU for so long, and gives what it has used by then.
    pub fn settle(&self, quiet: Duration) -> io::Result<Usage> {
        let deadline = Instant::now() + PATIENCE;
        let mut before = self.process.usage()?;
        while Instant::now() < deadline {
            std::thread::sleep(quiet);
            let after = self.process.usage()?;
            if after == before {
                return Ok(after);
            }
            before = after;
        }
        Err(io::Error::other("never comes to rest"))
    }
}

/// A notify socket that knows when each datagram arrived, whenever the bench comes to read it.
struct Notifications {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notifications {
    fn bind() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("netready-numbers-{}-{number}", std::process::id()));
        let socket = UnixDatagram::bind(&path)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(Self { socket, path })
    }

    fn receive(&self, timeout: Duration) -> io::Result<Option<(String, SystemTime)>> {
        self.socket.set_read_timeout(Some(timeout))?;
        let mut text = [0; 4096];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec, [RawFd; 1]);
        let mut parts = [IoSliceMut::new(&mut text)];
        let received =
            recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty());
        let (length, arrival) = match received {
            Ok(message) => {
                let arrival = message.cmsgs()?.find_map(|control| {
                    let ControlMessageOwned::ScmTimestampns(time) = control else { return None };
                    Some(Duration::from(time))
                });
                (message.bytes, arrival)
            }
            Err(Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let arrival = arrival.ok_or_else(|| io::Error::other("a datagram without a time of arrival"))?;
        Ok(Some((String::from_utf8_lossy(&text[..length]).into_owned(), UNIX_EPOCH + arrival)))
    }
}

impl Drop for Notifications {
    fn drop(&mut self) {
        // A leftover in the temporary folder harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}
