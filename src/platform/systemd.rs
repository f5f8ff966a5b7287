//! Where systemd keeps things: unit files (systemd.unit(5), "Unit File Load Path") and what its generators make.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::xdg;

/// The service manager of the system, or that of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// The service manager of the system (PID 1).
    System,
    /// The service manager of a user (`systemd --user`).
    User,
}

/// It is there where systemd runs the host (sd_booted(3)).
pub const BOOTED: &str = "/run/systemd/system";

/// The names of the folders that a manager has its generators write to, below its runtime directory.
const GENERATED: [&str; 3] = ["generator.early", "generator", "generator.late"];

/// What the administrator's commands keep (systemctl set-property, edit).
const CONTROL: [&str; 2] = ["/etc/systemd/system.control", "/run/systemd/system.control"];
/// Where the administrator and programs at run time put the system's units. They win over generated ones.
const ADMINISTRATOR: [&str; 2] = ["/etc/systemd/system", BOOTED];
/// Where packages put the system's units.
const PACKAGES: [&str; 2] = ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

/// The folders in which the system's units are enabled, and from which they are.
pub fn system_units() -> impl Iterator<Item = &'static str> {
    ADMINISTRATOR.into_iter().chain(PACKAGES)
}

/// The same, with what generators make.
pub fn system_units_and_generated() -> impl Iterator<Item = &'static str> {
    ADMINISTRATOR.into_iter().chain(["/run/systemd/generator"]).chain(PACKAGES)
}

/// The manager that runs this process as a generator: what the environment says (systemd.generator(7)) from systemd 251
/// on, and before that the path of the program.
pub fn manager_of_generator() -> Manager {
    let is_user = match env::var_os("SYSTEMD_SCOPE") {
        Some(scope) => scope == "user",
        None => env::args_os().next().is_some_and(|name| {
            Path::new(&name).parent().is_some_and(|folder| folder.ends_with("user-generators"))
        }),
    };
    if is_user { Manager::User } else { Manager::System }
}

/// Where a user's manager has its generators write, in the user's runtime directory.
pub fn generated(runtime: &Path) -> [PathBuf; 3] {
    GENERATED.map(|name| runtime.join("systemd").join(name))
}

/// The directories of a user that his manager looks into.
#[derive(Debug, Clone, Default)]
pub struct UserDirectories {
    /// The user's folder for configuration: `$XDG_CONFIG_HOME`, else `~/.config`.
    pub config: Option<PathBuf>,
    /// The user's folder for data: `$XDG_DATA_HOME`, else `~/.local/share`.
    pub data: Option<PathBuf>,
    /// The user's runtime folder: `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
}

/// The folders that a manager loads unit files from, but for those of generators. The first one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPath {
    /// Those that win over the folder of ordinary generators.
    pub above: Vec<PathBuf>,
    /// Those that it wins over.
    pub below: Vec<PathBuf>,
}

impl LoadPath {
    /// Of a manager that runs this process as a generator, or that this process looks at.
    ///
    /// `normal` and `early` are the output directories that a generator is given.
    pub fn of(
        manager: Manager,
        user: &UserDirectories,
        normal: Option<&Path>,
        early: Option<&Path>,
    ) -> LoadPath {
        let mut path = match manager {
            Manager::System => LoadPath::of_system(),
            Manager::User => LoadPath::of_user(
                user,
                &xdg::directories("XDG_CONFIG_DIRS", "/etc/xdg"),
                &xdg::directories("XDG_DATA_DIRS", "/usr/local/share:/usr/share"),
            ),
        };
        path.above.splice(0..0, early.map(Path::to_owned));
        match env::var_os("SYSTEMD_UNIT_PATH").filter(|path| !path.is_empty()) {
            Some(own) => path.overridden(&own, normal),
            None => path,
        }
    }

    fn of_system() -> LoadPath {
        LoadPath {
            above: CONTROL.into_iter().chain(ADMINISTRATOR).map(PathBuf::from).collect(),
            below: PACKAGES.map(PathBuf::from).into(),
        }
    }

