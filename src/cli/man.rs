//! `offmount man`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use super::output;
use super::stop::Stop;

/// Write the manual page to standard output, or all manual pages to a directory
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  offmount man")]
pub(super) struct Arguments {
    /// Write one page for each verb into this directory
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Stop> {
    match arguments.to {
        Some(directory) => write_all(&directory)?,
        None => {
            let mut out = output::stdout();
            Man::new(super::command()).render(&mut out)?;
            out.flush()?;
        }
    }
    Ok(0)
}

fn write_all(directory: &Path) -> Result<(), Stop> {
    fs::create_dir_all(directory).map_err(|error| Stop::with_file("make", directory, &error))?;
    clap_mangen::generate_to(super::command(), directory)
        .map_err(|error| Stop::with_file("write manual pages to", directory, &error))
}
