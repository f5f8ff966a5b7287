//! Reads what the kernel command line says about gates: `netready.open` and `netready.timeout`.
//!
//! An administrator writes these words in the boot loader if a gate holds up a boot and nobody can log in. They are
//! valid for this boot, and for every program that waits for a gate.

use core::time::Duration;

use crate::config::{DurationLimit, Problem, nearest, parse_duration};
use crate::requirement::Gate;

/// The beginning of every word for netready.
const PREFIX: &str = "netready.";
const OPEN: &str = "netready.open";
const TIMEOUT: &str = "netready.timeout";

/// The words of the kernel command line. The default has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelLine {
    open: Open,
    /// The longest time to wait for a gate. `None` means no limit.
    timeout: Option<Duration>,
}

/// Which gates open at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Open {
    #[default]
    None,
    All,
    /// The gates with these names.
    Named(Vec<String>),
}

/// What the kernel command line says about one gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forced {
    /// The gate opens at once (`netready.open`).
    pub open: bool,
    /// The gate's timeout was replaced by that of `netready.timeout`, which is shorter.
    pub bounded: bool,
}

impl Forced {
    /// Whether the kernel command line changes anything for this gate.
    pub fn is_some(self) -> bool {
        self.open || self.bounded
    }
}

impl KernelLine {
    /// Reads the text of /proc/cmdline. Words for netready that are not valid are returned as problems.
    pub fn of_text(text: &str) -> (KernelLine, Vec<Problem>) {
        KernelLine::of_words(words(text))
    }

    /// Reads words that are already divided, such as the arguments of PID 1 in a container.
    ///
    /// The last word of a kind wins, as it does for the kernel, so that an administrator can append words. A word
    /// that is not valid is a problem and changes nothing.
    pub fn of_words(words: impl IntoIterator<Item = impl AsRef<str>>) -> (KernelLine, Vec<Problem>) {
        let mut line = KernelLine::default();
        let mut problems = Vec::new();
        for word in words {
            let word = word.as_ref().trim_matches(|c: char| c.is_ascii_whitespace());
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (word, None),
            };
            match key {
                OPEN => line.open = Open::of(value),
                TIMEOUT => match timeout(value) {
                    Ok(timeout) => line.timeout = timeout,
                    Err(why) => problems.push(problem(format!("{word} {why}; netready ignores this word"))),
                },
                key if key.starts_with(PREFIX) => problems.push(unknown(key)),
                _ => {}
            }
        }
        (line, problems)
    }

    /// Returns the gate with the changes for this boot: marked to open at once, or with a shorter timeout.
    ///
    /// `netready.timeout` can shorten a timeout but not lengthen it. `on-timeout` stays as the gate says.
    pub fn force(&self, gate: Gate) -> Gate {
        let open = match &self.open {
            Open::None => false,
            Open::All => true,
            Open::Named(names) => names.contains(&gate.name),
        };
        let bound = self.timeout.filter(|bound| gate.timeout.is_none_or(|timeout| *bound < timeout));
        Gate { timeout: bound.or(gate.timeout), forced: Forced { open, bounded: bound.is_some() }, ..gate }
    }

    /// If the kernel command line opens gates by name but not this gate, returns their names. One of them may be
    /// misspelled.
    pub fn opens_others(&self, gate: &Gate) -> Option<String> {
        match &self.open {
            Open::Named(names) if !names.contains(&gate.name) => Some(names.join(", ")),
            Open::None | Open::All | Open::Named(_) => None,
        }
    }
}

impl Open {
    /// Reads the value of `netready.open`. No value, and the words for yes, mean every gate. An empty value, and
    /// the words for no, mean no gate; so they revoke an earlier word.
    fn of(value: Option<&str>) -> Open {
        match value.map(str::trim) {
            None | Some("1" | "yes" | "true" | "on" | "all") => Open::All,
            Some("0" | "no" | "false" | "off") => Open::None,
            Some(value) => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                let names: Vec<String> = names.map(str::to_owned).collect();
                if names.is_empty() { Open::None } else { Open::Named(names) }
            }
        }
    }
}

/// Reads the value of `netready.timeout`. `None` is infinity: no limit.
fn timeout(value: Option<&str>) -> Result<Option<Duration>, String> {
    match value {
        None => Err("needs a duration, for example netready.timeout=30s".to_owned()),
        Some(value) => match parse_duration(value)? {
            DurationLimit::Finite(Duration::ZERO) => {
                Err("must be more than 0; netready.open opens gates at once".to_owned())
            }
            DurationLimit::Finite(bound) => Ok(Some(bound)),
            DurationLimit::Infinite => Ok(None),
        },
    }
}

fn unknown(key: &str) -> Problem {
    // All words begin with the prefix, so compare only what follows it.
    let after_prefix = |word: &'static str| word.strip_prefix(PREFIX).unwrap_or(word);
    let own = key.strip_prefix(PREFIX).unwrap_or(key);
    let near = nearest(own, [OPEN, TIMEOUT].map(after_prefix));
    let near = near.map_or(String::new(), |near| format!("; did you mean {PREFIX}{near}?"));
    problem(format!("netready does not know the word {key} and ignores it{near}"))
}

fn problem(message: String) -> Problem {
    Problem { origin: "kernel command line".to_owned(), line: None, message }
}

