//! The state of a gate at one moment, in a few values. `run` writes them into its record; `status` and `metrics`
//! read them.

use core::time::Duration;

use serde_json::{Map, Value, json};

use crate::gate_state::{Came, Phase};
use crate::history::{Cause, Code, Event, GateChange, GateWord, What, gate_words};
use crate::moment::Moment;
use crate::report::summary;
use crate::requirement::Gate;
use crate::verdict::Verdict;

/// The state of a gate at one moment. Its texts can come from others: escape them when you print them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The name of the gate.
    pub gate: String,
    /// Where the gate was read: a path, `built-in` or `command line`.
    pub source: String,
    /// The version of the netready that keeps the gate.
    pub version: String,
    /// When this netready began to keep the gate.
    pub started: Moment,
    /// Since when the gate is waited for: [`started`](Snapshot::started), or the start of the first of the runs before
    /// this one that gave up.
    pub awaited_since: Moment,
    /// The moment that this snapshot describes.
    pub at: Moment,
    /// The state of the gate at the time of the snapshot.
    pub state: GateWord,
    /// The time since which the gate is in this state.
    pub since: Moment,
    /// How long the gate waited, from `awaited_since`, until it was ready for the first time. `None` until then.
    pub ready_after: Option<Duration>,
    /// How often the gate was lost since boot.
    pub losses: u64,
    /// When the gate gave up, if it was not ready since then. systemd restarts a unit that gave up.
    pub gave_up: Option<Moment>,
    /// When the gate gave up last in this boot, even if it was ready since then.
    pub last_gave_up: Option<Moment>,
    /// The first reason why the gate is not ready.
    pub reason: Option<Cause>,
    /// What meets the gate, or what is missing.
    pub what: String,
}

impl Snapshot {
    /// Makes the snapshot of a gate that netready begins to keep. `losses` and `gave_up` come from earlier runs in
    /// this boot. If an earlier run gave up before the gate was ready, set `last_gave_up` and `awaited_since` too.
    pub fn new(gate: &Gate, version: &str, losses: u64, gave_up: Option<Moment>, now: Moment) -> Snapshot {
        Snapshot {
            gate: gate.name.clone(),
            source: gate.source.clone(),
            version: version.to_owned(),
            started: now,
            awaited_since: now,
            at: now,
            state: GateWord::Waiting,
            since: now,
            ready_after: None,
            losses,
            gave_up,
            last_gave_up: gave_up,
            reason: None,
            what: String::new(),
        }
    }

    /// Takes the present state of the gate.
    pub fn see(&mut self, gate: &Gate, verdict: &Verdict, phase: Phase, losses: u64, now: Moment) {
        self.gate.clone_from(&gate.name);
        self.source.clone_from(&gate.source);
        let (state, _) = gate_words(phase);
        self.enter(state, now);
        if let Phase::Ready { came: Came::First { after } } = phase {
            // Round to microseconds, as a record does.
            let after = after.saturating_add(self.started - self.awaited_since);
            self.ready_after.get_or_insert(Duration::from_micros(micros(after)));
        }
        self.losses = losses;
        self.reason = if state == GateWord::Ready { None } else { verdict.leading().map(Cause::of) };
        self.what = summary(verdict);
    }

    /// Notes that netready was told to end.
    pub fn stop(&mut self, now: Moment) {
        self.enter(GateWord::Stopped, now);
        self.reason = None;
        self.what.clear();
    }

    /// Takes an event of the history. An event that is not later than the snapshot changes nothing.
    pub fn follow(&mut self, event: &Event) {
        let What::Gate(GateChange { state, by: _, reason, met_by }) = &event.what else { return };
        if event.at <= self.at {
            return;
        }
        if *state == GateWord::Lost && self.state != GateWord::Lost {
            self.losses = self.losses.saturating_add(1);
        }
        self.enter(*state, event.at);
        if *state == GateWord::Ready {
            self.ready_after.get_or_insert(event.at - self.awaited_since);
        }
        self.reason.clone_from(reason);
        self.what = match (met_by, reason) {
            (Some(met_by), _) => met_by.clone(),
            (None, Some(reason)) => reason.text.clone(),
            (None, None) => String::new(),
        };
    }

    fn enter(&mut self, state: GateWord, now: Moment) {
        self.at = now;
        if self.state != state {
            self.state = state;
            self.since = now;
        }
        match state {
            GateWord::GaveUp => {
                self.gave_up = Some(self.since);
                self.last_gave_up = self.gave_up;
            }
            GateWord::Ready => self.gave_up = None,
            GateWord::Waiting
            | GateWord::Grace
            | GateWord::Settling
            | GateWord::Opened
            | GateWord::Lost
            | GateWord::Stopped => {}
        }
    }

