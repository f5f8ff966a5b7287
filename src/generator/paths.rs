//! The service manager that runs the generator, and the folders of its units.

use std::env;
use std::path::{Path, PathBuf};

use crate::identity::Identity;
use crate::quadlet::{DROP_IN, Manager, WAIT_UNIT, WaitUnit};

use super::{is_masked, is_user_manager};

const INSTALLED: &str = "/usr/bin/netready";

/// The service manager and the folders that this process was started for.
#[derive(Debug, Clone)]
pub struct UnitPaths {
    /// The service manager whose units these are.
    pub manager: Manager,
    /// The number of the user who runs the generator.
    pub uid: u32,
    /// The program's path, for command lines.
    pub netready: String,
    /// The user's runtime directory.
    pub runtime: Option<PathBuf>,
    /// The folder of the user's configuration: `$XDG_CONFIG_HOME`, else `~/.config`.
    pub config: Option<PathBuf>,
    /// Unit directories that come before the generator's.
    pub units_above: Vec<PathBuf>,
    /// Unit directories that come after the generator's.
    pub units_below: Vec<PathBuf>,
}

/// The XDG base directory specification: a path that is not absolute is to be ignored.
fn directory(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn directories(name: &str, default: &str) -> Vec<PathBuf> {
    let paths = env::var_os(name).filter(|paths| !paths.is_empty()).unwrap_or_else(|| default.into());
    env::split_paths(&paths).filter(|path| path.is_absolute()).collect()
}

impl UnitPaths {
    /// The paths for this process. `user` takes precedence over the environment.
    pub fn from_process(user: bool, normal: Option<&Path>, early: Option<&Path>) -> UnitPaths {
        let manager = if user || is_user_manager() { Manager::User } else { Manager::System };
        let home = directory("HOME");
        let config = directory("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
        let data = directory("XDG_DATA_HOME").or_else(|| Some(home.as_ref()?.join(".local/share")));
        let runtime = Identity::of_process().runtime;
        let mut paths = UnitPaths {
            manager,
            uid: nix::unistd::geteuid().as_raw(),
            netready: netready(env::current_exe().ok().as_deref()),
            runtime,
            config,
            units_above: Vec::new(),
            units_below: Vec::new(),
        };
        paths.find_unit_folders(data.as_deref(), early);
        // systemd's own variable, for managers with a unit path of their own.
        if let Some(path) = env::var_os("SYSTEMD_UNIT_PATH").filter(|path| !path.is_empty()) {
            let extends = path.as_encoded_bytes().ends_with(b":");
            let folders: Vec<PathBuf> = env::split_paths(&path).filter(|path| path.is_absolute()).collect();
            let at = folders.iter().position(|folder| Some(folder.as_path()) == normal).unwrap_or(0);
            let (above, below) = folders.split_at(at);
            if !extends {
                paths.units_above.clear();
                paths.units_below.clear();
            }
            paths.units_above.splice(0..0, above.iter().cloned());
            paths.units_below.splice(0..0, below.iter().cloned());
        }
        paths
    }

    /// systemd.unit(5), "Unit File Load Path".
    fn find_unit_folders(&mut self, data: Option<&Path>, early: Option<&Path>) {
        let mut above: Vec<PathBuf> = early.map(Path::to_owned).into_iter().collect();
        let mut below: Vec<PathBuf> = Vec::new();
        match self.manager {
            Manager::System => {
                above.extend(
                    ["/etc/systemd/system.control", "/run/systemd/system.control"].map(PathBuf::from),
                );
                above.extend(["/etc/systemd/system", "/run/systemd/system"].map(PathBuf::from));
                below.extend(["/usr/local/lib/systemd/system", "/usr/lib/systemd/system"].map(PathBuf::from));
            }
            Manager::User => {
                above.extend(self.config.iter().map(|config| config.join("systemd/user.control")));
                above.extend(self.runtime.iter().map(|runtime| runtime.join("systemd/user.control")));
                above.extend(self.config.iter().map(|config| config.join("systemd/user")));
                let global = directories("XDG_CONFIG_DIRS", "/etc/xdg");
                above.extend(global.iter().map(|folder| folder.join("systemd/user")));
                above.push(PathBuf::from("/etc/systemd/user"));
                above.extend(self.runtime.iter().map(|runtime| runtime.join("systemd/user")));
                above.push(PathBuf::from("/run/systemd/user"));
                below.extend(data.iter().map(|data| data.join("systemd/user")));
                let global = directories("XDG_DATA_DIRS", "/usr/local/share:/usr/share");
                below.extend(global.iter().map(|folder| folder.join("systemd/user")));
                below.extend(["/usr/local/lib/systemd/user", "/usr/lib/systemd/user"].map(PathBuf::from));
            }
        }
        self.units_above = above;
        self.units_below = below;
    }

    /// The state of Podman's wait unit in these folders.
    pub fn wait_unit(&self) -> WaitUnit {
        let folders = self.units_above.iter().chain(&self.units_below);
        let there = folders.map(|folder| folder.join(WAIT_UNIT)).find(|path| path.symlink_metadata().is_ok());
        let waits = there.is_some_and(|path| path.exists() && !is_masked(&path));
        let replaced = || {
            let drop_in = Path::new(&format!("{WAIT_UNIT}.d")).join(DROP_IN);
            self.units_above.iter().any(|folder| folder.join(&drop_in).symlink_metadata().is_ok())
        };
        match waits {
            false => WaitUnit::Absent,
            true if replaced() => WaitUnit::Replaced,
            true => WaitUnit::Gated,
        }
    }
}

/// `PREFIX/bin/netready` of a generator in `PREFIX/lib/systemd/…-generators/`.
fn netready(generator: Option<&Path>) -> String {
    let found = || {
        let folder = generator?.parent()?;
        let known = folder.ends_with("lib/systemd/system-generators")
            || folder.ends_with("lib/systemd/user-generators");
        let path = folder.ancestors().nth(3).filter(|_| known)?.join("bin/netready");
        path.to_str().map(str::to_owned)
    };
    // Debian's / has a link to usr/lib.
    found().filter(|path| path != "/bin/netready").unwrap_or_else(|| INSTALLED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_beside_its_generator() {
        for (generator, program) in [
            ("/usr/lib/systemd/system-generators/netready-generator", "/usr/bin/netready"),
            ("/lib/systemd/system-generators/netready-generator", "/usr/bin/netready"),
            ("/usr/local/lib/systemd/user-generators/netready-generator", "/usr/local/bin/netready"),
            ("/srv/target/debug/netready-generator", "/usr/bin/netready"),
        ] {
            assert_eq!(netready(Some(Path::new(generator))), program, "{generator}");
        }
        assert_eq!(netready(None), "/usr/bin/netready");
    }
}
