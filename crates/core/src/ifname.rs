//! Names of links. The kernel treats a name as bytes. Here a name is a text that stands for exactly these bytes.
//!
//! This text is called a spelling. In it, `\xNN` is the byte NN (two hexadecimal digits). [`spell`] writes these
//! bytes that way: each byte that is not part of a UTF-8 character, and all bytes of a character that must not be
//! printed or that separates words. A backslash that would begin such a mark is written `\x5c`. Everything else
//! stays unchanged, so the spelling of an ordinary name is the name. Two names are equal if their spellings are.

use alloc::borrow::Cow;
use core::fmt::Write;

use crate::escape::escape;

/// Returns the spelling of a name.
pub fn spell(name: &[u8]) -> String {
    let mut spelling = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((character, bytes, after)) = next(rest) {
        match character {
            Some('\\') if byte_mark(rest).is_none() => spelling.push('\\'),
            Some(character) if printable(character) && character != '\\' => spelling.push(character),
            Some(_) | None => bytes.iter().for_each(|byte| push_byte(&mut spelling, *byte)),
        }
        rest = after;
    }
    spelling
}

/// Returns the name that a text stands for. The text need not be a spelling: `\xNN` is a byte, everything else is
/// itself.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if let Some((byte, after)) = byte_mark(rest) {
            name.push(byte);
            rest = after;
        } else {
            name.push(*first);
            rest = after;
        }
    }
    name
}

/// Returns the spelling of the name that a text stands for.
pub fn respell(text: &str) -> String {
    spell(&bytes(text))
}

/// Returns a text without its `\xNN` marks.
pub fn without_marks(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = if let Some((_, after)) = byte_mark(rest) {
            after
        } else {
            plain.push(*first);
            after
        };
    }
    // The marks are ASCII, so removing them leaves whole characters.
    String::from_utf8(plain).unwrap_or_default()
}

/// A shell pattern for names. `*`, `?` and `[…]` match characters, or bytes that are not part of a character.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    text: String,
    compiled: glob::Pattern,
}

impl Pattern {
    /// Reads a pattern. `\xNN` in it is a byte that matches only itself.
    ///
    /// # Errors
    /// Fails if the text is not a valid pattern.
    pub fn new(text: &str) -> Result<Pattern, glob::PatternError> {
        let mut meant = text.to_owned();
        for special in ['*', '?', '[', ']'] {
            let mark = format!("\\x{:02x}", u32::from(special));
            for mark in [mark.to_uppercase().replace('X', "x"), mark] {
                meant = meant.replace(&mark, &format!("[{special}]"));
            }
        }
        Ok(Pattern { text: text.to_owned(), compiled: glob::Pattern::new(&units(&meant))? })
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern begins with a part of a name instead of a wildcard.
    pub fn begins_with_a_name(&self) -> bool {
        !self.text.starts_with(['*', '?', '['])
    }

    /// Whether the pattern matches the name with this spelling.
    pub fn matches(&self, spelling: &str) -> bool {
        self.compiled.matches(&units(spelling))
    }
}

/// Returns a name as the characters that a pattern counts: each byte that is not part of a character becomes one
/// character.
fn units(text: &str) -> Cow<'_, str> {
    /// The first of 256 private-use characters that stand for bytes. If a name contains such a character, it counts
    /// as that character's bytes.
    const STAND_INS: u32 = 0x0010_ff00;
    if text.is_ascii() && !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let name = bytes(text);
    let mut units = String::with_capacity(text.len());
    let mut rest = name.as_slice();
    while let Some((character, of_it, after)) = next(rest) {
        match character.filter(|character| u32::from(*character) < STAND_INS) {
            Some(character) => units.push(character),
            None => {
                units.extend(of_it.iter().filter_map(|byte| char::from_u32(STAND_INS + u32::from(*byte))))
            }
        }
        rest = after;
    }
    Cow::Owned(units)
}

/// Returns the first character, its bytes and the rest. There is no character if the first byte does not begin one.
fn next(name: &[u8]) -> Option<(Option<char>, &[u8], &[u8])> {
    let chunk = name.utf8_chunks().next()?;
    let character = chunk.valid().chars().next();
    let length = character.map_or(1, char::len_utf8);
    let (of_it, rest) = name.split_at_checked(length)?;
    Some((character, of_it, rest))
}

