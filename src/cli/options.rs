//! The GATE and the options that run, wait, check, monitor and cat share.

use clap::Args;

use crate::config::{ConfigError, GateRequest, Options, Problem};

// Which gate, and what is required beside it or instead. (No doc comment: clap would print it in the
// place of each command's own.)
#[derive(Debug, Clone, Default, Args)]
pub struct GateOptions {
    /// A gate's name, or with a slash in it a gate file [default: default]
    ///
    /// Requirement options without a GATE are a gate of their own; with one they are added to it.
    #[arg(value_name = "GATE")]
    gate: Option<String>,

    // There is no second GATE; what an unquoted glob leaves behind shall get an answer that helps.
    #[arg(hide = true)]
    left_over: Vec<String>,

    #[command(flatten)]
    requirements: RequirementOptions,
}

// For retry and pull, whose other words are a command's or an image's.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedGateOptions {
    /// The gate to wait for: a name, with a slash in it a gate file, or none [default: default]
    ///
    /// Requirement options without it are a gate of their own; with it they are added to it.
    #[arg(long, value_name = "GATE", help_heading = WHAT, overrides_with = "gate")]
    gate: Option<String>,

    #[command(flatten)]
    requirements: RequirementOptions,
}

// What is required beside a gate or instead, and for how long it is waited for.
#[derive(Debug, Clone, Default, Args)]
struct RequirementOptions {
    /// On these links: a name, an altname, a quoted glob, mac:…, or !GLOB to take links out
    #[arg(short, long, value_name = "NAME", help_heading = WHAT)]
    interface: Vec<String>,

    /// IPv4 is needed: an address on the given links, its default route where routes are asked for
    ///
    /// With -i: -a ipv4. Every `default` among the given routes becomes default-ipv4. Alone: -r
    /// default-ipv4.
    #[arg(short = '4', long, help_heading = WHAT, overrides_with = "ipv4")]
    ipv4: bool,

    /// IPv6 is needed: as -4
    #[arg(short = '6', long, help_heading = WHAT, overrides_with = "ipv6")]
    ipv6: bool,

    /// A usable address: ip, ipv4, ipv6, link-local-ipv4, link-local-ipv6, an address or a prefix
    ///
    /// With -i on each of those links, else on any link.
    #[arg(short, long, value_name = "SPEC", help_heading = WHAT)]
    address: Vec<String>,

    /// A live route: default, default-ipv4, default-ipv6 or a prefix
    ///
    /// With -i through each of those links, else through any link.
    #[arg(short, long, value_name = "SPEC", help_heading = WHAT)]
    route: Vec<String>,

    /// The table of the routes: a number, or a VRF's name, which holds for --route-to too [default: main]
    #[arg(long, value_name = "N", help_heading = WHAT, overrides_with = "table")]
    table: Option<String>,

    /// The kernel has a usable way to this address; nothing is sent
    #[arg(long, value_name = "ADDR", help_heading = WHAT)]
    route_to: Vec<String>,

    /// The way to --route-to is asked for a program that binds this address, for policy rules by source
    #[arg(long, value_name = "ADDR", help_heading = WHAT, overrides_with = "from")]
    from: Option<String>,

    /// One of the given links is enough [default: every -i]
    #[arg(long, help_heading = WHAT, overrides_with = "any")]
    any: bool,

    /// So many of the given links are enough; `all`: every link that a glob matches
    #[arg(long, value_name = "N", help_heading = WHAT, overrides_with = "quorum")]
    quorum: Option<String>,

    /// resolv.conf names a server
    #[arg(long, help_heading = WHAT, overrides_with = "nameserver")]
    nameserver: bool,

    /// The host's resolver finds this name
    #[arg(long, value_name = "NAME", help_heading = PROBES)]
    dns: Vec<String>,

    /// A connection to this port is accepted; a link-local address with its link: [fe80::7%eth0]:22
    #[arg(long, value_name = "HOST:PORT", help_heading = PROBES)]
    tcp: Vec<String>,

