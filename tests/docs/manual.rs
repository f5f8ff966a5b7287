//! The manual pages: those that are written by hand, and those of the commands, as `make manual` makes them.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::{all_options, help_of, long_options, read, root};

#[path = "../../examples/manual/page.rs"]
mod page;

fn definition() -> clap::Command {
    let mut definition = netready::cli::definition();
    definition.build();
    definition
}

/// The name of each page's file and its text, in mdoc(7).
pub fn pages() -> Vec<(String, String)> {
    let mut pages = page::pages(&definition(), &root().join("man")).unwrap();
    for entry in fs::read_dir(root().join("man")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".1") {
            pages.push((name.clone(), read(&format!("man/{name}"))));
        }
    }
    pages
}

/// What a formatter prints, and what it complains about.
fn formatted(program: &str, options: &[&str], name: &str, page: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), page).unwrap();
    let output = Command::new(program).args(options).arg(name).current_dir(&folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

#[test]
#[ignore = "needs mandoc and groff"]
fn every_page_is_formatted_without_a_warning() {
    for (name, page) in pages() {
        let (said, _) = formatted("mandoc", &["-Tlint", "-W", "style"], &name, &page);
        // Which other pages there are depends on the machine.
        let said: Vec<&str> =
            said.lines().filter(|line| !line.contains("referenced manual not found")).collect();
        assert_eq!(said, Vec::<&str>::new(), "{name}");
        let (shown, said) = formatted("groff", &["-ww", "-mandoc", "-Tutf8"], &name, &page);
        assert_eq!(said, "", "{name}");
        // A sequence that was meant for the formatter, and quotes that only Markdown knows.
        for wrong in ["\\(", "\\-", "\\[", "\\e", "`"] {
            assert!(!shown.contains(wrong), "{name} shows {wrong}:\n{shown}");
        }
    }
}

/// The headings of a page, in their order.
fn headings(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix(".Sh ")).collect()
}

#[test]
fn every_page_has_the_sections_that_a_reader_looks_for() {
    for (name, page) in pages() {
        let found = headings(&page);
        let mut wanted = vec!["NAME", "SYNOPSIS", "DESCRIPTION", "FILES", "EXAMPLES", "SEE ALSO"];
        if name.ends_with(".1") || name.ends_with(".8") {
            wanted.push("EXIT STATUS");
        }
        if name.ends_with(".1") && name != "netready.1" {
            wanted.push("OPTIONS");
        }
        for heading in wanted {
            assert!(found.contains(&heading), "{name} has no {heading}, only {found:?}");
        }
        let title = format!(
            ".Dt {}\n",
            name.rsplit_once('.').unwrap().0.to_uppercase() + &format!(" {}", &name[name.len() - 1..])
        );
        assert!(page.contains(&title), "{name}: {title}");
    }
}

/// The names of a project's own pages in a text, as `netready-quadlet(7)`.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let mut named = BTreeSet::new();
    for (at, _) in text.match_indices("netready") {
        let name: String = text[at..].chars().take_while(|c| word(*c)).collect();
        let section = text[at + name.len()..].strip_prefix('(').and_then(|rest| rest.split_once(')'));
        if let Some((section, _)) = section.filter(|(section, _)| section.len() == 1) {
            named.insert(format!("{name}.{section}"));
        }
    }
    named
}

#[test]
fn every_page_that_is_named_is_there() {
    let pages = pages();
    let there: BTreeSet<String> = pages.iter().map(|(name, _)| name.clone()).collect();
    for (name, page) in &pages {
        let references = page
            .lines()
            .filter_map(|line| line.trim_start_matches(".It ").trim_start_matches('.').strip_prefix("Xr "));
        let mut own = 0;
        for reference in references.filter(|reference| reference.starts_with("netready")) {
            let words: Vec<&str> = reference.split(' ').collect();
            let file = format!("{}.{}", words[0], words[1]);
            assert!(there.contains(&file), "{name}: .Xr {reference}");
            own += 1;
        }
        assert!(own > 0, "{name} names no other page of netready");
    }
    for path in super::pages() {
        for file in named(&read(&path)) {
            assert!(there.contains(&file), "{path} names {file}, which is not built");
        }
    }
    // Each command has its page, and netready(1) lists it.
    for command in page::listed(&definition()) {
        let line = format!(".It Xr netready-{} 1\n", command.get_name());
        assert!(pages[0].1.contains(&line), "netready.1: {line}");
    }
}

/// Every `.Fl -word` and `--word` is an option of the page's command, or of another command that the page names.
#[test]
fn every_option_in_a_page_exists() {
    let options = all_options();
    // Of Podman, journalctl, the generator and the general program.
    let others = ["--tls-verify", "--list-boots", "--dry-run", "--user", "--help", "--version"];
    for (name, page) in pages() {
        let text = page.replace("Fl -", "--");
        for option in long_options(&text) {
            let known = options.contains(&option) || others.contains(&option.as_str());
            assert!(known, "{name}: there is no option {option}");
        }
        let Some(command) = name.strip_prefix("netready-").and_then(|rest| rest.strip_suffix(".1")) else {
            continue;
        };
        let listed: BTreeSet<String> = page
            .lines()
            .filter(|line| line.starts_with(".It Fl "))
            .flat_map(|line| long_options(&line.replace("Fl -", "--")))
            .collect();
        assert_eq!(listed, long_options_of(command), "{name}");
    }
}

fn long_options_of(command: &str) -> BTreeSet<String> {
    let definition = definition();
    let command = definition.find_subcommand(command).unwrap();
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let options: BTreeSet<String> = shown.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    let helped = long_options(&help_of(command.get_name()));
    assert!(options.is_subset(&helped), "{options:?} {helped:?}");
    options
}

/// The words of a line as a shell would split it, up to a pipe, a redirection or a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '|' | '>' | '#') => break,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Each command line in an example is one that the program accepts.
#[test]
fn every_example_is_parsed() {
    let mut tried = BTreeSet::new();
    for (name, page) in pages() {
        let Some((_, examples)) = page.split_once(".Sh EXAMPLES\n") else { continue };
        let examples = examples.split("\n.Sh ").next().unwrap();
        for display in super::displays(examples) {
            let display = display.replace("\\e\n", "").replace("\\(aq", "'");
            for line in display.lines() {
                let line = ["sudo ", "exec ", "ExecStartPre=/usr/bin/", "ExecStart=/usr/bin/"]
                    .iter()
                    .fold(line, |line, before| line.strip_prefix(before).unwrap_or(line));
                if line != "netready" && !line.starts_with("netready ") {
                    continue;
                }
                let parsed = definition().try_get_matches_from(words(line));
                assert!(parsed.is_ok(), "{name}: {line}\n{}", parsed.unwrap_err());
                tried.insert(name.clone());
            }
        }
    }
    for (name, _) in pages().iter().filter(|(name, _)| name.ends_with(".1")) {
        assert!(tried.contains(name), "{name} shows no command line");
    }
}

#[test]
fn every_page_is_installed() {
    let makefile = read("Makefile");
    assert!(makefile.contains("for section in 5 7 8; do") && makefile.contains("$(TARGET)/man/*.1"));
    let packages = read("Cargo.toml");
    for (name, _) in pages().iter().filter(|(name, _)| !name.ends_with(".1")) {
        let path = format!("\"man/{name}\"");
        assert_eq!(packages.matches(&path).count(), 2, "Cargo.toml: {path} for deb and rpm");
    }
}
