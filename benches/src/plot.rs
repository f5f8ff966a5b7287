//! Plots as SVG, for light and dark screens and for paper: growth of a cost with a size, and moments in a boot.
//!
//! Both axes of a growth panel are logarithmic. Each line has its own colour, dash and mark, so that a reader who sees
//! no colours can tell them apart.

use svg::Document;
use svg::node::element::{Circle, Description, Group, Line, Path, Rectangle, Style, Text, Title};
use svg::node::{Node, Text as Content};

/// The width of the whole image; two panels stand side by side.
const WIDTH: f64 = 960.0;
const PANEL: (f64, f64) = (470.0, 300.0);
const MARGIN: f64 = 10.0;
/// What is left of a panel's drawing for its labels.
const INSET: (f64, f64, f64, f64) = (64.0, 52.0, 14.0, 44.0);

const STYLE: &str = "
text { font-family: system-ui, 'DejaVu Sans', 'Helvetica Neue', Arial, sans-serif; fill: #1d2329; font-size: 12px; }
.title { font-size: 14px; font-weight: 600; }
.quiet { fill: #56606b; }
.paper { fill: #ffffff; }
.zone { fill: #fbeae8; }
.grid { stroke: #d5dae0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; }
.a { stroke: #0b62b8; } .fill-a { fill: #0b62b8; }
.b { stroke: #a84b00; stroke-dasharray: 6 3; } .fill-b { fill: #a84b00; }
.c { stroke: #5d6b1a; stroke-dasharray: 2 3; } .fill-c { fill: #5d6b1a; }
.dot { fill-opacity: 0.55; }
@media screen and (prefers-color-scheme: dark) {
  text { fill: #e4e8ec; }
  .quiet { fill: #a3adb8; }
  .paper { fill: #14171b; }
  .zone { fill: #3a1f1c; }
  .grid { stroke: #363d45; }
  .a { stroke: #6cb6ff; } .fill-a { fill: #6cb6ff; }
  .b { stroke: #ffa45c; } .fill-b { fill: #ffa45c; }
  .c { stroke: #b7c95a; } .fill-c { fill: #b7c95a; }
}
";
const CLASSES: [&str; 3] = ["a", "b", "c"];

/// One diagram of the growth image.
pub struct Panel {
    pub title: String,
    /// What grows.
    pub across: &'static str,
    /// What is measured, with its unit.
    pub up: &'static str,
    /// At most three.
    pub lines: Vec<Curve>,
}

pub struct Curve {
    pub name: &'static str,
    pub points: Vec<Point>,
}

/// What was measured at one size: the median, and the spread. Of times the spread goes from the tenth to the ninetieth of
/// a hundred, of memory from the least to the most.
#[derive(Clone, Copy)]
pub struct Point {
    pub size: f64,
    pub low: f64,
    pub middle: f64,
    pub high: f64,
}

/// A logarithmic axis from one power of ten to another.
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| *value > 0.0) {
            low = low.min(value.log10());
            high = high.max(value.log10());
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let first = low.floor() as i32;
        Self { first, last: (high.ceil() as i32).max(first + 1), from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value.max(f64::MIN_POSITIVE).log10() - f64::from(self.first))
            / f64::from(self.last - self.first);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10_f64.powi(power))
    }
}

pub fn growth(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(2);
    let mut document = document(
        rows as f64 * PANEL.1,
        "How the cost of netready grows",
        "Medians. The bars go from the tenth to the ninetieth of a hundred times, and from the least to the most memory. \
         Both axes are logarithmic.",
    );
    for (index, panel) in panels.iter().enumerate() {
        let place = (MARGIN + (index % 2) as f64 * PANEL.0, (index / 2) as f64 * PANEL.1);
        document = document.add(panel.draw(place));
    }
    format!("{document}\n")
}

fn document(height: f64, title: &str, about: &str) -> Document {
    Document::new()
        .set("viewBox", (0, 0, WIDTH, height))
        .set("width", WIDTH)
        .set("height", height)
        .set("role", "img")
        .set("aria-labelledby", "numbers-title numbers-about")
        .add(Title::new(title).set("id", "numbers-title"))
        .add(Description::new().set("id", "numbers-about").add(Content::new(about)))
        .add(Style::new(STYLE))
        .add(rectangle(0.0, 0.0, WIDTH, height, "paper"))
}

impl Panel {
    fn draw(&self, (left, top): (f64, f64)) -> Group {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let (right, bottom) = (left + PANEL.0 - INSET.2, top + PANEL.1 - INSET.3);
        let across = Axis::over(points().map(|point| point.size), left + INSET.0, right);
        let up = Axis::over(
            points().flat_map(|point| [point.low, point.middle, point.high]),
            bottom,
            top + INSET.1,
        );
        let mut group = Group::new().add(text(left + INSET.0, top + 20.0, "title", &self.title));
        for decade in across.decades() {
            let x = across.at(decade);
            group.append(line((x, up.to), (x, bottom), "grid"));
            group.append(text(x, bottom + 17.0, "quiet", &short(decade)).set("text-anchor", "middle"));
        }
        for decade in up.decades() {
            let y = up.at(decade);
            group.append(line((across.from, y), (right, y), "grid"));
            group.append(text(across.from - 6.0, y + 4.0, "quiet", &short(decade)).set("text-anchor", "end"));
        }
        group.append(
            text((across.from + right) / 2.0, bottom + 35.0, "", self.across).set("text-anchor", "middle"),
        );
        let (x, y) = (left + 16.0, (up.to + bottom) / 2.0);
        let turned = text(x, y, "", self.up).set("text-anchor", "middle");
        group.append(turned.set("transform", format!("rotate(-90 {x} {y})")));
        for (index, (curve, class)) in self.lines.iter().zip(CLASSES).enumerate() {
            group.append(curve.draw(&across, &up, index, class));
            let x = across.from + 180.0 * index as f64;
            let y = top + 38.0;
            group.append(line((x, y - 4.0), (x + 26.0, y - 4.0), &format!("line {class}")));
            group.append(mark(index, x + 13.0, y - 4.0, class));
            group.append(text(x + 32.0, y, "", curve.name));
        }
        group
    }
}

impl Curve {
    fn draw(&self, across: &Axis, up: &Axis, index: usize, class: &str) -> Group {
        let mut group = Group::new();
        let mut way = String::new();
        for point in &self.points {
            // Beside each other, so that the bars of lines that meet can be told apart.
            let x = across.at(point.size) + 3.0 * (index as f64 - 0.5);
            let y = up.at(point.middle);
            way += &format!("{}{x:.1} {y:.1}", if way.is_empty() { "M" } else { " L" });
            let bar = line((x, up.at(point.low)), (x, up.at(point.high)), class);
            group.append(bar.set("stroke-width", 1.5).set("style", "stroke-dasharray: none"));
            group.append(mark(index, x, y, class));
        }
        group.append(Path::new().set("d", way).set("class", format!("line {class}")));
        group
    }
}

/// A disc, a square or a ring.
fn mark(index: usize, x: f64, y: f64, class: &str) -> Group {
    let group = Group::new();
    match index {
        0 => group.add(circle(x, y, 4.0, &format!("fill-{class}"))),
        1 => group.add(rectangle(x - 3.5, y - 3.5, 7.0, 7.0, &format!("fill-{class}"))),
        _ => group.add(
            circle(x, y, 3.5, &format!("paper {class}"))
                .set("stroke-width", 1.5)
                .set("style", "stroke-dasharray: none"),
        ),
    }
}

/// A row of the image of boots: when somebody was done in each boot, in milliseconds after the network was usable.
pub struct Moments {
    pub name: String,
    pub ours: bool,
    pub after: Vec<f64>,
}

/// One band for each network manager, one row for each who waits; what is left of the line was too early.
pub fn boots(bands: &[(String, Vec<Moments>)]) -> String {
    const ROW: f64 = 24.0;
    const HEADING: f64 = 36.0;
    const LEFT: f64 = 300.0;
    const EARLY: f64 = 90.0;
    const FOOT: f64 = 56.0;
    let rows: usize = bands.iter().map(|(_, rows)| rows.len()).sum();
    let height = FOOT + rows as f64 * ROW + bands.len() as f64 * HEADING;
    let about = "One mark for each boot. The axis is logarithmic; marks in the shaded zone are too early.";
    let mut document = document(height, "Milliseconds from a usable network to the end of the wait", about);
    let all = bands.iter().flat_map(|(_, rows)| rows).flat_map(|row| row.after.iter().copied());
    let axis = Axis::over(all, LEFT + EARLY, WIDTH - 2.0 * MARGIN);
    let bottom = height - FOOT;
    document.append(rectangle(LEFT, 0.0, EARLY, bottom, "zone"));
    document
        .append(text(LEFT + EARLY / 2.0, bottom + 17.0, "quiet", "too early").set("text-anchor", "middle"));
    for decade in axis.decades() {
        let x = axis.at(decade);
        document.append(line((x, HEADING / 2.0), (x, bottom), "grid"));
        document.append(text(x, bottom + 17.0, "quiet", &short(decade)).set("text-anchor", "middle"));
    }
    let label = "milliseconds after the network was usable";
    document.append(text((axis.from + axis.to) / 2.0, bottom + 37.0, "", label).set("text-anchor", "middle"));
    let mut y = 0.0;
    for (name, rows) in bands {
        document.append(text(MARGIN, y + 24.0, "title", name));
        y += HEADING;
        for row in rows {
            // The name is Markdown.
            document.append(text(MARGIN, y + 15.0, "", &row.name.replace('`', "")));
            document.append(line((LEFT, y + 11.0), (axis.to, y + 11.0), "grid"));
            let class = if row.ours { "fill-a dot" } else { "fill-b dot" };
            for (index, after) in row.after.iter().enumerate() {
                let count = row.after.len().max(2) as f64;
                let x = match *after > 0.0 {
                    true => axis.at(*after),
                    false => LEFT + 10.0 + (EARLY - 20.0) * index as f64 / (count - 1.0),
                };
                document.append(match row.ours {
                    true => Group::new().add(circle(x, y + 11.0, 4.5, class)),
                    false => Group::new().add(rectangle(x - 4.0, y + 7.0, 8.0, 8.0, class)),
                });
            }
            y += ROW;
        }
    }
    format!("{document}\n")
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, class: &str) -> Rectangle {
    Rectangle::new()
        .set("x", round(x))
        .set("y", round(y))
        .set("width", width)
        .set("height", height)
        .set("class", class)
}

fn circle(x: f64, y: f64, radius: f64, class: &str) -> Circle {
    Circle::new().set("cx", round(x)).set("cy", round(y)).set("r", radius).set("class", class)
}

fn line(from: (f64, f64), to: (f64, f64), class: &str) -> Line {
    Line::new()
        .set("x1", round(from.0))
        .set("y1", round(from.1))
        .set("x2", round(to.0))
        .set("y2", round(to.1))
        .set("class", class)
}

fn text(x: f64, y: f64, class: &str, words: &str) -> Text {
    Text::new(words).set("x", round(x)).set("y", round(y)).set("class", class)
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// `1`, `10`, `1k`, `1M`.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v if v >= 1.0 => format!("{v:.0}"),
        v => format!("{v}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_goes_from_one_power_of_ten_to_another() {
        let axis = Axis::over([30.0, 2_000.0].into_iter(), 100.0, 400.0);
        assert_eq!(axis.decades().collect::<Vec<_>>(), [10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!([10.0, 100.0, 10_000.0].map(|value| axis.at(value).round()), [100.0, 200.0, 400.0]);
        // What is outside of it stands at its end.
        assert_eq!(axis.at(1.0).round(), 100.0);
    }

    #[test]
    fn texts_are_escaped() {
        let row = Moments { name: "a <b> & c".to_owned(), ours: false, after: vec![-1.0, 3.0] };
        let drawn = boots(&[("stack".to_owned(), vec![row])]);
        assert!(drawn.contains("a &lt;b&gt; &amp; c"), "{drawn}");
    }
}
