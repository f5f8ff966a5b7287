//! The words of gate files, and what to tell somebody who wrote another.

/// The keys above the first `[[require]]`.
pub const GATE_KEYS: [&str; 5] = ["timeout", "no-carrier-timeout", "settle", "on-timeout", "on-loss"];

/// The keys of a `[[require]]`.
pub const CLAUSE_KEYS: [&str; 19] = [
    "interface",
    "quorum",
    "carrier",
    "address",
    "route",
    "table",
    "route-to",
    "from",
    "pasta",
    "nameserver",
    "dns",
    "tcp",
    "http",
    "expect",
    "ping",
    "gateway",
    "recheck",
    "if-present",
    "grace",
];

/// Plurals, and what the key is called elsewhere; too far away for [`nearest`] or too near another.
const OTHER_NAMES: [(&str, &str); 24] = [
    ("interfaces", "interface"),
    ("iface", "interface"),
    ("ifname", "interface"),
    ("link", "interface"),
    ("links", "interface"),
    ("device", "interface"),
    ("name", "interface"),
    ("addresses", "address"),
    ("ip", "address"),
    ("routes", "route"),
    ("tables", "table"),
    ("routes-to", "route-to"),
    ("source", "from"),
    ("src", "from"),
    ("nameservers", "nameserver"),
    ("resolve", "dns"),
    ("url", "http"),
    ("https", "http"),
    ("port", "tcp"),
    ("status", "expect"),
    ("router", "gateway"),
    ("required", "quorum"),
    ("any", "quorum"),
    ("optional", "grace"),
];

/// The two places a key can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Above the first `[[require]]`.
    Gate,
    /// Below a `[[require]]`.
    Clause,
}

/// What to say about a key that is not one of its level's.
pub fn unknown_key(key: &str, level: Level) -> String {
    let shown = shown(key);
    if let Some(advice) = move_it(key, level) {
        return format!("{shown}: {advice}");
    }
    match meant(key, level) {
        Some(meant) => {
            let advice = move_it(meant, level).map_or(String::new(), |advice| format!(", and {advice}"));
            format!("{shown}: unknown key; it is written {meant}{advice}")
        }
        None => format!("{shown}: unknown key; the keys here are {}", keys(level)),
    }
}

/// What to say about a key that stands at the wrong level.
fn move_it(key: &str, level: Level) -> Option<&'static str> {
    match level {
        Level::Gate => CLAUSE_KEYS.contains(&key).then_some("it belongs below a [[require]] line"),
        Level::Clause => GATE_KEYS
            .contains(&key)
            .then_some("it is a key of the gate: move it above the first [[require]] line"),
    }
}

/// The key that was probably meant, its own level's first.
fn meant(key: &str, level: Level) -> Option<&'static str> {
    let key = key.to_lowercase().replace('_', "-");
    let (own, other) = match level {
        Level::Gate => (&GATE_KEYS[..], &CLAUSE_KEYS[..]),
        Level::Clause => (&CLAUSE_KEYS[..], &GATE_KEYS[..]),
    };
    let known = || own.iter().chain(other).copied();
    if let Some(exact) = known().find(|known| *known == key) {
        return Some(exact);
    }
    if let Some((_, meant)) = OTHER_NAMES.iter().find(|(name, _)| *name == key) {
        return Some(meant);
    }
    let require = (level == Level::Gate).then_some("require");
    nearest(&key, own.iter().copied().chain(require)).or_else(|| nearest(&key, known()))
}

fn keys(level: Level) -> String {
    match level {
        Level::Gate => format!("{} and [[require]]", GATE_KEYS.join(", ")),
        Level::Clause => CLAUSE_KEYS.join(", "),
    }
}

