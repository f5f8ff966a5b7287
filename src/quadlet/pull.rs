//! Makes the command `netready pull` that runs before a container's start. It pulls as Podman would pull.

use std::time::Duration;

use crate::config::{Problem, duration_text};

use super::command_line::{self, Argument};
use super::settings::{Settings, problem};
use super::unit::{Kind, Unit};
use super::unit_file::UnitFile;

/// Options of `podman run` in `PodmanArgs=` that change what is pulled or how; each takes a value.
const OF_RUN: [&str; 8] =
    ["--arch", "--authfile", "--cert-dir", "--creds", "--decryption-key", "--os", "--platform", "--variant"];

/// Keys of an `.image` file, and the options of `podman pull` that Podman makes of them.
const OF_IMAGE: [(&str, &str); 7] = [
    ("Arch", "--arch"),
    ("AuthFile", "--authfile"),
    ("CertDir", "--cert-dir"),
    ("Creds", "--creds"),
    ("DecryptionKey", "--decryption-key"),
    ("OS", "--os"),
    ("Variant", "--variant"),
];

/// Transports of images, or of archives of images, that are on this host already (containers-transports(5)).
const LOCAL: [&str; 8] =
    ["containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "sif", "tarball"];

/// Whether an image comes from this host and not from a registry.
fn is_local_image(image: &str) -> bool {
    image.split_once(':').is_some_and(|(transport, _)| LOCAL.contains(&transport))
}

/// Whether a unit pulls its image from this host, and so needs no network.
pub fn is_local(unit: &Unit) -> bool {
    unit.kind == Kind::Image && unit.file.word("Image", "Image").is_some_and(is_local_image)
}

/// The command line after `netready`. `None` if the quadlet does not ask for it, or if there is nothing to
/// pull.
pub fn command(
    unit: &Unit,
    settings: &Settings,
    gate: Option<&str>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<Argument>> {
    let asked = settings.pull.as_ref()?;
    if settings.retries == Some(0) {
        return None;
    }
    // A drop-in for all containers need not fit each of them, so complain only about a setting of this unit's
    // own.
    let is_own = unit.is_own(asked);
    let mut tell = |message: &str| problems.push(problem(asked, format!("PullRetry…: {message}")));
    let wanted = match unit.kind {
        Kind::Container => of_container(&unit.file),
        Kind::Image => of_image(&unit.file),
        Kind::Artifact => {
            tell("netready pulls images only; for Podman 5.7 and later, write Retry= into [Artifact]");
            return None;
        }
        Kind::Build | Kind::Kube | Kind::Network | Kind::Pod => {
            tell(&format!(
                "a .{} file has no pull of its own; write this setting into a .container or .image file",
                unit.kind.extension()
            ));
            return None;
        }
        Kind::Volume => return None,
    };
    match wanted.map(|wanted| line(unit, settings, gate, wanted)) {
        Ok(line) if !line.iter().all(Argument::can_be_written) => {
            tell("the image or its options contain text that a unit file cannot hold");
            None
        }
        Ok(line) => Some(line),
        Err(NoPull::Never) => None,
        Err(NoPull::Because(message)) => {
            if is_own {
                tell(&message);
            }
            None
        }
    }
}

/// Why nothing is pulled before the start.
enum NoPull {
    /// Podman would not pull either.
    Never,
    Because(String),
}

/// What is pulled, and how.
struct Wanted {
    image: String,
    policy: Argument,
    /// The arguments for `podman pull`.
    arguments: Vec<String>,
}

fn of_container(file: &UnitFile) -> Result<Wanted, NoPull> {
    const SECTION: &str = "Container";
    let Some(image) = file.word(SECTION, "Image") else {
        return Err(NoPull::Because("there is no Image= to pull".to_owned()));
    };
    // Another unit pulls or builds the image.
    if image.ends_with(".image") || image.ends_with(".build") {
        return Err(NoPull::Because(format!("{image} belongs to another unit; write this setting there")));
    }
    from_afar(image)?;
    let mut policy = file.word(SECTION, "Pull").unwrap_or("missing").to_owned();
    let mut arguments = Vec::new();
    let given = arguments_of(file, SECTION, "PodmanArgs");
    let mut given = given.iter();
    while let Some(word) = given.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), None),
        };
        if option == "--tls-verify" {
            arguments.push(word.clone());
        } else if option == "--pull" {
            if let Some(value) = value.or_else(|| given.next().map(String::as_str)) {
                policy = value.to_owned();
            }
        } else if OF_RUN.contains(&option) {
            let value = value.or_else(|| given.next().map(String::as_str));
            arguments.extend(value.map(|value| format!("{option}={value}")));
        }
    }
    Ok(Wanted { image: image.to_owned(), policy: policy_word(&policy)?, arguments })
}

