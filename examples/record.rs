//! Runs a program on a terminal of its own and writes what it showed as an animated SVG:
//! `cargo run --example record -- OUT.svg PROGRAM [ARG…]`.
//!
//! The image holds each row of the screen as text, and CSS that shows it from when to when. It runs no script and loads
//! nothing. It follows the light or dark scheme of the reader's browser. Where nothing moves, as on paper, the last
//! screen is shown.

#![allow(clippy::disallowed_methods, reason = "a recording has a clock of its own")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use svg::Document;
use svg::node::element::{Group, Rectangle, Style, Text};

const COLUMNS: u16 = 116;
const ROWS: u16 = 46;

/// Pixels of a character cell.
const CELL: (f64, f64) = (8.0, 18.0);
/// Pixels between the frame and the text.
const MARGIN: f64 = 14.0;

/// Screens that follow each other faster become one: the animation is smaller, and nobody sees the difference.
const FRAME: Duration = Duration::from_millis(100);
/// How long the last screen stays before the animation begins again.
const END: Duration = Duration::from_secs(8);

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Plain,
    Bold,
    Dim,
}

/// A piece of a row: the column at which it begins, its look and its text.
type Piece = (u16, Look, String);

/// The pieces of each row.
type Screen = Vec<Vec<Piece>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(out), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: record OUT.svg PROGRAM [ARG…]".into());
    };
    let screens = record(program, arguments)?;
    svg::save(&out, &draw(&screens))?;
    println!("{}: {} screens", Path::new(&out).display(), screens.len());
    Ok(())
}

/// What the screen shows, and from when on.
fn record(
    program: OsString,
    arguments: impl Iterator<Item = OsString>,
) -> Result<Vec<(Duration, Screen)>, Box<dyn Error>> {
    let pair = nix::pty::openpty(None, None)?;
    let size = libc::winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads a winsize there.
    if unsafe { libc::ioctl(pair.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) } != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    let mut command = Command::new(program);
    command.args(arguments).env("TERM", "xterm").env_remove("NO_COLOR");
    command.stdin(Stdio::from(pair.slave.try_clone()?)).stdout(Stdio::from(pair.slave.try_clone()?));
    command.stderr(Stdio::from(pair.slave));
    let own_terminal = || {
        nix::unistd::setsid()?;
        // SAFETY: it takes a number.
        match unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it calls nothing but system calls.
    unsafe { command.pre_exec(own_terminal) };
    let mut child = command.spawn()?;
    // The command keeps the other end of the terminal open, and its end would go unseen.
    drop(command);

    let start = Instant::now();
    let mut terminal = File::from(pair.master);
    let mut parser = vt100::Parser::new(ROWS.try_into()?, COLUMNS.try_into()?, 0);
    let mut screens: Vec<(Duration, Screen)> = Vec::new();
    let mut buffer = [0; 4096];
    // A terminal that nobody has open any more fails to be read.
    while let Ok(length @ 1..) = terminal.read(&mut buffer) {
        let now = start.elapsed();
        parser.process(buffer.get(..length).unwrap_or_default());
        let screen = pieces(parser.screen());
        match screens.last_mut() {
            Some((since, last)) if now.saturating_sub(*since) < FRAME => *last = screen,
            Some((_, last)) if *last == screen => {}
            Some(_) | None => screens.push((now, screen)),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("the program failed: {status}").into());
    }
    Ok(screens)
}

/// The rows of the screen, each split at two or more spaces and where the look changes.
fn pieces(screen: &vt100::Screen) -> Screen {
    (0..ROWS).map(|row| pieces_of_row(screen, row)).collect()
}

fn pieces_of_row(screen: &vt100::Screen, row: u16) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut spaces = 2;
    for column in 0..COLUMNS {
        let cell = screen.cell(row, column);
        let text = cell.map(vt100::Cell::contents).filter(|text| !text.trim().is_empty());
        let (Some(cell), Some(text)) = (cell, text) else {
            spaces += 1;
            continue;
        };
        let look = match (cell.bold(), cell.dim()) {
            (true, _) => Look::Bold,
            (false, true) => Look::Dim,
            (false, false) => Look::Plain,
        };
        match pieces.last_mut() {
            Some((_, last, words)) if *last == look && spaces < 2 => {
                words.push_str(&" ".repeat(spaces));
                words.push_str(text);
            }
            Some(_) | None => pieces.push((column, look, text.to_owned())),
        }
        spaces = 0;
    }
    pieces
}

