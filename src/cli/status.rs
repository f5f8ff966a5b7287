//! `status`: shows the state of the gates that netready keeps now.

use clap::Args;
use nix::unistd::geteuid;

use crate::cli::{Error, Exit, UNSEEN, paint, print};
use crate::clock::{self, LocalTime};
use crate::doctor::programs::Programs;
use crate::overview::{Answer, HiddenUnit, Overview, UnitState, status_json, status_table};
use crate::record::kept::{Kept, kept};
use crate::report::json_text;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The names of the gates to show [default: every gate that netready keeps now]
    #[arg(value_name = "GATE")]
    gates: Vec<String>,
    /// Print one JSON object on stdout
    #[arg(short, long)]
    pub(super) json: bool,
}

/// What root is told if there is no gate of the system.
const OF_USERS: &str = "gates of users are not shown here; to see a user's gate: \
                        systemctl --user -M USER@ status netready.service\n";

pub(super) fn execute(args: StatusArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let Kept { gates, hidden } = kept();
    let overview = Overview { gates, hidden: ask_about(hidden), asked: args.gates };
    print(&match args.json {
        true => {
            format!("{}\n", json_text(&status_json(&overview, &|moment| LocalTime::of(moment).rfc3339())))
        }
        false => {
            let time = |moment| LocalTime::of(moment).text();
            let mut text = status_table(&overview, clock::now(), &time, paint);
            if geteuid().is_root() && overview.asked.is_empty() && overview.shown().next().is_none() {
                text.push_str(OF_USERS);
            }
            text
        }
    })?;
    Ok(match overview.answer() {
        Answer::Ready => Exit::Done,
        Answer::NotReady => Exit::NotReady,
        Answer::Unknown => Exit::Code(UNSEEN),
    })
}

/// Asks the service manager about units whose records this user may not read. Any user may ask the service manager.
fn ask_about(units: Vec<String>) -> Vec<HiddenUnit> {
    let programs = Programs::from_process(None);
    let ask = |unit: String| {
        // Do not ask about a name that systemd would not accept unchanged.
        let is_plain = unit.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"@-_.:\\".contains(&byte));
        let name = format!("{unit}.service");
        let arguments = ["show", "--property=ActiveState,SubState,StatusText", "--", &name];
        let said = is_plain.then(|| programs.ask("systemctl", &arguments).ok()?.success().ok()).flatten();
        HiddenUnit { unit, says: said.as_deref().and_then(unit_state) }
    };
    units.into_iter().map(ask).collect()
}

/// Reads the output of `systemctl show`, one `NAME=VALUE` a line.
fn unit_state(said: &str) -> Option<UnitState> {
    let value = |name: &str| {
        let mut values = said.lines().filter_map(|line| line.split_once('='));
        values.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    };
    Some(UnitState {
        active: value("ActiveState")?,
        sub: value("SubState").unwrap_or_default(),
        status_text: value("StatusText").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_s_state_is_read() {
        let state = |active: &str, sub: &str, text: &str| {
            let (active, sub, status_text) = (active.to_owned(), sub.to_owned(), text.to_owned());
            Some(UnitState { active, sub, status_text })
        };
        for (said, expected) in [
            (
                "StatusText=Ready after 5s: a=b\nActiveState=active\nSubState=running\n",
                state("active", "running", "Ready after 5s: a=b"),
            ),
            ("ActiveState=inactive\nSubState=dead\n", state("inactive", "dead", "")),
            ("ActiveState=active\n", state("active", "", "")),
            ("SubState=dead\n", None),
            ("", None),
            ("XActiveState=active", None),
        ] {
            assert_eq!(unit_state(said), expected, "{said}");
        }
    }
}
