//! `check`, `wait` and `run`: what they say of the network is true, whatever fails.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::campaign::{End, Running, Trial, campaign, is_honest_error};
use crate::interposer::Fault;
use crate::stage::{A_MOMENT, Manager, Stage, anew};

/// 2: the configuration or the service manager; 3: the kernel's state; 4: the output, or netready itself.
const ERRORS: &[i32] = &[2, 3, 4];

/// Checks a network that is ready, or is not; the answer is true or an error.
fn check(stage: &Stage, ready: bool, words: &[&str], trial: &mut Trial) -> Result<(), String> {
    let mut running = trial.start(stage.gated(&[&["check"], words].concat()));
    let truth = End::Code(i32::from(!ready));
    match running.end()? {
        end if end == truth => {
            let word = if ready { "Ready:" } else { "NOT ready:" };
            let said = running.stdout();
            if said.starts_with(word) { Ok(()) } else { Err(format!("it said {said:?}")) }
        }
        // A file that could not be read is the reason, and is said to be.
        End::Code(1) if names_the_fault(&running, trial) => Ok(()),
        end => is_honest_error(end, ERRORS, &running.said(), trial),
    }
}

/// Whether it says which error it met.
fn names_the_fault(running: &Running, trial: &Trial) -> bool {
    let Some((_, Fault::Error(errno))) = trial.failing() else { return false };
    let said = running.stdout() + &running.stderr();
    said.contains(&format!("(os error {errno})")) || errno == libc::ENOENT && said.contains("no such file")
}

#[test]
#[ignore = "needs a network namespace"]
fn check_of_a_ready_network() {
    let stage = Stage::new();
    stage.up();
    campaign(
        "check, ready",
        &[(libc::SYS_socketpair, libc::EMFILE), (libc::SYS_eventfd2, libc::EMFILE)],
        &|trial| check(&stage, true, &[], trial),
    );
}

#[test]
#[ignore = "needs a network namespace"]
fn check_of_a_network_that_is_not_ready() {
    let stage = Stage::new();
    stage.down();
    campaign("check, not ready", &[], &|trial| check(&stage, false, &[], trial));
}

