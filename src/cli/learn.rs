//! `learn`: writes a gate file for what this host has now.

use clap::Args;
use tracing::{error, info};

use crate::cli::{Error, Exit, Tuning, block_on, check, print};
use crate::clock;
use crate::config::{self, ConfigError, Environment, GateRequest, Problem};
use crate::doctor::boots;
use crate::generator;
use crate::learn::{Containers, LearnRequest, Learned, Refusal, learn, survey};
use crate::quadlet::is_gate;
use crate::report::unmet_lines;

/// The gate that the system's netready.service keeps.
const OF_THE_SYSTEM: &str = "default";
/// The gate that each user's netready.service keeps.
const OF_A_USER: &str = "podman";

#[derive(Debug, Args)]
pub(super) struct LearnArgs {
    /// The name of the gate [default: default for root, podman for another user]
    #[arg(value_name = "GATE")]
    gate: Option<String>,

    /// Write the file to /etc/netready/GATE.toml, or to a user's ~/.config/netready/GATE.toml
    #[arg(short, long)]
    write: bool,

    /// With --write: replace an existing file
    #[arg(short, long, requires = "write")]
    force: bool,

    #[command(flatten)]
    tuning: Tuning,
}

pub(super) fn execute(args: &LearnArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::INFO);
    let environment = Environment::from_process();
    let of_the_system = !environment.is_user();
    let gate = match &args.gate {
        Some(gate) => named(gate)?,
        None if of_the_system => OF_THE_SYSTEM,
        None => OF_A_USER,
    };
    let containers = containers(gate, of_the_system);
    let path = config::own_file(gate, &environment);
    let source = path.display().to_string();
    let late = boots::late_of(gate);
    let learn_request = LearnRequest { gate, source: &source, containers: containers.as_ref(), late: &late };
    let survey = survey();
    let (network, _) = block_on(check::look(&survey, args.tuning.receive_buffer, false))?;
    let learned = match learn(learn_request, &network, clock::now()) {
        Ok(learned) => learned,
        Err(Refusal::Unreadable(error)) => return Err(error.into()),
        Err(Refusal::Nothing(links)) => {
            error!(
                "nothing to learn: no link has carrier and an address that it will also have at the next boot"
            );
            links.iter().for_each(|line| error!("{line}"));
            return Ok(Exit::NotReady);
        }
        Err(Refusal::NotReady(_, verdict)) => {
            error!("the network does not work now, so there is nothing to learn from this host");
            unmet_lines(&verdict).iter().for_each(|line| error!("{line}"));
            return Ok(Exit::NotReady);
        }
    };
    match args.write {
        false => print(&learned.text)?,
        true => {
            let before = read_before(gate, &environment);
            config::save(&path, &learned.text, args.force, &environment).map_err(|error| match error {
                config::SaveError::Exists(_) => Error::Config(exists(&source, gate)),
                error @ config::SaveError::Write { .. } => Error::Save(error),
            })?;
            print(&format!("{source}\n"))?;
            for note in notes(&learned, &source, before.as_deref(), of_the_system, &environment) {
                info!("{note}");
            }
        }
    }
    Ok(Exit::Done)
}

/// Checks that the gate's name can be the name of a unit's instance.
fn named(gate: &str) -> Result<&str, ConfigError> {
    let message = if gate.contains('/') {
        "learn takes the name of a gate; to write another file: netready learn >FILE"
    } else if gate.ends_with(".toml") {
        "write the name of a gate without .toml"
    } else if !is_gate(gate) || gate == "none" {
        "not a name for a gate; a name has letters, digits, '-', '_', '.' and ':'"
    } else {
        return Ok(gate);
    };
    Err(Problem { origin: format!("gate {gate:?}"), line: None, message: message.to_owned() }.into())
}

/// Returns the quadlets that wait for this gate, if rootless containers do. They do for the gate `podman`, and for
/// another gate of a user who has a quadlet with pasta.
fn containers(gate: &str, of_the_system: bool) -> Option<Containers> {
    // Root does not know the quadlets of all users. An empty list means that pasta may be needed.
    let mut containers = Containers::default();
    if !of_the_system {
        for attachment in generator::attachments(true) {
            if attachment.static_ip {
                containers.with_static_ip.push(attachment.name.clone());
            }
            match attachment.by_pasta {
                true => containers.by_pasta.push(attachment.name),
                false => containers.without_pasta.push(attachment.name),
            }
        }
    }
    let wanted = match gate {
        OF_A_USER => true,
        OF_THE_SYSTEM => false,
        _ => !containers.by_pasta.is_empty(),
    };
    wanted.then_some(containers)
}

fn exists(source: &str, gate: &str) -> ConfigError {
    let message = format!(
        "exists already; to compare: netready learn {gate} | diff {source} -; to replace: netready learn {gate} --write --force"
    );
    Problem { origin: source.to_owned(), line: None, message }.into()
}

/// Returns the file that the gate was read from before.
fn read_before(gate: &str, environment: &Environment) -> Option<String> {
    let request = GateRequest { gate: Some(gate.to_owned()), ..GateRequest::default() };
    let loaded = config::load(&request, environment, &config::NoLinks).ok()?;
    loaded.parts.into_iter().next().map(|part| part.origin)
}

/// Says what the file changes, what overrides parts of it, and from when on it is used.
fn notes(
    learned: &Learned,
    source: &str,
    before: Option<&str>,
    of_the_system: bool,
    environment: &Environment,
) -> Vec<String> {
    let gate = &learned.gate.name;
    let mut notes = Vec::new();
    if let Some(before) = before.filter(|before| *before != source && before.starts_with('/')) {
        notes.push(format!("this file replaces {before}"));
    }
    let request = GateRequest { gate: Some(gate.clone()), ..GateRequest::default() };
    match config::load(&request, environment, &config::NoLinks) {
        Ok(loaded) => {
            for part in loaded.parts.iter().filter(|part| part.origin != source) {
                notes.push(format!("{} overrides parts of it", part.origin));
            }
        }
        Err(error) => notes.push(format!("{error}")),
    }
    let (unit, user) = match (gate.as_str(), of_the_system) {
        (OF_THE_SYSTEM, true) => ("netready.service".to_owned(), ""),
        (OF_A_USER, false) => ("netready.service".to_owned(), "--user "),
        (_, true) => (format!("netready@{gate}.service"), ""),
        (_, false) => (format!("netready@{gate}.service"), "--user "),
    };
    notes.push(format!("{unit} reads it when it starts; if it runs already: systemctl {user}reload {unit}"));
    notes
}
