//! A gate of many requirements: what one event costs.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::time::Duration;

use crate::bench::Bench;
use crate::growth::{counted, microseconds};
use crate::namespace::Namespace;
use crate::plot::{Curve, Panel};
use crate::program::{Daemon, Program};
use crate::report::{Findings, Goal, Row};
use crate::stats::{Measured, OneCpu, cell, interleave_all};

const SIZES: [u32; 4] = [1, 10, 100, 1_000];
/// Events of one trial, half of which take back the other half.
const EVENTS: u32 = 20;
/// The most that a requirement may add to an event.
const AT_MOST: Duration = Duration::from_micros(10);

pub fn cost_of_an_event(bench: &mut Bench) -> io::Result<Findings> {
    let kinds = [("an address each", "address"), ("a route-to each", "route-to")];
    let mut namespace = Namespace::with_uplink()?;
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for (what, key) in kinds {
        let gates = SIZES.map(|size| gate(bench, key, size)).into_iter().collect::<io::Result<Vec<_>>>()?;
        let _pin = OneCpu::pin()?;
        let mut subjects = gates.clone();
        let measured = interleave_all(bench.rounds(20).min(20), &mut subjects, |program| {
            cpu_of_an_event(&mut namespace, program)
        });
        rows.push(row(what, &measured));
        let points = SIZES.iter().zip(&measured).filter_map(|(&size, measured)| microseconds(size, measured));
        lines.push(Curve { name: key, points: points.collect() });
    }
    let panel = Panel {
        title: "CPU of one event, by requirements of the gate".to_owned(),
        across: "requirements",
        up: "µs",
        lines,
    };
    Ok(Findings { rows, panels: vec![panel] })
}

/// None of the requirements is ever met, so that each is judged at each event.
fn gate(bench: &Bench, key: &str, size: u32) -> io::Result<Program> {
    let mut text = "timeout = \"infinity\"\n".to_owned();
    for number in 0..size {
        let _ = writeln!(text, "[[require]]\n{key} = \"198.18.{}.{}\"", number >> 8, number & 0xff);
    }
    let path = bench.scratch().join(format!("{key}-{size}.toml"));
    fs::write(&path, text)?;
    Ok(Program::new(&bench.netready, &["run", &path.to_string_lossy()]))
}

/// The CPU time of one event that concerns the gate and changes nothing: an address of a link comes, or goes.
fn cpu_of_an_event(namespace: &mut Namespace, program: &Program) -> io::Result<Duration> {
    namespace.enter()?;
    let daemon = Daemon::start_waiting(program)?;
    let before = daemon.settle(Duration::from_millis(20))?;
    for number in 0..EVENTS {
        match number % 2 {
            0 => namespace.add_link_address()?,
            _ => namespace.delete_link_address()?,
        }
        // One at a time: events that are queued together are judged together.
        daemon.settle(Duration::from_millis(2))?;
    }
    let after = daemon.settle(Duration::from_millis(20))?;
    Ok(after.since(before).cpu / EVENTS)
}

fn row(what: &str, measured: &[Measured]) -> Row {
    let [one, .., many] = measured else { return Row::stating(what, String::new(), String::new()) };
    let medians = one.as_ref().ok().zip(many.as_ref().ok()).map(|(one, many)| (one.p50(), many.p50()));
    let (first, last) = (SIZES[0], SIZES[SIZES.len() - 1]);
    let each = medians.map(|(one, many)| many.saturating_sub(one) / (last - first));
    let found = each.map_or_else(|| "n/a".to_owned(), |each| format!("{:.2} µs", each.as_secs_f64() * 1e6));
    let mut row = Row::stating(
        format!("CPU of one event: a gate of {}, {what}", counted(last, "requirement")),
        cell(many),
        String::new(),
    );
    for (size, measured) in SIZES.iter().zip(measured).take(SIZES.len() - 1) {
        row = row.beside(&counted(*size, "requirement"), measured);
    }
    row.goal(Goal::new(
        format!("≤ {} µs a requirement: {found}", AT_MOST.as_micros()),
        each.map(|each| each <= AT_MOST),
    ))
}
