//! An event while ten probes hang.

use std::io;
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use crate::bench::Bench;
use crate::namespace::Namespace;
use crate::program::{Daemon, Program};
use crate::report::{Findings, Goal, Row};
use crate::stats::interleave;

/// Nobody accepts there: the kernel shakes hands, and no request is ever answered.
const SERVER: &str = "127.0.0.1:4000";
const PROBES: u32 = 10;

pub fn hanging(bench: &mut Bench) -> io::Result<Findings> {
    let mut namespace = Namespace::with_uplink()?;
    namespace.add_default_route()?;
    let _server = TcpListener::bind(SERVER)?;
    let urls: Vec<String> = (0..PROBES).map(|n| format!("http://{SERVER}/{n}")).collect();
    let options: Vec<&str> = urls.iter().flat_map(|url| ["--http", url]).collect();
    // Both wait for something else than the default route, so both say that it is gone.
    let default_route = Program::new(&bench.netready, &["run", "-r", "default-ipv4"]);
    let subjects = [default_route.with(&options), default_route.with(&["-a", "198.51.100.7"])];
    let [hanging, alone] =
        interleave(bench.rounds(100), subjects, |program| event_to_status(&mut namespace, program));
    let met = hanging.as_ref().ok().map(|samples| samples.p50() <= Duration::from_millis(1));
    let what = "event → STATUS=: the default route goes while ten probes hang";
    let row = Row::stating(what, crate::stats::cell(&hanging), String::new())
        .beside("netready without probes", &alone)
        .goal(Goal::new("≤ 1 ms", met));
    Ok(vec![row].into())
}

fn event_to_status(namespace: &mut Namespace, program: &Program) -> io::Result<Duration> {
    namespace.enter()?;
    let mut daemon = Daemon::start_waiting(program)?;
    // The tries themselves have come to rest too, where they compete for the CPU.
    daemon.settle(Duration::from_millis(100))?;
    let start = SystemTime::now();
    namespace.delete_default_route()?;
    let arrival = daemon.wait_for("STATUS=Waiting");
    namespace.add_default_route()?;
    arrival?.duration_since(start).map_err(|_| io::Error::other("STATUS= before the event"))
}