    fn of_user(user: &UserDirectories, config_dirs: &[PathBuf], data_dirs: &[PathBuf]) -> LoadPath {
        let below = |folders: &[PathBuf], name: &str| -> Vec<PathBuf> {
            folders.iter().map(|folder| folder.join("systemd").join(name)).collect()
        };
        let [config, data, runtime] = [&user.config, &user.data, &user.runtime].map(Option::as_slice);
        LoadPath {
            above: [
                below(config, "user.control"),
                below(runtime, "user.control"),
                below(config, "user"),
                below(config_dirs, "user"),
                vec!["/etc/systemd/user".into()],
                below(runtime, "user"),
                vec!["/run/systemd/user".into()],
            ]
            .concat(),
            below: [
                below(data, "user"),
                below(data_dirs, "user"),
                vec!["/usr/local/lib/systemd/user".into(), "/usr/lib/systemd/user".into()],
            ]
            .concat(),
        }
    }

    /// With systemd's own variable, for managers with a unit path of their own. It stands for the path, or before it if
    /// it ends with a colon.
    fn overridden(mut self, own: &OsStr, normal: Option<&Path>) -> LoadPath {
        let extends = own.as_encoded_bytes().ends_with(b":");
        let folders: Vec<PathBuf> = env::split_paths(own).filter(|path| path.is_absolute()).collect();
        let at = folders.iter().position(|folder| Some(folder.as_path()) == normal).unwrap_or(0);
        let (above, below) = folders.split_at(at);
        if !extends {
            self.above.clear();
            self.below.clear();
        }
        self.above.splice(0..0, above.iter().cloned());
        self.below.splice(0..0, below.iter().cloned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &LoadPath) -> String {
        let side = |folders: &[PathBuf]| {
            folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" ")
        };
        format!("{} | {}", side(&path.above), side(&path.below))
    }

    /// systemd.unit(5), tables 1 and 2.
    #[test]
    fn the_unit_paths_are_those_of_the_manual() {
        assert_eq!(
            shown(&LoadPath::of_system()),
            "/etc/systemd/system.control /run/systemd/system.control /etc/systemd/system /run/systemd/system \
             | /usr/local/lib/systemd/system /usr/lib/systemd/system"
        );
        let user = UserDirectories {
            config: Some("/h/.config".into()),
            data: Some("/h/.local/share".into()),
            runtime: Some("/run/user/7".into()),
        };
        assert_eq!(
            shown(&LoadPath::of_user(&user, &["/etc/xdg".into()], &["/usr/share".into()])),
            "/h/.config/systemd/user.control /run/user/7/systemd/user.control /h/.config/systemd/user \
             /etc/xdg/systemd/user /etc/systemd/user /run/user/7/systemd/user /run/systemd/user \
             | /h/.local/share/systemd/user /usr/share/systemd/user /usr/local/lib/systemd/user \
             /usr/lib/systemd/user"
        );
        assert_eq!(
            shown(&LoadPath::of_user(&UserDirectories::default(), &[], &[])),
            "/etc/systemd/user /run/systemd/user | /usr/local/lib/systemd/user /usr/lib/systemd/user"
        );
    }

    #[test]
    fn a_unit_path_of_ones_own_replaces_or_extends_it() {
        let path = || LoadPath { above: vec!["/a".into()], below: vec!["/b".into()] };
        for (own, normal, expected) in [
            ("/x:/y", None, " | /x /y"),
            ("/x:/n:/y", Some("/n"), "/x | /n /y"),
            ("/x:/y:", None, "/a | /x /y /b"),
            ("/x:/n:", Some("/n"), "/x /a | /n /b"),
            ("relative:/y", None, " | /y"),
        ] {
            assert_eq!(shown(&path().overridden(own.as_ref(), normal.map(Path::new))), expected, "{own}");
        }
    }
}
