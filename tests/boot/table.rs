//! The table of all cases: when each way of waiting ended, compared with when the network was usable.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use crate::case::Seen;

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());
/// The versions of the programs, for each release that was booted.
static VERSIONS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Milliseconds after the network was usable. `None` if the wait did not end, or if this way of waiting was not
/// tried.
type Delay = Option<f64>;

pub struct Row {
    case: &'static str,
    stack: String,
    without: String,
    networkd: Delay,
    podman: Delay,
    sysfs: Delay,
    with: String,
    bare: Delay,
    netready: Delay,
    container: Delay,
    boots: u32,
}

impl Row {
    pub fn new(case: &'static str, stack: &str) -> Row {
        Row {
            case,
            stack: stack.to_owned(),
            without: "-".to_owned(),
            networkd: None,
            podman: None,
            sysfs: None,
            with: "-".to_owned(),
            bare: None,
            netready: None,
            container: None,
            boots: 0,
        }
    }

    pub fn without(&mut self, seen: &Seen) {
        seen.outcome.text().clone_into(&mut self.without);
        self.networkd = seen.after_usable(seen.networkd);
        self.podman = seen.after_usable(seen.podman);
        self.sysfs = seen.after_usable(seen.sysfs);
    }

    pub fn with(&mut self, seen: &Seen, boots: u32) {
        seen.outcome.text().clone_into(&mut self.with);
        self.bare = seen.after_usable(seen.bare);
        self.netready = seen.after_usable(seen.netready);
        self.container = seen.after_usable(seen.users[0].started);
        self.boots = boots;
        VERSIONS.lock().unwrap().insert(seen.version.clone());
    }

    fn line(&self) -> String {
        let delay = |delay: Delay| match delay {
            None => "-".to_owned(),
            Some(ms) if ms < 0.0 => format!("**{ms:.0}**"),
            Some(ms) => format!("{ms:.1}"),
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.case,
            self.stack,
            self.without,
            delay(self.networkd),
            delay(self.podman),
            delay(self.sysfs),
            delay(self.bare),
            delay(self.netready),
            delay(self.container),
            self.with,
        )
    }
}

/// The folder in which the table and the boots' journals are written.
pub fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("boot");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Adds a row, and writes the table with all rows so far.
pub fn add(row: Row) {
    let mut rows = ROWS.lock().unwrap();
    // Write past libtest's capture, because the suite is run for this output.
    let _ = writeln!(std::io::stderr(), "{} ({} boots with netready)", row.line(), row.boots);
    rows.push(row);
    rows.sort_by(|a, b| (&a.stack, a.case).cmp(&(&b.stack, b.case)));
    let mut text = String::new();
    for version in VERSIONS.lock().unwrap().iter() {
        let _ = writeln!(text, "{}", version.trim_end());
    }
    text += "\n| case | stack | without netready | wait-online | Podman's wait unit | sysfs loop | netready wait | netready.service | container | with netready |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|\n";
    for row in rows.iter() {
        text += &row.line();
        text.push('\n');
    }
    fs::write(folder().join("table.md"), text).unwrap();
}
