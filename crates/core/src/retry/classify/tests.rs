use super::examples::{Example, examples, judged};
use super::*;
use crate::retry::Retryability::{AtBootOnly, Later, Never};
use proptest::prelude::*;

const MANIFEST: &str = "reading manifest 1 in r.example.org/lib/img: ";
const PING: &str = "pinging container registry r.example.org: Get \"https://r.example.org/v2/\": ";

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
}

/// Returns the same failure as Podman 4 and 5 print it, as Podman 5.8 prints it, and as skopeo logs it to a file,
/// as JSON and to a terminal.
fn as_printed(tail: &str) -> Vec<String> {
    let reference = "docker://r.example.org/lib/img:1";
    vec![
        format!(
            "Trying to pull r.example.org/lib/img:1...\nError: initializing source {reference}: {tail}\n"
        ),
        format!("Error: unable to copy from source {reference}: initializing source {reference}: {tail}\n"),
        format!(
            "time=\"2026-06-01T08:15:30Z\" level=fatal msg=\"initializing source {reference}: {}\"\n",
            quoted(tail)
        ),
        format!("{{\"level\":\"fatal\",\"msg\":\"{}\",\"time\":\"2026-06-01T08:15:30Z\"}}\n", quoted(tail)),
        format!("\u{1b}[31mFATA\u{1b}[0m[0012] {tail} \n"),
    ]
}

fn found(text: &str) -> Meaning {
    classify(&format!("Error: {text}\n"))
}

#[test]
fn every_example_however_it_is_printed() {
    for Example { text, again, why } in examples() {
        for printed in as_printed(&text) {
            assert_eq!(classify(&printed), Meaning { again, why: why.to_owned() }, "{printed}");
        }
        // Docker does not mark many of its errors.
        assert_eq!(classify(&text).again, again, "{text}");
    }
}

