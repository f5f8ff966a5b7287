//! Gate files of users outlive versions. `gates-0.1.0` has the gates that 0.1.0 shipped, and a gate with each key of
//! its grammar in each form; they mean today what they meant then.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at what it did not expect")]

use core::time::Duration;

use netready_core::config::{gate_text, parse};
use netready_core::requirement::{AddressSpec, Gate, Item, OnLoss, OnTimeout};

const EVERY_KEY: &str = include_str!("gates-0.1.0/every-key.toml");
/// The clauses of that file, with what it leaves out written out, as 0.1.0 understood them.
const EVERY_CLAUSE: &str = include_str!("gates-0.1.0/every-key.clauses.toml");

/// The gate without its name and its places.
fn asked(text: &str) -> Gate {
    parse("gate", "gate.toml", text).unwrap()
}

#[test]
fn each_key_means_what_it_meant() {
    let gate = asked(EVERY_KEY);
    assert_eq!(gate.timeout, Some(Duration::from_secs(120)));
    assert_eq!(gate.no_carrier_timeout, Some(Duration::from_secs(30)));
    assert_eq!(gate.settle, Duration::from_millis(1500));
    assert_eq!(gate.on_timeout, OnTimeout::Open);
    assert_eq!(gate.on_loss, OnLoss::Fail);
    // A clause that names a link only asks this of it.
    let implied = [Item::Carrier, Item::Address(AddressSpec::Either)];
    assert_eq!(gate.clauses[2].items, implied);
    let text = gate_text(&gate);
    let (_, clauses) = text.split_once("\n\n").unwrap();
    assert_eq!(clauses, EVERY_CLAUSE);
}

#[test]
fn the_built_in_gates_ask_what_they_asked() {
    for (earlier, today) in [
        (include_str!("gates-0.1.0/default.toml"), include_str!("../../../gates/default.toml")),
        (include_str!("gates-0.1.0/podman.toml"), include_str!("../../../gates/podman.toml")),
    ] {
        assert_eq!(gate_text(&asked(earlier)), gate_text(&asked(today)));
    }
}
