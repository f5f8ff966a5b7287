//! Gate files: those that are wrong, are wanted and missing, or can never be met here.

use super::{Code, Finding, Report, Scene};
use crate::config::{self, ConfigError, Request};
use crate::model::Network;

/// Looks at every gate that has a file.
pub fn look(scene: &Scene, _network: &Network, report: &mut Report) {
    for name in config::names(&scene.environment) {
        let request = Request { gate: Some(name.clone()), ..Request::default() };
        match config::load(&request, &scene.environment, &|_| false) {
            Ok(_) => {}
            Err(error) => report.findings.push(invalid(&name, &error)),
        }
    }
}

fn invalid(name: &str, error: &ConfigError) -> Finding {
    let mut lines = error.problems.iter().map(ToString::to_string);
    let first = lines.next().unwrap_or_default();
    let more = match lines.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    Finding {
        code: Code::GateInvalid,
        subject: format!("gate {name}"),
        what: format!("{first}{more}"),
        seen: "its file and drop-ins were read as netready run reads them".to_owned(),
        mend: vec![format!("netready cat {name}    # says each line that is wrong; mend those")],
    }
}
