//! Reads what the kernel shows of processes in /proc (proc(5)). A process may end at any time, so files that cannot
//! be read are skipped.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::moment::Moment;

/// The path of /proc. Tests use another folder.
pub const PROC: &str = "/proc";

/// The most bytes that are read of a process's `status`. The file has 60 lines, and the names in it are short.
const STATUS: u64 = 64 << 10;

/// All processes that are visible in `proc`: the number and the folder of each.
pub fn processes(proc: &Path) -> impl Iterator<Item = (u32, PathBuf)> + use<> {
    fs::read_dir(proc).into_iter().flatten().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str().filter(|name| is_number(name))?.parse().ok()?;
        Some((pid, entry.path()))
    })
}

/// Whether an entry of `proc` is the folder of a process.
pub fn is_process(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(is_number)
}

/// Whether `proc` shows this process under the number that it has itself. If not, `proc` is not mounted, or belongs to
/// another PID namespace. Then a process that is missing in it may run nevertheless.
pub fn is_ours(proc: &Path) -> bool {
    let this = fs::read_link(proc.join("self"));
    this.is_ok_and(|link| link.to_str() == Some(std::process::id().to_string().as_str()))
}

/// Whether a text is a number as the kernel writes it: only digits, without a sign.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The folder of the process with this number, which a variable or an option gives as text.
pub fn of_number(proc: &Path, pid: &str) -> Option<PathBuf> {
    let pid: u32 = Some(pid).filter(|text| is_number(text))?.parse().ok()?;
    Some(proc.join(pid.to_string()))
}

/// The first `most` bytes of a file. The limit is needed because a process can make some of its files very long.
pub fn beginning(path: &Path, most: u64) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The user IDs of a process: real, effective, saved, and that of the file system. They are read from `status` and
/// not from the owner of the folder: the owner is root for a process that is not dumpable, and any process can ask
/// for that.
pub fn users(process: &Path) -> Option<[u32; 4]> {
    users_in(&beginning(&process.join("status"), STATUS)?)
}

fn users_in(status: &str) -> Option<[u32; 4]> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let users: Vec<u32> =
        line.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
    users.try_into().ok()
}

/// Whether the process that had this number at this moment is still alive. If another process has the number by now,
/// that one was started later.
pub fn is_running(pid: u32, then: Moment) -> bool {
    let Ok(number) = i32::try_from(pid) else { return false };
    // kill(2) takes 0 and negative numbers for process groups.
    if number <= 0 {
        return false;
    }
    if let Some(stat) = beginning(&Path::new(PROC).join(pid.to_string()).join("stat"), STATUS) {
        return lives_since(&stat, ticks_per_second()).is_some_and(|started| started <= then);
    }
    // /proc may hide the processes of other users (hidepid=). This call only checks; it sends no signal.
    matches!(kill(Pid::from_raw(number), None), Ok(()) | Err(Errno::EPERM))
}

fn ticks_per_second() -> u64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok());
    // It is 100 on all architectures except alpha and ia64.
    ticks.filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The start time of a process from its `stat`, rounded down to a tick. `None` if the process has ended but was not
/// waited for. The name in the line may have any characters.
fn lives_since(stat: &str, ticks_per_second: u64) -> Option<Moment> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    if matches!(words.next()?, "Z" | "X") {
        return None;
    }
    // The state is the 3rd word of the line, and the start time the 22nd.
    let ticks: u64 = words.nth(18)?.parse().ok()?;
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second);
    Some(Moment::after_boot(Duration::from_nanos(u64::try_from(nanos).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn the_start_of_a_process_is_read() {
        let line = |state: &str, ticks: &str| {
            format!("42 (a) b (c)) {state} 7 42 42 0 -1 4194560 100 0 0 0 11 22 0 0 20 0 1 0 {ticks}")
        };
        let at = |millis| Some(Moment::after_boot(Duration::from_millis(millis)));
        assert_eq!(lives_since(&line("S", "12345 1 1 1"), 100), at(123_450));
        assert_eq!(lives_since(&line("R", "12345 1 1 1"), 1000), at(12_345));
        for (state, ticks) in [("Z", "12345"), ("X", "12345"), ("S", "x"), ("S", "")] {
            assert_eq!(lives_since(&line(state, ticks), 100), None, "{state} {ticks}");
        }
        assert_eq!(lives_since("", 100), None);
    }

    #[test]
    fn a_proc_of_another_namespace_is_not_ours() {
        assert!(is_ours(Path::new(PROC)));
        let proc = tempfile::tempdir().unwrap();
        assert!(!is_ours(proc.path()));
        let link = proc.path().join("self");
        for (pid, ours) in [(std::process::id() + 1, false), (std::process::id(), true)] {
            std::os::unix::fs::symlink(pid.to_string(), &link).unwrap();
            assert_eq!(is_ours(proc.path()), ours);
            fs::remove_file(&link).unwrap();
        }
    }

    #[test]
    fn a_process_runs_if_it_is_not_younger_than_the_moment() {
        let me = std::process::id();
        assert!(is_running(me, clock::now()));
        assert!(!is_running(me, Moment::default()), "another process has the number by now");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!is_running(pid, clock::now()));
        for pid in [0, u32::MAX, i32::MAX as u32] {
            assert!(!is_running(pid, clock::now()), "{pid}");
        }
    }

    #[test]
    fn the_users_of_a_process() {
        for (uids, users) in [
            ("1000\t1000\t1000\t1000", Some([1000; 4])),
            ("1000\t0\t0\t0", Some([1000, 0, 0, 0])),
            ("", None),
            ("0\t0", None),
            ("0\t0\t0\t0\t0", None),
            ("0x0\t0\t0\t0", None),
        ] {
            let status = format!("Name:\tsystemd\nUmask:\t0022\nUid:\t{uids}\nGid:\t7 7 7 7\n");
            assert_eq!(users_in(&status), users, "{uids:?}");
        }
        assert_eq!(users_in(""), None);
        let me = nix::unistd::geteuid().as_raw();
        let own = of_number(Path::new(PROC), &std::process::id().to_string()).unwrap();
        assert_eq!(users(&own).map(|[_, effective, ..]| effective), Some(me));
    }

    #[test]
    fn processes_are_the_folders_with_numbers() {
        let proc = tempfile::tempdir().unwrap();
        for name in ["1", "42", "self", "net", "+7", "-7", "4294967296"] {
            fs::create_dir(proc.path().join(name)).unwrap();
        }
        let mut found: Vec<u32> = processes(proc.path()).map(|(pid, _)| pid).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 42]);
        for pid in ["", "-1", "+2", " 2", "2 ", "self", "../1", "99999999999999"] {
            assert_eq!(of_number(proc.path(), pid), None, "{pid:?}");
        }
    }
}
