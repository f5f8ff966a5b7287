//! What the commands need of the operating system. Each job is done in one place.
//!
//! These modules know nothing of gates or of the network.

pub mod chance;
pub mod child;
pub mod clock;
pub mod descriptor;
pub mod files;
pub mod identity;
pub mod proc;
pub mod sibling;
pub mod signals;
pub mod store;
pub mod systemd;
pub mod unit_tree;
pub mod worker;
pub mod xdg;
