//! Finding, reading and writing gate files. What stands in them is understood by
//! [`netready_core::config`], which this module hands on.
//!
//! Only [`Environment::from_process`] reads the environment. Nothing here looks at the network: whether a link of a
//! name exists is asked through a function that the caller passes, and only to word an error.

use std::path::{Path, PathBuf};

use crate::identity::{self, Identity};
use crate::platform::xdg;

mod lookup;
mod save;

pub use lookup::{FindError, FindErrorKind, find, listing, names};
pub use netready_core::config::*;
pub use save::{SaveError, save};

/// What a caller asks for: a gate, changed or made by options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateRequest {
    /// A gate's name, or with a slash in it a file.
    pub gate: Option<String>,
    /// Added to the gate; a gate of their own where none is named.
    pub options: Options,
}

/// What the search for gate files depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The number of the effective user.
    pub uid: u32,
    /// `$HOME`, if it is an absolute path that this user may use.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`, if it is an absolute path that this user may use.
    pub config_home: Option<PathBuf>,
    /// Whether this user's own service manager started this process.
    pub user_manager: bool,
    /// The directories are looked for below this one; `/` but in tests.
    pub root: PathBuf,
}

impl Environment {
    /// What this process was started with.
    pub fn from_process() -> Environment {
        let identity = Identity::of_process();
        let directory = |name: &str| xdg::directory(name).filter(|path| identity.may_use(path));
        Environment {
            uid: identity.uid,
            home: directory("HOME"),
            config_home: directory("XDG_CONFIG_HOME"),
            user_manager: identity.user_manager,
            root: PathBuf::from("/"),
        }
    }

    /// Whether it is a user's side of the host; else it is the system's.
    pub fn is_user(&self) -> bool {
        identity::is_user(self.uid, self.user_manager)
    }

    /// Where a path of the host's is.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// What a caller knows of this host and of its own command line, to word an error.
pub trait KnownLinks {
    /// The command that was typed and that takes a gate; errors name it in what they suggest.
    fn command(&self) -> &str {
        "check"
    }

    /// Whether a link has this name or altname.
    fn has(&self, name: &str) -> bool;

    /// The names of the links.
    fn names(&self) -> Vec<String>;
}

/// No link: for those who print no error, or know that no link was meant.
pub struct NoLinks;

impl KnownLinks for NoLinks {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Finds, reads and understands what is asked for.
///
/// `links` are asked only if there is no such gate, to tell somebody who named a link.
pub fn load(
    request: &GateRequest,
    environment: &Environment,
    links: &dyn KnownLinks,
) -> Result<Loaded, ConfigError> {
    let loaded = match &request.gate {
        None if request.options.require_something() => of_options(&request.options),
        gate => {
            let name = gate.as_deref().unwrap_or("default");
            let texts = find(name, &request.options, environment, links)?;
            of_texts(&texts.name, texts.parts, &request.options)
        }
    };
    loaded.map_err(|error| tell_links(error, &request.options, links))
}

/// Says so where the value of `--address` or `--route` is the name of a link.
fn tell_links(mut error: ConfigError, options: &Options, links: &dyn KnownLinks) -> ConfigError {
    for key in [&keys::ADDRESS, &keys::ROUTE] {
        let Some(option) = &key.option else { continue };
        for value in options.values(key).iter().filter(|value| links.has(value)) {
            let shown = printable(value);
            let origin = format!("{} {shown}", option.typed());
            for problem in error.problems.iter_mut().filter(|problem| problem.origin == origin) {
                problem.message = format!("{shown} is a link: -i {shown}");
            }
        }
    }
    error
}

/// The file that a caller's own gate of this name is read from: the first place that is looked at.
pub fn own_file(gate: &str, environment: &Environment) -> PathBuf {
    lookup::first_directory(environment).join(format!("{gate}.toml"))
}

#[cfg(test)]
mod tests;
