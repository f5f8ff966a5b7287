//! Tests with a stderr that nobody reads or that does not exist, and with processes that a command leaves running.

use std::io::Write;

use super::*;

/// A full pipe: nothing more fits until the other end is read.
fn full_pipe() -> (fs::File, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let fill = fs::File::from(writer.try_clone().unwrap());
    let filled = std::thread::spawn(move || {
        // SAFETY: this call only returns the size of the pipe.
        let capacity = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&fill), libc::F_GETPIPE_SZ) };
        (&fill).write_all(&vec![b'.'; usize::try_from(capacity).unwrap()]).unwrap();
    });
    filled.join().unwrap();
    (reader.into(), writer)
}

/// A full terminal that nobody reads.
fn full_terminal() -> (fs::File, OwnedFd) {
    let (master, slave) = terminal();
    let fill = fs::File::from(slave.try_clone().unwrap());
    // This thread stays blocked while the test runs.
    std::thread::spawn(move || while (&fill).write_all(&[b'.'; 4096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(100));
    (master, slave)
}

#[test]
fn limits_are_served_while_nobody_reads_stderr() {
    for (options, script) in [
        ("--attempt-timeout 300ms", "yes blocked >&2"),
        ("--max-elapsed 300ms", "yes blocked >&2"),
        // The command writes nothing, but netready's own lines cannot be written.
        ("--attempt-timeout 300ms", "exec sleep 600"),
        // The command makes no progress, because nobody reads.
        ("--stall-timeout 500ms", "yes blocked >&2"),
    ] {
        for (reader, stderr) in [full_pipe(), full_terminal()] {
            let mut command = shell(&format!("--gate none --retries 0 {options}"), script);
            let mut child = command.stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
            let ended = until("its end", || child.try_wait().unwrap());
            assert_eq!(ended.code(), Some(124), "{options} {script}");
            drop(reader);
        }
    }
}

#[test]
fn signals_are_served_while_nobody_reads_stderr() {
    // dash replaces itself with the program (exec). If it started the program instead, it could lose a SIGINT that
    // comes at that moment.
    let writes = "exec yes blocked >&2";
    for (options, script) in [
        ("", writes),
        ("", "exec sleep 600"),
        // The signal comes between two attempts, and netready has something to print.
        (FOR_EVER, "echo tried >tried; exit 1"),
    ] {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let (_reader, stderr) = full_pipe();
            let place = tempfile::tempdir().unwrap();
            let mut command = shell(&format!("--gate none {options}"), &format!("echo >begun; {script}"));
            command.current_dir(place.path()).stdout(Stdio::null()).stderr(stderr);
            let mut child = command.spawn().unwrap();
            until("the attempt", || place.path().join("begun").exists().then_some(()));
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
            let ended = until("its end", || child.try_wait().unwrap());
            assert_eq!(ended.signal(), Some(signal as i32), "{options} {script}");
        }
    }
}

#[test]
fn a_slow_reader_gets_all_of_it_in_order() {
    let lines = 60_000;
    let mut command = shell("--gate none --retries 0", &format!("seq {lines} >&2; exit 3"));
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    // Wait until the command has filled the pipe and the queue.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "it waits for its reader");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let numbers: Vec<String> = (1..=lines).map(|n| n.to_string()).collect();
    let (own, numbered): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with("netready: "));
    assert!(numbered == numbers, "{} lines", numbered.len());
    assert_eq!(own.len(), 1, "{own:?}");
}

#[test]
fn a_stderr_that_takes_nothing_changes_no_exit_code() {
    let speaks = "yes said | head -c 300000 >&2; exit 3";
    let devices = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let closed = || {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(reader);
        writer
    };
    for stderr in [Stdio::from(devices()), Stdio::from(closed())] {
        let mut command = shell("--gate none --retries 1", speaks);
        assert_eq!(command.stderr(stderr).status().unwrap().code(), Some(3));
    }
    // stderr is closed.
    let line = format!(
        "exec {} retry --gate none --retries 1 --delay 1ms -- sh -c '{speaks}' 2>&-",
        env!("CARGO_BIN_EXE_netready")
    );
    assert_eq!(Command::new("sh").args(["-c", &line]).status().unwrap().code(), Some(3));
}

