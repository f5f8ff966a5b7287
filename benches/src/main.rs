//! The numbers of netready, beside a minimal C reader and today's tools, in one run on one machine.
//!
//! ```text
//! make bench [BENCH='--quick event start']     the table and the plots, in target/bench/
//! make bench-counts                            instructions and system calls, before and after a change
//! make bench-boot                              the same boot, for everybody who waits for a network
//! ```
//!
//! It needs root, for it measures in network namespaces that it makes itself; the host's network is not
//! touched and nothing is sent. It is no test: a goal that is missed is printed, and is no failure.
//!
//! It is a package of its own, so that it measures the programs that the release build left: built beside them it
//! would change the features of their dependencies, and so their code.

#![allow(clippy::indexing_slicing, reason = "run by hand; a mistake in it may well panic")]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads clocks, and measures idleness asleep")]

use std::io;
use std::process::ExitCode;

use bench::Bench;
use options::{Mode, Options};
use report::Findings;

mod bench;
mod boots;
mod cost;
mod counts;
mod doctor;
mod documents;
mod gates;
mod generator;
mod growth;
mod latency;
mod namespace;
mod options;
mod plot;
mod probes;
mod program;
mod report;
mod requirements;
mod rtnl;
mod stats;
mod storm;

/// Measures the rows that share a name.
type Measure = fn(&mut Bench) -> io::Result<Findings>;

/// In the order in which they run: what is timed comes before what fills the kernel's tables.
const MEASURES: [(&str, Measure); 13] = [
    ("event", latency::last_event),
    ("start", latency::start),
    ("process", cost::whole_process),
    ("idle", cost::idle),
    ("probes", probes::hanging),
    ("loops", latency::shell_loops),
    ("generator", generator::quadlets),
    ("requirements", requirements::cost_of_an_event),
    ("gates", gates::hundred),
    ("storms", storm::all),
    ("links", growth::links),
    ("doctor", doctor::many_links),
    ("routes", growth::routes),
];

fn main() -> ExitCode {
    let done = Options::parse(std::env::args().skip(1)).and_then(|options| match &options.mode {
        Mode::Measure { rows } => measure(&options, rows),
        Mode::Counts(counts) => counts::count(&options, counts),
        Mode::Boots { results } => boots::draw(results, &options.out),
        Mode::Documents { docs } => documents::refresh(&options.out, docs),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("numbers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options, wanted: &[String]) -> io::Result<()> {
    let known = |row: &&String| MEASURES.iter().any(|(name, _)| name == row);
    if let Some(unknown) = wanted.iter().find(|row| !known(row)) {
        let names: Vec<&str> = MEASURES.iter().map(|&(name, _)| name).collect();
        return Err(io::Error::other(format!("no row {unknown}; there are: {}", names.join(", "))));
    }
    let start = std::time::Instant::now();
    let mut bench = Bench::new(options)?;
    let mut findings = Findings::default();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|row| row == name) {
            eprintln!("{:>5.1} s: measuring {name} …", start.elapsed().as_secs_f64());
            match measure(&mut bench) {
                Ok(found) => findings.add(found),
                Err(error) => eprintln!("{name} is left out: {error}"),
            }
        }
    }
    eprintln!("{:>5.1} s: done", start.elapsed().as_secs_f64());
    report::write(&bench, findings, &options.out)
}
