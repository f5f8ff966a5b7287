//! The events of one gate in this boot, in a file of bounded size to which `run` appends.
//!
//! The file has three places for events. The first place has the beginning of the boot and is never overwritten. The
//! other two follow it and are used in turn, so that the file always has the latest events too:
//!
//! ```text
//! 0                     48 KiB        64 KiB        80 KiB
//! | part 0: the boot    | part 1, 3…  | part 2, 4…  | the past |
//! ```
//!
//! Each part begins with a header line, which has the boot, gate, process and version, and the part's number. A `run`
//! that starts again, for example after a timeout, continues in the same part with a header of its own. After a
//! header come lines of the [`history`](crate::history), which this module does not parse.
//!
//! Behind the three places is one line for the next `run`, the [`Past`], which is overwritten in place. It is written
//! only after the gate was lost or given up.
//!
//! A part ends at the first line that is not whole. So a file that was cut anywhere, by a full disk or a power
//! failure, still gives every whole line before the cut.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use serde_json::{Value, json};
use tracing::debug;

use super::{Past, Place, boot_id};
use crate::clock;
use crate::moment::Moment;

/// The size of the first place, in bytes. It has room for about 300 events.
const FIRST: u64 = 48 << 10;

/// The size of each of the two other places, in bytes.
const NEXT: u64 = 16 << 10;

/// The offset of the line of the past, in bytes.
const PAST: u64 = FIRST + 2 * NEXT;

/// The length of the line of the past, in bytes; spaces fill it up. The content needs at most nine tenths of it.
const PAST_SIZE: u64 = 256;

/// The largest size of the file, in bytes.
pub(super) const LARGEST: u64 = PAST + PAST_SIZE;

/// The end of the name of a file of events, after the gate's name.
pub(super) const SUFFIX: &str = ".events";

/// Appends events to the file of a gate.
#[derive(Debug)]
pub struct Writer {
    place: Place,
    header: Header,
    /// The file of the previous `run`, if the service manager kept it.
    earlier: Option<File>,
    /// The past that the file has now.
    past: Past,
    /// `None` until the first event, so that nothing is written before it.
    file: Option<Open>,
    complained: bool,
}

/// The content of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The boot's identifier, as in /proc/sys/kernel/random/boot_id.
    pub boot: String,
    /// The name of the gate.
    pub gate: String,
    /// The number of the process that wrote the events after this header.
    pub pid: u32,
    /// The version of netready.
    pub version: String,
    /// When this process began to run the gate.
    pub since: Moment,
}

#[derive(Debug)]
struct Open {
    file: File,
    part: u64,
    /// How many bytes of the part's place are used.
    length: u64,
}

impl Writer {
    /// A writer for this gate. It writes nothing yet.
    ///
    /// `earlier` is the file of the previous `run`, if the service manager kept it. That file may have been deleted
    /// with its folder.
    pub fn new(gate: &str, earlier: Option<File>) -> Writer {
        let header = Header {
            boot: boot_id().unwrap_or_default(),
            gate: gate.to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: clock::now(),
        };
        Writer::at(Place::of(gate), header, earlier)
    }

    pub(super) fn at(place: Place, header: Header, earlier: Option<File>) -> Writer {
        let earlier = earlier.filter(is_regular);
        let mut writer =
            Writer { place, header, earlier, past: Past::default(), file: None, complained: false };
        writer.past = writer.read_past().unwrap_or_default();
        writer
    }

    /// What earlier `run`s of this unit left in this boot.
    pub fn past(&self) -> Past {
        self.past
    }

    fn read_past(&self) -> Option<Past> {
        if !self.place.of_unit {
            return None;
        }
        let of_place = self.place.read(SUFFIX, LARGEST).and_then(|octets| past(&octets, &self.header.boot));
        of_place.or_else(|| past(&read_all(self.earlier.as_ref()?).ok()?, &self.header.boot))
    }

