//! Boots of other releases of Debian than the usual one.

mod bookworm;
mod forky;
