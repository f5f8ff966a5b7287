//! `doctor` and `learn` on a host with many links and quadlets.

use std::io;
use std::time::Duration;

use crate::bench::Bench;
use crate::generator::{remove_quadlets, write_quadlets};
use crate::namespace::Namespace;
use crate::program::Program;
use crate::report::{Findings, Goal, Row};
use crate::stats::{OneCpu, cell, interleave};

const LINKS: u32 = 1_000;
const QUADLETS: u32 = 100;
const AT_MOST: Duration = Duration::from_millis(50);

pub fn many_links(bench: &mut Bench) -> io::Result<Findings> {
    let mut namespace = Namespace::with_links(LINKS)?;
    namespace.add_default_route()?;
    namespace.enter()?;
    write_quadlets(QUADLETS)?;
    // Neither is charged with what Podman, systemctl and journalctl take for their answers: PATH is empty.
    // Findings are no failure.
    let netready = |command| Program::new(&bench.netready, &[command]).without_others().or_exit_code(1);
    let subjects = [netready("doctor"), netready("learn"), Program::new(&bench.ip, &["-d", "address"])];
    let pin = OneCpu::pin()?;
    let [doctor, learn, ip] = interleave(bench.rounds(50), subjects, |program| program.run());
    drop(pin);
    remove_quadlets()?;
    let rows = [("doctor", &doctor), ("learn", &learn)].map(|(command, measured)| {
        let met = measured.as_ref().ok().map(|time| time.p50() <= AT_MOST);
        let what =
            format!("`{command}` on 1,000 links and {QUADLETS} quadlets, without other programs' time");
        Row::stating(what, cell(measured), String::new())
            .beside("`ip -d address`", &ip)
            .goal(Goal::new(format!("≤ {} ms", AT_MOST.as_millis()), met))
    });
    Ok(Vec::from(rows).into())
}
