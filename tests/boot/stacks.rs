//! The network managers. Each gives e0 the address 10.9.0.2/24 and the gateway 10.9.0.1, unless it says otherwise.

use crate::case::Stack;
use crate::files::Files;

/// Adds a unit that wants network-online.target, as on most hosts.
fn online_is_wanted(files: &Files) {
    files.write(
        "/etc/systemd/system/wants-online.service",
        "[Unit]\nWants=network-online.target\nAfter=network-online.target\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
    );
    files.enable("wants-online.service", "multi-user.target");
}

pub const STATIC: &str =
    "[Match]\nName=e0\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\nIPv6AcceptRA=no\n";
pub const STATIC_AT_ONCE: &str = "[Match]\nName=e0\n[Network]\nAddress=10.9.0.2/24\nGateway=10.9.0.1\nIPv6AcceptRA=no\nConfigureWithoutCarrier=yes\n";
pub const AUTOMATIC: &str = "[Match]\nName=e0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n";

/// systemd-networkd with this `.network` file, without systemd-networkd-wait-online.
pub fn networkd(network: &'static str) -> Stack {
    Stack {
        name: "networkd",
        networkd: true,
        write: Box::new(move |files| {
            files.write("/etc/systemd/network/10-e0.network", network);
            files.enable("systemd-networkd.service", "multi-user.target");
            online_is_wanted(files);
        }),
    }
}

/// systemd-networkd with this `.network` file and with systemd-networkd-wait-online.
pub fn networkd_with_wait_online(network: &'static str) -> Stack {
    let without = networkd(network);
    Stack {
        name: "networkd, wait-online",
        networkd: true,
        write: Box::new(move |files| {
            (without.write)(files);
            files.enable("systemd-networkd-wait-online.service", "network-online.target");
        }),
    }
}

pub fn ifupdown() -> Stack {
    Stack {
        name: "ifupdown",
        networkd: false,
        write: Box::new(|files| {
            files.write(
                "/etc/network/interfaces",
                "auto lo\niface lo inet loopback\nauto e0\niface e0 inet static\n  address 10.9.0.2/24\n  gateway 10.9.0.1\n",
            );
            files.enable("networking.service", "multi-user.target");
            files.enable("networking.service", "network-online.target");
            online_is_wanted(files);
        }),
    }
}

/// NetworkManager with a static connection; `settings` are lines for NetworkManager.conf.
pub fn network_manager(name: &'static str, settings: &'static str) -> Stack {
    let connection = "[ipv4]\nmethod=manual\naddress1=10.9.0.2/24,10.9.0.1\n[ipv6]\nmethod=disabled\n";
    network_manager_with(name, connection, settings)
}

/// NetworkManager with DHCP and router advertisements.
pub fn network_manager_automatic() -> Stack {
    network_manager_with("NetworkManager", "[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n", "")
}

fn network_manager_with(name: &'static str, connection: &'static str, settings: &'static str) -> Stack {
    Stack {
        name,
        networkd: false,
        write: Box::new(move |files| {
            let profile = "/etc/NetworkManager/system-connections/e0.nmconnection";
            files.write(
                profile,
                &format!(
                    "[connection]\nid=e0\nuuid=6ff0bc1f-3f6e-4a5c-8ab4-6a7ab8a2c1e0\ntype=ethernet\n\
                     interface-name=e0\n{connection}"
                ),
            );
            files.private(profile);
            files.write(
                "/etc/NetworkManager/conf.d/test.conf",
                &format!("[main]\nplugins=keyfile\ndns=none\n[keyfile]\nunmanaged-devices=none\n[connectivity]\nenabled=false\n{settings}"),
            );
            files.enable("NetworkManager.service", "multi-user.target");
            files.enable("NetworkManager-wait-online.service", "network-online.target");
            online_is_wanted(files);
        }),
    }
}

/// No network manager: the case configures the network from outside.
pub fn bare() -> Stack {
    Stack { name: "none", networkd: false, write: Box::new(online_is_wanted) }
}
