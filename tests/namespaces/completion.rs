//! What completion offers in real shells. Each shell starts with the script that packages install, and the line is
//! typed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Netns, UP0, write_program};
use crate::netns;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/completions");

/// Asks bash for completions as readline does. Prints each word that would replace the part that readline replaces.
const BASH: &str = r#"
source "$SCRIPTS/netready.bash"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
# readline begins a word anew at each of COMP_WORDBREAKS.
replaced=${COMP_LINE##*[ =:]}
read -ra COMP_WORDS <<<"$COMP_LINE"
[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $(complete -p netready) == "complete -F _netready netready" ]] || exit 9
_netready netready "$replaced" before
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Types the line on a terminal of its own, presses Tab, and prints what zsh adds to the list of matches.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; fpath=("$SCRIPTS" $fpath); autoload -Uz compinit; compinit -u -D; bindkey "^I" complete-word'
zpty -w shell '
compadd() {
    if [[ " $* " == *" -[OAD] "* ]]; then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -A hits "$@"
    local hit; for hit in $hits; do print -r -- "<$hit>"; done
}
ended() { print -r -- "<<en""d>>"; exit }
comppostfuncs=(ended)
print -r -- "<<rea""dy>>"'
zpty -r shell text '*<<ready>>*'
zpty -w -n shell "$1"$'\t'
zpty -r shell text '*<<end>>*'
print -r -- "$text"
"#;

const FISH: &str = r#"
source "$SCRIPTS/netready.fish"
complete -C "$argv[1]"
"#;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Returns everything that the shell offers for the last word of a line.
#[track_caller]
fn offered(ns: &Netns, shell: Shell, programs: &Path, line: &str) -> BTreeSet<String> {
    let (name, options, text): (_, &[&str], _) = match shell {
        Shell::Bash => ("bash", &["--norc", "--noprofile"], BASH),
        Shell::Zsh => ("zsh", &["-f"], ZSH),
        Shell::Fish => ("fish", &["--no-config"], FISH),
    };
    let script = ns.file(name, text);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new(name)
        .args(options)
        .args([&script, line])
        .env("PATH", path)
        .env("SCRIPTS", SCRIPTS)
        .env("HOME", ns.scratch())
        .env("TERM", "dumb")
        .current_dir(ns.scratch())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{name}: {line}: {stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let words = stdout.lines().filter_map(|line| match shell {
        Shell::Bash => Some(line),
        // The first match is on the line, behind what was typed.
        Shell::Zsh => line.rsplit_once('<').and_then(|(_, word)| word.strip_suffix('>')),
        Shell::Fish => line.split('\t').next(),
    });
    words.filter(|word| !word.is_empty() && *word != "end>").map(str::to_owned).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Tests that are the same for each shell.
fn each_place_has_its_words(shell: Shell) {
    let ns = netns!().with_private_etc();
    ns.ip(UP0);
    ns.ip("addr add 192.0.2.1/24 dev va0; addr add 2001:db8::1/64 dev va0 nodad");
    for name in ["lan0", "$(id>pwned)", "`id>pwned`", "a;id>pwned", "x'y", "x*y"] {
        let ip = Command::new("ip").args(["link", "property", "add", "dev", "va0", "altname", name]).status();
        assert!(ip.unwrap().success(), "{name}");
    }
    std::fs::create_dir_all("/etc/netready").unwrap();
    for name in ["nas", "$(id>pwned)", "a b", "-rf"] {
        std::fs::write(format!("/etc/netready/{name}.toml"), "[[require]]\nroute = \"default\"\n").unwrap();
    }
    nix::unistd::mkfifo("/etc/netready/pipe.toml", nix::sys::stat::Mode::S_IRUSR).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_netready")).parent().unwrap();
    // bash replaces only what follows the last `=` or `:`.
    let of_shell = |prefix: &str, words: &str| match shell {
        Shell::Bash => words.to_owned(),
        Shell::Zsh | Shell::Fish => {
            words.split_whitespace().map(|word| format!("{prefix}{word} ")).collect::<String>()
        }
    };
    for (line, expected) in [
        ("netready ch", "check".to_owned()),
        ("netready comp", String::new()),
        ("netready check ", "default nas pipe podman".to_owned()),
        ("netready explain n", "nas".to_owned()),
        ("netready check -i ", "lo va0 vb0 lan0".to_owned()),
        ("netready check -i l", "lo lan0".to_owned()),
        ("netready check -a 1", "192.0.2.1".to_owned()),
        ("netready check -a 2001:db8:", of_shell("2001:db8:", ":1")),
        ("netready check -r d", "default default-ipv4 default-ipv6".to_owned()),
        ("netready check --gateway ", "any ipv4 ipv6".to_owned()),
        ("netready check --gateway=i", of_shell("--gateway=", "ipv4 ipv6")),
        ("netready check --no-p", "--no-probes".to_owned()),
        ("netready check --rec", String::new()),
        ("netready pull --policy ", "missing always newer never".to_owned()),
        ("netready retry --gate n", "nas none".to_owned()),
        ("netready status ", "default nas pipe podman".to_owned()),
        ("netready timeline --boot -", "-1 -2".to_owned()),
    ] {
        // netready offers nothing if the machine is so busy that the prompt would wait.
        let mut found = offered(&ns, shell, programs, line);
        for _ in 0..5 {
            if found.is_empty() {
                found = offered(&ns, shell, programs, line);
            }
        }
        assert_eq!(found, words(&expected), "{line}");
    }
    assert!(!ns.scratch().join("pwned").exists());
    // A gate file is named by its path.
    std::fs::write(ns.scratch().join("own.toml"), "").unwrap();
    if shell != Shell::Bash {
        let files = offered(&ns, shell, programs, "netready check ./ow");
        assert!(files.iter().any(|file| file.ends_with("own.toml")), "{files:?}");
    }
    // A broken installation offers nothing and prints nothing.
    let broken = ns.scratch().join("broken");
    std::fs::create_dir(&broken).unwrap();
    write_program(&broken.join("netready"), "#!/bin/sh\necho oops >&2\nexit 4\n");
    assert_eq!(offered(&ns, shell, &broken, "netready check -i "), BTreeSet::new());
}

#[test]
#[ignore = "needs a network namespace"]
fn bash() {
    each_place_has_its_words(Shell::Bash);
}

#[test]
#[ignore = "needs a network namespace"]
fn zsh() {
    each_place_has_its_words(Shell::Zsh);
}

#[test]
#[ignore = "needs a network namespace"]
fn fish() {
    each_place_has_its_words(Shell::Fish);
}

/// If netready gives no answer, the shell offers nothing, and its prompt does not hang.
#[test]
#[ignore = "needs a network namespace"]
fn nothing_is_said_on_stderr_whatever_is_typed() {
    let ns = netns!();
    for words in
        [&["complete"][..], &["complete", "bash", "--"], &["complete", "fish", "--", "netready", "-"]]
    {
        let said = ns.output(words);
        assert!(said.code == 0 || words.len() == 1, "{words:?}: {said:?}");
    }
    for line in ["", "netready", "netready check \"", "x", "netready check -i \u{1b}", "netready nonesuch a"]
    {
        let said = ns.output(&["complete", "bash", "--", "", line]);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{line:?}: {said:?}");
    }
}
