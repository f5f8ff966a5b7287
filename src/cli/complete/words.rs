//! Divides the text that the user has typed into words.

/// The words of a command line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// The words before the one that is being typed, without the program's own name.
    pub(super) words: Vec<String>,
    /// The word that is being typed, up to the cursor. It may be empty.
    pub(super) current: String,
    /// How many bytes of that word the shell keeps. It replaces the rest.
    pub(super) kept: usize,
}

impl Typed {
    /// Reads words that a shell has already divided. The first one is the program's name.
    pub(super) fn of_words(words: &[String]) -> Option<Typed> {
        let (current, before) = words.split_last()?;
        let (_, before) = before.split_first()?;
        Some(Typed { words: before.to_vec(), current: current.clone(), kept: 0 })
    }

    /// Reads a line of bash, which also divides words at `=` and `:`. `replaced` is the part after the last of
    /// these characters, which readline replaces. Returns `None` inside quotes, and if readline divides the word
    /// differently.
    pub(super) fn of_line(line: &str, replaced: &str) -> Option<Typed> {
        let words = split(line)?;
        let (current, before) = words.split_last()?;
        let program = before.iter().position(|word| word.rsplit('/').next() == Some("netready"));
        let words = before.get(program.unwrap_or(0) + 1..)?.to_vec();
        let kept = current.strip_suffix(replaced)?.len();
        Some(Typed { words, current: current.clone(), kept })
    }
}

/// Divides a line into words as a shell does. The last word is the one at the end of the line, and may be empty.
/// Returns `None` if a quote is open at the end.
fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_word = false;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('\''), _) => word.push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                is_word = true;
            }
            (_, '\\') => {
                word.extend(characters.next());
                is_word = true;
            }
            (None, _) if character.is_whitespace() => {
                if is_word || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            (_, _) => word.push(character),
        }
    }
    words.push(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str], current: &str, kept: usize) -> Option<Typed> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Some(Typed { words, current: current.to_owned(), kept })
    }

    /// One case a line: the line up to the cursor, what readline replaces, and what was typed.
    #[test]
    fn a_line_is_read_as_bash_reads_it() {
        for (line, replaced, expected) in [
            ("netready ", "", typed(&[], "", 0)),
            ("netready che", "che", typed(&[], "che", 0)),
            ("netready check -i ", "", typed(&["check", "-i"], "", 0)),
            ("netready check --gateway=ip", "ip", typed(&["check"], "--gateway=ip", 10)),
            ("netready check --gateway=", "", typed(&["check"], "--gateway=", 10)),
            ("netready check -a 2001:db8::1", "1", typed(&["check", "-a"], "2001:db8::1", 10)),
            ("netready check -a 2001:", "", typed(&["check", "-a"], "2001:", 5)),
            ("sudo /usr/bin/netready check n", "n", typed(&["check"], "n", 0)),
            ("netready check 'a b' \"c\\\"d\" e\\ f g", "g", typed(&["check", "a b", "c\"d", "e f"], "g", 0)),
            ("netready check -i ''  x", "x", typed(&["check", "-i", ""], "x", 0)),
            ("netready check \"n", "n", None),
            ("netready check n\\a", "\\a", None),
            ("netready", "netready", None),
            ("", "", None),
        ] {
            assert_eq!(Typed::of_line(line, replaced), expected, "{line}");
        }
    }

    #[test]
    fn words_of_other_shells_are_taken_as_they_are() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(Typed::of_words(&words(&["netready", "check", "a b"])), typed(&["check"], "a b", 0));
        assert_eq!(Typed::of_words(&words(&["netready", ""])), typed(&[], "", 0));
        assert_eq!(Typed::of_words(&words(&["netready"])), None);
        assert_eq!(Typed::of_words(&[]), None);
    }
}
