//! Stories that failed once, in their shortest form.

use super::story::Story;
use super::world::World;

/// What was wrong, and the story.
const KEPT: &[(&str, &str)] = &[
    (
        "an IPv4 address was announced, and bind(2) still refused it",
        "gate 5, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     addr add 192.0.2.7/32 dev va0
     -- the kernel does 1 pieces of its work
     -- netready takes 2 inputs",
    ),
    (
        "an IPv4 address was in the list of addresses before it was announced, and bind(2) still refused it",
        "gate 5, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     addr add 192.0.2.7/32 dev va0
     -- netready takes 2 inputs",
    ),
    (
        "a barrier that failed was repeated at once, again and again",
        "gate 5, settle 0 ms, va0 is a veth
     -- 0 ms pass, and netready keeps up
     addr add 192.0.2.7/32 dev va1
     -- the kernel does 1 pieces of its work
     -- netready takes 5 inputs
     -- the read fails",
    ),
    (
        "a target had no route for a moment during the settle (only where that decision is inverted)",
        "gate 7, settle 700 ms, va0 is a veth
     -4 route add default via 192.0.2.254 dev va0
     -- 0 ms pass, and netready keeps up
     -4 route del default
     -- 600 ms pass
     -4 route add default via 192.0.2.254 dev va0",
    ),
    (
        "after two tables that took long to read, the next reading was put off for more than ten seconds",
        "gate 15, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     -- netready takes 1 inputs
     -- netready takes 7 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     -- a route has 0 ms left
     -- netready takes 2 inputs
     -- 500 ms pass
     -6 route replace default via fe80::8 dev va0 expires 3",
    ),
    (
        "a route refused the target during the settle until a better one came",
        "gate 8, settle 1531 ms, va0 is a card
     -6 route add default via fe80::9 dev va0
     -- 1 ms pass, and netready keeps up
     -6 route add unreachable default metric 20
     -6 route add default via 2001:db8::fe dev va0 metric 10",
    ),
    (
        "a rule refused the target for a moment during the settle",
        "gate 7, settle 700 ms, va0 is a veth
     -4 route add default via 192.0.2.254 dev va0
     -- 0 ms pass, and netready keeps up
     rule add pref 99 to 203.0.113.0/24 unreachable
     -- 600 ms pass
     rule del pref 99 to 203.0.113.0/24 unreachable",
    ),
    (
        "the kernel took a dead route for a moment during the settle",
        "gate 0, settle 700 ms, va0 is a veth
     -4 route add default via 192.0.2.254 dev va0
     cable va0 out
     -4 route add default via 198.51.100.254 dev va1 metric 10
     sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1
     -- 0 ms pass, and netready keeps up
     sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=0
     -- 600 ms pass
     sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1",
    ),
    (
        "a target's route went with its nexthop object and came back during the settle",
        "gate 7, settle 700 ms, va0 is a veth
     nexthop replace id 7 via 192.0.2.254 dev va0
     -4 route replace default nhid 7
     -- 0 ms pass, and netready keeps up
     nexthop del id 7
     -- 600 ms pass
     nexthop replace id 7 via 192.0.2.254 dev va0
     -4 route replace default nhid 7",
    ),
    (
        "a dead route stood before the live one for a moment during the settle",
        "gate 0, settle 700 ms, va0 is a veth
     cable va0 out
     -4 route replace default via 198.51.100.254 dev va1 metric 10
     -- 0 ms pass, and netready keeps up
     -4 route add default via 192.0.2.254 dev va0
     -- 600 ms pass
     -4 route del default",
    ),
    (
        "a gate opened by a route that had just ended, which the kernel showed without an end",
        "gate 16, settle 1903 ms, va0 is a card
     -- netready takes 5 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     -- gate 1 is loaded
     -- netready takes 2 inputs
     -- the read is interrupted",
    ),
    (
        "a message from before the dump said that an address can be used, which was tentative again",
        "gate 6, settle 0 ms, va0 is a veth
     -- netready takes 1 inputs
     sysctl net.ipv6.conf.va0.keep_addr_on_down=1
     addr add 2001:db8::7/64 dev va0
     -- the kernel does 3 pieces of its work
     -- 1500 ms pass
     -- the kernel does 1 pieces of its work
     link set va0 down",
    ),
    (
        "a next hop without an address was dead, and could be used again with the next address, without a message",
        "gate 0, settle 0 ms, va0 is a veth
     -4 route replace default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1
     cable va1 out
     -- 2 ms pass
     -- the kernel does 99 pieces of its work
     addr del 192.0.2.1/24 dev va0
     -- the kernel does 99 pieces of its work
     -- netready takes 99 inputs
     -- netready takes 99 inputs
     addr add 192.0.2.1/24 dev va0",
    ),
    (
        "the same, read after the address was announced and before the next hop could be used",
        "gate 0, settle 0 ms, va0 is a veth
     -4 route replace default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1
     cable va1 out
     -- 2 ms pass
     -- the kernel does 99 pieces of its work
     addr del 192.0.2.1/24 dev va0
     -- the kernel does 99 pieces of its work
     -- netready takes 99 inputs
     -- netready takes 99 inputs
     addr add 192.0.2.1/24 dev va0
     -- netready takes 99 inputs",
    ),
    (
        "the timer of the grace was late, so the settle began late (the test took this for a second settle)",
        "gate 15, settle 1100 ms, va0 is a veth
     -4 route replace default via 192.0.2.254 dev va0
     -- netready takes 99 inputs
     -- netready takes 99 inputs
     -- 2260 ms pass",
    ),
    (
        "a clause with a grace ceased to hold, and the kernel had not announced it (the test did not allow for that)",
        "gate 15, settle 0 ms, va0 is a card
     -6 route add default via fe80::9 dev va0
     -- netready takes 2 inputs
     -- the kernel does 1 pieces of its work
     -- netready takes 3 inputs
     -- netready takes 7 inputs
     -4 route add default via 198.51.100.254 dev va1 metric 10
     link set va0 down
     -- netready takes 12 inputs",
    ),
    (
        "two tables that took long to read put the next reading off for more than ten seconds",
        "gate 2, settle 0 ms, va0 is a card
     -- netready takes 5 inputs
     -- netready takes 7 inputs
     -- 500 ms pass
     rule add pref 99 to 203.0.113.0/24 unreachable
     -- netready takes 2 inputs
     -- 1000 ms pass",
    ),
    (
        "carrier was lost at the moment in which links were read, but after that (the test took it for earlier)",
        "gate 9, settle 207 ms, va0 is a card
     -4 route replace 203.0.113.0/24 via 198.51.100.254 dev va1
     -- the kernel does 1 pieces of its work
     -- netready takes 10 inputs
     -- netready takes 5 inputs
     -- 500 ms pass
     -- netready takes 5 inputs
     cable va1 out",
    ),
    (
        "a route was removed shortly before its end, and netready was about to read again (the test did not wait for that)",
        "gate 15, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     -- netready takes 1 inputs
     -- netready takes 8 inputs
     -- 1973 ms pass
     -4 route replace default via 192.0.2.254 dev va0 metric 10
     -6 route del default",
    ),
    (
        "the same, and a gate was loaded that the rest of the routes meets",
        "gate 13, settle 0 ms, va0 is a card
     -- netready takes 2 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     link set va1 name lan0
     -4 route add default via 192.0.2.254 dev va0
     -- gate 2 is loaded
     -4 route replace default via 198.51.100.254 dev va1
     -- netready takes 5 inputs
     -- netready takes 4 inputs
     -- netready takes 4 inputs
     -6 route del default
     -- 20 ms pass
     -- netready takes 5 inputs
     -- 38 ms pass
     -- 1906 ms pass
     -- gate 0 is loaded
     -- 10 ms pass",
    ),
    (
        "an address was deprecated, and not announced yet, after carrier was lost (the test did not allow for that)",
        "gate 4, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     cable va0 out
     -- netready takes 1 inputs
     addr change 2001:db8::1/64 dev va0 nodad valid_lft 900 preferred_lft 0
     -- netready takes 1 inputs",
    ),
    (
        "links could not be read, then a table could not be read either, and the links were forgotten",
        "gate 2, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     -6 route replace default via fe80::8 dev va0 expires 3
     -- the read is interrupted
     addr add 192.0.2.1/24 dev va0
     -- netready takes 5 inputs
     -- netready takes 8 inputs
     -- netready takes 1 inputs
     -- 100 ms pass
     -- the read is interrupted",
    ),
    (
        "a link lost its carrier, and another link took over before that was announced",
        "gate 7, settle 2646 ms, va0 is a card
     -- netready takes 2 inputs
     -- gate 3 is loaded
     addr del 192.0.2.1/24 dev va0
     -- 1 ms pass, and netready keeps up
     cable va1 out
     addr change 192.0.2.1/24 dev va0 valid_lft 900 preferred_lft 800",
    ),
    (
        "a second link took over, lost its carrier, and an address came before that was announced",
        "gate 3, settle 436 ms, va0 is a veth
     -- netready takes 5 inputs
     -- netready takes 1 inputs
     -- netready takes 1 inputs
     addr change 192.0.2.1/24 dev va0 valid_lft 900 preferred_lft 0
     -- netready takes 1 inputs
     cable va1 out
     -- 1 ms pass
     -- netready takes 5 inputs
     addr add 192.0.2.8/24 dev va0",
    ),
    (
        "a route ended while netready was not woken, and another route came",
        "gate 1, settle 355 ms, va0 is a card
     -- netready takes 5 inputs
     -- netready takes 1 inputs
     -6 route replace default via fe80::9 dev va0 expires 2
     -- the kernel does 2 pieces of its work
     -- netready takes 2 inputs
     -- netready takes 10 inputs
     -- 2000 ms pass
     -6 route add default via 2001:db8::fe dev va0 metric 10",
    ),
    (
        "a route ended, and netready did not know the other one, so the settle began again (the test did not allow for that)",
        "gate 2, settle 2870 ms, va0 is a veth
     rule add pref 99 to 203.0.113.0/24 unreachable
     -6 route replace default via fe80::9 dev va0 expires 2
     -4 route replace default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1",
    ),
    (
        "a secondary address could not be bound for a moment, because the kernel promoted it",
        "gate 5, settle 2163 ms, va0 is a card
     sysctl net.ipv4.conf.va0.promote_secondaries=1
     addr add 192.0.2.7/24 dev va0
     -- 1 ms pass, and netready keeps up
     addr del 192.0.2.1/24 dev va0",
    ),
    (
        "a connection leaves from an address that bind(2) refuses while the kernel promotes it (the test did not allow for that)",
        "gate 12, settle 0 ms, va0 is a veth
     -- netready takes 2 inputs
     -- gate 0 is loaded
     addr add 192.0.2.7/24 dev va0
     sysctl net.ipv4.conf.va0.promote_secondaries=1
     -- 0 ms pass, and netready keeps up
     -4 route add default via 192.0.2.254 dev va0 src 192.0.2.7 metric 5
     addr del 192.0.2.1/24 dev va0
     -- netready takes 6 inputs",
    ),
    (
        "a link that had no address got one, from which a connection leaves at once (the test did not allow for that)",
        "gate 9, settle 957 ms, va0 is a card
     nexthop replace id 7 via 192.0.2.254 dev va0
     addr del 192.0.2.1/24 dev va0
     -4 route replace 203.0.113.0/24 nhid 7
     link set lan0 name va1
     -- netready takes 10 inputs
     -- netready takes 1 inputs
     -- netready takes 5 inputs
     -- 1 ms pass
     addr change 192.0.2.1/24 dev va0 valid_lft 900 preferred_lft 800",
    ),
    (
        "a better route to the target came, and went with its link",
        "gate 14, settle 1769 ms, va0 is a card
     -4 route add default via 192.0.2.254 dev va0
     -- 1 ms pass, and netready keeps up
     -4 route add 203.0.113.0/25 via 198.51.100.254 dev va1
     link del va1",
    ),
    (
        "a better default route came, and its link was set down",
        "gate 7, settle 2092 ms, va0 is a veth
     -4 route replace default via 192.0.2.254 dev va0 metric 10
     -- 0 ms pass, and netready keeps up
     -4 route append default via 198.51.100.254 dev va1
     -- 1 ms pass
     link set va1 down",
    ),
    (
        "the kernel returned to a better route for a moment, because its link had carrier for that time",
        "gate 0, settle 700 ms, va0 is a veth
     sysctl net.ipv4.conf.all.ignore_routes_with_linkdown=1
     -4 route add default via 192.0.2.254 dev va0
     -4 route add default via 198.51.100.254 dev va1 metric 10
     cable va0 out
     -- 0 ms pass
     -- the kernel does 99 pieces of its work
     -- 0 ms pass, and netready keeps up
     -- 1 ms pass
     cable va0 in
     -- 0 ms pass
     -- the kernel does 99 pieces of its work
     -- 1 ms pass
     cable va0 out
     -- 0 ms pass
     -- the kernel does 99 pieces of its work",
    ),
    (
        "a dead next hop could be used for a moment, because its link was up for that time",
        "gate 7, settle 700 ms, va0 is a veth
     -4 route replace default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1
     link set va0 down
     -- 0 ms pass
     -- the kernel does 99 pieces of its work
     -- 0 ms pass, and netready keeps up
     -- 1 ms pass
     link set va0 up
     -- 0 ms pass
     -- the kernel does 99 pieces of its work
     -- 1 ms pass
     link set va0 down
     -- 0 ms pass
     -- the kernel does 99 pieces of its work",
    ),
    (
        "the only address was deprecated and another one came, both while the addresses were read",
        "gate 4, settle 983 ms, va0 is a veth
     -- netready takes 5 inputs
     -- netready takes 1 inputs
     -- netready takes 2 inputs
     addr change 2001:db8::1/64 dev va0 nodad valid_lft 900 preferred_lft 0
     -- 1000 ms pass
     -- netready takes 3 inputs
     addr add 2001:db8:1::1/64 dev va1 nodad",
    ),
    (
        "a route ended that the gate did not rest on any more, and the settle began again",
        "gate 1, settle 2461 ms, va0 is a veth
     -6 route replace default via fe80::8 dev va0 expires 3
     -- a route has 10 ms left
     -- 0 ms pass, and netready keeps up
     -6 route add default via 2001:db8::fe dev va0 metric 10
     addr del 2001:db8::7/64 dev va0
     -- netready takes 8 inputs
     -- 390 ms pass",
    ),
    (
        "a route ended and the other one was there all the time, but netready looked late, and the settle began again",
        "gate 2, settle 532 ms, va0 is a veth
     -- 0 ms pass, and netready keeps up
     -4 route replace default via 198.51.100.254 dev va1
     -- the kernel does 1 pieces of its work
     -- netready takes 1 inputs
     rule add pref 99 to 203.0.113.0/24 unreachable
     -- the kernel does 1 pieces of its work
     -- netready takes 11 inputs
     -6 route replace default via fe80::8 dev va0 expires 3
     -- a route has 10 ms left",
    ),
    (
        "around the end of a route the settle did not begin again at once after a break, but only after a long read",
        "gate 2, settle 532 ms, va0 is a veth
     -- 0 ms pass, and netready keeps up
     -4 route replace default via 198.51.100.254 dev va1
     -- the kernel does 1 pieces of its work
     -- netready takes 10 inputs
     rule add pref 99 to 203.0.113.0/24 unreachable
     -- the kernel does 1 pieces of its work
     -- netready takes 11 inputs
     -6 route replace default via fe80::8 dev va0 expires 3
     -- a route has 10 ms left",
    ),
    (
        "the same, and the break was that the route ended",
        "gate 8, settle 1386 ms, va0 is a card
     -6 route replace default via fe80::9 dev va0 expires 2
     -- 0 ms pass, and netready keeps up
     -- a route has 0 ms left
     -6 route add 2001:db8:7::/48 via fe80::9 dev va1
     -- 0 ms pass, and netready keeps up
     -- 500 ms pass",
    ),
    (
        "the gate could not open around the end of a route, and its grace began only after that",
        "gate 15, settle 0 ms, va0 is a card
     -6 route replace default via fe80::8 dev va0 expires 3
     -- a route has 10 ms left
     -- netready takes 1 inputs
     nexthop replace id 7 via 192.0.2.254 dev va0
     -4 route replace default nhid 7
     -- 0 ms pass, and netready keeps up
     -- 500 ms pass",
    ),
    (
        "the same, and the next read was put off for ten seconds",
        "gate 2, settle 0 ms, va0 is a veth
     -- netready takes 2 inputs
     -- gate 0 is loaded
     -6 route replace default via fe80::9 dev va0 expires 2
     -- 0 ms pass, and netready keeps up
     -- gate 15 is loaded
     -- netready takes 4 inputs
     -- netready takes 1 inputs
     -- netready takes 8 inputs
     -- a route has 1 ms left
     -4 route replace default via 192.0.2.254 dev va0 metric 10",
    ),
    (
        "the route of an optional clause ended while a read was put off, and the settle of the rest began again",
        "gate 15, settle 629 ms, va0 is a veth
     -6 route replace default via fe80::9 dev va0 expires 2
     rule del pref 99 to 203.0.113.0/24 unreachable
     -- netready takes 10 inputs
     -- netready takes 1 inputs
     -- netready takes 1 inputs
     -- netready takes 6 inputs
     -- a route has 10 ms left
     -4 route replace default via 192.0.2.254 dev va0 metric 10",
    ),
    (
        "a gate opened while the kernel was adding a secondary address again whose primary address was removed",
        "gate 5, settle 0 ms, va0 is a veth
     -- netready takes 5 inputs
     sysctl net.ipv4.conf.va0.promote_secondaries=1
     -- netready takes 1 inputs
     addr add 192.0.2.8/24 dev va0
     -4 route del 203.0.113.0/24
     -- netready takes 1 inputs
     addr del 192.0.2.1/24 dev va0
     addr add 192.0.2.7/24 dev va0
     addr del 192.0.2.8/24 dev va0
     -- the kernel does 2 pieces of its work
     -- netready takes 7 inputs",
    ),
    (
        "the end of a route was shown only before the first verdict, and the route was followed by another one",
        "gate 2, settle 1941 ms, va0 is a card
     -- netready takes 5 inputs
     -- netready takes 1 inputs
     -6 route replace default via fe80::8 dev va0 expires 3
     -4 route replace 203.0.113.0/24 nhid 7
     -- netready takes 10 inputs
     -- a route has 1 ms left
     -- 0 ms pass, and netready keeps up
     -- 1 ms pass
     -4 route add default via 192.0.2.254 dev va0",
    ),
    (
        "a gate was reloaded after the settle of the one before was over, and its own settle began up to a timer later",
        "gate 2, settle 370 ms, va0 is a veth
     -6 route replace default via fe80::9 dev va0 expires 2
     -- 0 ms pass, and netready keeps up
     -- gate 0 is loaded
     -4 route replace default nexthop via 192.0.2.254 dev va0 nexthop via 198.51.100.254 dev va1
     -- a route has 0 ms left
     -- 0 ms pass, and netready keeps up
     -- 500 ms pass",
    ),
];

#[test]
fn stories_that_failed_once_fail_no_more() {
    for (what, text) in KEPT {
        let story: Story = text.parse().unwrap();
        assert_eq!(text.parse::<Story>().unwrap().to_string().parse::<Story>().unwrap(), story);
        if let Err(why) = World::new(&story).play(&story.steps) {
            panic!("{what}: {why}\n{story}");
        }
    }
}