#[test]
fn texts_that_were_judged_before_they_were_classified() {
    let wrong: Vec<String> = judged()
        .into_iter()
        .filter_map(|(right, text)| {
            let meaning = classify(&text);
            let again = match meaning.again {
                Retryability::Limited(_) => LIMITED,
                again @ (Later | AtBootOnly | Never) => again,
            };
            (!right.contains(&again)).then(|| format!("{text:?}: {meaning:?}, not {right:?}"))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_row_has_an_example_that_it_decides() {
    let mut decided: Vec<&Rule> = Vec::new();
    for Example { text, .. } in examples() {
        decided.extend(text::parts(&text).iter().filter_map(|(head, part)| of_part(head, part).row));
    }
    for row in RULES {
        assert!(decided.iter().any(|found| core::ptr::eq(*found, row)), "no example is decided by {row:?}");
    }
}

#[test]
fn the_last_error_of_podmans_own_retries_counts() {
    let text = "time=\"2026-06-01T08:15:30Z\" level=warning msg=\"Failed, retrying in 1s ... (1/1). Error: initializing source docker://h/a:1: pinging container registry h: Get \\\"https://h/v2/\\\": dial tcp 10.0.0.1:443: connect: connection refused\"\n\
        Error: initializing source docker://h/a:1: reading manifest 1 in h/a: manifest unknown\n";
    assert_eq!(classify(text).again, Never);
    // An error of an earlier command of the script says nothing about this command.
    let text = format!("Error: {MANIFEST}manifest unknown\nTrying to pull b...\nError: {PING}EOF\n");
    assert_eq!(classify(&text).again, Later);
    // Progress that is printed late does not hide an error.
    let text = format!("Error: {MANIFEST}manifest unknown\nCopying blob 1a2b done\n");
    assert_eq!(classify(&text).again, Never);
    // A log line does not belong to the error before it.
    let text =
        format!("Error: {PING}EOF\ntime=\"x\" level=debug msg=\"Shutting down engines: manifest unknown\"\n");
    assert_eq!(classify(&text).again, Later);
    // The line after a log line does not belong to the error either.
    let text = "Error: the moon is full\nDEBU[0001] shutting down:\nmanifest unknown\n";
    assert_eq!(classify(text).again, Later);
}

#[test]
fn each_of_several_images_is_needed() {
    let denied = format!("Error: {MANIFEST}denied\n");
    let closed = format!("Error: {PING}EOF\n");
    let strange = "Error: the moon is full\n";
    for (text, again) in [
        ([denied.as_str(), &closed], Never),
        ([&closed, &denied], Never),
        ([&closed, strange], Later),
        ([&denied, strange], Never),
    ] {
        assert_eq!(classify(&text.concat()).again, again, "{text:?}");
    }
}

#[test]
fn what_a_registry_writes_itself_is_not_believed() {
    for (tail, again) in [
        ("toomanyrequests: manifest unknown: denied: connection refused", LIMITED),
        ("received unexpected HTTP status: 502 Bad Gateway: {\"errors\":[{\"code\":\"DENIED\"}]}", Later),
        ("manifest unknown: {\"detail\": \": connect: connection refused\"}", Never),
        ("manifest unknown: : connect: connection refused", Never),
        ("quota exceeded: dial tcp: lookup h: no such host", Never),
        ("unknown: \nconnection refused", Never),
        ("errors:\nquota exceeded: connection refused\ntoomanyrequests: connection refused", Never),
        ("unknown: {\"a\": \"}: connection refused\"}: EOF", Never),
        ("denied: x\nError: dial tcp: connect: connection refused", Never),
        ("StatusCode: 502, \"<html>: manifest unknown", Later),
        ("StatusCode: 404, <html>\n<p>: connection refused\n: EOF", Never),
        ("StatusCode: 404, \"<p>\\\": connection refused\"", Never),
    ] {
        assert_eq!(found(&format!("{MANIFEST}{tail}")).again, again, "{tail}");
    }
    for (head, again) in [
        ("Requesting bearer token: unknown: ", Never),
        ("pinging container registry r.example.org: some code: ", Never),
        ("pinging container registry r.example.org: StatusCode: 502, ", Later),
        ("fetching blob: unknown: ", Never),
        ("fetching blob: blob unknown: ", Later),
    ] {
        for words in ["connection refused", "manifest unknown", "dial tcp: lookup h: no such host"] {
            assert_eq!(found(&format!("{head}{words}")).again, again, "{head}{words}");
        }
    }
    // Words in such brackets that the tools themselves write are not markup.
    for word in ["<stdin>", "<nil>", "<none>", "<unknown>"] {
        assert_eq!(
            found(&format!("writing blob: skipping {word}: no space left on device")).again,
            Never,
            "{word}"
        );
    }
    // A repository may have any name.
    let text = format!("initializing source docker://h/denied/x509:eof: {PING}EOF");
    assert_eq!(found(&text).again, Later);
}

#[test]
fn one_registry_or_mirror_that_may_yet_answer_is_enough() {
    let gone = "reading manifest 1 in m1:5000/a: manifest unknown";
    let refused = "pinging container registry m2: Get \"https://m2/v2/\": dial tcp [::1]:443: connect: connection refused";
    let limited = "reading manifest 1 in m3/a: toomanyrequests: slow down";
    let unknown_host =
        "pinging container registry m4: Get \"https://m4/v2/\": dial tcp: lookup m4: no such host";
    let strange = "the moon is full";
    for (first, second, own, again) in [
        (gone, gone, gone, Never),
        (refused, gone, gone, Later),
        (gone, refused, gone, Later),
        (gone, gone, refused, Later),
        (gone, limited, gone, LIMITED),
        (gone, limited, refused, Later),
        (gone, gone, unknown_host, AtBootOnly),
        (limited, unknown_host, gone, LIMITED),
        (strange, limited, gone, LIMITED),
        (strange, unknown_host, gone, Later),
    ] {
        let mirrors =
            format!("(Mirrors also failed: [m1:5000/a:1: {first}]\n[m2/a:1: {second}]): h/a:1: {own}");
        for text in [
            format!("Error: initializing source docker://h/a:1: {mirrors}\n"),
            format!("Error: 3 errors occurred while pulling:\n * {first}\n * {second}\n * {own}\n"),
            format!(
                "Error: unable to pull a: 3 errors occurred:\n\t* {first}\n\t* {second}\n\n\t* Error {own}\n\n"
            ),
            format!("unable to pull a: 3 errors occurred:\n\n* {first}\n* {second}\n* {own}\n"),
            format!(
                "Error: creating build container: The following failures happened while trying to pull image specified by \"a\" based on search registries in /etc/containers/registries.conf:\n* \"m1/a\": {first}\n* \"m2/a\": {second}\n* \"h/a\": {own}\n"
            ),
            format!(
                "time=\"x\" level=fatal msg=\"2 errors occurred while pulling:\\n * {}\\n * {}\\n\"\n",
                quoted(&mirrors),
                quoted(own)
            ),
        ] {
            assert_eq!(classify(&text).again, again, "{text}");
        }
    }
    // A list inside an item belongs to that item.
    let list =
        "getting username and password: 1 error occurred:\n\t* illegal base64 data at input byte 4\n\n";
    for (other, again) in [(gone, Never), (limited, LIMITED)] {
        let text = format!(
            "Error: 2 errors occurred while pulling:\n * initializing source docker://m1/a:1: {list}\n * {other}\n"
        );
        assert_eq!(classify(&text).again, again, "{text}");
    }
    // A page of one registry does not cover the error of the next one.
    let text = format!(
        "Error: 2 errors occurred while pulling:\n * {MANIFEST}StatusCode: 404, <html {{\n * {refused}\n"
    );
    assert_eq!(classify(&text).again, Later);
}

#[test]
fn localhost_without_a_port_is_no_registry_but_one_with_a_port_is() {
    let refused = |host: &str| {
        let text = format!(
            "initializing source docker://{host}/a:1: pinging container registry {host}: Get \"https://{host}/v2/\": dial tcp [::1]:443: connect: connection refused"
        );
        found(&text).again
    };
    assert_eq!(refused("localhost"), Never);
    assert_eq!(refused("localhost:5000"), Later);
    assert_eq!(refused("localhost.example.org"), Later);
    // Something answers at this address.
    let text = "initializing source docker://localhost/a:1: pinging container registry localhost: received unexpected HTTP status: 503 Service Unavailable";
    assert_eq!(found(text).again, Later);
}

#[test]
fn colours_and_progress_bars_do_not_hide_it() {
    for text in [
        "Copying blob 1a2b [====>---] 1.0MiB\r\u{1b}[1A\u{1b}[JCopying blob 1a2b [=====>--] 2.0MiB\r\u{1b}[31mError: reading manifest 1 in h/a: manifest unknown\u{1b}[0m\r\n",
        "Error: reading manifest 1 in h/a: \u{1b}[1mmanifest\u{1b}[0m unknown\r\n\r\n",
        "\u{1b}]0;podman\u{7}Error: reading manifest 1 in h/a: manifest unknown\u{1b}]8;;\u{1b}\\\r\n",
        "\u{1b}[31mFATA\u{1b}[0m[0000] initializing source docker://h/a:1: reading manifest 1 in h/a: manifest unknown \r\n",
    ] {
        assert_eq!(classify(text).again, Never, "{text:?}");
    }
}

#[test]
fn a_text_that_was_cut_is_classified_by_the_rest() {
    let refused = "dial tcp 10.0.0.1:443: connect: connection refused";
    assert_eq!(
        classify(&format!("h/v2/\\\": {refused}\"\nError: {MANIFEST}manifest unknown\n")).again,
        Never
    );
    assert_eq!(classify(&format!("time=\"x\" level=fatal msg=\"{MANIFEST}manifest unknown")).again, Never);
    // The end of a long page says nothing if its beginning is lost.
    let page = format!("{}: {refused}", "x".repeat(64 * 1024 - 60));
    assert_eq!(classify(&page), Meaning { again: Later, why: String::new() });
    let head = format!("Error: {MANIFEST}denied: {}: {refused}", "x".repeat(60_000));
    assert_eq!(classify(&head).again, Never);
}

#[test]
fn a_wait_that_is_asked_for_is_kept_and_bounded() {
    let limited = |millis| Retryability::Limited(Some(Duration::from_millis(millis)));
    for (message, again) in [
        ("slow down", LIMITED),
        ("retry-after: 2s, allowed: 44000/minute", limited(2000)),
        ("retry-after: 1m30.5s", limited(90_500)),
        ("Retry-After: 20", limited(20_000)),
        ("retry-after: 0s", limited(0)),
        ("retry-after: 2562047h47m16s", limited(600_000)),
        ("retry-after: 1e999s", LIMITED),
        ("retry-after: soon", LIMITED),
        ("retry-after", LIMITED),
        ("retry-after: 99999999999999999999999999999999999999999h", limited(600_000)),
    ] {
        assert_eq!(found(&format!("{MANIFEST}toomanyrequests: {message}")).again, again, "{message}");
    }
    let text = format!("{MANIFEST}toomanyrequests: retry-after: 985.86µs, allowed: 44000/minute");
    assert_eq!(found(&text).again, Retryability::Limited(Some(Duration::from_nanos(985_860))));
    // Podman itself says how long it waits, but only with debug output.
    let text = "time=\"x\" level=debug msg=\"Too many requests to https://h/v2/: sleeping for 42.000000 seconds before next attempt\"\n\
        Error: reading manifest 1 in h/a: toomanyrequests: slow down\n";
    assert_eq!(classify(text).again, limited(42_000));
    assert_eq!(classify(&text.replace("42.", "1e9")).again, LIMITED);
    assert_eq!(classify(&text.replace("42.", "4200.")).again, limited(600_000));
    // Only a rate limit asks to wait.
    assert_eq!(found(&format!("{MANIFEST}denied: retry-after: 5s")).again, Never);
}

#[test]
fn an_unknown_text_can_pass_and_its_end_is_shown() {
    let known = |why: &str| Meaning { again: Later, why: why.to_owned() };
    assert_eq!(classify("something\nError: the \"moon\" is full\n"), known("the \"moon\" is full"));
    assert_eq!(classify("first\nlast\n"), known("last"));
    assert_eq!(classify(""), known(""));
    assert_eq!(classify("Error: a\u{1b}(B\u{9b}2J\u{202e}b"), known("aB\\u{009b}2J\\u{202e}b"));
}

#[test]
fn a_reason_is_bounded_and_safe_to_print() {
    for head in ["denied: ", "unknown: ", "", "StatusCode: 404, \""] {
        for filler in ["x", "ü", "\u{202e}", "\u{9b}"] {
            let why = found(&format!("{MANIFEST}{head}{}", filler.repeat(5000))).why;
            assert!(why.chars().count() <= 200, "{why}");
            assert!(!why.contains(['\u{202e}', '\u{9b}']), "{why}");
        }
    }
}

#[test]
fn every_reason_is_in_the_documentation_with_its_class() {
    let page = include_str!("../../../../../docs/pull-errors.md");
    let classes = [
        ("## Tried again\n", Later),
        ("## Tried again after a longer wait\n", LIMITED),
        ("## Tried again shortly after boot\n", AtBootOnly),
        ("## Ends at once\n", Never),
    ];
    let mut told: Vec<(Retryability, &str)> = Vec::new();
    for (heading, class) in classes {
        let (_, rest) = page.split_once(heading).unwrap_or_else(|| panic!("no {heading}"));
        let body = rest.split("\n## ").next().unwrap();
        for line in body.lines().filter(|line| line.starts_with("| `")) {
            let (text, reason) = line.trim_start_matches("| `").split_once("` | ").unwrap();
            let reason = reason.trim_end_matches(" |");
            let meaning = found(text);
            assert_eq!(meaning.again, class, "{line}");
            let words = reason.strip_suffix(": …");
            assert!(
                words.map_or(meaning.why == reason, |start| meaning.why.starts_with(&format!("{start}: "))),
                "{line}: {}",
                meaning.why
            );
            told.push((class, reason));
        }
    }
    for Rule(_, sign, again, why) in RULES {
        let why = why.strip_suffix(':').map_or_else(|| (*why).to_owned(), |why| format!("{why}: …"));
        let (start, _) = why.split_once("{status}").unwrap_or((&why, ""));
        let known = told.iter().any(|(class, reason)| {
            class == again && (*reason == why || (start != why && reason.starts_with(start)))
        });
        assert!(known, "docs/pull-errors.md does not tell of {sign:?}: {why}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(text in "\\PC*", bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let lossy = String::from_utf8_lossy(&bytes);
        for text in [&*text, &*lossy] {
            classify(text);
            for head in ["Error: (Mirrors also failed: [", "Error: 2 errors occurred:\n * ", "time=\"x\" level=fatal msg=\"", "{\"level\":\"fatal\",\"msg\":\"", "Error: reading manifest 1 in h/a: ", "Error: toomanyrequests: retry-after: "] {
                classify(&format!("{head}{text}"));
            }
        }
    }

    /// Pieces of real texts in random order reach more code than random characters.
    #[test]
    fn no_mixture_of_texts_panics(pieces in proptest::collection::vec((proptest::sample::select(examples()), any::<proptest::sample::Index>(), "[\"{}<>\\\\: \\n*\\r\u{1b}é]{0,3}"), 0..8)) {
        let mut text = "Error: ".to_owned();
        for (example, cut, noise) in pieces {
            let example = example.text;
            let cut = cut.index(example.len());
            text.push_str(example.get(cut..).unwrap_or(&example));
            text.push_str(&noise);
        }
        let covered = Chain::new(&text).covered;
        prop_assert_eq!(covered.len(), text.len());
        prop_assert!(classify(&text).why.chars().count() <= 200);
    }

    #[test]
    fn white_space_at_the_end_and_warnings_before_change_nothing(
        example in proptest::sample::select(examples()),
        form in 0..5_usize,
        end in "[ \\t\\r\\n]{0,5}",
        warning in prop_oneof![
            Just("WARN[0000] Failed to decode the keys [x]: connection refused\n"),
            Just("time=\"x\" level=warning msg=\"The cgroupv2 manager is set to systemd: manifest unknown\"\n"),
            Just("time=\"x\" level=error msg=\"loading primary layer store data: no space left on device\"\n"),
            Just("{\"level\":\"warning\",\"msg\":\"denied: x\"}\n"),
            Just("warning: the clock is wrong\r\n"),
            Just("Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg.\n"),
            Just("\u{fffd}\u{fffd}\n"),
        ],
    ) {
        let Example { text, again, why } = example;
        let text = as_printed(&text).swap_remove(form);
        let meaning = classify(&format!("{warning}{}{end}", text.trim_end()));
        prop_assert_eq!(meaning, Meaning { again, why: why.to_owned() });
    }
}
