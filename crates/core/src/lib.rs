//! Makes netready's decisions. It does not carry them out.
//!
//! This crate has no sockets, files, clock, randomness, environment, threads or logging. The time is an argument,
//! and effects are values. `tests/pure.rs` and the lints of `clippy.toml` check this. The crate `netready` has the
//! programs that use this crate.
//!
//! ```text
//! Message, Found ─▶ refresh ─▶ Network ─▶ evaluate(gate, network, now) ─▶ Verdict ─▶ gate_state ─▶ Phase
//!                      │                        ▲                            │          ▲
//!                      └─▶ Read                 │                            └─▶ continuity
//!            gate file, options ─▶ config ─▶ Gate
//!            session: all of it, one input at a time ─▶ Step
//! ```
//!
//! In reading order:
//!
//! * [`requirement`]: what a gate asks for. Each kind of requirement has a file there, with its keys and its
//!   evaluation;
//! * [`model`]: what is known about the kernel's state; [`wants`]: which part of the state a gate needs;
//! * [`evaluate`](mod@evaluate): whether a gate is met; [`verdict`]: by what, or why not;
//! * [`gate_state`]: when a gate opens; [`continuity`]: whether the requirements held without a break while it settled;
//! * [`account`]: how long each reason held a gate shut;
//! * [`refresh`]: what to read again, in which order and when; [`budget`]: how often that may be done;
//! * [`session`]: one input and the time in, one step out;
//! * [`report`]: the texts about a verdict; [`escape`]: makes the texts of others safe to print;
//! * [`history`]: events as lines of JSON; [`journal`]: which entries are written;
//! * [`snapshot`]: the state of a gate, for other programs; [`overview`]: what `status` and `list` print;
//!   [`metrics`]: the same for Prometheus;
//! * [`timeline`]: shows how a `run` became ready, from its history;
//! * [`kernel_line`]: what the kernel command line says about gates;
//! * [`config`]: the table of keys; it reads and writes gate files, and reads options; [`ifname`]: names of links,
//!   which are bytes;
//! * [`explain`](mod@explain): describes in sentences what a gate waits for and what it does then;
//! * [`retry`]: whether a command that failed is run again, and when; [`learn`](mod@learn): makes a gate from a
//!   working network; [`moment`]: a point in time, as a value.

extern crate alloc;

pub mod account;
pub mod budget;
pub mod config;
pub mod continuity;
pub mod escape;
pub mod evaluate;
pub mod explain;
pub mod gate_state;
pub mod history;
pub mod ifname;
pub mod journal;
pub mod kernel_line;
pub mod learn;
pub mod metrics;
pub mod model;
pub mod moment;
pub mod overview;
pub mod refresh;
pub mod report;
pub mod requirement;
pub mod retry;
pub mod session;
pub mod snapshot;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timeline;
pub mod verdict;
pub mod wants;
