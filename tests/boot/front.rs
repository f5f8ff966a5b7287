//! Boots what the first pages for readers show: the failure and the remedy in the README, and the quick start.

use crate::documents;
use crate::guest::{Entry, Guest, Prepared};
use crate::life::{TESTER, cable, comes_to, seconds};
use crate::stacks::{STATIC_AT_ONCE, networkd};

/// Boots the host of both pages: an address and a default route at once, no cable, and tester's container at boot.
fn boot(with_netready: bool) -> Guest {
    let prepared = Prepared::new(with_netready);
    (networkd(STATIC_AT_ONCE).write)(&prepared.files);
    prepared.files.linger("tester");
    // The container that every user has would use the same address.
    prepared.files.write("/etc/containers/systemd/users/seed.container", "");
    for name in ["web.network", "web.container"] {
        let path = format!("~/.config/containers/systemd/{name}");
        documents::write(&prepared.files, "quick-start.md", &path);
    }
    prepared.networks.cable("e0");
    prepared.boot()
}

/// A message without the parts that differ in each boot: process numbers, times, and the rest of a container's ID.
fn lasting(who: &str, message: &str) -> String {
    let is_time = |word: &str| {
        let number = word.trim_matches(['(', ')', ':']).trim_end_matches("ms").trim_end_matches('s');
        number.len() < word.len() && number.parse::<f64>().is_ok()
    };
    let message = message.split(" container ID ").next().unwrap_or(message);
    let words = message.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
    format!("{}: {}", who.split('[').next().unwrap_or(who), words.collect::<Vec<_>>().join(" "))
}

/// Asserts that the lines of a page, `TIME WHO: MESSAGE`, are in the journal in this order.
#[track_caller]
fn in_order(page: &str, shown: &str, journal: &[Entry]) {
    // A message of several lines is one entry in the journal, but several lines on the page.
    let lines = journal.iter().flat_map(|entry| {
        entry.message.lines().map(|line| lasting(&entry.who, line)).collect::<Vec<String>>()
    });
    let said: Vec<String> = lines.collect();
    let mut rest = said.iter();
    for line in shown.lines() {
        let (_, line) = line.split_once(' ').unwrap();
        let (who, message) = line.split_once(": ").unwrap();
        let wanted = lasting(who, message);
        assert!(
            rest.any(|line| *line == wanted),
            "{page}: not in the journal there: {wanted}\n{}",
            said.join("\n")
        );
    }
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_failure_that_the_readme_shows() {
    crate::enter();
    let guest = boot(false);
    let tries = |guest: &Guest| guest.property(TESTER, "web.service", "NRestarts").parse().unwrap_or(0);
    assert!(guest.soon(|guest| tries(guest) > 2), "{}", guest.console());
    cable(&guest, true);
    let before = tries(&guest);
    assert!(guest.soon(|guest| tries(guest) > before + 2));
    let blocks = documents::blocks("../README.md");
    in_order("README.md", &blocks[0], &guest.off());
}

#[test]
#[ignore = "boots take minutes: make boot"]
fn the_cure_that_the_readme_and_the_quick_start_show() {
    crate::enter();
    let guest = boot(true);
    comes_to(&guest, "netready.service", "start");
    let waiting =
        |guest: &Guest| guest.property(TESTER, "netready.service", "StatusText").starts_with("Waiting");
    assert!(guest.soon(waiting));

    let shown = documents::printed("quick-start.md", "systemctl --user status netready.service");
    let status = format!("Status: \"{}\"", guest.property(TESTER, "netready.service", "StatusText"));
    assert!(shown.contains(&status), "the page shows {shown}, and the unit's status is {status}");
    let list = "systemctl --user list-dependencies podman-user-wait-network-online.service";
    let shown = documents::printed("quick-start.md", list);
    let printed = guest.sh_as("tester", &format!("{list} --no-pager"));
    let letters =
        |text: &str| text.replace(['●', '○'], "").lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    // The marks depend on the moment, and only on the page is the last shown line the end of a branch.
    let (printed, shown) = (letters(&printed).replace("└", "├"), letters(&shown).replace("└", "├"));
    assert!(printed.starts_with(&shown), "the page shows\n{shown}\nand systemctl printed\n{printed}");

    // Wait longer than the settle, so that the missing carrier is what took longest.
    std::thread::sleep(seconds(3));
    cable(&guest, true);
    comes_to(&guest, "web.service", "running");
    assert_eq!(guest.property(TESTER, "web.service", "NRestarts"), "0");
    let ready = guest.sh_as("tester", "netready check podman");
    assert_eq!(ready, documents::printed("quick-start.md", "netready check podman"));
    let journal = guest.off();
    in_order("README.md", &documents::blocks("../README.md")[1], &journal);
    let shown = documents::printed("quick-start.md", "journalctl -b -o short-precise");
    in_order("quick-start.md", &shown, &journal);
}
