//! `timeline`: shows how a gate became ready, in this boot or in an earlier one.

mod object;
mod source;
mod svg;
mod waiters;

use clap::Args;

use crate::cli::{Error, Exit, print, whole_number};
use crate::clock;
use crate::escape::escape;
use crate::history::{Event, read};
use crate::moment::Moment;
use crate::record::Scope;
use crate::report::json_text;
use crate::timeline::{Glyphs, Timeline, Waiter, one_line, runs, table, with_given_up};
use source::{Source, Told};

/// The gate if the user names none, as for `check`.
const DEFAULT: &str = "default";

/// The width of the table's bars with their names, in columns.
const COLUMNS: usize = 80;

#[derive(Debug, Args)]
pub(super) struct TimelineArgs {
    /// The name of the gate; for a gate file, its path or its name without .toml [default: default]
    #[arg(value_name = "GATE")]
    gate: Option<String>,

    /// Show this boot: 0 is the current one, -1 the one before, or an ID from journalctl --list-boots [default: 0]
    #[arg(short, long, value_name = "BOOT", allow_hyphen_values = true, conflicts_with = "last")]
    boot: Option<String>,

    /// Print one line for each of the last N boots: its time, how long the gate took, and the longest reason
    #[arg(short, long, value_name = "N", conflicts_with_all = ["svg", "run"], value_parser = whole_number(1, u32::MAX))]
    last: Option<u32>,

    /// Show the Nth run of netready in that boot, if the unit was started again [default: the last one]
    #[arg(long, value_name = "N", value_parser = whole_number(1, u32::MAX))]
    run: Option<u32>,

    /// Print an SVG image on stdout
    #[arg(long, conflicts_with = "json")]
    svg: bool,

    /// Print one JSON object on stdout; with --last, one per line
    #[arg(short, long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &TimelineArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let gate = name(args.gate.as_deref());
    let source = Source::from_process(&gate);
    if let Some(count) = args.last {
        return last(&source, count, args.json);
    }
    let story = Story::of(source.boot(args.boot.as_deref())?, args.run)?;
    let text = match (args.svg, args.json) {
        (true, _) => svg::draw(&story.timeline, &story.when(), &|at| story.wall_clock(at)),
        (false, true) => format!("{}\n", json_text(&object::of(&story))),
        (false, false) => text(&story),
    };
    print(&text)?;
    Ok(Exit::Done)
}

