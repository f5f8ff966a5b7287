//! Gives advice for an unknown key or word: the nearest valid one, or the list of all.

use super::keys::{self, Level};

/// The name of a clause's table.
pub const REQUIRE: &str = "require";
/// An example of how to begin a clause.
pub const REQUIRE_EXAMPLE: &str = "[[require]] with the clause's keys in the lines below it";

/// Returns the message about a key that does not exist at its level.
pub fn unknown_key(key: &str, level: Level) -> String {
    let shown = shown(key);
    if let Some(advice) = move_it(key, level) {
        return format!("{shown}: {advice}");
    }
    match meant(key, level) {
        Some(meant) => {
            let advice = move_it(meant, level).map_or(String::new(), |advice| format!(", and {advice}"));
            format!("{shown}: unknown key; write {meant}{advice}")
        }
        None => format!("{shown}: unknown key; the keys here are {}", list_of_keys(level)),
    }
}

/// Returns the message about a key that stands at the wrong level.
fn move_it(key: &str, level: Level) -> Option<&'static str> {
    let right = keys::find_anywhere(key)?.level();
    (right != level).then_some(match right {
        Level::Clause => "it belongs below a [[require]] line",
        Level::Gate => "it is a key of the gate: move it above the first [[require]] line",
    })
}

/// Returns the key that was probably meant. The keys of the same level come first.
fn meant(key: &str, level: Level) -> Option<&'static str> {
    let key = key.to_lowercase().replace('_', "-");
    if let Some(exact) = keys::all().find(|known| known.name == key || known.other_names.contains(&&*key)) {
        return Some(exact.name);
    }
    let own = || keys::of_level(level).map(|key| key.name);
    let require = (level == Level::Gate).then_some(REQUIRE);
    let other = keys::all().filter(|key| key.level() != level).map(|key| key.name);
    nearest(&key, own().chain(require)).or_else(|| nearest(&key, own().chain(other)))
}

fn list_of_keys(level: Level) -> String {
    let names: Vec<&str> = keys::of_level(level).map(|key| key.name).collect();
    match level {
        Level::Gate => format!("{} and [[require]]", names.join(", ")),
        Level::Clause => names.join(", "),
    }
}

/// Returns an example of a key with its value.
pub fn example(key: &str) -> Option<&'static str> {
    if key == REQUIRE { Some(REQUIRE_EXAMPLE) } else { keys::find_anywhere(key).map(|key| key.example) }
}

/// Returns the candidate that is most similar to a word, if it is similar enough to be a typing error.
///
/// With a limit of 0.6, `gate` would suggest `grace`; with 0.64, `requirement` would not suggest `require`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.62;
    // The comparison takes time in proportion to the square of the length. No typing error is this long.
    if word.len() > 255 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| {
            let likeness = strsim::normalized_damerau_levenshtein(word, candidate);
            (candidate, likeness)
        })
        .filter(|(_, likeness)| *likeness >= NEAR)
        // Of equally similar candidates take the first: in all lists here the commoner words come first.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(candidate, _)| candidate)
}

/// Returns the message about an invalid word: the nearest valid word, or the list of all valid words.
pub fn not_one_of(word: &str, valid: &[&str]) -> String {
    match nearest(&word.to_lowercase(), valid.iter().copied()) {
        Some(near) => format!("is not valid; did you mean {near:?}?"),
        None => {
            let quoted: Vec<String> = valid.iter().map(|word| format!("{word:?}")).collect();
            format!("is not valid; write {}", alternatives(&quoted))
        }
    }
}

/// Joins words as `a`, `a or b`, `a, b or c`.
pub fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Prepares a text for a message: escapes control characters and cuts it after 60 characters.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let quoted = match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    };
    quoted[1..quoted.len() - 1].to_owned()
}

/// Returns netready's equivalent for the form `IF:STATE` of systemd-networkd-wait-online.
pub fn in_place_of_state(link: &str, state: &str, in_option: bool) -> Option<String> {
    let (option, keys) = match state {
        "routable" | "online" => (" -r default", " and route = \"default\""),
        "degraded" => (" -a link-local-ipv6", " and address = \"link-local-ipv6\" (or \"link-local-ipv4\")"),
        "carrier" | "degraded-carrier" | "enslaved" => ("", " and carrier = true"),
        "missing" | "off" | "no-carrier" | "dormant" | "configured" | "configuring" => ("", ""),
        _ => return None,
    };
    Some(if in_option { format!("-i {link}{option}") } else { format!("interface = \"{link}\"{keys}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_told_the_right_one() {
        for (key, level, said) in [
            ("timout", Level::Gate, "timout: unknown key; write timeout"),
            ("settel", Level::Gate, "settel: unknown key; write settle"),
            ("Timeout", Level::Gate, "Timeout: unknown key; write timeout"),
            ("no_carrier_timeout", Level::Gate, "no_carrier_timeout: unknown key; write no-carrier-timeout"),
            (
                "on_loss",
                Level::Clause,
                "on_loss: unknown key; write on-loss, and it is a key of the gate: move it above the first [[require]] line",
            ),
            (
                "timeout",
                Level::Clause,
                "timeout: it is a key of the gate: move it above the first [[require]] line",
            ),
            ("route", Level::Gate, "route: it belongs below a [[require]] line"),
            (
                "routes",
                Level::Gate,
                "routes: unknown key; write route, and it belongs below a [[require]] line",
            ),
            (
                "required",
                Level::Gate,
                "required: unknown key; write quorum, and it belongs below a [[require]] line",
            ),
            ("requirement", Level::Gate, "requirement: unknown key; write require"),
            ("requires", Level::Gate, "requires: unknown key; write require"),
            ("interfaces", Level::Clause, "interfaces: unknown key; write interface"),
            ("addresses", Level::Clause, "addresses: unknown key; write address"),
            ("adress", Level::Clause, "adress: unknown key; write address"),
            ("route_to", Level::Clause, "route_to: unknown key; write route-to"),
            ("if_present", Level::Clause, "if_present: unknown key; write if-present"),
            ("dnss", Level::Clause, "dnss: unknown key; write dns"),
            ("url", Level::Clause, "url: unknown key; write http"),
            ("expect", Level::Gate, "expect: it belongs below a [[require]] line"),
            (
                "colour",
                Level::Gate,
                "colour: unknown key; the keys here are timeout, no-carrier-timeout, settle, on-timeout, on-loss and [[require]]",
            ),
            (
                "x\u{1b}[31m",
                Level::Clause,
                "x\\u{1b}[31m: unknown key; the keys here are interface, quorum, carrier, address, route, table, route-to, from, pasta, nameserver, dns, tcp, http, expect, ping, gateway, recheck, if-present, grace",
            ),
        ] {
            assert_eq!(unknown_key(key, level), said);
        }
    }

    #[test]
    fn a_bad_word_is_told_the_nearest() {
        for (word, said) in [
            ("fial", "is not valid; did you mean \"fail\"?"),
            ("OPEN", "is not valid; did you mean \"open\"?"),
            ("ignore", "is not valid; write \"fail\" or \"open\""),
        ] {
            assert_eq!(not_one_of(word, &["fail", "open"]), said);
        }
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shown(&"x".repeat(60)), "x".repeat(60));
        assert_eq!(shown(&"x".repeat(61)), format!("{}…", "x".repeat(60)));
        assert_eq!(nearest(&"x".repeat(1 << 20), ["timeout"]), None);
    }
}