    /// Writes what the next `run` of this unit continues from. Nothing is written before the first event.
    pub fn remember(&mut self, past: Past) {
        let Some(open) = &self.file else { return };
        if past == self.past {
            return;
        }
        match open.file.write_all_at(past_line(past, &self.header.boot).as_bytes(), PAST) {
            Ok(()) => self.past = past,
            Err(error) => self.complain(&error),
        }
    }

    /// The file, opened again for reading only; `None` before the first event. The new descriptor does not hold this
    /// writer's lock, so whoever keeps it does not stop a later `run` from writing.
    pub fn reader(&self) -> Option<File> {
        let open = self.file.as_ref()?;
        File::open(format!("/proc/self/fd/{}", open.file.as_raw_fd())).ok()
    }

    /// Appends lines. Lines that cannot be written are lost; no decision depends on them.
    pub fn append(&mut self, lines: &str) {
        if lines.is_empty() {
            return;
        }
        if let Err(error) = self.try_append(lines) {
            // Part of the lines may be in the file. The next call opens the file again and continues after the last
            // whole line.
            self.file = None;
            self.complain(&error);
        }
    }

    /// Reports an error once. Otherwise each event would repeat it.
    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            debug!("the events of gate {} are not recorded: {error}", self.header.gate);
        }
    }

    fn try_append(&mut self, lines: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let open = Open::new(&self.place, &self.header, self.earlier.as_ref())?;
                self.earlier = None;
                self.file.insert(open)
            }
        };
        let ended;
        let mut rest = match lines.ends_with('\n') {
            true => lines,
            false => {
                ended = format!("{lines}\n");
                &ended
            }
        };
        while !rest.is_empty() {
            let (chunk, after) = split_lines(rest, NEXT - HEADER);
            rest = after;
            file.append(chunk, &self.header)?;
        }
        Ok(())
    }
}

/// The most bytes that a header may have. A gate's name is a file's name, so a header is always shorter.
const HEADER: u64 = 1024;

/// Splits after the last line break within the first `most` bytes. If the first line is longer than that, drops it.
fn split_lines(lines: &str, most: u64) -> (&str, &str) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if lines.len() <= most {
        return (lines, "");
    }
    let fits = lines.as_bytes().get(..most).unwrap_or_default();
    if let Some(end) = fits.iter().rposition(|byte| *byte == b'\n') {
        return lines.split_at(end + 1);
    }
    let longer = lines.find('\n').map_or(lines.len(), |end| end + 1);
    ("", lines.get(longer..).unwrap_or_default())
}

impl Open {
    /// Continues where an earlier run of this boot ended, in this file or in the file that the service manager kept.
    /// Overwrites events of another boot.
    fn new(place: &Place, header: &Header, earlier: Option<&File>) -> io::Result<Open> {
        let file = place.open(SUFFIX)?;
        lock(&file)?;
        let mut octets = read_all(&file)?;
        if let Some(kept) = earlier.filter(|_| octets.is_empty()).and_then(|kept| read_all(kept).ok()) {
            if is_of(&kept, header) {
                file.write_all_at(&kept, 0)?;
                octets = kept;
            }
        }
        let parts = parts(&octets);
        let ours = |(_, part): &&(u64, Part<'_>)| part.runs.iter().all(|run| run.header.boot == header.boot);
        let last = parts.iter().filter(ours).max_by_key(|(number, _)| *number);
        let mut open = match last {
            Some((number, part)) if parts.iter().all(|part| ours(&part)) => {
                Open { file, part: *number, length: part.length }
            }
            _ => {
                file.set_len(0)?;
                Open { file, part: 0, length: 0 }
            }
        };
        let line = header.line(open.part);
        open.append(&line, header)?;
        Ok(open)
    }

    /// Appends whole lines, which must fit in one place. Starts the next part if this one has no room.
    fn append(&mut self, lines: &str, header: &Header) -> io::Result<()> {
        let octets = lines.as_bytes();
        let (start, size) = place_of(self.part);
        let after = self.length.saturating_add(octets.len() as u64);
        if after <= size {
            self.file.write_all_at(octets, start + self.length)?;
            self.length = after;
            return Ok(());
        }
        let part = self.part.saturating_add(1);
        let (start, size) = place_of(part);
        let head = header.line(part);
        let mut fresh = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        fresh.extend(head.as_bytes());
        fresh.extend(octets);
        let length = fresh.len() as u64;
        // The same write also clears the rest of the place.
        fresh.resize(usize::try_from(size).unwrap_or_default(), 0);
        self.file.write_all_at(&fresh, start)?;
        (self.part, self.length) = (part, length);
        Ok(())
    }
}

/// Locks the file against other `run`s of the gate: two writers would overwrite each other's lines. The kernel
/// releases the lock when the file is closed, also if the process is killed.
///
/// Every user who may read the file can hold a read lock on it, and then nobody can get this write lock. Such a lock
/// must not stop the recording, so this fails only if another writer has the lock.
fn lock(file: &File) -> io::Result<()> {
    let mut lock = lock_of_all();
    if fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).is_ok() {
        return Ok(());
    }
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    match libc::c_int::from(lock.l_type) == libc::F_WRLCK {
        true => Err(io::Error::other("another run of this gate records them")),
        false => Ok(()),
    }
}

