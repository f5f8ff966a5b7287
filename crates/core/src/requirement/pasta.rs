//! `pasta`: what pasta would copy into a container is usable for the container.

use crate::evaluate::Judge;
use crate::evaluate::judged::Evaluated;
use crate::requirement::Item;
use crate::requirement::key::{AskedOf, Key, Role, ValueType};
use crate::requirement::kind::{Requirement, Whom};
use crate::wants::Wants;

/// The key `pasta`: pasta can use the links and routes that it would select.
pub static PASTA: Key = Key {
    name: "pasta",
    role: Role::Asks { of: AskedOf::Host { about: "what pasta takes" }, read: |_, _| Ok(Item::Pasta) },
    takes: ValueType::Flag,
    example: "pasta = true",
    other_names: &[],
    shorthands: &[],
    option: None,
};

/// The requirement of [`Item::Pasta`].
pub(super) struct Pasta;

impl Requirement for Pasta {
    fn key(&self) -> &'static Key {
        &PASTA
    }

    fn sentence(&self, _: Whom) -> String {
        "a rootless container would get a working network from pasta".to_owned()
    }

    fn noun(&self) -> String {
        "network for pasta".to_owned()
    }

    fn add_wants(&self, _: bool, wants: &mut Wants) {
        wants.pasta = true;
    }

    fn of_host(&self, judge: &Judge<'_>) -> Evaluated {
        judge.pasta().into()
    }
}
