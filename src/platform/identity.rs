//! Who runs this process: the system's side of the host, or one user's; and which runtime directory counts.
//!
//! Every shell below a user service has MANAGERPID and XDG_RUNTIME_DIR, and su(1) without a dash keeps both. So
//! these variables say nothing by themselves: they count only where that process, and that directory, belong to
//! the effective user.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::Folder;
use super::{proc, xdg};

/// Whose process this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The number of the effective user.
    pub uid: u32,
    /// Whether that user's own service manager started this process (systemd.exec(5)). Root can have one too.
    pub user_manager: bool,
    /// The user's runtime directory, in which nobody else writes.
    pub runtime: Option<PathBuf>,
}

impl Identity {
    /// The identity of this process.
    pub fn of_process() -> Identity {
        Identity::of(
            nix::unistd::geteuid().as_raw(),
            std::env::var_os("MANAGERPID").as_deref(),
            std::env::var_os("XDG_RUNTIME_DIR"),
        )
    }

    fn of(uid: u32, manager: Option<&OsStr>, runtime: Option<OsString>) -> Identity {
        let named = runtime.map(PathBuf::from);
        // Not set in the shell of su(1) and the like, but there.
        let known = xdg::runtime(uid);
        let own = |path: &PathBuf| Folder::open_own(path).is_ok();
        Identity {
            uid,
            user_manager: manager.is_some_and(|pid| is_user_manager(pid, uid)),
            runtime: named.filter(own).or_else(|| Some(known).filter(own)),
        }
    }

    /// Whether a directory that a variable names is not another user's: it is this user's, root's, or not there.
    pub fn may_use(&self, directory: &Path) -> bool {
        let owner = fs::metadata(directory).map(|found| found.uid());
        owner.map_or(true, |owner| owner == self.uid || owner == 0)
    }

    /// Whether it is a user's side of the host; else it is the system's.
    pub fn is_user(&self) -> bool {
        is_user(self.uid, self.user_manager)
    }
}

/// Whether a process is of a user's side of the host, by its user and whether that user's manager started it.
pub fn is_user(uid: u32, user_manager: bool) -> bool {
    uid != 0 || user_manager
}

/// Whether the process of this number is this user's. The number alone says nothing: after su(1) it is another
/// user's manager. A program that changes its user is nobody's.
fn is_user_manager(pid: &OsStr, uid: u32) -> bool {
    let process = pid.to_str().and_then(|pid| proc::of_number(Path::new(proc::PROC), pid));
    process.and_then(|process| proc::users(&process)) == Some([uid; 4])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_number_that_names_no_process_of_ours_says_nothing() {
        let uid = nix::unistd::geteuid().as_raw();
        let me = std::process::id().to_string();
        assert!(Identity::of(uid, Some(OsStr::new(&me)), None).user_manager);
        for pid in ["0", "", "-1", "+2", " 2", "2 ", "self", "../1", "4294967295", "99999999999999"] {
            let identity = Identity::of(uid, Some(OsStr::new(pid)), None);
            assert!(!identity.user_manager, "MANAGERPID={pid:?}");
            assert_eq!(identity.is_user(), uid != 0);
        }
        assert!(!Identity::of(uid + 1, Some(OsStr::new(&me)), None).user_manager);
        assert!(Identity::of(1000, None, None).is_user());
    }

    #[test]
    fn a_runtime_directory_is_the_users_own() {
        let uid = nix::unistd::geteuid().as_raw();
        let place = tempfile::tempdir().unwrap();
        let of =
            |path: &Path| Identity::of(uid, None, Some(path.into())).runtime.filter(|known| known == path);
        assert_eq!(of(place.path()).as_deref(), Some(place.path()));
        assert_eq!(of(&place.path().join("gone")), None);
        assert_eq!(of(Path::new("run")), None);
        assert_eq!(of(Path::new("")), None);
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(of(place.path()), None, "everybody writes there");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
        if uid == 0 {
            std::os::unix::fs::chown(place.path(), Some(65534), None).unwrap();
            assert_eq!(of(place.path()), None, "another user's");
            let me = Identity::of(uid, None, None);
            assert!(!me.may_use(place.path()), "another user's");
            assert!(Identity::of(65534, None, None).may_use(place.path()));
            assert!(Identity::of(65534, None, None).may_use(Path::new("/proc/1")), "root's");
            assert!(me.may_use(&place.path().join("gone")));
        }
    }
}
