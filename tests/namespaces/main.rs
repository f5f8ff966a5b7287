//! Tests of the built binary with real links, addresses and routes, each in a network namespace of its own.
//!
//! All subjects are in one test program, so that it is linked once. `harness` has the functions that all tests use.
//! The tests change nothing on the host: no named namespaces, no files outside a scratch directory, no sysctl of
//! the host.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests own their clock, and sleep where nothing can be awaited"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "the harness looks for one event among many")]

mod harness;

mod address;
mod bridge;
mod choice;
mod completion;
mod doctor;
mod explain;
mod gates;
mod history;
mod identity;
mod input;
mod kernel_line;
mod kinds;
mod learn;
mod leases;
mod link;
mod monitor;
mod notify;
mod oracle;
mod pages;
mod pasta;
mod probe;
mod process;
mod quorum;
mod ready_fd;
mod reload;
mod resync;
mod route;
mod sandbox;
mod schema;
mod soak;
mod status;
mod supervisors;
mod timeline;
mod way;
