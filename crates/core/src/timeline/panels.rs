//! Panels: the spans of time that a picture shows. A gate may be lost an hour after a boot of six seconds. On one
//! scale the boot would be invisible, so the wait and each loss have a panel of their own.

use core::time::Duration;

use crate::moment::Moment;
use crate::report::Took;
use crate::timeline::{Ending, LaneKind, Timeline};

/// How many losses are shown; the latest ones are. With twice as many, no panel would be wide enough for a word.
const LOSSES: usize = 3;

/// The margin around the important time is one part in this many, so that the states before and after it are
/// visible.
const MARGIN: u32 = 10;

/// The shortest margin.
const LEAST: Duration = Duration::from_millis(20);

/// A span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panel {
    /// The time at the left edge of the panel.
    pub from: Moment,
    /// The time at the right edge of the panel, which is later than `from`.
    pub to: Moment,
    /// The moment from which the panel counts its times.
    pub zero: Moment,
    /// The title of the panel. It is safe to print.
    pub title: String,
}

impl Panel {
    /// Returns the position of a moment in a panel with this width. `None` if the moment is outside the panel.
    pub fn place(&self, at: Moment, width: u32) -> Option<u32> {
        (at >= self.from && at <= self.to).then(|| self.scaled(at, width))
    }

    /// Returns where the visible part of a span begins and ends in the panel. `None` if no part of it is visible.
    pub fn part(&self, from: Moment, to: Moment, width: u32) -> Option<(u32, u32)> {
        let (from, to) = (from.max(self.from), to.min(self.to));
        (from < to).then(|| (self.scaled(from, width), self.scaled(to, width)))
    }

    fn scaled(&self, at: Moment, width: u32) -> u32 {
        let (at, all) = ((at - self.from).as_nanos(), (self.to - self.from).as_nanos().max(1));
        let scaled = (at * u128::from(width) + all / 2) / all;
        u32::try_from(scaled).unwrap_or(width).min(width)
    }
}

impl Timeline {
    /// Returns panels for the wait and for the latest losses. There is at least one panel, and panels do not
    /// overlap.
    pub fn panels(&self) -> Vec<Panel> {
        let mut panels = vec![self.way_panel()];
        let hidden = self.losses.len().saturating_sub(LOSSES);
        for (index, loss) in self.losses.iter().enumerate().skip(hidden) {
            let to = loss.to.unwrap_or(self.end);
            let margin = margin(to - loss.from);
            let before = panels.last().map_or(self.start, |panel| panel.to);
            let from = earlier(loss.from, margin).max(before);
            let to = (to + margin).min(self.end.max(to)).max(from + Duration::from_nanos(1));
            let lasted = match loss.to {
                Some(to) => format!("lost for {}", Took(to - loss.from)),
                None => "lost".to_owned(),
            };
            let title = match self.losses.len() {
                1 => format!("{lasted}, {} after the start", Took(loss.from - self.start)),
                _ => format!("loss {}: {lasted}", index + 1),
            };
            panels.push(Panel { from, to, zero: loss.from, title });
        }
        panels
    }

    fn way_panel(&self) -> Panel {
        let way = self.way.end;
        let mut to = way + margin(self.took());
        // Leave room for the units that start soon after the gate opens.
        let last = self.lanes.iter().filter(|lane| lane.kind == LaneKind::Unit);
        let last = last.flat_map(|lane| &lane.stretches).map(|stretch| stretch.from).max();
        if let Some(last) = last {
            to = to.max(last + margin(last - self.start)).min(way + self.took().max(LEAST));
        }
        let next = self.losses.first().map(|loss| loss.from);
        to = next.map_or(to, |next| to.min(next.max(way)));
        if self.way.result == Ending::Waiting {
            to = way;
        }
        let to = to.max(self.start + Duration::from_nanos(1));
        Panel { from: self.start, to, zero: self.start, title: self.outcome() }
    }
}

fn margin(of: Duration) -> Duration {
    (of / MARGIN).max(LEAST)
}

fn earlier(moment: Moment, by: Duration) -> Moment {
    Moment::after_boot(moment.since_boot().saturating_sub(by))
}
