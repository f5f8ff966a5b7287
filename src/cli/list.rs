//! `list`: lists the gates that a user can name.

use clap::Args;

use crate::cli::{Error, Exit, paint, print};
use crate::config::{self, Environment};
use crate::overview::{list_json, list_table};
use crate::report::json_text;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print one JSON object on stdout
    #[arg(short, long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &ListArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let listing = config::listing(&Environment::from_process());
    print(&match args.json {
        true => format!("{}\n", json_text(&list_json(&listing))),
        false => list_table(&listing, paint),
    })?;
    Ok(Exit::Done)
}
