#!/usr/bin/env python3
"""Records rtnetlink messages of this kernel for the decoder's tests.

    unshare -n ./record.py > messages.txt

Each line is a name and a whole netlink message (header and all) in hexadecimal; an `octets little-endian`
line says what machine it was. Names are those of the tests: recording on another kernel changes octets,
and what the tests expect of each must still hold.
"""

import socket
import struct
import subprocess
import sys
import time

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE = 16, 17, 20, 21, 24, 25
NEWRULE, DELRULE, NEWNETCONF, NEWNEXTHOP, DELNEXTHOP = 32, 33, 80, 104, 105
GROUPS = [1, 5, 7, 8, 9, 11, 19, 24, 25, 32]
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_GET_STRICT_CHK = 270, 1, 12
AF_BRIDGE = 7

events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
events.bind((0, 0))
for group in GROUPS:
    events.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
events.setblocking(False)


def split(datagram):
    while len(datagram) >= 16:
        length, kind = struct.unpack_from("=IH", datagram)
        yield kind, datagram[:length]
        datagram = datagram[(length + 3) & ~3:]


def drain():
    messages = []
    while True:
        try:
            messages += split(events.recv(1 << 17))
        except BlockingIOError:
            return messages


def ip(command):
    subprocess.run(["ip"] + command.split(), check=True)


def record(name, command, kind, family=None, body=None):
    """The last message of this kind (of this family) that a command causes."""
    drain()
    for part in command.split(";"):
        ip(part.strip())
    # Changes of carrier are announced up to a second later (linkwatch).
    time.sleep(1.2 if command.startswith("link set") else 0)
    found = [m for k, m in drain() if k == kind and (family is None or m[16] == family)]
    found = [m for m in found if body is None or body in m]
    if not found:
        sys.exit(f"{name}: nothing of type {kind} after ip {command}")
    print(name, found[-1].hex())


def sysctl(name, setting):
    """The netconf message of a setting."""
    drain()
    subprocess.run(["sysctl", "-qw", setting], check=True)
    print(name, [m for k, m in drain() if k == NEWNETCONF][-1].hex())


def dump(name, kind, body, wanted):
    """The entries of a dump that hold these octets."""
    asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    asked.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
    asked.send(struct.pack("=IHHII", 16 + len(body), kind, 0x301, 7, 0) + body)
    messages = []
    while not any(kind == 3 for kind, _ in messages):
        messages += split(asked.recv(1 << 17))
    found = [m for _, m in messages if wanted in m]
    if not found:
        sys.exit(f"{name}: not in the dump")
    print(name, found[0].hex())


print("octets", f"{sys.byteorder}-endian")
# Links. Numbers and hardware addresses are chosen, so that the tests can name them. (Not the bridge's: with an
# address of its own a bridge without a port has no carrier.)
record("veth", "link add ve0 index 100 address 02:00:00:00:00:64 type veth peer name ve1 index 101", NEWLINK, 0, b"ve0\0")
record("veth up", "link set ve1 up; link set ve0 up", NEWLINK, 0, b"ve0\0")
record("veth lost its carrier", "link set ve1 down", NEWLINK, 0, b"ve0\0")
ip("link set ve1 up")
record("altname", "link property add dev ve0 altname lan0 altname a-name-that-is-longer-than-sixteen", NEWLINK, 0, b"lan0\0")
record("bridge", "link add br0 index 102 type bridge", NEWLINK, 0)
record("fresh bridge up", "link set br0 up", NEWLINK, 0, b"br0\0")
ip("link add ve2 index 103 address 02:00:00:00:00:67 type veth peer name ve3 index 104")
drain()
ip("link set ve2 master br0")
for kind, message in drain():
    if kind == NEWLINK and message[16] == AF_BRIDGE and b"ve2\0" in message:
        print("of a bridge port, AF_BRIDGE", message.hex())
        break
record("bridge port", "link set ve3 up; link set ve2 up", NEWLINK, 0, b"ve2\0")
record("bridge port gone, AF_BRIDGE", "link set ve2 nomaster", DELLINK, AF_BRIDGE)
record("macvlan", "link add mv0 index 105 link ve0 address 02:00:00:00:00:69 type macvlan mode bridge", NEWLINK, 0, b"mv0\0")
record("macvtap", "link add mt0 index 106 link ve0 address 02:00:00:00:00:6a type macvtap", NEWLINK, 0, b"mt0\0")
record("vxlan", "link add vx0 index 107 address 02:00:00:00:00:6b type vxlan id 7 dstport 4789 local 192.0.2.10 dev ve0", NEWLINK, 0, b"vx0\0")
record("ifb", "link add ifb9 index 108 address 02:00:00:00:00:6c type ifb", NEWLINK, 0)
record("tun", "tuntap add dev tun0 mode tun", NEWLINK, 0, b"tun0\0")
record("tap", "tuntap add dev tap0 mode tap", NEWLINK, 0, b"tap0\0")
record("lo", "link set lo up", NEWLINK, 0)
subprocess.run(["sysctl", "-qw", "net.ipv6.conf.ve3.disable_ipv6=1"], check=True)
record("IPv6 disabled", "link set ve3 down; link set ve3 up", NEWLINK, 0, b"ve3\0")
record("dormant", "link set ve0 mode dormant; link set ve1 down; link set ve1 up", NEWLINK, 0, b"ve0\0")
ip("link set ve0 mode default")
ip("link set ve0 state up")
record("renamed", "link set ve3 name ve9", NEWLINK, 0, b"ve9\0")
record("link gone", "link del ve2", DELLINK, 0, b"ve2\0")
dump("dumped veth", 18, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + struct.pack("=HHI", 8, 29, 8), b"ve0\0")
# The peer in another namespace: IFLA_LINK_NETNSID.
other = subprocess.Popen(["unshare", "-n", "sleep", "60"])
ip("link add ve4 index 110 type veth peer name ve5 index 111")
time.sleep(0.3)
record("veth whose peer is elsewhere", f"link set ve5 netns {other.pid}; link set ve4 up", NEWLINK, 0, b"ve4\0")
other.kill()

