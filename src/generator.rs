//! `netready-generator`, a systemd generator: reads quadlets from Podman's search path and writes drop-ins for them.
//!
//! systemd waits for the generator at every daemon-reload, and a failure of it may look like a failure of the boot.
//! So as a generator it always ends with exit code 0: it logs what it cannot read or write, and continues with the
//! rest. The module [`quadlet`] decides what to write.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::escape::{escape, escape_bytes};
use crate::files::{can_pass, read_bounded};
use crate::platform::unit_tree::is_masked;
use crate::quadlet::{self, Attachment, Directory, Manager, Plan, QuadletInput, WAIT_UNIT, WaitUnit};

mod output;
mod paths;
mod search;

use output::Output;
pub use paths::UnitPaths;

const HELP: &str = "\
Writes drop-ins for the units that Podman generates from quadlets, so that they wait for their network gate

Usage: netready-generator --dry-run [--user]
       netready-generator NORMAL-DIR [EARLY-DIR LATE-DIR]

Options:
      --dry-run  Print the drop-ins and every problem, and write nothing
      --user     Work for a user's service manager (default: as SYSTEMD_SCOPE says, else for the system)
  -h, --help     Print help
  -V, --version  Print version

systemd runs it at boot and at each daemon-reload. See netready-generator(8).
";

/// The request on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Request {
    Help,
    Version,
    DryRun { user: bool },
    Generate { user: bool, normal: PathBuf, early: Option<PathBuf> },
}

