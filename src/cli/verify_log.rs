//! `offmount verify-log`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::evidence::check_signature;
use super::output;
use super::stop::Stop;
use crate::evidence::verify;
use crate::name::escaped;
use crate::report::json_line;
use crate::report::text::count;

/// Check that nothing in a run's log (--log) was changed or left out
#[derive(Args, Debug)]
#[command(after_help = "\
Every line of a log holds the hash of all before it. A log that is whole was not changed in its middle; that it was not made \
anew, or cut off between two runs, only a signature (--log-sign) tells.

Exit status: 0 whole, and signed by this key if one is given; 1 not; 2 could not run.

Example:
  offmount info testdata/server.img --log run.log; offmount verify-log run.log")]
pub(super) struct Arguments {
    /// The log
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Check the signature in FILE.minisig with this minisign public key
    #[arg(long, value_name = "KEY")]
    public_key: Option<PathBuf>,

    /// The verdict as a line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Stop> {
    let path = &arguments.file;
    let file = File::open(path).map_err(|error| Stop::with_file("open", path, &error))?;
    let verified = verify(BufReader::new(file)).map_err(|error| Stop::with_file("read", path, &error))?;
    let signature = arguments.public_key.as_deref().map(|key| check_signature(path, key)).transpose()?;
    let whole = verified.is_whole() && signature.as_ref().is_none_or(Result::is_ok);
    let mut out = output::stdout();
    if arguments.json {
        let broken = verified.broken.as_ref().map(|(line, what)| json!({ "line": line, "what": what }));
        json_line(
            &mut out,
            &json!({
                "summary": "verify-log", "whole": whole, "entries": verified.entries, "runs": verified.runs,
                "unended_runs": verified.unended, "broken": broken, "chain": verified.chain,
                "signature": signature.as_ref().map(|it| if it.is_ok() { "good" } else { "bad" }),
            }),
        )?;
    } else {
        writeln!(out, "{} of {} in order", count(verified.entries, "line"), count(verified.runs, "run"))?;
        if let Some((line, what)) = &verified.broken {
            writeln!(out, "line {line}: {what}")?;
        }
        if verified.unended > 0 {
            writeln!(out, "{} without an end: killed, or cut off", count(verified.unended, "run"))?;
        }
        match &signature {
            None => {}
            Some(Ok(comment)) => writeln!(out, "signed: {}", escaped(comment.as_bytes()))?,
            Some(Err(why)) => writeln!(out, "NOT signed by this key: {}", escaped(why.as_bytes()))?,
        }
        writeln!(out, "{}", if whole { "whole" } else { "NOT whole" })?;
    }
    out.flush()?;
    Ok(u8::from(!whole))
}
