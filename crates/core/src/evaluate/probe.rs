//! Probes: what is to be asked of others, once it is their turn, and what they said.

use crate::evaluate::Judge;
use crate::model::{NoAnswer, Question};
use crate::requirement::{Destination, Family, Item, Probe, RouteSpec, Table};
use crate::verdict::{Evidence, Outcome, Reason};

impl Judge<'_> {
    pub(super) fn probe(&mut self, probe: &Probe) -> Outcome {
        let item = Item::Probe(probe.clone());
        self.answer(Question::Probe(probe.clone()), &item, |answer| Evidence::Answer {
            probe: probe.clone(),
            answer,
        })
    }

    /// The gateway of the default route that the kernel would take; of either family, one is enough.
    pub(super) fn gateway(&mut self, family: Option<Family>) -> Outcome {
        let item = Item::Gateway(family);
        let families = match &family {
            Some(family) => core::slice::from_ref(family),
            None => &Family::BOTH[..],
        };
        let unread = self.unread.clone();
        let questions = self.questions.clone();
        let mut best: Option<Outcome> = None;
        for family in families {
            let outcome = self.gateway_of(*family, &item);
            // The first one that answers is enough: nothing hangs on the other.
            if outcome.holds() {
                self.unread = unread;
                self.questions = questions;
                return self.gateway_of(*family, &item);
            }
            if best.as_ref().is_none_or(|known| telling(&outcome) > telling(known)) {
                best = Some(outcome);
            }
        }
        let no_route =
            |outcome: &Outcome| matches!(outcome, Outcome::Unmet(reason) if !reason.is_of_a_probe());
        match best {
            Some(outcome) if !no_route(&outcome) => {
                // There is one; where the other family's may stand need not be read.
                self.unread = unread;
                outcome
            }
            Some(outcome) if family.is_some() => outcome,
            Some(_) | None => {
                self.route(&RouteSpec { destination: Destination::Default, table: Table::MAIN }, None)
            }
        }
    }

    fn gateway_of(&mut self, family: Family, item: &Item) -> Outcome {
        let spec = RouteSpec { destination: Destination::DefaultOf(family), table: Table::MAIN };
        let found = self.route(&spec, None);
        let Outcome::Met(evidence @ Evidence::Route { .. }) = found else { return found };
        let Evidence::Route { route, .. } = &evidence else { return Outcome::Met(evidence) };
        let Some(address) = route.gateway else { return Outcome::Met(evidence) };
        let question = Question::Neighbour { address, ifindex: route.ifindex, ifname: route.ifname.clone() };
        self.answer(question, item, |_| evidence)
    }

    fn answer(&mut self, question: Question, item: &Item, met: impl FnOnce(String) -> Evidence) -> Outcome {
        if !self.ask {
            return Outcome::Unmet(Reason::NotTried { item: item.clone(), begun: false });
        }
        // Asked twice, it is tried again as often as the more eager wants.
        let known = self.questions.entry(question.clone()).or_insert(self.recheck);
        *known = [*known, self.recheck].into_iter().flatten().min();
        match self.network.answers.get(&question) {
            Some(Ok(answer)) => Outcome::Met(met(answer.clone())),
            Some(Err(NoAnswer::Failed(why))) => {
                Outcome::Unmet(Reason::ProbeFailed { question, why: why.clone() })
            }
            Some(Err(NoAnswer::NoProgram(why))) => Outcome::Unmet(Reason::NoProbeProgram(why.clone())),
            None => Outcome::Unmet(Reason::NotTried { item: item.clone(), begun: true }),
        }
    }
}

/// How much an unmet gateway tells: one that may still answer more than one that is not there.
fn telling(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Met(_) | Outcome::NotPresent | Outcome::NotAsked => 3,
        Outcome::Unmet(Reason::ProbeFailed { .. } | Reason::NoProbeProgram(_)) => 2,
        Outcome::Unmet(Reason::NotTried { .. }) => 1,
        Outcome::Unmet(_) => 0,
    }
}
