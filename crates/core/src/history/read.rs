//! Reads a line of JSON as an event. Anybody may have written the line, or a later version of netready.

use core::net::IpAddr;
use core::time::Duration;

use serde_json::{Map, Value};

use crate::history::{
    AddressChange, AddressWord, By, Cause, Code, Event, GateChange, GateWord, LinkChange, LinkWord,
    ProbeChange, ProbeWord, RequirementChange, RequirementWord, RouteChange, RouteWord, Start, StartClause,
    What,
};
use crate::moment::Moment;

/// Reads the event of a line. Returns `None` if the line is not a known event: it is cut off, it has a kind or a
/// word of a later version, or it is something else. Unknown fields are ignored. Texts are unchanged except that
/// they are cut to their limits, so escape them before you print them.
pub fn read(line: &str) -> Option<Event> {
    let Ok(Value::Object(object)) = serde_json::from_str(line) else { return None };
    let fields = Fields(&object);
    let what = match fields.word("event")? {
        "start" => What::Start(fields.start()?),
        "gate" => What::Gate(fields.gate()?),
        "requirement" => What::Requirement(fields.requirement()?),
        "link" => What::Link(fields.link()?),
        "address" => What::Address(fields.address()?),
        "route" => What::Route(fields.route()?),
        "probe" => What::Probe(fields.probe()?),
        "dropped" => What::Dropped(fields.number("count")?),
        _ => return None,
    };
    Some(Event { at: Moment::after_boot(fields.usec("usec")?), what }.bounded())
}

#[derive(Clone, Copy)]
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn word(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    fn text(self, name: &str) -> Option<String> {
        self.word(name).map(str::to_owned)
    }

    fn number(self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    fn number32(self, name: &str) -> Option<u32> {
        u32::try_from(self.number(name)?).ok()
    }

    fn usec(self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_micros)
    }

    fn start(self) -> Option<Start> {
        let clauses = self.0.get("clauses")?.as_array()?;
        Some(Start {
            gate: self.text("gate")?,
            source: self.text("source")?,
            reloaded: self.0.get("reloaded").and_then(Value::as_bool).unwrap_or(false),
            timeout: self.usec("timeout_usec"),
            settle: self.usec("settle_usec").unwrap_or_default(),
            clauses: clauses.iter().map(clause).collect::<Option<Vec<StartClause>>>()?,
            more_clauses: self.number("more_clauses").unwrap_or(0),
        })
    }

    fn gate(self) -> Option<GateChange> {
        Some(GateChange {
            state: GateWord::of(self.word("state")?)?,
            // A later version may have other words here. The state is still valid.
            by: self.word("by").and_then(By::of),
            reason: self.reason(),
            met_by: self.text("met_by"),
        })
    }

    fn requirement(self) -> Option<RequirementChange> {
        Some(RequirementChange {
            clause: self.number("clause")?,
            requirement: self.text("requirement")?,
            link: self.text("link"),
            state: RequirementWord::of(self.word("state")?)?,
            met_by: self.text("met_by"),
            reason: self.reason(),
        })
    }

    fn reason(self) -> Option<Cause> {
        Some(Cause {
            code: Code::read(self.text("code")?),
            text: self.text("text")?,
            link: self.text("reason_link"),
        })
    }

    fn link(self) -> Option<LinkChange> {
        Some(LinkChange {
            link: self.text("link")?,
            ifindex: self.number32("ifindex")?,
            state: LinkWord::of(self.word("state")?)?,
            was: self.word("was").and_then(LinkWord::of),
            flaps: self.number("flaps").unwrap_or(0),
        })
    }

    fn address(self) -> Option<AddressChange> {
        Some(AddressChange {
            link: self.text("link")?,
            ifindex: self.number32("ifindex")?,
            address: self.word("address")?.parse().ok()?,
            peer: self.ip("peer"),
            state: AddressWord::of(self.word("state")?)?,
        })
    }

    fn route(self) -> Option<RouteChange> {
        Some(RouteChange {
            destination: self.word("destination")?.parse().ok()?,
            link: self.text("link"),
            gateway: self.ip("gateway"),
            table: self.number32("table")?,
            metric: self.number32("metric")?,
            state: RouteWord::of(self.word("state")?)?,
        })
    }

    fn ip(self, name: &str) -> Option<IpAddr> {
        self.word(name)?.parse().ok()
    }

    fn probe(self) -> Option<ProbeChange> {
        Some(ProbeChange {
            probe: self.text("probe")?,
            state: ProbeWord::of(self.word("state")?)?,
            text: self.text("text")?,
        })
    }
}

fn clause(value: &Value) -> Option<StartClause> {
    let fields = Fields(value.as_object()?);
    Some(StartClause {
        links: texts(fields.0.get("links")).unwrap_or_default(),
        requirements: texts(fields.0.get("requirements"))?,
        quorum: fields.text("quorum")?,
        grace: fields.usec("grace_usec"),
    })
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}
