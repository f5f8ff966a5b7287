//! `nameserver`: resolv.conf names a server.

use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged};
use crate::model::Nameservers;
use crate::requirement::Item;
use crate::requirement::key::{AskedOf, CommandLineOption, Heading, Key, Offers, Role, ValueType};
use crate::requirement::kind::{Requirement, Whom};
use crate::verdict::{Evidence, Outcome, Reason};
use crate::wants::Wants;

/// The key `nameserver`: resolv.conf names a server.
pub static NAMESERVER: Key = Key {
    name: "nameserver",
    role: Role::Asks {
        of: AskedOf::Host { about: "what resolv.conf names" },
        read: |_, _| Ok(Item::Nameserver),
    },
    takes: ValueType::Flag,
    example: "nameserver = true",
    other_names: &["nameservers"],
    shorthands: &[],
    option: Some(CommandLineOption {
        long: "nameserver",
        short: None,
        offers: Offers::NOTHING,
        value_name: None,
        heading: Heading::What,
        help: "Require that resolv.conf names a server",
        details: "",
    }),
};

/// The requirement of [`Item::Nameserver`].
pub(super) struct Nameserver;

impl Requirement for Nameserver {
    fn key(&self) -> &'static Key {
        &NAMESERVER
    }

    fn sentence(&self, _: Whom) -> String {
        "resolv.conf names a server".to_owned()
    }

    fn add_wants(&self, _: bool, wants: &mut Wants) {
        wants.nameserver = true;
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        let judged: Judged = match &judge.network.nameservers {
            Nameservers::First(server) => Outcome::Met(Evidence::Nameserver(server.clone())).into(),
            Nameservers::None => Reason::NoNameserver(None).into(),
            Nameservers::Unreadable(why) => Reason::NoNameserver(Some(why.clone())).into(),
            Nameservers::Unread => Reason::Unread.into(),
        };
        judged.into()
    }
}
