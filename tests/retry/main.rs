//! Tests of `retry` and `pull` with the built binary and a stand-in for Podman: a script that prints what Podman
//! printed and ends with the same exit code. The tests of the classifier check what the texts mean. These tests check
//! what is done about them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests own their clock, and look again where nothing can be awaited"
)]

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

mod output;
mod temporary;
mod terminal;

/// How long a test waits for an event that must come. A machine that does much besides needs seconds for what takes
/// milliseconds otherwise, and a test that passes does not wait longer for it.
const SOON: Duration = Duration::from_secs(60);

/// A delay that does not end during a test. A delay is random, and this one ends within a minute in one case of 500,000.
const FOR_EVER: &str = "--delay 365d --max-delay 365d --max-elapsed infinity";

const REFUSED: &str = "Error: initializing source docker://r.example/a:1: pinging container registry r.example: Get \"https://r.example/v2/\": dial tcp 192.0.2.7:443: connect: connection refused";
const UNKNOWN: &str =
    "Error: initializing source docker://r.example/a:1: reading manifest 1 in r.example/a: manifest unknown";

/// A folder with a stand-in for Podman, which keeps a list of its command lines.
struct Stage(TempDir);

impl Stage {
    /// `pull` is what the stand-in does on `podman pull`, as shell code; `$n` is the number of the attempt.
    fn new(pull: &str) -> Stage {
        let stage = Stage(tempfile::tempdir().unwrap());
        let folder = stage.0.path().display();
        stage.script(
            "podman",
            &format!(
                "cd {folder}\necho \"$*\" >> asked\ncase \"$*\" in\n\
                 *'image exists'*) test -e here; exit;;\n\
                 *) n=$(($(cat n 2>/dev/null || echo 0) + 1)); echo $n > n.new; mv n.new n\n{pull}\n;;\nesac\n"
            ),
        );
        stage
    }

    /// Writes a script. Another process writes it: while this process has a file open for writing, a child of another
    /// test may inherit the descriptor, and then nobody can execute the file (ETXTBSY).
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let write = ["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$0\" && chmod 755 \"$0\""];
        assert!(Command::new("sh").args(write).arg(&path).arg(text).status().unwrap().success());
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("asked")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn attempts(&self) -> usize {
        fs::read_to_string(self.path("n")).map_or(0, |text| text.trim().parse().unwrap())
    }

    fn pull(&self, arguments: &str) -> Command {
        let mut command = netready("pull --delay 10ms r.example/a:1");
        command.arg("--tool").arg(self.path("podman")).args(arguments.split_whitespace());
        // Do not use the host's /var/tmp. Give the user a runtime directory, as each user has who has logged in.
        command.env("TMPDIR", self.temporary()).env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    fn temporary(&self) -> PathBuf {
        let folder = self.path("temporary");
        fs::create_dir_all(&folder).unwrap();
        folder
    }
}

fn netready(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netready"));
    command.args(arguments.split_whitespace()).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    // The test may run in the background of a shell, which ignores these signals.
    let heard = || {
        for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTSTP] {
            // SAFETY: the default action is not a handler.
            unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe { command.pre_exec(heard) };
    command
}

fn shell(options: &str, script: &str) -> Command {
    let mut command = netready(&format!("retry --delay 10ms {options} --"));
    command.args(["sh", "-c", script]);
    command
}

#[track_caller]
fn ends(mut command: Command, code: i32) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{command:?}: {stderr}");
    stderr
}

#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A number that begins with these digits, and that no other process of this machine has in its command line: another
/// run of these tests has another process number. `sleep` takes it for many years.
fn word(digits: &str) -> String {
    format!("{digits}{:07}", std::process::id())
}

/// A pseudo-terminal: the end of the terminal emulator, and the end of the programs. A child that another test starts
/// inherits neither. openpty(3) makes descriptors that it would inherit, and then the terminal would stay open.
fn terminal() -> (fs::File, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let path = nix::pty::ptsname_r(&master).unwrap();
    let mut options = fs::OpenOptions::new();
    let slave = options.read(true).write(true).custom_flags(libc::O_NOCTTY).open(path).unwrap();
    (master.as_fd().try_clone_to_owned().unwrap().into(), slave.into())
}

/// The number of processes whose command line has this word. Processes that have ended but were not waited for do not
/// count.
fn running(word: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let has_word = |entry: &fs::DirEntry| {
        fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
    };
    processes.filter(has_word).count()
}

/// Moves this thread into a new network namespace.
fn network() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
}