    /// A server answers this, by a status below 500 but 429; https by the host's trust store
    #[arg(long, value_name = "URL", help_heading = PROBES)]
    http: Vec<String>,

    /// This host answers an echo request (ICMP, without privileges)
    #[arg(long, value_name = "ADDR", help_heading = PROBES)]
    ping: Vec<String>,

    /// The default gateway answers neighbour discovery: any, ipv4 or ipv6
    #[arg(long, value_name = "FAMILY", help_heading = PROBES)]
    gateway: Vec<String>,

    /// Give up after this long, instead of the gate's timeout: 90s, 1min 30s, 500ms, infinity
    #[arg(short, long, value_name = "DUR", help_heading = HOW_LONG, overrides_with = "timeout")]
    timeout: Option<String>,

    /// Give up earlier where no wanted link has had carrier for this long
    #[arg(long, value_name = "DUR", help_heading = HOW_LONG, overrides_with = "no_carrier_timeout")]
    no_carrier_timeout: Option<String>,

    /// Everything must have held this long, uninterrupted
    #[arg(long, value_name = "DUR", help_heading = HOW_LONG, overrides_with = "settle")]
    settle: Option<String>,
}

const WHAT: &str = "What to require";
const PROBES: &str = "Whom to ask, once all else is there";
const HOW_LONG: &str = "How long";

impl GateOptions {
    /// What is asked for; an error for words that no single GATE is.
    pub fn request(self) -> Result<GateRequest, ConfigError> {
        if let Some(first) = self.gate.as_ref().filter(|_| !self.left_over.is_empty()) {
            return Err(left_over(first, &self.left_over, &self.requirements.interface));
        }
        Ok(GateRequest { gate: self.gate, options: self.requirements.options() })
    }
}

impl NamedGateOptions {
    /// What is asked for; `None` for `--gate none`: nothing is waited for.
    pub fn request(&self) -> Option<GateRequest> {
        let options = self.requirements.clone().options();
        let none = self.gate.as_deref() == Some("none");
        match none && !options.require_something() {
            true => None,
            false => Some(GateRequest { gate: self.gate.clone().filter(|_| !none), options }),
        }
    }
}

impl RequirementOptions {
    fn options(self) -> Options {
        Options {
            interface: self.interface,
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            address: self.address,
            route: self.route,
            table: self.table,
            route_to: self.route_to,
            from: self.from,
            any: self.any,
            quorum: self.quorum,
            nameserver: self.nameserver,
            dns: self.dns,
            tcp: self.tcp,
            http: self.http,
            ping: self.ping,
            gateway: self.gateway,
            timeout: self.timeout,
            no_carrier_timeout: self.no_carrier_timeout,
            settle: self.settle,
        }
    }
}

/// There is one GATE at most: the shell has probably put several names in a glob's place.
fn left_over(first: &str, more: &[String], interface: &[String]) -> ConfigError {
    let names: Vec<&str> = interface
        .last()
        .into_iter()
        .map(String::as_str)
        .chain([first])
        .chain(more.iter().map(String::as_str))
        .collect();
    let glob = format!("{}*", common_start(&names));
    // `check *` leaves a whole directory behind; a few names say it.
    let few = |words: &[&str], separator: &str| {
        let rest = if words.len() > 4 { " …" } else { "" };
        format!("{}{rest}", words.get(..4).unwrap_or(words).join(separator))
    };
    let words: Vec<&str> = std::iter::once(first).chain(more.iter().map(String::as_str)).collect();
    ConfigError::from(Problem {
        origin: "command line".to_owned(),
        line: None,
        message: format!(
            "one GATE at most, but here are {} words ({}); for links, quote the glob: -i '{glob}', \
             or name each: -i {}",
            words.len(),
            few(&words, " "),
            few(&names, " -i ")
        ),
    })
}

