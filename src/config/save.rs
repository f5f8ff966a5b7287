//! Writes a gate file completely or not at all. Replaces an existing file only on request.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Environment;
use crate::chance::chance;

/// Why a gate file was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The file already exists, and must not be replaced.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The path of the gate file.
        path: PathBuf,
        /// The error of the file system.
        #[source]
        error: io::Error,
    },
}

/// Writes the file `path`. With `replace`, it may replace an existing file or a mask.
///
/// The file is on the disk when this returns: the next boot reads it, and may come at once.
///
/// # Errors
/// Fails if the file exists and must not be replaced, or if it cannot be written.
pub fn save(path: &Path, text: &str, replace: bool, environment: &Environment) -> Result<(), SaveError> {
    let real = environment.at(path);
    match place(&real, text, replace) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(SaveError::Exists(path.to_owned())),
        Err(error) => Err(SaveError::Write { path: path.to_owned(), error }),
    }
}

fn place(real: &Path, text: &str, replace: bool) -> io::Result<()> {
    let folder = real.parent().unwrap_or(Path::new("/"));
    // Check first, so that a refusal leaves no draft and makes no folder. The link below checks again.
    if !replace && real.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    // The draft's name begins with a dot and does not end in .toml, so nobody takes it for a gate. `create_new` fails
    // if a file of that name exists, so another's file stays.
    let draft = folder.join(format!(".{name}.{:x}", chance().to_bits()));
    let file = File::options().write(true).create_new(true).open(&draft)?;
    let done = write(file, text).and_then(|()| match replace {
        true => fs::rename(&draft, real),
        // Unlike rename(2), link(2) does not replace an existing file.
        false => fs::hard_link(&draft, real),
    });
    if done.is_err() || !replace {
        // After a successful rename the draft is gone already. A draft that cannot be removed does no harm.
        let _ = fs::remove_file(&draft);
    }
    done.and_then(|()| File::open(folder)?.sync_all())
}

fn write(mut file: File, text: &str) -> io::Result<()> {
    // The service that reads the file runs as another user, so it must be readable for all, whatever the umask.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn environment(root: &Path) -> Environment {
        Environment { uid: 0, home: None, config_home: None, user_manager: false, root: root.to_owned() }
    }

    #[test]
    fn a_file_is_replaced_only_on_request() {
        let root = tempfile::tempdir().unwrap();
        let environment = environment(root.path());
        let path = super::super::own_file("lan", &environment);
        assert_eq!(path, Path::new("/etc/netready/lan.toml"));
        let read = || fs::read_to_string(root.path().join("etc/netready/lan.toml")).unwrap();

        save(&path, "one", false, &environment).unwrap();
        assert_eq!(read(), "one");
        let refused = save(&path, "two", false, &environment);
        assert!(matches!(refused, Err(SaveError::Exists(there)) if there == path));
        assert_eq!(read(), "one");
        save(&path, "three", true, &environment).unwrap();
        assert_eq!(read(), "three");
        let left: Vec<_> = fs::read_dir(root.path().join("etc/netready")).unwrap().collect();
        assert_eq!(left.len(), 1, "a draft is left: {left:?}");
        // A file that looks like a draft of netready's, but is not, stays.
        let other = root.path().join(format!("etc/netready/.lan.toml.{}", std::process::id()));
        fs::write(&other, "another's").unwrap();
        save(&path, "four", true, &environment).unwrap();
        assert_eq!((read().as_str(), fs::read_to_string(&other).unwrap().as_str()), ("four", "another's"));
    }

    #[test]
    fn a_mask_counts_as_an_existing_file() {
        let root = tempfile::tempdir().unwrap();
        let environment = environment(root.path());
        let path = super::super::own_file("lan", &environment);
        let real = root.path().join("etc/netready/lan.toml");
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        symlink("/dev/null", &real).unwrap();
        assert!(matches!(save(&path, "one", false, &environment), Err(SaveError::Exists(_))));
        save(&path, "one", true, &environment).unwrap();
        assert!(real.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&real).unwrap(), "one");
    }

    #[test]
    fn each_caller_has_a_directory_of_its_own_or_the_systems() {
        let of = |uid, user_manager, home: Option<&str>, config_home: Option<&str>| {
            let environment = Environment {
                uid,
                home: home.map(PathBuf::from),
                config_home: config_home.map(PathBuf::from),
                user_manager,
                root: PathBuf::from("/"),
            };
            super::super::own_file("g", &environment).display().to_string()
        };
        for (uid, user_manager, home, config_home, path) in [
            (0, false, Some("/root"), None, "/etc/netready/g.toml"),
            (0, false, Some("/root"), Some("/root/.config"), "/etc/netready/g.toml"),
            (0, true, Some("/root"), None, "/root/.config/netready/g.toml"),
            (1000, false, Some("/home/me"), None, "/home/me/.config/netready/g.toml"),
            (1000, false, Some("/home/me"), Some("/conf"), "/conf/netready/g.toml"),
            (1000, true, None, None, "/etc/netready/g.toml"),
        ] {
            assert_eq!(of(uid, user_manager, home, config_home), path);
        }
    }
}
