//! Runs a program as another user. The program gets none of root's rights, files or environment.

use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, User, getgrouplist, setgroups, setresgid, setresuid};

use super::close_range;
use crate::platform::xdg;

/// The program folders of packages and of the administrator. No folder in a home directory is searched.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Another user, from the user database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherUser {
    name: String,
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
    home: PathBuf,
}

impl OtherUser {
    /// Looks up the user with this name. Returns `None` if there is none.
    ///
    /// # Errors
    /// Fails if the user database cannot be read, or if the user is root.
    pub fn named(name: &str) -> io::Result<Option<OtherUser>> {
        let Some(user) = User::from_name(name)? else { return Ok(None) };
        if user.uid.is_root() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "this user is root"));
        }
        let text = CString::new(user.name.as_str())?;
        let groups = getgrouplist(&text, user.gid)?;
        Ok(Some(OtherUser { name: user.name, uid: user.uid, gid: user.gid, groups, home: user.dir }))
    }

    /// A command that runs this program as the user: with the user's groups, with an environment of its own, without the
    /// terminal of the caller (whose input the user could forge) and without the caller's open files.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", &self.home);
        command.env("USER", &self.name).env("LOGNAME", &self.name);
        let runtime = xdg::runtime(self.uid.as_raw());
        if self.owns(&runtime) {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        command.current_dir("/");
        let OtherUser { uid, gid, groups, .. } = self.clone();
        let before_exec = move || {
            leave_terminal()?;
            // The program gets the standard streams alone.
            close_range(3, libc::CLOSE_RANGE_CLOEXEC);
            setgroups(&groups)?;
            setresgid(gid, gid, gid)?;
            Ok(setresuid(uid, uid, uid)?)
        };
        // SAFETY: between fork and exec the closure makes system calls only. It allocates nothing and takes no lock.
        unsafe { command.pre_exec(before_exec) };
        command
    }

    /// Whether a path is a folder that belongs to the user. A symbolic link is not followed.
    fn owns(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|found| found.is_dir() && found.uid() == self.uid.as_raw())
    }
}

/// Gives up the controlling terminal, if there is one. setsid(2) cannot be used, because the process already leads a
/// group.
fn leave_terminal() -> io::Result<()> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let terminal = match open(c"/dev/tty", flags, Mode::empty()) {
        Ok(terminal) => terminal,
        // There is no controlling terminal.
        Err(Errno::ENXIO | Errno::ENOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // SAFETY: the descriptor is open, and the request has no argument.
    let left = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCNOTTY) };
    Ok(Errno::result(left).map(drop)?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::platform::child::{Captured, capture};

    #[test]
    fn root_is_not_accepted_as_another_user() {
        assert!(OtherUser::named("root").is_err());
        assert_eq!(OtherUser::named("no-such-user").unwrap(), None);
    }

    /// The output of a shell that runs as another user.
    fn said(script: &str) -> String {
        let user = OtherUser::named("nobody").unwrap().unwrap();
        let mut command = user.command(Path::new("/bin/sh"));
        command.args(["-c", script]);
        let Captured::Ended(output) = capture(&mut command, Duration::from_secs(60), 1 << 16).unwrap() else {
            panic!("it did not end");
        };
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    #[test]
    #[ignore = "needs root"]
    fn the_program_has_only_the_users_rights_and_none_of_roots() {
        let status = said("grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapAmb):' /proc/self/status");
        let words: Vec<&str> = status.split_whitespace().collect();
        let user = OtherUser::named("nobody").unwrap().unwrap();
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        let none = "0000000000000000";
        let expected: Vec<&str> = [
            &["Uid:", &uid, &uid, &uid, &uid, "Gid:", &gid, &gid, &gid, &gid, "Groups:", &gid][..],
            &["CapPrm:", none, "CapEff:", none, "CapAmb:", none],
        ]
        .concat();
        assert_eq!(words, expected);
        // Open a descriptor that the program would inherit.
        let open = std::fs::File::open("/dev/null").unwrap();
        let inherited = nix::unistd::dup(&open).unwrap();
        let open = said("ls /proc/self/fd");
        drop(inherited);
        // The fourth descriptor is `ls`'s own.
        assert_eq!(open.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"], "{open}");
        let environment = said("env");
        for line in environment.lines() {
            let (name, _) = line.split_once('=').unwrap();
            assert!(
                ["PATH", "LANG", "HOME", "USER", "LOGNAME", "PWD", "_", "SHLVL", "OLDPWD"].contains(&name),
                "{line}"
            );
        }
        assert!(said("exec 3<>/dev/tty").contains("/dev/tty"), "it has no terminal");
    }
}
