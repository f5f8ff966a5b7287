//! The interface of a kind of requirement.

use core::fmt::{self, Write};
use core::net::IpAddr;

use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged};
use crate::model::Link;
use crate::requirement::Family;
use crate::requirement::key::{Key, ValueType};
use crate::wants::Wants;

/// A requirement as the rest of the core uses it. Everything that depends on its kind is behind these functions.
pub(crate) trait Requirement {
    /// Returns the key that asks for the requirement.
    fn key(&self) -> &'static Key;

    /// Returns the value of the key, as in a gate file.
    fn value(&self) -> String {
        "true".to_owned()
    }

    /// Returns the keys that refine the requirement, with their values.
    fn refinements(&self) -> Vec<(&'static Key, Vec<String>)> {
        Vec::new()
    }

    /// Returns what the requirement asks for, as reports name it: `IPv6 default route`.
    fn noun(&self) -> String {
        Shown(self).to_string()
    }

    /// Returns the condition of the requirement, as a sentence for `explain`.
    fn sentence(&self, whom: Whom) -> String;

    /// Returns the family that the requirement asks for. `None` if either family is enough, or if there is none.
    fn family(&self) -> Option<Family> {
        None
    }

    /// Adds what must be read to evaluate the requirement. `host_wide` says that its clause names no links.
    fn add_wants(&self, host_wide: bool, wants: &mut Wants) {
        let _ = (host_wide, wants);
    }

    /// Evaluates the requirement for the host as a whole.
    fn of_host(&self, judge: &Judge<'_>) -> Evaluated;

    /// Evaluates the requirement for one link. A requirement that does not depend on links has the same result for
    /// each link.
    fn of_link<'a>(&self, judge: &Judge<'a>, link: &'a Link) -> Judged {
        let _ = link;
        self.of_host(judge).asked
    }
}

/// The subject of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Each link of the clause by itself.
    Link,
    /// The host as a whole.
    Host,
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Whom::Link => "the link",
            Whom::Host => "the host",
        })
    }
}

/// Writes the key, the value and the refinements: `route default table 7`.
pub(super) struct Shown<'a, R: Requirement + ?Sized>(pub &'a R);

impl<R: Requirement + ?Sized> fmt::Display for Shown<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.0.key();
        f.write_str(key.name)?;
        if key.takes == ValueType::Flag {
            return Ok(());
        }
        f.write_char(' ')?;
        Refined(self.0).fmt(f)
    }
}

/// Writes the value and the refinements: `default table 7`.
pub(super) struct Refined<'a, R: Requirement + ?Sized>(pub &'a R);

impl<R: Requirement + ?Sized> fmt::Display for Refined<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.value())?;
        for (key, values) in self.0.refinements() {
            write!(f, " {} {}", key.name, values.join(", "))?;
        }
        Ok(())
    }
}

/// Writes a link-local address with its link: `fe80::1%eth0`.
pub(super) fn with_zone(address: IpAddr, zone: Option<&str>) -> String {
    zone.map_or(address.to_string(), |zone| format!("{address}%{zone}"))
}
