//! Tests of `retry` and `pull` as a job of an interactive shell, on a terminal that the test makes.

use std::io::Write;
use std::path::Path;

use super::*;

/// An interactive shell.
struct Shell {
    shell: Child,
    terminal: fs::File,
    /// The output of the terminal that no test has searched yet.
    seen: String,
    place: TempDir,
}

impl Shell {
    fn new() -> Shell {
        let (terminal, programs) = terminal();
        let place = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let slave = || Stdio::from(programs.try_clone().unwrap());
        command.arg("-i").stdin(slave()).stdout(slave()).stderr(slave());
        command.env("PS1", "$ ").env_remove("ENV").env_remove("NOTIFY_SOCKET").current_dir(place.path());
        command.env("N", env!("CARGO_BIN_EXE_netready"));
        let own_session = || {
            nix::unistd::setsid()?;
            for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTSTP] {
                // SAFETY: the default action is not a handler.
                unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }?;
            }
            // SAFETY: this request takes a number.
            match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec the closure makes system calls only.
        unsafe { command.pre_exec(own_session) };
        let shell = command.spawn().unwrap();
        nix::fcntl::fcntl(&terminal, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
        Shell { shell, terminal, seen: String::new(), place }
    }

    /// Types a line or a key, as the user does.
    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Types ^Z, and waits until the shell has the terminal: the next input must go to the shell, not to a command that
    /// still reads. If the command starts `sleep`, give [`asleep`] the time to come true first: a process between
    /// vfork(2) and exec would stop alone, and the command, which waits for it, would not stop.
    #[track_caller]
    fn stops(&mut self) {
        self.types("\x1a");
        until("the shell's turn", || self.shell_has_terminal().then_some(()));
    }

    /// Types `fg`, and waits until the job has the terminal and none of its processes, which have this word in their
    /// command lines, is stopped.
    #[track_caller]
    fn continues(&mut self, word: &str) {
        self.types("fg\n");
        self.sees("fg");
        until("the job's turn", || (!self.shell_has_terminal()).then_some(()));
        until("all of it to go on", || (!states(word).contains('T')).then_some(()));
    }

    fn shell_has_terminal(&self) -> bool {
        let foreground = nix::unistd::tcgetpgrp(&self.terminal);
        foreground.is_ok_and(|group| group.as_raw().unsigned_abs() == self.shell.id())
    }

    /// Waits until the text is on the terminal. Drops the output up to the text.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < deadline, "never seen: {text:?} in {:?}", self.seen);
            let mut buffer = [0; 4096];
            match self.terminal.read(&mut buffer) {
                Ok(length) => self.seen.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Checks that the prompt is back: the shell answers.
    #[track_caller]
    fn answers(&mut self) {
        self.types("\necho here-$((40+2))\n");
        self.sees("here-42");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Kill all processes that a failed test has left in the shell's session.
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let session = nix::unistd::getsid(Some(Pid::from_raw(pid)));
            if session.is_ok_and(|session| session.as_raw().unsigned_abs() == self.shell.id()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = self.shell.wait();
    }
}

/// Waits until the command's `sleep` with this word runs.
#[track_caller]
fn asleep(word: &str) {
    let line = format!("sleep\0{word}\0");
    until("the sleep", || {
        let mut processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .any(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|own| own == line.as_bytes()))
            .then_some(())
    });
}

/// The states (as in /proc/PID/stat) of the processes whose command line has this word.
fn states(word: &str) -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let named = processes.filter(|path| {
        fs::read(path.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    });
    let stats = named.filter_map(|path| fs::read_to_string(path.join("stat")).ok());
    stats.filter_map(|stat| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())).collect()
}

/// The process number of netready itself: among the processes with this word, the one whose parent does not have it.
fn netready_with(word: &str) -> i32 {
    until("netready", || {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let with = |path: &Path| {
            fs::read(path.join("cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains(word) && line.starts_with(env!("CARGO_BIN_EXE_netready"))
            })
        };
        processes.filter(|path| with(path)).find_map(|path| {
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split_whitespace().nth(1)?.to_owned();
            (!with(&Path::new("/proc").join(parent))).then(|| path.file_name()?.to_str()?.parse().ok())?
        })
    })
}

#[test]
fn control_z_stops_and_fg_continues() {
    let word = &word("31415926");
    let mut shell = Shell::new();
    shell.types(&format!("$N retry --gate none -- sh -c 'echo begun-$((1+1)); sleep {word}; :'\n"));
    shell.sees("begun-2");
    asleep(word);
    // The second time is as the first.
    for _ in 0..2 {
        shell.stops();
        shell.answers();
        // netready, the command's shell and the shell's child have stopped. The guardian still runs.
        until("the stop", || (states(word).matches('T').count() == 3).then_some(()));
        shell.continues(word);
    }
    // The command has the terminal again, so ^C interrupts it, and netready ends too.
    shell.types("\x03");
    shell.answers();
    until("the end of all", || (running(word) == 0).then_some(()));
}

