//! `monitor`: prints each relevant change and each change of the verdict.

use serde_json::Value;

use crate::harness::{Exit, Signal, UP0, UP1};
use crate::netns;

#[test]
#[ignore = "needs a network namespace"]
fn lines_as_they_come() {
    let ns = netns!();
    let monitor = ns.monitor(&["-4"]);
    monitor.expect_stdout_where("not ready at first", |l| {
        l.contains("NOT ready") || l.contains("no default IPv4 route")
    });
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0; route add default via 192.0.2.254 dev va0"));
    monitor.expect_stdout_where("the route", |l| l.contains("default via 192.0.2.254 dev va0"));
    monitor.expect_stdout_where("ready", |l| l.contains("Ready") || l.contains("ready"));
    monitor.signal(Signal::SIGTERM);
    assert!(matches!(monitor.expect_exit(), Exit::Signal(15) | Exit::Code(0)), "{}", monitor.transcript());
}

#[test]
#[ignore = "needs a network namespace"]
fn json_is_one_object_a_line() {
    let ns = netns!();
    let monitor = ns.monitor(&["-j", "-i", "va0", "-a", "192.0.2.1"]);
    let verdict =
        |ready: bool| move |l: &str| serde_json::from_str::<Value>(l).is_ok_and(|v| v["ready"] == ready);
    monitor.expect_stdout_where("not ready", verdict(false));
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    monitor.expect_stdout_where("ready", verdict(true));
    let seen = monitor.stdout_lines().len();
    ns.ip("link set vb0 down");
    ns.until("not ready again", || monitor.stdout_lines()[seen..].iter().any(|l| verdict(false)(l)));
    let mut last = 0.0;
    for line in monitor.stdout_lines() {
        let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let timestamp = value["timestamp"].as_str().unwrap();
        let shape: String = timestamp
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect::<String>()
            .replace('-', "+");
        assert_eq!(shape, "9999+99+99T99:99:99.999999+99:99", "{line}");
        assert!(timestamp.contains(value["time"].as_str().unwrap()), "{line}");
        let since_boot = value["since-boot"].as_f64().unwrap();
        assert!(since_boot >= last && since_boot > 0.0, "{line}");
        last = since_boot;
        assert!(value["changed"].is_array(), "{line}");
    }
    let changes: Vec<Value> =
        monitor.stdout_lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(changes[0]["change"], "waiting");
    for word in ["now-ready", "lost"] {
        assert_eq!(changes.iter().filter(|value| value["change"] == word).count(), 1, "{word}: {changes:?}");
    }
}

/// A line has the date, the time and the zone, the effect on the verdict, and the requirement. In a pipe it has no
/// colour.
#[test]
#[ignore = "needs a network namespace"]
fn a_line_says_when_and_what_it_did_to_the_verdict() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let monitor = ns.monitor(&["-i", "va0"]);
    monitor.expect_stdout_where("ready", |l| l.ends_with("  ready          Ready: va0; 192.0.2.1 on va0"));
    ns.ip("link set vb0 down");
    monitor.expect_stdout_where("the loss", |l| l.contains("  lost           unmet  carrier     va0: "));
    ns.ip("link set vb0 up");
    monitor.expect_stdout_where("the return", |l| l.ends_with("  ready again    met    carrier     va0"));
    for line in monitor.stdout_lines() {
        let time: String = line.chars().take(30).map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(time.replace(" -", " +"), "9999-99-99 99:99:99.999 +99:99", "{line}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn what_is_not_relevant_is_not_printed() {
    let ns = netns!();
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    let monitor = ns.monitor(&["-i", "va0", "-a", "192.0.2.1"]);
    monitor.expect_stdout_where("ready", |l| l.contains("eady"));
    ns.ip(&format!("{UP1}; addr add 198.51.100.1/24 dev va1; route add 203.0.113.0/24 dev va1"));
    ns.ip("link set vb0 down");
    monitor.expect_stdout_where("lost", |l| l.contains("NOT ready") || l.contains("carrier"));
    assert!(
        !monitor.stdout().contains("203.0.113.0") && !monitor.stdout().contains("198.51.100.1"),
        "{}",
        monitor.transcript()
    );
}

#[test]
#[ignore = "needs a network namespace"]
fn monitor_has_no_timeout_and_never_notifies_ready() {
    let ns = netns!();
    let monitor = ns.monitor(&["-i", "va0", "-t", "200ms"]);
    monitor.expect_stdout_where("anything", |_| true);
    std::thread::sleep(std::time::Duration::from_millis(400));
    ns.ip(&format!("{UP0}; addr add 192.0.2.1/24 dev va0"));
    monitor.expect_stdout_where("ready", |l| {
        l.starts_with("Ready") || l.contains(" Ready") || l.contains("ready")
    });
    assert_eq!(monitor.count("READY=1"), 0);
}
