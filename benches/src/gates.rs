//! Many gates on one host, each a process: what one event costs all of them, and what memory they have.

use std::fs;
use std::io;
use std::time::Duration;

use crate::bench::Bench;
use crate::growth::{counted, kib, microseconds, panel};
use crate::namespace::Namespace;
use crate::plot::Point;
use crate::program::{Daemon, Program};
use crate::report::{Findings, Goal, Row};
use crate::stats::{Memory, OneCpu, interleave_all, ratio};

const SIZES: [u32; 3] = [1, 10, 100];
const CPU_AT_MOST: f64 = 15.0;
const MEMORY_AT_MOST_MB: u64 = 60;

pub fn hundred(bench: &mut Bench) -> io::Result<Findings> {
    let mut namespace = Namespace::with_uplink()?;
    let netready = gate_files(bench)?;
    let readers = vec![bench.reader.clone(); netready.len()];
    // Those of one size follow each other: netready, reader.
    let mut subjects: Vec<(&[Program], Memory)> = SIZES
        .iter()
        .flat_map(|&size| [&netready[..size as usize], &readers[..size as usize]])
        .map(|programs| (programs, Memory::default()))
        .collect();
    let pin = OneCpu::pin()?;
    let cpu = interleave_all(bench.few_rounds(), &mut subjects, |(programs, memory)| {
        let (cpu, kib) = event_of_all(&mut namespace, programs)?;
        memory.add(kib);
        Ok(cpu)
    });
    drop(pin);
    let memory: Vec<Memory> = subjects.into_iter().map(|(_, memory)| memory).collect();

    let last = 2 * (SIZES.len() - 1);
    let many = counted(SIZES[SIZES.len() - 1], "gate");
    let rows = vec![
        Row::comparing(
            format!("{many} on one host: CPU of the event that opens them, all together"),
            &cpu[last],
            &cpu[last + 1],
        )
        .beside("one gate", &cpu[0])
        .beside("10 gates", &cpu[2])
        .goal(Goal::times(ratio(&cpu[last], &cpu[0]), CPU_AT_MOST, "one gate")),
        Row::stating(
            format!("{many} on one host: memory of all (PSS)"),
            memory[last].to_string(),
            memory[last + 1].to_string(),
        )
        .goal(Goal::new(format!("≤ {MEMORY_AT_MOST_MB} MB"), memory[last].is_at_most(MEMORY_AT_MOST_MB))),
    ];
    let sizes = || SIZES.iter().flat_map(|&size| [size, size]);
    let times: Vec<Option<Point>> = sizes().zip(&cpu).map(|(size, cpu)| microseconds(size, cpu)).collect();
    let amounts: Vec<Option<Point>> = sizes().zip(&memory).map(|(size, memory)| kib(size, memory)).collect();
    let panels = vec![
        panel("CPU of the event that opens all gates".to_owned(), "gates", "µs", &times),
        panel("Memory of all gates (PSS)".to_owned(), "gates", "KiB", &amounts),
    ];
    Ok(Findings { rows, panels })
}

/// Gate files of the same content, as for `netready@NAME.service`.
fn gate_files(bench: &Bench) -> io::Result<Vec<Program>> {
    let most = SIZES[SIZES.len() - 1];
    (0..most)
        .map(|number| {
            let path = bench.scratch().join(format!("gate-{number}.toml"));
            fs::write(&path, "[[require]]\nroute = \"default-ipv4\"\n")?;
            Ok(Program::new(&bench.netready, &["run", &path.to_string_lossy()]))
        })
        .collect()
}

/// The CPU time that the event costs all of them, and their memory after it, in KiB.
fn event_of_all(namespace: &mut Namespace, programs: &[Program]) -> io::Result<(Duration, u64)> {
    namespace.enter()?;
    let mut daemons = programs.iter().map(Daemon::start_waiting).collect::<io::Result<Vec<_>>>()?;
    let mut before = Duration::ZERO;
    for daemon in &daemons {
        before += daemon.settle(Duration::from_millis(1))?.cpu;
    }
    namespace.add_default_route()?;
    let mut after = Duration::ZERO;
    let mut memory = 0;
    for daemon in &mut daemons {
        daemon.wait_for("READY=1")?;
    }
    for daemon in &daemons {
        after += daemon.settle(Duration::from_millis(1))?.cpu;
        memory += daemon.process.proportional_memory()?;
    }
    namespace.delete_default_route()?;
    Ok((after.saturating_sub(before), memory))
}
