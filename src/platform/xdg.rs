//! Finds a user's directories by the XDG base directory specification.

use std::env;
use std::path::{Path, PathBuf};

/// The directory that a variable names. A path that is not absolute is ignored, as the specification says.
pub fn directory(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The directories that a variable lists, or `default` if it is not set.
pub fn directories(name: &str, default: &str) -> Vec<PathBuf> {
    let paths = env::var_os(name).filter(|paths| !paths.is_empty()).unwrap_or_else(|| default.into());
    env::split_paths(&paths).filter(|path| path.is_absolute()).collect()
}

/// The folder of a user's configuration: the value of `$XDG_CONFIG_HOME`, or else `.config` in the home directory.
pub fn config_home(named: Option<PathBuf>, home: Option<&Path>) -> Option<PathBuf> {
    named.or_else(|| Some(home?.join(".config")))
}

/// The folder of a user's data: the value of `$XDG_DATA_HOME`, or else `.local/share` in the home directory.
pub fn data_home(named: Option<PathBuf>, home: Option<&Path>) -> Option<PathBuf> {
    named.or_else(|| Some(home?.join(".local/share")))
}

/// The usual runtime directory of a user.
pub fn runtime(uid: u32) -> PathBuf {
    PathBuf::from(format!("/run/user/{uid}"))
}
