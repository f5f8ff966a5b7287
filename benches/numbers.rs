//! The numbers of netready, beside a minimal C reader and today's tools, in one run on one machine.
//!
//! ```text
//! cargo bench --bench numbers [-- [--quick] [--netready PATH] [ROW…]]
//! ```
//!
//! On a machine that is not idle, put `chrt -f 1` before it: what is measured then goes before all else, and p50
//! and p99 are the programs' own.
//!
//! It needs root, for it measures in network namespaces that it makes itself; the host's network is not
//! touched and nothing is sent. It prints one markdown table. It is no test: a goal that is missed is
//! printed, and is no failure.

#![allow(clippy::indexing_slicing, reason = "run by hand; a mistake in it may well panic")]
#![allow(clippy::disallowed_methods, reason = "a stopwatch reads clocks, and measures idleness asleep")]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use namespace::Namespace;
use program::Program;
use report::Row;

#[path = "numbers/cost.rs"]
mod cost;
#[path = "numbers/latency.rs"]
mod latency;
#[path = "numbers/namespace.rs"]
mod namespace;
#[path = "numbers/probes.rs"]
mod probes;
#[path = "numbers/program.rs"]
mod program;
#[path = "numbers/report.rs"]
mod report;
#[path = "numbers/rtnl.rs"]
mod rtnl;
#[path = "numbers/stats.rs"]
mod stats;
#[path = "numbers/storm.rs"]
mod storm;

const USAGE: &str =
    "usage: cargo bench --bench numbers [-- [--quick] [--netready PATH] [ROW…]]  (rows 1 to 9)";
const COMPILER: &str = "cc";
const MILLION: u32 = 1_000_000;

/// Measures the rows that share a number.
type Measure = fn(&mut Bench) -> io::Result<Vec<Row>>;

/// In the order in which they run: what is timed comes before what fills the kernel's tables.
const MEASURES: [(u32, Measure); 9] = [
    (1, latency::last_event),
    (2, cost::whole_process),
    (3, cost::idle),
    (9, probes::hanging),
    (6, storm::routes),
    (7, storm::addresses),
    (8, latency::shell_loops),
    (5, latency::million_routes),
    (4, cost::memory),
];

/// What the measurements share.
struct Bench {
    quick: bool,
    netready: PathBuf,
    /// The gate that the reader knows: a default IPv4 route on a link with carrier.
    netready_run: Program,
    reader: Program,
    ip: PathBuf,
    wait_online: PathBuf,
    million_routes: Option<Namespace>,
}

impl Bench {
    fn rounds(&self, full: u32) -> u32 {
        if self.quick { full.div_ceil(10) } else { full }
    }

    fn storms(&self) -> u32 {
        if self.quick { 1 } else { 5 }
    }

    /// Made when it is first asked for, and kept to the end: the kernel would take it down beside the next
    /// measurement.
    fn million_routes(&mut self) -> io::Result<&mut Namespace> {
        if self.million_routes.is_none() {
            self.million_routes = Some(Namespace::with_routes(MILLION)?);
        }
        self.million_routes.as_mut().ok_or_else(|| io::Error::other("no namespace"))
    }
}

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("numbers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> io::Result<()> {
    let Options { quick, netready, rows: wanted } = Options::parse(std::env::args().skip(1))?;
    let scratch = tempfile::tempdir()?;
    let mut bench = Bench {
        quick,
        netready_run: Program::new(&netready, &["run", "-4"]),
        netready,
        reader: Program::new(compile_reader(scratch.path())?, &[]),
        ip: installed("ip"),
        wait_online: installed("systemd-networkd-wait-online"),
        million_routes: None,
    };
    namespace::make_mounts_private()
        .map_err(|error| io::Error::other(format!("cannot make namespaces (it takes root): {error}")))?;

    let mut rows = Vec::new();
    for (number, measure) in MEASURES {
        if wanted.is_empty() || wanted.contains(&number) {
            eprintln!("measuring row {number} …");
            match measure(&mut bench) {
                Ok(measured) => rows.extend(measured.into_iter().map(|row| (number, row))),
                Err(error) => eprintln!("row {number} is left out: {error}"),
            }
        }
    }
    rows.sort_by_key(|&(number, _)| number);
    report::print_heading(&bench.netready, COMPILER, &bench.ip, &bench.wait_online);
    report::print(&rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>());
    Ok(())
}

struct Options {
    quick: bool,
    netready: PathBuf,
    /// None: all.
    rows: Vec<u32>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options =
            Self { quick: false, netready: env!("CARGO_BIN_EXE_netready").into(), rows: Vec::new() };
        let usage = || io::Error::new(io::ErrorKind::InvalidInput, USAGE);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--netready" => options.netready = arguments.next().ok_or_else(usage)?.into(),
                row => options.rows.push(row.parse().map_err(|_| usage())?),
            }
        }
        Ok(options)
    }
}

fn compile_reader(folder: &Path) -> io::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/reader.c");
    let reader = folder.join("reader");
    let status = Command::new(COMPILER).arg("-O2").arg("-o").arg(&reader).arg(source).status()?;
    if status.success() { Ok(reader) } else { Err(io::Error::other("benches/reader.c does not compile")) }
}

/// Whole paths, because std starts a program that it must look up by fork instead of posix_spawn, which takes
/// longer.
fn installed(program: &str) -> PathBuf {
    ["/usr/sbin", "/usr/bin", "/usr/lib/systemd", "/lib/systemd", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
        .unwrap_or_else(|| program.into())
}
