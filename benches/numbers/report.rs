//! The table that is printed.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::stats::{Measured, cell, ratio};

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
}

pub fn print(rows: &[Row]) {
    println!("| what | netready | C reader | ratio | beside them | goal | met |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.what,
            row.netready,
            row.reader,
            row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            row.others.join("<br>"),
            joined(&row.goals, |goal| &goal.text),
            joined(&row.goals, |goal| match goal.met {
                Some(true) => "yes",
                Some(false) => "**no**",
                None => "n/a",
            }),
        );
    }
}

fn joined(goals: &[Goal], text: impl Fn(&Goal) -> &str) -> String {
    goals.iter().map(text).collect::<Vec<_>>().join("<br>")
}

/// When, on what, and what was measured.
pub fn print_heading(netready: &Path, compiler: &str, ip: &Path, wait_online: &Path) {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split(": ").nth(1)))
        .collect();
    println!(
        "{}; kernel {}; {} × {}; {}; {}; {}; reader by {}.",
        jiff::Timestamp::now().strftime("%F %R UTC"),
        kernel.trim(),
        models.len(),
        models.first().unwrap_or(&"CPU of unknown model"),
        version(netready, "--version"),
        version(ip, "-V"),
        version(wait_online, "--version"),
        version(Path::new(compiler), "--version"),
    );
    println!("Times are min / **p50** / p99; the ratio is that of the p50s.\n");
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
