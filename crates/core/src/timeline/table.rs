//! Writes a timeline as text: a table of events, and bars that show what was in which state.

use core::fmt::Write;
use core::time::Duration;

use crate::escape::escape;
use crate::report::Took;
use crate::timeline::{Lane, LaneKind, Panel, Timeline, Tone, WallClock};

/// How many lanes of a kind have a bar. With half as many, a host with two cards and two families would lack some.
/// With twice as many, the bars would not fit on a screen.
const MOST_LANES: usize = 8;

/// The width of the widest name beside a bar, in columns.
const NAME: usize = 28;

/// The width of the narrowest bar, in columns. It is used even if the terminal is narrower.
const NARROWEST: usize = 20;

/// The characters that bars are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Unicode block characters, for a UTF-8 locale.
    Blocks,
    /// ASCII characters, for any other locale.
    Ascii,
}

impl Glyphs {
    fn of(self, tone: Option<Tone>) -> char {
        match (self, tone) {
            (_, None) => ' ',
            (Glyphs::Blocks, Some(Tone::Good)) => '█',
            (Glyphs::Blocks, Some(Tone::Pending)) => '▒',
            (Glyphs::Blocks, Some(Tone::Bad)) => '░',
            (Glyphs::Ascii, Some(Tone::Good)) => '#',
            (Glyphs::Ascii, Some(Tone::Pending)) => '+',
            (Glyphs::Ascii, Some(Tone::Bad)) => '.',
            (_, Some(Tone::Idle)) => '-',
        }
    }
}

/// Writes the table and, below it, the bars. With their names the bars are `width` columns wide. The text is safe
/// to print.
pub fn table(timeline: &Timeline, wall_clock: WallClock<'_>, width: usize, glyphs: Glyphs) -> String {
    let mut text = String::new();
    steps(&mut text, timeline, wall_clock);
    bars(&mut text, timeline, width, glyphs);
    text
}

/// Writes a line for each event. The caller prints the date of the start; a line with the date comes before the first
/// event of each other day.
fn steps(text: &mut String, timeline: &Timeline, wall_clock: WallClock<'_>) {
    let seconds = |duration: Duration| format!("{}.{:03}", duration.as_secs(), duration.subsec_millis());
    let _ = writeln!(text, "{:8}  since boot  since start  {:>10}  what happened", "time", "+");
    let mut before = timeline.start;
    let (mut day, _) = wall_clock(timeline.start);
    for step in &timeline.steps {
        let (date, time) = wall_clock(step.at);
        if date != day {
            let _ = writeln!(text, "{date}");
            day = date;
        }
        let delta = step.at - before;
        before = before.max(step.at);
        let delta = match delta.as_millis() {
            0 => String::new(),
            _ => format!("+{}s", seconds(delta)),
        };
        let (boot, start) = (seconds(step.at.since_boot()), seconds(step.at - timeline.start));
        let _ = writeln!(
            text,
            "{time:8}  {:>10}  {:>11}  {delta:>10}  {}",
            format!("{boot}s"),
            format!("{start}s"),
            step.text
        );
    }
}

fn bars(text: &mut String, timeline: &Timeline, width: usize, glyphs: Glyphs) {
    let panels = timeline.panels();
    let names = timeline.lanes.iter().map(|lane| columns(&lane.name)).max().unwrap_or_default().min(NAME);
    let width = width.saturating_sub(names + 3).max(NARROWEST);
    for panel in &panels {
        let scale = Took(panel.to - panel.from).to_string();
        let title = cut(&panel.title, width.saturating_sub(scale.len() + 1));
        let fill = width.saturating_sub(columns(&title));
        let _ = writeln!(text, "\n{:names$}   {title}{scale:>fill$}", "");
        for kind in LaneKind::ALL {
            kind_bars(text, timeline, panel, kind, (names, width), glyphs);
        }
    }
    let mut legend: Vec<String> = Vec::new();
    for tone in Tone::ALL {
        let used = timeline.lanes.iter().flat_map(|lane| &lane.stretches).any(|stretch| stretch.tone == tone);
        if used {
            legend.push(format!("{} {}", glyphs.of(Some(tone)), tone.meaning()));
        }
    }
    let _ = writeln!(text, "\n{}", legend.join("   "));
}

fn kind_bars(
    text: &mut String,
    timeline: &Timeline,
    panel: &Panel,
    kind: LaneKind,
    (names, width): (usize, usize),
    glyphs: Glyphs,
) {
    let lanes: Vec<&Lane> = timeline.lanes.iter().filter(|lane| lane.kind == kind).collect();
    for lane in lanes.iter().take(MOST_LANES) {
        let name = cut(&lane.name, names);
        let fill = names.saturating_sub(columns(&name));
        let bar = bar(lane, panel, width, glyphs);
        let _ = writeln!(text, "{name}{:fill$}   {}", "", bar.trim_end());
    }
    if let Some(more) = lanes.len().checked_sub(MOST_LANES).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more {}", kind.noun(more));
    }
}

/// Makes a bar with one character for each column: the state at the end of the column's time. A state that is
/// shorter than a column still gets one column.
fn bar(lane: &Lane, panel: &Panel, width: usize, glyphs: Glyphs) -> String {
    let mut tones: Vec<Option<Tone>> = vec![None; width];
    let scale = u32::try_from(width).unwrap_or(u32::MAX);
    for stretch in &lane.stretches {
        let Some((from, to)) = panel.part(stretch.from, stretch.to, scale) else { continue };
        let from = usize::try_from(from).unwrap_or(width).min(width.saturating_sub(1));
        let to = usize::try_from(to).unwrap_or(width).max(from + 1);
        for tone in tones.iter_mut().take(to).skip(from) {
            *tone = Some(stretch.tone);
        }
    }
    tones.into_iter().map(|tone| glyphs.of(tone)).collect()
}

/// Returns one line about a run: how long it took, what met the gate, and the longest stretch. It is safe to print.
pub fn one_line(timeline: &Timeline) -> String {
    let by = timeline.way.by.as_deref().map(|by| format!(": {}", escape(by))).unwrap_or_default();
    let longest = timeline.way.longest.as_ref();
    let longest = longest.map(|held| format!("; {} of it: {}", Took(held.lasted), held.by.text()));
    format!("{}{by}{}", timeline.outcome(), longest.unwrap_or_default())
}

/// Returns how many columns of a terminal a text takes. Characters of East Asian scripts take two.
pub fn columns(text: &str) -> usize {
    text.chars().map(character_columns).sum()
}

fn character_columns(character: char) -> usize {
    match character {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'.. => 2,
        _ => 1,
    }
}

/// Cuts a text so that it fits into this many columns, with `…` at its end. A text that fits is returned unchanged.
pub fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character_columns(character);
        if used > most {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    kept
}
