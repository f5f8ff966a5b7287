//! `check`, `wait` and `run`: what they say of the network is true, whatever fails.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::campaign::{End, Running, Trial, campaign, is_honest_error};
use crate::interposer::Fault;
use crate::stage::{A_MOMENT, Manager, Stage};

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

/// A day of `run`: it waits, is ready, is lost, is ready again, and is told to end. How it ended, or what it said that
/// is not true.
pub fn day(stage: &Stage, start: &mut dyn FnMut(Command) -> Running, words: &[&str]) -> Result<End, String> {
    stage.down();
    let mut manager = Manager::new(stage);
    let mut command = stage.gated(&[&["run"], words].concat());
    command.env("NOTIFY_SOCKET", manager.path());
    let mut running = start(command);
    let stderr = running.err.clone();
    running.until_within(A_MOMENT, &mut || manager.stands("Waiting"));
    if manager.is_ready() {
        return Err(format!("READY=1 too early: {:?}", manager.said));
    }
    stage.up();
    if !running.until(|| manager.is_ready()) {
        return Err(format!("never ready: {:?}", manager.said));
    }
    for (change, word) in [(Stage::down as fn(&Stage), "NOT ready"), (Stage::up, "Ready")] {
        change(stage);
        let is_told = || fs::read_to_string(&stderr).unwrap().contains("cannot tell the service manager");
        if !running.until(|| manager.stands(word) || is_told()) {
            return Err(format!("STATUS= is not true, {word}: {:?}", manager.said));
        }
    }
    running.signal(Signal::SIGTERM);
    let ready = manager.is_ready();
    match running.end()? {
        End::Signal(libc::SIGTERM) if ready => Err("it died of the signal".to_owned()),
        end => Ok(end),
    }
}

fn run(stage: &Stage, trial: &mut Trial) -> Result<(), String> {
    let end = match day(stage, &mut |command| trial.start_waiting(command), &[]) {
        Err(_) if trial.is_absence() => return Ok(()),
        end => end?,
    };
    if end != End::Code(0) && end != End::Signal(libc::SIGTERM) {
        is_honest_error(end, ERRORS, &fs::read_to_string(trial.stderr()).unwrap(), trial)?;
    }
    whole(stage)
}

/// Each line of the record is whole.
pub fn whole(stage: &Stage) -> Result<(), String> {
    for file in fs::read_dir(stage.path("record")).into_iter().flatten().flatten() {
        if file.file_name() == "filler" {
            continue;
        }
        let text = fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
        for line in text.lines().filter(|line| !line.trim_matches([' ', '\0']).is_empty()) {
            if serde_json::from_str::<serde_json::Value>(line).is_err() {
                return Err(format!("{:?} has a broken line: {line}", file.file_name()));
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a network namespace"]
fn run_through_a_day() {
    let stage = Stage::new();
    fs::create_dir(stage.path("record")).unwrap();
    campaign("run", &[(libc::SYS_sendto, libc::ENOBUFS)], &|trial| run(&stage, trial));
}
