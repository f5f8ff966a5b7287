//! Finds, reads and writes gate files. [`netready_core::config`] parses their content.
//!
//! Only [`Environment::from_process`] reads the environment. This module does not look at the network. The caller
//! passes the names of the links ([`KnownLinks`]), which are used only to word an error.

use std::path::{Path, PathBuf};

use crate::identity::{self, Identity};
use crate::platform::xdg;

mod lookup;
mod save;

pub use lookup::{FindError, FindErrorKind, find, listing, names};
pub use netready_core::config::*;
pub use save::{SaveError, save};

/// The gate that a caller asks for: a gate file, options, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateRequest {
    /// The name of a gate, or the path of a gate file if it has a slash.
    pub gate: Option<String>,
    /// Options that are added to the gate. Without `gate`, options that require something are a gate of their own.
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
    /// The directory that is used in place of the root directory. It is `/` except in tests.
    pub root: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
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

    /// Whether a user's gates are used, rather than the system's.
    pub fn is_user(&self) -> bool {
        identity::is_user(self.uid, self.user_manager)
    }

    /// Where a path of the host is, below `root`.
    pub(crate) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// What the caller knows of the links and of its own command line. This is used to word an error.
pub trait KnownLinks {
    /// The subcommand that the user typed. Errors name it in what they suggest.
    fn command(&self) -> &str {
        "check"
    }

    /// Whether a link has this name or altname.
    fn has(&self, name: &str) -> bool;

    /// The names of the links.
    fn names(&self) -> Vec<String>;
}

/// Knows no link. For callers that print no error, or know that the user did not mean a link.
pub struct NoLinks;

impl KnownLinks for NoLinks {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Finds, reads and parses the requested gate.
///
/// `links` are used only after an error, to tell a user who wrote the name of a link where another value is needed.
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

/// Rewords an error if the value of `--address` or `--route` is the name of a link.
fn tell_links(mut error: ConfigError, options: &Options, links: &dyn KnownLinks) -> ConfigError {
    for key in [&keys::ADDRESS, &keys::ROUTE] {
        let Some(option) = &key.option else { continue };
        for value in options.values(key).iter().filter(|value| links.has(value)) {
            let shown = printable(value);
            let origin = format!("{} {shown}", option.typed());
            for problem in error.problems.iter_mut().filter(|problem| problem.origin == origin) {
                problem.message = format!("is the name of a link; write -i {shown}");
            }
        }
    }
    error
}

/// The path of the caller's own file for this gate: the first place in which a gate is searched.
pub fn own_file(gate: &str, environment: &Environment) -> PathBuf {
    lookup::first_directory(environment).join(format!("{gate}.toml"))
}

#[cfg(test)]
mod tests;
