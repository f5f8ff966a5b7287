//! Command lines in unit files: splits them as systemd does, and writes arguments so that systemd reads them
//! back.

use crate::escape::is_unsafe;

/// One argument of an `Exec…=` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// The program gets exactly this text: `%` and `$` have no special meaning in it.
    Plain(String),
    /// systemd expands specifiers and variables in this text, such as `%i` and `${NAME}`, as it does in the
    /// quadlet.
    Expanded(String),
}

impl Argument {
    /// Makes an argument that the program gets exactly as it is.
    pub fn plain(text: impl Into<String>) -> Argument {
        Argument::Plain(text.into())
    }

    /// Makes an argument from a text of the quadlet, in which systemd expands specifiers and variables.
    pub fn expanded(text: impl Into<String>) -> Argument {
        Argument::Expanded(text.into())
    }
}

impl Argument {
    /// Whether a unit file can hold the argument. systemd accepts no NUL, and a byte that was not UTF-8 was
    /// lost when the quadlet was read.
    pub fn can_be_written(&self) -> bool {
        let (Argument::Plain(text) | Argument::Expanded(text)) = self;
        !text.contains(['\0', '\u{fffd}'])
    }
}

/// Writes a command line.
pub fn line(words: &[Argument]) -> String {
    let quoted: Vec<String> = words.iter().map(quoted).collect();
    quoted.join(" ")
}

fn quoted(word: &Argument) -> String {
    match word {
        Argument::Plain(text) => quote(&text.replace('%', "%%").replace('$', "$$")),
        Argument::Expanded(text) => quote(text),
    }
}

/// Quotes a text if systemd needs it. A single `;` is quoted too, because it would end the command.
/// Characters that are unsafe in a unit file, such as a mark that reverses the direction of writing, become
/// escapes that systemd reads back.
fn quote(text: &str) -> String {
    let special = |c: char| c.is_whitespace() || is_unsafe(c) || matches!(c, '"' | '\'' | '\\');
    if !text.is_empty() && text != ";" && !text.contains(special) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // systemd takes no NUL in any form.
            '\0' => {}
            c if !is_unsafe(c) => quoted.push(c),
            c if c.is_ascii() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

/// Splits a value at blanks, and reads quotes and C escapes. `None` if an escape is unknown. A quote that is
/// open at the end is closed there.
pub fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let Some(escape) = chars.next() else { break };
                word.get_or_insert_default().push(unescape(escape, &mut chars)?);
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t' | '\n' | '\r', None) => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

fn unescape(escape: char, rest: &mut std::str::Chars<'_>) -> Option<char> {
    let mut number = |digits: usize, radix: u32, begun: Option<char>| {
        let taken: String = begun.into_iter().chain(rest.by_ref()).take(digits).collect();
        if taken.chars().count() < digits {
            return None;
        }
        let code = u32::from_str_radix(&taken, radix).ok().filter(|code| *code != 0)?;
        char::from_u32(code)
    };
    Some(match escape {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        's' => ' ',
        '\\' | '"' | '\'' => escape,
        'x' => number(2, 16, None)?,
        'u' => number(4, 16, None)?,
        'U' => number(8, 16, None)?,
        '0'..='7' => number(3, 8, Some(escape))?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_apart_what_systemd_takes_apart() {
        let some = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        for (text, words) in [
            ("", some(&[])),
            ("  a  b ", some(&["a", "b"])),
            ("'a b' \"c d\"", some(&["a b", "c d"])),
            ("--x='a b'c", some(&["--x=a bc"])),
            ("\"\" a", some(&["", "a"])),
            ("a\\x20b\\tc\\\\d", some(&["a b\tc\\d"])),
            ("\\101\\u00e9", some(&["Aé"])),
            ("\"open quote", some(&["open quote"])),
            ("a\\", some(&["a"])),
            ("a\\q", None),
            ("\\x2", None),
            ("\\x00", None),
        ] {
            assert_eq!(split(text), words, "{text:?}");
        }
    }

    #[test]
    fn writes_words() {
        for (word, text) in [
            (Argument::plain("a"), "a"),
            (Argument::plain(""), "\"\""),
            (Argument::plain("50% $HOME"), "\"50%% $$HOME\""),
            (Argument::expanded("img:%i"), "img:%i"),
            (Argument::expanded("a \"b\""), "\"a \\\"b\\\"\""),
            (Argument::plain(";"), "\";\""),
            (Argument::plain("a\nb"), "\"a\\nb\""),
            (Argument::plain("a\u{1b}[31m"), "\"a\\x1b[31m\""),
            (Argument::expanded("a\u{202e}b\u{85}\u{2028}"), "\"a\\u202eb\\u0085\\u2028\""),
            (Argument::plain("\u{e0041}é"), "\"\\U000e0041é\""),
        ] {
            assert_eq!(line(&[word]), text);
        }
    }

    /// What systemd does with a word after taking the line apart.
    fn expand(word: &str) -> String {
        word.replace("%%", "%").replace("$$", "$")
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(texts in proptest::collection::vec("[^\0]*", 1..5)) {
            let words: Vec<Argument> = texts.iter().map(|text| Argument::plain(text.clone())).collect();
            let text = line(&words);
            prop_assert!(!text.contains(is_unsafe));
            let read: Vec<String> = split(&text).unwrap().iter().map(|word| expand(word)).collect();
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            if let Some(words) = split(&text) {
                let again: Vec<Argument> = words.iter().map(|word| Argument::expanded(word.clone())).collect();
                prop_assert_eq!(split(&line(&again)), Some(words));
            }
        }
    }
}
