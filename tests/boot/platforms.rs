//! Other releases of Debian than the one that the other tests boot.

mod bookworm;
mod forky;
