//! Writes the manual pages and shell completions that follow from the command line's definition:
//! `cargo run --example manual -- target/man` (completions go to `completions` beside that folder).

mod page;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("target/man"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let mut definition = netready::cli::definition();
    definition.build();

    for (name, text) in page::pages(&definition, &Path::new(env!("CARGO_MANIFEST_DIR")).join("man"))? {
        fs::write(folder.join(name), text)?;
    }

    let completions = folder.parent().map(|parent| parent.join("completions")).unwrap_or_default();
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut definition, "netready", &completions)?;
    }
    println!("{} and {}", folder.display(), completions.display());
    Ok(())
}
