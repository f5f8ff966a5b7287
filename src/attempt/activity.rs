//! Finds out whether a command is active, from what its processes read, write and compute.
//!
//! The figures come from `rchar` and `wchar` in /proc/PID/io, which count read(2) and write(2) of anything, sockets
//! included, and from the processor time in /proc/PID/stat. `stat` can be read even where `io` cannot. The counters
//! of interfaces are not used, because they count the traffic of the whole host. If the command's stderr is a
//! terminal, what the command writes there is subtracted: a progress bar that is redrawn ten times a second is no
//! progress.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::platform::proc;

/// Bytes in a second that an idle runtime moves through its own pipes and timers. Podman 5.4.2 moves 90 while it
/// waits for a silent server. At an eighth of this value, no stall would ever be noticed. At eight times the value,
/// the traffic of a whole modem line would count as idle.
const NOISE: u64 = 512;

/// The share of one processor's time, in percent, from which on a command counts as active.
const WORK: u64 = 10;

/// The most bytes that are read of a process's `stat` and `io`. Both are numbers, and a name of 64 bytes at most.
const LONGEST: u64 = 4096;

/// The counters of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    /// Bytes read and written.
    octets: u64,
    /// Processor time, in ticks of 10 ms.
    ticks: u64,
}

/// The command's processes and their counters, as they were at the last look.
#[derive(Debug, Default)]
pub(super) struct Activity(BTreeMap<u32, Counters>);

impl Activity {
    /// Whether the processes below the guardian were active since the last look, which was `span` ago. `drawn` is the
    /// number of bytes that came out of the command's terminal since then.
    pub(super) fn look(&mut self, guardian: u32, drawn: u64, span: Duration) -> bool {
        let before = std::mem::replace(&mut self.0, descendants(guardian));
        differ(&before, &self.0, drawn, span)
    }
}

fn differ(
    before: &BTreeMap<u32, Counters>,
    now: &BTreeMap<u32, Counters>,
    drawn: u64,
    span: Duration,
) -> bool {
    if !now.keys().eq(before.keys()) {
        return true;
    }
    let total = |of: fn(&Counters) -> u64| {
        let pairs = now.iter().filter_map(|(pid, now)| Some((now, before.get(pid)?)));
        pairs.map(|(now, before)| of(now).saturating_sub(of(before))).sum::<u64>()
    };
    let milliseconds = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    // A span of less than a second counts as a second, because idle noise comes in bursts.
    let noise = NOISE.saturating_mul(milliseconds.max(1000)) / 1000;
    total(|counters| counters.octets) > drawn.saturating_add(noise)
        // A tick is 10 ms.
        || total(|counters| counters.ticks).saturating_mul(1000) >= WORK.saturating_mul(milliseconds.max(1000))
}

/// All descendants of the process `of`, without that process, with their counters.
fn descendants(of: u32) -> BTreeMap<u32, Counters> {
    let mut parents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut ticks = BTreeMap::new();
    for (pid, process) in proc::processes(Path::new(proc::PROC)) {
        let line = proc::beginning(&process.join("stat"), LONGEST);
        let Some((parent, spent)) = line.as_deref().and_then(stat) else { continue };
        parents.entry(parent).or_default().push(pid);
        ticks.insert(pid, spent);
    }
    let mut found = BTreeMap::new();
    let mut left = vec![of];
    while let Some(parent) = left.pop() {
        for pid in parents.remove(&parent).unwrap_or_default() {
            let text = proc::beginning(&Path::new(proc::PROC).join(pid.to_string()).join("io"), LONGEST);
            let octets = text.map_or(0, |text| io(&text));
            found.insert(pid, Counters { octets, ticks: ticks.get(&pid).copied().unwrap_or_default() });
            left.push(pid);
        }
    }
    found
}

/// Reads the parent and the processor time from a line of /proc/PID/stat. The name in the line may have any
/// characters.
fn stat(text: &str) -> Option<(u32, u64)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(1);
    let parent = words.next()?.parse().ok()?;
    // The parent is the 4th word of the line; utime and stime are the 14th and 15th.
    let mut times = words.skip(9).map(|word| word.parse::<u64>().unwrap_or_default());
    Some((parent, times.next()? + times.next()?))
}

/// The bytes that a process read and wrote.
fn io(text: &str) -> u64 {
    let values = text.lines().filter_map(|line| line.split_once(": "));
    let counted = values.filter(|(name, _)| matches!(*name, "rchar" | "wchar"));
    counted.map(|(_, value)| value.trim().parse().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 0 0 20 0 1 0 12345 1 1 1";
        assert_eq!(stat(line), Some((7, 33)));
        assert_eq!(stat(""), None);
        assert_eq!(io("rchar: 100\nwchar: 20\nsyscr: 5\nread_bytes: 4096\n"), 120);
    }

    #[test]
    fn a_process_that_appears_or_ends_is_activity() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut activity = Activity::default();
        let me = std::process::id();
        let span = Duration::from_secs(1);
        assert!(activity.look(me, 0, span));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(activity.look(me, 0, span));
    }

    /// Each row: bytes and ticks that were counted between two looks, the milliseconds between the looks, bytes drawn
    /// on the terminal, and whether that is activity.
    #[test]
    fn the_noise_of_an_idle_runtime_is_no_activity() {
        for (octets, ticks, milliseconds, drawn, active) in [
            // Podman 5.4.2 while its server is silent.
            (432, 1, 5000, 0, false),
            (90, 1, 1000, 0, false),
            (5400, 60, 60_000, 0, false),
            (300, 1, 100, 0, false),
            // A slow line. The command also writes what it reads.
            (10_000, 1, 5000, 0, true),
            (2000, 1, 1000, 0, true),
            // A progress bar that is redrawn.
            (10_432, 1, 5000, 10_000, false),
            (14_000, 1, 5000, 10_000, true),
            // The command unpacks what it has fetched.
            (0, 50, 5000, 0, true),
            (0, 10, 500, 0, true),
            (0, 49, 5000, 0, false),
        ] {
            let at = |octets: u64, ticks: u64| {
                BTreeMap::from([(1, Counters { octets: 7 + octets, ticks: 7 + ticks })])
            };
            let span = Duration::from_millis(milliseconds);
            assert_eq!(
                differ(&at(0, 0), &at(octets, ticks), drawn, span),
                active,
                "{octets} octets, {ticks} ticks in {span:?}, {drawn} drawn"
            );
        }
    }
}