/// Returns the name of a gate. Other commands name a gate file by its path, but the history has only its name.
fn name(gate: Option<&str>) -> String {
    let gate = gate.unwrap_or(DEFAULT);
    if !gate.contains('/') {
        return gate.to_owned();
    }
    let stem = std::path::Path::new(gate).file_stem();
    stem.map_or_else(|| gate.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// One run of a gate, with everything that is printed about it.
struct Story {
    told: Told,
    /// The number of the run that is shown, from 1. `all` has the timelines of all runs.
    run: usize,
    all: Vec<Timeline>,
    timeline: Timeline,
    /// From the start of the first run that gave up before this one, if there is one.
    whole: Option<Timeline>,
    waiters: Vec<Waiter>,
    /// Sentences about what is not shown, and why.
    notes: Vec<String>,
}

impl Story {
    /// Makes the story of the run with this number, or of the last run.
    fn of(told: Told, run: Option<u32>) -> Result<Story, Error> {
        let all: Vec<Timeline> =
            told.runs.iter().filter_map(|events| Timeline::of(events, None, &[])).collect();
        let count = all.len();
        let run = run.map_or(count, |run| usize::try_from(run).unwrap_or(usize::MAX));
        let missing = || Error::NoHistory(format!("there is no run {run}; in that boot there were {count}"));
        let index = run.checked_sub(1).ok_or_else(missing)?;
        let (events, short) = told.runs.get(index).zip(all.get(index)).ok_or_else(missing)?;
        let lasts = told.lasts && run == count;
        let mut notes = told.notes.clone();
        let waiters = match waiters::of(&told, short.way.end, run == count) {
            Ok(waiters) => waiters,
            Err(why) => {
                notes.push(format!("units that waited for the gate are not shown: {why}"));
                Vec::new()
            }
        };
        let end = lasts.then(clock::now);
        let timeline = Timeline::of(events, end, &waiters).ok_or_else(missing)?;
        if timeline.begin.is_none() {
            notes.push("the beginning is missing; times count from the first event that is known".to_owned());
        }
        if timeline.dropped > 0 {
            notes.push(format!("{} events are missing: there were too many at once", timeline.dropped));
        }
        let awaited = with_given_up(told.runs.get(..run).unwrap_or_default());
        let whole = Timeline::of(&awaited, end, &[]).filter(|whole| whole.way.gave_up > 0);
        Ok(Story { run, all, timeline, whole, waiters, notes, told })
    }

    /// Says in words when the run started.
    fn when(&self) -> String {
        let (at, boot) = (self.told.clock.at(self.timeline.start), self.told.boot.offset);
        let boot = if boot == 0 { "this boot".to_owned() } else { format!("boot {boot}") };
        let since = crate::report::Took(self.timeline.start.since_boot());
        format!("{}, {since} after the start of {boot}", at.date_and_time())
    }

    /// Returns the local date and time of a moment of that boot.
    fn wall_clock(&self, at: Moment) -> (String, String) {
        self.told.clock.at(at).date_then_time()
    }

    /// Returns the events of the run that is shown.
    fn events(&self) -> &[Event] {
        self.told.runs.get(self.run.saturating_sub(1)).map_or(&[], Vec::as_slice)
    }
}

fn text(story: &Story) -> String {
    let Story { told, run, all, timeline, whole, notes, .. } = story;
    let mut lines = vec![format!("Gate {}: {}", escape(&told.gate), timeline.outcome())];
    lines.push(format!("Started: {}", story.when()));
    lines.extend(timeline.longest());
    let wall_clock = |at| story.wall_clock(at);
    lines.extend(timeline.lost(&wall_clock));
    lines.extend(whole.iter().map(|whole| format!("With the runs before it: {}", whole.outcome())));
    if all.len() > 1 {
        lines.push(format!("This is run {run} of {}. The others (--run N):", all.len()));
        let others = all.iter().enumerate().filter(|(index, _)| index + 1 != *run);
        lines.extend(others.map(|(index, other)| format!("  {}  {}", index + 1, one_line(other))));
    }
    let table = table(timeline, &wall_clock, COLUMNS, glyphs());
    let notes: String = notes.iter().map(|note| format!("Note: {note}\n")).collect();
    format!("{}\n\n{table}{}{notes}", lines.join("\n"), if notes.is_empty() { "" } else { "\n" })
}

/// Selects block characters if the locale has them.
fn glyphs() -> Glyphs {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
    if locale.contains("utf-8") || locale.contains("utf8") { Glyphs::Blocks } else { Glyphs::Ascii }
}

/// Prints one line or one object for each boot.
fn last(source: &Source, count: u32, json: bool) -> Result<Exit, Error> {
    let boots = source.boots()?;
    let known = boots.len();
    let few = known.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    let mut text = String::new();
    let mut found = 0;
    for boot in boots.into_iter().skip(few) {
        let name = boot.offset;
        match source.of_boot(boot).and_then(|told| Story::of(told, None)) {
            Ok(story) if json => {
                found += 1;
                text.push_str(&format!("{}\n", json_text(&object::of(&story))));
            }
            Ok(story) => {
                found += 1;
                let timeline = story.whole.as_ref().unwrap_or(&story.timeline);
                let at = story.told.clock.at(timeline.start).date_and_time();
                text.push_str(&format!("{name:>4}  {at}  {}\n", one_line(timeline)));
            }
            Err(Error::NoHistory(_)) if json => {}
            Err(Error::NoHistory(_)) => {
                text.push_str(&format!("{name:>4}  nothing is known of gate {}\n", escape(&source.gate)));
            }
            Err(error) => return Err(error),
        }
    }
    if found == 0 {
        return Err(source.nothing("in these boots"));
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// Reads the events in lines of the record or the journal. Other lines are ignored.
fn events<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Event> {
    lines.filter_map(read).collect()
}

/// Returns the word for a scope in messages and in JSON.
fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::System => "system",
        Scope::User => "user",
    }
}

/// Returns the seconds since boot for JSON.
fn seconds(moment: Moment) -> f64 {
    moment.since_boot().as_secs_f64()
}
