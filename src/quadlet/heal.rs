//! Restarts a unit that started while its gate was shut once, when the gate opens (`RestartWhenReady=yes`).
//!
//! Each such unit wants a helper unit and is ordered after it. The helper checks the gate before the unit
//! starts. If the gate is ready, there is nothing to do. Otherwise the helper waits for the gate, in parallel
//! to the unit and without a timeout, and then restarts a target, of which there is one for each gate.
//! systemd passes the restart on to the waiting helpers (PartOf=), and from them to their units. So it stops
//! all units before it starts the first one. This matters because rootless containers share a network
//! namespace that pasta makes, and pasta makes a new one only after the last container has left it.
//!
//! PartOf= has no unwanted effects: a helper that has ended, or never had to wait, passes nothing on, and a
//! unit that was stopped by hand is not started.

use std::fmt::Write;

use super::command_line::{self, Argument};
use super::{Manager, QuadletInput, WAIT_UNIT};

/// The longest name of a unit (systemd.unit(5)).
const LONGEST: usize = 255;

/// A unit of netready's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnUnit {
    /// The name of the unit, such as `netready-restart-foo.service`.
    pub name: String,
    /// The text of the unit file.
    pub text: String,
}

/// The name of the helper of a unit. `None` if it would be too long for a unit's name.
pub fn helper(service: &str) -> Option<String> {
    Some(format!("netready-restart-{service}")).filter(|name| name.len() <= LONGEST)
}

/// The lines for the drop-in of a unit that has a helper. In an instance of a template, `%i` names the
/// instance's helper.
///
/// The unit is ordered after the target too. A helper ends before the units are stopped, so without this
/// order the target, which holds the starts back, would not wait for the slowest stop (seen with systemd).
pub fn lines(helper: &str, gate: &str) -> String {
    let helper = helper.replace("@.service", "@%i.service");
    let target = target(gate);
    format!("Wants={helper}\nAfter={helper} {target}\nPartOf={helper}\n")
}

fn target(gate: &str) -> String {
    format!("netready-restart-{gate}.target")
}

/// The unit files of the helper and of its gate's target.
pub fn units(input: &QuadletInput, helper: &str, service: &str, gate: &str) -> [OwnUnit; 2] {
    let target = target(gate);
    let service = service.replace("@.service", "@%i.service");
    let gate_unit = input.manager.gate_unit(gate);
    let (after, systemctl): (_, &[&str]) = match input.manager {
        Manager::System => (gate_unit, &["systemctl"]),
        Manager::User => (format!("{gate_unit} {WAIT_UNIT}"), &["systemctl", "--user"]),
    };
    let words = |words: &[&str]| {
        let words: Vec<Argument> = words.iter().map(|word| Argument::plain(*word)).collect();
        command_line::line(&words)
    };
    // Exit code 1 means not ready. After 2 and 3 there is nothing to wait for.
    let is_shut = words(&["/bin/sh", "-c", "\"$0\" check \"$1\"; test $? = 1", &input.netready, gate]);
    let wait = [&input.netready, "wait", gate, "--quiet", "--timeout", "infinity"];
    let wait = [&wait[..], &["--no-carrier-timeout", "infinity", "--"]].concat();
    let restart = [systemctl, &["--no-block", "restart", &target]].concat();
    let mut text = format!("# Made by netready-generator: RestartWhenReady=yes of {service}\n\n[Unit]\n");
    let _ = write!(
        text,
        "Description=Restart of {service} once network gate {gate} is ready\n\
         # As the unit itself, so that the gate is looked at when it would start.\n\
         After={after}\n\
         Wants={target}\nAfter={target}\nPartOf={target}\n\n\
         [Service]\nType=exec\nStandardOutput=null\n\
         ExecCondition={is_shut}\nExecStart={} {}\n",
        words(&wait),
        words(&restart),
    );
    let of_gate = format!(
        "# Made by netready-generator: RestartWhenReady=yes\n\n[Unit]\n\
         Description=Restart of what started before network gate {gate} was ready\n"
    );
    [OwnUnit { name: helper.to_owned(), text }, OwnUnit { name: target, text: of_gate }]
}
