//! Draws a timeline as an SVG image: one file without scripts, fonts or links, for light and dark screens and for
//! paper.
//!
//! Lengths are in units of the viewBox. The reader's browser chooses the font, so the width of a text is only
//! estimated. A text that might not fit is cut. The `<title>` of its element has the whole text.

use std::time::Duration;

use svg::Document;
use svg::node::element::{
    Definitions, Description, Element, Group, Line, Path, Pattern, Rectangle, Style, Title,
};
use svg::node::{Node, Text as Content};

use crate::report::Span;
use crate::timeline::{Lane, LaneKind, Panel, Stretch, Timeline, Tone, WallClock, columns, cut};

/// The width of the whole image.
const WIDTH: u32 = 960;
/// Where the names of lanes end and the panels begin.
const LEFT: u32 = 236;
/// The free space at the sides, and between panels.
const MARGIN: u32 = 16;
const GAP: u32 = 18;
/// The height of a lane, of its bar, and of the heading of a kind.
const LANE: u32 = 22;
const BAR: u32 = 16;
const HEADING: u32 = 22;
/// The position of the panels' titles, and the top of the lanes.
const TITLES: u32 = 100;
const TOP: u32 = 128;
/// The width of the narrowest bar. A shorter state gets this width too, so that it is visible.
const NARROWEST: u32 = 2;
/// The least distance between two marks on the axis.
const BETWEEN_MARKS: u32 = 76;

/// A label shows at least this many columns, or all of its text. A word that is cut after a few letters says
/// nothing.
const LEAST_LABEL: usize = 14;

/// How many lanes of a kind are drawn.
const MOST_LANES: usize = 16;
/// How many stretches of a lane are drawn in a panel. A link that flaps would otherwise make the file large.
const MOST_STRETCHES: usize = 200;

/// Sizes of text. A column is at most 0.62 of the size wide, the average of a wide font.
const LARGE: u32 = 17;
const NORMAL: u32 = 13;
const SMALL: u32 = 11;