#[test]
fn a_command_in_the_foreground_again_reads_the_terminal() {
    let word = &word("2236067");
    let mut shell = Shell::new();
    shell.types(&format!(
        "$N retry --gate none -- sh -c 'echo begun-$((1+1)); read x; echo got-$x; : {word}'\n"
    ));
    shell.sees("begun-2");
    shell.stops();
    shell.answers();
    shell.continues(word);
    shell.types("word\n");
    shell.sees("got-word");
    shell.answers();
}

#[test]
fn bg_continues_in_the_background() {
    let word = &word("2645751");
    let mut shell = Shell::new();
    // The command waits without starting other programs, for the reason that is given at `stops`.
    nix::unistd::mkfifo(&shell.path("go"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    shell.types(&format!("$N retry --gate none -- sh -c 'echo begun-$((1+1)); read x <go; echo on-$((3*7)) >&2; read x; echo got-$x; : {word}'\n"));
    shell.sees("begun-2");
    shell.stops();
    shell.answers();
    shell.types("bg\n");
    shell.answers();
    fs::write(shell.path("go"), "go\n").unwrap();
    // This appears at once, although netready is stopped again together with the command right afterwards.
    shell.sees("on-21");
    // Now the command reads from the terminal, which a background job may not do, so the job is stopped.
    until("the stop", || states(word).contains('T').then_some(()));
    shell.answers();
    shell.continues(word);
    shell.types("word\n");
    shell.sees("got-word");
    shell.answers();
}

#[test]
fn a_stopped_job_can_be_ended() {
    for signal in ["TERM", "KILL", "HUP"] {
        let word = word(&format!("8979323{}", signal.len()));
        let mut shell = Shell::new();
        shell.types(&format!("$N retry --gate none -- sh -c 'echo begun-$((1+1)); sleep {word}; :'\n"));
        shell.sees("begun-2");
        asleep(&word);
        shell.stops();
        shell.answers();
        shell.types(&format!("kill -{signal} %1; kill -CONT %1\n"));
        until("the end of all", || (running(&word) == 0).then_some(()));
        shell.answers();
    }
}

#[test]
fn control_z_stops_between_two_attempts_and_in_a_script_and_a_pull() {
    let word = &word("8462643");
    let stage = Stage::new(&format!("echo begun-$((1+1)); exec sleep {word}"));
    let pull = format!(
        "TMPDIR={} XDG_RUNTIME_DIR={0} $N pull --gate none --tool {} r.example/a:{word}",
        stage.temporary().display(),
        stage.path("podman").display()
    );
    let retry = format!("$N retry --gate none -- sh -c 'echo begun-$((1+1)); sleep {word}; :'");
    for (line, begun) in [
        (format!("$N retry --gate none {FOR_EVER} -- false {word}"), "next in "),
        ("sh script; :".to_owned(), "begun-2"),
        (format!("{retry} | cat"), "begun-2"),
        // If stdin is not the terminal, netready keeps the terminal.
        (format!("{retry} </dev/null"), "begun-2"),
        (pull, "begun-2"),
    ] {
        let mut shell = Shell::new();
        fs::write(shell.path("script"), format!("echo first\n{retry}\n")).unwrap();
        shell.types(&format!("{line}\n"));
        shell.sees(begun);
        if begun == "begun-2" {
            asleep(word);
        }
        shell.stops();
        shell.answers();
        assert!(states(word).contains('T'), "{line}");
        shell.continues(word);
        shell.types("\x03");
        shell.answers();
        until("the end of all", || (running(word) == 0).then_some(()));
    }
}

#[test]
fn a_command_that_stops_itself_stops_the_job() {
    for signal in ["STOP", "TSTP", "TTIN", "TTOU"] {
        let mut shell = Shell::new();
        let line = format!(
            "$N retry --gate none -- sh -c 'echo begun-$((1+1)); kill -{signal} $$; echo on-$((5*5))'\n"
        );
        shell.types(&line);
        shell.sees("begun-2");
        shell.answers();
        shell.types("fg\n");
        shell.sees("on-25");
        shell.answers();
    }
}

#[test]
fn a_script_can_read_from_the_terminal_after_netready_was_killed() {
    let word = &word("5028841");
    let mut shell = Shell::new();
    let script = format!(
        "$N retry --gate none -- sh -c 'stty -echo; echo begun-$((1+1)); sleep {word}; :'\n\
         echo ended-$?\nuntil stty -a | grep -q ' echo '; do sleep 0.05; done\necho echo-is-$((1+1))\n\
         read line\necho got-$line\n"
    );
    fs::write(shell.path("script"), script).unwrap();
    shell.types("sh script\n");
    shell.sees("begun-2");
    kill(Pid::from_raw(netready_with(word)), Signal::SIGKILL).unwrap();
    shell.sees("ended-137");
    // The guardian restores the settings of the terminal that the command changed. Before that it gives the terminal
    // back to the script.
    shell.sees("echo-is-2");
    shell.types("word\n");
    shell.sees("got-word");
    shell.answers();
    until("the end of all", || (running(word) == 0).then_some(()));
}

/// A command may ask for a password at the terminal, whatever its stdin is.
#[test]
fn a_command_that_asks_at_the_terminal_gets_it() {
    let word = &word("7320508");
    let mut shell = Shell::new();
    let asks = format!("echo begun-$((1+1)); read x </dev/tty; echo got-$x; : {word}");
    shell.types(&format!("$N retry --gate none -- sh -c '{asks}' </dev/null\n"));
    shell.sees("begun-2");
    until("the question", || (!states(word).contains('T')).then_some(()));
    shell.types("word\n");
    shell.sees("got-word");
    shell.answers();
}

/// The command has the terminal while netready passes its output on.
#[test]
fn a_terminal_with_tostop_does_not_stop_netready() {
    let mut shell = Shell::new();
    shell.types("stty tostop; $N retry --gate none --retries 1 --delay 1ms -- sh -c 'echo said-$((1+1)) >&2; exit 3'; echo ended-$?\n");
    shell.sees("said-2");
    shell.sees("said-2");
    shell.sees("ended-3");
    shell.answers();
}

#[test]
fn the_time_for_which_a_job_is_stopped_does_not_count() {
    let word = &word("4142135");
    let mut shell = Shell::new();
    // The limits are long, because the command must read the word within them, on a busy machine too.
    shell.types(&format!("$N retry --gate none --retries 0 --attempt-timeout 5s --stall-timeout 5s -- sh -c 'echo begun-$((1+1)); read x; echo got-$x; : {word}'\n"));
    shell.sees("begun-2");
    shell.stops();
    shell.answers();
    std::thread::sleep(Duration::from_millis(5200));
    shell.continues(word);
    shell.types("word\n");
    shell.sees("got-word");
    shell.answers();
}

/// Without a terminal, somebody else has stopped the command. Its limits still apply.
#[test]
fn a_command_that_is_frozen_without_a_terminal_is_ended_by_its_limits() {
    let frozen = "trap 'echo >ended; exit 1' TERM; kill -STOP $$; exit 0";
    // The command must have frozen before the limit.
    let mut command = shell("--gate none --retries 0 --attempt-timeout 4s", frozen);
    let place = tempfile::tempdir().unwrap();
    // SAFETY: this is a system call.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    command.current_dir(place.path());
    ends(command, 124);
    // SIGTERM ends the command, because netready also continues it. SIGKILL, ten seconds later, would leave no file.
    assert!(place.path().join("ended").exists());
}

/// In a process group without a shell (an orphaned group), the kernel does not stop netready by SIGTSTP. So the
/// command must not stay stopped either.
#[test]
fn nothing_stays_stopped_in_an_orphaned_group() {
    let word = &word("4197169");
    let script = format!("trap 'echo >on' CONT; echo >begun; sleep {word} & wait; wait");
    let mut command = shell("--gate none --retries 0", &script);
    let place = tempfile::tempdir().unwrap();
    // SAFETY: this is a system call.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    let mut child = command.current_dir(place.path()).stderr(Stdio::null()).spawn().unwrap();
    until("the attempt", || place.path().join("begun").exists().then_some(()));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGTSTP).unwrap();
    // The command is stopped, and continued because netready itself is not stopped.
    until("the continuation", || place.path().join("on").exists().then_some(()));
    until("all of it to go on", || (!states(word).contains('T')).then_some(()));
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn what_nohup_ignores_stays_ignored() {
    let mut command =
        shell("--gate none --retries 0", "echo >begun; until test -e go; do sleep 0.05; done; exit 7");
    let place = tempfile::tempdir().unwrap();
    let ignore = || {
        for signal in [Signal::SIGHUP, Signal::SIGINT] {
            // SAFETY: ignoring a signal installs no handler.
            unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) }?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { command.pre_exec(ignore) };
    let mut child = command.current_dir(place.path()).stderr(Stdio::null()).spawn().unwrap();
    until("the attempt", || place.path().join("begun").exists().then_some(()));
    for signal in [Signal::SIGHUP, Signal::SIGINT] {
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }
    fs::write(place.path().join("go"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

/// Two commands of one job share the terminal, and both give it back.
#[test]
fn a_pipeline_of_two_gives_the_terminal_back_to_the_shell() {
    let mut shell = Shell::new();
    let one = "$N retry --gate none --retries 1 --delay 1ms -- sh -c 'echo said-$((1+1)) >&2; exit 3'";
    shell.types(&format!("{one} | {one}; echo ended-$?\n"));
    shell.sees("ended-3");
    shell.answers();
    assert!(shell.shell_has_terminal());
}
