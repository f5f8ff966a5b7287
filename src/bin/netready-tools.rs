//! All of netready's commands, also those that `netready` hands over; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    netready::cli::tools()
}
