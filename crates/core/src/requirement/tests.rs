//! What each kind of requirement says about itself, and the small decisions that depend on its keys.

use super::key::{Heading, ValueType};
use super::*;
use crate::testing::{gate, try_gate};
use crate::wants::Wants;

/// Returns the only item of a gate.
fn item(text: &str) -> Item {
    gate(text).clauses.remove(0).items.remove(0)
}

#[test]
#[rustfmt::skip] // a table: a line is a case
fn each_kind_by_its_words_and_its_family() {
    let (v4, v6) = (Some(Family::V4), Some(Family::V6));
    for (text, shown, noun, family) in [
        ("interface='eth0'; carrier=true", "carrier", "carrier", None),
        ("address='ip'", "address ip", "IP address", None),
        ("address='ipv6'", "address ipv6", "IPv6 address", v6),
        ("address='192.0.2.10'", "address 192.0.2.10", "address 192.0.2.10", v4),
        ("route='default'", "route default", "default route", None),
        ("route='default-ipv4'", "route default-ipv4", "IPv4 default route", v4),
        ("route='2001:db8::/32'; table=7", "route 2001:db8::/32 table 7", "route to 2001:db8::/32 in table 7", v6),
        ("route-to='198.51.100.7'; from='192.0.2.10'", "route-to 198.51.100.7 from 192.0.2.10", "route to 198.51.100.7 from 192.0.2.10", v4),
        ("pasta=true", "pasta", "network for pasta", None),
        ("nameserver=true", "nameserver", "nameserver", None),
        ("dns='example.org'", "dns example.org", "dns example.org", None),
        ("tcp='192.0.2.7:22'", "tcp 192.0.2.7:22", "tcp 192.0.2.7:22", None),
        ("http='http://example.org/'; expect=[200, 401]", "http http://example.org/ expect 200, 401", "http http://example.org/ expect 200, 401", None),
        ("ping='192.0.2.7'", "ping 192.0.2.7", "ping 192.0.2.7", v4),
        ("gateway='any'", "gateway any", "gateway any", None),
        ("gateway='ipv6'", "gateway ipv6", "gateway ipv6", v6),
    ] {
        let item = item(text);
        assert_eq!((item.to_string(), item.requirement().noun(), item.family()), (shown.to_owned(), noun.to_owned(), family), "{text}");
    }
    let Item::Route(spec) = item("route='default'; table='vrf-blue'") else { panic!() };
    assert_eq!(spec.to_string(), "default table vrf-blue");
}

#[test]
fn what_a_key_refines_must_be_there() {
    for (text, valid) in [
        ("http='http://example.org/'; expect=200", true),
        ("tcp='192.0.2.7:22'; expect=200", false),
        ("route='default'; table=7", true),
        ("route-to='198.51.100.7'; table='vrf-blue'", true),
        ("address='ip'; table=7", false),
        ("route-to='198.51.100.7'; from='192.0.2.10'", true),
        ("route='default'; from='192.0.2.10'", false),
    ] {
        assert_eq!(try_gate(text).is_ok(), valid, "{text}");
    }
}

#[test]
fn which_answers_an_http_probe_accepts() {
    let request = |text: &str| {
        let Item::Probe(Probe::Http(request)) = item(text) else { panic!("{text}") };
        request
    };
    let any = request("http='http://example.org/'");
    let named = request("http='http://example.org/'; expect=[429, 503]");
    for (status, by_any, by_named) in [
        (200, true, false),
        (404, true, false),
        (428, true, false),
        (429, false, true),
        (430, true, false),
        (499, true, false),
        (500, false, false),
        (501, false, false),
        (503, false, true),
    ] {
        assert_eq!((any.accepts(status), named.accepts(status)), (by_any, by_named), "{status}");
    }
}

#[test]
fn the_parts_of_a_url() {
    for (text, authority, origin) in [
        ("http://example.org/x", "example.org", "http://example.org"),
        ("http://example.org:80/", "example.org", "http://example.org"),
        ("https://example.org:80/", "example.org:80", "https://example.org:80"),
        ("https://[2001:db8::7]:8443/", "[2001:db8::7]:8443", "https://[2001:db8::7]:8443"),
        ("http://[fe80::7%25eth0]/", "[fe80::7]", "http://[fe80::7%25eth0]"),
    ] {
        let Item::Probe(Probe::Http(request)) = item(&format!("http='{text}'")) else { panic!() };
        assert_eq!((request.url.authority().as_str(), request.url.origin().as_str()), (authority, origin));
    }
}

#[test]
fn what_must_be_read_for_each_kind() {
    let wants = |text: &str| Wants::of(&gate(text));
    assert_eq!(wants("interface='eth0'; carrier=true"), Wants::default());
    assert!(wants("pasta=true").pasta);
    assert!(wants("nameserver=true").nameserver);
    // A change of resolv.conf matters to probes that resolve a name.
    for (text, resolves) in [
        ("dns='example.org'", true),
        ("tcp='example.org:22'", true),
        ("tcp='192.0.2.7:22'", false),
        ("http='http://example.org/'", true),
        ("http='http://192.0.2.7/'", false),
        ("ping='192.0.2.7'", false),
    ] {
        assert_eq!(wants(text).nameserver, resolves, "{text}");
    }
    assert_eq!(wants("gateway='ipv4'").routes, wants("route='default-ipv4'").routes);
    assert_eq!(wants("gateway='any'").routes, wants("route='default'").routes);
    for (text, choice) in
        [("route='default'", true), ("gateway='any'", true), ("interface='eth0'; route='default'", false)]
    {
        assert_eq!(wants(text).choice, choice, "{text}");
    }
    assert_eq!(wants("route-to='198.51.100.7'").route_to.len(), 1);
}

#[test]
#[rustfmt::skip] // a table: a line is a case
fn the_values_that_a_key_takes() {
    for (takes, wanted, list, integers) in [
        (ValueType::Duration, "a duration in quotes", false, true),
        (ValueType::Text, "a text in quotes", false, false),
        (ValueType::TextOrNumber, "a text in quotes, or a number", false, true),
        (ValueType::Flag, "true or false, without quotes", false, false),
        (ValueType::Texts, "a text in quotes, or a list of them", true, false),
        (ValueType::Numbers, "a number, or a list of them", true, true),
    ] {
        assert_eq!((takes.wanted(), takes.is_list(), takes.takes_integers()), (wanted, list, integers), "{takes:?}");
    }
}

#[test]
fn how_options_are_typed_and_where_help_lists_them() {
    assert_eq!(rows::ROUTE_TO.option.as_ref().map(|option| option.typed()).as_deref(), Some("--route-to"));
    let headings = Heading::ALL.map(Heading::text);
    assert_eq!(
        headings,
        ["What to require", "What to ask other hosts, when everything else is met", "How long"]
    );
}