fn ip(commands: &str) {
    for command in commands.split(';') {
        assert!(
            Command::new("ip").args(command.split_whitespace()).status().unwrap().success(),
            "ip {command}"
        );
    }
}

#[test]
fn a_failure_that_passes_ends_in_success() {
    let stage = Stage::new(&format!("[ $n -ge 4 ] || {{ echo '{REFUSED}' >&2; exit 125; }}"));
    let stderr = ends(stage.pull("--gate none"), 0);
    assert_eq!(stage.attempts(), 4);
    assert!(stderr.contains("attempt 1 of 9 failed: connection refused; next in "), "{stderr}");
    assert!(stderr.contains(REFUSED), "what it says goes on: {stderr}");
}

#[test]
fn a_final_failure_ends_within_one_attempt() {
    let stage = Stage::new(&format!("echo '{UNKNOWN}' >&2; exit 125"));
    let stderr = ends(stage.pull("--gate none"), 125);
    assert_eq!(stage.attempts(), 1);
    assert!(stderr.contains("given up after 1 attempt, waiting does not help: no such manifest"), "{stderr}");
}

#[test]
fn retries_and_time_are_bounded() {
    let stage = Stage::new(&format!("echo '{REFUSED}' >&2; exit 125"));
    ends(stage.pull("--gate none --retries 3"), 125);
    assert_eq!(stage.attempts(), 4);
    // After a rate limit, the delay is longer than the time that is left, so there is no second attempt.
    let stage = Stage::new(
        "echo 'Error: reading manifest 1 in r.example/a: toomanyrequests: slow down' >&2; exit 125",
    );
    let stderr = ends(stage.pull("--gate none --max-elapsed 20s"), 124);
    assert_eq!(stage.attempts(), 1);
    assert!(stderr.contains("no more time: rate limit"), "{stderr}");
}

#[test]
fn an_image_that_is_here_is_not_pulled() {
    for (policy, here, pull, code, pulls) in [
        ("missing", true, "exit 1", 0, 0),
        ("missing", false, "exit 0", 0, 1),
        ("never", true, "exit 0", 0, 0),
        ("never", false, "exit 0", 125, 0),
        ("always", true, "exit 0", 0, 1),
        ("always", true, "echo 'Error: manifest unknown: x: manifest unknown' >&2; exit 125", 125, 1),
        ("newer", true, "echo 'Error: x: manifest unknown' >&2; exit 125", 0, 1),
        ("newer", false, "echo 'Error: x: manifest unknown' >&2; exit 125", 125, 1),
        ("newer", true, "exit 0", 0, 1),
    ] {
        let stage = Stage::new(pull);
        if here {
            fs::write(stage.path("here"), "").unwrap();
        }
        ends(stage.pull(&format!("--gate none --policy {policy}")), code);
        assert_eq!(stage.attempts(), pulls, "{policy}, here: {here}, {pull}");
    }
}

#[test]
fn the_tool_is_asked_as_podman_would_be() {
    let stage = Stage::new("exit 0");
    let mut command = stage.pull("--gate none --global-arg --module --global-arg x.conf");
    command.args(["--", "--tls-verify=false", "-q"]);
    ends(command, 0);
    let expected = [
        "--module x.conf image exists r.example/a:1",
        "--module x.conf pull --tls-verify=false -q r.example/a:1",
    ];
    assert_eq!(stage.asked(), expected);
    let stage = Stage::new("exit 0");
    fs::rename(stage.path("podman"), stage.path("skopeo")).unwrap();
    let mut command = netready("pull --gate none docker://r.example/a:1 --tool");
    command.arg(stage.path("skopeo"));
    ends(command, 0);
    // The stand-in does not know `inspect` and succeeds, so the image counts as present.
    assert_eq!(stage.asked(), ["inspect --raw containers-storage:r.example/a:1"]);
}

