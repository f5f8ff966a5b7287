//! Rows 6 and 7: what a program makes of many changes of which only one in the middle concerns it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Bench;
use crate::namespace::{Namespace, UPLINK, filler_route};
use crate::program::{Daemon, PATIENCE, Program};
use crate::report::{Goal, Row};
use crate::rtnl::{self, Message};
use crate::stats::{Measured, interleave};

const ROUTES: u32 = 50_000;
const ADDRESSES: u32 = 5_000;
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

fn filler_address(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(Ipv4Addr::new(198, 18, 0, 1).to_bits() + n)
}

pub fn routes(bench: &mut Bench) -> io::Result<Vec<Row>> {
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
        interleave(bench.storms(), subjects, |program| ride_out(&mut namespace, program, &ROUTE_STORM));
    let at_most = Duration::from_millis(10);
    Ok(vec![
        storm_row("6. CPU for 100,000 route changes", &netready, &reader, at_most)
            .beside("reader without a filter", &unfiltered),
        storm_row("6. the same, 4 KB receive buffer", &netready_small, &reader_small, at_most),
    ])
}

pub fn addresses(bench: &mut Bench) -> io::Result<Vec<Row>> {
    let mut namespace = Namespace::with_uplink()?;
    let gate = Program::new(&bench.netready, &["run", "-i", UPLINK.0, "-4", "-r", "default"]);
    let [netready, reader] = interleave(bench.storms(), [&gate, &bench.reader], |program| {
        ride_out(&mut namespace, program, &ADDRESS_STORM)
    });
    let at_most = Duration::from_millis(500);
    Ok(vec![storm_row("7. CPU for 10,000 address events on one link", &netready, &reader, at_most)])
}

fn storm_row(what: &str, netready: &Measured, reader: &Measured, at_most: Duration) -> Row {
    // A wrong verdict is a failed trial, so figures mean right verdicts; the worst trial counts.
    let met = netready.as_ref().ok().map(|cpu| cpu.max() <= at_most);
    Row::comparing(what, netready, reader)
        .goal(Goal::new(format!("≤ {} ms, verdict right", at_most.as_millis()), met))
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
