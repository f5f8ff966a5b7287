//! What a user finds hours after a boot that went wrong: in `systemctl status`, in the journal, and in the record.

use std::io::Write;

use crate::guest::{Guest, Prepared};
use crate::life::{PATIENT, TESTER, boot_of, cable, seconds};
use crate::rootfs::Release;
use crate::table;

const RECORD: &str = "/run/netready-record/netready/default.events";

/// Boots with both gates, the system's and tester's, without a cable. `drop_in` is for the system's gate.
fn both_gates(release: Release, drop_in: &'static str) -> Guest {
    boot_of(release, move |prepared: &Prepared| {
        prepared.files.linger("tester");
        prepared.files.enable("netready.service", "network-online.target");
        prepared.files.write("/etc/netready/default.toml.d/test.toml", drop_in);
    })
}

fn status(guest: &Guest, user: Option<&str>) -> String {
    guest.property(user, "netready.service", "StatusText")
}

/// Waits until STATUS= begins with this text. Returns the whole status.
#[track_caller]
fn comes(guest: &Guest, user: Option<&str>, start: &str) -> String {
    let came = guest.soon(|guest| status(guest, user).starts_with(start));
    let found = status(guest, user);
    assert!(came, "{user:?}: the status is {found:?}, not {start}…\n{}", journal(guest, ""));
    found
}

/// The journal of the unit, as a user reads it.
fn journal(guest: &Guest, options: &str) -> String {
    guest.sh(&format!("journalctl --sync; journalctl --no-pager --boot {options} --unit netready.service"))
}

/// The events of the system's gate, as an ordinary user reads them.
#[track_caller]
fn events(guest: &Guest) -> String {
    let said = guest.sh_as("tester", &format!("cat {RECORD}"));
    assert!(said.starts_with("{\"record\":1,"), "an ordinary user cannot read {RECORD}: {said}");
    said.replace('\0', "")
}

/// The states of the gate, in order.
fn states(events: &str) -> Vec<String> {
    let lines = events.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let gates = lines.filter(|line| line["event"] == "gate");
    let mut states: Vec<String> = gates.map(|line| line["state"].as_str().unwrap().to_owned()).collect();
    // A waiting gate has an event for each reason.
    states.dedup();
    states
}

/// Asserts that systemd keeps the file of events for the next run and reports no error.
#[track_caller]
fn is_kept(guest: &Guest) {
    let kept = |guest: &Guest| guest.property(None, "netready.service", "NFileDescriptorStore") == "1";
    assert!(guest.soon(kept), "systemd keeps no file");
    let complaints = guest.sh("journalctl --no-pager --boot | grep -i 'cannot store more fds\\|fd store'");
    assert_eq!(complaints, "");
}

