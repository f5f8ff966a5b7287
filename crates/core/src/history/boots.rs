//! Finds what several boots of one gate have in common: a family that comes late each time, a link that flaps, a
//! gate that gives up.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::config::clause_text;
use crate::history::{AddressWord, Event, GateWord, LinkWord, RouteWord, What};
use crate::journal::Kind;
use crate::moment::Moment;
use crate::requirement::{
    AddressSpec, Clause, Destination, Family, Gate, Item, RouteSpec, Subject, TABLE_MAIN, Table,
};

/// What is known about a gate in one boot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootHistory {
    /// The number of the boot: 0 is this boot, -1 the one before.
    pub offset: i64,
    /// The name of the gate.
    pub gate: String,
    /// The journal's entries about the gate: the kind of each, and the code of its leading reason.
    pub entries: Vec<(Kind, Option<String>)>,
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
}

/// What arrived after a gate was ready. The gate could be told to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LateWhat {
    /// The default route of a family.
    Route,
    /// The first address of a family, for a gate that asks for no default route.
    Address,
}

/// A family that arrived after the gate was ready, in each of the last boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The address family that came late.
    pub family: Family,
    /// Whether a default route or an address came late.
    pub what: LateWhat,
    /// The link on which the family arrived in the latest of these boots.
    pub link: Option<String>,
    /// How many boots in a row, including the latest one.
    pub boots: usize,
    /// The shortest time from ready until the arrival.
    pub least: Duration,
    /// The longest time from ready until the arrival.
    pub most: Duration,
}

/// A link that lost carrier again and again while the host booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flapping {
    /// The name of the link that lost carrier.
    pub link: String,
    /// The number of boots in which the link flapped.
    pub boots: usize,
    /// The number of boots that were examined.
    pub of: usize,
    /// How often the link lost carrier in the worst of these boots.
    pub most: u64,
}

/// A gate that gave up in earlier boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaveUpBefore {
    /// The number of boots in which the gate gave up.
    pub boots: usize,
    /// The number of boots that were examined.
    pub of: usize,
    /// The code of the reason why the gate gave up in the latest of these boots.
    pub code: Option<String>,
}

/// How many boots in a row count as a pattern. A single boot may be an accident. With 3, netready would suggest the
/// clause one boot later; with 1, each cable that somebody moves would be a finding.
const ENOUGH: usize = 2;

/// An arrival later than this after ready has nothing to do with the boot.
const BOOT: Duration = Duration::from_secs(120);

/// A link that loses carrier this often in a boot flaps. Many drivers lose it once when they are configured.
const FLAPS: u64 = 2;

/// The shortest grace that netready suggests.
const LEAST_GRACE: Duration = Duration::from_secs(5);

/// Finds the families that arrived late in each of the last boots in which the gate was ready. `boots` are the
/// boots of one gate, the latest one first.
pub fn late(boots: &[BootHistory]) -> Vec<Late> {
    Family::BOTH.into_iter().filter_map(|family| late_family(boots, family)).collect()
}

fn late_family(boots: &[BootHistory], family: Family) -> Option<Late> {
    let mut found: Option<Late> = None;
    for boot in boots {
        let Some(ready) = first_ready(&boot.events) else { continue };
        let Some((what, at, link)) = arrival(&boot.events, family, ready) else { break };
        let after = at - ready;
        if found.as_ref().is_some_and(|late| late.what != what) {
            break;
        }
        let late = found.get_or_insert(Late { family, what, link, boots: 0, least: after, most: after });
        late.boots += 1;
        late.least = late.least.min(after);
        late.most = late.most.max(after);
    }
    found.filter(|late| late.boots >= ENOUGH)
}

/// Returns when the gate was ready for the first time.
fn first_ready(events: &[Event]) -> Option<Moment> {
    let is_ready =
        |event: &&Event| matches!(&event.what, What::Gate(change) if change.state == GateWord::Ready);
    events.iter().find(is_ready).map(|event| event.at)
}

