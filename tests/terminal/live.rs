//! The live line of `wait`, `retry`, `pull` and a slow `check`.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::shell::Shell;

const WIDTHS: [u16; 3] = [40, 80, 120];

/// A wait for a link that no host has.
const WAIT: &str = "$N wait -i vz9 -a 192.0.2.1 -t 60s";

/// The live line of that, once it says something else than before.
#[track_caller]
fn sees_waiting(shell: &mut Shell, columns: u16, before: &str) -> String {
    let begins = if columns < 60 { "waiting " } else { "netready: waiting " };
    shell.sees_row("the live line", |row| {
        row.starts_with(begins) && row.contains("s left): vz9: no such") && row != before
    })
}

/// The live line is gone, and the shell's prompt stands in a row of its own.
#[track_caller]
fn is_clean(shell: &mut Shell) {
    shell.sees_row("the prompt", |row| row == "$");
    assert!(shell.live_rows().is_empty(), "{}", shell.rows().join("\n"));
}

#[test]
fn wait_rewrites_one_line_and_control_c_takes_it_away() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        shell.types(&format!("{WAIT}\n"));
        let mut last = String::new();
        for _ in 0..3 {
            last = sees_waiting(&mut shell, columns, &last);
            let rows = shell.live_rows();
            assert_eq!(rows.len(), 1, "{columns} columns: {rows:?}");
            assert!(rows[0].chars().count() <= usize::from(columns) - 3, "{columns} columns: {rows:?}");
            assert_eq!(rows[0].ends_with('…'), columns == 40, "{rows:?}");
        }
        shell.types("\x03");
        shell.sees("netready: Waiting (up to 60s): vz9");
        is_clean(&mut shell);
        shell.answers();
    }
}

#[test]
fn wait_ends_and_the_outcome_stays() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        shell.types("$N wait -i vz9 -t 2500ms; echo ended-$?\n");
        shell.saw("s left): vz9: no such");
        shell.sees("ended-1");
        is_clean(&mut shell);
        assert!(
            shell.rows().join("").contains("netready: NOT ready after 2.5s, given up: vz9"),
            "{:?}",
            shell.rows()
        );
        // Nothing is left of it where netready becomes the command.
        shell.types("$N wait -a 127.0.0.1 -- echo became-$((1+1)); echo ended-$?\n");
        shell.sees("became-2");
        shell.sees("ended-0");
        is_clean(&mut shell);
    }
}

#[test]
fn a_signal_ends_a_wait_and_the_screen_is_clean() {
    for number in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut shell = Shell::new(80);
        shell.types(&format!("ulimit -c 0; sh -c 'echo pid-$$-; exec {WAIT}'\n"));
        let row = shell.sees_row("the number", |row| row.starts_with("pid-") && row.ends_with('-'));
        let pid = row.trim_start_matches("pid-").trim_end_matches('-').parse().unwrap();
        sees_waiting(&mut shell, 80, "");
        kill(Pid::from_raw(pid), number).unwrap();
        shell.sees("netready: Waiting (up to 60s): vz9");
        is_clean(&mut shell);
    }
}

#[test]
fn control_z_takes_it_away_and_fg_brings_it_back() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        shell.types(&format!("{WAIT}\n"));
        sees_waiting(&mut shell, columns, "");
        shell.types("\x1a");
        is_clean(&mut shell);
        // In the background it does not write into what the user types.
        shell.types("bg\n");
        shell.watches(Duration::from_millis(1500));
        assert!(shell.live_rows().is_empty(), "{}", shell.rows().join("\n"));
        shell.types("fg\n");
        shell.sees_row("the live line", |row| {
            row.contains("waiting ") && row.contains("s left): vz9: no such")
        });
        shell.types("\x03");
        is_clean(&mut shell);
        shell.answers();
    }
}

#[test]
fn another_width_is_followed_at_once() {
    let mut shell = Shell::new(120);
    shell.types("$N wait -i vz9 -i vz8 -i vz7 -t 60s\n");
    shell.sees_row("the wide line", |row| {
        row.starts_with("netready: waiting ") && row.contains("vz7: no such link")
    });
    for columns in [80, 40, 120] {
        shell.resize(columns);
        shell.sees_row("the line in its new width", |row| {
            let length = row.chars().count();
            row.contains("waiting ") && length <= usize::from(columns) - 3 && (columns < 120 || length > 77)
        });
    }
    shell.types("\x03");
    shell.answers();
}

#[test]
fn there_is_no_live_line_but_on_a_terminal_that_is_watched() {
    let lines: [&str; 6] = [
        "$N wait -i vz9 -t 1200ms 2>&1 | cat; echo ended-$?",
        "$N wait -i vz9 -t 1200ms & wait; echo ended-$?",
        // Whoever reads the pipe may write to the terminal.
        "$N wait -i vz9 -t 1200ms | cat; echo ended-$?",
        "TERM=dumb $N wait -i vz9 -t 1200ms; echo ended-$?",
        "setsid -w $N wait -i vz9 -t 1200ms; echo ended-$?",
        "$N wait -j -i vz9 -t 1200ms; echo ended-$?",
    ];
    for line in lines {
        let mut shell = Shell::new(120);
        shell.types(&format!("{line}\n"));
        shell.sees("netready: Waiting (up to 1.2s): vz9: no such link");
        shell.sees("ended-");
        assert!(
            !shell.written.contains("\x1b[K") && !shell.written.contains("left)"),
            "{line}: {:?}",
            shell.written
        );
    }
    let mut shell = Shell::new(120);
    shell.types("$N wait -q -i vz9 -t 1200ms; echo ended-$?\n");
    shell.sees("ended-");
    assert!(!shell.written.contains("waiting"), "{:?}", shell.written);
}

