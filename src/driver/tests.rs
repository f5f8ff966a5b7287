//! Tests of the driver with this kernel, each in a network namespace of its own: the driver also sees changes that
//! the kernel does not announce.

use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use netready_core::testing::options;

use super::*;
use crate::config::{Environment, GateRequest, load};
use crate::evaluate::evaluate;
use crate::model::{Lookup, Message, RouteKind};
use crate::netlink::RECEIVE_BUFFER;
use crate::netlink::tests::{batch, in_namespace, ip, veth};
use crate::requirement::RouteTo;

/// How long a test waits for what must come. On a busy machine the kernel's workers come late.
const SOON: Duration = Duration::from_secs(60);

fn gate(words: &str) -> Gate {
    load(
        &GateRequest { gate: None, options: options(words) },
        &Environment::from_process(),
        &crate::config::NoLinks,
    )
    .unwrap()
    .gate
}

fn default_ipv4() -> Gate {
    gate("-4")
}

async fn opened(gate: &Gate, receive_buffer: usize) -> Driver<'static> {
    let (mode, gate) = (Mode::Watch, gate.clone());
    let setup = Setup { mode, gate, began: clock::now(), receive_buffer, signals: None, earlier: None };
    let mut driver = Driver::new(setup).unwrap();
    settle(&mut driver).await;
    driver
}

/// Runs the session until its state is current.
async fn settle(driver: &mut Driver<'_>) {
    loop {
        driver.look().await.unwrap();
        if driver.session().is_current() {
            return;
        }
        // A read was postponed, so wait for the next event.
        driver.advance(&mut Silent).await.unwrap();
    }
}

async fn ready(driver: &mut Driver<'_>) -> bool {
    settle(driver).await;
    driver.session().verdict().ready()
}

