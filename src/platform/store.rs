//! The files that systemd keeps for a unit from one process to the next (systemd.service(5), FileDescriptorStoreMax=).
//! [`Notifier::keep`](crate::notify::Notifier::keep) hands one over.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

/// Whether the service manager keeps files for this unit: what FDSTORE says. systemd sets it from 254 on, and before
/// that the unit itself must.
pub fn is_there() -> bool {
    let most = std::env::var("FDSTORE").ok().and_then(|most| most.parse::<u32>().ok());
    most.is_some_and(|most| most > 0)
}

/// Takes the file that an earlier process of this unit handed over under this name (FDNAME=), to read it.
///
/// LISTEN_PID must be this process, or the variables are meant for another one. The file may have been deleted since;
/// what is open can still be opened again by its number.
pub fn take(name: &str) -> Option<File> {
    let (number, _) = sd_notify::listen_fds_with_names().ok()?.find(|(_, found)| found == name)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{number}"));
    // It was inherited, so nothing in this process owns the number. Left open, it would hold a deleted file's memory.
    let _ = nix::unistd::close(number);
    file.ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
}
