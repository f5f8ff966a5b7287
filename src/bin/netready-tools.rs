//! All of netready's commands, also those that `netready` hands over, and the guardian of a command that it runs; see
//! the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    netready::cli::tools()
}
