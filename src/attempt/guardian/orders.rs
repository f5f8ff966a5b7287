//! What netready tells a guardian (on its command line), and what the guardian tells netready (through a pipe).

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{OwnedFd, RawFd};

use crate::attempt::guardian::watch;
use crate::platform::descriptor;

/// What netready tells a guardian. Descriptors are given by number: the guardian inherits them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Orders {
    /// The process number of netready. The guardian must not outlive netready for long.
    pub(super) netready: u32,
    /// The descriptor to which the guardian writes [`Report`]s.
    pub(super) reports: RawFd,
    pub(super) terminal: Option<Lent>,
    pub(super) temporary: Option<Folder>,
}

/// The terminal of the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lent {
    /// The open descriptor of the terminal.
    pub(super) descriptor: RawFd,
    /// The process group of netready, which gets the terminal back.
    pub(super) owner: i32,
    /// Whether the command gets the terminal when it starts.
    pub(super) at_start: bool,
}

/// The command's folder of temporary files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// The open descriptor of the folder above.
    pub(super) above: RawFd,
    /// The open descriptor of the temporary folder.
    pub(super) folder: RawFd,
    /// The name of the temporary folder in the folder above.
    pub(super) name: CString,
}

/// The word for "no terminal" or "no folder".
const NONE: &str = "-";

impl Orders {
    /// Writes the orders as words of the command line. They stand before the command's own words.
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

    /// Reads the orders from the first four words. The words of the command remain in `words`.
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

/// Takes a descriptor that netready opened for the guardian.
pub(super) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: netready opened each number of the orders for the guardian alone. The guardian takes each number once.
    // Before that it has opened only the descriptor for signals, which has another number.
    unsafe { descriptor::inherited(number) }
}

/// What became of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::attempt) enum Report {
    /// The command runs. The value is its process number, which is also the number of its process group.
    Started(i32),
    /// The command could not be started. The value is the errno.
    NotStarted(i32),
    /// The command was stopped. The value is the number of the signal.
    Stopped(i32),
}

impl Report {
    /// The length of a report in bytes. It is shorter than PIPE_BUF, so each report is written and read as a whole.
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

    /// Writes the report. An error is ignored: nobody reads the pipe if netready is gone. The pipe never blocks,
    /// because it has room for thousands of reports.
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
    fn words_of_another_form_are_refused() {
        for words in ["", "1 4 -", "1 x - -", "1 4 5:6 -", "1 4 5:6:given -", "1 4 - 6:7", "-1 4 - -"] {
            let mut words = words.split_whitespace().map(OsString::from);
            assert_eq!(Orders::from_words(&mut words), None);
        }
    }
}
