//! Puts what a run left into the pages: a page shows it between two lines that name the file.

use std::fs;
use std::io;
use std::path::Path;

use crate::{boots, report};

/// The page with the tables.
const PAGE: &str = "numbers.md";
const TABLES: [&str; 2] = [report::TABLE, boots::TABLE];
const PLOTS: [&str; 2] = [report::GROWTH, boots::PLOT];

/// Files that no run left stay as they are in the pages.
///
/// # Errors
/// The page lacks the lines between which a table belongs, or a file cannot be read or written.
pub fn refresh(out: &Path, docs: &Path) -> io::Result<()> {
    let page = docs.join(PAGE);
    let mut text = fs::read_to_string(&page)?;
    for table in TABLES {
        if let Ok(new) = fs::read_to_string(out.join(table)) {
            text = replaced(&text, table, &new)
                .ok_or_else(|| io::Error::other(format!("{}: no place for {table}", page.display())))?;
            println!("{}: {table}", page.display());
        }
    }
    fs::write(&page, text)?;
    for plot in PLOTS {
        if out.join(plot).exists() {
            fs::copy(out.join(plot), docs.join(plot))?;
            println!("{}", docs.join(plot).display());
        }
    }
    Ok(())
}

/// The page with a new table between `<!-- begin NAME -->` and `<!-- end NAME -->`.
fn replaced(page: &str, table: &str, new: &str) -> Option<String> {
    let (before, rest) = page.split_once(&format!("<!-- begin {table} -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- end {table} -->\n"))?;
    Some(format!("{before}<!-- begin {table} -->\n{new}<!-- end {table} -->\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- begin x.md -->\nold\n<!-- end x.md -->\nb\n";
        let new = replaced(page, "x.md", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- begin x.md -->\nnew\n<!-- end x.md -->\nb\n");
        assert_eq!(replaced(&new, "x.md", "old\n").unwrap(), page);
        assert_eq!(replaced(page, "y.md", "new\n"), None);
    }

    #[test]
    fn the_page_has_a_place_for_each_table_and_shows_each_plot() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(PAGE);
        let text = fs::read_to_string(page).unwrap();
        for table in TABLES {
            assert!(replaced(&text, table, "").is_some(), "{table}");
        }
        for plot in PLOTS {
            assert!(text.contains(&format!("]({plot})")), "{plot}");
        }
    }
}