/// Waits until the gate is ready or not ready. The kernel's linkwatch announces carrier up to a second later.
async fn becomes(wanted: bool, driver: &mut Driver<'_>) {
    let mut timer = clock::Timer::new().unwrap();
    timer.set(Some(clock::now() + SOON)).unwrap();
    while ready(driver).await != wanted {
        tokio::select! {
            changed = driver.notifications.readable() => { changed.unwrap(); }
            _ = timer.fired() => panic!("still {}ready", if wanted { "not " } else { "" }),
        }
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn routes_that_go_without_a_word_are_seen_to_be_gone() {
    // Each of these commands removes the default route without an RTM_DELROUTE.
    let ways =
        ["link set va0 down", "addr flush dev va0", "link del va0", "nexthop del id 7", "link set vb0 down"];
    for way in ways {
        std::thread::spawn(move || {
            in_namespace(async || {
                veth();
                match way.contains("nexthop") {
                    true => batch("nexthop add id 7 via 192.0.2.1 dev va0\nroute add default nhid 7\n"),
                    false => ip("route add default via 192.0.2.1"),
                }
                let gate = default_ipv4();
                let mut driver = opened(&gate, RECEIVE_BUFFER).await;
                assert!(ready(&mut driver).await, "{way}: before");
                ip(way);
                becomes(false, &mut driver).await;
            });
        })
        .join()
        .unwrap();
    }
}

#[test]
#[ignore = "needs a network namespace"]
fn a_route_is_live_again_when_carrier_is_back_though_no_route_message_says_so() {
    in_namespace(async || {
        veth();
        ip("route add default via 192.0.2.1");
        let gate = default_ipv4();
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        ip("link set vb0 down");
        becomes(false, &mut driver).await;
        ip("link set vb0 up");
        becomes(true, &mut driver).await;
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_connection_that_ended_is_made_anew() {
    in_namespace(async || {
        veth();
        let gate = default_ipv4();
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        driver.reader.end_connections();
        ip("route add default via 192.0.2.1");
        assert!(ready(&mut driver).await);
        driver.reader.end_connections();
        ip("link set va0 down");
        becomes(false, &mut driver).await;
    });
}

/// A table of thousands of routes is not read to its end, so the next question needs a new socket.
#[test]
#[ignore = "needs a network namespace"]
fn no_event_waits_for_a_new_socket_after_a_large_table() {
    in_namespace(async || {
        veth();
        let route = |n: u32| format!("route add 16.{}.{}.0/24 via 192.0.2.1\n", n >> 8, n & 255);
        batch(&(0..3000).map(route).collect::<String>());
        let mut driver = opened(&default_ipv4(), RECEIVE_BUFFER).await;
        assert!(driver.reader.needs_a_socket(), "the table was read to its end");
        ip("route add default via 192.0.2.1");
        // It goes to sleep and wakes, and has not asked anything yet.
        driver.advance(&mut Silent).await.unwrap();
        assert!(!driver.reader.needs_a_socket());
        assert!(ready(&mut driver).await);
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn an_overrun_loses_nothing_in_the_end() {
    in_namespace(async || {
        veth();
        let gate = default_ipv4();
        let mut driver = opened(&gate, 4096).await;
        // Nobody reads from the socket meanwhile, so these changes overrun the buffer.
        let mut lines: String = (0..200).map(|i| format!("addr add 10.1.0.{}/32 dev va0\n", i + 1)).collect();
        lines.push_str("route add default via 192.0.2.1\n");
        lines.extend((0..200).map(|i| format!("addr del 10.1.0.{}/32 dev va0\n", i + 1)));
        batch(&lines);
        assert!(ready(&mut driver).await);
        // The kernel gives the link an IPv6 address of its own, at any time.
        let network = driver.network();
        let ipv4 = network.addresses().filter(|address| address.local.is_ipv4());
        assert_eq!(ipv4.filter(|address| network.ifname(address.ifindex) == "va0").count(), 2);
    });
}

/// The test has both families, because they take the same path.
#[test]
#[ignore = "needs a network namespace"]
fn a_default_that_a_more_specific_route_hides_from_lookups_is_found_in_the_table() {
    in_namespace(async || {
        veth();
        batch(
            "route add default via 192.0.2.1\nroute add 0.0.0.0/1 via 192.0.2.2\nroute add 128.0.0.0/1 via 192.0.2.2\n\
             addr add 2001:db8:1::10/64 dev va0 nodad\nroute add default via 2001:db8:1::1\n\
             route add ::/1 via 2001:db8:1::2\nroute add 2000::/3 via 2001:db8:1::2\n",
        );
        for gate in [default_ipv4(), gate("-6")] {
            let mut driver = opened(&gate, RECEIVE_BUFFER).await;
            assert!(ready(&mut driver).await, "{gate:?}");
            assert!(!driver.network().routes.complete.is_empty(), "the table was read");
        }
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_lookup_is_enough_where_no_table_must_be_read() {
    in_namespace(async || {
        veth();
        ip("route add default via 192.0.2.1");
        let gate = default_ipv4();
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        assert!(ready(&mut driver).await);
        assert!(driver.network().routes.complete.is_empty(), "no table was read");
    });
}

/// Two links with a default route each, in both families. The link with the better metric has no carrier.
fn dead_before_live() {
    batch(
        "link add va0 type veth peer name vb0\nlink set lo up\nlink set va0 up\nlink set vb0 up\n\
         link add vc0 type veth peer name vd0\nlink set vc0 up\nlink set vd0 up\n\
         addr add 192.0.2.10/24 dev va0\naddr add 2001:db8:1::10/64 dev va0 nodad\n\
         addr add 198.51.100.10/24 dev vc0\naddr add 2001:db8:2::10/64 dev vc0 nodad\n\
         route add default via 192.0.2.1 metric 50\nroute add default via 198.51.100.1 metric 100\n\
         route add default via 2001:db8:1::1 metric 50\nroute add default via 2001:db8:2::1 metric 100\n\
         link set vb0 down\n",
    );
}

/// Sets a sysctl in this thread's namespace.
fn sysctl(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{}", name.replace('.', "/")), value).unwrap();
}

fn families() -> [(&'static str, Gate); 2] {
    [("ipv4", default_ipv4()), ("ipv6", gate("-6"))]
}

/// The setting changes no route, no link and no address. Only a netconf message announces it.
#[test]
#[ignore = "needs a network namespace"]
fn a_dead_default_hides_a_live_one_until_the_kernel_is_told_to_pass_it_over() {
    in_namespace(async || {
        dead_before_live();
        for (family, gate) in families() {
            let mut driver = opened(&gate, RECEIVE_BUFFER).await;
            let flagged = |driver: &Driver<'_>| {
                driver.network().routes.known.iter().flat_map(|route| &route.hops).any(|hop| hop.linkdown)
            };
            // The kernel's linkwatch sets the flag up to a second later.
            while !flagged(&driver) {
                driver.notifications.readable().await.unwrap();
                assert!(!ready(&mut driver).await);
            }
            for of in ["va0", "all"] {
                let setting = format!("{family}.conf.{of}.ignore_routes_with_linkdown");
                sysctl(&setting, "1");
                driver.notifications.readable().await.unwrap();
                assert!(ready(&mut driver).await, "{setting}");
                sysctl(&setting, "0");
                driver.notifications.readable().await.unwrap();
                assert!(!ready(&mut driver).await, "{setting}");
            }
            // Another setting of the link does not concern routes.
            sysctl(&format!("{family}.conf.va0.forwarding"), "1");
            driver.notifications.readable().await.unwrap();
            while let Notification::Message(message) = driver.notifications.take().unwrap() {
                assert!(!matches!(message, Message::IgnoreLinkdown(_)), "{family}");
            }
            sysctl(&format!("{family}.conf.va0.forwarding"), "0");
        }
    });
}

/// The kernel had skipped the route, so it was not among the routes that were read. It comes back with its link.
/// The link has only a link-local address, so the route that the kernel selects then is unusable.
#[test]
#[ignore = "needs a network namespace"]
fn a_route_that_was_passed_over_hides_again_when_its_link_is_back() {
    in_namespace(async || {
        dead_before_live();
        batch(
            "addr flush dev va0 scope global\naddr add 169.254.9.9/16 dev va0\nroute add default dev va0 metric 50\n",
        );
        sysctl("ipv4.conf.all.ignore_routes_with_linkdown", "1");
        let gate = default_ipv4();
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        becomes(true, &mut driver).await;
        ip("link set vb0 up");
        becomes(false, &mut driver).await;
        ip("link set vb0 down");
        becomes(true, &mut driver).await;
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_refusing_default_hides_a_live_one_while_it_stands() {
    in_namespace(async || {
        dead_before_live();
        ip("link set vb0 up");
        for (family, gate) in families() {
            let family = if family == "ipv4" { "-4" } else { "-6" };
            let mut driver = opened(&gate, RECEIVE_BUFFER).await;
            becomes(true, &mut driver).await;
            for kind in ["unreachable", "blackhole", "prohibit", "throw"] {
                ip(&format!("{family} route add {kind} default metric 1"));
                assert!(!ready(&mut driver).await, "{kind}");
                ip(&format!("{family} route del {kind} default metric 1"));
                assert!(ready(&mut driver).await, "{kind}");
                ip(&format!("{family} route add {kind} default metric 4000"));
                assert!(ready(&mut driver).await, "{kind}");
                ip(&format!("{family} route del {kind} default metric 4000"));
            }
        }
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn a_lookup_obeys_policy_rules() {
    in_namespace(async || {
        veth();
        batch("route add default via 192.0.2.1 table 100\n");
        let target = IpAddr::from([198, 51, 100, 7]);
        let gate = gate(&format!("--route-to {target}"));
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        assert!(!ready(&mut driver).await);
        ip("rule add to 198.51.100.0/24 table 100");
        assert!(ready(&mut driver).await);
        assert!(matches!(driver.network().lookups[&RouteTo::target(target)], Lookup::Path { .. }));
        ip("rule del to 198.51.100.0/24 table 100");
        assert!(!ready(&mut driver).await);
    });
}

#[test]
#[ignore = "needs a network namespace"]
fn an_unreachable_default_is_read_as_what_it_is() {
    in_namespace(async || {
        veth();
        ip("route add unreachable default metric 4278198272");
        let gate = default_ipv4();
        let mut driver = opened(&gate, RECEIVE_BUFFER).await;
        assert!(!ready(&mut driver).await);
        assert_eq!(driver.network().routes.known[0].kind, RouteKind::Unreachable);
    });
}

/// After any sequence of changes, the state that the driver keeps from events is the same as in a new driver.
#[test]
#[ignore = "needs a network namespace"]
fn the_kept_state_equals_a_new_read() {
    let steps = [
        "link set {} up",
        "link set {} down",
        "link set {} up",
        "addr add 10.0.{n}.1/24 dev {}",
        "addr del 10.0.{n}.1/24 dev {}",
        "addr add 2001:db8:{n}::1/64 dev {} nodad",
        "addr flush dev {}",
        "route add default via 192.0.2.1",
        "route del default",
        "route replace default dev {} metric 5",
        "route add unreachable default metric 900",
        "route add blackhole default",
        "route add default via 192.0.2.1 tos 16",
        "route append default dev {} metric 5",
        "route flush table main",
        "link set {} name vx{n}",
        "link add vy{n} type veth peer name vz{n}",
        "link del {}",
        "nexthop replace id 7 dev {}",
        "nexthop del id 7",
        "route replace default nhid 7",
        "route add 198.51.100.0/24 dev {}",
        "route add default dev {} table 100",
    ];
    for receive_buffer in [RECEIVE_BUFFER, 4096] {
        for seed in 0..6_u64 {
            std::thread::spawn(move || {
                in_namespace(async || {
                    veth();
                    let gate = gate("-r default -r 198.51.100.0/24");
                    let mut driver = opened(&gate, receive_buffer).await;
                    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                    let mut history = Vec::new();
                    for _ in 0..12 {
                        for _ in 0..6 {
                            random = random
                                .wrapping_mul(6_364_136_223_846_793_005)
                                .wrapping_add(1_442_695_040_888_963_407);
                            let number = random >> 33;
                            let names: Vec<String> =
                                driver.network().links().map(|link| link.ifname.clone()).collect();
                            let name = &names[usize::try_from(number).unwrap() / 64 % names.len()];
                            let step = steps[usize::try_from(number).unwrap() % steps.len()]
                                .replace("{}", name)
                                .replace("{n}", &(number % 4).to_string());
                            // Many commands fail, because the link already exists or the address does not.
                            let done = Command::new("ip")
                                .args(step.split_whitespace())
                                .stderr(Stdio::null())
                                .status()
                                .unwrap();
                            history.push((step, done.success()));
                        }
                        // The kernel continues to change the state by itself for a while (operstate, duplicate
                        // address detection). So a difference counts only if it stays.
                        let deadline = clock::now() + SOON;
                        loop {
                            settle(&mut driver).await;
                            let fresh = opened(&gate, RECEIVE_BUFFER).await;
                            let (kept, fresh) = (driver.network(), fresh.network());
                            let verdict = |network| {
                                let verdict = evaluate(&gate, network, Moment::default());
                                (verdict.ready(), verdict.unread)
                            };
                            if kept.links().eq(fresh.links())
                                && announced(kept).eq(announced(fresh))
                                && verdict(kept) == verdict(fresh)
                            {
                                break;
                            }
                            assert!(
                                clock::now() < deadline,
                                "seed {seed}: {history:#?}\n{kept:#?}\n{fresh:#?}"
                            );
                            std::thread::park_timeout(Duration::from_millis(2));
                        }
                    }
                });
            })
            .join()
            .unwrap();
        }
    }
}

/// The kernel announces a link-local address that it made itself only after the address is usable.
fn announced(network: &crate::model::Network) -> impl Iterator<Item = &crate::model::Address> {
    let hidden =
        |address: &crate::model::Address| address.tentative() && crate::model::link_local(address.local);
    network.addresses().filter(move |address| !hidden(address))
}
