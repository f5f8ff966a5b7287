//! Start, event and memory on hosts of growing size: with many links, with many routes.

use std::io;

use crate::bench::Bench;
use crate::cost::peak_memory;
use crate::latency::{LastEvent, event_to_ready, start_to_ready};
use crate::namespace::Namespace;
use crate::plot::{Curve, Panel, Point};
use crate::program::Program;
use crate::report::{Findings, Goal, Row};
use crate::stats::{Measured, Memory, OneCpu, interleave_all, ratio};

/// Start and event may take so many times as long on the largest host as on the smallest.
const AT_MOST: f64 = 1.1;

pub fn links(bench: &mut Bench) -> io::Result<Findings> {
    let sizes = [1, 10, 100, 1_000];
    let namespaces = sizes.map(|count| match count {
        1 => Namespace::with_uplink(),
        count => Namespace::with_links(count),
    });
    let goals = Goals { smallest: None, largest: 4 };
    grow(bench, "link", &sizes, namespaces.into_iter().collect::<io::Result<_>>()?, &goals)
}

pub fn routes(bench: &mut Bench) -> io::Result<Findings> {
    let sizes: &[u32] =
        if bench.quick { &[1, 1_000, 1_000_000] } else { &[1, 1_000, 10_000, 100_000, 1_000_000] };
    let namespaces = sizes.iter().map(|&count| Namespace::with_routes(count)).collect::<io::Result<_>>()?;
    grow(bench, "route", sizes, namespaces, &Goals { smallest: Some(3), largest: 3 })
}

/// The most memory in MB, with the smallest and the largest number of things.
struct Goals {
    smallest: Option<u64>,
    largest: u64,
}

fn grow(
    bench: &Bench,
    thing: &str,
    sizes: &[u32],
    mut namespaces: Vec<Namespace>,
    goals: &Goals,
) -> io::Result<Findings> {
    let programs = [&bench.netready_run, &bench.reader];
    // Those of one size follow each other: netready, reader.
    let mut subjects: Vec<(usize, &Program)> =
        (0..sizes.len()).flat_map(|size| programs.map(|program| (size, program))).collect();
    let pin = OneCpu::pin()?;
    let events = interleave_all(bench.rounds(50), &mut subjects, |&mut (size, program)| {
        event_to_ready(&mut namespaces[size], program, LastEvent::DefaultRoute)
    });
    for namespace in &mut namespaces {
        namespace.add_default_route()?;
    }
    let starts = interleave_all(bench.rounds(150), &mut subjects, |&mut (size, program)| {
        start_to_ready(&namespaces[size], program)
    });
    for namespace in &mut namespaces {
        namespace.delete_default_route()?;
    }
    drop(pin);
    let mut peaks = vec![Memory::default(); subjects.len()];
    for _ in 0..bench.few_rounds() {
        for (&(size, program), peak) in subjects.iter().zip(&mut peaks) {
            peak.add(peak_memory(&mut namespaces[size], program)?);
        }
    }

    let mut rows = Vec::new();
    for (what, measured) in [("event", &events), ("start", &starts)] {
        rows.extend(ends(what, thing, sizes, measured));
    }
    let last = sizes.len() - 1;
    for (size, at_most) in [(0, goals.smallest), (last, Some(goals.largest))] {
        if let Some(at_most) = at_most {
            let [netready, reader] = [&peaks[2 * size], &peaks[2 * size + 1]];
            let what = format!("peak memory of `run`: {}", counted(sizes[size], thing));
            rows.push(
                Row::stating(what, netready.to_string(), reader.to_string())
                    .goal(Goal::new(format!("≤ {at_most} MB"), netready.is_at_most(at_most))),
            );
        }
    }
    let across = if thing == "link" { "links" } else { "routes" };
    let panel =
        |what: &str, up, points: &[Option<Point>]| panel(format!("{what}, by {across}"), across, up, points);
    let times = |measured: &[Measured]| -> Vec<Option<Point>> {
        let sizes = sizes.iter().flat_map(|&size| [size, size]);
        sizes.zip(measured).map(|(size, measured)| microseconds(size, measured)).collect()
    };
    let memory: Vec<Option<Point>> =
        sizes.iter().flat_map(|&size| [size, size]).zip(&peaks).map(|(size, peak)| kib(size, peak)).collect();
    let panels = vec![
        panel("Last event to READY=1", "µs", &times(&events)),
        panel("Start to READY=1", "µs", &times(&starts)),
        panel("Peak memory of run", "KiB", &memory),
    ];
    Ok(Findings { rows, panels })
}

/// The rows of the smallest and of the largest number of things.
fn ends(what: &str, thing: &str, sizes: &[u32], measured: &[Measured]) -> [Row; 2] {
    let last = sizes.len() - 1;
    let row = |size: usize| {
        let text = format!("{what} → READY=1 with {}", counted(sizes[size], thing));
        Row::comparing(text, &measured[2 * size], &measured[2 * size + 1])
    };
    let growth = ratio(&measured[2 * last], &measured[0]);
    [row(0), row(last).goal(Goal::times(growth, AT_MOST, &format!("with 1 {thing}")))]
}

/// `1 link`, `1,000,000 routes`.
pub fn counted(count: u32, thing: &str) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    format!("{} {thing}{}", groups.join(","), if count == 1 { "" } else { "s" })
}

pub fn microseconds(size: u32, measured: &Measured) -> Option<Point> {
    let samples = measured.as_ref().ok()?;
    let [low, middle, high] =
        [samples.p10(), samples.p50(), samples.p90()].map(|time| time.as_secs_f64() * 1e6);
    Some(Point { size: f64::from(size), low, middle, high })
}

pub fn kib(size: u32, memory: &Memory) -> Option<Point> {
    let [low, middle, high] = memory.spread()?.map(|kib| kib as f64);
    Some(Point { size: f64::from(size), low, middle, high })
}

/// Of netready and the reader in turns, by size.
pub fn panel(title: String, across: &'static str, up: &'static str, points: &[Option<Point>]) -> Panel {
    let of = |first: usize| points.iter().skip(first).step_by(2).copied().flatten().collect();
    let lines = vec![Curve { name: "netready", points: of(0) }, Curve { name: "C reader", points: of(1) }];
    Panel { title, across, up, lines }
}
