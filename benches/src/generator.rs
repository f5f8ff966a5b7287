//! The systemd generator: with many quadlets, and with many folders beside them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::bench::Bench;
use crate::growth::{counted, microseconds};
use crate::plot::{Curve, Panel};
use crate::program::Program;
use crate::report::{Findings, Goal, Row};
use crate::stats::{Measured, OneCpu, interleave, ratio};

/// Where quadlets of this boot are; /run is the bench's own.
const QUADLETS: &str = "/run/containers/systemd";
const FOLDERS: u32 = 20_000;
const FOLDERS_AT_MOST: f64 = 2.0;
const SIZES: [(u32, Option<u64>); 4] = [(1, None), (10, None), (100, Some(3)), (1_000, Some(20))];

pub fn quadlets(bench: &mut Bench) -> io::Result<Findings> {
    let found = measure(bench);
    let _ = fs::remove_dir_all(QUADLETS);
    found
}

fn measure(bench: &Bench) -> io::Result<Findings> {
    let mut rows = Vec::new();
    let mut curves = [("netready-generator", Vec::new()), ("find", Vec::new())];
    for (size, at_most) in SIZES {
        write_quadlets(size)?;
        let [generator, find, nothing] = beside_find(bench, bench.rounds(100))?;
        for ((_, points), measured) in curves.iter_mut().zip([&generator, &find]) {
            points.extend(microseconds(size, measured));
        }
        if let Some(at_most) = at_most {
            let met = generator.as_ref().ok().map(|time| time.p50() <= Duration::from_millis(at_most));
            rows.push(
                row(&counted(size, "quadlet"), &generator, &find)
                    .beside("`true`", &nothing)
                    .goal(Goal::new(format!("≤ {at_most} ms"), met)),
            );
        }
    }
    write_quadlets(100)?;
    for number in 0..FOLDERS {
        fs::create_dir_all(Path::new(QUADLETS).join(format!("{}/{}", number / 100, number % 100)))?;
    }
    let [generator, find, _] = beside_find(bench, bench.rounds(20))?;
    let what = format!("100 quadlets and {}", counted(FOLDERS, "folder"));
    let goal = Goal::times(ratio(&generator, &find), FOLDERS_AT_MOST, "`find`");
    rows.push(row(&what, &generator, &find).goal(goal));
    let lines = curves.map(|(name, points)| Curve { name, points });
    let panel = Panel {
        title: "The generator, by quadlets".to_owned(),
        across: "quadlets",
        up: "µs",
        lines: lines.into(),
    };
    Ok(Findings { rows, panels: vec![panel] })
}

fn row(what: &str, generator: &Measured, find: &Measured) -> Row {
    let text = format!("generator: {what}, whole process");
    Row::stating(text, crate::stats::cell(generator), String::new())
        .beside("`find -type f` over the same", find)
}

fn beside_find(bench: &Bench, rounds: u32) -> io::Result<[Measured; 3]> {
    let _pin = OneCpu::pin()?;
    let subjects = [
        (Program::new(&bench.generator, &[]), true),
        (Program::new(&bench.find, &[QUADLETS, "-type", "f"]), false),
        (Program::new(&bench.nothing, &[]), false),
    ];
    Ok(interleave(rounds, subjects, |(program, generates)| {
        if !*generates {
            return program.run();
        }
        // Empty, as systemd's are.
        let out = TempDir::new_in("/run")?;
        let folders = ["normal", "early", "late"].map(|name| out.path().join(name));
        for folder in &folders {
            fs::create_dir(folder)?;
        }
        let folders = folders.each_ref().map(|folder| folder.to_string_lossy());
        program.with(&folders.each_ref().map(|folder| &**folder)).run()
    }))
}

/// These and no others.
pub fn write_quadlets(count: u32) -> io::Result<()> {
    let folder = Path::new(QUADLETS);
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("lan.network"), "[Network]\nSubnet=172.21.0.0/16\n")?;
    for number in 1..count {
        let text = format!(
            "[Unit]\nDescription=Service {number}\n[Container]\nImage=registry.example/service-{number}:1\n\
             Network=lan.network\nIP=172.21.{}.{}\nPublishPort={}:80\nVolume=/srv/{number}:/data\n\
             [Service]\nRestart=always\n[Install]\nWantedBy=multi-user.target\n",
            1 + number / 250,
            1 + number % 250,
            10_000 + number,
        );
        fs::write(folder.join(format!("service-{number}.container")), text)?;
    }
    Ok(())
}

/// As if none had been there.
pub fn remove_quadlets() -> io::Result<()> {
    fs::remove_dir_all(QUADLETS)
}
