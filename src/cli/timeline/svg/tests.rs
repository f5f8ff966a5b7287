//! Tests of the elements of an image.

use roxmltree::{Document as Xml, Node as Element};

use super::*;
use crate::history::read;
use crate::moment::Moment;
use crate::timeline::Waiter;

/// The wall clock of a host that started at 08:15:24.
fn clock(moment: Moment) -> (String, String) {
    let seconds = 8 * 3600 + 15 * 60 + 24 + moment.since_boot().as_secs();
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    ("2026-11-26".to_owned(), time)
}

const BOOT: &str = include_str!("../../../../tests/data/boot.events");

fn timeline(lines: &str, seconds: u64) -> Timeline {
    let events: Vec<_> = lines.lines().map(|line| read(line).unwrap_or_else(|| panic!("{line}"))).collect();
    let at = |millis| Moment::after_boot(Duration::from_millis(millis));
    let waiters = [
        Waiter { unit: "sshd.service".to_owned(), started: at(9_190), active: Some(at(9_260)) },
        Waiter { unit: "web.service".to_owned(), started: at(9_200), active: Some(at(9_700)) },
    ];
    Timeline::of(&events, Some(at(seconds * 1000)), &waiters).unwrap()
}

fn number(element: Element<'_, '_>, name: &str) -> f64 {
    element.attribute(name).unwrap_or_else(|| panic!("no {name}: {element:?}")).parse().unwrap()
}

/// Returns each text with its box, which has the largest possible width.
fn labels<'a>(xml: &'a Xml<'_>) -> Vec<(&'a str, [f64; 4])> {
    let texts = xml.descendants().filter(|node| node.has_tag_name("text"));
    let label = |node: Element<'a, '_>| {
        let words = node.text().unwrap_or_default();
        let (x, y, size) = (number(node, "x"), number(node, "y"), number(node, "font-size"));
        (words, [x, y - 0.8 * size, x + f64::from(wide(words, size as u32)), y + 0.2 * size])
    };
    texts.map(label).filter(|(words, _)| !words.is_empty()).collect()
}

/// Checks what is true of every image: it is XML that loads nothing from elsewhere, each bar has a title, no label
/// covers another, and everything is inside the image.
#[track_caller]
fn assert_sound(image: &str, timeline: &Timeline) {
    let xml = Xml::parse(image).unwrap_or_else(|error| panic!("{error}\n{image}"));
    let root = xml.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    let child = |name: &str| root.children().find(|node| node.has_tag_name(name)).unwrap();
    assert!(child("title").text().unwrap().starts_with("Gate "));
    assert!(!child("desc").text().unwrap().is_empty());
    let view: Vec<f64> = root.attribute("viewBox").unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
    let inside = |[left, top, right, bottom]: [f64; 4]| {
        left >= 0.0 && top >= 0.0 && right <= view[2] && bottom <= view[3]
    };
    for node in xml.descendants() {
        assert!(!matches!(node.tag_name().name(), "script" | "image" | "use" | "foreignObject" | "a"));
        assert!(node.attributes().all(|a| !a.name().starts_with("on") && a.name() != "href"), "{node:?}");
        if node.has_tag_name("rect") {
            let (x, y) = (number(node, "x"), number(node, "y"));
            let (width, height) = (number(node, "width"), number(node, "height"));
            assert!(inside([x, y, x + width, y + height]), "{node:?}");
        }
        if node.has_tag_name("line") {
            assert!(inside([number(node, "x1"), number(node, "y1"), number(node, "x2"), number(node, "y2")]));
        }
    }
    let labels = labels(&xml);
    for (index, (words, one)) in labels.iter().enumerate() {
        assert!(inside(*one), "{words} leaves the image: {one:?}");
        for (others, other) in &labels[index + 1..] {
            let apart = one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
            assert!(apart, "{words:?} {one:?} covers {others:?} {other:?}");
        }
    }
    let is_bar = |node: &Element<'_, '_>| {
        node.has_tag_name("rect")
            && matches!(node.attribute("class"), Some("good" | "pending" | "bad" | "idle"))
    };
    let bars: Vec<_> = xml.descendants().filter(is_bar).collect();
    let titled = bars.iter().filter(|bar| {
        let titles = bar.parent().unwrap().children().filter(|node| node.has_tag_name("title"));
        titles.count() == 1
    });
    let legend = Tone::ALL.iter().filter(|tone| {
        timeline.lanes.iter().flat_map(|lane| &lane.stretches).any(|stretch| stretch.tone == **tone)
    });
    assert_eq!(titled.count(), bars.len() - legend.count(), "all but those of the legend");
    assert!(!image.contains("http:") || image.matches("http").count() == 1, "the name space only");
}