/// Returns what of a family arrived first, when, and on which link. `None` if some of it existed when the gate was
/// ready.
fn arrival(events: &[Event], family: Family, ready: Moment) -> Option<(LateWhat, Moment, Option<String>)> {
    let first = |wanted: LateWhat| {
        events.iter().find_map(|event| {
            let (_, what, link) = came(event).filter(|(of, what, _)| (*of, *what) == (family, wanted))?;
            Some((what, event.at, Some(link.to_owned())))
        })
    };
    // If the gate asks for no default route, its history has no routes.
    let sees_routes = || events.iter().any(|event| matches!(event.what, What::Route(_)));
    let first =
        first(LateWhat::Route).or_else(|| if sees_routes() { None } else { first(LateWhat::Address) });
    first.filter(|(_, at, _)| *at > ready && *at - ready <= BOOT)
}

/// Returns the family and the kind of what an event brings, and the link on which it arrived.
fn came(event: &Event) -> Option<(Family, LateWhat, &str)> {
    match &event.what {
        What::Route(route) if route.table == TABLE_MAIN && is_there(route.state) => {
            let family =
                Family::BOTH.into_iter().find(|family| route.destination == family.default_prefix())?;
            // A route without a link refuses packets.
            Some((family, LateWhat::Route, route.link.as_deref()?))
        }
        What::Address(address) if address.state == AddressWord::Usable => {
            let ip = address.address.addr();
            is_of_the_network(ip).then_some((Family::of(ip), LateWhat::Address, &*address.link))
        }
        What::Route(_)
        | What::Address(_)
        | What::Start(_)
        | What::Gate(_)
        | What::Requirement(_)
        | What::Link(_)
        | What::Probe(_)
        | What::Dropped(_) => None,
    }
}

/// Whether the kernel had the route, and could use it.
fn is_there(state: RouteWord) -> bool {
    match state {
        RouteWord::Added | RouteWord::Replaced => true,
        RouteWord::Dead | RouteWord::Gone => false,
    }
}