/// What a known key with its value looks like.
pub fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "timeout" => "timeout = \"90s\"",
        "no-carrier-timeout" => "no-carrier-timeout = \"15s\"",
        "settle" => "settle = \"500ms\"",
        "on-timeout" => "on-timeout = \"open\"",
        "on-loss" => "on-loss = \"fail\"",
        "require" => "[[require]] with the clause's keys in the lines below it",
        "interface" => "interface = [\"enp*\", \"lan0\"]",
        "quorum" => "quorum = \"any\" or quorum = 2",
        "carrier" => "carrier = true",
        "address" => "address = [\"ipv4\", \"2001:db8::/32\"]",
        "route" => "route = [\"default-ipv4\", \"10.0.0.0/8\"]",
        "table" => "table = 100 or table = \"vrf-blue\"",
        "route-to" => "route-to = [\"198.51.100.7\", \"2001:db8::7\"]",
        "from" => "from = \"192.0.2.10\"",
        "pasta" => "pasta = true",
        "nameserver" => "nameserver = true",
        "dns" => "dns = \"registry.example.org\"",
        "tcp" => "tcp = \"192.0.2.7:443\"",
        "http" => "http = \"https://registry.example.org/v2/\"",
        "expect" => "expect = [200, 401]",
        "ping" => "ping = \"192.0.2.1\"",
        "gateway" => "gateway = \"ipv4\"",
        "recheck" => "recheck = \"30s\"",
        "if-present" => "if-present = true",
        "grace" => "grace = \"5s\"",
        _ => return None,
    })
}

/// Whether a key's value is a duration.
pub fn is_duration(key: &str) -> bool {
    matches!(key, "timeout" | "no-carrier-timeout" | "settle" | "grace" | "recheck")
}

/// Whether a key's value is true or false.
pub fn is_boolean(key: &str) -> bool {
    matches!(key, "carrier" | "pasta" | "nameserver" | "if-present")
}

/// Whether a key takes a list.
pub fn is_list(key: &str) -> bool {
    matches!(
        key,
        "interface"
            | "address"
            | "route"
            | "route-to"
            | "dns"
            | "tcp"
            | "http"
            | "expect"
            | "ping"
            | "gateway"
    )
}

/// The candidate that a word is probably a slip of the pen for.
///
/// At 0.6 `gate` would be taken for `grace`; at 0.64 `requirement` no longer for `require`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.62;
    // The distance costs length × length, and no slip of the pen is that long.
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
        // Of equals the first, which is the commoner word in all lists here.
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(candidate, _)| candidate)
}

/// A bad word's message: the nearest valid word, else all of them.
pub fn not_one_of(word: &str, valid: &[&str]) -> String {
    match nearest(&word.to_lowercase(), valid.iter().copied()) {
        Some(near) => format!("is not valid; did you mean {near:?}?"),
        None => {
            let quoted: Vec<String> = valid.iter().map(|word| format!("{word:?}")).collect();
            format!("is not valid; write {}", alternatives(&quoted))
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// A text for a message: control characters escaped, and no longer than a line.
pub fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let quoted = match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    };
    quoted[1..quoted.len() - 1].to_owned()
}

/// What asks in netready's words what `IF:STATE` asks in systemd-networkd-wait-online's.
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
            ("timout", Level::Gate, "timout: unknown key; it is written timeout"),
            ("settel", Level::Gate, "settel: unknown key; it is written settle"),
            ("Timeout", Level::Gate, "Timeout: unknown key; it is written timeout"),
            (
                "no_carrier_timeout",
                Level::Gate,
                "no_carrier_timeout: unknown key; it is written no-carrier-timeout",
            ),
            (
                "on_loss",
                Level::Clause,
                "on_loss: unknown key; it is written on-loss, and it is a key of the gate: move it above the first [[require]] line",
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
                "routes: unknown key; it is written route, and it belongs below a [[require]] line",
            ),
            (
                "required",
                Level::Gate,
                "required: unknown key; it is written quorum, and it belongs below a [[require]] line",
            ),
            ("requirement", Level::Gate, "requirement: unknown key; it is written require"),
            ("requires", Level::Gate, "requires: unknown key; it is written require"),
            ("interfaces", Level::Clause, "interfaces: unknown key; it is written interface"),
            ("addresses", Level::Clause, "addresses: unknown key; it is written address"),
            ("adress", Level::Clause, "adress: unknown key; it is written address"),
            ("route_to", Level::Clause, "route_to: unknown key; it is written route-to"),
            ("if_present", Level::Clause, "if_present: unknown key; it is written if-present"),
            ("dnss", Level::Clause, "dnss: unknown key; it is written dns"),
            ("url", Level::Clause, "url: unknown key; it is written http"),
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
    fn every_key_has_an_example() {
        for key in GATE_KEYS.iter().chain(&CLAUSE_KEYS).chain(&["require"]) {
            assert!(example(key).unwrap().contains(key), "{key}");
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
