//! The pages in docs/ and the README as pages: links, what packages hold of them, and what a reader finds where.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use netready::doctor::FindingCode;

use crate::{pages, read, root};

fn how_to_pages() -> Vec<String> {
    pages().into_iter().filter(|page| page.starts_with("docs/how-to/")).collect()
}

#[test]
fn the_index_leads_to_every_page_and_the_readme_to_the_index() {
    assert!(read("README.md").contains("(docs/README.md)"));
    let index = read("docs/README.md");
    for page in pages() {
        let Some(page) = page.strip_prefix("docs/") else { continue };
        assert!(page == "README.md" || index.contains(&format!("({page})")), "docs/README.md: {page}");
    }
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line);
        }
    }
    lines
}

/// The targets of the links in a text, which may be broken over two lines.
fn links(text: &str) -> Vec<String> {
    let text = prose(text).join("\n");
    let targets =
        text.match_indices("](").map(|(at, _)| text[at + 2..].split(')').next().unwrap().to_owned());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// A page that names the test of a statement does so as `tests/FILE.rs::TEST`.
#[test]
fn the_tests_that_pages_name_are_there() {
    let mut found = 0;
    for page in pages() {
        let text = read(&page);
        for span in text.split('`').filter(|span| !span.contains(char::is_whitespace)) {
            let Some((file, test)) = span.split_once(".rs::") else { continue };
            let source = read(&format!("{file}.rs"));
            assert!(source.contains(&format!("fn {test}(")), "{page}: {span}");
            found += 1;
        }
    }
    assert!(found >= 30, "the pages name only {found} tests");
}

/// What GitHub and others make of a heading: the part of an address after the `#`.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn relative_links_lead_to_a_file_and_a_heading_of_it() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = root().join(&page).parent().unwrap().to_owned();
        for target in links(&read(&page)) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            let text = fs::read_to_string(&path).unwrap_or_default();
            let heading = anchor.is_empty() || anchors(&text).contains(anchor);
            if !path.exists() || !heading {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Where a package puts each file of the checkout, as a path from the documents' folder.
fn packaged(assets: &[(String, String)]) -> BTreeSet<PathBuf> {
    let mut packaged = BTreeSet::new();
    for (source, destination) in assets {
        let destination = destination.trim_start_matches('/');
        let Some(folder) = destination.strip_prefix("usr/share/doc/netready/") else { continue };
        for path in glob::glob(root().join(source).to_str().unwrap()).unwrap() {
            packaged.insert(Path::new(folder).join(path.unwrap().file_name().unwrap()));
        }
    }
    packaged
}

/// The source and destination of each file that a packaging tool is told of.
fn assets(tool: &str) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "netready").unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let pair = |asset: &serde_json::Value| match asset.as_array() {
        Some(parts) => (text(&parts[0]), text(&parts[1])),
        None => (text(&asset["source"]), text(&asset["dest"])),
    };
    package["metadata"][tool]["assets"].as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn packaged_documents_link_to_nothing_that_is_not_packaged() {
    for tool in ["deb", "generate-rpm"] {
        let packaged = packaged(&assets(tool));
        for page in pages() {
            assert!(packaged.contains(Path::new(&page)), "{tool}: {page} is not packaged");
            let folder = Path::new(&page).parent().unwrap();
            for target in links(&read(&page)) {
                let path = target.split('#').next().unwrap();
                let mut place = PathBuf::new();
                for part in folder.join(path).components() {
                    match part {
                        Component::ParentDir => assert!(place.pop(), "{tool}: {page}: {target}"),
                        Component::Normal(name) => place.push(name),
                        Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
                    }
                }
                let there = path.is_empty() || packaged.iter().any(|file| file.starts_with(&place));
                assert!(there, "{tool}: {page} links to {target}, which is not packaged");
            }
        }
    }
}

/// A package's tools read Cargo.toml; `make install` has lists of its own.
#[test]
fn make_install_copies_every_page() {
    let makefile = read("Makefile");
    for page in pages() {
        let folder = Path::new(&page).parent().unwrap();
        let all = folder.join("*.md");
        assert!(makefile.contains(&page) || makefile.contains(all.to_str().unwrap()), "Makefile: {page}");
    }
}

#[test]
fn every_how_to_page_says_what_to_write_how_to_verify_and_when_not_to() {
    let pages = how_to_pages();
    assert!(pages.len() >= 11, "{pages:?}");
    for page in pages {
        let text = read(&page);
        // The error text or the problem stands first, so that a search finds it.
        let mut lines = text.lines().filter(|line| !line.is_empty()).skip(1);
        assert!(lines.next().is_some_and(|line| line.starts_with("```")), "{page}: no error text at the top");
        for section in ["## What to write", "## Verify", "## When not to use it"] {
            assert!(text.lines().any(|line| line == section), "{page}: no {section}");
        }
    }
}

/// A symptom, and what stands below it.
fn entries(text: &str) -> Vec<(String, String)> {
    let sections = text.split("\n### ").skip(1);
    sections
        .map(|section| {
            let (heading, body) = section.split_once('\n').unwrap();
            (heading.to_owned(), body.split("\n## ").next().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn each_symptom_leads_to_a_page() {
    let entries = entries(&read("docs/troubleshooting.md"));
    let literal = entries.iter().filter(|(heading, _)| heading.starts_with('`')).count();
    assert!(literal >= 20, "only {literal} headings are error texts");
    for (heading, body) in entries {
        // relative_links_lead_to_a_file_and_a_heading_of_it() looks whether the page is there.
        assert!(!links(&body).is_empty(), "troubleshooting.md: {heading} leads nowhere");
    }
}

/// A search by line finds an error text only if the text is on one line.
#[test]
fn no_error_text_is_broken_over_two_lines() {
    for page in ["docs/troubleshooting.md", "docs/doctor.md"] {
        let text = read(page);
        for line in prose(&text) {
            assert!(
                line.matches('`').count() % 2 == 0,
                "{page}: a code span is broken over two lines: {line}"
            );
        }
    }
}

/// Rows of a table, each split into its cells.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
}

#[test]
fn the_figures_of_the_readme_are_those_that_were_measured() {
    let measured = rows(&read("docs/boot.md"));
    let mut compared = 0;
    let shown = rows(&read("README.md"));
    for row in shown.iter().skip_while(|row| row[0] != "case").skip(1).take_while(|row| row.len() == 6) {
        let [case, stack, others @ .., netready] = &row[..] else { panic!("{row:?}") };
        let found = measured.iter().find(|row| row.len() > 6 && row[0] == *case && row[1] == *stack);
        let found = found.unwrap_or_else(|| panic!("docs/boot.md has no row: {case}, {stack}"));
        assert_eq!(&found[3..6], others, "{case}: docs/boot.md has {found:?}");
        assert_eq!(found[6], *netready, "{case}: docs/boot.md has {found:?}");
        compared += 1;
    }
    assert!(compared >= 4, "the README shows only {compared} of the boots");
}

/// What the pages show of doctor's findings is what it says today.
#[test]
fn the_findings_that_pages_show_are_explained_as_doctor_explains_them() {
    let known: BTreeSet<&str> = FindingCode::ALL.iter().map(|code| code.why()).collect();
    let mut shown = 0;
    for page in pages() {
        for why in read(&page).lines().filter_map(|line| line.strip_prefix("  why   ").map(str::to_owned)) {
            assert!(known.contains(why.as_str()), "{page}: doctor does not say: {why}");
            shown += 1;
        }
    }
    assert!(shown >= 4, "the pages show only {shown} findings");
}
