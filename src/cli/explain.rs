//! `explain`: what a gate waits for and what happens then, in sentences.

mod waiters;

use clap::Args;

use crate::cli::options::GateOptions;
use crate::cli::{Error, Exit, kernel_line, load_forced, print};
use crate::config::Environment;
use crate::explain::explain;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    gate: GateOptions,
}

pub(super) fn execute(args: ExplainArgs) -> Result<Exit, Error> {
    crate::log::start(tracing::Level::WARN);
    let request = args.gate.request()?;
    let gate = load_forced(&request, &kernel_line())?;
    // A gate that options make has no name, so no unit can name it.
    let is_named = request.gate.is_some() || !request.options.require_something();
    let waiters = match is_named {
        true => waiters::of(&gate.name, &Environment::from_process()),
        false => crate::explain::Waiters::default(),
    };
    print(&explain(&gate, &waiters))?;
    Ok(Exit::Done)
}
