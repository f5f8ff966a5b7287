//! The command line.

use std::io;
use std::path::PathBuf;

const USAGE: &str = "usage: numbers [measure] [--quick] [--programs FOLDER]… [--out FOLDER] [ROW…]
       numbers counts [--quick] [--programs FOLDER]… [--before FOLDER] [--recorded FILE] [--write]
       numbers boots RESULTS [--out FOLDER]
       numbers documents DOCS [--out FOLDER]

measure    the table and the plots of netready beside a minimal reader and today's tools
counts     instructions and system calls, beside an earlier build (--before) or recorded figures (--recorded)
boots      the table and the plot of what `make bench-boot` collected in RESULTS
documents  put the tables and plots of FOLDER into the pages in DOCS

--programs FOLDER  look for netready and its siblings here; the first folder that has a program wins
                   (default: target/release)
--out FOLDER       where tables and plots are written (default: target/bench)
--quick            a tenth of the rounds
--before FOLDER    count the programs in this folder too
--recorded FILE    print the figures of this file beside those counted; --write replaces them";

pub enum Mode {
    Measure { rows: Vec<String> },
    Counts(Counts),
    Boots { results: PathBuf },
    Documents { docs: PathBuf },
}

#[derive(Default)]
pub struct Counts {
    pub before: Option<PathBuf>,
    pub recorded: Option<PathBuf>,
    pub write: bool,
}

pub struct Options {
    pub mode: Mode,
    pub quick: bool,
    pub programs: Vec<PathBuf>,
    pub out: PathBuf,
}

impl Options {
    pub fn parse(arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let usage = || io::Error::new(io::ErrorKind::InvalidInput, USAGE);
        let mut arguments = arguments.peekable();
        let mode = arguments.next_if(|word| ["measure", "counts", "boots", "documents"].contains(&&**word));
        let mut counts = Counts::default();
        let mut quick = false;
        let (mut programs, mut out, mut words) = (Vec::new(), PathBuf::from("target/bench"), Vec::new());
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().map(PathBuf::from).ok_or_else(usage);
            match argument.as_str() {
                "--quick" => quick = true,
                "--write" => counts.write = true,
                "--programs" => programs.push(value()?),
                "--out" => out = value()?,
                "--before" => counts.before = Some(value()?),
                "--recorded" => counts.recorded = Some(value()?),
                option if option.starts_with('-') => return Err(usage()),
                word => words.push(word.to_owned()),
            }
        }
        if programs.is_empty() {
            programs.push("target/release".into());
        }
        let mode = match (mode.as_deref(), words.as_slice()) {
            (None | Some("measure"), _) => Mode::Measure { rows: words },
            (Some("counts"), []) => Mode::Counts(counts),
            (Some("boots"), [results]) => Mode::Boots { results: results.into() },
            (Some("documents"), [docs]) => Mode::Documents { docs: docs.into() },
            _ => return Err(usage()),
        };
        Ok(Self { mode, quick, programs, out })
    }
}