#[test]
fn a_tool_that_says_nothing_is_known_by_its_exit_code() {
    let stage = Stage::new("exit 125");
    let stderr = ends(stage.pull("--gate none --retries 1"), 125);
    assert!(stderr.contains("attempt 1 of 2 failed: exit code 125; next in "), "{stderr}");
    assert!(stderr.contains("no more retries: exit code 125\n"), "{stderr}");
}

#[test]
fn a_command_that_is_not_there_is_named_safely() {
    for name in ["gone\n\x1b[31mREADY=1", "/gone/\u{202e}\x07", "./gone\r"] {
        let mut command = netready("retry --gate none --");
        command.arg(name);
        let stderr = ends(command, 127);
        let [line] = stderr.lines().collect::<Vec<_>>()[..] else { panic!("{stderr:?}") };
        assert!(line.starts_with("netready: error: "), "{line:?}");
        assert!(
            !line.contains(|character: char| character.is_control() || character == '\u{202e}'),
            "{line:?}"
        );
    }
}

/// With few descriptors, the command fails with an error, not with a panic (101).
#[test]
fn few_descriptors_are_an_error() {
    for most in 5..24 {
        for words in ["retry --gate none --retries 0 -- true", "check --address 127.0.0.1"] {
            let mut command = netready(words);
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            // SAFETY: this is a system call on a value of the closure.
            unsafe {
                command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                })
            };
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1 | 3 | 125..=127)), "{most} {words}: {stderr}");
            assert!(!stderr.contains("panicked"), "{most} {words}: {stderr}");
        }
    }
}

#[test]
fn exit_codes_are_the_commands_and_decide() {
    for (options, script, code) in [
        ("--retries 1", "exit 3", 3),
        ("--retries 0", "kill -9 $$", 137),
        ("--retries 0", "kill -15 $$", 143),
        ("", "exit 0", 0),
        ("--fatal-exit 3,4", "exit 4", 4),
        ("--retry-on-exit 75", "exit 4", 4),
        ("--retry-on-exit 75 --retries 1", "exit 75", 75),
        ("--retries 0 --attempt-timeout 200ms", "sleep 600", 124),
        ("--retries 0 --stall-timeout 300ms", "sleep 600", 124),
        ("--max-elapsed 200ms", "sleep 600", 124),
    ] {
        ends(shell(&format!("--gate none {options}"), script), code);
    }
    for (command, code) in [
        (netready("retry --gate none -- /nonexistent/command"), 127),
        (netready("retry --gate none -- /etc/passwd"), 126),
        (netready("retry --gate nosuchgate -- true"), 125),
        (netready("retry --stall-timeout 0 -- true"), 125),
        (netready("retry"), 125),
    ] {
        ends(command, code);
    }
}

#[test]
fn an_active_command_is_not_stalled() {
    // The first command writes nothing, but its processes read, compute and end. The second one writes. Each takes longer
    // than the limit. The limit is long, because a busy machine may leave a command without a processor for a second.
    let moves = "end=$(($(date +%s) + 6)); while [ $(date +%s) -lt $end ]; do head -c 4096 /dev/zero >/dev/null; done";
    let speaks = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >&2; sleep 0.5; done";
    std::thread::scope(|scope| {
        for script in [moves, speaks] {
            scope.spawn(move || ends(shell("--gate none --retries 0 --stall-timeout 4s", script), 0));
        }
    });
}

