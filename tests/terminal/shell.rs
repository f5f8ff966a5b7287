//! An interactive shell on a terminal, the user who types, and what is on the screen.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long a test waits for what must come. A machine that does much besides needs seconds for what takes milliseconds
/// otherwise, and a test that passes does not wait longer for it.
const SOON: Duration = Duration::from_secs(60);

/// The rows of each screen: no test needs more.
const ROWS: u16 = 24;

/// An interactive shell. `$N` is netready.
pub struct Shell {
    shell: Child,
    terminal: fs::File,
    screen: vt100::Parser,
    /// All that ever came out of the terminal.
    pub written: String,
    place: TempDir,
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

impl Shell {
    pub fn new(columns: u16) -> Shell {
        let (terminal, programs) = terminal();
        let place = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        let slave = || Stdio::from(programs.try_clone().unwrap());
        command.arg("-i").stdin(slave()).stdout(slave()).stderr(slave());
        command.env("PS1", "$ ").env("TERM", "xterm").env("N", env!("CARGO_BIN_EXE_netready"));
        for variable in ["ENV", "NOTIFY_SOCKET", "NO_COLOR", "CI"] {
            command.env_remove(variable);
        }
        command.current_dir(place.path());
        let own_session = || {
            nix::unistd::setsid()?;
            for number in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGTSTP] {
                // SAFETY: the default action is no handler.
                unsafe { signal(number, SigHandler::SigDfl) }?;
            }
            // SAFETY: it takes a number.
            match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec it calls nothing but system calls.
        unsafe { command.pre_exec(own_session) };
        nix::fcntl::fcntl(&terminal, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK)).unwrap();
        let screen = vt100::Parser::new(ROWS.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let mut shell =
            Shell { shell: command.spawn().unwrap(), terminal, screen, written: String::new(), place };
        shell.resize(columns);
        shell.answers();
        shell
    }

    /// What the user types: a line, or a key.
    pub fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// The user changes the width of the window.
    pub fn resize(&mut self, columns: u16) {
        let size = libc::winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the kernel reads a winsize there.
        assert_eq!(unsafe { libc::ioctl(self.terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
        self.screen.screen_mut().set_size(ROWS.try_into().unwrap(), columns.try_into().unwrap());
    }

    /// The screen, one text a row; no empty rows at its end.
    pub fn rows(&self) -> Vec<String> {
        self.screen.screen().contents().lines().map(|row| row.trim_end().to_owned()).collect()
    }

    /// Reads what has come. False if nothing has come.
    fn reads(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.terminal.read(&mut buffer) {
            Ok(length) => {
                self.screen.process(&buffer[..length]);
                self.written.push_str(&String::from_utf8_lossy(&buffer[..length]));
                true
            }
            Err(_) => {
                std::thread::sleep(Duration::from_millis(5));
                false
            }
        }
    }

    /// Until this is on the screen and nothing more comes: the first row that is so. A row may come in parts, so one that
    /// is so by now may be half a row.
    #[track_caller]
    pub fn sees_row(&mut self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            let still = !self.reads();
            if let Some(row) = self.rows().into_iter().find(|row| so(row)).filter(|_| still) {
                return row;
            }
            assert!(Instant::now() < deadline, "never seen: {what}\n{}", self.rows().join("\n"));
        }
    }

    /// Until a row that begins so is on the screen.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        self.sees_row(text, |row| row.starts_with(text))
    }

    /// Until this was written, even if it is not on the screen any more.
    #[track_caller]
    pub fn saw(&mut self, text: &str) {
        let deadline = Instant::now() + SOON;
        while !self.written.contains(text) {
            assert!(Instant::now() < deadline, "never written: {text:?} in {:?}", self.written);
            self.reads();
        }
    }

    /// The prompt is back: the shell answers.
    #[track_caller]
    pub fn answers(&mut self) {
        self.types("echo here-$((40+2))\n");
        self.sees_row("the answer", |row| row.contains("here-42"));
        self.types("printf '\\033[H\\033[2J'\n");
        self.saw("\x1b[H\x1b[2J$ ");
        self.written.clear();
    }

    /// Rows in which a live line, or a part of one, stands.
    pub fn live_rows(&self) -> Vec<String> {
        let live =
            |row: &String| ["waiting ", " of 2 in ", " of 9 in "].iter().any(|part| row.contains(part));
        self.rows().into_iter().filter(live).collect()
    }

    /// Whatever comes for a while is read.
    pub fn watches(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.reads();
        }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join(name)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // All that a failed test has left in the shell's session.
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
