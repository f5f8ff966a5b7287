//! netready says when a Linux host's network is ready, why it is not, and READY=1 the instant it is.
//!
//! It reads links, addresses and routes from the kernel (rtnetlink(7)) and nothing from a network
//! manager. A *gate* is a named set of *requirements* with a timeout. Its *verdict* is their evaluation
//! against the kernel's state. Every unmet requirement has a *reason*.
//!
//! One state machine, the [`session`], is under `run`, `wait`, `monitor`, `check` and the network watch of
//! `retry`. It is pure: the [`driver`] brings it each event as an input, and carries out its answer.
//!
//! ```text
//! kernel ─▶ netlink ─bytes▶ decode ─Message▶ ┌ session ────────────────────────────────────────────┐
//!                                            │ refresh: Network::apply, what is stale?             │
//! kernel ◀─ netlink ◀───────Read──────────── │ refresh: what to read next                          │
//! kernel ─▶ netlink ────────Found──────────▶ │ refresh: is the network current?                    │
//! gate file ─▶ config ─▶ Gate ─────────────▶ │ evaluate(gate, network, now) ─▶ Verdict             │
//!                                            │ gate_state, continuity: Waiting ─▶ … ─▶ Ready ⇄ Lost │
//!                                            └ Step ─▶ driver ─▶ READY=1, report, exit ─────────────┘
//! ```
//!
//! Notifications say that something changed; what it is now is read. After the reads, notifications are taken in once
//! more.
//!
//! Whether and when a gate opens is decided in the crate [`netready_core`], which cannot read or do anything: begin
//! there. This crate is what surrounds it, the shell:
//!
//! * [`driver`]: the loop, which owns clock, timer, signals and sockets;
//! * [`netlink`]: the sockets, and bytes to messages ([`netlink::decode`]);
//! * [`config`]: finding, reading and writing gate files; [`proc_cmdline`]: reading the kernel command line;
//!   [`resolv`]: resolv.conf;
//! * [`probe`]: questions to others, each a process; [`attempt`]: one run of a command;
//! * [`notify`]: messages to the service manager; [`ready_fd`]: readiness for other supervisors (s6, dinit, OpenRC);
//! * [`journal`]: entries with fields; [`log`]: lines; [`stderr`], [`stdout`] and [`outlet`]: threads that write them, so
//!   that nobody waits for a reader; [`record`]: what `run` leaves in files, and reading it back;
//! * [`textfile`]: the file that `run` keeps for node_exporter;
//! * [`platform`]: the operating system: clock, signals, child processes, descriptors, files, users and paths;
//!   [`platform::sibling`]: programs of ours that users do not call;
//! * [`cli`]: the commands; [`doctor`]: checks a host once; each subject has a reader, which collects facts, and a pure
//!   judge;
//! * apart from all that, the systemd generator: [`quadlet`] (Podman's unit files to drop-ins, pure), [`generator`]
//!   (its files); and [`ipam`] (addresses that Podman holds for containers that are gone).

#![allow(rustdoc::private_intra_doc_links, reason = "for contributors: built with --document-private-items")]

pub use netready_core::{
    account, budget, continuity, escape, evaluate, explain, gate_state, history, ifname, kernel_line, learn,
    metrics, model, moment, overview, refresh, report, requirement, retry, session, snapshot, timeline,
    verdict, wants,
};
// The shell names them without the folder that they are in.
use platform::{chance, clock, descriptor, files, identity, sibling, store};

mod attempt;
pub mod cli;
mod config;
pub mod doctor;
mod driver;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod generator;
pub mod ipam;
pub mod journal;
mod log;
mod netlink;
mod notify;
mod outlet;
mod platform;
pub mod probe;
mod proc_cmdline;
mod quadlet;
mod ready_fd;
mod record;
mod resolv;
mod stderr;
mod stdout;
mod textfile;

/// Memory of the static programs. musl's own allocator gives pages back to the kernel, and asks for them again, at each
/// event.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
