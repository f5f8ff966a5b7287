//! What the manual, the README and the pages in docs/ say, against the program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at what it did not expect, its helpers too"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use netready::verdict::ReasonCode;
use netready_core::config::keys::{self, AskedOf, Key, Level, Role};

#[path = "docs/fleet.rs"]
mod fleet;
#[path = "docs/manual.rs"]
mod manual;
#[path = "docs/pages.rs"]
mod pages;

const COMMANDS: [&str; 14] = [
    "check", "wait", "monitor", "cat", "learn", "doctor", "run", "retry", "pull", "status", "list",
    "metrics", "timeline", "explain",
];
/// Those that take no requirement options.
const WITHOUT_OPTIONS: [&str; 6] = ["learn", "doctor", "status", "list", "metrics", "timeline"];
/// Those that take no GATE of their own, but a command's words.
const RUN_ANOTHER: [&str; 2] = ["retry", "pull"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page that is Markdown, by its path from the root.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "packaging/README.md"]
            .map(str::to_owned)
            .into();
    for folder in ["docs", "docs/how-to"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(format!("{folder}/{name}"));
            }
        }
    }
    pages
}

fn netready(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netready"))
        .args(arguments)
        .env_remove("NOTIFY_SOCKET")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The `--words` of a text.
fn long_options(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut options = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let name: String = text[at + 2..].chars().take_while(|c| word(*c)).collect();
        let name = name.trim_end_matches('-');
        if !before.is_some_and(word) && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            options.insert(format!("--{name}"));
        }
    }
    options
}

fn help_of(command: &str) -> String {
    let output = netready(&[command, "--help"]);
    assert!(output.status.success(), "{command} --help: {}", stderr(&output));
    stdout(&output)
}

fn all_options() -> BTreeSet<String> {
    COMMANDS.iter().flat_map(|command| long_options(&help_of(command))).collect()
}

/// The fenced blocks of one language in a Markdown page.
fn fenced(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(tag) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            if tag == language {
                blocks.push(block.join("\n") + "\n");
            }
        }
    }
    blocks
}

/// The literal displays of an mdoc page.
fn displays(text: &str) -> Vec<String> {
    text.split(".Bd -literal")
        .skip(1)
        .map(|rest| {
            let (_, body) = rest.split_once('\n').unwrap();
            body.split(".Ed").next().unwrap().to_owned()
        })
        .collect()
}

/// The part of an mdoc page below a heading.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let start = text.find(&format!(".Sh {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let body = &text[start + 4..];
    body.find("\n.Sh ").map_or(body, |end| &body[..end])
}

/// The tags of an mdoc list, where they are set in this macro.
fn tags(section: &str, macro_name: &str) -> BTreeSet<String> {
    let start = format!(".It {macro_name} ");
    section.lines().filter_map(|line| line.strip_prefix(&start)).map(str::to_owned).collect()
}

/// A file of its own for each text, gone when the folder is dropped.
fn gate_file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let count = fs::read_dir(folder.path()).unwrap().count();
    let path = folder.path().join(format!("example{count}.toml"));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_option_is_explained() {
    let pages = ["docs/commands.md", "man/netready.toml.5", "man/netready-doctor.1"];
    let documented = long_options(&pages.map(read).concat().replace("Fl -", "--"));
    let options = all_options();
    assert!(options.len() >= 15, "--help shows only {options:?}");
    let undocumented: Vec<String> = options.difference(&documented).cloned().collect();
    let generated = ["--help", "--version"].map(str::to_owned);
    let missing: Vec<&String> = undocumented.iter().filter(|option| !generated.contains(option)).collect();
    assert!(missing.is_empty(), "nowhere explained: {missing:?}");
}

/// Lines that begin with `netready COMMAND`, up to a comment or what `--` hands on.
#[test]
fn every_command_line_in_the_documents_is_understood() {
    let texts: Vec<(String, String)> = pages().into_iter().map(|page| (page.clone(), read(&page))).collect();
    let mut tried = 0;
    for (page, text) in texts {
        for line in text.lines() {
            let line = line.trim_start_matches("$ ").trim_start_matches("sudo ");
            let line = line.trim_start_matches("ExecStartPre=/usr/bin/");
            let Some(rest) = line.strip_prefix("netready ") else { continue };
            let rest = rest.split(" #").next().unwrap().split(" | ").next().unwrap();
            let words: Vec<&str> = rest.split_whitespace().take_while(|word| *word != "--").collect();
            let Some(command) = words.first().filter(|word| COMMANDS.contains(word)) else { continue };
            let known = long_options(&help_of(command));
            for option in long_options(&words.join(" ")) {
                assert!(known.contains(&option), "{page}: {line}: {command} has no {option}");
            }
            tried += 1;
            // Options only, no gate: `cat` of them says whether they make sense.
            let requires = !WITHOUT_OPTIONS.contains(command) && !RUN_ANOTHER.contains(command);
            let alone = !words.contains(&"--json") && requires;
            if words.get(1).is_some_and(|word| word.starts_with('-')) && alone {
                let output = netready(&[&["cat"], &words[1..]].concat());
                assert!(output.status.success(), "{page}: {line}: {}", stderr(&output));
            }
        }
    }
    assert!(tried >= 10, "only {tried} command lines were found");
}