/// The helper program of the probe is failed as well: then the gate is not met, and says why.
#[test]
#[ignore = "needs a network namespace"]
fn check_with_a_probe() {
    let stage = Stage::new();
    stage.up();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let probe = format!("--tcp=127.0.0.1:{}", listener.local_addr().unwrap().port());
    listener.set_nonblocking(true).unwrap();
    campaign("check, probe", &[], &|trial| {
        // So that its queue of connections never fills.
        while listener.accept().is_ok() {}
        let mut running = trial.start(stage.netready(&["check", &probe]));
        match running.end()? {
            End::Code(0) if running.stdout().starts_with("Ready:") => Ok(()),
            End::Code(1) if running.stdout().contains("127.0.0.1") => Ok(()),
            end => is_honest_error(end, ERRORS, &running.said(), trial),
        }
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_until_the_network_is_ready() {
    let stage = Stage::new();
    campaign(
        "wait",
        &[(libc::SYS_openat, libc::EMFILE), (libc::SYS_inotify_add_watch, libc::ENOMEM)],
        &|trial| {
            stage.down();
            let mut running = trial.start_waiting(stage.gated(&["wait"]));
            running.until_within(A_MOMENT / 4, &mut || false);
            if running.ended() == Some(End::Code(0)) {
                return Err("it said ready too early".to_owned());
            }
            stage.up();
            match running.end() {
                Ok(End::Code(0)) => Ok(()),
                Err(_) if trial.is_absence() => Ok(()),
                end => is_honest_error(end?, ERRORS, &running.said(), trial),
            }
        },
    );
}

/// What a `run` did wrong.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It said what is not true.
    Lie(String),
    /// It did not say or do what it should, and nobody can wait longer for that.
    Silence(String),
}

/// A day of `run`: it waits, is ready, is lost, is ready again, and is told to end. How it ended.
pub fn day(stage: &Stage, start: &mut dyn FnMut(Command) -> Running, words: &[&str]) -> Result<End, Wrong> {
    stage.down();
    let mut manager = Manager::new(stage);
    let mut command = stage.gated(&[&["run"], words].concat());
    command.env("NOTIFY_SOCKET", manager.path());
    let mut running = start(command);
    let stderr = running.err.clone();
    running.until_within(A_MOMENT, &mut || manager.stands("Waiting"));
    if manager.is_ready() {
        return Err(Wrong::Lie(format!("READY=1 too early: {:?}", manager.said)));
    }
    stage.up();
    if !running.until(|| manager.is_ready()) {
        return Err(Wrong::Silence(format!("never ready: {:?}", manager.said)));
    }
    let is_told = || fs::read_to_string(&stderr).unwrap().contains("cannot tell the service manager");
    stage.down();
    if !running.until(|| manager.stands("NOT ready") || is_told()) {
        return Err(Wrong::Lie(format!("STATUS= is not true, NOT ready: {:?}", manager.said)));
    }
    stage.up();
    if !running.until(|| manager.stands("Ready") || is_told()) {
        return Err(Wrong::Silence(format!("STATUS= is not true, Ready: {:?}", manager.said)));
    }
    running.signal(Signal::SIGTERM);
    let ready = manager.is_ready();
    match running.end().map_err(Wrong::Silence)? {
        End::Signal(libc::SIGTERM) if ready => {
            Err(Wrong::Silence("it died of the signal, without a word".to_owned()))
        }
        end => Ok(end),
    }
}

fn run(stage: &Stage, trial: &mut Trial) -> Result<(), String> {
    let end = match day(stage, &mut |command| trial.start_waiting(command), &[]) {
        Ok(end) => end,
        Err(Wrong::Silence(_)) if trial.is_absence() => return Ok(()),
        Err(Wrong::Lie(wrong) | Wrong::Silence(wrong)) => return Err(wrong),
    };
    if end != End::Code(0) && end != End::Signal(libc::SIGTERM) {
        is_honest_error(end, ERRORS, &fs::read_to_string(trial.stderr()).unwrap(), trial)?;
    }
    let events = whole(&stage.record())?;
    if events < OF_A_DAY && trial.failing().is_none() {
        return Err(format!("the record has only {events} lines"));
    }
    Ok(())
}

/// A day is recorded in at least so many lines: a header, and how the gate was, became ready, was lost and ready again.
pub const OF_A_DAY: usize = 5;

/// The offsets of the places in a file of events, in octets: three for events, and then one for the line of the past
/// (src/record/events.rs).
const PLACES: [usize; 4] = [0, 48 << 10, 64 << 10, 80 << 10];

/// Whether each file of the record is whole, and how many lines of events it has.
///
/// A place for events ends with its last whole line. What follows in it was not written, or not completely, and no
/// reader takes it for an event.
pub fn whole(record: &Path) -> Result<usize, String> {
    let is_json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
    let mut events = 0;
    for file in fs::read_dir(record).into_iter().flatten().flatten() {
        let name = file.file_name().into_string().unwrap();
        let octets = fs::read(file.path()).map_err(|error| error.to_string())?;
        let broken =
            |line: &[u8]| Err(format!("{name} has a broken line: {}", String::from_utf8_lossy(line)));
        match name.rsplit_once('.') {
            Some((_, "json")) if is_json(&octets) => {}
            Some((_, "json")) => return broken(&octets),
            Some((_, "events")) => {
                for (n, start) in PLACES.iter().enumerate() {
                    let end = PLACES.get(n + 1).map_or(octets.len(), |end| octets.len().min(*end));
                    let lines = octets.get(*start..end).unwrap_or_default();
                    let lines = lines.split_inclusive(|octet| *octet == b'\n');
                    for line in lines.take_while(|line| line.ends_with(b"\n") && !line.contains(&0)) {
                        if !is_json(line) {
                            return broken(line);
                        }
                        events += 1;
                    }
                }
            }
            // What else is there is the draft of a file that was to be replaced.
            _ if name != "filler" => return Err(format!("{name} is left")),
            _ => {}
        }
    }
    Ok(events)
}

#[test]
#[ignore = "needs a network namespace"]
fn run_through_a_day() {
    let stage = Stage::new();
    campaign("run", &[(libc::SYS_sendto, libc::ENOBUFS)], &|trial| {
        anew(&stage.record());
        run(&stage, trial)
    });
}
