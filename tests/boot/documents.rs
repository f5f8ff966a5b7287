//! Reads the files that the documents show, to use them as a reader would.

use std::path::Path;

use crate::files::Files;

fn text(document: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document)).unwrap()
}

/// Asserts that a document has this text, wherever its lines are broken.
#[track_caller]
pub fn says(document: &str, line: &str) {
    let words: Vec<String> = text(document).split_whitespace().map(str::to_owned).collect();
    assert!(words.join(" ").contains(line), "{document} does not say {line}");
}

/// The code blocks of a document.
pub fn blocks(document: &str) -> Vec<String> {
    let text = text(document);
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| Some(block.split_once('\n')?.1.to_owned() + "\n")).collect()
}

/// The content of a file of tester. The block in the document begins with the file's path as a comment.
pub fn file(document: &str, path: &str) -> String {
    let comment = format!("# {path}\n");
    let found = blocks(document).into_iter().find_map(|block| Some(block.strip_prefix(&comment)?.to_owned()));
    found.unwrap_or_else(|| panic!("{document} shows no {path}"))
}

/// Writes the file to its place in the guest.
pub fn write(files: &Files, document: &str, path: &str) {
    files.write(&path.replace('~', "/home/tester"), &file(document, path));
}

/// The output of a command, as the document shows it.
pub fn printed(document: &str, command: &str) -> String {
    let prompt = format!("$ {command}\n");
    let found = blocks(document).into_iter().find_map(|block| Some(block.strip_prefix(&prompt)?.to_owned()));
    found.unwrap_or_else(|| panic!("{document} does not show {command}"))
}