#[test]
fn the_readme_and_the_page_of_commands_name_every_command() {
    let (readme, page) = (read("README.md"), read("docs/commands.md"));
    let help = stdout(&netready(&["--help"]));
    for command in COMMANDS {
        let takes = match command {
            "doctor" => " [--fix]",
            "list" => " [--json]",
            "metrics" => "`",
            _ if RUN_ANOTHER.contains(&command) => " [opts]",
            _ => " [GATE]",
        };
        let named = format!("`netready {command}{takes}");
        assert!(readme.contains(&named), "README.md: {command}");
        assert!(page.contains(&named), "docs/commands.md: {command}");
        let listed = |line: &str| line.split_whitespace().next() == Some(command);
        assert!(help.lines().any(listed), "--help does not list {command}:\n{help}");
    }
}

#[test]
fn every_example_of_a_gate_file_is_accepted() {
    let manual = read("man/netready.toml.5");
    let mut examples: Vec<(String, String)> = displays(&manual)
        .into_iter()
        .filter(|text| text.contains("[[require]]"))
        .map(|text| ("man/netready.toml.5".to_owned(), text))
        .collect();
    assert!(examples.len() >= 5, "the manual has only {} examples", examples.len());
    for page in pages() {
        let blocks = fenced(&read(&page), "toml");
        examples.extend(blocks.into_iter().map(|text| (page.clone(), text)));
    }
    let folder = tempfile::tempdir().unwrap();
    for (page, text) in examples {
        let path = gate_file(&folder, &text);
        let output = netready(&["cat", path.to_str().unwrap()]);
        assert!(output.status.success(), "{page}: {}\n{text}", stderr(&output));
        assert!(stdout(&output).contains(text.trim_end()), "{page}: cat prints something else");
        let explained = stdout(&netready(&["explain", path.to_str().unwrap()]));
        for (number, line) in text.lines().enumerate() {
            let Some(key) = line.split(" = ").next().map(str::trim).filter(|key| *key != line.trim()) else {
                continue;
            };
            if keys::find_anywhere(key).is_some() {
                let place = format!("{key}, {}:{}", path.display(), number + 1);
                assert!(explained.contains(&place), "{page}: {place}\n{text}\n{explained}");
            }
        }
    }
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let manual = read("man/netready.toml.5");
    let folder = tempfile::tempdir().unwrap();
    // The error for a key that is like no other lists the level's keys.
    let path = gate_file(&folder, "qqqqqqqqqqqq = 1\n\n[[require]]\nqqqqqqqqqqqq = 1\n");
    let output = netready(&["check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = stderr(&output);
    let lists: Vec<BTreeSet<String>> = said
        .lines()
        .filter_map(|line| line.split_once("the keys here are "))
        .map(|(_, keys)| {
            let keys = keys.replace(" and ", ", ");
            keys.split(", ").filter(|key| *key != "[[require]]").map(str::to_owned).collect()
        })
        .collect();
    let [gate, clause] = &lists[..] else { panic!("two lists of keys are expected in:\n{said}") };
    assert_eq!(&tags(section(&manual, "KEYS OF THE GATE"), "Cm"), gate);
    assert_eq!(&tags(section(&manual, "KEYS OF A CLAUSE"), "Cm"), clause);
}

#[test]
fn every_key_of_the_manual_is_accepted() {
    let manual = read("man/netready.toml.5");
    let folder = tempfile::tempdir().unwrap();
    for name in tags(section(&manual, "KEYS OF A CLAUSE"), "Cm") {
        let key = keys::find(&name, Level::Clause).unwrap_or_else(|| panic!("no key {name}"));
        for example in key.example.split(" or ") {
            let clause = with_what_it_needs(key, example);
            let path = gate_file(&folder, &format!("[[require]]\n{clause}\n"));
            let output = netready(&["cat", path.to_str().unwrap()]);
            assert!(output.status.success(), "{clause}: {}", stderr(&output));
        }
    }
}

/// A clause with this line, and with the key without which the line's own key makes no sense.
fn with_what_it_needs(key: &Key, example: &str) -> String {
    let other = match &key.role {
        Role::Refines { refined, .. } => keys::all().find(|other| refined(other)),
        Role::Asks { of: AskedOf::Links, .. } => Some(&keys::INTERFACE),
        Role::Clause if key.name != keys::INTERFACE.name => Some(&keys::INTERFACE),
        Role::Gate | Role::Clause | Role::Asks { .. } => None,
    };
    other.map_or(example.to_owned(), |other| format!("{}\n{example}", other.example))
}

/// What the manual says of each value: all of them are accepted, and not only the examples of the table.
#[test]
fn every_kind_of_value_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    for clause in [
        "interface = [\"lan0\", \"lan1\"]\nquorum = \"all\"",
        "address = [\"ip\", \"ipv4\", \"link-local-ipv6\", \"192.0.2.7\", \"2001:db8::/32\"]",
        "route = [\"default\", \"default-ipv4\", \"default-ipv6\", \"198.51.100.0/24\"]",
        "route-to = [\"198.51.100.7\", \"fe80::1%lan0\"]",
        "tcp = [\"nas:3260\", \"192.0.2.7:22\", \"[2001:db8::7]:22\", \"[fe80::7%lan0]:22\"]",
        "http = [\"http://[fe80::7%25lan0]/\", \"https://registry.example.org/v2/\"]",
        "ping = [\"192.0.2.1\", \"fe80::1%lan0\"]",
        "gateway = [\"ipv4\", \"ipv6\"]",
        "route = \"default-ipv6\"\nif-present = true",
    ] {
        let path = gate_file(&folder, &format!("[[require]]\n{clause}\n"));
        let output = netready(&["cat", path.to_str().unwrap()]);
        assert!(output.status.success(), "{clause}: {}", stderr(&output));
    }
}

/// A page names the line of a packaged gate that asks for something. That line has the key.
#[test]
fn the_lines_of_packaged_gates_that_pages_name_are_those_of_keys() {
    const PACKAGED: &str = "asked for in /usr/lib/netready/";
    let mut seen = 0;
    for page in pages() {
        for line in read(&page).lines() {
            let Some((_, place)) = line.split_once(PACKAGED) else { continue };
            let (file, number) = place.trim_end_matches(')').split_once(':').unwrap();
            let text = read(&format!("gates/{file}"));
            let named = text.lines().nth(number.parse::<usize>().unwrap() - 1).unwrap();
            let key = named.split(" = ").next().unwrap().trim();
            assert!(keys::find_anywhere(key).is_some(), "{page}: {place}: {named}");
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn the_documents_have_every_reason_code_and_no_other() {
    let codes: BTreeSet<String> = ReasonCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(tags(section(&read("man/netready.toml.5"), "REASON CODES"), "Li"), codes);
    let page = read("docs/reasons.md");
    let listed: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|rest| rest.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(listed, codes);
}

#[test]
fn the_page_has_every_code_of_doctor_and_no_other() {
    let page = read("docs/doctor.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let codes: Vec<&str> = netready::doctor::FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings.collect::<Vec<_>>(), codes);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for code in netready::doctor::FindingCode::ALL {
        assert!(words(&page).contains(&words(code.why())), "{}: {}", code.as_str(), code.why());
        let heading = format!("### `{}`\n", code.as_str());
        let section = page.split(&heading).nth(1).unwrap().split("\n### ").next().unwrap();
        for text in code.error_texts() {
            assert!(words(section).contains(&words(&format!("`{text}`"))), "{}: {text}", code.as_str());
        }
    }
}

/// The built-in gates are the shipped files.
#[test]
fn the_built_in_gates_are_the_files_in_gates() {
    for name in ["default", "podman"] {
        let output = netready(&["cat", name]);
        assert!(output.status.success(), "{}", stderr(&output));
        // A machine that has a gate of that name of its own shows that one.
        let elsewhere = ["/etc", "/run", "/usr/local/lib", "/usr/lib"]
            .iter()
            .any(|folder| Path::new(folder).join("netready").exists());
        if !elsewhere {
            assert!(stdout(&output).contains(&read(&format!("gates/{name}.toml"))), "{name}");
        }
    }
}
