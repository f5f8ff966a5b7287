//! Makes text that netready did not write safe to print.
//!
//! Link names, gate files, messages of registries and records can contain control characters, line breaks and marks
//! that reverse the direction of writing. Printed unchanged, they could move the cursor of a terminal, forge a line
//! of the journal or of STATUS=, or end a line of a unit file.

use alloc::borrow::Cow;
use core::fmt::Write;

/// Replaces characters that must not reach a terminal, a log line or a unit file. Control characters, including
/// line breaks and tabs, become `\xNN` or `\u{NNNN}`. So do the characters that Unicode uses to direct or hide
/// text. All other text, including a backslash, stays unchanged.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push(&mut safe, character);
    }
    Cow::Owned(safe)
}

/// Does the same for bytes that may not be UTF-8, such as a link's name. A byte that is not part of a character
/// becomes `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut safe = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        safe.push_str(&escape(chunk.valid()));
        for byte in chunk.invalid() {
            push_byte(&mut safe, *byte);
        }
    }
    Cow::Owned(safe)
}

/// Does the same for a text of several lines. Its line breaks stay.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|character| character != '\n' && is_unsafe(character)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if character == '\n' { safe.push('\n') } else { push(&mut safe, character) }
    }
    Cow::Owned(safe)
}

/// Writes a name as one word of a shell's command line, for commands that a person may copy. A name that has only
/// letters, digits and `%+,-./:=@_` stays unchanged. Anything else is put between single quotes.
pub fn shell_word(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    match !name.is_empty() && name.chars().all(is_plain) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("'{}'", name.replace('\'', "'\\''"))),
    }
}

fn push(safe: &mut String, character: char) {
    match u8::try_from(character) {
        _ if !is_unsafe(character) => safe.push(character),
        Ok(byte) if byte.is_ascii() => push_byte(safe, byte),
        // U+0080 to U+009F belong here too, because `\x9b` would mean the byte.
        _ => {
            let _ = write!(safe, "\\u{{{:04x}}}", u32::from(character));
        }
    }
}

fn push_byte(safe: &mut String, byte: u8) {
    let _ = write!(safe, "\\x{byte:02x}");
}

/// Whether [`escape`] replaces the character.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Characters that set the direction: Arabic letter mark, other marks, embeddings, overrides, isolates
            // (UAX #9).
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators; characters without width; the byte order mark.
            | '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
            // Tag characters, which no font shows.
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_bytes, escape_lines, shell_word};

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for (name, word) in [
            ("uplink", "uplink"),
            ("/etc/netready/a-b_c.d:1@x.service", "/etc/netready/a-b_c.d:1@x.service"),
            ("größe", "größe"),
            ("", "''"),
            ("a b", "'a b'"),
            ("a;id", "'a;id'"),
            ("$(id)", "'$(id)'"),
            ("it's", "'it'\\''s'"),
            ("~root", "'~root'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
    }

    #[test]
    fn unsafe_characters_are_escaped_and_others_kept() {
        let table: &[(&str, &str)] = &[
            ("eth0", "eth0"),
            ("Büro-LAN", "Büro-LAN"),
            (r"foo\x2dbar.service", r"foo\x2dbar.service"),
            ("a\nb\tc\0d", r"a\x0ab\x09c\x00d"),
            ("\x1b[31mred\x7f", r"\x1b[31mred\x7f"),
            ("\u{9b}31m", r"\u{009b}31m"),
            ("\u{202e}gpj", r"\u{202e}gpj"),
            ("a\u{2066}b\u{2069}\u{200f}\u{61c}", r"a\u{2066}b\u{2069}\u{200f}\u{061c}"),
            ("a\u{2028}b\u{feff}\u{200b}", r"a\u{2028}b\u{feff}\u{200b}"),
            ("\u{e0041}", r"\u{e0041}"),
        ];
        for (text, safe) in table {
            assert_eq!(escape(text), *safe, "{text:?}");
            assert_eq!(escape_bytes(text.as_bytes()), *safe, "{text:?} as bytes");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_shown_by_their_value() {
        assert_eq!(escape_bytes(b"B\xfcro"), r"B\xfcro");
        assert_eq!(escape_bytes(b"\xff\n\xc3"), r"\xff\x0a\xc3");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(escape_lines("one\ntwo\x1b[2J\r\n"), "one\ntwo\\x1b[2J\\x0d\n");
        assert_eq!(escape_lines("one\ntwo\n"), "one\ntwo\n");
    }
}
