//! Verdicts for scripts. Fields are only ever added.

use core::fmt::Write;

use serde_json::{Map, Value, json};

use crate::escape::is_unsafe;
use crate::report::{Span, behind};
use crate::requirement::Gate;
use crate::verdict::{Code, Outcome, Verdict};

/// `{ready, gate, source, requirements: […], warnings: […]}`.
pub fn verdict_json(gate: &Gate, verdict: &Verdict, ready: bool) -> Map<String, Value> {
    let requirements = verdict.rows().map(|(clause, row)| {
        let (met, code) = match &row.outcome {
            Outcome::Met(_) => (true, None),
            Outcome::Unmet(reason) => (false, Some(reason.code().as_str())),
            Outcome::NotPresent => (false, Some(Code::NotPresent.as_str())),
            Outcome::NotAsked => (false, Some(Code::NotTried.as_str())),
        };
        json!({
            "requirement": row.item.to_string(),
            "met": met,
            "required": clause.grace.is_none() && !matches!(row.outcome, Outcome::NotPresent | Outcome::NotAsked),
            "code": code,
            "reason": behind(row),
            "interface": row.link,
            "grace": clause.grace.map(|grace| Span(grace).to_string()),
        })
    });
    let mut object = Map::new();
    object.insert("ready".to_owned(), ready.into());
    object.insert("gate".to_owned(), gate.name.as_str().into());
    object.insert("source".to_owned(), gate.source.as_str().into());
    object.insert("requirements".to_owned(), requirements.collect());
    let warnings = verdict.warnings.iter().map(|warning| Value::from(warning.to_string()));
    object.insert("warnings".to_owned(), warnings.collect());
    object
}

/// What is printed with `--json` instead of a verdict, at exit codes 2 and 3.
pub fn error_json(error: &str) -> Value {
    json!({ "error": error })
}

/// JSON on one line. Its values are those of others, as they are; characters that do something to a terminal are
/// written as `\uNNNN`.
pub fn json_text(value: &Value) -> String {
    let mut text = String::new();
    // Such characters can stand in strings only, and serde_json has escaped those below U+0020.
    for character in value.to_string().chars() {
        if !is_unsafe(character) {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}
