//! A campaign tells one story again and again, each time with one other fault, and asks after each whether what the
//! program said and did is honest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::calls::{CALLS, Call, Descriptor, call, errno_name};
use crate::interposer::{self, Fault, Seen, Watch, Watcher};

/// No honest run takes so long, on a machine that does much besides.
pub const LONGEST: Duration = Duration::from_secs(60);

/// How long a program is waited for that may wait for ever, because it was told that a file is not there.
const ABSENT: Duration = Duration::from_secs(5);

/// How long a slow call takes.
const SLOW: Duration = Duration::from_millis(150);

/// How many faults a story gets in `cargo test`. `NETREADY_FAULTS=all` (`make faults`) means all.
const SAMPLE: usize = 60;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
}

/// One telling of a story.
pub struct Trial<'a> {
    watch: Watch,
    scratch: &'a Path,
    watcher: Option<Watcher>,
    /// What was seen until the end of all processes, and whether they ended by themselves.
    seen: Option<(Seen, Result<(), String>)>,
}

impl Trial<'_> {
    /// Waits until no process is left, also of those that the program has started.
    pub fn until_all_have_ended(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            self.seen = Some(watcher.end(LONGEST));
        }
    }

    /// Starts the program that the story is about.
    pub fn start(&mut self, mut command: Command) -> Running {
        let (out, err) = outputs(&mut command, self.scratch);
        let (child, watcher) = interposer::spawn(command, self.watch).unwrap();
        self.watcher = Some(watcher);
        Running { child, out, err, end: None, patience: LONGEST }
    }

    /// Starts a program that waits for ever if a file seems not to be there.
    pub fn start_waiting(&mut self, command: Command) -> Running {
        let mut running = self.start(command);
        if self.is_absence() {
            running.patience = ABSENT;
        }
        running
    }

    /// Whether the failing call may be the one that removes what the program made, or the start of the program itself.
    pub fn may_leave(&self) -> bool {
        const REMOVES: [i64; 4] = [libc::SYS_unlinkat, libc::SYS_unlink, libc::SYS_rmdir, libc::SYS_execve];
        self.failing().is_some_and(|(call, _)| REMOVES.contains(&call.number))
    }

    /// Whether the failing call says that a file is not there. The coming of the file is announced, unless it was there all
    /// the time.
    pub fn is_absence(&self) -> bool {
        matches!(self.failing(), Some((_, Fault::Error(libc::ENOENT))))
    }

    /// What the program said on stderr.
    pub fn stderr(&self) -> PathBuf {
        self.scratch.join("stderr")
    }

    /// The call that fails, if one does.
    pub fn failing(&self) -> Option<(&'static Call, Fault)> {
        match self.watch {
            Watch::Count => None,
            Watch::Fail { number, fault, .. } => call(number).map(|call| (call, fault)),
        }
    }
}

/// Sends what a program says to files in this folder.
fn outputs(command: &mut Command, folder: &Path) -> (PathBuf, PathBuf) {
    let (out, err) = (folder.join("stdout"), folder.join("stderr"));
    command
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .process_group(0);
    (out, err)
}

/// A program under way. What is left of it is killed when this is dropped.
pub struct Running {
    child: Child,
    out: PathBuf,
    /// What it says on stderr.
    pub err: PathBuf,
    end: Option<End>,
    /// How long it is waited for.
    patience: Duration,
}

impl Running {
    /// Starts a program without a fault.
    pub fn start(mut command: Command, folder: &Path) -> Running {
        let (out, err) = outputs(&mut command, folder);
        Running { child: command.spawn().unwrap(), out, err, end: None, patience: LONGEST }
    }

