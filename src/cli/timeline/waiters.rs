//! Finds the units that waited for a gate. The service manager orders them after the gate's unit, and started them
//! soon after the gate opened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::source::Told;
use crate::doctor::Host;
use crate::moment::Moment;
use crate::quadlet::{Manager, WAIT_UNIT};
use crate::record::Scope;
use crate::timeline::Waiter;

/// How soon after the gate opened a unit must start to be shown as one that waited for it. With half of this time, units
/// behind a slow unit would be missed. With twice this time, units that an administrator starts by hand would be shown.
const SOON: Duration = Duration::from_secs(60);

/// How many units are shown. Those that started first are shown.
const MOST: usize = 40;

/// The units by way of which others wait: those that come after one of these come after the gate.
const THROUGH: [&str; 2] = ["network-online.target", WAIT_UNIT];

/// Returns the units in the order in which they were started.
///
/// # Errors
/// Fails if the units are not known. The error says why.
pub(super) fn of(told: &Told, opened: Moment, is_last: bool) -> Result<Vec<Waiter>, String> {
    if told.boot.offset != 0 {
        return Err("the service manager knows only the units of this boot".to_owned());
    }
    if !is_last {
        return Err("the service manager knows only the last start of each unit".to_owned());
    }
    let Some(unit) = &told.unit else {
        return Err("no unit keeps this gate".to_owned());
    };
    let mut host = Host::from_process();
    host.manager = match told.scope {
        Scope::System => Manager::System,
        Scope::User => Manager::User,
    };
    if !host.booted_by_systemd() {
        return Err("systemd does not run this host".to_owned());
    }
    let before = |unit: &str| Ok(names(&host.units(unit, "Before")?));
    let mut later = ordered_after(&format!("{unit}.service"), before)?;
    later.retain(|name| name.ends_with(".service"));
    if later.is_empty() {
        return Ok(Vec::new());
    }
    let units = host.each_unit(&later, "Id,InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic")?;
    Ok(choose(&units, opened))
}

/// The units that come after this one, directly or by way of another. `before` tells what a unit comes before.
fn ordered_after(
    unit: &str,
    before: impl Fn(&str) -> Result<BTreeSet<String>, String>,
) -> Result<BTreeSet<String>, String> {
    let mut later = before(unit)?;
    for through in THROUGH {
        if later.contains(through) {
            later.extend(before(through)?);
        }
    }
    Ok(later)
}

fn names(units: &[BTreeMap<String, String>]) -> BTreeSet<String> {
    let lists = units.iter().filter_map(|unit| unit.get("Before"));
    lists.flat_map(|list| list.split_whitespace()).map(str::to_owned).collect()
}

/// Selects the units that started soon after the gate opened.
fn choose(units: &[BTreeMap<String, String>], opened: Moment) -> Vec<Waiter> {
    let time = |unit: &BTreeMap<String, String>, name: &str| {
        let micros = unit.get(name)?.parse().ok().filter(|micros| *micros > 0)?;
        // The time is CLOCK_MONOTONIC. It is equal to CLOCK_BOOTTIME until the host is suspended for the first
        // time.
        Some(Moment::after_boot(Duration::from_micros(micros)))
    };
    let waiter = |unit: &BTreeMap<String, String>| {
        let started = time(unit, "InactiveExitTimestampMonotonic")?;
        let active = time(unit, "ActiveEnterTimestampMonotonic").filter(|active| *active >= started);
        (started >= opened && started <= opened + SOON).then(|| {
            let unit = unit.get("Id").cloned().unwrap_or_default();
            Waiter { unit, started, active }
        })
    };
    let mut waiters: Vec<Waiter> = units.iter().filter_map(waiter).collect();
    waiters.sort_by(|one, other| (one.started, &one.unit).cmp(&(other.started, &other.unit)));
    waiters.truncate(MOST);
    waiters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadlets_behind_podmans_wait_unit_wait_for_the_gate() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let before = |unit: &str| match unit {
            "netready.service" => Ok(set(&[WAIT_UNIT, "own.service"])),
            WAIT_UNIT => Ok(set(&["app.service", "db.service"])),
            other => Err(format!("{other} was asked for")),
        };
        let expected = set(&[WAIT_UNIT, "app.service", "db.service", "own.service"]);
        assert_eq!(ordered_after("netready.service", before), Ok(expected));
        let of_system = |unit: &str| match unit {
            "netready.service" => Ok(set(&["network-online.target"])),
            "network-online.target" => Ok(set(&["web.service"])),
            other => Err(format!("{other} was asked for")),
        };
        let expected = set(&["network-online.target", "web.service"]);
        assert_eq!(ordered_after("netready.service", of_system), Ok(expected));
    }

    #[test]
    fn units_that_were_started_soon_after_the_gate_had_opened_waited() {
        let unit = |name: &str, started: &str, active: &str| {
            let pairs = [
                ("Id", name),
                ("InactiveExitTimestampMonotonic", started),
                ("ActiveEnterTimestampMonotonic", active),
            ];
            BTreeMap::from(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
        };
        let units = [
            unit("late.service", "70000001", "70000002"),
            unit("web.service", "9100000", "9400000"),
            unit("before.service", "8999999", "9400000"),
            unit("never.service", "0", "0"),
            unit("restarts.service", "9000000", "8000000"),
            unit("odd.service", "x", ""),
        ];
        let at = |micros| Moment::after_boot(Duration::from_micros(micros));
        assert_eq!(
            choose(&units, at(9_000_000)),
            [
                Waiter { unit: "restarts.service".to_owned(), started: at(9_000_000), active: None },
                Waiter {
                    unit: "web.service".to_owned(),
                    started: at(9_100_000),
                    active: Some(at(9_400_000))
                },
            ]
        );
        let before = BTreeMap::from([("Before".to_owned(), "a.service shutdown.target".to_owned())]);
        assert_eq!(names(&[before]), BTreeSet::from(["a.service".to_owned(), "shutdown.target".to_owned()]));
    }
}
