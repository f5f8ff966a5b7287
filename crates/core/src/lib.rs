//! What netready decides, and nothing of what it does.
//!
//! This crate has no sockets, files, clock, chance, environment, threads or logging. The time is an argument, and
//! effects are values. `tests/pure.rs` and the lints of `clippy.toml` see to it. The programs around it are in the
//! crate `netready`.
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
//! * [`requirement`]: what a gate asks for; each kind of requirement has a file there, with its keys and its judging;
//! * [`model`]: what is known of the kernel's state; [`wants`]: what of it is worth reading;
//! * [`evaluate`](mod@evaluate): whether a gate is met; [`verdict`]: by what, or why not;
//! * [`gate_state`]: when a gate opens; [`continuity`]: whether the requirements held without a break while it settled;
//! * [`account`]: where the time went that a gate was shut;
//! * [`refresh`]: what to read again, in which order and when; [`budget`]: how often that may be done;
//! * [`session`]: one input and the time in, one step out;
//! * [`report`]: how a verdict is said; [`escape`]: text of others, made safe to print;
//! * [`history`]: what happened and when, as lines; [`journal`]: which entries are written;
//! * [`snapshot`]: how a gate stands, for other programs; [`overview`]: what `status` and `list` print; [`metrics`]:
//!   the same for Prometheus;
//! * [`timeline`]: the way to ready of a `run`, put together from its history;
//! * [`kernel_line`]: what the kernel command line says to gates;
//! * [`config`]: the table of keys, and with it gate files and options, read and written; [`ifname`]: names of links,
//!   which are bytes;
//! * [`explain`](mod@explain): what a gate waits for and what it does then, in sentences;
//! * [`retry`]: whether a command that failed is run again, and when; [`learn`](mod@learn): a gate of what a network
//!   has; [`moment`]: a point in time, as a value.

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