/// A write lock on a whole file, whatever its size.
fn lock_of_all() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl Drop for Open {
    /// Unlocks the file explicitly. A child process shares the open file between fork and exec, so closing the file
    /// here would not always release the lock at once, and the next run of the gate would lose its first events.
    fn drop(&mut self) {
        let unlock = libc::flock { l_type: libc::F_UNLCK as libc::c_short, ..lock_of_all() };
        if let Err(error) = fcntl(&self.file, FcntlArg::F_OFD_SETLK(&unlock)) {
            debug!("the file of events was not unlocked: {error}");
        }
    }
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Whether all events in a file are of this boot and this gate.
fn is_of(octets: &[u8], header: &Header) -> bool {
    let (runs, _) = runs(octets);
    let ours = |run: &Run| run.header.boot == header.boot && run.header.gate == header.gate;
    !runs.is_empty() && runs.iter().all(ours)
}

fn past_line(past: Past, boot: &str) -> String {
    let micros = |at: Moment| u64::try_from(at.since_boot().as_micros()).unwrap_or(u64::MAX);
    let line = json!({
        "past": 1,
        "boot-id": boot,
        "gave-up-usec": past.gave_up.map(micros),
        "losses": past.losses,
        "last-gave-up-usec": past.last_gave_up.map(micros),
        "awaited-since-usec": past.awaited_since.map(micros),
    })
    .to_string();
    let width = usize::try_from(PAST_SIZE - 1).unwrap_or_default();
    format!("{line:<width$}\n")
}

/// Reads the past from a file. Returns `None` if the file has none of this boot.
pub(crate) fn past(octets: &[u8], boot: &str) -> Option<Past> {
    let line = octets.get(usize::try_from(PAST).ok()?..)?;
    let value: Value = serde_json::from_slice(line).ok()?;
    if value.get("boot-id").and_then(Value::as_str) != Some(boot) {
        return None;
    }
    let number = |key: &str| value.get(key).and_then(Value::as_u64);
    let moment = |key: &str| number(key).map(|micros| Moment::after_boot(Duration::from_micros(micros)));
    let gave_up = moment("gave-up-usec");
    // An earlier version of netready wrote only `gave-up-usec`.
    let last_gave_up = moment("last-gave-up-usec").or(gave_up);
    let awaited_since = moment("awaited-since-usec");
    Some(Past { gave_up, last_gave_up, awaited_since, losses: number("losses").unwrap_or_default() })
}

/// Reads a file of events, up to its largest size.
fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut octets = vec![0; usize::try_from(LARGEST).unwrap_or_default()];
    let length = read_up_to(file, &mut octets)?;
    octets.truncate(length);
    Ok(octets)
}