/// Runs `netready-generator`. As a generator it always ends with exit code 0, because systemd may treat a failure as
/// its own.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match request(arguments) {
        Ok(Request::Help) => print(HELP),
        Ok(Request::Version) => print(concat!("netready-generator ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::DryRun { user }) => {
            let paths = UnitPaths::from_process(user, None, None);
            let plan = quadlet::plan(&input(&paths, &mut |message| say(message)));
            for problem in &plan.problems {
                say(&problem.to_string());
            }
            let texts: Vec<String> = files(&plan).map(|(path, text)| format!("# {path}\n{text}")).collect();
            if texts.is_empty() {
                say("nothing to write");
            }
            print(&texts.join("\n"));
        }
        Ok(Request::Generate { user, normal, early }) => {
            generate(&UnitPaths::from_process(user, Some(&normal), early.as_deref()), &normal);
        }
        Err(message) => {
            let _ = write!(io::stderr(), "netready-generator: {message}\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn request(arguments: Vec<OsString>) -> Result<Request, String> {
    let mut directories = Vec::new();
    let (mut user, mut dry_run) = (false, false);
    for argument in arguments {
        match argument.to_str() {
            Some("-h" | "--help") => return Ok(Request::Help),
            Some("-V" | "--version") => return Ok(Request::Version),
            Some("--dry-run") => dry_run = true,
            Some("--user") => user = true,
            Some(option) if option.starts_with('-') => return Err(format!("unknown option {option}")),
            Some(_) | None => directories.push(PathBuf::from(argument)),
        }
    }
    let mut directories = directories.into_iter();
    match (dry_run, directories.next(), directories.next()) {
        (true, None, _) => Ok(Request::DryRun { user }),
        (true, Some(_), _) => Err("--dry-run writes nothing and takes no directory".to_owned()),
        (false, Some(normal), early) => Ok(Request::Generate { user, normal, early }),
        (false, None, _) => {
            Err("the directory to write to is missing; to see what it would write: --dry-run".to_owned())
        }
    }
}

fn generate(paths: &UnitPaths, normal: &Path) {
    let mut journal = Journal::of(paths.manager);
    let plan = quadlet::plan(&input(paths, &mut |message| journal.warn(message)));
    for problem in &plan.problems {
        journal.warn(&problem.to_string());
    }
    write(&plan, normal, &mut |message| journal.warn(message));
}

/// Writes the planned files. Files that cannot be written are reported through `complain`.
pub(crate) fn write(plan: &Plan, normal: &Path, complain: &mut dyn FnMut(&str)) {
    let mut files = files(plan).peekable();
    if files.peek().is_none() {
        return;
    }
    let output = match Output::open(normal) {
        Ok(output) => output,
        Err(error) => return complain(&format!("{}: {error}", normal.display())),
    };
    for (path, text) in files {
        if let Err(error) = output.write(&path, text) {
            complain(&format!("{}: {error}", normal.join(path).display()));
        }
    }
}

/// How the caller's quadlets are attached to the network: the user's quadlets if `user` is set, otherwise the
/// system's.
pub fn attachments(user: bool) -> Vec<Attachment> {
    let paths = UnitPaths::from_process(user, None, None);
    // Drop the problems, which the generator reports at each daemon-reload.
    quadlet::attachments(&input(&paths, &mut |_| ()))
}

/// The planned files: the path of each below the output directory, and its text.
pub(crate) fn files(plan: &Plan) -> impl Iterator<Item = (String, &str)> {
    let drop_ins = plan.drop_ins.iter().map(|drop_in| (drop_in.path(), drop_in.text.as_str()));
    drop_ins.chain(plan.units.iter().map(|unit| (unit.name.clone(), unit.text.as_str())))
}

/// Reads everything that the drop-ins depend on.
pub fn input(paths: &UnitPaths, complain: &mut dyn FnMut(&str)) -> QuadletInput {
    let directories = search::directories(paths, complain);
    let wait_unit = paths.wait_unit(complain);
    // Only a gate in a quadlet can change what these units wait for.
    let can_take_over = paths.manager == Manager::User && wait_unit == WaitUnit::Gated;
    let matters = can_take_over && directories.iter().any(names_a_gate);
    let waiting = if matters { waiting(paths, complain) } else { Vec::new() };
    QuadletInput {
        manager: paths.manager,
        wait_unit,
        netready: paths.netready.clone(),
        directories,
        taken: taken(paths, complain),
        waiting,
    }
}

fn names_a_gate(directory: &Directory) -> bool {
    let drop_ins = directory.drop_ins.values().flat_map(BTreeMap::values);
    directory.quadlets.values().chain(drop_ins).any(|source| source.text.contains("Gate"))
}

/// The most unit files and drop-ins of a service manager that are read. Hosts have some hundred.
const MOST_UNITS: usize = 20_000;

/// The unit files and drop-ins of the service manager that name Podman's wait unit, without generated ones. If the
/// wait unit waited for nothing, these units would wait for nothing either. A folder with too many files is included
/// too, and so is what could not be read.
fn waiting(paths: &UnitPaths, complain: &mut dyn FnMut(&str)) -> Vec<String> {
    let mut files = Vec::new();
    let mut unread = Vec::new();
    let mut list = |folder: &Path, left: usize| {
        entries(folder, left).unwrap_or_else(|error| {
            complain(&format!("{}: {error}", shown(folder)));
            unread.push(shown(folder));
            Vec::new()
        })
    };
    for folder in paths.units_above.iter().chain(&paths.units_below) {
        for path in list(folder, MOST_UNITS.saturating_sub(files.len())) {
            // Skip the wait unit itself and its drop-ins.
            if path.file_name().is_some_and(|name| name.as_bytes().starts_with(WAIT_UNIT.as_bytes())) {
                continue;
            }
            if path.extension().is_some_and(|extension| extension == "d") {
                files.extend(list(&path, MOST_UNITS.saturating_sub(files.len())));
            } else {
                files.push(path);
            }
        }
        if files.len() >= MOST_UNITS {
            return vec![shown(folder)];
        }
    }
    let names_it = |path: &&PathBuf| {
        names_the_wait_unit(path).unwrap_or_else(|error| {
            complain(&format!("{}: {error}", shown(path)));
            true
        })
    };
    unread.extend(files.iter().filter(names_it).map(|path| shown(path)));
    unread
}

/// Up to `most` entries of a folder. Empty if the folder does not exist, or if the service manager may not read it
/// either.
fn entries(folder: &Path, most: usize) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if search::is_passed_over(&error) => Ok(Vec::new()),
        entries => entries?.take(most).map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Whether a file names Podman's wait unit. Returns an error only if reading may succeed later, when the service
/// manager reads the file.
fn names_the_wait_unit(path: &Path) -> io::Result<bool> {
    let text = match read_bounded(path, LARGEST_UNIT) {
        Ok(text) => text,
        Err(error) if can_pass(&error) => return Err(error),
        // The service manager cannot read this file either.
        Err(_) => return Ok(false),
    };
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let is_named = |line: &[u8]| line.windows(WAIT_UNIT.len()).any(|part| part == WAIT_UNIT.as_bytes());
    Ok(lines.any(|line| !line.starts_with(b"#") && !line.starts_with(b";") && is_named(line)))
}

/// The largest unit file that systemd reads, in bytes.
const LARGEST_UNIT: u64 = 4 << 20;

/// The names of services in folders that take precedence over generated units, without masked ones.
fn taken(paths: &UnitPaths, complain: &mut dyn FnMut(&str)) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for folder in &paths.units_above {
        let units = entries(folder, usize::MAX).unwrap_or_else(|error| {
            complain(&format!("{}: {error}", shown(folder)));
            Vec::new()
        });
        for path in units {
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|name| name.ends_with(".service")) {
                if !is_masked(&path) {
                    taken.insert(name.to_owned());
                }
            }
        }
    }
    taken
}