/// Refuses images of this host: a failure to read a local file does not pass by itself.
fn from_afar(image: &str) -> Result<(), NoPull> {
    if is_local_image(image) {
        return Err(NoPull::Because(format!("{image} is on this host, so there is nothing to try again")));
    }
    Ok(())
}

fn of_image(file: &UnitFile) -> Result<Wanted, NoPull> {
    const SECTION: &str = "Image";
    let image = file.word(SECTION, "Image").ok_or(NoPull::Never)?.to_owned();
    from_afar(&image)?;
    // Podman's own pull follows and asks the registry in any case, so `always` is the default here.
    let policy = policy_word(file.word(SECTION, "Policy").unwrap_or("always"))?;
    let mut arguments: Vec<String> = OF_IMAGE
        .iter()
        .filter_map(|(key, option)| Some(format!("{option}={}", file.word(SECTION, key)?)))
        .collect();
    for (key, option) in [("AllTags", "--all-tags"), ("TLSVerify", "--tls-verify")] {
        match file.switch(SECTION, key) {
            Some(true) => arguments.push(option.to_owned()),
            Some(false) => arguments.push(format!("{option}=false")),
            None => {}
        }
    }
    arguments.extend(arguments_of(file, SECTION, "PodmanArgs"));
    Ok(Wanted { image, policy, arguments })
}

/// The argument for `--policy`. With any other word Podman does not pull, or refuses the word.
fn policy_word(policy: &str) -> Result<Argument, NoPull> {
    let word = match policy {
        "always" | "Always" => "always",
        "missing" | "Missing" | "ifnotpresent" | "IfNotPresent" => "missing",
        "newer" | "Newer" | "ifnewer" | "IfNewer" => "newer",
        _ => return Err(NoPull::Never),
    };
    Ok(Argument::plain(word))
}

/// The arguments in all values of a key. A value that cannot be split is left out, as Podman does.
fn arguments_of(file: &UnitFile, section: &str, key: &str) -> Vec<String> {
    file.every(section, key).into_iter().filter_map(command_line::split).flatten().collect()
}

fn line(unit: &Unit, settings: &Settings, gate: Option<&str>, wanted: Wanted) -> Vec<Argument> {
    let mut line = vec![Argument::plain("pull")];
    let mut pair = |option: &str, value: Argument| line.extend([Argument::plain(option), value]);
    // Name the gate in any case, because without `--gate` pull would wait for the default gate.
    pair("--gate", Argument::plain(gate.unwrap_or("none")));
    if let Some(retries) = settings.retries {
        pair("--retries", Argument::plain(retries.to_string()));
    }
    let duration = |span: Duration| Argument::plain(duration_text(span));
    if let Some(delay) = settings.delay {
        pair("--delay", duration(delay));
    }
    if let Some(max_delay) = settings.max_delay {
        pair("--max-delay", duration(max_delay));
    }
    pair("--policy", wanted.policy);
    // These go before podman's subcommand, because podman reads --module only there.
    let section = unit.kind.section();
    let modules = unit.file.every(section, "ContainersConfModule");
    line.extend(modules.iter().map(|module| Argument::expanded(format!("--global-arg=--module={module}"))));
    let globals = arguments_of(&unit.file, section, "GlobalArgs");
    line.extend(globals.iter().map(|argument| Argument::expanded(format!("--global-arg={argument}"))));
    line.push(Argument::expanded(wanted.image));
    if !wanted.arguments.is_empty() {
        line.push(Argument::plain("--"));
        line.extend(wanted.arguments.into_iter().map(Argument::expanded));
    }
    line
}
