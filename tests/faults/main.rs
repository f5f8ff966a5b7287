//! Faults at the boundary to the kernel: each system call of a command fails once with each error that it can have, is
//! interrupted, is slow, and moves fewer octets than it was asked to. Each time the command must recover, or end with an
//! honest error: no hang, no panic, no READY=1 or exit code 0 that is not true, no data that is lost.
//!
//! `cargo test --test faults` tries some of the faults of each story, evenly spread; `make faults` tries all, which
//! takes many minutes; `NETREADY_FAULTS=short` tries all short reads and writes. docs/testing.md has the figures.

#![cfg(target_arch = "x86_64")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests own their clock")]
#![allow(clippy::wildcard_enum_match_arm, reason = "what is not expected is a violation, whatever it is")]
#![allow(missing_docs, reason = "a test has no users")]

mod calls;
mod campaign;
mod interposer;
mod short;
mod stage;
mod stories;
