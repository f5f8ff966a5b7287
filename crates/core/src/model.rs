//! The known part of the kernel's network state: links, addresses, and the routes that somebody wants.
//!
//! Links and addresses are kept up to date from the kernel's messages. Routes are not, because the kernel does not
//! announce every change: it removes IPv4 routes without a message (`ip link set X down`, `ip link del X`, the
//! removal of a link's last address, `ip nexthop del`) and sets their flag `linkdown` without one. So a message
//! only marks the routes as [stale](Stale), and they are read again.

mod address;
mod link;
mod network;
mod question;
mod route;

pub use address::{Address, link_local};
pub use link::{Carrierless, Link, Operstate};
pub use network::{Message, Nameservers, Network, RouteChange, Stale};
pub use question::{Answer, NoAnswer, Question, Tried};
pub use route::{Lookup, NextHop, PastaView, Preference, Route, RouteKind, RouteQuery, Routes, TableRoutes};

#[cfg(test)]
mod tests;
