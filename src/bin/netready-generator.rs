//! See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    netready::generator::main()
}
