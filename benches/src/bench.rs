//! What the measurements share: copies of the programs, and how often each is run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::namespace;
use crate::options::Options;
use crate::program::Program;

pub const COMPILER: &str = "cc";

pub struct Bench {
    pub quick: bool,
    /// The copy of netready; its siblings are beside it.
    pub netready: PathBuf,
    /// The gate that the reader knows: a default IPv4 route on a link with carrier.
    pub netready_run: Program,
    pub generator: PathBuf,
    pub reader: Program,
    pub ip: PathBuf,
    pub find: PathBuf,
    pub wait_online: PathBuf,
    pub nothing: PathBuf,
    scratch: TempDir,
}

impl Bench {
    /// Copies all that is measured, because the same bytes ran 8 to 20 % slower from a file that was written long ago
    /// than from a new one; and enters namespaces of its own.
    pub fn new(options: &Options) -> io::Result<Self> {
        let scratch = tempfile::tempdir()?;
        let netready = copy_netready(&options.programs, scratch.path())?;
        let reader = compile_reader(scratch.path())?;
        let copy = |name: &str| copy_installed(name, scratch.path());
        let bench = Self {
            quick: options.quick,
            netready_run: Program::new(&netready, &["run", "-4"]),
            generator: netready.with_file_name("netready-generator"),
            netready,
            reader: Program::new(reader, &[]),
            ip: copy("ip"),
            find: copy("find"),
            wait_online: copy("systemd-networkd-wait-online"),
            nothing: copy("true"),
            scratch,
        };
        namespace::make_mounts_private()
            .map_err(|error| io::Error::other(format!("cannot make namespaces (it takes root): {error}")))?;
        Ok(bench)
    }

    pub fn rounds(&self, full: u32) -> u32 {
        if self.quick { full.div_ceil(10) } else { full }
    }

    /// Trials that take seconds each.
    pub fn few_rounds(&self) -> u32 {
        if self.quick { 1 } else { 5 }
    }

    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
}

/// Copies netready and its siblings into one folder, and gives the copy of netready.
pub fn copy_netready(folders: &[PathBuf], scratch: &Path) -> io::Result<PathBuf> {
    let place = scratch.join("bin");
    fs::create_dir_all(&place)?;
    for name in ["netready", "netready-tools", "netready-probe", "netready-generator"] {
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        match found {
            Some(path) => drop(fs::copy(&path, place.join(name))?),
            None if name == "netready" => {
                let said = folders.iter().map(|folder| folder.display().to_string());
                let said = said.collect::<Vec<_>>().join(", ");
                return Err(io::Error::other(format!("no netready in {said}; run: make")));
            }
            None => eprintln!("{name} is missing, and what needs it is left out"),
        }
    }
    Ok(place.join("netready"))
}

pub fn compile_reader(scratch: &Path) -> io::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("reader.c");
    let reader = scratch.join("reader");
    let status = Command::new(COMPILER).arg("-O2").arg("-o").arg(&reader).arg(source).status()?;
    if status.success() { Ok(reader) } else { Err(io::Error::other("benches/reader.c does not compile")) }
}

/// The copy of a program of the distribution; where it is not installed, a path at which nothing is.
///
/// Whole paths also because std starts a program that it must look up by fork instead of posix_spawn, which takes
/// longer.
fn copy_installed(program: &str, scratch: &Path) -> PathBuf {
    let copy = scratch.join(program);
    ["/usr/sbin", "/usr/bin", "/usr/lib/systemd", "/lib/systemd", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists() && fs::copy(path, &copy).is_ok());
    copy
}