/// Divides the text at white space. Text in quotes stays together, and an open quote reaches to the end. systemd
/// reads the text like this; the kernel itself knows only double quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_ascii_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    const HOST: &str = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet";

    fn named(names: &[&str]) -> Open {
        Open::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    #[rustfmt::skip] // a table: a line is a case
    fn which_gates_open() {
        for (text, open) in [
            ("", Open::None),
            ("netready.open", Open::All),
            (" netready.open\n", Open::All),
            ("netready.open=1", Open::All),
            ("netready.open=yes", Open::All),
            ("netready.open=all", Open::All),
            ("netready.open=no", Open::None),
            ("netready.open=", Open::None),
            ("netready.open=,", Open::None),
            ("netready.open=lan", named(&["lan"])),
            ("netready.open=lan,podman", named(&["lan", "podman"])),
            ("\"netready.open=lan, podman\"", named(&["lan", "podman"])),
            ("netready.open=\"lan, podman\"", named(&["lan", "podman"])),
            ("netready.open='lan, podman'", named(&["lan", "podman"])),
            ("netready.open=\"lan", named(&["lan"])),
            // The last word wins.
            ("netready.open=lan netready.open=podman", named(&["podman"])),
            ("netready.open netready.open=lan", named(&["lan"])),
            ("netready.open=lan netready.open", Open::All),
            ("netready.open netready.open=no", Open::None),
            // Words that are not for netready.
            ("xnetready.open rd.netready.open netready netready_open", Open::None),
            ("\"init=/bin/sh netready.open\"", Open::None),
        ] {
            let (line, problems) = KernelLine::of_text(&format!("{HOST} {text}"));
            assert_eq!((&line.open, problems), (&open, Vec::new()), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip] // a table: a line is a case
    fn an_invalid_word_is_named_and_changes_nothing() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, timeout, said) in [
            ("netready.timeout=30s", seconds(30), &[][..]),
            ("netready.timeout=30", seconds(30), &[]),
            ("netready.timeout=\"1min 30s\"", seconds(90), &[]),
            ("netready.timeout=0", None, &["netready.timeout=0 must be more than 0; netready.open opens gates at once; netready ignores this word"]),
            ("netready.timeout=10s netready.timeout=20s", seconds(20), &[]),
            ("netready.timeout=10s netready.timeout=infinity", None, &[]),
            ("netready.timeout", None, &["netready.timeout needs a duration, for example netready.timeout=30s; netready ignores this word"]),
            ("netready.timeout=10s netready.timeout=soon", seconds(10), &["netready.timeout=soon is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\"; netready ignores this word"]),
            ("netready.timout=10s", None, &["netready does not know the word netready.timout and ignores it; did you mean netready.timeout?"]),
            ("netready.opened netready.timeout=1s", seconds(1), &["netready does not know the word netready.opened and ignores it; did you mean netready.open?"]),
            ("netready.x.y=z", None, &["netready does not know the word netready.x.y and ignores it"]),
        ] {
            let (line, problems) = KernelLine::of_text(&format!("{HOST} {text}"));
            assert_eq!(line.timeout, timeout, "{text}");
            assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), said, "{text}");
        }
    }

    #[test]
    fn words_that_are_divided_are_not_divided_again() {
        let (line, _) = KernelLine::of_words(["/sbin/init", "netready.open=a b,c", "x netready.timeout=1s"]);
        assert_eq!(line, KernelLine { open: named(&["a b", "c"]), timeout: None });
    }

    /// A gate with this name and this timeout in seconds.
    fn gate(name: &str, timeout: Option<u64>) -> Gate {
        let timeout = timeout.map(Duration::from_secs);
        Gate { name: name.to_owned(), timeout, ..testing::gate("route = \"default\"") }
    }

    #[test]
    #[rustfmt::skip] // a table: a line is a case
    fn a_gate_is_opened_by_its_name_and_its_timeout_is_shortened() {
        for (text, timeout, forced_timeout, open, bounded) in [
            ("", Some(90), Some(90), false, false),
            ("netready.open", Some(90), Some(90), true, false),
            ("netready.open=a,lan", Some(90), Some(90), true, false),
            ("netready.open=a,b", Some(90), Some(90), false, false),
            ("netready.timeout=30s", Some(90), Some(30), false, true),
            ("netready.timeout=30s", None, Some(30), false, true),
            // `netready.timeout` lengthens nothing, and the gate is not marked as bounded if the timeout does not
            // change.
            ("netready.timeout=90s", Some(90), Some(90), false, false),
            ("netready.timeout=5min", Some(90), Some(90), false, false),
            ("netready.timeout=infinity", Some(90), Some(90), false, false),
            ("netready.timeout=30s netready.open=lan", Some(90), Some(30), true, true),
        ] {
            let (line, _) = KernelLine::of_text(text);
            let forced = line.force(gate("lan", timeout));
            assert_eq!(forced.timeout, forced_timeout.map(Duration::from_secs), "{text}");
            assert_eq!(forced.forced, Forced { open, bounded }, "{text}");
            assert_eq!(forced.forced.is_some(), open || bounded, "{text}");
        }
    }

    #[test]
    fn the_gates_that_open_are_named_for_a_gate_that_stays_shut() {
        for (text, others) in [
            ("", None),
            ("netready.open", None),
            ("netready.open=lan,a", None),
            ("netready.open=Lan,a", Some("Lan, a")),
        ] {
            let (line, _) = KernelLine::of_text(text);
            assert_eq!(line.opens_others(&gate("lan", None)).as_deref(), others, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = KernelLine::of_text(&text);
        }

        #[test]
        fn words_of_others_change_nothing(text in "[a-z0-9=,. _-]{0,40}") {
            let (line, _) = KernelLine::of_text(&format!("{text} netready.open=lan netready.timeout=1s"));
            prop_assert_eq!(line, KernelLine { open: named(&["lan"]), timeout: Some(Duration::from_secs(1)) });
        }
    }
}
