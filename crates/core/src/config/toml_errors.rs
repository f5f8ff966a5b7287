//! Explains lines that are not valid TOML. In most of them a text has no quotation marks.

use super::keys::{self, ValueType};
use super::suggest;

/// The parser's message for a text without quotation marks.
const BARE_TEXT: &str = "string values must be quoted";

/// Returns a message if only a value is wrong, so that the rest of the file can still be checked.
pub fn of_value(message: &str, line: &str) -> Option<String> {
    let assignment = assignment(line);
    if message == "duplicate key" {
        let (key, _) = assignment?;
        return Some(format!("{key}: is set a second time here{}", as_list(key)));
    }
    match assignment {
        Some((key, value)) if !value.is_empty() && !value.contains(['"', '\'', '[', '{']) => {
            let known = keys::find_anywhere(key);
            let value = suggest::shown(value);
            Some(match known.map(|key| (key.takes, key.example)) {
                Some((ValueType::Duration, _)) => format!("durations are quoted: {key} = \"{value}\""),
                Some((ValueType::Flag, example)) => format!("{key}: takes true or false: {example}"),
                Some(_) | None => format!("texts are quoted: {key} = \"{value}\""),
            })
        }
        Some((key, value)) if value.starts_with('[') && message.starts_with(BARE_TEXT) => {
            Some(format!("texts are quoted{}", such_as(": ", key)))
        }
        None if message.starts_with(BARE_TEXT) => Some("texts are quoted".to_owned()),
        Some(_) | None => None,
    }
}

/// Returns a message about an error after which the rest of the file cannot be trusted.
pub fn of_structure(message: &str, line: &str) -> String {
    if message == "duplicate key" && line.trim_start().starts_with('[') {
        return "several requirements are written [[require]] each, with two brackets".to_owned();
    }
    match assignment(line) {
        Some((key, "")) => format!("{key}: has no value{}", such_as("; write ", key)),
        Some(_) | None => format!("not TOML: {message}"),
    }
}

/// Returns the key and the value of a line `key = value`. The value may continue on further lines.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    let is_bare_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.is_empty() || !key.chars().all(is_bare_key) {
        return None;
    }
    let value = value.split('#').next().unwrap_or_default().trim();
    Some((key, value))
}

fn as_list(key: &str) -> String {
    match keys::find_anywhere(key).filter(|key| key.takes.is_list()) {
        Some(key) => format!("; several values are one list: {}", key.example),
        None => String::new(),
    }
}

/// Returns `lead` and an example of the key, or nothing for a key without an example.
fn such_as(lead: &str, key: &str) -> String {
    suggest::example(key).map_or(String::new(), |example| format!("{lead}{example}"))
}

#[cfg(test)]
mod tests {
    use crate::config::file::read;

    /// One case a line: the text, then the expected problems.
    #[test]
    fn a_line_that_is_not_toml_is_explained() {
        for (text, said) in [
            ("timeout = 90s", "g:1: durations are quoted: timeout = \"90s\""),
            ("timeout = 1min 30s # long", "g:1: durations are quoted: timeout = \"1min 30s\""),
            ("timeout = infinity", "g:1: durations are quoted: timeout = \"infinity\""),
            (
                "settle = 1.5s\non-loss = fail",
                "g:1: durations are quoted: settle = \"1.5s\"\n\
                 g:2: texts are quoted: on-loss = \"fail\"",
            ),
            ("[[require]]\ngrace = 5s", "g:2: durations are quoted: grace = \"5s\""),
            ("[[require]]\ninterface = va0", "g:2: texts are quoted: interface = \"va0\""),
            ("[[require]]\ninterface = en*", "g:2: texts are quoted: interface = \"en*\""),
            (
                "[[require]]\ninterface = [va0, va1]",
                "g:2: texts are quoted: interface = [\"enp*\", \"lan0\"]",
            ),
            (
                "[[require]]\ninterface = [\n  va0,\n  va1\n]",
                "g:3: texts are quoted\n\
                 g:4: texts are quoted",
            ),
            ("[[require]]\naddress = 10.0.0.0/8", "g:2: texts are quoted: address = \"10.0.0.0/8\""),
            ("[[require]]\naddress = 2001:db8::1", "g:2: texts are quoted: address = \"2001:db8::1\""),
            ("[[require]]\npasta = yes", "g:2: pasta: takes true or false: pasta = true"),
            ("[[require]]\ncarrier = True", "g:2: carrier: takes true or false: carrier = true"),
            ("timeout =", "g:1: timeout: has no value; write timeout = \"90s\""),
            ("foo =", "g:1: foo: has no value"),
            ("timeout 90s", "g:1: not TOML: key with no value, expected `=`"),
            ("timeout = \"90s", "g:1: not TOML: invalid basic string, expected `\"`"),
            ("[[require]\nroute = \"x\"", "g:1: not TOML: unclosed array table, expected `]`"),
            (
                "[require]\nroute = \"x\"\n[require]",
                "g:3: several requirements are written [[require]] each, with two brackets",
            ),
            (
                "[require]\nroute = \"x\"\n[[require]]",
                "g:3: several requirements are written [[require]] each, with two brackets",
            ),
            ("settle = \"1s\"\nsettle = \"2s\"", "g:2: settle: is set a second time here"),
            (
                "[[require]]\naddress = \"a\"\naddress = \"b\"",
                "g:3: address: is set a second time here; several values are one list: address = [\"ipv4\", \"2001:db8::/32\"]",
            ),
            // netready still checks the rest of the file.
            (
                "timeout = 90s\nsettel = 1",
                "g:1: durations are quoted: timeout = \"90s\"\n\
                 g:2: settel: unknown key; write settle",
            ),
        ] {
            let mut problems = Vec::new();
            let gate = read("g", text, &mut problems);
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(lines.join("\n"), said, "{text:?}");
            assert!(gate.keys.incomplete, "{text:?}");
        }
    }
}
