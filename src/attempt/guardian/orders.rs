//! What netready tells a guardian, on its command line, and what the guardian tells netready, by a pipe.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};

use crate::attempt::guardian::watch;
use crate::platform::descriptor;

/// What netready tells a guardian. Descriptors are numbers here: the guardian inherits them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Orders {
    /// The process that the guardian must not outlive for long.
    pub(super) netready: u32,
    /// Where it writes [`Report`]s.
    pub(super) reports: RawFd,
    pub(super) terminal: Option<Lent>,
    pub(super) temporary: Option<Folder>,
}

/// The terminal of the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lent {
    pub(super) descriptor: RawFd,
    /// Whose it is: netready's process group.
    pub(super) owner: i32,
    /// The command gets it at once.
    pub(super) at_start: bool,
}

/// The command's folder of temporary files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// The folder above it.
    pub(super) above: RawFd,
    /// The open descriptor of the temporary folder.
    pub(super) folder: RawFd,
    /// Its name in the folder above.
    pub(super) name: CString,
}

/// Stands for a terminal or a folder that there is not.
const NONE: &str = "-";

impl Orders {
    /// The words in which they stand on the command line, before the command's own.
    pub(super) fn to_words(&self) -> [String; 4] {
        let terminal = self.terminal.as_ref().map(|Lent { descriptor, owner, at_start }| {
            format!("{descriptor}:{owner}:{}", if *at_start { "lent" } else { "kept" })
        });
        let temporary = self
            .temporary
            .as_ref()
            .map(|Folder { above, folder, name }| format!("{above}:{folder}:{}", name.to_string_lossy()));
        let or_none = |word: Option<String>| word.unwrap_or_else(|| NONE.to_owned());
        [self.netready.to_string(), self.reports.to_string(), or_none(terminal), or_none(temporary)]
    }

    /// Of the first of these words; those that follow are left.
    pub(super) fn from_words(words: &mut impl Iterator<Item = OsString>) -> Option<Orders> {
        let mut next = || words.next()?.into_string().ok();
        Some(Orders {
            netready: next()?.parse().ok()?,
            reports: next()?.parse().ok()?,
            terminal: match next()?.as_str() {
                NONE => None,
                word => Some(Lent::from_word(word)?),
            },
            temporary: match next()?.as_str() {
                NONE => None,
                word => Some(Folder::from_word(word)?),
            },
        })
    }
}

impl Lent {
    fn from_word(word: &str) -> Option<Lent> {
        let (descriptor, rest) = word.split_once(':')?;
        let (owner, start) = rest.split_once(':')?;
        let at_start = match start {
            "lent" => true,
            "kept" => false,
            _ => return None,
        };
        Some(Lent { descriptor: descriptor.parse().ok()?, owner: owner.parse().ok()?, at_start })
    }

    pub(super) fn open(&self) -> io::Result<watch::Terminal> {
        Ok(watch::Terminal::new(File::from(inherited(self.descriptor)?), self.owner))
    }
}

impl Folder {
    fn from_word(word: &str) -> Option<Folder> {
        let (above, rest) = word.split_once(':')?;
        let (folder, name) = rest.split_once(':')?;
        let name = CString::new(name).ok()?;
        Some(Folder { above: above.parse().ok()?, folder: folder.parse().ok()?, name })
    }

    pub(super) fn open(&self) -> io::Result<watch::Temporary> {
        let [above, folder] = [self.above, self.folder].map(inherited);
        Ok((above?, self.name.clone(), folder?))
    }
}

/// A descriptor that netready opened for the guardian.
pub(super) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: netready opened each number of the orders for the guardian alone, and the guardian takes each once, as the
    // first that it does with descriptors after it has opened the one for signals, which has another number.
    unsafe { descriptor::inherited(number) }
}

/// What became of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::attempt) enum Report {
    /// It runs. This is the number of its process, and of its process group.
    Started(i32),
    /// It could not be started, for this reason (errno).
    NotStarted(i32),
    /// It was stopped by this signal.
    Stopped(i32),
}

impl Report {
    /// Shorter than PIPE_BUF, so each is written, and read, as a whole.
    pub(in crate::attempt) const LENGTH: usize = 8;

    fn encode(self) -> [u8; Report::LENGTH] {
        let (kind, value) = match self {
            Report::Started(pid) => (0_i32, pid),
            Report::NotStarted(errno) => (1, errno),
            Report::Stopped(signal) => (2, signal),
        };
        let ([a, b, c, d], [e, f, g, h]) = (kind.to_ne_bytes(), value.to_ne_bytes());
        [a, b, c, d, e, f, g, h]
    }

    pub(in crate::attempt) fn decode([a, b, c, d, e, f, g, h]: [u8; Report::LENGTH]) -> Option<Report> {
        let value = i32::from_ne_bytes([e, f, g, h]);
        match i32::from_ne_bytes([a, b, c, d]) {
            0 => Some(Report::Started(value)),
            1 => Some(Report::NotStarted(value)),
            2 => Some(Report::Stopped(value)),
            _ => None,
        }
    }

    /// Where netready is gone, nobody reads it, and that is no failure. The pipe holds thousands of reports.
    pub(super) fn write(self, mut to: &File) {
        let _ = to.write_all(&self.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_the_pipe() {
        for report in [Report::Started(4_194_303), Report::NotStarted(2), Report::Stopped(libc::SIGTSTP)] {
            assert_eq!(Report::decode(report.encode()), Some(report));
        }
        assert_eq!(Report::decode([0xff; Report::LENGTH]), None);
    }

    #[test]
    fn orders_survive_the_command_line() {
        let lent = |at_start| Some(Lent { descriptor: 5, owner: 4_194_303, at_start });
        let name = CString::new("container_images_netready-0123456789abcdef").unwrap();
        let folder = || Some(Folder { above: 6, folder: 7, name: name.clone() });
        for (terminal, temporary) in
            [(None, None), (lent(true), None), (None, folder()), (lent(false), folder())]
        {
            let orders = Orders { netready: 42, reports: 4, terminal, temporary };
            let command = ["sh", "-c", "-"].map(OsString::from);
            let mut words = orders.to_words().map(OsString::from).into_iter().chain(command);
            assert_eq!(Orders::from_words(&mut words).as_ref(), Some(&orders));
            assert_eq!(words.collect::<Vec<_>>(), ["sh", "-c", "-"]);
        }
    }

    #[test]
    fn words_that_netready_does_not_say_are_refused() {
        for words in ["", "1 4 -", "1 x - -", "1 4 5:6 -", "1 4 5:6:given -", "1 4 - 6:7", "-1 4 - -"] {
            let mut words = words.split_whitespace().map(OsString::from);
            assert_eq!(Orders::from_words(&mut words), None);
        }
    }
}
