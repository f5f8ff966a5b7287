//! Storms: what a program makes of many changes of which only one in the middle concerns it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::bench::Bench;
use crate::namespace::{FIRST_FILLER_LINK, Namespace, UPLINK, filler_route};
use crate::program::{Daemon, PATIENCE, Program};
use crate::report::{Findings, Row};
use crate::rtnl::{self, Message};
use crate::stats::{Measured, interleave};

const ROUTES: u32 = 50_000;
const ADDRESSES: u32 = 5_000;
const LINKS: u32 = 1_000;
/// Longer than any pause that a program under a storm makes between two looks.
const QUIET: Duration = Duration::from_millis(300);

/// The n-th change of the first half, and the one that takes it back in the second half.
struct Storm {
    changes: u32,
    make: fn(u32) -> Message,
    take_back: fn(u32) -> Message,
}

const ROUTE_STORM: Storm =
    Storm { changes: ROUTES, make: |n| filler_route(n).add(), take_back: |n| filler_route(n).delete() };

const ADDRESS_STORM: Storm = Storm {
    changes: ADDRESSES,
    make: |n| rtnl::new_address(UPLINK.1, filler_address(n), 32),
    take_back: |n| rtnl::delete_address(UPLINK.1, filler_address(n), 32),
};

const OTHER_ADDRESS_STORM: Storm = Storm {
    changes: ADDRESSES,
    make: |n| rtnl::new_address(FIRST_FILLER_LINK, filler_address(n), 32),
    take_back: |n| rtnl::delete_address(FIRST_FILLER_LINK, filler_address(n), 32),
};

/// Admin down and up again: each takes carrier away, or gives it, at both ends of a pair.
const LINK_STORM: Storm = Storm {
    changes: LINKS,
    make: |n| rtnl::set_link(FIRST_FILLER_LINK + n, false),
    take_back: |n| rtnl::set_link(FIRST_FILLER_LINK + n, true),
};

fn filler_address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(Ipv4Addr::new(198, 18, 0, 1).to_bits() + n)
}

pub fn all(bench: &mut Bench) -> io::Result<Findings> {
    let mut rows = routes(bench)?;
    rows.extend(addresses(bench)?);
    rows.extend(flapping(bench)?);
    Ok(rows.into())
}

fn routes(bench: &Bench) -> io::Result<Vec<Row>> {
    const SMALL: [&str; 2] = ["--receive-buffer", "4096"];
    let mut namespace = Namespace::with_uplink()?;
    let subjects = [
        bench.netready_run.clone(),
        bench.reader.clone(),
        bench.netready_run.with(&SMALL),
        bench.reader.with(&SMALL),
        bench.reader.with(&["--no-filter"]),
    ];
    let [netready, reader, netready_small, reader_small, unfiltered] =
        interleave(bench.few_rounds(), subjects, |program| ride_out(&mut namespace, program, &ROUTE_STORM));
    Ok(vec![
        storm_row("100,000 route changes", &netready, &reader, Some(2.0))
            .beside("reader without a filter", &unfiltered),
        storm_row("the same, 4 KB receive buffer", &netready_small, &reader_small, None),
    ])
}

fn addresses(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, storm, goal) in [
        ("10,000 address events of other links", &OTHER_ADDRESS_STORM, Some(1.2)),
        ("10,000 address events of the uplink", &ADDRESS_STORM, None),
    ] {
        let mut namespace = Namespace::with_links(2)?;
        let gate = Program::new(&bench.netready, &["run", "-i", UPLINK.0, "-4", "-r", "default"]);
        let [netready, reader] = interleave(bench.few_rounds(), [&gate, &bench.reader], |program| {
            ride_out(&mut namespace, program, storm)
        });
        rows.push(storm_row(what, &netready, &reader, goal));
    }
    Ok(rows)
}

fn flapping(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut namespace = Namespace::with_links(LINKS)?;
    let [netready, reader] =
        interleave(bench.few_rounds(), [&bench.netready_run, &bench.reader], |program| {
            ride_out(&mut namespace, program, &LINK_STORM)
        });
    Ok(vec![storm_row("1,000 links that go down and up", &netready, &reader, Some(2.0))])
}

/// A wrong verdict is a failed trial, so figures mean right verdicts.
fn storm_row(what: &str, netready: &Measured, reader: &Measured, at_most: Option<f64>) -> Row {
    let row = Row::comparing(format!("storm, CPU and right verdicts: {what}"), netready, reader);
    match at_most {
        Some(at_most) => row.ratio_goal(at_most),
        None => row,
    }
}

/// The CPU time of a storm; an error where the program's verdicts during it, at its end or afterwards are
/// wrong.
fn ride_out(namespace: &mut Namespace, program: &Program, storm: &Storm) -> io::Result<Duration> {
    namespace.enter()?;
    let mut daemon = Daemon::start_waiting(program)?;
    let before = daemon.settle(QUIET)?;

    namespace.rtnl.change_all((0..storm.changes).map(storm.make))?;
    let too_early = !daemon.said()?.iter().all(|line| line.starts_with("STATUS=Waiting"));
    namespace.add_default_route()?;
    namespace.rtnl.change_all((0..storm.changes).map(storm.take_back))?;
    let spent = daemon.settle(QUIET).map(|after| after.since(before).cpu);
    let said = daemon.said()?;
    namespace.delete_default_route()?;

    let ready = said.iter().any(|line| line == "READY=1");
    let last_status = said.iter().rfind(|line| line.starts_with("STATUS="));
    let in_the_end = last_status.is_some_and(|line| line.starts_with("STATUS=Ready"));
    if too_early || !ready || !in_the_end {
        return Err(io::Error::other(format!("wrong verdict: {said:?}")));
    }
    daemon
        .wait_for("STATUS=NOT ready")
        .map_err(|_| io::Error::other(format!("still ready {PATIENCE:?} after the loss of the route")))?;
    spent
}
