//! Writes a timeline as a JSON object. `docs/schema/timeline.json` describes it.

use serde_json::{Map, Value, json};

use super::{Story, scope_word, seconds};
use crate::history::{Event, line};
use crate::moment::Moment;
use crate::timeline::{Ending, Held, Holder, Loss, Timeline, sentence};

pub(super) fn of(story: &Story) -> Value {
    let Story { told, run, all, timeline, whole: _, waiters, notes } = story;
    let time = |at: Moment| told.clock.at(at).rfc3339();
    let runs = all.iter().enumerate().map(|(index, run)| {
        json!({
            "run": index + 1,
            "started": time(run.start),
            "state": state(run.way.result),
            "took": run.took().as_secs_f64(),
        })
    });
    let loss = |loss: &Loss| {
        json!({
            "from": time(loss.from),
            "to": loss.to.map(time),
            "lasted": loss.to.map(|to| (to - loss.from).as_secs_f64()),
            "reason": loss.why,
        })
    };
    let unit = |unit: &crate::timeline::Waiter| json!({ "unit": unit.unit, "started": time(unit.started), "active": unit.active.map(time) });
    let event = |event: &Event| -> Value {
        let mut object = Map::new();
        object.insert("time".to_owned(), time(event.at).into());
        object.insert("since_boot".to_owned(), seconds(event.at).into());
        object.insert("sentence".to_owned(), sentence(&event.what).into());
        if let Ok(Value::Object(fields)) = serde_json::from_str(&line(event)) {
            object.extend(fields);
        }
        object.into()
    };
    json!({
        "gate": told.gate,
        "source": timeline.begin.as_ref().map(|begin| &begin.source),
        "scope": scope_word(told.scope),
        "unit": told.unit,
        "boot": { "id": told.boot.id, "offset": told.boot.offset },
        "run": run,
        "runs": runs.collect::<Vec<_>>(),
        "started": time(timeline.start),
        "since_boot": seconds(timeline.start),
        "state": state(timeline.way.result),
        "took": timeline.took().as_secs_f64(),
        "by": timeline.way.by,
        "longest": timeline.way.longest.as_ref().map(|held| longest(held, timeline)),
        "losses": timeline.losses.iter().map(loss).collect::<Vec<_>>(),
        "units": waiters.iter().map(unit).collect::<Vec<_>>(),
        "dropped": timeline.dropped,
        "notes": notes,
        "events": story.events().iter().map(event).collect::<Vec<_>>(),
    })
}

fn longest(held: &Held, timeline: &Timeline) -> Value {
    let code = match &held.by {
        Holder::Reason { code, .. } => Some(code.as_str()),
        Holder::Settle => Some("settle"),
        Holder::Unknown => None,
    };
    json!({ "lasted": held.lasted.as_secs_f64(), "code": code, "sentence": timeline.longest() })
}

/// Returns how the wait ended, as a word of the gate's states.
fn state(ending: Ending) -> &'static str {
    match ending {
        Ending::Ready => "ready",
        Ending::Opened(_) => "opened",
        Ending::GaveUp(_) => "gave-up",
        Ending::Stopped => "stopped",
        Ending::Waiting => "waiting",
        Ending::Missing => "unknown",
    }
}