#[test]
fn a_child_that_keeps_stderr_open_does_not_delay_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut command = shell("--gate none", &format!("sleep 600 & echo $! > {}; exit 0", file.display()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ended = until("its end", || child.try_wait().unwrap());
    // A process that a successful command left running may be wanted, so it stays. The test kills it.
    let left: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(left), Signal::SIGKILL).unwrap();
    assert_eq!(ended.code(), Some(0));
}

/// Starts a command of three processes, one of which ignores SIGTERM, and waits until all of them run.
fn started(word: &str) -> Child {
    let script = format!("sh -c \"trap '' TERM; sleep {word}; sleep {word}\" & sleep {word} & wait");
    let child = shell("--gate none", &script).stderr(Stdio::null()).spawn().unwrap();
    // Six processes have the word in their command lines: netready, its guardian, two shells and two sleeps.
    until("all processes", || (running(word) >= 6).then_some(()));
    child
}

#[test]
fn nothing_is_left_when_netready_is_killed() {
    let word = word("27182818");
    let mut child = started(&word);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    until("the end of all", || (running(&word) == 0).then_some(()));
}

/// The process number of the guardian that has this word in its command line.
fn guardian_with(word: &str) -> Option<i32> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let is_guardian = line.starts_with("netready-guardian\0") && line.contains(word);
        is_guardian.then(|| entry.file_name().to_str()?.parse().ok())?
    })
}

#[test]
fn a_command_ends_when_its_guardian_is_killed() {
    let word = word("23571113");
    let mut command = shell("--gate none --retries 0", &format!("exec sleep {word}"));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    // The processes are netready, the guardian and the command.
    until("all processes", || (running(&word) == 3).then_some(()));
    let guardian = until("the guardian", || guardian_with(&word));
    kill(Pid::from_raw(guardian), Signal::SIGKILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    until("the end of all", || (running(&word) == 0).then_some(()));
}

/// netready has open files, sockets among them, that the command must not inherit.
#[test]
fn a_command_inherits_no_file_of_netready() {
    let list = |mut command: Command| command.stderr(Stdio::null()).output().unwrap().stdout;
    let mut directly = Command::new("ls");
    directly.arg("/proc/self/fd");
    let stage = Stage::new("exec ls /proc/self/fd");
    let mut through = stage.pull("--gate none --policy always");
    through.stdin(Stdio::inherit());
    // The test itself may have inherited some files.
    assert_eq!(list(through), list(directly));
}

#[test]
fn what_does_not_end_with_its_command_is_killed() {
    // netready gets SIGTERM, which one process of the command ignores. Then: the command fails and leaves a process.
    let (one, other) = (word("14142135"), word("17320508"));
    let mut child = started(&one);
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    until("the end of all", || (running(&one) == 0).then_some(()));
    ends(shell("--gate none --retries 1", &format!("sleep {other} >/dev/null 2>&1 & exit 1")), 1);
    until("the end of all", || (running(&other) == 0).then_some(()));
}

#[test]
fn a_signal_reaches_the_group_and_netready_ends_by_it() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let word = word(&format!("16180{:02}", signal as i32));
        // The command is not in the background of a shell, where SIGINT would be ignored.
        let script = format!("sleep {word} | sleep {word}");
        let mut child = shell("--gate none", &script).stderr(Stdio::null()).spawn().unwrap();
        until("all processes", || (running(&word) >= 5).then_some(()));
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal as i32), "{signal}");
        until("the end of all", || (running(&word) == 0).then_some(()));
    }
}

#[test]
fn a_delay_ends_at_a_signal() {
    let mut child =
        shell(&format!("--gate none {FOR_EVER}"), "exit 1").stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 16];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

