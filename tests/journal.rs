//! The journal's message catalog, as journalctl itself reads it, and the page about the fields.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect, its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use netready::journal::{Kind, Priority, field};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn catalog() -> String {
    read("packaging/journal/netready.catalog")
}

/// The entries of the catalog: id, headers, body.
fn entries(text: &str) -> BTreeMap<String, (Vec<String>, String)> {
    let mut entries = BTreeMap::new();
    for part in text.split("\n-- ").skip(1) {
        let (id, rest) = part.split_once('\n').unwrap();
        let (headers, body) = rest.split_once("\n\n").unwrap();
        let headers = headers.lines().map(str::to_owned).collect();
        assert!(entries.insert(id.to_owned(), (headers, body.to_owned())).is_none(), "{id} is there twice");
    }
    entries
}

#[test]
fn the_catalog_has_an_entry_for_each_kind_and_no_other() {
    let entries = entries(&catalog());
    let ids: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.message_id()).collect();
    assert_eq!(entries.keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    for (id, (headers, body)) in entries {
        let kind = Kind::of_message_id(&id).unwrap();
        let subject = headers.iter().filter_map(|line| line.strip_prefix("Subject: "));
        assert_eq!(subject.filter(|subject| !subject.is_empty()).count(), 1, "{kind:?}");
        assert!(headers.contains(&"Defined-By: netready".to_owned()), "{kind:?}");
        assert!(headers.iter().any(|line| line.contains("man:netready(1)")), "{kind:?} names no manual page");
        assert!(body.contains("netready ") || body.contains("journalctl "), "{kind:?} names no command");
        for line in body.lines() {
            let line = line.replace("@NETREADY_GATE@", "default");
            assert!(line.len() <= 80 || line.contains("journalctl"), "{kind:?}: too wide: {line}");
        }
    }
}

/// Only fields that netready writes are put into the texts.
#[test]
fn the_catalog_names_only_fields_that_exist() {
    for word in catalog().split('@').skip(1).step_by(2) {
        assert!(field::ALL.contains(&word), "@{word}@");
    }
}

#[test]
fn journalctl_takes_the_catalog() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("usr/lib/systemd/catalog");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(root.path().join("var/lib/systemd/catalog")).unwrap();
    fs::write(folder.join("netready.catalog"), catalog()).unwrap();
    let journalctl = |argument: &str| {
        let root = format!("--root={}", root.path().display());
        let output = Command::new("journalctl").args([&root, argument]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.is_empty(), "{argument}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    journalctl("--update-catalog");
    let listed = journalctl("--list-catalog");
    for kind in Kind::ALL {
        let line = format!("{} netready: ", kind.message_id());
        assert_eq!(
            listed.lines().filter(|listed| listed.starts_with(&line)).count(),
            1,
            "{kind:?}\n{listed}"
        );
    }
    assert_eq!(listed.lines().count(), Kind::ALL.len());
}

#[test]
fn every_way_to_install_brings_the_catalog() {
    let cargo = read("Cargo.toml");
    assert_eq!(cargo.matches("packaging/journal/netready.catalog").count(), 2, "deb and rpm");
    assert!(read("Makefile").contains("/systemd/catalog packaging/journal/netready.catalog"));
    for script in ["debian/postinst", "debian/postrm", "rpm/post.sh", "rpm/postun.sh"] {
        assert!(read(&format!("packaging/{script}")).contains("journalctl --update-catalog"), "{script}");
    }
}

/// The rows of a table of the page, cell by cell, below a heading.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let start = page.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = &page[start + 4..];
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn the_page_has_every_kind_and_every_field_and_no_other() {
    let page = read("docs/log-pipeline.md");
    let level = |priority: Priority| match priority {
        Priority::Error => "3 (err)",
        Priority::Warning => "4 (warning)",
        Priority::Info => "6 (info)",
        Priority::Debug => "7 (debug)",
    };
    let kinds = table(&page, "The events");
    let listed: Vec<[&str; 3]> = kinds.iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
    let expected: Vec<[&str; 3]> =
        Kind::ALL.iter().map(|kind| [kind.as_str(), kind.message_id(), level(kind.priority())]).collect();
    assert_eq!(listed, expected);
    let fields = table(&page, "The fields");
    let listed: Vec<&str> = fields.iter().map(|row| &*row[0]).collect();
    assert_eq!(listed, field::ALL);
}
