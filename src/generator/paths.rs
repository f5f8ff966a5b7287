//! Finds the service manager that runs the generator, and the folders of its units.

use std::env;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::identity::Identity;
use crate::platform::systemd::{self, LoadPath, UserDirectories};
use crate::platform::unit_tree::is_masked;
use crate::platform::xdg::{self, directory};
use crate::quadlet::{DROP_IN, Manager, WAIT_UNIT, WaitUnit};

use super::search::is_passed_over;
use super::shown;

const INSTALLED: &str = "/usr/bin/netready";

/// The service manager that this process works for, and that manager's folders.
#[derive(Debug, Clone)]
pub struct UnitPaths {
    /// The service manager.
    pub manager: Manager,
    /// The number of the user who runs the generator.
    pub uid: u32,
    /// The path of the program `netready`, for command lines in units.
    pub netready: String,
    /// The user's runtime directory.
    pub runtime: Option<PathBuf>,
    /// The folder of the user's configuration: `$XDG_CONFIG_HOME`, or else `~/.config`.
    pub config: Option<PathBuf>,
    /// The unit directories that take precedence over the generator's.
    pub units_above: Vec<PathBuf>,
    /// The unit directories over which the generator's takes precedence.
    pub units_below: Vec<PathBuf>,
}

impl UnitPaths {
    /// The paths for this process. `user` takes precedence over the environment.
    pub fn from_process(user: bool, normal: Option<&Path>, early: Option<&Path>) -> UnitPaths {
        let manager = if user { Manager::User } else { systemd::manager_of_generator() };
        let home = directory("HOME");
        let user = UserDirectories {
            config: xdg::config_home(directory("XDG_CONFIG_HOME"), home.as_deref()),
            data: xdg::data_home(directory("XDG_DATA_HOME"), home.as_deref()),
            runtime: Identity::of_process().runtime,
        };
        let LoadPath { above, below } = LoadPath::of(manager, &user, normal, early);
        UnitPaths {
            manager,
            uid: nix::unistd::geteuid().as_raw(),
            netready: netready(env::current_exe().ok().as_deref()),
            runtime: user.runtime,
            config: user.config,
            units_above: above,
            units_below: below,
        }
    }

    /// The state of Podman's wait unit in these folders. If the unit cannot be read, it counts as absent, because
    /// then each quadlet waits for its gate itself.
    pub fn wait_unit(&self, complain: &mut dyn FnMut(&str)) -> WaitUnit {
        let mut is_there = |path: &Path, seen: io::Result<Metadata>| {
            let error = match seen {
                Ok(_) => return true,
                Err(error) => error,
            };
            if !is_passed_over(&error) {
                complain(&format!("{}: {error}", shown(path)));
            }
            false
        };
        let folders = self.units_above.iter().chain(&self.units_below);
        let mut paths = folders.map(|folder| folder.join(WAIT_UNIT));
        let there = paths.find(|path| is_there(path, path.symlink_metadata()));
        let waits = there.is_some_and(|path| is_there(&path, path.metadata()) && !is_masked(&path));
        let mut replaced = || {
            let drop_in = Path::new(&format!("{WAIT_UNIT}.d")).join(DROP_IN);
            let mut paths = self.units_above.iter().map(|folder| folder.join(&drop_in));
            paths.any(|path| is_there(&path, path.symlink_metadata()))
        };
        match waits {
            false => WaitUnit::Absent,
            true if replaced() => WaitUnit::Replaced,
            true => WaitUnit::Gated,
        }
    }
}

/// The path of `netready`: `PREFIX/bin/netready` for a generator in `PREFIX/lib/systemd/…-generators/`.
fn netready(generator: Option<&Path>) -> String {
    let found = || {
        let folder = generator?.parent()?;
        let known = folder.ends_with("lib/systemd/system-generators")
            || folder.ends_with("lib/systemd/user-generators");
        let path = folder.ancestors().nth(3).filter(|_| known)?.join("bin/netready");
        path.to_str().map(str::to_owned)
    };
    // On Debian, /lib is a link to usr/lib.
    found().filter(|path| path != "/bin/netready").unwrap_or_else(|| INSTALLED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_has_the_prefix_of_its_generator() {
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