    /// The same, with another stderr.
    pub fn start_with_stderr(mut command: Command, folder: &Path, stderr: Stdio) -> Running {
        let (out, err) = outputs(&mut command, folder);
        let child = command.stderr(stderr).spawn().unwrap();
        Running { child, out, err, end: None, patience: LONGEST }
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap()).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.err).unwrap()).into_owned()
    }

    /// What it said, to whomever.
    pub fn said(&self) -> String {
        self.stdout() + &self.stderr()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<End> {
        if self.end.is_none() {
            let status = self.child.try_wait().unwrap()?;
            self.end = Some(match status.code() {
                Some(code) => End::Code(code),
                None => End::Signal(status.signal().unwrap()),
            });
        }
        self.end
    }

    /// Waits until this is so, or the program has ended. False where neither came.
    pub fn until(&mut self, mut so: impl FnMut() -> bool) -> bool {
        self.until_within(self.patience, &mut so)
    }

    pub fn until_within(&mut self, within: Duration, so: &mut dyn FnMut() -> bool) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let ended = self.ended().is_some();
            if so() || ended {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end.
    pub fn end(&mut self) -> Result<End, String> {
        if self.until(|| false) { Ok(self.ended().unwrap()) } else { Err(self.hang()) }
    }

    /// What it hangs in.
    fn hang(&self) -> String {
        let at = |file| fs::read_to_string(format!("/proc/{}/{file}", self.pid())).unwrap_or_default();
        format!("it hangs, in {} ({})", at("wchan"), at("syscall").trim())
    }

    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            kill(self.pid(), signal).unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // It leads a group of its own, and was not waited for, so the number is still its own.
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Whether an end is an honest error: with an exit code that says so, and a word why. Without a fault there is none:
/// otherwise a story that has come to test nothing would pass.
pub fn is_honest_error(end: End, codes: &[i32], said: &str, trial: &Trial) -> Result<(), String> {
    let told = !said.trim().is_empty();
    if trial.failing().is_none() {
        return Err(format!("it ended with {end:?}: {said}"));
    }
    match end {
        End::Code(code) if codes.contains(&code) => {
            if told || may_silence(trial) {
                Ok(())
            } else {
                Err(format!("exit code {code} without a word"))
            }
        }
        // The loader of dynamic programs.
        End::Code(127) if told => Ok(()),
        // 134: a command that netready ran was aborted. netready passes its exit code on.
        End::Code(101 | 134) if is_of_a_runtime(said) => Ok(()),
        // Memory ran out: Rust and the C library end the process.
        End::Signal(libc::SIGABRT | libc::SIGSEGV) if is_out_of_memory(said, trial) => Ok(()),
        other => Err(format!("it ended with {other:?}")),
    }
}

/// Panics that netready cannot keep from coming. With the release profile the process is aborted, as it would be by an
/// error that nobody can handle.
fn is_of_a_runtime(said: &str) -> bool {
    let texts = [
        // Rust's own start without memory.
        "alternative stack",
        // Rust, if closing a folder fails, or reading the pipe on which a child would tell that it cannot execute.
        "unexpected error during closedir",
        "the CLOEXEC pipe failed",
    ];
    texts.iter().any(|text| said.contains(text))
}

/// Without memory, or before the program has any signal handler, its runtime ends the process at once.
fn is_out_of_memory(said: &str, trial: &Trial) -> bool {
    const OF_THE_RUNTIME: [i64; 12] = [
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rseq,
        libc::SYS_sched_getaffinity,
        libc::SYS_poll,
        libc::SYS_set_robust_list,
        libc::SYS_prlimit64,
    ];
    said.contains("memory allocation of")
        || trial.failing().is_some_and(|(call, _)| OF_THE_RUNTIME.contains(&call.number))
}

/// Whether the failing call may be the one that would have said why.
fn may_silence(trial: &Trial) -> bool {
    const SAYS: [i64; 9] = [
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_futex,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
    ];
    trial.failing().is_some_and(|(call, _)| SAYS.contains(&call.number))
}

/// Tells the story once without a fault, and then once for each fault. Panics with all violations.
///
/// `story` prepares files and links, starts the program, and returns what the program did wrong. `always` has the system
/// calls and errors that have found a mistake before. They are tried in each run, at each place.
pub fn campaign(name: &str, always: &[(i64, i32)], story: &dyn Fn(&mut Trial) -> Result<(), String>) {
    let scratch = tempfile::tempdir().unwrap();
    let seen = match tell(scratch.path(), Watch::Count, story) {
        (seen, Ok(())) => seen,
        (_, Err(violation)) => panic!("{name}, without a fault: {violation}"),
    };
    let unknown: Vec<i64> = seen.calls.keys().copied().filter(|number| call(*number).is_none()).collect();
    assert!(unknown.is_empty(), "{name}: system calls that tests/faults/calls.rs does not list: {unknown:?}");
    let faults = faults(&seen.calls);
    let (made, chosen) = (faults.len(), choose(faults, always));
    let mut violations = String::new();
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for watch in &chosen {
        let Watch::Fail { number, mut nth, fault } = *watch else { continue };
        let (mut seen, mut outcome) = tell(scratch.path(), *watch, story);
        // This telling made fewer of these calls than the one that was counted: a command that takes longer, because this
        // machine does something else too, looks more often whether something has happened. So another call is failed.
        let made = seen.calls.get(&number).map_or(0, Vec::len);
        if outcome.is_ok() && !seen.hit && (1..=nth).contains(&made) {
            nth %= made;
            (seen, outcome) = tell(scratch.path(), Watch::Fail { number, nth, fault }, story);
        }
        let name = call(number).unwrap().name;
        let (told, hit) = tally.entry(name).or_default();
        *told += 1;
        *hit += usize::from(seen.hit);
        if let Err(violation) = outcome {
            let fault = match fault {
                Fault::Error(errno) => errno_name(errno),
                Fault::Delay(time) => format!("slow by {time:?}"),
                Fault::Short => "short".to_owned(),
            };
            let line = format!("* {name} number {nth}, {fault}: {violation}\n");
            // At once, too: all of them may take long.
            eprintln!("{line}");
            violations += &line;
        }
    }
    let hit: usize = tally.values().map(|(_, hit)| hit).sum();
    let calls = seen.calls.values().map(Vec::len).sum::<usize>();
    println!(
        "{name}: {calls} calls of {} kinds, {made} faults possible, {} tried, {hit} reached",
        seen.calls.len(),
        chosen.len()
    );
    assert!(violations.is_empty(), "{name}:\n{violations}");
    assert!(hit * 10 >= chosen.len() * 7, "most faults were not reached: {tally:?}");
}

fn tell(
    scratch: &Path,
    watch: Watch,
    story: &dyn Fn(&mut Trial) -> Result<(), String>,
) -> (Seen, Result<(), String>) {
    let mut trial = Trial { watch, scratch, watcher: None, seen: None };
    let mut outcome = story(&mut trial);
    let said = fs::read_to_string(scratch.join("stderr")).unwrap_or_default();
    if said.contains("panicked at") && !is_of_a_runtime(&said) {
        outcome = outcome.and(Err("it panicked".to_owned()));
    }
    if let Err(violation) = &mut outcome {
        for line in said.lines().take(8) {
            let _ = write!(violation, "\n    | {line}");
        }
    }
    trial.until_all_have_ended();
    let (seen, ended) = trial.seen.unwrap_or((Seen::default(), Ok(())));
    (seen, outcome.and(ended))
}

/// Every fault of every call that was made.
fn faults(calls: &BTreeMap<i64, Vec<Descriptor>>) -> Vec<Watch> {
    let mut faults = Vec::new();
    for call in CALLS {
        let number = call.number;
        for (nth, descriptor) in calls.get(&number).into_iter().flatten().enumerate() {
            let errors = call.errors(*descriptor).map(Fault::Error);
            let slow = call.slow.then_some(Fault::Delay(SLOW));
            let short = call.can_be_short(*descriptor).then_some(Fault::Short);
            faults.extend(errors.chain(slow).chain(short).map(|fault| Watch::Fail { number, nth, fault }));
        }
    }
    faults
}

/// Whether everything is tried, however long it takes.
pub fn is_everything() -> bool {
    std::env::var_os("NETREADY_FAULTS").is_some_and(|it| it == "all")
}

/// All, or so many of them, evenly spread, and those that are always tried.
fn choose(faults: Vec<Watch>, always: &[(i64, i32)]) -> Vec<Watch> {
    let wanted = match std::env::var("NETREADY_FAULTS") {
        Ok(_) if is_everything() => return faults,
        Ok(kind) if kind == "short" => {
            let is_short = |fault: &Watch| matches!(fault, Watch::Fail { fault: Fault::Short, .. });
            return faults.into_iter().filter(is_short).collect();
        }
        Ok(number) => number.parse().unwrap_or_else(|_| panic!("NETREADY_FAULTS is a number, all or short")),
        Err(_) => SAMPLE,
    };
    let step = (faults.len() / wanted.max(1)).max(1);
    // An odd step meets every error of a call sooner than one that shares a factor with their number.
    let is_always = |fault: &Watch| match *fault {
        Watch::Fail { number, fault: Fault::Error(errno), .. } => always.contains(&(number, errno)),
        Watch::Fail { .. } | Watch::Count => false,
    };
    let chosen =
        faults.into_iter().enumerate().filter(|(at, fault)| at % (step | 1) == 0 || is_always(fault));
    chosen.map(|(_, fault)| fault).collect()
}