fn read_up_to(file: &File, into: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while let Some(rest) = into.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The offset and the size of a part's place, in bytes.
fn place_of(part: u64) -> (u64, u64) {
    match part {
        0 => (0, FIRST),
        part if part % 2 == 1 => (FIRST, NEXT),
        _ => (FIRST + NEXT, NEXT),
    }
}

impl Header {
    fn line(&self, part: u64) -> String {
        let header = json!({
            "record": 1,
            "part": part,
            "boot-id": self.boot,
            "gate": self.gate,
            "pid": self.pid,
            "version": self.version,
            "usec": u64::try_from(self.since.since_boot().as_micros()).unwrap_or(u64::MAX),
        });
        format!("{header}\n")
    }

    /// Reads a header and the number of its part from a line. Returns `None` if the line is not a header.
    fn read(line: &str) -> Option<(Header, u64)> {
        // Lines of events do not begin like this, so they are recognized without being parsed.
        if !line.starts_with(r#"{"record":"#) {
            return None;
        }
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let since = Duration::from_micros(number("usec")?);
        let header = Header {
            boot: text("boot-id")?,
            gate: text("gate")?,
            pid: u32::try_from(number("pid")?).ok()?,
            version: text("version")?,
            since: Moment::after_boot(since),
        };
        Some((header, number("part")?))
    }
}

/// The events between two headers.
#[derive(Debug, PartialEq, Eq)]
struct Piece<'a> {
    header: Header,
    lines: Vec<&'a str>,
}

#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    /// The length of all whole lines, in bytes.
    length: u64,
    runs: Vec<Piece<'a>>,
}

/// The parts in a file, with their numbers. A place that does not begin with a header has no part.
fn parts(octets: &[u8]) -> Vec<(u64, Part<'_>)> {
    let places = [place_of(0), place_of(1), place_of(2)];
    places.into_iter().filter_map(|place| part(octets, place)).collect()
}

fn part(octets: &[u8], (start, size): (u64, u64)) -> Option<(u64, Part<'_>)> {
    let from = usize::try_from(start).ok()?;
    let to = usize::try_from(start + size).ok()?.min(octets.len());
    let place = octets.get(from..to)?;
    let mut number = None;
    let mut part = Part { length: 0, runs: Vec::new() };
    for line in place.split_inclusive(|byte| *byte == b'\n') {
        // The rest of the place was not written, or not completely.
        if !line.ends_with(b"\n") || line.contains(&0) {
            break;
        }
        part.length += line.len() as u64;
        // The file may have any content: others may have written it.
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let line = line.trim_end_matches('\n');
        match Header::read(line) {
            Some((header, of_part)) => {
                if place_of(of_part) != (start, size) {
                    return None;
                }
                number.get_or_insert(of_part);
                part.runs.push(Piece { header, lines: Vec::new() });
            }
            None => part.runs.last_mut()?.lines.push(line),
        }
    }
    Some((number?, part))
}

/// The events of one `run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The header of the run.
    pub header: Header,
    /// The events, one JSON object a line. Others may have written them: escape what is printed of them.
    pub lines: Vec<String>,
}

/// All runs in a file, in their order, and whether events are missing between the first and the latest ones.
pub(crate) fn runs(octets: &[u8]) -> (Vec<Run>, bool) {
    let mut parts = parts(octets);
    parts.sort_by_key(|(number, _)| *number);
    let numbers: Vec<u64> = parts.iter().map(|(number, _)| *number).collect();
    let gap = numbers.windows(2).any(|pair| matches!(pair, [one, next] if next - one != 1));
    let mut runs: Vec<Run> = Vec::new();
    for piece in parts.into_iter().flat_map(|(_, part)| part.runs) {
        let lines = piece.lines.into_iter().map(str::to_owned);
        match runs.last_mut() {
            // This piece is of the same run, which continued in another part.
            Some(last) if last.header == piece.header => last.lines.extend(lines),
            _ => runs.push(Run { header: piece.header, lines: lines.collect() }),
        }
    }
    (runs, gap || numbers.first().is_some_and(|first| *first != 0))
}

#[cfg(test)]
mod tests;
