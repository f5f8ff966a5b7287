//! Messages of a real kernel (6.18), recorded by `record.py`.

use super::{recorded, said};

/// What each message says.
const SAYS: &[(&str, &str)] = &[
    ("veth", "link 100 ve0 Down kind veth mac 02:00:00:00:00:64"),
    ("veth up", "link 100 ve0 UP LOWER_UP RUNNING Up kind veth mac 02:00:00:00:00:64"),
    ("veth lost its carrier", "link 100 ve0 UP LowerLayerDown kind veth mac 02:00:00:00:00:64"),
    ("altname", "link 100 ve0 UP LOWER_UP RUNNING Up kind veth alt lan0 alt a-name-that-is-longer-than-sixteen mac 02:00:00:00:00:64"),
    ("bridge", "link 102 br0 Down kind bridge mac random"),
    ("fresh bridge up", "link 102 br0 UP LOWER_UP RUNNING Unknown kind bridge mac random"),
    ("of a bridge port, AF_BRIDGE", "irrelevant"),
    ("bridge port", "link 103 ve2 UP LOWER_UP RUNNING Up kind veth master 102 port bridge mac 02:00:00:00:00:67"),
    ("bridge port gone, AF_BRIDGE", "irrelevant"),
    ("macvlan", "link 105 mv0 Down kind macvlan on 100 mac 02:00:00:00:00:69"),
    ("macvtap", "link 106 mt0 Down kind macvtap on 100 mac 02:00:00:00:00:6a"),
    ("vxlan", "link 107 vx0 Down kind vxlan mac 02:00:00:00:00:6b"),
    ("ifb", "link 108 ifb9 Down kind ifb mac 02:00:00:00:00:6c"),
    ("tun", "link 2 tun0 Down kind tun"),
    ("tap", "link 3 tap0 Down kind tun mac random"),
    ("lo", "link 1 lo UP LOWER_UP RUNNING LOOPBACK Unknown"),
    ("IPv6 disabled", "link 104 ve3 UP LOWER_UP RUNNING Up kind veth mac random noipv6"),
    ("dormant", "link 100 ve0 UP LOWER_UP Dormant kind veth alt lan0 alt a-name-that-is-longer-than-sixteen mac 02:00:00:00:00:64"),
    ("renamed", "link 104 ve9 UP LOWER_UP RUNNING Up kind veth mac random noipv6"),
    ("link gone", "link 103 gone"),
    ("dumped veth", "link 100 ve0 UP LOWER_UP RUNNING Up kind veth alt lan0 alt a-name-that-is-longer-than-sixteen mac 02:00:00:00:00:64"),
    ("veth whose peer is elsewhere", "link 110 ve4 UP Down kind veth mac random"),
    ("IPv4 address", "address 192.0.2.10/24 dev 100 scope 0"),
    ("IPv4 peer", "address 203.0.113.10/32 peer 203.0.113.1 dev 100 scope 0"),
    ("IPv4 link scope", "address 169.254.7.1/16 dev 100 scope 253"),
    ("IPv6 tentative", "address 2001:db8::10/64 dev 100 scope 0 tentative"),
    ("IPv6 nodad", "address 2001:db8::11/64 dev 100 scope 0"),
    ("IPv6 deprecated", "address 2001:db8::11/64 dev 100 scope 0 deprecated"),
    ("IPv6 peer", "address 2001:db8:5::10/128 peer 2001:db8:5::1 dev 100 scope 0"),
    ("IPv4 address gone", "address gone 203.0.113.10/32 peer 203.0.113.1 dev 100 scope 0"),
    ("IPv6 address gone", "address gone 2001:db8:5::10/128 peer 2001:db8:5::1 dev 100 scope 0"),
    ("IPv4 default", "route Unicast 0.0.0.0/0 via 192.0.2.1 dev 100 src 192.0.2.10 table 254 metric 100"),
    ("IPv4 replaced", "route replaced Unicast 0.0.0.0/0 via 192.0.2.2 dev 100 table 254 metric 100"),
    ("IPv4 gone", "route gone Unicast 0.0.0.0/0 via 192.0.2.2 dev 100 table 254 metric 100"),
    ("IPv4 via inet6", "route Unicast 0.0.0.0/0 via fe80::1 dev 100 table 254 metric 0"),
    ("IPv4 multipath", "route Unicast 198.51.100.0/24 via 192.0.2.1 dev 100 and via fe80::2 dev 100 onlink table 254 metric 0"),
    ("IPv4 onlink", "route Unicast 10.9.0.0/16 via 198.18.0.1 dev 100 onlink table 254 metric 0"),
    ("IPv4 unreachable", "route Unreachable 10.0.0.0/8 table 254 metric 5"),
    ("IPv4 blackhole", "route Blackhole 10.1.0.0/16 table 254 metric 0"),
    ("IPv4 prohibit", "route Prohibit 10.2.0.0/16 table 254 metric 0"),
    ("IPv4 throw", "route Throw 10.3.0.0/16 table 254 metric 0"),
    ("IPv4 table 51820", "route Unicast 0.0.0.0/0 dev 100 table 51820 metric 0"),
    ("IPv4 for one TOS", "route Unicast 0.0.0.0/0 via 192.0.2.1 dev 100 table 254 metric 9 tos 16"),
    ("IPv4 local", "route Local 192.0.2.99/32 dev 100 src 192.0.2.99 table 255 metric 0"),
    ("IPv6 default", "route Unicast ::/0 via fe80::1 dev 100 table 254 metric 1024"),
    ("IPv6 expiring", "route Unicast 2001:db8:7::/48 via fe80::1 dev 100 table 254 metric 1024 expires in 300s"),
    ("IPv6 source prefix", "route Unicast ::/0 via fe80::1 dev 100 from 2001:db8::/56 table 254 metric 50"),
    ("IPv6 multipath", "route Unicast 2001:db8:8::/48 via fe80::1 dev 100 and via fe80::2 dev 100 table 254 metric 1024"),
    ("IPv6 of high preference", "route Unicast 2001:db8:a::/48 via fe80::1 dev 100 table 254 metric 1024 preference High"),
    ("IPv6 of low preference", "route Unicast 2001:db8:b::/48 via fe80::1 dev 100 table 254 metric 1024 preference Low"),
    ("IPv6 unreachable", "route Unreachable 2001:db8:9::/48 dev 1 table 254 metric 1024"),
    ("IPv6 gone", "route gone Unicast ::/0 via fe80::1 dev 100 table 254 metric 1024"),
    ("IPv6 link-local", "route Unicast fe80::/64 dev 100 table 254 metric 7"),
    ("nexthop", "nexthop 7"),
    ("IPv4 by nexthop id", "route Unicast 198.18.0.0/16 via 192.0.2.1 dev 100 table 254 metric 0 nexthop 7"),
    ("nexthop gone", "nexthop 7 gone"),
    ("rule", "IPv4 rule"),
    ("rule gone", "IPv4 rule"),
    ("netconf: passes over linkdown", "ignore-linkdown Some(100)"),
    ("netconf: passes over linkdown, IPv6, all", "ignore-linkdown None"),
    ("netconf: forwards", "irrelevant"),
    ("IPv4 linkdown, dumped", "route Unicast 192.0.2.0/24 dev 100 linkdown src 192.0.2.10 table 254 metric 0"),
    ("IPv4 multipath linkdown, dumped", "route Unicast 198.51.100.0/24 via 192.0.2.1 dev 100 linkdown and via fe80::2 dev 100 linkdown onlink table 254 metric 0"),
];

#[test]
fn each_recorded_message_says_what_ip_did() {
    let recorded = recorded();
    let found: Vec<(&str, String)> = recorded.iter().map(|(name, octets)| (*name, said(octets))).collect();
    let expected: Vec<(&str, String)> = SAYS.iter().map(|(name, says)| (*name, (*says).to_owned())).collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "each is named here");
}
