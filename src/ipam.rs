//! Addresses that Podman's netavark holds for containers, among them leaked ones, which nothing frees.
//!
//! Before Podman 5.5 a container whose network cannot be set up keeps its address: the start fails, the container
//! is removed, and each later start with that address fails. The leases are in a bbolt database on a tmpfs, and
//! no command of Podman's lists or frees them.
//!
//! [`look`] reads a copy and judges it; [`free`] takes leaked leases out, in one transaction under the database's
//! own lock, while other containers run. In reading order: [`leases`] (what a database means, pure), [`bolt`]
//! (its bytes, pure), [`file`](mod@file) (reading and writing it), [`podman`] (whom it is compared with).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::escape::escape_bytes;
use crate::platform::proc;

pub mod bolt;
pub mod file;
pub mod leases;
pub mod podman;
// The recorded databases are of little-endian machines.
#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests;

pub use leases::{HeldAddress, Lease, LeaseState};
pub use podman::Podman;

/// The time between two looks at the leases. A container takes about this long from getting its address to
/// its first process; on a busy machine it takes a few times as long.
const START: Duration = Duration::from_secs(1);

/// Why leases cannot be read or freed.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Podman did not answer.
    #[error(transparent)]
    Podman(#[from] podman::PodmanError),
    /// The database cannot be used.
    #[error("{}", shown(path))]
    File {
        /// The path of the database.
        path: PathBuf,
        /// What went wrong with the file.
        #[source]
        source: file::DatabaseError,
    },
    /// It is not netavark's.
    #[error("{}", shown(path))]
    Layout {
        /// The path of the database.
        path: PathBuf,
        /// What is in it.
        #[source]
        source: leases::LayoutError,
    },
}

/// The text of a path, safe to print: Podman may take it from a user's environment.
fn shown(path: &Path) -> Cow<'_, str> {
    escape_bytes(path.as_os_str().as_encoded_bytes())
}

/// The leases of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseList {
    /// The path of the database.
    pub database: PathBuf,
    /// All leases of the database.
    pub leases: Vec<Lease>,
}

/// Lists every address that is held for a container of this user, or of root, with the state of the
/// container. If a lease looks leaked or idle, it looks again one second later.
///
/// # Errors Where Podman does not answer or the database cannot be read. It is not an error if there is no
/// database.
pub fn look(podman: &Podman) -> Result<LeaseList, LeaseError> {
    look_twice(podman, pause)
}

/// As [`look`]. `pause` waits before the second look.
fn look_twice(podman: &Podman, pause: impl FnOnce()) -> Result<LeaseList, LeaseError> {
    let database = podman.database()?;
    let mut leases = once(podman, &database)?;
    if leases.iter().any(|lease| matches!(lease.state, LeaseState::Idle | LeaseState::Leaked)) {
        pause();
        leases = leases::lasting(&leases, once(podman, &database)?);
    }
    Ok(LeaseList { database, leases })
}

/// Frees those of the given leases that are still leaked, and nothing else. A lease that another container
/// has got since then stays. Returns the freed addresses. Other containers may run meanwhile.
///
/// # Errors
/// Where it cannot be done safely; then nothing was changed.
pub fn free(podman: &Podman, leases: &[Lease]) -> Result<Vec<HeldAddress>, LeaseError> {
    let path = podman.database()?;
    let leaked = |leases: &[Lease]| -> BTreeSet<HeldAddress> {
        leases
            .iter()
            .filter(|lease| lease.state == LeaseState::Leaked)
            .map(|lease| lease.held.clone())
            .collect()
    };
    // The given leases may have been judged an hour ago, so judge again. The ID of a container is never used
    // again, so a leaked lease stays leaked.
    let leaked: BTreeSet<HeldAddress> =
        leaked(&once(podman, &path)?).intersection(&leaked(leases)).cloned().collect();
    let mut freed = BTreeSet::new();
    if !leaked.is_empty() {
        file::write(&path, |root| {
            freed = leases::without(root, &leaked);
            !freed.is_empty()
        })
        .map_err(|source| LeaseError::File { path, source })?;
    }
    Ok(freed.into_iter().collect())
}

/// Looks once. The leases are read before the containers: in the other order, a container that has just
/// started would have a lease and seem not to exist.
fn once(podman: &Podman, path: &Path) -> Result<Vec<Lease>, LeaseError> {
    let database = file::read(path).map_err(|source| LeaseError::File { path: path.to_owned(), source })?;
    let Some(database) = database else { return Ok(Vec::new()) };
    let held = leases::held(&database.root)
        .map_err(|source| LeaseError::Layout { path: path.to_owned(), source })?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let containers = podman.containers()?;
    let proc = Path::new(proc::PROC);
    if !proc::is_ours(proc) {
        return Err(podman::PodmanError::Processes.into());
    }
    let ids: BTreeSet<&str> = held.iter().map(|held| held.container.as_str()).collect();
    let unseen = podman::PodmanError::Unseen;
    let named = podman::named_by_processes(proc, &ids).map_err(unseen)?;
    Ok(leases::judge(held, &containers, |id| named.contains(id)))
}

#[allow(clippy::disallowed_methods, reason = "a second look, some time after the first")]
fn pause() {
    std::thread::sleep(START);
}
