//! What a run costs in time, what waiting costs in wake-ups, what either costs in memory.

use std::io;
use std::time::Duration;

use crate::bench::Bench;
use crate::namespace::{Namespace, pretend_networkd_says_online};
use crate::program::{Daemon, Program, Usage};
use crate::report::{Findings, Goal, Row};
use crate::stats::{OneCpu, interleave, ratio};

/// The goal for `check` and `wait`, of `ip route show default`.
const OF_IP_AT_MOST: f64 = 0.7;

pub fn whole_process(bench: &mut Bench) -> io::Result<Findings> {
    let mut namespace = Namespace::with_uplink()?;
    namespace.add_default_route()?;
    pretend_networkd_says_online()?;
    let _pin = OneCpu::pin()?;
    let subjects = [
        bench.reader.with(&["--once"]),
        Program::new(&bench.netready, &["check", "-4"]),
        Program::new(&bench.netready, &["wait", "-4"]),
        Program::new(&bench.ip, &["route", "show", "default"]),
        Program::new(&bench.wait_online, &["--timeout=2"]),
        Program::new(&bench.nothing, &[]),
    ];
    let [reader, check, wait, ip, wait_online, nothing] =
        interleave(bench.rounds(500), subjects, |program| program.run());
    let rows = [("check", &check), ("wait", &wait)].map(|(command, netready)| {
        Row::comparing(format!("`{command}` on a ready host, whole process"), netready, &reader)
            .beside("`ip route show default`", &ip)
            .beside("systemd-networkd-wait-online", &wait_online)
            .beside("`true`", &nothing)
            .ratio_goal_and_aim(1.4, 1.25)
            .goal(Goal::times(ratio(netready, &ip), OF_IP_AT_MOST, "`ip`"))
    });
    Ok(Vec::from(rows).into())
}

pub fn idle(bench: &mut Bench) -> io::Result<Findings> {
    let span = Duration::from_secs(if bench.quick { 3 } else { 10 });
    let mut namespace = Namespace::with_uplink()?;
    let mut daemons = [&bench.netready_run, &bench.reader].map(Daemon::start_waiting);
    let mut rows = Vec::new();
    for state in ["waiting", "ready"] {
        if state == "ready" {
            namespace.add_default_route()?;
            for daemon in daemons.iter_mut().flatten() {
                daemon.wait_for("READY=1")?;
            }
        }
        let [netready, reader] = usage_while_idle(&daemons, span);
        let met = netready.as_ref().ok().map(|&usage| usage == Usage::default());
        rows.push(
            Row::stating(
                format!("{state}, idle {} s: context switches, CPU", span.as_secs()),
                usage_cell(&netready),
                usage_cell(&reader),
            )
            .goal(Goal::new("0, 0", met)),
        );
    }
    Ok(rows.into())
}

fn usage_while_idle<const N: usize>(
    daemons: &[io::Result<Daemon>; N],
    span: Duration,
) -> [Result<Usage, String>; N] {
    let settled = daemons.each_ref().map(|daemon| {
        let daemon = daemon.as_ref().map_err(ToString::to_string)?;
        let usage = daemon.settle(Duration::from_millis(500)).map_err(|error| error.to_string())?;
        Ok((daemon, usage))
    });
    std::thread::sleep(span);
    settled.map(|settled: Result<_, String>| {
        let (daemon, before) = settled?;
        let after = daemon.process.usage().map_err(|error| error.to_string())?;
        Ok(after.since(before))
    })
}

fn usage_cell(usage: &Result<Usage, String>) -> String {
    match usage {
        Ok(usage) => format!("{}, {} µs", usage.switches, usage.cpu.as_micros()),
        Err(reason) => format!("n/a ({reason})"),
    }
}

/// From a start with the gate shut, through the opening, to rest: both ways of reading the routes are in it.
pub fn peak_memory(namespace: &mut Namespace, program: &Program) -> io::Result<u64> {
    namespace.enter()?;
    let mut daemon = Daemon::start_waiting(program)?;
    namespace.add_default_route()?;
    let ready = daemon.wait_for("READY=1").and_then(|_| daemon.settle(Duration::from_millis(100)));
    namespace.delete_default_route()?;
    ready?;
    daemon.process.peak_memory()
}
