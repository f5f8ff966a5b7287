//! `netready cat`: prints a gate as it is written, each part below its path.

use crate::config::Loaded;
use crate::escape::escape_lines;

/// Returns the gate's file and drop-ins in the order in which they are read, as `systemctl cat` does for units.
pub fn print(loaded: &Loaded) -> String {
    let mut out = String::new();
    for part in &loaded.parts {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str("# ");
        out.push_str(&part.origin);
        out.push('\n');
        out.push_str(&part.text);
        if !part.text.is_empty() && !part.text.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// Returns the same text for a terminal: control characters except line breaks and tabs are escaped.
pub fn for_terminal(text: &str) -> String {
    let parts: Vec<_> = text.split('\t').map(escape_lines).collect();
    parts.join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Part, parse};

    #[test]
    fn each_part_stands_below_its_path() {
        let main = "timeout = 1\n[[require]]\nroute = \"default\"";
        let part = |origin: &str, text: &str| Part { origin: origin.to_owned(), text: text.to_owned() };
        let loaded = Loaded {
            gate: parse("nas", "/etc/netready/nas.toml", main).unwrap(),
            parts: vec![
                part("/etc/netready/nas.toml", main),
                part("/run/netready/nas.toml.d/a.toml", ""),
                part("command line", "settle = \"1s\"\n"),
            ],
        };
        assert_eq!(
            print(&loaded),
            "# /etc/netready/nas.toml\ntimeout = 1\n[[require]]\nroute = \"default\"\n\n\
             # /run/netready/nas.toml.d/a.toml\n\n\
             # command line\nsettle = \"1s\"\n"
        );
    }

    #[test]
    fn a_terminal_gets_text_only() {
        assert_eq!(
            for_terminal("a\t= 1 # \u{1b}[2J\n\t\u{202e}b\r\n"),
            "a\t= 1 # \\x1b[2J\n\t\\u{202e}b\\x0d\n"
        );
    }
}