/// Writes what was seen to a file beside the journals.
fn leave(name: &str, texts: &[&str]) {
    let path = table::folder().join(format!("history-{name}.log"));
    let mut file = std::fs::File::create(path).unwrap();
    for text in texts {
        writeln!(file, "{}\n", text.trim_end()).unwrap();
    }
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_cable_comes_six_seconds_late() {
    crate::enter();
    let guest = both_gates(Release::usual(), PATIENT);
    for user in [None, TESTER] {
        comes(&guest, user, "Waiting (up to ");
    }
    let since = guest.age();
    guest.sleep_until(since + seconds(6));
    cable(&guest, true);
    let system = comes(&guest, None, "Ready after ");
    let user = comes(&guest, TESTER, "Ready after ");
    let plain = journal(&guest, "-o short-precise");
    let explained = journal(&guest, "-x");
    let events = events(&guest);
    let record = guest.sh_as("tester", &format!("cat {}", RECORD.replace("events", "json")));
    leave("cable", &[&system, &user, &plain, &explained, &events, &record]);
    for said in [&system, &plain] {
        assert!(said.contains("s of it: e0 had no carrier)"), "{said}");
    }
    assert!(
        user.contains("s of it: pasta would have taken e0 (default metric 0), which had no carrier)"),
        "{user}"
    );
    // The part of the time that the cable took is the whole of the six seconds.
    let of_it = system.split(" (").nth(1).unwrap().split("s of it").next().unwrap();
    assert!(of_it.parse::<f64>().is_ok_and(|took| took > 5.5), "{system}");
    // The catalog's text for a new user is in the journal, and it says what to do.
    for text in [
        "Subject: Gate default waits for the network",
        "See what is missing now:        netready check default",
        "Subject: Gate default is ready",
        "Every requirement of the gate default is met.",
    ] {
        assert!(explained.contains(text), "journalctl -x does not say {text}:\n{explained}");
    }
    assert!(record.contains("\"state\":\"ready\""), "an ordinary user cannot read the record: {record}");
    assert_eq!(states(&events), ["waiting", "ready"], "{events}");
    assert!(events.contains("\"event\":\"link\",\"link\":\"e0\""), "{events}");
    is_kept(&guest);
    // The user's unit keeps its folder, so systemd need not keep a file.
    assert_eq!(guest.property(TESTER, "netready.service", "NFileDescriptorStore"), "0");
    let own = "cat $XDG_RUNTIME_DIR/netready-record/netready/podman.events";
    assert_eq!(states(&guest.sh_as("tester", own)).last().map(String::as_str), Some("ready"));
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_loss_of_three_seconds_and_a_restart_of_the_unit() {
    loss_and_restart(Release::usual());
}

#[track_caller]
pub fn loss_and_restart(release: Release) {
    crate::enter();
    let guest = both_gates(release, PATIENT);
    comes(&guest, None, "Waiting (up to ");
    cable(&guest, true);
    comes(&guest, None, "Ready after ");
    is_kept(&guest);
    let ready = guest.age();
    guest.sleep_until(ready + seconds(3));
    let lose = || {
        cable(&guest, false);
        let lost = comes(&guest, None, "NOT ready since ");
        let since = guest.age();
        guest.sleep_until(since + seconds(3));
        cable(&guest, true);
        (lost, comes(&guest, None, "Ready again since "))
    };
    let (lost, again) = lose();
    let plain = journal(&guest, "-o short-precise");
    assert!(lost.contains(": e0 has no carrier (was ready for "), "{lost}");
    // The kernel announces carrier at most once a second, and the status is asked for a moment later.
    let (_, lost_for) = again.split_once(" (lost for ").unwrap_or_default();
    let (lost_for, rest) = lost_for.split_once("s; ").unwrap_or_default();
    assert!(lost_for.parse::<u32>().is_ok_and(|lost_for| lost_for >= 3), "{again}");
    assert!(rest.starts_with("1 loss since boot): "), "{again}");
    assert!(plain.contains(&again), "{plain}");
    assert_eq!(states(&events(&guest)), ["waiting", "ready", "lost", "ready"]);

    // The next run of the unit continues the same history.
    let before = guest.property(None, "netready.service", "MainPID");
    guest.sh("systemctl restart netready.service");
    assert_ne!(guest.property(None, "netready.service", "MainPID"), before);
    is_kept(&guest);
    let (_, twice) = lose();
    assert!(twice.contains("; 2 losses since boot): "), "{twice}");
    let events = events(&guest);
    leave(&format!("loss-{}", release.name()), &[&lost, &again, &plain, &twice, &events]);
    let states = states(&events);
    assert!(
        states.starts_with(&["waiting", "ready", "lost", "ready", "stopped"].map(str::to_owned)),
        "{states:?}"
    );
    assert!(states.ends_with(&["ready", "lost", "ready"].map(str::to_owned)), "{states:?}");
    // A unit that was stopped has no state, so there is no record of it.
    guest.sh("systemctl stop netready.service");
    assert_eq!(guest.sh("ls -A /run/netready-record"), "");

    // An earlier version left this folder, which only root can read.
    guest.sh("mkdir -p /run/private/netready-record/netready; chmod 0700 /run/private");
    guest.sh("ln -s ../private/netready-record/netready /run/netready-record/netready");
    guest.sh("systemctl start netready.service");
    comes(&guest, None, "Ready after ");
    assert_eq!(self::states(&self::events(&guest)).last().map(String::as_str), Some("ready"));
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn a_gate_that_gave_up_opens_later() {
    crate::enter();
    let guest = both_gates(Release::usual(), "timeout = \"5s\"\n");
    let gave_up = |guest: &Guest| status(guest, None).starts_with("Waiting (gave up at ");
    assert!(guest.soon(gave_up), "{}", status(&guest, None));
    let online = |guest: &Guest| guest.property(None, "network-online.target", "ActiveState") == "active";
    assert!(guest.soon(online), "boot goes on");
    let waiting = status(&guest, None);
    // Wait for two restarts, so that a run handed the file on that it had itself taken over.
    let runs = |events: &str| events.lines().filter(|line| line.starts_with("{\"record\":1,")).count();
    let restarts = |guest: &Guest| guest.property(None, "netready.service", "NRestarts").parse().unwrap_or(0);
    let mut again = String::new();
    let waits_again = guest.soon(|guest| {
        again = status(guest, None);
        restarts(guest) >= 2 && again.starts_with("Waiting (gave up at ")
    });
    assert!(waits_again, "{} restarts: {again}", restarts(&guest));
    cable(&guest, true);
    let ready = comes(&guest, None, "Ready after ");
    let plain = journal(&guest, "-o short-precise");
    let explained = journal(&guest, "-x");
    let events = events(&guest);
    leave("gave-up", &[&waiting, &again, &ready, &plain, &explained, &events]);
    assert!(plain.contains("NOT ready after 5s, given up: e0 has no carrier"), "{plain}");
    assert!(runs(&events) >= 3, "{events}");
    let states = states(&events);
    assert!(
        states.starts_with(&["waiting", "gave-up", "waiting", "gave-up"].map(str::to_owned)),
        "{states:?}"
    );
    assert_eq!(states.last().map(String::as_str), Some("ready"), "{states:?}");
    is_kept(&guest);
    // The gate is no longer given up, but the record of this boot still says that it was.
    let record = guest.sh_as("tester", &format!("cat {}", RECORD.replace("events", "json")));
    assert!(record.contains("\"gave-up-usec\":null"), "{record}");
    assert!(!record.contains("\"last-gave-up-usec\":null"), "{record}");
}