/// Prints a text to stdout. It is not an error if stdout is closed.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn say(message: &str) {
    let _ = writeln!(io::stderr(), "netready-generator: {}", escape(message));
}

/// The log of the generator. The system's generators run before the journal, so they write to the kernel's log.
struct Journal {
    kernel: Option<fs::File>,
    lines: usize,
}

/// The most lines that one run writes. Data of containers may have thousands of invalid files, and each reload would
/// report them.
const MOST_LINES: usize = 100;

/// The longest line in bytes. The kernel cuts a record at about 1,000 bytes.
const LONGEST_LINE: usize = 900;

impl Journal {
    fn of(manager: Manager) -> Journal {
        let kernel = match manager {
            Manager::System => fs::OpenOptions::new().write(true).open("/dev/kmsg").ok(),
            Manager::User => None,
        };
        Journal { kernel, lines: 0 }
    }

    fn warn(&mut self, message: &str) {
        self.lines += 1;
        match self.lines.cmp(&MOST_LINES) {
            Ordering::Less => self.write(message),
            Ordering::Equal => self.write("there are more problems; --dry-run prints all of them"),
            Ordering::Greater => {}
        }
    }

    fn write(&mut self, message: &str) {
        let mut line = format!("<4>netready-generator[{}]: {}", std::process::id(), escape(message));
        if line.len() > LONGEST_LINE {
            let end = (0..=LONGEST_LINE).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
        }
        line.push('\n');
        let written = match &mut self.kernel {
            Some(kernel) => kernel.write_all(line.as_bytes()).is_ok(),
            None => false,
        };
        if !written {
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}

/// A path, escaped for messages and for comments in files.
fn shown(path: &Path) -> String {
    escape_bytes(path.as_os_str().as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Request, String> {
        request(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn the_command_line_is_parsed() {
        let normal = PathBuf::from("/n");
        for (words, request) in [
            (&["/n"][..], Some(Request::Generate { user: false, normal: normal.clone(), early: None })),
            (&["/n", "/e", "/l"], Some(Request::Generate { user: false, normal, early: Some("/e".into()) })),
            (&["--dry-run"], Some(Request::DryRun { user: false })),
            (&["--user", "--dry-run"], Some(Request::DryRun { user: true })),
            (&["--dry-run", "--help"], Some(Request::Help)),
            (&["-V"], Some(Request::Version)),
            (&[], None),
            (&["--dry-run", "/n"], None),
            (&["--dryrun"], None),
        ] {
            assert_eq!(of(words).ok(), request, "{words:?}");
        }
    }
}
