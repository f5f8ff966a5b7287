//! Writes the manual pages and shell completions that follow from the command line's definition:
//! `cargo run --example manual -- target/man` (completions go to `completions` beside that folder).

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap_complete::Shell;
use clap_mangen::Man;

/// What no definition says: exit codes, files, signals, examples.
const SECTIONS: &str = include_str!("../../man/netready.1.sections");

/// The date of a page is its version's, whose source line says both.
fn manual(command: clap::Command, name: &str) -> Man {
    let version = concat!("netready ", env!("CARGO_PKG_VERSION"));
    Man::new(command).title(name.to_uppercase()).source(version).manual("netready").date(version)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/man"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let mut definition = netready::cli::definition();
    definition.build();

    let mut page = Vec::new();
    let whole = definition.clone().disable_help_subcommand(true).after_help(None);
    manual(whole, "netready").render(&mut page)?;
    page.extend(SECTIONS.as_bytes());
    fs::write(folder.join("netready.1"), page)?;
    for command in definition.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("netready-{}", command.get_name());
        let mut page = Vec::new();
        manual(command.clone(), &name).render(&mut page)?;
        fs::write(folder.join(format!("{name}.1")), page)?;
    }

    let completions = folder.parent().map(|parent| parent.join("completions")).unwrap_or_default();
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut definition, "netready", &completions)?;
    }
    println!("{} and {}", folder.display(), completions.display());
    Ok(())
}
