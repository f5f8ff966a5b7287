//! Probes: which questions they must ask, and what the answers mean.

use crate::evaluate::Judge;
use crate::evaluate::judged::{Evaluated, Judged, Needs};
use crate::model::{NoAnswer, Question};
use crate::requirement::{Destination, Family, Gateway, Item, Probe, RouteSpec, Table};
use crate::verdict::{Evidence, Outcome, Reason};

/// The default route of one family, and the question to its gateway.
struct Way {
    route: Judged,
    /// `None` if there is no route, or if the route has no gateway.
    question: Option<Question>,
}

impl Judge<'_> {
    pub(crate) fn probe(&self, probe: &Probe) -> Evaluated {
        let item = Item::Probe(probe.clone());
        let question = Question::Probe(probe.clone());
        let met = |answer: &str| Evidence::Answer { probe: probe.clone(), answer: answer.to_owned() };
        let outcome = self.answer(&question, &item, met);
        let needs = Needs { questions: [question].into(), ..Needs::default() };
        Evaluated {
            asked: Judged { outcome, needs, warnings: Vec::new() },
            waiting: Some(Reason::NotTried { item, begun: false }.into()),
        }
    }

    /// Evaluates the gateway of the default route that the kernel selects. Without a family, the gateway of one
    /// family is enough.
    pub(crate) fn gateway(&self, family: Option<Family>) -> Evaluated {
        let families = match &family {
            Some(family) => core::slice::from_ref(family),
            None => &Family::BOTH[..],
        };
        let ways = families.iter().map(|family| self.way_to_gateway(*family));
        // A family without a default route matters only if no other family has one.
        let (ways, missing): (Vec<Way>, Vec<Way>) = ways.partition(|way| way.route.outcome.holds());
        let item = Item::Gateway(Gateway(family));
        let answered =
            |question: &Question, route: &Evidence| self.answer(question, &item, |_| route.clone());
        let not_tried = |_: &Question, _: &Evidence| {
            Outcome::Unmet(Reason::NotTried { item: item.clone(), begun: false })
        };
        let Some(asked) = first_gateway(&ways, answered) else {
            let missing = family.and_then(|_| missing.into_iter().next());
            let either = || self.route(&default_route(Destination::Default), None);
            return missing.map_or_else(either, |way| way.route).into();
        };
        let waiting = first_gateway(&ways, not_tried);
        Evaluated { asked, waiting: waiting.map(|judged| Judged { needs: Needs::default(), ..judged }) }
    }

    fn way_to_gateway(&self, family: Family) -> Way {
        let route = self.route(&default_route(Destination::DefaultOf(family)), None);
        let question =
            match &route.outcome {
                Outcome::Met(Evidence::Route { route, .. }) => route.gateway.map(|address| {
                    Question::Neighbour { address, ifindex: route.ifindex, ifname: route.ifname.clone() }
                }),
                Outcome::Met(_) | Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => None,
            };
        Way { route, question }
    }

    /// Returns the outcome of a probe, given its last answer.
    fn answer(&self, question: &Question, item: &Item, met: impl FnOnce(&str) -> Evidence) -> Outcome {
        Outcome::Unmet(match self.network.answers.get(question) {
            Some(Ok(answer)) => return Outcome::Met(met(answer)),
            Some(Err(NoAnswer::Failed(why))) => {
                Reason::ProbeFailed { question: question.clone(), why: why.clone() }
            }
            Some(Err(NoAnswer::NoProgram(why))) => Reason::NoProbeProgram(why.clone()),
            None => Reason::NotTried { item: item.clone(), begun: true },
        })
    }
}

fn default_route(destination: Destination) -> RouteSpec {
    RouteSpec { destination, table: Table::MAIN }
}

/// Returns the outcome of the first route whose gateway answers or that has no gateway to ask. If there is no such
/// route, returns the outcome that tells most, with the questions to all gateways. `None` if there are no routes.
fn first_gateway(ways: &[Way], answer: impl Fn(&Question, &Evidence) -> Outcome) -> Option<Judged> {
    let mut best: Option<Judged> = None;
    for way in ways {
        let outcome = match (&way.question, &way.route.outcome) {
            (Some(question), Outcome::Met(route)) => answer(question, route),
            (_, outcome) => outcome.clone(),
        };
        let needs = Needs { questions: way.question.iter().cloned().collect(), ..Needs::default() };
        let judged = Judged { outcome, needs, warnings: way.route.warnings.clone() };
        if judged.outcome.holds() {
            return Some(judged);
        }
        best = Some(match best {
            Some(known) => known.or(judged),
            None => judged,
        });
    }
    best
}

impl Judged {
    /// Merges the outcomes of two gateways without an answer: keeps the outcome that tells more, and the needs and
    /// warnings of both.
    fn or(self, other: Judged) -> Judged {
        let other_tells_more = telling(&other.outcome) > telling(&self.outcome);
        let outcome = if other_tells_more { other.outcome } else { self.outcome };
        let mut both = Judged { outcome, needs: self.needs, warnings: self.warnings };
        both.needs.extend(other.needs);
        both.warnings.extend(other.warnings);
        both
    }
}

/// How much the outcome of an unmet gateway tells the administrator. A failure tells more than a missing answer.
fn telling(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Unmet(Reason::ProbeFailed { .. } | Reason::NoProbeProgram(_)) => 1,
        Outcome::Met(_) | Outcome::Unmet(_) | Outcome::NotPresent | Outcome::NotAsked => 0,
    }
}
