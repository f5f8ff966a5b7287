//! Finds out whether this process belongs to the system or to a user, and which runtime directory it may use.
//!
//! Every shell below a user service has MANAGERPID and XDG_RUNTIME_DIR, and su(1) without a dash keeps both. So these
//! variables alone prove nothing: they count only if that process and that directory belong to the effective user.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::Folder;
use super::{proc, xdg};

/// The user and the service manager that this process belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The number of the effective user.
    pub uid: u32,
    /// Whether that user's own service manager started this process (systemd.exec(5)). Root can have one too.
    pub user_manager: bool,
    /// The user's runtime directory, to which nobody else can write.
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
        // The shell of su(1) and similar programs does not set the variable, but the directory may exist.
        let known = xdg::runtime(uid);
        let own = |path: &PathBuf| Folder::open_own(path).is_ok();
        Identity {
            uid,
            user_manager: manager.is_some_and(|pid| is_user_manager(pid, uid)),
            runtime: named.filter(own).or_else(|| Some(known).filter(own)),
        }
    }

    /// Whether this user may use a directory that a variable names: it belongs to this user or to root, or it does
    /// not exist.
    pub fn may_use(&self, directory: &Path) -> bool {
        let owner = fs::metadata(directory).map(|found| found.uid());
        owner.map_or(true, |owner| owner == self.uid || owner == 0)
    }

    /// Whether this process belongs to a user, rather than to the system.
    pub fn is_user(&self) -> bool {
        is_user(self.uid, self.user_manager)
    }
}

/// Whether a process belongs to a user rather than to the system. All processes do except root's own, unless root's
/// own service manager started them.
pub fn is_user(uid: u32, user_manager: bool) -> bool {
    uid != 0 || user_manager
}

/// Whether the process with this number belongs to this user. Without this check, MANAGERPID after su(1) would name
/// the manager of another user. A process whose four user IDs differ belongs to nobody.
fn is_user_manager(pid: &OsStr, uid: u32) -> bool {
    let process = pid.to_str().and_then(|pid| proc::of_number(Path::new(proc::PROC), pid));
    process.and_then(|process| proc::users(&process)) == Some([uid; 4])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_number_that_is_not_a_process_of_this_user_does_not_count() {
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
    fn a_runtime_directory_must_belong_to_the_user_alone() {
        let uid = nix::unistd::geteuid().as_raw();
        let place = tempfile::tempdir().unwrap();
        let of =
            |path: &Path| Identity::of(uid, None, Some(path.into())).runtime.filter(|known| known == path);
        assert_eq!(of(place.path()).as_deref(), Some(place.path()));
        assert_eq!(of(&place.path().join("gone")), None);
        assert_eq!(of(Path::new("run")), None);
        assert_eq!(of(Path::new("")), None);
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(of(place.path()), None, "everybody can write to it");
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