    /// Returns the fields of a record. Times are microseconds since boot.
    pub fn fields(&self) -> Map<String, Value> {
        let usec = |moment: Moment| micros(moment.since_boot());
        let object = json!({
            "gate": self.gate,
            "source": self.source,
            "version": self.version,
            "started-usec": usec(self.started),
            "awaited-since-usec": usec(self.awaited_since),
            "usec": usec(self.at),
            "state": self.state.as_str(),
            "since-usec": usec(self.since),
            "ready-after-usec": self.ready_after.map(micros),
            "losses": self.losses,
            "gave-up-usec": self.gave_up.map(usec),
            "last-gave-up-usec": self.last_gave_up.map(usec),
            "code": self.reason.as_ref().map(|reason| reason.code.as_str()),
            "text": self.reason.as_ref().map(|reason| &reason.text),
            "link": self.reason.as_ref().and_then(|reason| reason.link.as_ref()),
            "what": self.what,
        });
        match object {
            Value::Object(fields) => fields,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        }
    }

    /// Reads the fields of a record, which anybody may have written. Returns `None` if a required field is missing.
    pub fn read(record: &Value) -> Option<Snapshot> {
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        let duration = |name: &str| Some(Duration::from_micros(record.get(name)?.as_u64()?));
        let moment = |name: &str| duration(name).map(Moment::after_boot);
        let reason = text("code").zip(text("text")).map(|(code, text_of)| Cause {
            code: Code::read(code),
            text: text_of,
            link: text("link"),
        });
        Some(Snapshot {
            gate: text("gate")?,
            source: text("source")?,
            version: text("version")?,
            started: moment("started-usec")?,
            // An earlier version does not tell it.
            awaited_since: moment("awaited-since-usec").or_else(|| moment("started-usec"))?,
            at: moment("usec")?,
            state: GateWord::of(&text("state")?)?,
            since: moment("since-usec")?,
            ready_after: duration("ready-after-usec"),
            losses: record.get("losses").and_then(Value::as_u64).unwrap_or_default(),
            gave_up: moment("gave-up-usec"),
            // Earlier versions wrote only one of these two fields.
            last_gave_up: moment("last-gave-up-usec").or_else(|| moment("gave-up-usec")),
            reason,
            what: text("what")?,
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluate;
    use crate::gate_state::{GaveUp, OpenedBy};
    use crate::testing::{NOW, gate, network};
    use crate::verdict::ReasonCode;

    fn at(seconds: u64) -> Moment {
        NOW + Duration::from_secs(seconds)
    }

    fn started() -> (Gate, Snapshot) {
        let gate = gate("interface='a'; carrier=true");
        let snapshot = Snapshot::new(&gate, "1.2.3", 2, Some(at(0)), at(0));
        (gate, snapshot)
    }

    fn seen(snapshot: &mut Snapshot, gate: &Gate, links: &str, phase: Phase, seconds: u64) {
        let verdict = evaluate(gate, &network(links), NOW);
        let losses = if let Phase::Lost { .. } = phase { 3 } else { snapshot.losses };
        snapshot.see(gate, &verdict, phase, losses, at(seconds));
    }

    const FIRST: Phase = Phase::Ready { came: Came::First { after: Duration::from_secs(5) } };

    #[test]
    fn a_state_lasts_since_it_was_entered() {
        let (gate, mut snapshot) = started();
        let after = Duration::from_secs(5);
        for (phase, links, seconds, state, since, gave_up) in [
            (Phase::Waiting, "a: nocarrier", 1, "waiting", 0, Some(at(0))),
            (Phase::Settling { until: at(9) }, "a: up", 2, "settling", 2, Some(at(0))),
            (FIRST, "a: up", 5, "ready", 5, None),
            (FIRST, "a: up", 7, "ready", 5, None),
            (Phase::Lost { since: at(8) }, "a: nocarrier", 8, "lost", 8, None),
            (Phase::Lost { since: at(8) }, "a: down", 9, "lost", 8, None),
            (Phase::Ready { came: Came::Again { since: at(12) } }, "a: up", 12, "ready", 12, None),
            (Phase::Opened { after, by: OpenedBy::Reload }, "a: nocarrier", 13, "opened", 13, None),
            (Phase::GaveUp { after, why: GaveUp::Lost }, "a: nocarrier", 14, "gave-up", 14, Some(at(14))),
        ] {
            seen(&mut snapshot, &gate, links, phase, seconds);
            let found = (snapshot.state.as_str(), snapshot.since, snapshot.at, snapshot.gave_up);
            assert_eq!(found, (state, at(since), at(seconds), gave_up), "{seconds}");
        }
        assert_eq!(
            (snapshot.losses, snapshot.ready_after),
            (3, Some(after)),
            "as many as the session counted"
        );
        snapshot.stop(at(20));
        assert_eq!((snapshot.state, snapshot.since, snapshot.what.as_str()), (GateWord::Stopped, at(20), ""));
        assert_eq!(snapshot.gave_up, Some(at(14)), "being stopped does not make it ready");
    }

    #[test]
    fn that_it_gave_up_stays_true_after_it_is_ready() {
        let (gate, mut snapshot) = started();
        assert_eq!(snapshot.last_gave_up, Some(at(0)), "of an earlier run");
        seen(&mut snapshot, &gate, "a: up", FIRST, 5);
        assert_eq!((snapshot.gave_up, snapshot.last_gave_up), (None, Some(at(0))));
        let after = Duration::from_secs(5);
        seen(&mut snapshot, &gate, "a: nocarrier", Phase::GaveUp { after, why: GaveUp::Lost }, 9);
        assert_eq!((snapshot.gave_up, snapshot.last_gave_up), (Some(at(9)), Some(at(9))));
        seen(&mut snapshot, &gate, "a: up", FIRST, 12);
        let read = Snapshot::read(&Value::Object(snapshot.fields())).unwrap();
        assert_eq!((read.gave_up, read.last_gave_up), (None, Some(at(9))));
    }

    #[test]
    fn the_time_until_ready_counts_from_the_first_run_that_gave_up() {
        let (gate, mut snapshot) = started();
        (snapshot.started, snapshot.at) = (at(95), at(95));
        let mut followed = snapshot.clone();
        seen(&mut snapshot, &gate, "a: up", FIRST, 100);
        assert_eq!(snapshot.ready_after, Some(Duration::from_secs(100)));
        let change = GateChange { state: GateWord::Ready, by: None, reason: None, met_by: None };
        followed.follow(&Event { at: at(100), what: What::Gate(change) });
        assert_eq!(followed.ready_after, snapshot.ready_after);
        let mut fields = snapshot.fields();
        assert_eq!(Snapshot::read(&Value::Object(fields.clone())).as_ref(), Some(&snapshot));
        fields.remove("awaited-since-usec");
        let older = Snapshot::read(&Value::Object(fields)).unwrap();
        assert_eq!(older.awaited_since, older.started);
    }

    #[test]
    fn it_says_what_is_missing_or_what_meets_it() {
        let (gate, mut snapshot) = started();
        seen(&mut snapshot, &gate, "a: nocarrier", Phase::Waiting, 1);
        let reason = snapshot.reason.clone().unwrap();
        assert_eq!((reason.code.as_str(), reason.link.as_deref()), ("no-carrier", Some("a")));
        assert_eq!(snapshot.what, "a has no carrier");
        seen(&mut snapshot, &gate, "a: up", FIRST, 2);
        assert_eq!((snapshot.reason.clone(), snapshot.what.as_str()), (None, "a"));
    }

    /// A snapshot that follows later events is the same as if it had seen the states itself.
    #[test]
    fn later_events_are_followed_and_earlier_ones_are_not() {
        let (gate, mut snapshot) = started();
        seen(&mut snapshot, &gate, "a: nocarrier", Phase::Waiting, 3);
        let event = |seconds, state, text: Option<&str>| {
            let cause = |text: &str| Cause {
                code: Code::Known(ReasonCode::Absent),
                text: text.to_owned(),
                link: None,
            };
            let met_by = (state == GateWord::Ready).then(|| "a".to_owned());
            let change = GateChange { state, by: None, reason: text.map(cause), met_by };
            Event { at: at(seconds), what: What::Gate(change) }
        };
        let before = snapshot.clone();
        snapshot.follow(&event(2, GateWord::Lost, None));
        snapshot.follow(&event(3, GateWord::Lost, None));
        snapshot.follow(&Event { at: at(9), what: What::Dropped(1) });
        assert_eq!(snapshot, before);
        for (seconds, state, text, since, losses, what) in [
            (4, GateWord::Waiting, Some("another reason"), 0, 2, "another reason"),
            (5, GateWord::Ready, None, 5, 2, "a"),
            (6, GateWord::Lost, Some("gone"), 6, 3, "gone"),
            (7, GateWord::Lost, Some("still gone"), 6, 3, "still gone"),
            (8, GateWord::Ready, None, 8, 3, "a"),
            (9, GateWord::Stopped, None, 9, 3, ""),
        ] {
            snapshot.follow(&event(seconds, state, text));
            let found = (snapshot.state, snapshot.since, snapshot.losses, snapshot.what.as_str());
            assert_eq!(found, (state, at(since), losses, what), "{seconds}");
        }
        assert_eq!(snapshot.ready_after, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let (gate, mut snapshot) = started();
        seen(&mut snapshot, &gate, "a: nocarrier", Phase::Waiting, 1);
        let read = |snapshot: &Snapshot| Snapshot::read(&Value::Object(snapshot.fields()));
        assert_eq!(read(&snapshot).as_ref(), Some(&snapshot));
        seen(&mut snapshot, &gate, "a: up", FIRST, 2);
        assert_eq!(read(&snapshot).as_ref(), Some(&snapshot));
        let whole = Value::Object(snapshot.fields());
        for name in ["gate", "source", "version", "started-usec", "usec", "state", "since-usec", "what"] {
            for value in [Value::Null, json!([]), json!(-1)] {
                let mut record = whole.clone();
                record[name] = value;
                assert_eq!(Snapshot::read(&record), None, "{name}");
            }
        }
        for value in [Value::Null, json!([]), json!("x")] {
            assert_eq!(Snapshot::read(&value), None);
        }
        let mut record = whole.clone();
        record["state"] = json!("of a later version");
        assert_eq!(Snapshot::read(&record), None);
    }
}
