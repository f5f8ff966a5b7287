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
//! kernel ─▶ netlink ─bytes▶ decode ─Message▶ ┌──────────────────── session ────────────────────┐
//!                                            │ refresh: Network::apply, what is stale?          │
//! kernel ◀─ netlink ◀───────Read──────────── │ refresh: what to read next                       │
//! kernel ─▶ netlink ────────Found──────────▶ │ refresh: is the network current?                 │
//! gate file ─▶ config ─▶ Gate ─────────────▶ │ evaluate(gate, network, now) ─▶ Verdict          │
//!                                            │ keeper + continuity: Waiting ─▶ … ─▶ Ready ⇄ Lost │
//!                                            └─▶ Step ─▶ driver ─▶ READY=1, report, exit ────────┘
//! ```
//!
//! Notifications say that something changed; what it is now is read. The core decides and does nothing; the
//! shell does and decides nothing.
//!
//! In reading order:
//!
//! * the core, pure: [`requirement`] (what is asked), [`model`] (what is known), [`wants`] (what is worth
//!   reading), [`evaluate`](mod@evaluate) (whether it is met), [`verdict`] (by what, or why not),
//!   [`keeper`] (when a gate opens), [`continuity`] (whether a hold was interrupted), [`refresh`] (what to
//!   read again, and when), [`budget`] (how often that may be done), [`session`] (all of that, one input at a
//!   time);
//! * pure as well: [`report`] (how it is said), [`retry`] (whether a command that failed is run again, and
//!   when), [`learn`](mod@learn) (a gate of what a network has), [`escape`] (text of others, made safe to
//!   print), [`ifname`] (names of links, which are bytes), [`moment`] (time, as a value);
//! * the edge, still pure: [`config`] (gate files and options), [`netlink::decode`] (bytes);
//! * the shell: [`driver`] (the loop), [`netlink`] (sockets), [`files`] (reading files without trusting their
//!   place), [`identity`] (whose process this is), [`resolv`] (resolv.conf), [`probe`] (questions to others,
//!   each a process), [`clock`], [`chance`], [`notify`] (the service manager), [`record`], [`log`],
//!   [`stderr`] (what is said there, without waiting for its reader), [`attempt`] (one run of a command),
//!   [`cli`] (the commands), [`sibling`] (programs that users do not call);
//! * [`doctor`], one look over a host: judges that are pure, each beside its reader;
//! * apart from all that, the systemd generator: [`quadlet`] (Podman's unit files to drop-ins, pure), [`generator`]
//!   (its files); and [`ipam`] (addresses that Podman holds for containers that are gone).

pub mod attempt;
pub mod budget;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod continuity;
pub mod doctor;
pub mod driver;
pub mod escape;
pub mod evaluate;
pub mod files;
pub mod generator;
pub mod identity;
pub mod ifname;
pub mod ipam;
pub mod keeper;
pub mod learn;
pub mod log;
pub mod model;
pub mod moment;
pub mod netlink;
pub mod notify;
pub mod probe;
pub mod quadlet;
pub mod record;
pub mod refresh;
pub mod report;
pub mod requirement;
pub mod resolv;
pub mod retry;
pub mod session;
pub mod sibling;
pub mod stderr;
pub mod verdict;
pub mod wants;
