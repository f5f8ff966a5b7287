//! `netready cat`: a gate as it is written, each part below its path.

use crate::config::Loaded;

/// The gate's file and drop-ins in the order in which they are read, as `systemctl cat` shows units.
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
        if !part.text.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}
