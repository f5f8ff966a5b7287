//! The table that is printed and written, the goals and how many of them are met, and the plots beside it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, COMPILER};
use crate::plot::{self, Panel};
use crate::stats::{Measured, cell, ratio};

/// The files that a run leaves, and whose contents the pages show.
pub const TABLE: &str = "numbers.md";
pub const GROWTH: &str = "numbers-growth.svg";

/// What a measurement found: lines of the table, and panels of the plot.
#[derive(Default)]
pub struct Findings {
    pub rows: Vec<Row>,
    pub panels: Vec<Panel>,
}

impl From<Vec<Row>> for Findings {
    fn from(rows: Vec<Row>) -> Self {
        Self { rows, panels: Vec::new() }
    }
}

impl Findings {
    pub fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.panels.extend(other.panels);
    }
}

/// One line of the table; its cells are markdown.
pub struct Row {
    what: String,
    netready: String,
    reader: String,
    ratio: Option<f64>,
    others: Vec<String>,
    goals: Vec<Goal>,
}

/// A goal and whether it is met; `None` where that was not measured.
pub struct Goal {
    text: String,
    met: Option<bool>,
}

impl Goal {
    pub fn new(text: impl Into<String>, met: Option<bool>) -> Self {
        Self { text: text.into(), met }
    }

    /// At most so many times something else; what was found is told.
    pub fn times(ratio: Option<f64>, at_most: f64, of: &str) -> Self {
        let found = ratio.map_or_else(|| "n/a".to_owned(), |ratio| format!("{ratio:.2}"));
        Self::new(format!("≤ {at_most} × {of}: {found}"), ratio.map(|ratio| ratio <= at_most))
    }
}

impl Row {
    /// Two programs' trials and the ratio of their medians.
    pub fn comparing(what: impl Into<String>, netready: &Measured, reader: &Measured) -> Self {
        Self { ratio: ratio(netready, reader), ..Self::stating(what, cell(netready), cell(reader)) }
    }

    /// Anything else that can be said in words.
    pub fn stating(what: impl Into<String>, netready: String, reader: String) -> Self {
        Self { what: what.into(), netready, reader, ratio: None, others: Vec::new(), goals: Vec::new() }
    }

    pub fn beside(mut self, name: &str, measured: &Measured) -> Self {
        self.others.push(format!("{name}: {}", cell(measured)));
        self
    }

    pub fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// A goal for the ratio to the reader.
    pub fn ratio_goal(self, at_most: f64) -> Self {
        let met = self.ratio.map(|ratio| ratio <= at_most);
        self.goal(Goal::new(format!("≤ {at_most} × reader"), met))
    }

    /// The same, and what is aimed at beyond it.
    pub fn ratio_goal_and_aim(self, at_most: f64, aim: f64) -> Self {
        let reached = self.ratio.is_some_and(|ratio| ratio <= aim);
        let mut row = self.ratio_goal(at_most);
        if let Some(goal) = row.goals.last_mut() {
            let _ = write!(goal.text, " (aim {aim}{})", if reached { ", reached" } else { "" });
        }
        row
    }

    fn line(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.what,
            self.netready,
            self.reader,
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.others.join("<br>"),
            joined(&self.goals, |goal| &goal.text),
            joined(&self.goals, |goal| match goal.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "n/a",
            }),
        )
    }
}

fn joined(goals: &[Goal], text: impl Fn(&Goal) -> &str) -> String {
    goals.iter().map(text).collect::<Vec<_>>().join("<br>")
}

/// Prints the table, and leaves it and the plots in `out`.
pub fn write(bench: &Bench, findings: Findings, out: &Path) -> io::Result<()> {
    let mut text = heading(bench);
    text += "\n| what | netready | C reader | ratio | beside them | goal | met |\n|---|---|---|---|---|---|---|\n";
    for row in &findings.rows {
        text += &row.line();
        text.push('\n');
    }
    text += &summary(&findings.rows);
    print!("{text}");
    fs::create_dir_all(out)?;
    fs::write(out.join(TABLE), text)?;
    if findings.panels.is_empty() {
        return Ok(());
    }
    let drawing = plot::growth(&findings.panels);
    fs::write(out.join(GROWTH), drawing)
}

/// How many goals are met, and which are missed.
fn summary(rows: &[Row]) -> String {
    let goals = || rows.iter().flat_map(|row| row.goals.iter().map(move |goal| (row, goal)));
    let count = |met| goals().filter(|(_, goal)| goal.met == met).count();
    let (met, missed) = (count(Some(true)), count(Some(false)));
    let mut text = format!("\nGoals met: {met} of {}.", met + missed);
    if count(None) > 0 {
        let _ = write!(text, " Not measured: {}.", count(None));
    }
    text.push('\n');
    if missed > 0 {
        text += "\nMissed:\n\n";
    }
    for (row, goal) in goals().filter(|(_, goal)| goal.met == Some(false)) {
        let _ = writeln!(text, "- {}: {}", row.what, goal.text);
    }
    text
}

/// When, on what, and what was measured.
fn heading(bench: &Bench) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let models: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split(": ").nth(1)))
        .collect();
    format!(
        "{}; kernel {}; {} × {}; load at the end {}; {}; {}; {}; reader by {}.\n\
         Times are min / **p50** / p99, memory is min / **p50** / max; the ratio is that of the p50s.\n",
        jiff::Timestamp::now().strftime("%F %R UTC"),
        kernel.trim(),
        models.len(),
        models.first().unwrap_or(&"CPU of unknown model"),
        load.split(' ').next().unwrap_or("unknown"),
        version(&bench.netready, "--version"),
        version(&bench.ip, "-V"),
        version(&bench.wait_online, "--version"),
        version(Path::new(COMPILER), "--version"),
    )
}

/// The first line of what a program says about itself.
fn version(program: &Path, option: &str) -> String {
    Command::new(program)
        .arg(option)
        .output()
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned))
        .unwrap_or_else(|| format!("no {}", program.display()))
}
