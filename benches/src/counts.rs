//! Instructions and system calls instead of time: they hardly depend on what else the machine does.
//!
//! Instructions are those of the process, from the dynamic linker on, as callgrind counts them; what the kernel does for
//! a process is not in them, and what a run does after READY=1 and at its end is. System calls are counted by strace, of
//! a run up to READY=1.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tempfile::TempDir;

use crate::bench::{compile_reader, copy_netready};
use crate::latency::LastEvent;
use crate::namespace::{self, Namespace};
use crate::options::{Counts, Options};
use crate::program::{Daemon, PATIENCE, Program};

const CALLGRIND: &str = "/usr/bin/valgrind";
const STRACE: &str = "/usr/bin/strace";

/// What is counted of every program.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Check,
    Wait,
    Start,
    RouteLast,
    CarrierLast,
}

const ALL: [(What, &str); 5] = [
    (What::Check, "check, whole process"),
    (What::Wait, "wait, whole process"),
    (What::Start, "run: start to READY=1"),
    (What::RouteLast, "the event that opens: default route last"),
    (What::CarrierLast, "the event that opens: carrier last"),
];

#[derive(Clone, Copy)]
struct Count {
    instructions: u64,
    calls: u64,
}

/// Those who are counted.
struct Subject {
    check: Program,
    wait: Program,
    run: Program,
}

impl Subject {
    fn netready(path: &Path) -> Self {
        let of = |command| Program::new(path, &[command, "-4"]);
        Self { check: of("check"), wait: of("wait"), run: of("run") }
    }

    fn reader(path: &Path) -> Self {
        let reader = Program::new(path, &[]);
        Self { check: reader.with(&["--once"]), wait: reader.with(&["--once"]), run: reader }
    }
}

/// # Errors
/// A program that is needed is missing, or does not do what it should.
pub fn count(options: &Options, counts: &Counts) -> io::Result<()> {
    if let Some(missing) = [CALLGRIND, STRACE].iter().find(|path| !Path::new(path).exists()) {
        return Err(io::Error::other(format!(
            "{missing} is missing; install it, or run as root: make prepare"
        )));
    }
    let scratch = TempDir::new()?;
    let now = Subject::netready(&copy_netready(&options.programs, scratch.path())?);
    let reader = Subject::reader(&compile_reader(scratch.path())?);
    let place = TempDir::new()?;
    let before = match &counts.before {
        Some(folder) => Some(Subject::netready(&copy_netready(std::slice::from_ref(folder), place.path())?)),
        None => None,
    };
    let recorded = match &counts.recorded {
        Some(file) if !counts.write => read(file)?,
        _ => Vec::new(),
    };
    namespace::make_mounts_private()?;
    let counter = Counter { repeats: if options.quick { 3 } else { 9 }, scratch };
    let mut rows = Vec::new();
    for (what, name) in ALL {
        let earlier = match &before {
            Some(subject) => Some(counter.count(what, subject)?),
            None => recorded.iter().find(|(found, _)| found == name).map(|&(_, count)| count),
        };
        rows.push((name, counter.count(what, &now)?, earlier, counter.count(what, &reader)?));
    }
    print!("{}", table(&rows));
    if let (Some(file), true) = (&counts.recorded, counts.write) {
        write(file, &rows)?;
    }
    Ok(())
}

type Row<'a> = (&'a str, Count, Option<Count>, Count);

fn table(rows: &[Row<'_>]) -> String {
    let mut text = "| what | instructions | before | change | system calls | before | C reader |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (name, now, before, reader) in rows {
        let [mut instructions, mut change, mut calls] = ["-", "-", "-"].map(str::to_owned);
        if let Some(before) = before {
            instructions = before.instructions.to_string();
            let ratio = now.instructions as f64 / before.instructions as f64;
            change = format!("{:+.1} %", (ratio - 1.0) * 100.0);
            calls = before.calls.to_string();
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {instructions} | {change} | {} | {calls} | {} and {} |",
            now.instructions, now.calls, reader.instructions, reader.calls
        );
    }
    text
}