/// Another program that shares the open file has set O_NONBLOCK.
#[test]
fn a_stderr_that_does_not_block_loses_nothing() {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut command = shell("--gate none", "seq 60000 >&2");
    let mut child = command.stderr(writer).spawn().unwrap();
    drop(command);
    std::thread::sleep(Duration::from_millis(200));
    let mut said = String::new();
    fs::File::from(reader).read_to_string(&mut said).unwrap();
    assert_eq!(said.lines().count(), 60_000);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The process has left the command's group, so it is a daemon by intention: netready neither waits for it nor kills
/// it.
#[test]
fn a_daemon_that_writes_to_stderr_does_not_delay_the_end() {
    let word = word("26535897");
    let place = tempfile::tempdir().unwrap();
    // The process writes as fast as it can, and then keeps running.
    let left = format!("trap '' PIPE; echo $$ >pid; yes left 2>/dev/null >&2; exec sleep {word}");
    for (reads, terminal) in [(true, false), (false, false), (true, true)] {
        let (reader, stderr) = match terminal {
            false => {
                let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
                (fs::File::from(reader), writer)
            }
            true => super::terminal(),
        };
        let _ = fs::remove_file(place.path().join("pid"));
        let mut command =
            shell("--gate none", "setsid sh -c \"$LEFT\" & until test -s pid; do :; done; sleep 0.2");
        command.env("LEFT", &left).current_dir(place.path()).stdout(Stdio::null()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        drop(command);
        let reading = reads.then(|| {
            std::thread::spawn(move || {
                let mut buffer = [0; 16384];
                while (&reader).read(&mut buffer).is_ok_and(|length| length > 0) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            })
        });
        let ended = until("its end", || child.try_wait().unwrap());
        assert_eq!(ended.code(), Some(0), "{reads} {terminal}");
        let left: i32 = fs::read_to_string(place.path().join("pid")).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(left), None).expect("it was not ended");
        nix::sys::signal::killpg(Pid::from_raw(left), Signal::SIGKILL).unwrap();
        if let Some(reading) = reading {
            reading.join().unwrap();
        }
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_ends_at_its_timeout_while_nobody_reads_stderr() {
    network();
    let (_reader, stderr) = full_pipe();
    let mut child = netready("wait -v --route default --timeout 300ms").stderr(stderr).spawn().unwrap();
    let ended = until("its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(1));
}

#[test]
#[ignore = "needs a network namespace"]
fn wait_ends_at_its_timeout_while_nobody_reads_its_json() {
    network();
    for words in ["wait --json --route default --timeout 300ms", "wait --json --quiet -i vz9 --timeout 300ms"]
    {
        let (mut reader, stdout) = full_pipe();
        let mut child = netready(words).stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        let ended = until("its end", || child.try_wait().unwrap());
        assert_eq!(ended.code(), Some(1), "{words}");
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said.trim_matches('.'), "", "nothing was written");
    }
}

/// The reader stops until the wait has ended, and then reads on. The timeout is long, because on a busy machine too
/// netready must have a first state to write before it.
#[test]
#[ignore = "needs a network namespace"]
fn a_slow_reader_of_json_gets_the_last_state() {
    network();
    let (mut reader, stdout) = full_pipe();
    let place = tempfile::tempdir().unwrap();
    let stderr = place.path().join("stderr");
    let mut command = netready("wait --json --route default --timeout 3s");
    let mut child = command.stdout(stdout).stderr(fs::File::create(&stderr).unwrap()).spawn().unwrap();
    drop(command);
    until("the timeout", || fs::read_to_string(&stderr).unwrap().contains("given up").then_some(()));
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let states: Vec<&str> = said.matches("\"state\":\"").collect();
    assert_eq!(states.len(), 2, "{said}");
    assert!(said.trim_end().lines().last().unwrap().contains("\"state\":\"gave-up\""), "{said}");
}

#[test]
#[ignore = "needs a network namespace"]
fn run_is_ready_and_ends_while_nobody_reads_stderr() {
    network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let (_reader, stderr) = full_pipe();
    let mut command = netready("run -v --interface va0 --address 192.0.2.2");
    command
        .env("NOTIFY_SOCKET", &path)
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("RUNTIME_DIRECTORY", folder.path().join("netready-record"));
    let mut child = command.stderr(stderr).spawn().unwrap();
    let mut buffer = [0; 4096];
    let mut said = String::new();
    while !said.contains("STATUS=Waiting") {
        let length = socket.recv(&mut buffer).unwrap();
        said.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    ip("link add va0 type veth peer name vb0;link set vb0 up;link set va0 up;addr add 192.0.2.2/24 dev va0");
    while !said.contains("READY=1") {
        let length = socket.recv(&mut buffer).unwrap();
        said.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    let ended = until("its end", || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}