/// From which screen on, and up to which one, a row shows these pieces.
fn stretches(screens: &[(Duration, Screen)]) -> Vec<(usize, usize, usize, Vec<Piece>)> {
    let mut stretches = Vec::new();
    for row in 0..usize::from(ROWS) {
        let mut open: Option<(usize, Vec<Piece>)> = None;
        for (index, (_, screen)) in screens.iter().enumerate() {
            let pieces = screen.get(row).cloned().unwrap_or_default();
            if open.as_ref().is_some_and(|(_, shown)| *shown == pieces) {
                continue;
            }
            if let Some((since, shown)) = open.take() {
                stretches.push((row, since, index, shown));
            }
            open = Some((index, pieces));
        }
        if let Some((since, shown)) = open {
            stretches.push((row, since, screens.len(), shown));
        }
    }
    stretches.retain(|(.., pieces)| !pieces.is_empty());
    stretches
}

fn draw(screens: &[(Duration, Screen)]) -> Document {
    let width = f64::from(COLUMNS) * CELL.0 + 2.0 * MARGIN;
    let height = f64::from(ROWS) * CELL.1 + 2.0 * MARGIN;
    let last = screens.last().map_or(Duration::ZERO, |(since, _)| *since);
    let length = (last + END).as_secs_f64();
    let moment = |index: usize| screens.get(index).map(|(since, _)| since.as_secs_f64() / length * 100.0);

    // Rows that come and go together share their animation.
    let mut groups: BTreeMap<(usize, usize), Group> = BTreeMap::new();
    for (row, since, until, pieces) in stretches(screens) {
        let group = groups.remove(&(since, until)).unwrap_or_default();
        let group = pieces.into_iter().fold(group, |group, piece| group.add(text(row, &piece)));
        groups.insert((since, until), group);
    }
    let mut css = format!(
        "svg{{--back:#f6f8fa;--front:#1f2328;--faint:#59636e;--frame:#d1d9e0}}\
         @media(prefers-color-scheme:dark){{svg{{--back:#151b23;--front:#e6edf3;--faint:#9198a1;--frame:#3d444d}}}}\
         rect{{fill:var(--back);stroke:var(--frame)}}\
         text{{fill:var(--front);font:13px ui-monospace,'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace}}\
         .bold{{font-weight:700}}.dim{{fill:var(--faint)}}\
         g{{visibility:hidden;animation:{length:.1}s step-end infinite}}.end{{visibility:visible}}"
    );
    let mut document = Document::new()
        .set("viewBox", (0, 0, width, height))
        .set("role", "img")
        .add(svg::node::element::Title::new("What netready shows while a network comes up"))
        .add(
            Rectangle::new()
                .set("x", 0.5)
                .set("y", 0.5)
                .set("width", width - 1.0)
                .set("height", height - 1.0)
                .set("rx", 8),
        );
    let mut drawn = Vec::new();
    for (number, ((since, until), group)) in groups.into_iter().enumerate() {
        let (from, to) = (moment(since).unwrap_or_default(), moment(until));
        let end = to.map_or(String::new(), |to| format!("{to:.2}%{{visibility:hidden}}"));
        // Writing to a String does not fail.
        let _ = write!(
            css,
            "@keyframes f{number}{{0%{{visibility:hidden}}{from:.2}%{{visibility:visible}}{end}}}\
             #f{number}{{animation-name:f{number}}}"
        );
        let group = group.set("id", format!("f{number}"));
        drawn.push(if to.is_none() { group.set("class", "end") } else { group });
    }
    css.push_str("@media print,(prefers-reduced-motion:reduce){g{animation:none!important}}");
    document = document.add(Style::new(css));
    drawn.into_iter().fold(document, Document::add)
}

fn text(row: usize, (column, look, words): &Piece) -> Text {
    let row = u16::try_from(row).unwrap_or_default();
    let length = words.chars().count() as f64 * CELL.0;
    let text = Text::new(words.as_str())
        .set("x", MARGIN + f64::from(*column) * CELL.0)
        .set("y", MARGIN + (f64::from(row) + 0.75) * CELL.1)
        // The columns stand under each other in every font.
        .set("textLength", length)
        .set("lengthAdjust", "spacingAndGlyphs");
    match look {
        Look::Plain => text,
        Look::Bold => text.set("class", "bold"),
        Look::Dim => text.set("class", "dim"),
    }
}
