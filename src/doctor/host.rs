//! The host as one user sees it: which side is examined, and where its files and programs are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::programs::Programs;
use crate::config::Environment;
use crate::generator::UnitPaths;
use crate::platform::systemd;
use crate::quadlet::Manager;

/// One side of a host (the system's or a user's), as the user who examines it sees it.
#[derive(Debug)]
pub struct Host {
    /// The service manager of the side that is examined.
    pub manager: Manager,
    /// The places of gate files.
    pub environment: Environment,
    /// The folders of units.
    pub paths: UnitPaths,
    /// The name of the user who examines the host. `None` if the user's number has no name.
    pub user: Option<String>,
    /// The programs that may be run.
    pub programs: Programs,
}

impl Host {
    /// The host for the user of this process: root examines the system's side, and any other user their own side.
    pub fn from_process() -> Host {
        let environment = Environment::from_process();
        let manager = if environment.is_user() { Manager::User } else { Manager::System };
        let paths = UnitPaths::from_process(manager == Manager::User, None, None);
        let programs = Programs::from_process(paths.runtime.as_deref());
        let uid = nix::unistd::Uid::from_raw(environment.uid);
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
        Host { manager, environment, paths, user, programs }
    }

    /// Where a path of the host is. Only tests use another place.
    pub fn at(&self, path: &str) -> PathBuf {
        self.environment.at(Path::new(path))
    }

    /// Whether systemd runs this host (sd_booted(3)).
    pub fn booted_by_systemd(&self) -> bool {
        self.at(systemd::BOOTED).is_dir()
    }

    /// The command that makes this side's service manager read its files again.
    pub fn reload(&self) -> &'static str {
        match self.manager {
            Manager::System => "systemctl daemon-reload",
            Manager::User => "systemctl --user daemon-reload",
        }
    }

    /// A property of a unit of this side's service manager.
    ///
    /// # Errors
    /// Fails if the property cannot be read. The text says why, for the reader of the report.
    pub fn property(&self, unit: &str, property: &str) -> Result<String, String> {
        self.property_of(self.manager, unit, property)
    }

    /// A property of a unit of the system's or the user's service manager.
    ///
    /// # Errors
    /// Fails if the property cannot be read. The text says why, for the reader of the report.
    pub fn property_of(&self, manager: Manager, unit: &str, property: &str) -> Result<String, String> {
        if !self.booted_by_systemd() {
            return Err("systemd does not run this host".to_owned());
        }
        let side = match manager {
            Manager::System => "--system",
            Manager::User => "--user",
        };
        let words = [side, "show", "--value", "-p", property, "--", unit];
        let said = self.programs.ask("systemctl", &words).map_err(|error| error.to_string())?;
        Ok(said.success().map_err(|error| format!("systemctl says: {error}"))?.trim().to_owned())
    }

    /// Properties of each loaded unit whose name matches a pattern.
    ///
    /// # Errors
    /// Fails if the properties cannot be read. The text says why, for the reader of the report.
    pub fn units(&self, pattern: &str, properties: &str) -> Result<Vec<BTreeMap<String, String>>, String> {
        self.each_unit([pattern], properties)
    }

    /// Properties of each of these units.
    ///
    /// # Errors
    /// Fails if the properties cannot be read. The text says why, for the reader of the report.
    pub fn each_unit(
        &self,
        units: impl IntoIterator<Item = impl AsRef<str>>,
        properties: &str,
    ) -> Result<Vec<BTreeMap<String, String>>, String> {
        let side = match self.manager {
            Manager::System => "--system",
            Manager::User => "--user",
        };
        let units: Vec<_> = units.into_iter().collect();
        let words = [side, "show", "-p", properties, "--"].into_iter();
        let words: Vec<&str> = words.chain(units.iter().map(AsRef::as_ref)).collect();
        let said = self.programs.ask("systemctl", &words);
        let text = said.map_err(|error| error.to_string())?.success();
        let text = text.map_err(|error| format!("systemctl says: {error}"))?;
        Ok(text.split("\n\n").map(properties_of).collect())
    }

    /// The folders to which the generators of this user's service manager write.
    pub fn generated(&self) -> Vec<PathBuf> {
        self.paths.runtime.iter().flat_map(|runtime| systemd::generated(runtime)).collect()
    }
}

fn properties_of(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
