//! What somebody at a terminal sees: the built binary as a job of an interactive shell, on a pseudo-terminal of the
//! test's own, shown by a terminal emulator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests own their clock, and look again where nothing can be awaited"
)]

mod demo;
mod live;
mod monitor;
mod shell;
