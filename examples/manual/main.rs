//! Writes the manual pages that follow from the command line's definition, and copies the shells' completions:
//! `cargo run --example manual -- target/man` (completions go to `completions` beside that folder).

mod page;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The scripts of the shells. What they offer is decided by `netready complete`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("netready.bash", include_str!("../../packaging/completions/netready.bash")),
    ("_netready", include_str!("../../packaging/completions/_netready")),
    ("netready.fish", include_str!("../../packaging/completions/netready.fish")),
];

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
    for (name, text) in COMPLETIONS {
        fs::write(completions.join(name), text)?;
    }
    println!("{} and {}", folder.display(), completions.display());
    Ok(())
}