/// Reads a `\xNN` at the beginning of the text. Returns its byte and the rest.
fn byte_mark(text: &[u8]) -> Option<(u8, &[u8])> {
    let (mark, rest) = text.split_first_chunk::<4>()?;
    let [b'\\', b'x', high, low] = mark else { return None };
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(high)? << 4 | digit(low)?, rest))
}

/// Whether a character stays unchanged in a spelling: it can be printed, and it is not white space, a slash or a
/// colon.
fn printable(character: char) -> bool {
    let text = character.encode_utf8(&mut [0; 4]).to_owned();
    !character.is_whitespace() && !matches!(character, '/' | ':') && escape(&text) == text
}

fn push_byte(spelling: &mut String, byte: u8) {
    // Writing to a String cannot fail.
    let _ = write!(spelling, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_their_spellings() {
        for (name, spelling) in [
            (&b"eth0"[..], "eth0"),
            (b"lan.100@x", "lan.100@x"),
            ("Büro-LAN".as_bytes(), "Büro-LAN"),
            (b"B\xfcro", r"B\xfcro"),
            (b"e\x1b[31m", r"e\x1b[31m"),
            ("a\u{202e}b".as_bytes(), r"a\xe2\x80\xaeb"),
            (b"my lan", r"my\x20lan"),
            (b"a/b:c", r"a\x2fb\x3ac"),
            (b"x%d\"'", "x%d\"'"),
            // A backslash stays unchanged unless it could be read as the beginning of `\xNN`.
            (br"a\b", r"a\b"),
            (br"a\xfg", r"a\xfg"),
            (br"a\xff", r"a\x5cxff"),
            (b"\\\xff", r"\\xff"),
            (b"\\x4\xff", r"\x4\xff"),
            (b"\xff\xc3", r"\xff\xc3"),
            (b"", ""),
        ] {
            assert_eq!(spell(name), spelling, "{name:?}");
            assert_eq!(bytes(spelling), name, "{spelling}");
        }
    }

    #[test]
    fn a_user_s_text_and_its_spelling_name_the_same_link() {
        for (text, spelling) in [
            (r"\x65th0", "eth0"),
            (r"B\xFCro", r"B\xfcro"),
            (r"B\xc3\xbcro", "Büro"),
            ("my lan", r"my\x20lan"),
            ("a\u{202e}b", r"a\xe2\x80\xaeb"),
            (r"a\b", r"a\b"),
        ] {
            assert_eq!(respell(text), spelling, "{text}");
        }
        assert_eq!(without_marks(r"a\x20b \xzz"), r"ab \xzz");
    }

    #[test]
    fn patterns_match_characters_and_bytes() {
        for (pattern, name, matches) in [
            ("B?ro", &b"B\xfcro"[..], true),
            ("B?ro", "Büro".as_bytes(), true),
            ("B??ro", b"B\xfcro", false),
            ("B*", b"B\xfcro", true),
            (r"B\xfc*", b"B\xfcro", true),
            (r"B[\xfc\xf6]ro", b"B\xfcro", true),
            (r"B[!\xfc]ro", b"B\xfcro", false),
            (r"\xff*", b"B\xfcro", false),
            (r"my\x20*", b"my lan", true),
            ("my?lan", b"my lan", true),
            ("*", b"\xff\xfe", true),
            ("en*", b"enp1s0", true),
            (r"\x65n*", b"enp1s0", true),
            (r"a\b*", br"a\bc", true),
            (r"a\x2a*", b"a*c", true),
            (r"a\x2A*", b"abc", false),
            // The character that stands for a byte internally does not match that byte.
            (r"\xfc*", "\u{10fffc}".as_bytes(), false),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(&spell(name)), matches, "{pattern:?} {name:?}");
        }
    }

    proptest! {
        /// Each name has a spelling of its own, which is safe to print.
        #[test]
        fn a_spelling_stands_for_its_bytes(
            name in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..32),
                // Texts that look like marks.
                "[\\\\x0-9a-fA-F\u{e9}\u{202e} ]{0,16}".prop_map(String::into_bytes),
            ]
        ) {
            let spelling = spell(&name);
            prop_assert_eq!(bytes(&spelling), name);
            prop_assert_eq!(respell(&spelling), spelling.clone());
            prop_assert_eq!(escape(&spelling), spelling.clone());
            prop_assert!(Pattern::new(&glob::Pattern::escape(&spelling)).unwrap().matches(&spelling));
        }
    }
}