/// Lines of a name, instructions and system calls.
fn read(file: &Path) -> io::Result<Vec<(String, Count)>> {
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        let [instructions, calls] = [fields.next()?, fields.next()?].map(|field| field.parse().ok());
        Some((name, Count { instructions: instructions?, calls: calls? }))
    };
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| parse(line).ok_or_else(|| io::Error::other(format!("not a count: {line}")))).collect()
}

fn write(file: &Path, rows: &[Row<'_>]) -> io::Result<()> {
    let heading = "# What `make counts RECORD=yes` counted: instructions and system calls of netready.\n";
    let text = rows.iter().fold(heading.to_owned(), |mut text, (name, now, _, _)| {
        let _ = writeln!(text, "{name}\t{}\t{}", now.instructions, now.calls);
        text
    });
    fs::write(file, text)
}

struct Counter {
    repeats: u32,
    scratch: TempDir,
}

impl Counter {
    fn count(&self, what: What, subject: &Subject) -> io::Result<Count> {
        Ok(Count { instructions: self.instructions(what, subject)?, calls: self.calls(what, subject)? })
    }

    /// Returns the least of some repetitions. Threads that wait for each other add some instructions by chance.
    fn least(&self, mut count: impl FnMut() -> io::Result<u64>) -> io::Result<u64> {
        let mut least = count()?;
        for _ in 1..self.repeats {
            least = least.min(count()?);
        }
        Ok(least)
    }

    fn instructions(&self, what: What, subject: &Subject) -> io::Result<u64> {
        match what {
            What::Check => self.least(|| self.callgrind_of_process(&subject.check)),
            What::Wait => self.least(|| self.callgrind_of_process(&subject.wait)),
            What::Start => self.least(|| {
                let mut namespace = Namespace::with_uplink()?;
                namespace.add_default_route()?;
                self.callgrind_of_run(&subject.run, || Ok(()), true)
            }),
            What::RouteLast => self.callgrind_of_event(LastEvent::DefaultRoute, subject),
            What::CarrierLast => self.callgrind_of_event(LastEvent::Carrier, subject),
        }
    }

    /// What a run with the event took more than one that ended before it: what follows READY=1 is in it. Chance adds to
    /// both runs, so the least of either is taken. The least of the differences would be too small.
    fn callgrind_of_event(&self, event: LastEvent, subject: &Subject) -> io::Result<u64> {
        let namespace = event.namespace()?;
        let without = self.least(|| {
            namespace.enter()?;
            self.callgrind_of_run(&subject.run, || Ok(()), false)
        })?;
        let with = self.least(|| {
            let mut namespace = event.namespace()?;
            self.callgrind_of_run(&subject.run, || event.happen(&mut namespace), true)
        })?;
        Ok(with.saturating_sub(without))
    }

    fn callgrind_of_process(&self, program: &Program) -> io::Result<u64> {
        let mut namespace = Namespace::with_uplink()?;
        namespace.add_default_route()?;
        self.callgrind(program).run()?;
        self.collected()
    }

    fn callgrind_of_run(
        &self,
        program: &Program,
        event: impl FnOnce() -> io::Result<()>,
        gets_ready: bool,
    ) -> io::Result<u64> {
        let mut daemon = Daemon::start(&self.callgrind(program))?;
        // The first word of a gate that is shut, or of one that opens at once.
        let first = daemon.first_word()?;
        daemon.settle(Duration::from_millis(50))?;
        event()?;
        if gets_ready && !first.contains("READY=1") {
            daemon.wait_for("READY=1")?;
        }
        daemon.settle(Duration::from_millis(50))?;
        daemon.process.end()?;
        self.collected()
    }

    fn callgrind(&self, program: &Program) -> Program {
        let log = format!("--log-file={}", self.log().display());
        program.under(CALLGRIND, &["--tool=callgrind", "--callgrind-out-file=/dev/null", &log])
    }

    fn collected(&self) -> io::Result<u64> {
        let said = fs::read_to_string(self.log())?;
        said.lines()
            .find_map(|line| line.split_once("Collected : ")?.1.split_whitespace().next()?.parse().ok())
            .ok_or_else(|| io::Error::other(format!("callgrind counted nothing:\n{said}")))
    }

    fn calls(&self, what: What, subject: &Subject) -> io::Result<u64> {
        // A leftover would be taken for the log of this run.
        let _ = fs::remove_file(self.log());
        let (namespace, program) = match what {
            What::Check => (Namespace::with_uplink(), &subject.check),
            What::Wait => (Namespace::with_uplink(), &subject.wait),
            What::Start => (Namespace::with_uplink(), &subject.run),
            What::RouteLast => (LastEvent::DefaultRoute.namespace(), &subject.run),
            What::CarrierLast => (LastEvent::Carrier.namespace(), &subject.run),
        };
        let mut namespace = namespace?;
        let event = match what {
            What::RouteLast => Some(LastEvent::DefaultRoute),
            What::CarrierLast => Some(LastEvent::Carrier),
            What::Check | What::Wait | What::Start => None,
        };
        if event.is_none() {
            namespace.add_default_route()?;
        }
        if matches!(what, What::Check | What::Wait) {
            self.strace(program).run()?;
            return Ok(calls(&self.traced()?, Duration::ZERO, None));
        }
        let mut daemon = Daemon::start(&self.strace(program))?;
        let mut since = Duration::ZERO;
        let first = daemon.first_word()?;
        daemon.settle(Duration::from_millis(50))?;
        if let Some(event) = event {
            since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
            event.happen(&mut namespace)?;
        }
        if !first.contains("READY=1") {
            daemon.wait_for("READY=1")?;
        }
        daemon.process.end()?;
        Ok(calls(&self.traced()?, since, Some("READY=1")))
    }

    fn strace(&self, program: &Program) -> Program {
        let log = self.log();
        // -D: the traced program is the child, which can be sent signals.
        let options = ["-D", "-f", "-ttt", "-s", "200", "-o", &log.to_string_lossy()];
        program.under(STRACE, &options)
    }

    /// What strace wrote, which is complete a moment after the program has ended.
    fn traced(&self) -> io::Result<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let text = fs::read_to_string(self.log()).unwrap_or_default();
            let process = text.split_whitespace().next().unwrap_or_default().to_owned();
            let ended = |line: &str| line.starts_with(&process) && line.contains(" +++ ");
            if text.ends_with('\n') && text.lines().any(ended) {
                return Ok(text);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other("strace wrote nothing; is it installed?"))
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("counted")
    }
}

