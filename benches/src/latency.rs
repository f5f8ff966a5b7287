//! From the kernel's event, or from the start, to READY=1.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crate::bench::Bench;
use crate::namespace::{Namespace, mount_sysfs};
use crate::program::{Daemon, Program};
use crate::report::{Findings, Goal, Row};
use crate::stats::{OneCpu, interleave, ratio};

/// What comes last on the way to ready.
#[derive(Clone, Copy)]
pub enum LastEvent {
    DefaultRoute,
    Carrier,
}

impl LastEvent {
    pub fn happen(self, namespace: &mut Namespace) -> io::Result<()> {
        match self {
            Self::DefaultRoute => namespace.add_default_route(),
            Self::Carrier => namespace.begin_carrier(true),
        }
    }

    fn take_back(self, namespace: &mut Namespace) -> io::Result<()> {
        match self {
            Self::DefaultRoute => namespace.delete_default_route(),
            Self::Carrier => namespace.set_carrier(false),
        }
    }

    /// A namespace in which only this event is missing.
    pub fn namespace(self) -> io::Result<Namespace> {
        let mut namespace = Namespace::with_uplink()?;
        if matches!(self, Self::Carrier) {
            namespace.add_default_route()?;
            namespace.set_carrier(false)?;
        }
        Ok(namespace)
    }
}

/// One trial in a process of its own: READY=1 is said once in a life.
pub fn event_to_ready(
    namespace: &mut Namespace,
    program: &Program,
    event: LastEvent,
) -> io::Result<Duration> {
    namespace.enter()?;
    let mut daemon = Daemon::start_waiting(program)?;
    let start = SystemTime::now();
    event.happen(namespace)?;
    let arrival = daemon.wait_for("READY=1");
    event.take_back(namespace)?;
    elapsed(start, arrival?)
}

pub fn start_to_ready(namespace: &Namespace, program: &Program) -> io::Result<Duration> {
    namespace.enter()?;
    let start = SystemTime::now();
    let arrival = Daemon::start(program)?.wait_for("READY=1")?;
    elapsed(start, arrival)
}

fn elapsed(start: SystemTime, arrival: SystemTime) -> io::Result<Duration> {
    arrival.duration_since(start).map_err(|_| io::Error::other("READY=1 before the event"))
}

pub fn last_event(bench: &mut Bench) -> io::Result<Findings> {
    let rounds = bench.rounds(200);
    let cases = [
        ("default route comes last", LastEvent::DefaultRoute, true, Some((1.35, 1.2))),
        ("carrier comes last", LastEvent::Carrier, true, Some((1.45, 1.3))),
        ("default route comes last, all CPUs", LastEvent::DefaultRoute, false, None),
    ];
    let mut rows = Vec::new();
    for (what, event, pinned, goal) in cases {
        let mut namespace = event.namespace()?;
        let _pin = pinned.then(OneCpu::pin).transpose()?;
        let [reader, netready] = interleave(rounds, [&bench.reader, &bench.netready_run], |program| {
            event_to_ready(&mut namespace, program, event)
        });
        let row = Row::comparing(format!("event → READY=1: {what}"), &netready, &reader);
        rows.push(match goal {
            Some((at_most, aim)) => row.ratio_goal_and_aim(at_most, aim),
            None => row,
        });
    }
    Ok(rows.into())
}

pub fn start(bench: &mut Bench) -> io::Result<Findings> {
    let mut namespace = Namespace::with_uplink()?;
    namespace.add_default_route()?;
    let mut rows = Vec::new();
    for pinned in [true, false] {
        let _pin = pinned.then(OneCpu::pin).transpose()?;
        let subjects = [&bench.reader, &bench.netready_run];
        let [reader, netready] =
            interleave(bench.rounds(300), subjects, |program| start_to_ready(&namespace, program));
        let what = if pinned { "start → READY=1" } else { "start → READY=1, all CPUs" };
        let row = Row::comparing(what, &netready, &reader);
        rows.push(if pinned { row.ratio_goal_and_aim(1.35, 1.2) } else { row });
    }
    Ok(rows.into())
}

/// The loops that people write today, against the same event. Their end is their exit: they stand in an
/// ExecStartPre=.
pub fn shell_loops(bench: &mut Bench) -> io::Result<Findings> {
    let rounds = bench.rounds(20);
    let loops = [
        (
            "carrier; `sleep 1` on sysfs operstate",
            LastEvent::Carrier,
            r#"until [ "$(cat /sys/class/net/va0/operstate)" = up ]; do sleep 1; done"#,
        ),
        (
            "default route; `sleep 0.5` on `ip route`, as podman's wait unit",
            LastEvent::DefaultRoute,
            "until ip route show default | grep -q default; do sleep 0.5; done",
        ),
    ];
    let mut rows = Vec::new();
    for (what, event, script) in loops {
        let mut namespace = event.namespace()?;
        mount_sysfs()?;
        let mut trial = 0;
        let shell = Program::new("/bin/sh", &["-c", script]);
        let subjects = [(&bench.netready_run, false), (&bench.reader, false), (&shell, true)];
        let [netready, reader, polling] = interleave(rounds, subjects, |&mut (program, polls)| {
            if !polls {
                return event_to_ready(&mut namespace, program, event);
            }
            trial += 1;
            event_to_exit(&mut namespace, program, event, trial)
        });
        let sooner = ratio(&polling, &netready);
        rows.push(
            Row::comparing(format!("event → go: {what}"), &netready, &reader)
                .beside("loop", &polling)
                .goal(Goal::new("≥ 100 × sooner than the loop", sooner.map(|sooner| sooner >= 100.0))),
        );
    }
    Ok(rows.into())
}

fn event_to_exit(
    namespace: &mut Namespace,
    program: &Program,
    event: LastEvent,
    trial: u32,
) -> io::Result<Duration> {
    const GOLDEN_RATIO: f64 = 0.618_033_988_75;
    namespace.enter()?;
    let mut process = program.start()?;
    // Spreads the event evenly over the phases of a loop that sleeps a second at most; its first look is over
    // by then.
    let phase = (f64::from(trial) * GOLDEN_RATIO).fract();
    std::thread::sleep(Duration::from_millis(200) + Duration::from_secs_f64(phase));
    let start = Instant::now();
    event.happen(namespace)?;
    process.wait()?;
    let elapsed = start.elapsed();
    event.take_back(namespace)?;
    Ok(elapsed)
}
