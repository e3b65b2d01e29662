//! `offmount verify`.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::arguments::SourceArguments;
use super::copy::parts;
use super::progress::Bar;
use super::remote::{RemoteArguments, destination_parser};
use super::session::Session;
use super::stop::Stop;
use super::{Global, evidence, interrupt, output};
use crate::copy::{self, Difference, Verified, VerifyOptions};
use crate::report::json_line;
use crate::report::verify::{DifferenceRecord, VerifiedRecord, line, summary};
use crate::sink::url::To;

/// Read a copy again and compare it with its manifest
#[derive(Args, Debug)]
#[command(after_help = "\
A copy on another machine is hashed there where that is possible (b3sum or sha256sum over ssh, ETags of stores), else read \
back. With --manifest it is the image that is read: what the manifest says of the copy is proved against its source.

Exit status: 0 everything is as the manifest says; 1 something differs, each difference is named; 2 could not run.

Example:
  offmount copy testdata/server.img --to copied; offmount verify copied")]
pub(super) struct Arguments {
    /// The destination of a copy; with --manifest the image it was made of
    #[arg(value_name = "DIR|IMAGE", required_unless_present = "to")]
    directory: Option<PathBuf>,

    /// The destination of a copy, as `offmount copy` names it
    #[arg(long, value_name = "DIR|URL", value_parser = destination_parser(), conflicts_with = "directory")]
    to: Option<To>,

    /// Compare this manifest with the image
    #[arg(long, value_name = "FILE", requires = "directory")]
    manifest: Option<PathBuf>,

    /// Read every file back, also where the destination can hash it
    #[arg(long)]
    read_back: bool,

    #[command(flatten)]
    remote: RemoteArguments,

    /// One line of JSON for each difference, then one for the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let progress = Bar::new(global.quiet);
    let mut differences = Vec::new();
    let verified = check(&arguments, global, &progress, &mut |difference| {
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
    let verified = verified?;
    let mut out = output::stdout();
    out.write_all(&differences)?;
    evidence::note("verify", serde_json::to_value(VerifiedRecord::from(&verified))?);
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

fn check(
    arguments: &Arguments,
    global: Global,
    progress: &Bar,
    each: &mut dyn FnMut(&Difference),
) -> Result<Verified, Stop> {
    let failed = |error: copy::Error| Stop::Failed(error.to_string());
    let options =
        VerifyOptions { threads: global.threads, read_back: arguments.read_back, patience: arguments.remote.patience };
    match (&arguments.directory, &arguments.to, &arguments.manifest) {
        (Some(image), _, Some(manifest)) => {
            let file = File::open(manifest).map_err(|error| Stop::with_file("open", manifest, &error))?;
            let session = Session::open(&SourceArguments::of(image.clone()), global)?;
            let parts = parts(&session, |_| true)?;
            copy::verify_image(&parts, Box::new(file), global.threads, progress, each).map_err(failed)
        }
        (_, Some(To::Url(url)), _) => {
            let store = arguments.remote.open(url, true)?;
            copy::verify_store(&*store, &url.to_string(), options, progress, each).map_err(failed)
        }
        (Some(directory), ..) | (_, Some(To::Directory(directory)), _) => {
            copy::verify(directory, global.threads, progress, each).map_err(failed)
        }
        _ => Err(Stop::Failed("a tar archive is not verified here: restore it, then verify the directory".into())),
    }
}