/// The calls that began at a time or later, up to the one whose arguments have this text.
fn calls(traced: &str, since: Duration, up_to: Option<&str>) -> u64 {
    let mut count = 0;
    for line in traced.lines() {
        let began = line.split_whitespace().nth(1).and_then(|time| time.parse().ok());
        let is_call = ![" +++ ", " --- ", " resumed>"].iter().any(|mark| line.contains(mark));
        if is_call && began.is_some_and(|began: f64| began >= since.as_secs_f64()) {
            count += 1;
            if up_to.is_some_and(|text| line.contains(text)) {
                break;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_in_the_span_are_counted() {
        let traced = "7 10.000001 socket(1) = 3\n\
                      7 10.000002 epoll_wait(3 <unfinished ...>\n\
                      8 10.000003 write(4, \"x\") = 1\n\
                      7 10.000004 <... epoll_wait resumed>) = 1\n\
                      7 10.000005 --- SIGTERM {} ---\n\
                      7 10.000006 sendmsg(5, \"READY=1\") = 7\n\
                      7 10.000007 close(5) = 0\n\
                      7 10.000008 +++ exited with 0 +++\n";
        let all = calls(traced, Duration::ZERO, None);
        let to_ready = calls(traced, Duration::ZERO, Some("READY=1"));
        let from_the_third = calls(traced, Duration::new(10, 3_000), Some("READY=1"));
        assert_eq!((all, to_ready, from_the_third), (5, 4, 2));
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("counts.tsv");
        let count = Count { instructions: 12, calls: 3 };
        write(&file, &[("a, b", count, None, count)]).unwrap();
        let read = read(&file).unwrap();
        let [(name, found)] = &read[..] else { panic!("{}", read.len()) };
        assert_eq!((&**name, found.instructions, found.calls), ("a, b", 12, 3));
    }
}
