//! Reads and writes durations in the syntax of systemd.time(7).

use core::time::Duration;

/// The result of the parser for durations that overflow in systemd. It stands for "too long".
const LONGEST: Duration = Duration::from_micros(u64::MAX);

/// The limit that a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurationLimit {
    /// A limit of this length, in whole microseconds as in systemd.
    Finite(Duration),
    /// There is no limit: `infinity`.
    Infinite,
}

/// Reads a duration. The error is the message for the author of the text.
pub fn parse(text: &str) -> Result<DurationLimit, String> {
    if text.trim_matches(is_space) == "infinity" {
        return Ok(DurationLimit::Infinite);
    }
    let parsed =
        if every_unit_has_a_number(text) { fundu_systemd::parse(text, None, None).ok() } else { None };
    let span = parsed.and_then(|parsed| Duration::try_from(parsed).ok());
    match span {
        Some(span) if span >= LONGEST => Err("is too long; for no limit write \"infinity\"".to_owned()),
        Some(span) => Ok(DurationLimit::Finite(Duration::new(span.as_secs(), span.subsec_micros() * 1000))),
        None => Err("is not a duration; write for example \"90s\", \"1min 30s\", \"500ms\" or \"infinity\""
            .to_owned()),
    }
}

/// Writes a duration so that `parse` reads the same one: `90s`, `5min`, `1h 30min`, `1s 500ms`.
pub fn text(span: Duration) -> String {
    let seconds = span.as_secs();
    if span.subsec_nanos() == 0 && seconds < 120 {
        return if seconds == 60 { "1min".to_owned() } else { format!("{seconds}s") };
    }
    let micros = span.subsec_micros();
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
        (u64::from(micros / 1000), "ms"),
        (u64::from(micros % 1000), "us"),
    ];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// Whether systemd and fundu both treat the character as white space (WHITESPACE in systemd's sources).
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Whether every unit has a number and every decimal point has digits after it. fundu reads `s` as one second and
/// `1.s` as `1s`, but systemd refuses both (as `systemd-analyze timespan` shows).
fn every_unit_has_a_number(text: &str) -> bool {
    let mut number = false;
    let mut in_unit = false;
    let mut after_dot = false;
    for c in text.chars() {
        if after_dot && !c.is_ascii_digit() {
            return false;
        }
        after_dot = c == '.';
        if c.is_ascii_digit() {
            number = true;
            in_unit = false;
        } else if is_space(c) || matches!(c, '.' | '+' | '-') {
            in_unit = false;
        } else if !in_unit {
            if !number {
                return false;
            }
            number = false;
            in_unit = true;
        }
    }
    !after_dot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts with the microseconds that `systemd-analyze timespan` of systemd 257 gives for them.
    const FINITE: [(&str, u64); 20] = [
        ("90s", 90_000_000),
        ("1min 30s", 90_000_000),
        ("1min30s", 90_000_000),
        ("500ms", 500_000),
        ("90", 90_000_000),
        ("  5  ", 5_000_000),
        (".5s", 500_000),
        ("1.5 s", 1_500_000),
        ("+5s", 5_000_000),
        ("5 +3s", 8_000_000),
        ("1 2 3", 6_000_000),
        ("3h 2", 10_802_000_000),
        ("5µs", 5),
        ("5μs", 5),
        ("5us", 5),
        ("0", 0),
        ("0.0000001s", 0),
        ("1m", 60_000_000),
        ("1M", 2_629_800_000_000),
        ("1week", 604_800_000_000),
    ];

    const REFUSED: [&str; 19] = [
        "",
        " ",
        "s",
        "second",
        "1.s",
        "1.",
        "1e3",
        "-1s",
        "1ns",
        "5 sec sec",
        "infinityx",
        "INFINITY",
        "18446744073709551615",
        "584543y",
        "9999999999999999999s",
        "90x",
        "1,5s",
        "soon",
        "5s\0",
    ];

    #[test]
    fn reads_what_systemd_reads() {
        for (text, micros) in FINITE {
            assert_eq!(parse(text), Ok(DurationLimit::Finite(Duration::from_micros(micros))), "{text:?}");
        }
        assert_eq!(parse("infinity"), Ok(DurationLimit::Infinite));
        assert_eq!(parse(" infinity\n"), Ok(DurationLimit::Infinite));
    }

    #[test]
    fn refuses_what_systemd_refuses() {
        for text in REFUSED {
            assert!(parse(text).is_err(), "{text:?}: {:?}", parse(text));
        }
    }

    #[test]
    fn writes_as_people_do() {
        for (span, text_) in [
            (Duration::ZERO, "0s"),
            (Duration::from_secs(1), "1s"),
            (Duration::from_secs(60), "1min"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_secs(120), "2min"),
            (Duration::from_secs(150), "2min 30s"),
            (Duration::from_secs(7200), "2h"),
            (Duration::from_millis(500), "500ms"),
            (Duration::from_micros(1_500_001), "1s 500ms 1us"),
        ] {
            assert_eq!(text(span), text_);
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(micros in 0..u64::MAX) {
            let span = Duration::from_micros(micros);
            prop_assert_eq!(parse(&text(span)), Ok(DurationLimit::Finite(span)));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn nothing_near_a_duration_panics(text in "[-+.0-9 a-zµ]{0,24}") {
            let _ = parse(&text);
        }
    }
}
