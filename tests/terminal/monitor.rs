//! `monitor` on a terminal.

use crate::shell::Shell;

#[test]
fn the_lines_have_colour_unless_nobody_wants_it() {
    for (before, colour) in [("", true), ("NO_COLOR=1 ", false), ("TERM=dumb ", false)] {
        let mut shell = Shell::new(120);
        shell.types(&format!("{before}$N monitor -i vz9\n"));
        let row = shell.sees_row("the verdict", |row| row.contains("NOT ready: vz9: no such link"));
        assert!(row.contains("  waiting        NOT ready"), "{row}");
        assert_eq!(shell.written.contains("\x1b[31munmet\x1b[0m"), colour, "{before}: {:?}", shell.written);
        shell.types("\x03");
        shell.answers();
    }
}