/// The image is the one in the documentation. `UPDATE=1 cargo test` writes it again.
#[test]
fn the_image_of_a_boot_is_the_one_in_the_documentation() {
    let timeline = timeline(BOOT, 3600);
    let image = draw(&timeline, "2026-11-26 08:15:27, 3.20s after the start of this boot", &clock);
    assert_sound(&image, &timeline);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/timeline.svg");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &image).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), image, "UPDATE=1 writes it");
    let xml = Xml::parse(&image).unwrap();
    let texts: Vec<&str> = labels(&xml).into_iter().map(|(words, _)| words).collect();
    for expected in ["Gate default: ready after 5.98s", "e0", "links", "waiting units", "web.service"] {
        assert!(texts.contains(&expected), "{expected}: {texts:?}");
    }
    let longest = "The longest stretch, 5.90s of 5.98s: e0 had no carrier";
    assert!(texts.contains(&longest), "{texts:?}");
}

#[test]
fn any_part_of_a_boot_makes_a_sound_image() {
    let lines: Vec<&str> = BOOT.lines().collect();
    for from in 0..lines.len() {
        for to in (from + 1..=lines.len()).step_by(3) {
            for seconds in [0, 10, 100_000] {
                let timeline = timeline(&lines[from..to].join("\n"), seconds);
                assert_sound(&draw(&timeline, "then", &clock), &timeline);
            }
        }
    }
}

#[test]
fn many_links_long_names_and_texts_of_others_are_bounded() {
    let link = |number: u32| {
        let name = "<b>&\\u001b]]>\\ufffe\\\"'ネットワーク".repeat(9);
        format!(r#"{{"usec":{number},"event":"link","link":"{name}","ifindex":{number},"state":"down"}}"#)
    };
    let reason =
        r#"{"usec":99,"event":"gate","state":"waiting","code":"x","text":"<script>alert(1)</script>"}"#;
    let lines: Vec<String> = (1..=53).map(link).chain([reason.to_owned()]).collect();
    let timeline = timeline(&lines.join("\n"), 10);
    let image = draw(&timeline, "then", &clock);
    assert_sound(&image, &timeline);
    assert!(image.contains("and 37 more links"));
    assert!(image.contains("&lt;script&gt;"), "{image}");
    // A link flaps for a day.
    let flap = |number: u32| {
        let state = if number % 2 == 0 { "carrier" } else { "no-carrier" };
        format!(r#"{{"usec":{number}000000,"event":"link","link":"e0","ifindex":2,"state":"{state}"}}"#)
    };
    let lines: Vec<String> = (1..=2000).map(flap).collect();
    let timeline = self::timeline(&lines.join("\n"), 2001);
    let image = draw(&timeline, "then", &clock);
    assert_sound(&image, &timeline);
    assert!(image.len() < 256 << 10, "{}", image.len());
}

#[test]
fn steps_of_the_axis_are_round() {
    for (least, step) in [
        (Duration::ZERO, Duration::from_millis(1)),
        (Duration::from_millis(700), Duration::from_secs(1)),
        (Duration::from_secs(6), Duration::from_secs(10)),
        (Duration::from_secs(61), Duration::from_secs(120)),
        (Duration::from_secs(86_401), Duration::from_secs(172_800)),
    ] {
        assert_eq!(round_step(least), step, "{least:?}");
    }
}
