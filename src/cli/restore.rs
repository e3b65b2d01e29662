//! `offmount restore-metadata`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::progress::Bar;
use super::stop::Stop;
use super::{Global, interrupt, output};
use crate::copy;
use crate::report::json_line;
use crate::report::restore::{RestoredRecord, summary};

/// Give a copy back what a place on its way could not hold: owners, modes, times, attributes, links
#[derive(Args, Debug)]
#[command(after_help = "\
For files that went through a place that keeps contents only (an object store, WebDAV) and were downloaded to DIR. The \
manifest says what they were: owner, mode, times, extended attributes and ACLs are restored, missing directories, symbolic \
links, pipes and devices are made, and hard links become hard links again. Contents are not touched; a copy of a hard link \
makes way only if its hash is the recorded one. Owners and devices need root.

Exit status: 0 everything is as the manifest says; 1 something could not be restored, each is named; 2 could not run.

Example:
  offmount copy testdata/server.img --to copied; offmount restore-metadata copied")]
pub(super) struct Arguments {
    /// The files
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The manifest, where it is not DIR/.offmount/manifest.jsonl
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// The summary as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let progress = Bar::new(global.quiet);
    let restored = copy::restore(&arguments.directory, arguments.manifest.as_deref(), &progress);
    progress.clear();
    let restored = restored.map_err(|error| Stop::Failed(error.to_string()))?;
    let mut out = output::stdout();
    match arguments.json {
        true => json_line(&mut out, &RestoredRecord::from(&restored))?,
        false => out.write_all(summary(&restored).as_bytes())?,
    }
    out.flush()?;
    if interrupt::asked() {
        return Err(Stop::Interrupted);
    }
    Ok(u8::from(!restored.is_complete()))
}
