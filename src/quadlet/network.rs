//! How quadlets are attached to the network: what `Network=` and `IP=` say.

use super::unit::{Kind, Unit};
use super::{QuadletInput, command_line, units};

/// A quadlet with a network of its own: a container that is in no pod, a pod, or a kube file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The quadlet's file name.
    pub name: String,
    /// Whether rootless Podman asks pasta for its network: in all modes but `host`, `none`, `slirp4netns` and
    /// another's.
    pub by_pasta: bool,
    /// Whether it has an address of its own (`IP=`, `IP6=`, or an `ip=` of its network).
    pub static_ip: bool,
}

/// Those of every quadlet that Podman takes.
pub fn attachments(input: &QuadletInput) -> Vec<Attachment> {
    units(input).iter().filter_map(attachment).collect()
}

fn attachment(unit: &Unit) -> Option<Attachment> {
    let section = unit.kind.section();
    match unit.kind {
        Kind::Pod | Kind::Kube => {}
        Kind::Container if unit.file.word(section, "Pod").is_none() => {}
        Kind::Container | Kind::Artifact | Kind::Build | Kind::Image | Kind::Network | Kind::Volume => {
            return None;
        }
    }
    let given = arguments(unit);
    let of_option = |names: [&'static str; 2]| -> Vec<&str> {
        let values = given.iter().filter(|(name, _)| names.contains(&name.as_str()));
        values.map(|(_, value)| value.as_str()).collect()
    };
    let networks = unit.file.every(section, "Network").into_iter();
    let networks: Vec<&str> = networks.chain(of_option(["--network", "--net"])).collect();
    let has_option = |network: &str| {
        let options = network.split_once(':').map_or("", |(_, options)| options);
        options.split(',').any(|option| option.starts_with("ip=") || option.starts_with("ip6="))
    };
    let static_ip = unit.file.word(section, "IP").is_some()
        || unit.file.word(section, "IP6").is_some()
        || !of_option(["--ip", "--ip6"]).is_empty()
        || networks.iter().any(|network| has_option(network));
    Some(Attachment {
        name: unit.name.clone(),
        by_pasta: networks.is_empty() || networks.iter().any(|network| needs_pasta(network)),
        static_ip,
    })
}

/// The options in `PodmanArgs=`, each with its value, which may be the next word.
fn arguments(unit: &Unit) -> Vec<(String, String)> {
    let lines = unit.file.every(unit.kind.section(), "PodmanArgs");
    let words: Vec<String> = lines.into_iter().filter_map(command_line::split).flatten().collect();
    let next = words.iter().skip(1).map(String::as_str).chain([""]);
    let options = words.iter().zip(next).filter(|(word, _)| word.starts_with("--"));
    let pairs = options.map(|(word, next)| word.split_once('=').unwrap_or((word.as_str(), next)));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// podman-run(1), `--network`. A network of Podman's own (`x.network`, a name, `bridge`) is behind pasta too.
fn needs_pasta(network: &str) -> bool {
    let mode = network.split(':').next().unwrap_or_default();
    !matches!(mode, "host" | "none" | "container" | "ns" | "slirp4netns") && !mode.ends_with(".container")
}

#[cfg(test)]
mod tests {
    use super::super::{Directory, Manager, Source, WaitUnit};
    use super::*;

    fn of(name: &str, text: &str) -> Option<(bool, bool)> {
        let source = Source { path: format!("/q/{name}"), text: text.to_owned() };
        let directory = Directory { quadlets: [(name.to_owned(), source)].into(), ..Directory::default() };
        let input = QuadletInput {
            manager: Manager::User,
            wait_unit: WaitUnit::Absent,
            netready: "/usr/bin/netready".to_owned(),
            directories: vec![directory],
            taken: std::collections::BTreeSet::new(),
            waiting: Vec::new(),
        };
        let attachments = attachments(&input);
        attachments.first().map(|attachment| (attachment.by_pasta, attachment.static_ip))
    }

    /// One line a case: whether pasta is needed, and whether the address is its own.
    #[test]
    fn what_the_quadlet_says_of_its_network() {
        for (name, text, expected) in [
            ("a.container", "[Container]\nImage=i", Some((true, false))),
            ("a.container", "[Container]\nNetwork=lan.network\nIP=10.89.7.5", Some((true, true))),
            ("a.container", "[Container]\nNetwork=lan.network:ip=10.89.7.5", Some((true, true))),
            ("a.container", "[Container]\nNetwork=lan.network:alias=ip", Some((true, false))),
            ("a.container", "[Container]\nIP6=2001:db8::5", Some((true, true))),
            ("a.container", "[Container]\nNetwork=pasta:-T,80", Some((true, false))),
            ("a.container", "[Container]\nNetwork=host", Some((false, false))),
            (
                "a.container",
                "[Container]\nNetwork=slirp4netns:port_handler=slirp4netns",
                Some((false, false)),
            ),
            ("a.container", "[Container]\nNetwork=ns:/run/netns/x", Some((false, false))),
            ("a.container", "[Container]\nPodmanArgs=--network=host", Some((false, false))),
            ("a.container", "[Container]\nPodmanArgs=-q --net none --memory 1g", Some((false, false))),
            ("a.container", "[Container]\nPodmanArgs=--network lan:ip=10.89.7.5", Some((true, true))),
            (
                "a.container",
                "[Container]\nNetwork=lan.network\nPodmanArgs=--ip6 2001:db8::5",
                Some((true, true)),
            ),
            ("p.pod", "[Pod]\nPodmanArgs=\"--network=host\"", Some((false, false))),
            ("a.container", "[Container]\nNetwork=none", Some((false, false))),
            ("a.container", "[Container]\nNetwork=container:b", Some((false, false))),
            ("a.container", "[Container]\nNetwork=b.container", Some((false, false))),
            ("a.container", "[Container]\nNetwork=host\nNetwork=\nImage=i", Some((true, false))),
            ("a.container", "[Container]\nPod=p.pod\nIP=10.0.0.1", None),
            ("p.pod", "[Pod]\nIP=10.89.7.5", Some((true, true))),
            ("k.kube", "[Kube]\nYaml=k.yml\nNetwork=none", Some((false, false))),
            ("i.image", "[Image]\nImage=i", None),
            ("n.network", "[Network]\nSubnet=10.89.7.0/24", None),
        ] {
            assert_eq!(of(name, text), expected, "{name}: {text:?}");
        }
    }
}
