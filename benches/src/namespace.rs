//! Network namespaces to measure in. Nothing outside them is changed, and no packet leaves them: their uplink
//! is one end of a veth pair whose other end lies, like a real cable's, where the programs do not see it.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::rtnl::{self, Route, Rtnl};

/// The link that carries the address and the default route, and its far end.
pub const UPLINK: (&str, u32) = ("va0", 10);
const FAR_END: (&str, u32) = ("vb0", 11);
const LOOPBACK: u32 = 1;
/// The ifindexes of the links that [`Namespace::with_links`] adds begin here.
pub const FIRST_FILLER_LINK: u32 = 100;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const SECOND_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DEFAULT_ROUTE: Route =
    Route { destination: Ipv4Addr::UNSPECIFIED, prefix_length: 0, gateway: GATEWAY, ifindex: UPLINK.1 };

pub struct Namespace {
    handle: File,
    pub rtnl: Rtnl,
    /// In the namespace of the uplink's far end, which it keeps alive.
    far: Rtnl,
}

impl Namespace {
    /// A fresh one, entered, with an uplink that has carrier and an address; without a default route.
    ///
    /// IPv6 is off in it: its own events after each link change (link-local address, DAD) would be noise in
    /// every figure, and the yardstick does not know it.
    pub fn with_uplink() -> io::Result<Self> {
        let (far_handle, far) = enter_fresh_namespace()?;
        let (handle, rtnl) = enter_fresh_namespace()?;
        let mut namespace = Self { handle, rtnl, far };
        namespace.rtnl.change(rtnl::set_link(LOOPBACK, true))?;
        namespace.rtnl.change(rtnl::new_veth_pair(UPLINK, FAR_END, far_handle.as_fd()))?;
        namespace.rtnl.change(rtnl::set_link(UPLINK.1, true))?;
        namespace.rtnl.change(rtnl::new_address(UPLINK.1, ADDRESS, 24))?;
        namespace.set_carrier(true)?;
        Ok(namespace)
    }

    /// The same with so many routes in all, the default route that may come among them. The others cover no address
    /// that somebody may look up.
    pub fn with_routes(count: u32) -> io::Result<Self> {
        let mut namespace = Self::with_uplink()?;
        let count = count - 1;
        namespace.rtnl.change_all((0..count).map(|n| filler_route(n).add()))?;
        Ok(namespace)
    }

    /// The same with `count` links more (an even number), all up and half of them with an address.
    pub fn with_links(count: u32) -> io::Result<Self> {
        let mut namespace = Self::with_uplink()?;
        for pair in 0..count / 2 {
            let near = FIRST_FILLER_LINK + 2 * pair;
            let far = near + 1;
            let names = (format!("fa{pair}"), format!("fb{pair}"));
            let both_here = namespace.handle.as_fd();
            let pair_of_links = rtnl::new_veth_pair((&names.0, near), (&names.1, far), both_here);
            namespace.rtnl.change(pair_of_links)?;
            namespace.rtnl.change(rtnl::set_link(near, true))?;
            namespace.rtnl.change(rtnl::set_link(far, true))?;
            let address = Ipv4Addr::from(Ipv4Addr::new(10, 0, 0, 1).to_bits() + (pair << 8));
            namespace.rtnl.change(rtnl::new_address(near, address, 24))?;
        }
        Ok(namespace)
    }

    /// What is started from now on runs in this namespace.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.handle, CloneFlags::CLONE_NEWNET)?)
    }

    pub fn add_default_route(&mut self) -> io::Result<()> {
        self.rtnl.change(DEFAULT_ROUTE.add())
    }

    /// Another address of the uplink, which nobody asks for.
    pub fn add_link_address(&mut self) -> io::Result<()> {
        self.rtnl.change(rtnl::new_address(UPLINK.1, SECOND_ADDRESS, 24))
    }

    pub fn delete_link_address(&mut self) -> io::Result<()> {
        self.rtnl.change(rtnl::delete_address(UPLINK.1, SECOND_ADDRESS, 24))
    }

    pub fn delete_default_route(&mut self) -> io::Result<()> {
        self.rtnl.change(DEFAULT_ROUTE.delete())
    }

    /// Gives the uplink carrier or takes it away; its routes stay, flagged `linkdown`. Returns when the
    /// kernel has told so, which it does from a work queue of its own, a moment after the request.
    pub fn set_carrier(&mut self, carrier: bool) -> io::Result<()> {
        self.begin_carrier(carrier)?;
        while self.rtnl.link_is_up(UPLINK.1)? != carrier {
            // Asleep, because the work queue may need this CPU.
            std::thread::sleep(Duration::from_micros(100));
        }
        Ok(())
    }

    /// The same without waiting.
    pub fn begin_carrier(&mut self, carrier: bool) -> io::Result<()> {
        self.far.change(rtnl::set_link(FAR_END.1, carrier))
    }
}

fn enter_fresh_namespace() -> io::Result<(File, Rtnl)> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")?;
    // The default of 10 would block a program that reports more than that while the bench is busy sending
    // changes.
    fs::write("/proc/sys/net/unix/max_dgram_qlen", "512")?;
    Ok((File::open("/proc/thread-self/ns/net")?, Rtnl::open()?))
}

/// The `n`th of 2^20 prefixes of length 24 in 16.0.0.0/4.
pub fn filler_route(n: u32) -> Route {
    Route {
        destination: Ipv4Addr::from(Ipv4Addr::new(16, 0, 0, 0).to_bits() + (n << 8)),
        prefix_length: 24,
        ..DEFAULT_ROUTE
    }
}

/// Mounts made from here on are seen by this process and its children only. They get a /run of their own,
/// where netready keeps its record, so that the host's is not written to.
pub fn make_mounts_private() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount_over("/run", "tmpfs")
}

/// Shows the links of the namespace that is entered in /sys/class/net.
pub fn mount_sysfs() -> io::Result<()> {
    mount_over("/sys", "sysfs")
}

/// Makes systemd-networkd-wait-online, which reads systemd-networkd's files, see a host whose uplink is
/// online.
pub fn pretend_networkd_says_online() -> io::Result<()> {
    const ONLINE: &str = "OPER_STATE=routable\nCARRIER_STATE=carrier\nADDRESS_STATE=routable\n\
        IPV4_ADDRESS_STATE=routable\nONLINE_STATE=online\n";
    let folder = Path::new("/run/systemd/netif");
    fs::create_dir_all(folder.join("links"))?;
    fs::write(folder.join("state"), ONLINE)?;
    for ifindex in [LOOPBACK, UPLINK.1] {
        fs::write(
            folder.join("links").join(ifindex.to_string()),
            format!("{ONLINE}ADMIN_STATE=configured\nREQUIRED_FOR_ONLINE=yes\n"),
        )?;
    }
    Ok(())
}

fn mount_over(target: &str, kind: &str) -> io::Result<()> {
    Ok(mount(Some("none"), target, Some(kind), MsFlags::empty(), None::<&str>)?)
}