# Addresses.
record("IPv4 address", "addr add 192.0.2.10/24 dev ve0 label ve0:one", NEWADDR)
record("IPv4 peer", "addr add 203.0.113.10 peer 203.0.113.1/32 dev ve0", NEWADDR)
record("IPv4 link scope", "addr add 169.254.7.1/16 scope link dev ve0", NEWADDR)
record("IPv6 tentative", "addr add 2001:db8::10/64 dev ve0", NEWADDR)
record("IPv6 nodad", "addr add 2001:db8::11/64 dev ve0 nodad", NEWADDR)
record("IPv6 deprecated", "addr change 2001:db8::11/64 dev ve0 valid_lft 1000 preferred_lft 0", NEWADDR)
record("IPv6 peer", "addr add 2001:db8:5::10 peer 2001:db8:5::1/128 dev ve0 nodad", NEWADDR)
record("IPv4 address gone", "addr del 203.0.113.10 peer 203.0.113.1/32 dev ve0", DELADDR)
record("IPv6 address gone", "addr del 2001:db8:5::10 peer 2001:db8:5::1/128 dev ve0", DELADDR)

# Routes. fe80::1 is on the link by its prefix.
record("IPv4 default", "route add default via 192.0.2.1 dev ve0 metric 100 src 192.0.2.10 proto dhcp", NEWROUTE)
record("IPv4 replaced", "route replace default via 192.0.2.2 dev ve0 metric 100", NEWROUTE)
record("IPv4 gone", "route del default metric 100", DELROUTE)
record("IPv4 via inet6", "-4 route add default via inet6 fe80::1 dev ve0", NEWROUTE)
record("IPv4 multipath", "route add 198.51.100.0/24 nexthop via 192.0.2.1 dev ve0 nexthop via inet6 fe80::2 dev ve0 onlink", NEWROUTE)
record("IPv4 onlink", "route add 10.9.0.0/16 via 198.18.0.1 dev ve0 onlink", NEWROUTE)
record("IPv4 unreachable", "route add unreachable 10.0.0.0/8 metric 5", NEWROUTE)
record("IPv4 blackhole", "route add blackhole 10.1.0.0/16", NEWROUTE)
record("IPv4 prohibit", "route add prohibit 10.2.0.0/16", NEWROUTE)
record("IPv4 throw", "route add throw 10.3.0.0/16", NEWROUTE)
record("IPv4 table 51820", "route add default dev ve0 table 51820", NEWROUTE)
record("IPv4 for one TOS", "route add default via 192.0.2.1 dev ve0 tos 0x10 metric 9", NEWROUTE)
record("IPv4 local", "addr add 192.0.2.99/32 dev ve0", NEWROUTE)
record("IPv6 default", "-6 route add default via fe80::1 dev ve0 metric 1024", NEWROUTE)
record("IPv6 expiring", "-6 route add 2001:db8:7::/48 via fe80::1 dev ve0 expires 300", NEWROUTE)
record("IPv6 source prefix", "-6 route add default from 2001:db8::/56 via fe80::1 dev ve0 metric 50", NEWROUTE)
record("IPv6 multipath", "-6 route add 2001:db8:8::/48 nexthop via fe80::1 dev ve0 nexthop via fe80::2 dev ve0", NEWROUTE)
record("IPv6 of high preference", "-6 route add 2001:db8:a::/48 via fe80::1 dev ve0 pref high", NEWROUTE)
record("IPv6 of low preference", "-6 route add 2001:db8:b::/48 via fe80::1 dev ve0 pref low", NEWROUTE)
record("IPv6 unreachable", "-6 route add unreachable 2001:db8:9::/48", NEWROUTE)
record("IPv6 gone", "-6 route del default via fe80::1 dev ve0 metric 1024", DELROUTE)
record("IPv6 link-local", "-6 route add fe80::/64 dev ve0 metric 7", NEWROUTE)
record("nexthop", "nexthop add id 7 via 192.0.2.1 dev ve0", NEWNEXTHOP)
record("IPv4 by nexthop id", "route add 198.18.0.0/16 nhid 7", NEWROUTE)
record("nexthop gone", "nexthop del id 7", DELNEXTHOP)
record("rule", "rule add from 192.0.2.0/24 lookup 100", NEWRULE)
record("rule gone", "rule del from 192.0.2.0/24 lookup 100", DELRULE)
sysctl("netconf: passes over linkdown", "net.ipv4.conf.ve0.ignore_routes_with_linkdown=1")
sysctl("netconf: passes over linkdown, IPv6, all", "net.ipv6.conf.all.ignore_routes_with_linkdown=1")
sysctl("netconf: forwards", "net.ipv4.conf.ve0.forwarding=1")
subprocess.run(["sysctl", "-qw", "net.ipv4.conf.ve0.ignore_routes_with_linkdown=0"], check=True)
ip("link set ve1 down")
time.sleep(0.2)
# rtm_dst_len 24, and the prefix: flagged only in a dump.
dump("IPv4 linkdown, dumped", 26, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0), bytes([192, 0, 2, 0]))
dump("IPv4 multipath linkdown, dumped", 26, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 0, 0), bytes([198, 51, 100, 0]))