/// Whether an address was given by a network. Loopback and link-local addresses were not.
fn is_of_the_network(address: core::net::IpAddr) -> bool {
    match address {
        core::net::IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        core::net::IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

/// Watches for families that arrive after the gate was ready, so that the journal can report them.
#[derive(Debug, Default)]
pub struct AfterReady {
    ready: Option<Moment>,
    seen: BTreeSet<(Family, LateWhat)>,
    done: bool,
}

impl AfterReady {
    /// Takes an event. Returns a sentence about what arrived late, at most once for each family and kind.
    pub fn see(&mut self, event: &Event) -> Option<String> {
        if self.done {
            return None;
        }
        match (&event.what, self.ready) {
            (What::Gate(change), None) if change.state == GateWord::Ready => self.ready = Some(event.at),
            // After this time nothing counts as late any more.
            (_, Some(ready)) if event.at - ready > BOOT => self.done = true,
            _ => {}
        }
        let (family, what, link) = came(event).filter(|_| !self.done)?;
        let is_new = self.seen.insert((family, what));
        let after = event.at - self.ready.filter(|ready| is_new && event.at > *ready)?;
        let what = match what {
            LateWhat::Route => "default route",
            LateWhat::Address => "address",
        };
        let seconds = after.as_secs_f64();
        Some(format!("the first {family} {what} came {seconds:.2}s after the gate was ready, by {link}"))
    }

    /// Whether the watch has ended, so that [`see`](AfterReady::see) returns no further sentence.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

impl Late {
    /// Returns how long a gate should wait for the late family after everything else is met: twice the longest
    /// time, in whole seconds, and at least 5 s.
    pub fn grace(&self) -> Duration {
        let twice = Duration::from_secs(self.most.saturating_mul(2).as_secs() + 1);
        twice.max(LEAST_GRACE)
    }

    /// Returns the requirement with which a gate waits for the late family.
    pub fn item(&self) -> Item {
        match self.what {
            LateWhat::Route => Item::Route(RouteSpec {
                destination: Destination::DefaultOf(self.family),
                table: Table::MAIN,
            }),
            LateWhat::Address => Item::Address(AddressSpec::Family(self.family)),
        }
    }

    /// Returns a clause that waits for the late family. It has a grace, so it does not hold up a boot for ever.
    pub fn clause(&self) -> Clause {
        Clause {
            subject: Subject::Host { needed: 1 },
            items: vec![self.item()],
            grace: Some(self.grace()),
            if_present: None,
            recheck: None,
        }
    }

    /// Returns the text of the clause, as in a gate file.
    pub fn clause_text(&self) -> String {
        clause_text(&self.clause())
    }

    /// Whether the gate already waits long enough for the late family.
    pub fn is_waited_for(&self, gate: &Gate) -> bool {
        let item = self.item();
        gate.clauses.iter().any(|clause| {
            clause.items.contains(&item)
                // A clause of the host with a smaller quorum may be met by another of its items.
                && match &clause.subject {
                    Subject::Host { needed } => *needed >= clause.items.len(),
                    Subject::Links(_) => true,
                }
                && clause.if_present.is_none()
                && clause.grace.is_none_or(|grace| grace > self.most)
        })
    }
}

/// Finds the links that flapped in at least two of these boots. The boots may be those of several gates.
pub fn flapping(boots: &[BootHistory]) -> Vec<Flapping> {
    let mut losses: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut looked_at = BTreeSet::new();
    for boot in boots {
        let Some(begin) = boot.events.first().map(|event| event.at) else { continue };
        looked_at.insert(boot.offset);
        let mut of_boot: BTreeMap<&str, u64> = BTreeMap::new();
        let while_booting = boot.events.iter().filter(|event| event.at - begin <= BOOT);
        for event in while_booting {
            let What::Link(change) = &event.what else { continue };
            let lost = change.was == Some(LinkWord::Carrier) && change.state == LinkWord::NoCarrier;
            *of_boot.entry(&change.link).or_default() += change.flaps + u64::from(lost && change.flaps == 0);
        }
        for (link, count) in of_boot.into_iter().filter(|(_, count)| *count >= FLAPS) {
            // Several gates see the same link, so count the gate that saw the most losses.
            let known = losses.entry(link).or_default().entry(boot.offset).or_default();
            *known = count.max(*known);
        }
    }
    let of = looked_at.len();
    let flapping = losses.into_iter().filter(|(_, boots)| boots.len() >= ENOUGH);
    let flapping = flapping.map(|(link, boots)| Flapping {
        link: link.to_owned(),
        boots: boots.len(),
        of,
        most: boots.values().copied().max().unwrap_or_default(),
    });
    flapping.collect()
}

/// Returns whether and why a gate gave up in earlier boots. `boots` are the boots of one gate, the latest one
/// first.
pub fn gave_up_before(boots: &[BootHistory]) -> Option<GaveUpBefore> {
    let earlier = || boots.iter().filter(|boot| boot.offset < 0);
    let gave_up = |boot: &BootHistory| boot.entries.iter().find(|(kind, _)| *kind == Kind::GaveUp).cloned();
    let mut codes = earlier().filter_map(gave_up).map(|(_, code)| code);
    let code = codes.next()?;
    Some(GaveUpBefore { boots: 1 + codes.count(), of: earlier().count(), code })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{AddressChange, Cause, GateChange, LinkChange, RouteChange};

    fn at(millis: u64, what: What) -> Event {
        Event { at: Moment::after_boot(Duration::from_millis(millis)), what }
    }

    fn gate(millis: u64, state: GateWord) -> Event {
        at(millis, What::Gate(GateChange { state, by: None, reason: None::<Cause>, met_by: None }))
    }

    fn default(millis: u64, destination: &str, state: RouteWord) -> Event {
        at(
            millis,
            What::Route(RouteChange {
                destination: destination.parse().unwrap(),
                link: Some("e0".to_owned()),
                gateway: None,
                table: TABLE_MAIN,
                metric: 0,
                state,
            }),
        )
    }

    fn address(millis: u64, address: &str) -> Event {
        at(
            millis,
            What::Address(AddressChange {
                link: "e0".to_owned(),
                ifindex: 2,
                address: address.parse().unwrap(),
                peer: None,
                state: AddressWord::Usable,
            }),
        )
    }

    fn link(millis: u64, state: LinkWord, was: LinkWord, flaps: u64) -> Event {
        let link = LinkChange { link: "e0".to_owned(), ifindex: 2, state, was: Some(was), flaps };
        at(millis, What::Link(link))
    }

    fn boot(offset: i64, events: Vec<Event>) -> BootHistory {
        BootHistory { offset, gate: "podman".to_owned(), entries: Vec::new(), events }
    }

    const V4: &str = "0.0.0.0/0";
    const V6: &str = "::/0";

    /// A boot in which the IPv6 default route arrives this many milliseconds after ready.
    fn six_after(offset: i64, millis: u64) -> BootHistory {
        let events = vec![
            default(900, V4, RouteWord::Added),
            gate(1000, GateWord::Ready),
            default(1000 + millis, V6, RouteWord::Added),
        ];
        boot(offset, events)
    }

    #[test]
    fn a_family_that_came_late_in_each_of_the_last_boots() {
        let boots = [six_after(0, 3000), six_after(-1, 3100), six_after(-2, 2900)];
        let [late] = &late(&boots)[..] else { panic!("{boots:?}") };
        assert_eq!((late.family, late.what, late.boots), (Family::V6, LateWhat::Route, 3));
        assert_eq!((late.least, late.most), (Duration::from_millis(2900), Duration::from_millis(3100)));
        assert_eq!(late.link.as_deref(), Some("e0"));
        assert_eq!(late.grace(), Duration::from_secs(7));
        assert_eq!(
            late.clause_text(),
            "[[require]]\nroute = \"default-ipv6\"\ngrace = \"7s\"\n",
            "ready to paste"
        );
    }

    #[test]
    fn arrivals_that_are_not_late() {
        let in_time = boot(
            -1,
            vec![
                default(800, V4, RouteWord::Added),
                default(900, V6, RouteWord::Added),
                gate(1000, GateWord::Ready),
            ],
        );
        let never_ready = boot(-1, vec![gate(1000, GateWord::GaveUp), default(2000, V6, RouteWord::Added)]);
        let came_back = boot(
            -1,
            vec![
                default(900, V6, RouteWord::Added),
                gate(1000, GateWord::Ready),
                default(1500, V6, RouteWord::Gone),
                default(2000, V6, RouteWord::Added),
            ],
        );
        for (boots, expected, why) in [
            (vec![six_after(0, 3000)], 0, "one boot may be an accident"),
            (vec![six_after(0, 3000), six_after(-1, 3000)], 2, "twice"),
            (vec![in_time.clone(), six_after(-1, 3000), six_after(-2, 3000)], 0, "not in the last boot"),
            (vec![six_after(0, 3000), in_time, six_after(-2, 3000)], 0, "not each time"),
            (vec![six_after(0, 3000), came_back, six_after(-2, 3000)], 0, "it only came back"),
            (vec![six_after(0, 3000), never_ready, six_after(-2, 3000)], 2, "a boot that tells nothing"),
            (vec![six_after(0, 121_000), six_after(-1, 3000)], 0, "hours later"),
            (vec![six_after(0, 120_000), six_after(-1, 3000)], 2, "still at boot"),
        ] {
            let found = late(&boots).first().map_or(0, |late| late.boots);
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn addresses_count_where_no_route_is_seen() {
        let events = |address_of: &str| {
            vec![address(500, "192.0.2.1/24"), gate(1000, GateWord::Ready), address(4000, address_of)]
        };
        for (text, expected) in [
            ("2001:db8::1/64", Some(LateWhat::Address)),
            ("fe80::1/64", None),
            ("::1/128", None),
            ("192.0.2.2/24", None),
        ] {
            let boots = [boot(0, events(text)), boot(-1, events(text))];
            assert_eq!(late(&boots).first().map(|late| late.what), expected, "{text}");
        }
        let mut with_routes = [boot(0, events("2001:db8::1/64")), boot(-1, events("2001:db8::1/64"))];
        for boot in &mut with_routes {
            boot.events.push(default(900, V4, RouteWord::Added));
        }
        assert_eq!(late(&with_routes), [], "the gate sees routes, and there is none");
    }

    #[test]
    fn a_late_family_is_reported_once() {
        let said = |events: &[Event]| -> Vec<String> {
            let mut after = AfterReady::default();
            events.iter().filter_map(|event| after.see(event)).collect()
        };
        let events = [
            default(900, V4, RouteWord::Added),
            default(950, V6, RouteWord::Gone),
            default(960, V6, RouteWord::Dead),
            gate(1000, GateWord::Ready),
            default(2000, V4, RouteWord::Added),
            default(4000, V6, RouteWord::Added),
            gate(4500, GateWord::Ready),
            default(5000, V6, RouteWord::Replaced),
            address(6000, "fe80::1/64"),
            address(6500, "2001:db8::1/64"),
        ];
        let expected = [
            "the first IPv6 default route came 3.00s after the gate was ready, by e0",
            "the first IPv6 address came 5.50s after the gate was ready, by e0",
        ];
        assert_eq!(said(&events), expected);
        let late = |millis| said(&[gate(1000, GateWord::Ready), default(millis, V6, RouteWord::Added)]).len();
        assert_eq!((late(121_000), late(121_001)), (1, 0));
        assert_eq!(said(&[default(900, V6, RouteWord::Added)]), [""; 0], "it is not ready yet");
    }

    #[test]
    fn a_grace_is_twice_as_long_and_not_too_short() {
        for (most, grace) in [(100, 5), (2_400, 5), (2_500, 6), (3_000, 7), (30_000, 61)] {
            let late = Late {
                family: Family::V6,
                what: LateWhat::Route,
                link: None,
                boots: 2,
                least: Duration::ZERO,
                most: Duration::from_millis(most),
            };
            assert_eq!(late.grace(), Duration::from_secs(grace), "{most}");
        }
    }

    #[test]
    fn a_gate_that_waits_for_it_already() {
        let boots = [six_after(0, 3000), six_after(-1, 3000)];
        let found = late(&boots);
        for (text, expected) in [
            ("[[require]]\nroute = \"default\"\n", false),
            ("[[require]]\nroute = \"default-ipv4\"\n", false),
            ("[[require]]\nroute = \"default-ipv6\"\ngrace = \"7s\"\n", true),
            ("[[require]]\nroute = \"default-ipv6\"\ngrace = \"3s\"\n", false),
            ("[[require]]\nroute = \"default-ipv6\"\n", true),
            ("[[require]]\nroute = \"default-ipv6\"\nif-present = true\ngrace = \"7s\"\n", false),
            ("[[require]]\ninterface = \"e0\"\nroute = \"default-ipv6\"\n", true),
        ] {
            let gate = crate::config::parse("podman", "t", text).unwrap();
            assert_eq!(found[0].is_waited_for(&gate), expected, "{text}");
        }
    }

    #[test]
    fn a_link_that_flaps_in_several_boots() {
        use LinkWord::{Carrier, NoCarrier};
        let once = || vec![link(0, Carrier, NoCarrier, 0), link(10, NoCarrier, Carrier, 0)];
        let twice = || [once(), once()].concat();
        let unseen = || vec![link(0, Carrier, NoCarrier, 0), link(10, Carrier, Carrier, 2)];
        let later = || {
            vec![
                link(0, Carrier, NoCarrier, 0),
                link(121_000, NoCarrier, Carrier, 0),
                link(122_000, NoCarrier, Carrier, 0),
            ]
        };
        for (boots, expected) in [
            (vec![twice(), twice()], Some((2, 2, 2))),
            (vec![twice(), once(), unseen()], Some((2, 3, 2))),
            (vec![twice(), once()], None),
            (vec![once(), once()], None),
            (vec![later(), later()], None),
            (vec![twice(), vec![]], None),
        ] {
            let boots: Vec<BootHistory> =
                boots.into_iter().enumerate().map(|(at, events)| boot(-(at as i64), events)).collect();
            let found = flapping(&boots).first().map(|found| (found.boots, found.of, found.most));
            assert_eq!(found, expected, "{boots:?}");
        }
        let two_gates = [boot(0, twice()), boot(0, twice())];
        assert_eq!(flapping(&two_gates), [], "one boot that two gates saw");
    }

    #[test]
    fn a_gate_that_gave_up_in_earlier_boots() {
        let of = |offset: i64, kinds: &[Kind]| BootHistory {
            offset,
            entries: kinds.iter().map(|kind| (*kind, Some("no-carrier".to_owned()))).collect(),
            ..BootHistory::default()
        };
        for (boots, expected) in [
            (vec![of(0, &[Kind::GaveUp])], None),
            (vec![of(0, &[]), of(-1, &[Kind::Waiting, Kind::GaveUp, Kind::Ready])], Some((1, 1))),
            (
                vec![of(-1, &[Kind::GaveUp, Kind::GaveUp]), of(-2, &[Kind::Ready]), of(-3, &[Kind::GaveUp])],
                Some((2, 3)),
            ),
            (vec![of(-1, &[Kind::Ready])], None),
            (vec![], None),
        ] {
            let found = gave_up_before(&boots);
            assert_eq!(found.as_ref().map(|found| (found.boots, found.of)), expected, "{boots:?}");
            assert!(found.is_none_or(|found| found.code.as_deref() == Some("no-carrier")));
        }
    }
}
