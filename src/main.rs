//! The program.

use std::process::ExitCode;

fn main() -> ExitCode {
    offmount::cli::main()
}
