//! Where systemd has its unit files (systemd.unit(5), "Unit File Load Path") and the output of its generators.

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

/// This folder exists if systemd runs the host (sd_booted(3)).
pub const BOOTED: &str = "/run/systemd/system";

/// The names of the folders to which a manager's generators write, below the manager's runtime directory.
const GENERATED: [&str; 3] = ["generator.early", "generator", "generator.late"];

/// The folders to which the administrator's commands write (`systemctl set-property`, `systemctl edit`).
const CONTROL: [&str; 2] = ["/etc/systemd/system.control", "/run/systemd/system.control"];
/// The folders of system units of the administrator, and of programs at run time. They take precedence over generated
/// ones.
const ADMINISTRATOR: [&str; 2] = ["/etc/systemd/system", BOOTED];
/// The folders of system units of packages.
const PACKAGES: [&str; 2] = ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

/// The folders of system units, in which units are also enabled, without those of generators.
pub fn system_units() -> impl Iterator<Item = &'static str> {
    ADMINISTRATOR.into_iter().chain(PACKAGES)
}

/// Like [`system_units`], with the folder of generated units.
pub fn system_units_and_generated() -> impl Iterator<Item = &'static str> {
    ADMINISTRATOR.into_iter().chain(["/run/systemd/generator"]).chain(PACKAGES)
}

/// The manager that runs this process as a generator. systemd 251 and later set it in the environment
/// (systemd.generator(7)). With an earlier version, the path of this program says it.
pub fn manager_of_generator() -> Manager {
    let is_user = match env::var_os("SYSTEMD_SCOPE") {
        Some(scope) => scope == "user",
        None => env::args_os().next().is_some_and(|name| {
            Path::new(&name).parent().is_some_and(|folder| folder.ends_with("user-generators"))
        }),
    };
    if is_user { Manager::User } else { Manager::System }
}

/// The folders to which the generators of a user's manager write, in this runtime directory.
pub fn generated(runtime: &Path) -> [PathBuf; 3] {
    GENERATED.map(|name| runtime.join("systemd").join(name))
}

/// The directories of a user in which the user's manager looks for units.
#[derive(Debug, Clone, Default)]
pub struct UserDirectories {
    /// The user's folder for configuration: `$XDG_CONFIG_HOME`, else `~/.config`.
    pub config: Option<PathBuf>,
    /// The user's folder for data: `$XDG_DATA_HOME`, else `~/.local/share`.
    pub data: Option<PathBuf>,
    /// The user's runtime folder: `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
}

/// The folders from which a manager loads unit files, without the generators' folders. The first folder takes
/// precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPath {
    /// The folders that take precedence over the folder of ordinary generators.
    pub above: Vec<PathBuf>,
    /// The folders over which the folder of ordinary generators takes precedence.
    pub below: Vec<PathBuf>,
}

impl LoadPath {
    /// The load path of a manager, whether it runs this process as a generator or this process examines it.
    ///
    /// `normal` and `early` are the output directories that a generator gets as arguments.
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

    /// Applies `SYSTEMD_UNIT_PATH`, which managers with a unit path of their own use. It replaces the path. If it
    /// ends with a colon, it is put before the path instead.
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

    /// The tables 1 and 2 of systemd.unit(5).
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
    fn a_unit_path_in_the_environment_replaces_or_extends_the_load_path() {
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
