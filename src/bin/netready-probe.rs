//! One try of a probe; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    netready::probe::serve()
}
