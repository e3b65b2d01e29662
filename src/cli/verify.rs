//! `offmount verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::progress::Bar;
use super::stop::Stop;
use super::{Global, interrupt, output};
use crate::copy;
use crate::report::json_line;
use crate::report::verify::{DifferenceRecord, VerifiedRecord, line, summary};

/// Read a copy again and compare it with its manifest
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status: 0 everything is as the manifest says; 1 something differs, each difference is named; 2 could not run.

Example:
  offmount copy testdata/server.img --to copied; offmount verify copied")]
pub(super) struct Arguments {
    /// The destination of a copy
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// One line of JSON for each difference, then one for the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let progress = Bar::new(global.quiet);
    let mut differences = Vec::new();
    let verified = copy::verify(&arguments.directory, global.threads, &progress, &mut |difference| {
        let mut text = Vec::new();
        if arguments.json {
            // Writing to memory can not fail.
            let _ = json_line(&mut text, &DifferenceRecord::from(difference));
        } else {
            text.extend(line(difference).into_bytes());
            text.push(b'\n');
        }
        differences.extend(text);
    });
    progress.clear();
    let verified = verified.map_err(|error| Stop::Failed(error.to_string()))?;
    let mut out = output::stdout();
    out.write_all(&differences)?;
    match arguments.json {
        true => json_line(&mut out, &VerifiedRecord::from(&verified))?,
        false => out.write_all(summary(&verified).as_bytes())?,
    }
    out.flush()?;
    if interrupt::asked() {
        return Err(Stop::Interrupted);
    }
    Ok(u8::from(!verified.is_clean()))
}
