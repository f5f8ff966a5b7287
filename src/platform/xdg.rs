//! The XDG base directory specification: where a user's files are.

use std::env;
use std::path::{Path, PathBuf};

/// The directory that a variable names. The specification: a path that is not absolute is to be ignored.
pub fn directory(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The directories that a variable lists, or those that stand for it where it is not set.
pub fn directories(name: &str, default: &str) -> Vec<PathBuf> {
    let paths = env::var_os(name).filter(|paths| !paths.is_empty()).unwrap_or_else(|| default.into());
    env::split_paths(&paths).filter(|path| path.is_absolute()).collect()
}

/// Where a user's configuration is: what `$XDG_CONFIG_HOME` says, or in the home directory.
pub fn config_home(named: Option<PathBuf>, home: Option<&Path>) -> Option<PathBuf> {
    named.or_else(|| Some(home?.join(".config")))
}

/// Where a user's data is: what `$XDG_DATA_HOME` says, or in the home directory.
pub fn data_home(named: Option<PathBuf>, home: Option<&Path>) -> Option<PathBuf> {
    named.or_else(|| Some(home?.join(".local/share")))
}

/// The runtime directory of a user, where nothing says otherwise.
pub fn runtime(uid: u32) -> PathBuf {
    PathBuf::from(format!("/run/user/{uid}"))
}
