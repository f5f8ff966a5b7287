//! What is known of the kernel's network state: links, addresses, the routes that somebody wants.
//!
//! Links and addresses are kept from their messages. Routes are not: the kernel removes IPv4 routes
//! without a word (`ip link set X down`, `ip link del X`, the removal of a link's last address,
//! `ip nexthop del`) and flags them `linkdown` without one. So a message only tells that the routes
//! that were read are [stale](Stale), and they are read again.

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
