//! `make demo` and its recording.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::shell::Shell;

/// What the demo shows whenever it runs: the pieces between two or more spaces, without times.
const SHOWN: [&str; 25] = [
    "$ netready run ./demo.toml &",
    "$ netready check ./demo.toml",
    "NOT ready: gate demo (./demo.toml)",
    "eth0: no such link",
    "next: ip -br link (asked for in ./demo.toml:2)",
    "$ netready wait ./demo.toml -- echo The program starts.",
    "The program starts.",
    "Ready: gate demo (./demo.toml)",
    "2001:db8::7 on eth0",
    "default via 2001:db8::1 dev eth0",
    "$ netready timeline demo",
    "eth0 is there, up without carrier",
    "the gate waits: eth0 has no carrier (LOWERLAYERDOWN)",
    "eth0 has carrier",
    "carrier of eth0 is met: eth0",
    "the gate waits: eth0 has no address 2001:db8::7",
    "eth0 has address 2001:db8::7/64, still tentative",
    "the gate waits: 2001:db8::7 on eth0 is tentative",
    "eth0 has address 2001:db8::7/64",
    "address 2001:db8::7 of eth0 is met: 2001:db8::7 on eth0",
    "the gate waits: no default IPv6 route through eth0",
    "route default (IPv6) via 2001:db8::1 dev eth0 metric 1024 is there",
    "route default-ipv6 of eth0 is met: default via 2001:db8::1 dev eth0",
    "the gate is ready: eth0; 2001:db8::7 on eth0; default via 2001:db8::1 dev eth0",
    "gate demo",
];

/// What its live line says, after the time and before what does not fit.
const LIVE: [&str; 5] = [
    "s left): eth0: no such link",
    "s left): eth0 has no carrier",
    "s left): eth0 has no address 2001:db8::7",
    "s left): 2001:db8::7 on eth0 is tentative",
    "s left): no default IPv6 route through eth0",
];

/// The text without the sequences that set colours.
fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let colour = |numbers: &str| numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    parts.fold(first, |plain, part| match part.split_once('m') {
        Some((numbers, rest)) if colour(numbers) => plain + rest,
        Some(_) | None => plain + part,
    })
}

/// The texts of the recording.
fn recorded() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/demo.svg");
    let image = fs::read_to_string(path).unwrap();
    let image = roxmltree::Document::parse(&image).unwrap();
    let texts = image.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn the_recording_shows_what_the_demo_shows() {
    let texts = recorded();
    for piece in SHOWN {
        assert!(texts.contains(piece), "docs/demo.svg lacks {piece:?}; make it again: make demo-recording");
    }
    for piece in LIVE {
        assert!(texts.iter().any(|text| text.contains(piece)), "docs/demo.svg lacks {piece:?}");
    }
    // Nothing of the machine that recorded it.
    for text in &texts {
        let harmless = !["/home/", "/root/", "/tmp/", "target/"].iter().any(|path| text.contains(path));
        assert!(harmless, "{text}");
    }
}

/// Root runs it as a user without rights, who can read the program and the script.
#[test]
#[ignore = "needs user namespaces for ordinary users"]
fn the_demo_runs_without_root_and_leaves_nothing() {
    let mut shell = Shell::new(120);
    let place = shell.path("demo");
    fs::create_dir(&place).unwrap();
    for folder in [shell.path(""), place.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let built = Path::new(env!("CARGO_BIN_EXE_netready")).parent().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (from, name) in [(built, "netready"), (built, "netready-tools"), (script.as_path(), "demo.sh")] {
        // Another process copies: while this one has a file open for writing, a child of another test may inherit the
        // descriptor, and then nobody can execute the file (ETXTBSY).
        let copied = Command::new("cp").arg(from.join(name)).arg(place.join(name)).status().unwrap();
        assert!(copied.success(), "{name}");
    }
    let scratch = place.join("scratch");
    fs::create_dir(&scratch).unwrap();
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o1777)).unwrap();
    let user = match nix::unistd::geteuid().is_root() {
        true => "setpriv --reuid=65534 --regid=65534 --clear-groups ",
        false => "",
    };
    shell.types(&format!(
        "{user}env TMPDIR=$PWD/demo/scratch NETREADY=$PWD/demo/netready demo/demo.sh; echo ended-$?\n"
    ));
    for piece in LIVE {
        shell.saw(piece);
    }
    shell.sees("ended-0");
    let plain = without_colour(&shell.written);
    for piece in SHOWN {
        assert!(plain.contains(piece), "never shown: {piece:?} in\n{plain}");
    }
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "it leaves files behind");
    let left = fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let program = fs::read_link(process.path().join("exe"));
        program.is_ok_and(|program| program.starts_with(&place))
    });
    assert!(!left, "it leaves a process behind");
}