const STYLE: &str = "
text { font-family: system-ui, 'DejaVu Sans', 'Helvetica Neue', Arial, sans-serif; fill: #1d2329; }
.name, .state { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.strong { font-weight: 600; }
.quiet { fill: #56606b; }
.paper { fill: #ffffff; }
.row { fill: #f3f5f7; }
.grid { stroke: #d5dae0; stroke-width: 1; }
.opening { stroke: #1d2329; stroke-width: 1.5; stroke-dasharray: 4 3; }
.good { fill: #1f7a45; } .on-good { fill: #ffffff; }
.pending { fill: #f0c95c; } .on-pending { fill: #3d2f00; }
.bad { fill: #f6cdc7; } .on-bad { fill: #5c1610; }
.idle { fill: #dde1e6; } .on-idle { fill: #3a434c; }
.hatch { stroke: #e09a90; stroke-width: 2; fill: none; }
.edge { stroke: #8c2f24; stroke-width: 0.75; fill: none; }
@media screen and (prefers-color-scheme: dark) {
  text { fill: #e4e8ec; }
  .quiet { fill: #a3adb8; }
  .paper { fill: #14171b; }
  .row { fill: #1d2126; }
  .grid { stroke: #363d45; }
  .opening { stroke: #e4e8ec; }
  .good { fill: #4fbf83; } .on-good { fill: #04210f; }
  .pending { fill: #b58a1d; } .on-pending { fill: #140e00; }
  .bad { fill: #4a211d; } .on-bad { fill: #ffd8d2; }
  .idle { fill: #3a424b; } .on-idle { fill: #d3dae1; }
  .hatch { stroke: #74352e; }
  .edge { stroke: #e08a7e; }
}
@media print { rect, path { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
";

/// Returns the image as the text of an SVG file.
pub(super) fn draw(timeline: &Timeline, when: &str, wall_clock: WallClock<'_>) -> String {
    let panels = places(timeline.panels());
    let rows = rows(&timeline.lanes);
    let bottom = TOP + rows.iter().map(Row::height).sum::<u32>();
    let notes = notes(timeline, wall_clock);
    let height = bottom + 64 + 18 * u32::try_from(notes.len()).unwrap_or_default() + MARGIN;
    let title = format!("Gate {}: {}", printable(&timeline.gate), timeline.outcome());
    let longest = timeline.longest().unwrap_or_default();
    let about: Vec<&str> = [longest.as_str(), when].into_iter().filter(|text| !text.is_empty()).collect();
    let mut document = Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .set("aria-labelledby", "netready-title netready-about")
        .add(Title::new(printable(&title)).set("id", "netready-title"))
        .add(Description::new().set("id", "netready-about").add(Content::new(printable(&about.join(". ")))))
        .add(Style::new(STYLE))
        .add(definitions())
        .add(rectangle(0, 0, WIDTH, height, "paper"))
        .add(line_of(&title, 34, LARGE, "strong"));
    document = document.add(line_of(&longest, 56, NORMAL, "")).add(line_of(when, 75, NORMAL, "quiet"));
    document = document.add(axes(&panels, bottom));
    // Draw the line below the bars, so that it does not cross their labels.
    if let Some(first) = panels.first() {
        document = document.add(opening(timeline, first, bottom));
    }
    let mut y = TOP;
    for row in &rows {
        document = document.add(row.draw(&panels, y));
        y += row.height();
    }
    document = document.add(legend(timeline, bottom + 46));
    for (index, note) in notes.iter().enumerate() {
        let y = bottom + 68 + 18 * u32::try_from(index).unwrap_or_default();
        document = document.add(line_of(note, y, NORMAL, "quiet"));
    }
    format!("{document}\n")
}

fn notes(timeline: &Timeline, wall_clock: WallClock<'_>) -> Vec<String> {
    let dropped = match timeline.dropped {
        0 => None,
        count => Some(format!("{count} events are missing: there were too many at once")),
    };
    timeline.lost(wall_clock).into_iter().chain(dropped).collect()
}

/// A panel and its position.
struct Place {
    panel: Panel,
    x: u32,
    width: u32,
}

/// Places the panels. If there are several, the first one gets half of the width.
fn places(panels: Vec<Panel>) -> Vec<Place> {
    let room = WIDTH - LEFT - MARGIN;
    let others = u32::try_from(panels.len().saturating_sub(1)).unwrap_or_default();
    let first = match others {
        0 => room,
        _ => room / 2,
    };
    let each = (room - first).checked_div(others).unwrap_or_default().saturating_sub(GAP);
    let mut x = LEFT;
    let mut place = |(index, panel)| {
        let width = if index == 0 { first } else { each };
        let place = Place { panel, x, width };
        x += width + GAP;
        place
    };
    panels.into_iter().enumerate().map(&mut place).collect()
}

/// A row of the image. Each kind of row has its own height.
enum Row<'a> {
    Heading(LaneKind, usize),
    Lane(&'a Lane),
    More(LaneKind, usize),
}

fn rows(lanes: &[Lane]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for kind in LaneKind::ALL {
        let of_kind: Vec<&Lane> = lanes.iter().filter(|lane| lane.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        rows.push(Row::Heading(kind, of_kind.len()));
        let more = of_kind.len().saturating_sub(MOST_LANES);
        rows.extend(of_kind.into_iter().take(MOST_LANES).map(Row::Lane));
        if more > 0 {
            rows.push(Row::More(kind, more));
        }
    }
    rows
}

impl Row<'_> {
    fn height(&self) -> u32 {
        match self {
            Row::Heading(..) => HEADING,
            Row::Lane(_) | Row::More(..) => LANE,
        }
    }

    fn draw(&self, panels: &[Place], y: u32) -> Group {
        match self {
            Row::Heading(kind, count) => {
                // The gate's lane already has this name.
                let words = if *kind == LaneKind::Gate { "" } else { kind.noun(*count) };
                Group::new().add(text(words, MARGIN, y + 16, SMALL, "quiet strong"))
            }
            Row::More(kind, count) => {
                let more = format!("and {count} more {}", kind.noun(*count));
                Group::new().add(text(&more, MARGIN, y + 15, SMALL, "quiet"))
            }
            Row::Lane(lane) => {
                let mut group = Group::new();
                for place in panels {
                    group = group.add(rectangle(place.x, y + 3, place.width, BAR, "row"));
                }
                let name = fitted(&lane.name, LEFT - 2 * MARGIN, SMALL);
                let name = text(&name, MARGIN, y + 15, SMALL, "name");
                group = group.add(titled(&lane.name).add(name));
                for place in panels {
                    group = bars(group, lane, place, y + 3);
                }
                group
            }
        }
    }
}

/// Draws the bars of a lane in a panel, each with its title.
fn bars(mut group: Group, lane: &Lane, place: &Place, y: u32) -> Group {
    let parts = lane.stretches.iter().filter_map(|stretch| {
        let (from, to) = place.panel.part(stretch.from, stretch.to, place.width)?;
        let from = from.min(place.width.saturating_sub(NARROWEST));
        Some((stretch, place.x + from, (to - from.min(to)).max(NARROWEST)))
    });
    for (stretch, x, width) in parts.take(MOST_STRETCHES) {
        group = group.add(bar(lane, stretch, place, (x, y, width)));
    }
    group
}

fn bar(lane: &Lane, stretch: &Stretch, place: &Place, (x, y, width): (u32, u32, u32)) -> Group {
    let class = class(stretch.tone);
    let lasted = Span(stretch.to - stretch.from);
    let since = since(&place.panel, stretch.from);
    let mut bar = titled(&format!("{}: {}, {lasted} from {since}", lane.name, stretch.text))
        .add(rectangle(x, y, width, BAR, class));
    if stretch.tone == Tone::Bad {
        let hatch = Rectangle::new().set("x", x).set("y", y).set("width", width).set("height", BAR);
        bar = bar.add(hatch.set("fill", "url(#netready-hatch)"));
        // On paper without colours, the edge separates the bar from the row.
        let (half_x, half_y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
        let edge = Rectangle::new().set("x", half_x).set("y", half_y);
        bar = bar.add(edge.set("width", width.saturating_sub(1)).set("height", BAR - 1).set("class", "edge"));
    }
    let label = fitted(&stretch.text, width.saturating_sub(8), SMALL);
    if columns(&label) >= columns(&stretch.text).min(LEAST_LABEL) {
        let label = text(&label, x + 4, y + 12, SMALL, &format!("state on-{class}"));
        bar = bar.add(label);
    }
    bar
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Pending => "pending",
        Tone::Bad => "bad",
        Tone::Idle => "idle",
    }
}

/// Draws the marks of time, and the titles of the panels.
fn axes(panels: &[Place], bottom: u32) -> Group {
    let mut group = Group::new();
    for Place { panel, x, width } in panels {
        let title = fitted(&panel.title, *width, NORMAL);
        group = group.add(titled(&panel.title).add(text(&title, *x, TITLES, NORMAL, "strong")));
        for (at, label) in marks(panel, *width) {
            let x = x + at;
            let line = Line::new().set("x1", x).set("x2", x).set("y1", TOP - 4).set("y2", bottom + 4);
            group = group.add(line.set("class", "grid"));
            group = group.add(text(&label, x, TOP - 9, SMALL, "quiet"));
            group = group.add(text(&label, x, bottom + 16, SMALL, "quiet"));
        }
    }
    group
}

/// Returns the positions and the labels of the marks of a panel. A label begins at its mark and ends within the
/// panel.
fn marks(panel: &Panel, width: u32) -> Vec<(u32, String)> {
    let all = panel.to - panel.from;
    let most = (width / BETWEEN_MARKS).max(1);
    let step = round_step(all / most);
    let mut marks = Vec::new();
    let mut after = Duration::ZERO;
    while let Some(at) = panel.place(panel.zero + after, width) {
        let label = if after.is_zero() { "0".to_owned() } else { Span(after).to_string() };
        if at + wide(&label, SMALL) <= width {
            marks.push((at, label));
        }
        after = after.saturating_add(step);
    }
    marks
}

/// Rounds up to 1, 2 or 5 times a power of ten milliseconds. Above seconds, it rounds up to usual units of clocks.
fn round_step(least: Duration) -> Duration {
    const SECONDS: [u64; 14] = [10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400];
    let millis = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].map(Duration::from_millis);
    let mut steps = millis.into_iter().chain(SECONDS.map(Duration::from_secs));
    steps.find(|step| *step >= least).unwrap_or_else(|| {
        let days = least.as_secs() / 86400 + 1;
        Duration::from_secs(days.saturating_mul(86400))
    })
}

/// Draws a line through all lanes at the time when the gate opened.
fn opening(timeline: &Timeline, place: &Place, bottom: u32) -> Group {
    let group = titled(&timeline.outcome());
    match place.panel.place(timeline.way.end, place.width) {
        Some(at) => {
            let x = place.x + at;
            let line = Line::new().set("x1", x).set("x2", x).set("y1", TOP - 4).set("y2", bottom + 4);
            group.add(line.set("class", "opening"))
        }
        None => group,
    }
}

/// Draws the meaning of the colours that are used.
fn legend(timeline: &Timeline, y: u32) -> Group {
    let mut group = Group::new();
    let mut x = MARGIN;
    for tone in Tone::ALL {
        let used = timeline.lanes.iter().flat_map(|lane| &lane.stretches).any(|stretch| stretch.tone == tone);
        if !used {
            continue;
        }
        let (class, meaning) = (class(tone), tone.meaning());
        let mut swatch = Group::new().add(rectangle(x, y - 11, 22, 13, class));
        if tone == Tone::Bad {
            let hatch = Rectangle::new().set("x", x).set("y", y - 11).set("width", 22).set("height", 13);
            swatch = swatch.add(hatch.set("fill", "url(#netready-hatch)"));
        }
        group = group.add(swatch.add(text(meaning, x + 30, y, SMALL, "")));
        x += 30 + wide(meaning, SMALL) + GAP;
    }
    group
}

/// Defines stripes, so that unmet states are visible without colours.
fn definitions() -> Definitions {
    let stripes = Path::new().set("d", "M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4").set("class", "hatch");
    let pattern = Pattern::new()
        .set("id", "netready-hatch")
        .set("width", 8)
        .set("height", 8)
        .set("patternUnits", "userSpaceOnUse")
        .add(stripes);
    Definitions::new().add(pattern)
}

fn rectangle(x: u32, y: u32, width: u32, height: u32, class: &str) -> Rectangle {
    let rectangle = Rectangle::new().set("x", x).set("y", y).set("width", width).set("height", height);
    rectangle.set("class", class)
}

/// Draws a text that may use the whole width.
fn line_of(words: &str, y: u32, size: u32, class: &str) -> Element {
    text(&fitted(words, WIDTH - 2 * MARGIN, size), MARGIN, y, size, class)
}

fn text(words: &str, x: u32, y: u32, size: u32, class: &str) -> Element {
    // Do not use the library's own text element: it puts line breaks around the words.
    let mut text = Element::new("text");
    text.append(Content::new(printable(words)));
    text.assign("x", x);
    text.assign("y", y);
    text.assign("font-size", size);
    if !class.is_empty() {
        text.assign("class", class);
    }
    text
}

/// Makes a group with a title, which browsers show on hover and screen readers read.
fn titled(title: &str) -> Group {
    Group::new().add(Title::new(printable(title)))
}

/// Returns a time as counted from the zero of a panel.
fn since(panel: &Panel, at: crate::moment::Moment) -> String {
    match at >= panel.zero {
        true => Span(at - panel.zero).to_string(),
        false => format!("{} before", Span(panel.zero - at)),
    }
}

/// Returns the estimated largest width of a text in this size.
fn wide(words: &str, size: u32) -> u32 {
    let columns = u32::try_from(columns(words)).unwrap_or(u32::MAX);
    columns.saturating_mul(size).saturating_mul(62).div_ceil(100)
}

/// Cuts a text so that it fits with certainty.
fn fitted(words: &str, width: u32, size: u32) -> String {
    let most = width.saturating_mul(100) / (size * 62);
    match most {
        0 => String::new(),
        most => cut(words, usize::try_from(most).unwrap_or(usize::MAX)),
    }
}

/// Removes characters that XML does not allow. Texts of others are escaped already, but names of gates are not.
fn printable(text: &str) -> String {
    let safe = crate::escape::escape(text);
    safe.chars().map(|c| if matches!(c, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
