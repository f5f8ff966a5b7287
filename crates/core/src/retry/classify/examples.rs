//! Reads the files of error texts: `examples.txt`, with one meaning for each text, and `judged.txt`.

use super::table::LIMITED;
use crate::retry::Retryability::{self, AtBootOnly, Later, Never};

/// A text and its meaning.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) text: String,
    pub(super) again: Retryability,
    /// The reason that is shown.
    pub(super) why: &'static str,
}

/// The texts of `examples.txt`.
pub(super) fn examples() -> Vec<Example> {
    let of_line = |(head, text): (&'static str, String)| {
        let (again, why) = head.split_once(' ').unwrap();
        Example { text, again: class(again), why }
    };
    read(include_str!("examples.txt")).into_iter().map(of_line).collect()
}

/// The texts of `judged.txt`, each with the classes that are right for it.
pub(super) fn judged() -> Vec<(Vec<Retryability>, String)> {
    let of_line = |(head, text): (&'static str, String)| (head.split(" or ").map(class).collect(), text);
    read(include_str!("judged.txt")).into_iter().map(of_line).collect()
}

fn class(word: &str) -> Retryability {
    match word {
        "again" => Later,
        "limited" => LIMITED,
        "at-boot" => AtBootOnly,
        "never" => Never,
        word => panic!("{word} is not a class"),
    }
}

/// Returns each text with the line without indentation above it.
fn read(file: &'static str) -> Vec<(&'static str, String)> {
    let mut texts = Vec::new();
    let mut head = "";
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("    ") {
            Some(text) => texts.push((head, unescaped(text))),
            None => head = line,
        }
    }
    texts
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('e') => '\u{1b}',
                Some('\\') => '\\',
                other => panic!("{other:?} is not an escape: {text}"),
            },
            c => c,
        });
    }
    plain
}
