//! The programs that belong to this one and that users do not call. What they need in memory is none of the
//! daemon's.

use std::io;
use std::path::{Path, PathBuf};

/// One try of a probe.
pub const PROBE: &str = "netready-probe";
/// The commands that look over a host, and those that run another command.
pub const TOOLS: &str = "netready-tools";

/// Beside this program where both were built, else where packages put what users do not call.
///
/// # Errors
/// Where it is in neither place.
pub fn path(name: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new("/"));
    let beside = folder.join(name);
    if beside.exists() {
        return Ok(beside);
    }
    let apart = folder.parent().unwrap_or(folder).join("libexec").join(name);
    if apart.exists() { Ok(apart) } else { Err(io::Error::other(format!("no {}", apart.display()))) }
}
