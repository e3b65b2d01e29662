//! `offmount completions`.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::output;
use super::stop::Stop;

/// Write a shell's completions to standard output
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  offmount completions bash")]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Stop> {
    // Generated into memory first: the generator panics where it can not write.
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "offmount", &mut text);
    let mut out = output::stdout();
    out.write_all(&text)?;
    out.flush()?;
    Ok(0)
}
