//! The table and the plot of what `make bench-boot` collected: for each boot, who was done when.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::plot::{self, Moments};

/// The files that are left, and whose contents the pages show.
pub const TABLE: &str = "numbers-boots.md";
pub const PLOT: &str = "numbers-boots.svg";

/// Of one network manager of one release of Debian.
struct Band {
    suite: String,
    stack: String,
    rows: Vec<Moments>,
    /// By row: how often somebody was not done within the time that he was given.
    never: Vec<u32>,
}

/// # Errors
/// The file cannot be read, or a line of it is not what `tests/boot/compare.rs` writes.
pub fn draw(results: &Path, out: &Path) -> io::Result<()> {
    let text = fs::read_to_string(results)?;
    let (versions, bands) = parse(&text)?;
    let mut table = versions.iter().fold(String::new(), |mut table, version| {
        let _ = writeln!(table, "- {version}");
        table
    });
    table += "\n| Debian | network | who waits | boots | ms: min / **median** / max | too early | never |\n\
              |---|---|---|---|---|---|---|\n";
    for band in &bands {
        for (row, never) in band.rows.iter().zip(&band.never) {
            let _ = writeln!(
                table,
                "| {} | {} | {} | {} | {} | {} | {never} |",
                band.suite,
                band.stack,
                row.name,
                row.after.len(),
                spread(&row.after),
                row.after.iter().filter(|after| **after < 0.0).count(),
            );
        }
    }
    print!("{table}");
    fs::create_dir_all(out)?;
    fs::write(out.join(TABLE), &table)?;
    let suites = bands.iter().any(|band| band.suite != bands[0].suite);
    let bands: Vec<(String, Vec<Moments>)> = bands
        .into_iter()
        .map(|band| (if suites { format!("{}: {}", band.suite, band.stack) } else { band.stack }, band.rows))
        .collect();
    fs::write(out.join(PLOT), plot::boots(&bands))
}

fn parse(text: &str) -> io::Result<(Vec<&str>, Vec<Band>)> {
    let mut versions = Vec::new();
    let mut bands: Vec<Band> = Vec::new();
    for line in text.lines() {
        if let Some(version) = line.strip_prefix("# ") {
            if !versions.contains(&version) {
                versions.push(version);
            }
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let [suite, stack, name, after] = fields[..] else {
            return Err(io::Error::other(format!("not a result: {line}")));
        };
        let found = bands.iter().position(|band| band.suite == suite && band.stack == stack);
        let band = found.unwrap_or_else(|| {
            bands.push(Band {
                suite: suite.into(),
                stack: stack.into(),
                rows: Vec::new(),
                never: Vec::new(),
            });
            bands.len() - 1
        });
        let band = &mut bands[band];
        let row = band.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            let ours = name.contains("netready");
            band.rows.push(Moments { name: name.into(), ours, after: Vec::new() });
            band.never.push(0);
            band.rows.len() - 1
        });
        match after {
            "-" => band.never[row] += 1,
            after => {
                let after = after.parse().map_err(|_| io::Error::other(format!("not a time: {line}")))?;
                band.rows[row].after.push(after);
            }
        }
    }
    Ok((versions, bands))
}

fn spread(after: &[f64]) -> String {
    let mut sorted = after.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let [Some(min), Some(max)] = [sorted.first(), sorted.last()] else { return "-".to_owned() };
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    };
    format!("{min:.1} / **{median:.1}** / {max:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_are_collected_by_release_manager_and_who_waits() {
        let text = "# trixie: x\ntrixie\tnm\t`netready run`\t1.5\ntrixie\tnm\tloop\t-\n\
                    # trixie: x\ntrixie\tnm\t`netready run`\t-2.0\nforky\tnm\tloop\t3\n";
        let (versions, bands) = parse(text).unwrap();
        assert_eq!(versions, ["trixie: x"]);
        let seen: Vec<_> = bands
            .iter()
            .map(|band| {
                let rows = band.rows.iter().zip(&band.never);
                let rows: Vec<_> =
                    rows.map(|(row, never)| (&*row.name, row.ours, row.after.clone(), *never)).collect();
                (&*band.suite, rows)
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("trixie", vec![("`netready run`", true, vec![1.5, -2.0], 0), ("loop", false, vec![], 1)]),
                ("forky", vec![("loop", false, vec![3.0], 0)]),
            ]
        );
        assert!(parse("one field\n").is_err());
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), "1.0 / **2.0** / 3.0");
        assert_eq!(spread(&[4.0, -1.0, 2.0, 3.0]), "-1.0 / **2.5** / 4.0");
        assert_eq!(spread(&[]), "-");
    }
}
