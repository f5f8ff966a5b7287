//! The files of a guest that are not the distribution's. They are written before the boot.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;

/// The files that are put over the root file system before the boot.
pub struct Files {
    pub upper: PathBuf,
    pub home: PathBuf,
}

impl Files {
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let Some(of_user) = path.strip_prefix("/home/") else {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            return;
        };
        let path = self.home.join(of_user);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let home = self.home.join(of_user.split('/').next().unwrap());
        let owner = fs::metadata(&home).unwrap().uid();
        for made in path.ancestors().take_while(|made| **made != home) {
            chown(made, Some(owner), Some(owner)).unwrap();
        }
    }

    /// Writes one of tester's quadlets, or a file beside them.
    #[track_caller]
    pub fn quadlet(&self, name: &str, text: &str) {
        self.write(&format!("/home/tester/.config/containers/systemd/{name}"), text);
    }

    /// Removes a user's images, and the container that every user has.
    pub fn without_images(&self, user: &str) {
        fs::remove_dir_all(self.home.join(user).join(".local/share/containers")).unwrap();
        self.write("/etc/containers/systemd/users/seed.container", "");
    }

    /// The path on this machine of a file of the guest.
    pub fn path(&self, path: &str) -> PathBuf {
        self.upper.join(path.trim_start_matches('/'))
    }

    /// Makes a file readable only for root, as NetworkManager requires for its connections.
    pub fn private(&self, path: &str) {
        let path = self.upper.join(path.trim_start_matches('/'));
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Makes the link that `systemctl enable` would make.
    pub fn enable(&self, unit: &str, wanted_by: &str) {
        let folder = self.upper.join(format!("etc/systemd/system/{wanted_by}.wants"));
        fs::create_dir_all(&folder).unwrap();
        let there = self.upper.join("etc/systemd/system").join(unit).exists();
        let from = if there { "/etc/systemd/system" } else { "/usr/lib/systemd/system" };
        symlink(format!("{from}/{unit}"), folder.join(unit)).unwrap();
    }

    /// Makes the gate of each user start with the user's service manager.
    pub fn gate_of_users(&self) {
        let folder = self.upper.join("etc/systemd/user/default.target.wants");
        fs::create_dir_all(&folder).unwrap();
        symlink("/usr/lib/systemd/user/netready.service", folder.join("netready.service")).unwrap();
    }

    pub fn linger(&self, user: &str) {
        self.write(&format!("/var/lib/systemd/linger/{user}"), "");
    }
}
