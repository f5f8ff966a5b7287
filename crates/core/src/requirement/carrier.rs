//! `carrier`: the link has carrier.

use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged};
use crate::model::Link;
use crate::requirement::Item;
use crate::requirement::key::{AskedOf, Key, Role, ValueType};
use crate::requirement::kind::{Requirement, Whom};
use crate::verdict::{Evidence, Outcome, Reason};

/// The key `carrier`: the link is up and has carrier.
pub static CARRIER: Key = Key {
    name: "carrier",
    role: Role::Asks { of: AskedOf::Links, read: |_, _| Ok(Item::Carrier) },
    takes: ValueType::Flag,
    example: "carrier = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// The requirement of [`Item::Carrier`].
pub(super) struct Carrier;

impl Requirement for Carrier {
    fn key(&self) -> &'static Key {
        &CARRIER
    }

    fn sentence(&self, whom: Whom) -> String {
        format!("{whom} is up and has carrier")
    }

    /// The configuration never asks the host for carrier. Without a link there is no carrier, so this is unmet.
    fn of_host(&self, _: &Judge<'_>) -> Evaluated {
        Judged::from(Reason::TooFew { there: 0, needed: 1 }).into()
    }

    fn of_link<'a>(&self, judge: &Judge<'a>, link: &'a Link) -> Judged {
        match judge.network.carrier(link) {
            Ok(()) => {
                let met = Evidence::Link { ifindex: link.ifindex, ifname: link.ifname.clone() };
                Outcome::Met(met).into()
            }
            Err(why) => Reason::Carrier { ifname: link.ifname.clone(), why }.into(),
        }
    }
}