/// netready finds the end of the delay and the signal at the same moment, because it was stopped for both.
#[test]
fn no_attempt_is_begun_after_a_signal() {
    let send =
        |child: &Child, signal| kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let begin = |_| {
        let stage = Stage::new(&format!("echo '{REFUSED}' >&2; exit 125"));
        let socket = UnixDatagram::bind(stage.path("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut pull = stage.pull("--gate none --policy always --delay 2s --max-delay 2s");
        pull.env("NOTIFY_SOCKET", stage.path("notify")).stderr(Stdio::null());
        let began = Instant::now();
        (pull.spawn().unwrap(), began, socket, stage)
    };
    // All that was said since the last call.
    let said = |socket: &UnixDatagram| {
        let mut buffer = [0; 4096];
        let mut text = String::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        text
    };
    let mut all: Vec<(Child, Instant, UnixDatagram, Stage)> = (0..8).map(begin).collect();
    let stopped = all.iter().map(|(child, began, socket, _)| {
        let mut text = String::new();
        until("the first failure", || {
            text.push_str(&said(socket));
            text.contains("Attempt 1 of 9 failed").then_some(())
        });
        send(child, Signal::SIGSTOP);
        (text, began.elapsed())
    });
    let stopped: Vec<(String, Duration)> = stopped.collect();
    // The delay is over when netready goes on.
    std::thread::sleep(Duration::from_millis(2100));
    for ((child, _, socket, _), (before, after)) in all.iter_mut().zip(stopped) {
        send(child, Signal::SIGTERM);
        send(child, Signal::SIGCONT);
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        // A delay is random. On a busy machine it may have ended before the stop. What netready extends the timeout by
        // is the delay and 5 seconds.
        let (delay, _) = before.split_once("STATUS=Attempt 1 of 9 failed").unwrap();
        let (_, extended) = delay.rsplit_once("EXTEND_TIMEOUT_USEC=").unwrap();
        let micros: u64 = extended.lines().next().unwrap().parse().unwrap();
        if after + Duration::from_secs(5) < Duration::from_micros(micros) {
            let then = said(socket);
            assert!(!then.contains("Attempt 2 of 9"), "{before}{then}");
        }
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn no_attempt_is_begun_while_the_gate_is_shut() {
    network();
    let stage = Stage::new("exit 0");
    let stderr = ends(stage.pull("--route default --timeout 2s"), 1);
    assert_eq!(stage.attempts(), 0);
    assert!(stderr.contains("no default route"), "{stderr}");
    // The gate opens late.
    let mut child = stage.pull("--route default").stderr(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 16];
    child.stderr.as_mut().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(stage.attempts(), 0);
    ip(
        "link add va0 type veth peer name vb0;link set vb0 up;link set va0 up;addr add 192.0.2.2/24 dev va0;route add default via 192.0.2.1",
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(stage.attempts(), 1);
    // If the image is present, no gate is read, so a missing gate is no error.
    fs::write(stage.path("here"), "").unwrap();
    ends(stage.pull("--interface nosuchlink"), 0);
    let stderr = ends(stage.pull("--gate /no/such/gate"), 0);
    assert!(
        stderr.contains("/no/such/gate") && stderr.contains("using the image that is on this host"),
        "{stderr}"
    );
    // A newer image is wanted only if the network is ready; netready does not wait for it.
    let stderr = ends(stage.pull("--interface nosuchlink --policy newer --timeout infinity"), 0);
    assert!(
        stderr.contains("the gate is shut") && stderr.contains("using the one that is on this host"),
        "{stderr}"
    );
    assert_eq!(stage.attempts(), 1);
    ends(stage.pull("--route default --policy newer"), 0);
    assert_eq!(stage.attempts(), 2);
}

#[test]
#[ignore = "needs a network namespace"]
fn a_network_that_gets_better_ends_the_delay() {
    network();
    ip("link add va0 type veth peer name vb0;link set vb0 up;link set va0 up");
    let stage = Stage::new(&format!("[ $n -ge 2 ] || {{ echo '{REFUSED}' >&2; exit 125; }}"));
    for gate in ["--gate none", "--interface va0 --address link-local-ipv6"] {
        let _ = fs::remove_file(stage.path("n"));
        let options = format!("{FOR_EVER} --policy always {gate}");
        let mut child = stage.pull(&options).stderr(Stdio::piped()).spawn().unwrap();
        until("the first attempt", || (stage.attempts() == 1).then_some(()));
        // A change before netready's first read of the network does not count, so repeat it until netready has ended.
        until("the second attempt", || {
            ip("addr add 192.0.2.2/24 dev va0;route add default via 192.0.2.1");
            let seen = child.try_wait().unwrap();
            std::thread::sleep(Duration::from_millis(50));
            ip("addr del 192.0.2.2/24 dev va0");
            std::thread::sleep(Duration::from_millis(50));
            seen
        });
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(stage.attempts(), 2);
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(stderr.contains("the network has improved: trying again now"), "{stderr}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_network_that_gets_better_during_an_attempt_makes_no_delay_after_it() {
    network();
    ip("link add va0 type veth peer name vb0;link set vb0 up;link set va0 up");
    let stage = Stage::new(&format!(
        "[ $n -ge 2 ] || {{ ip addr add 192.0.2.2/24 dev va0; echo '{REFUSED}' >&2; exit 125; }}"
    ));
    let mut command = stage.pull(&format!("--gate none {FOR_EVER}"));
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let ended = until("the second attempt", || child.try_wait().unwrap());
    assert_eq!((ended.code(), stage.attempts()), (Some(0), 2));
}

#[test]
fn the_service_manager_is_told_and_never_of_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let stage = Stage::new(&format!(
        "[ -z \"$NOTIFY_SOCKET\" ] || exit 99; [ $n -ge 2 ] || {{ echo '{REFUSED}' >&2; exit 125; }}"
    ));
    let mut command = stage.pull("--gate none --max-elapsed 100s");
    command.env("NOTIFY_SOCKET", &path);
    // The kernel keeps ten messages (net.unix.max_dgram_qlen), so a service manager reads all the time.
    let manager = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut said = Vec::new();
        while said.last().is_none_or(|line| line != "the end") {
            let length = socket.recv(&mut buffer).unwrap();
            said.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        said.pop();
        said
    });
    ends(command, 0);
    UnixDatagram::unbound().unwrap().send_to(b"the end", &path).unwrap();
    let said = manager.join().unwrap();
    assert!(said.iter().any(|line| line == "STATUS=Attempt 1 of 9"), "{said:?}");
    let failed = "STATUS=Attempt 1 of 9 failed: connection refused; next at ";
    assert!(said.iter().any(|line| line.starts_with(failed)), "{said:?}");
    let again = "STATUS=Attempt 2 of 9 (before it: connection refused)";
    assert!(said.iter().any(|line| line == again), "{said:?}");
    // The container's unit must not keep this status.
    assert_eq!(said.iter().rfind(|line| line.starts_with("STATUS=")).unwrap(), "STATUS=");
    let longest =
        said.iter().filter_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")?.parse().ok()).max();
    assert!(longest.is_some_and(|micros: u64| (100_000_000..130_000_000).contains(&micros)), "{said:?}");
    let others =
        said.iter().find(|line| !line.starts_with("STATUS=") && !line.starts_with("EXTEND_TIMEOUT_USEC="));
    assert_eq!(others, None);
}

#[test]
fn a_terminal_stays_a_terminal() {
    let (master, programs) = terminal();
    let mut command =
        shell("--gate none --retries 1", "test -t 2 && test -t 1 && test -t 0 && echo alright >&2; exit 3");
    let slave = || Stdio::from(programs.try_clone().unwrap());
    command.stdin(slave()).stdout(slave()).stderr(slave());
    let code = command.status().unwrap().code();
    drop((command, programs));
    let mut said = Vec::new();
    // A read from a terminal that nobody has open ends with an error (EIO).
    let _ = { master }.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(said.matches("alright").count(), 2, "{said}");
    // The delay is random: 10 ms at most, rounded.
    assert!(said.contains("attempt 1 of 2 failed: exit code 3; next in "), "{said}");
}