fn common_start<'a>(names: &[&'a str]) -> &'a str {
    let Some((first, others)) = names.split_first() else {
        return "";
    };
    let mut start = *first;
    while !others.iter().all(|name| name.starts_with(start)) {
        let mut chars = start.chars();
        chars.next_back();
        start = chars.as_str();
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        gate: GateOptions,
    }

    fn request(args: &str) -> Result<GateRequest, String> {
        let args = std::iter::once("netready").chain(args.split_whitespace());
        let cli = Cli::try_parse_from(args).map_err(|error| error.to_string())?;
        cli.gate.request().map_err(|error| error.to_string())
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn definitions_are_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_taken_and_may_be_repeated() {
        let both = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        for (args, options) in [
            ("", Options::default()),
            ("-i va0 --interface va*", Options { interface: both("va0", "va*"), ..Options::default() }),
            ("-4 -6 -4", Options { ipv4: true, ipv6: true, ..Options::default() }),
            ("--ipv4", Options { ipv4: true, ..Options::default() }),
            ("-a ip --address ipv6", Options { address: both("ip", "ipv6"), ..Options::default() }),
            (
                "-r default --route 10.0.0.0/8",
                Options { route: both("default", "10.0.0.0/8"), ..Options::default() },
            ),
            ("--table 1 --table 2", Options { table: text("2"), ..Options::default() }),
            ("--route-to ::1 --route-to ::2", Options { route_to: both("::1", "::2"), ..Options::default() }),
            ("--from ::1 --from ::2", Options { from: text("::2"), ..Options::default() }),
            ("--any --any", Options { any: true, ..Options::default() }),
            ("--quorum 1 --quorum 2", Options { quorum: text("2"), ..Options::default() }),
            ("--nameserver --nameserver", Options { nameserver: true, ..Options::default() }),
            ("--dns a --dns b", Options { dns: both("a", "b"), ..Options::default() }),
            ("--tcp a:1 --tcp b:2", Options { tcp: both("a:1", "b:2"), ..Options::default() }),
            (
                "--http http://a --http http://b",
                Options { http: both("http://a", "http://b"), ..Options::default() },
            ),
            ("--ping ::1 --ping ::2", Options { ping: both("::1", "::2"), ..Options::default() }),
            ("--gateway ipv4 --gateway any", Options { gateway: both("ipv4", "any"), ..Options::default() }),
            ("-t 1s --timeout 2s", Options { timeout: text("2s"), ..Options::default() }),
            (
                "--no-carrier-timeout 1 --no-carrier-timeout 2",
                Options { no_carrier_timeout: text("2"), ..Options::default() },
            ),
            ("--settle 1 --settle 2", Options { settle: text("2"), ..Options::default() }),
        ] {
            assert_eq!(request(args), Ok(GateRequest { gate: None, options: options.clone() }), "{args}");
            let with_gate = GateRequest { gate: text("uplink"), options };
            assert_eq!(request(&format!("{args} uplink")), Ok(with_gate.clone()), "{args}");
            assert_eq!(request(&format!("uplink {args}")), Ok(with_gate), "{args}");
        }
    }

    #[test]
    fn words_left_over_are_explained() {
        for (args, said) in [
            (
                "va0 va1",
                "command line: one GATE at most, but here are 2 words (va0 va1); for links, quote the glob: -i 'va*', or name each: -i va0 -i va1",
            ),
            (
                "-i va0 va1 va2",
                "command line: one GATE at most, but here are 2 words (va1 va2); for links, quote the glob: -i 'va*', or name each: -i va0 -i va1 -i va2",
            ),
            (
                "a1 a2 a3 a4 a5",
                "command line: one GATE at most, but here are 5 words (a1 a2 a3 a4 …); for links, quote the glob: -i 'a*', or name each: -i a1 -i a2 -i a3 -i a4 …",
            ),
            (
                "eth0 wlan0",
                "command line: one GATE at most, but here are 2 words (eth0 wlan0); for links, quote the glob: -i '*', or name each: -i eth0 -i wlan0",
            ),
        ] {
            assert_eq!(request(args), Err(said.to_owned()));
        }
    }
}
