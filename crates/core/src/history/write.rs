//! Writes an event as a line of JSON.

use core::net::IpAddr;
use core::time::Duration;

use serde_json::Value;

use crate::history::{
    AddressChange, Cause, Event, GateChange, LinkChange, ProbeChange, RequirementChange, RouteChange, Start,
    StartClause, What, usec,
};
use crate::report::json_text;

/// Returns the event as one line of JSON, with the newline. Characters that could affect a terminal are written as
/// `\uNNNN`, so the line can be printed unchanged.
pub fn line(event: &Event) -> String {
    let event = event.clone().bounded();
    let mut fields = Fields(String::with_capacity(USUAL));
    fields.put("usec", usec(event.at.since_boot()));
    fields.put("event", event.what.kind());
    match event.what {
        What::Start(start) => fields.start(start),
        What::Gate(change) => fields.gate(change),
        What::Requirement(change) => fields.requirement(change),
        What::Link(change) => fields.link(change),
        What::Address(change) => fields.address(change),
        What::Route(change) => fields.route(change),
        What::Probe(change) => fields.probe(change),
        What::Dropped(count) => fields.put("count", count),
    }
    format!("{{{}}}\n", fields.0)
}

/// Most lines are shorter than this. A longer one makes its text grow.
const USUAL: usize = 256;

/// The fields of an object as JSON, in the order in which they were added.
#[derive(Default)]
struct Fields(String);

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.put_json(name, &json_text(&value.into()));
    }

    fn put_json(&mut self, name: &str, json: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        self.0.extend([comma, "\"", name, "\":", json]);
    }

    fn put_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn put_usec(&mut self, name: &str, value: Option<Duration>) {
        self.put_some(name, value.map(usec));
    }

    fn put_address(&mut self, name: &str, value: Option<IpAddr>) {
        self.put_some(name, value.map(|address| address.to_string()));
    }

    fn start(&mut self, start: Start) {
        let Start { gate, source, reloaded, timeout, settle, clauses, more_clauses } = start;
        self.put("gate", gate);
        self.put("source", source);
        if reloaded {
            self.put("reloaded", true);
        }
        self.put_usec("timeout_usec", timeout);
        self.put_usec("settle_usec", Some(settle));
        let clauses: Vec<String> = clauses.into_iter().map(clause).collect();
        self.put_json("clauses", &format!("[{}]", clauses.join(",")));
        if more_clauses > 0 {
            self.put("more_clauses", more_clauses);
        }
    }

    fn gate(&mut self, change: GateChange) {
        let GateChange { state, by, reason, met_by } = change;
        self.put("state", state.as_str());
        self.put_some("by", by.map(|by| by.as_str()));
        self.reason(reason);
        self.put_some("met_by", met_by);
    }

    fn requirement(&mut self, change: RequirementChange) {
        let RequirementChange { clause, requirement, link, state, met_by, reason } = change;
        self.put("clause", clause);
        self.put("requirement", requirement);
        self.put_some("link", link);
        self.put("state", state.as_str());
        self.put_some("met_by", met_by);
        self.reason(reason);
    }

    fn reason(&mut self, reason: Option<Cause>) {
        if let Some(Cause { code, text, link }) = reason {
            self.put("code", code.as_str());
            self.put("text", text);
            self.put_some("reason_link", link);
        }
    }

    fn link(&mut self, change: LinkChange) {
        let LinkChange { link, ifindex, state, was, flaps } = change;
        self.put("link", link);
        self.put("ifindex", ifindex);
        self.put("state", state.as_str());
        self.put_some("was", was.map(|was| was.as_str()));
        if flaps > 0 {
            self.put("flaps", flaps);
        }
    }

    fn address(&mut self, change: AddressChange) {
        let AddressChange { link, ifindex, address, peer, state } = change;
        self.put("link", link);
        self.put("ifindex", ifindex);
        self.put("address", address.to_string());
        self.put_address("peer", peer);
        self.put("state", state.as_str());
    }

    fn route(&mut self, change: RouteChange) {
        let RouteChange { destination, link, gateway, table, metric, state } = change;
        self.put("destination", destination.to_string());
        self.put_some("link", link);
        self.put_address("gateway", gateway);
        self.put("table", table);
        self.put("metric", metric);
        self.put("state", state.as_str());
    }

    fn probe(&mut self, change: ProbeChange) {
        let ProbeChange { probe, state, text } = change;
        self.put("probe", probe);
        self.put("state", state.as_str());
        self.put("text", text);
    }
}

fn clause(clause: StartClause) -> String {
    let StartClause { links, requirements, quorum, grace } = clause;
    let mut fields = Fields::default();
    if !links.is_empty() {
        fields.put("links", links);
    }
    fields.put("requirements", requirements);
    fields.put("quorum", quorum);
    fields.put_usec("grace_usec", grace);
    format!("{{{}}}", fields.0)
}