#[test]
fn retry_counts_down_between_attempts_only() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        // The last row of the first attempt is not ended. A delay is random, but never shorter than a registry asks for.
        let command =
            "sh -c 'printf \"toomanyrequests: retry-after: 2s\\nbegun-%s\" $((1+1)) >&2; sleep 1.2; exit 3'";
        shell.types(&format!(
            "$N retry --gate none --classify oci --retries 1 --delay 1s -- {command}; echo ended-$?\n"
        ));
        shell.saw("begun-2");
        shell.saw("attempt 2 of 2 in ");
        shell.saw("begun-2");
        shell.sees("ended-3");
        is_clean(&mut shell);
        // From the erasing of the live line on, the second attempt has the terminal for itself.
        let (_, second) = shell.written.rsplit_once("begun-2").unwrap();
        assert!(!second.contains("so far") && !second.contains("\x1b[K"), "{second:?}");
        let rows = shell.rows().join("");
        for words in
            ["attempt 1 of 2 failed: rate limit", "; next in ", "given up after 2 attempts, no more retries"]
        {
            assert!(rows.contains(words), "{columns} columns: {words}: {rows}");
        }
    }
}

#[test]
fn retry_is_interrupted_between_two_attempts() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        shell.types("$N retry --gate none --delay 1h --max-delay 1h -- sh -c 'exit 3'\n");
        let row = shell
            .sees_row("the live line", |row| row.contains("attempt 2 of 9 in ") && row.contains(": exit c"));
        assert!(row.chars().count() <= usize::from(columns) - 3, "{row}");
        shell.types("\x1a");
        is_clean(&mut shell);
        shell.types("fg\n");
        shell.sees_row("the live line", |row| row.contains("attempt 2 of 9 in "));
        shell.types("\x03");
        is_clean(&mut shell);
        shell.answers();
    }
}

#[test]
fn retry_says_what_the_gate_waits_for() {
    let mut shell = Shell::new(80);
    shell.types("$N retry -i vz9 -t 60s -- true\n");
    sees_waiting(&mut shell, 80, "");
    shell.types("\x03");
    shell.sees("netready: Waiting (up to 60s): vz9: no such link");
    is_clean(&mut shell);
}

/// The registry's text is another's: wide, and with what would do something to a terminal.
#[test]
fn pull_says_why_within_the_width() {
    for columns in WIDTHS {
        let mut shell = Shell::new(columns);
        let podman = shell.path("podman");
        let text = "#!/bin/sh\ncase $1 in pull) printf 'Error: \\033[2J%s\\n' \
                    '\u{7db2}\u{7d61}\u{7db2}\u{7d61}\u{7db2}\u{7d61}\u{7db2}\u{7d61}\u{7db2}\u{7d61}\u{7db2}\u{7d61}' >&2; esac; exit 1\n";
        // Another process writes the script: while this one has a file open for writing, a child of another test may
        // inherit the descriptor, and then nobody can execute the file (ETXTBSY).
        let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
        assert!(Command::new("sh").args(write).arg(&podman).arg(text).status().unwrap().success());
        shell.types(
            "TMPDIR=$PWD $N pull --gate none --delay 1h --max-delay 1h --tool ./podman r.example/a:1 2>&1\n",
        );
        let row = shell.sees_row("the live line", |row| {
            row.contains("attempt 2 of 9 in ") && row.contains(": \u{7db2}")
        });
        let wide = row.chars().filter(|character| *character > '\u{2fff}').count();
        assert!(row.chars().count() + wide <= usize::from(columns) - 3, "{columns} columns: {row}");
        assert_eq!(shell.live_rows().len(), 1, "{}", shell.rows().join("\n"));
        shell.types("\x03");
        is_clean(&mut shell);
    }
}

#[test]
fn check_says_whose_answer_is_missing_after_a_second() {
    for columns in WIDTHS {
        // It accepts, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let mut shell = Shell::new(columns);
        shell.types(&format!("$N check --http http://{address}/ --tcp {address}; echo ended-$?\n"));
        let row = shell
            .sees_row("the live line", |row| row.contains("s for an answer: http") && !row.contains("tcp"));
        assert!(row.chars().count() <= usize::from(columns) - 3, "{row}");
        shell.sees("ended-1");
        is_clean(&mut shell);
        shell.sees("NOT ready: gate options");
        // It can be interrupted, and what is answered at once has no such line.
        shell.types(&format!("$N check --http http://{address}/\n"));
        shell.sees_row("the live line", |row| row.contains("s for an answer"));
        shell.types("\x03");
        is_clean(&mut shell);
        shell.answers();
        let begun = Instant::now();
        shell.types(&format!("$N check --tcp {address}; echo ended-$?\n"));
        shell.sees("ended-0");
        // Unless this machine was so busy that the answer took a second.
        if begun.elapsed() < Duration::from_secs(1) {
            assert!(!shell.written.contains("\x1b[K"), "{:?}", shell.written);
        }
    }
}
