//! `offmount find`.

mod conditions;
mod deleted;
mod write;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use rayon::prelude::*;

use super::arguments::SourceArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::report::disk::decisions;
use crate::report::{StreamHeader, json_line};
use crate::source::SourceGone;
use crate::tree::ItemId;

use conditions::Conditions;
use write::{Search, Written};

/// Items whose nodes are asked for, and written, at once by one thread.
const CHUNK: usize = 4096;

/// Find files below paths, by name, kind, size, time, owner or trust
#[derive(Args, Debug)]
#[command(after_help = "\
Without a PATH everything on the disk is searched: the server's own paths, then the volumes that its fstab does not \
mount, as p3:/path. All conditions given must hold. Times are in UTC.

Exit status: 0 done; 1 something asked for is missing or damaged; 2 could not run.

Examples:
  offmount find testdata/server.img /etc --name '*.conf'
  offmount find testdata/server.img --json")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// Where to search
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    conditions: Conditions,

    /// Files that were deleted, as far as something is left of them, under #deleted with the path they had, or by number where
    /// that is lost
    #[arg(long, conflicts_with = "paths")]
    deleted: bool,

    /// Long lines, as ls -l
    #[arg(short, long)]
    long: bool,

    /// End each path with a zero byte, for xargs -0
    #[arg(short = '0', long = "print0", conflicts_with_all = ["long", "json"])]
    print0: bool,

    /// One line of JSON with all metadata for each file, after a header line
    #[arg(long, conflicts_with = "long")]
    json: bool,
}

pub(in crate::cli) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    if arguments.deleted {
        return find_deleted(&session, &arguments);
    }
    let (mut parts, mut missing) = (Vec::new(), false);
    for path in &arguments.paths {
        match session.resolve(path, false)? {
            Some(top) => parts.extend(session.server.below(&top, &session.progress)?),
            None => missing = true,
        }
    }
    if arguments.paths.is_empty() {
        parts = session.server.everything(&session.progress)?;
    }
    session.progress.clear();
    session.unless_interrupted()?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        json_line(&mut out, &StreamHeader::new(&session.opened, decisions(&session.server)))?;
    } else {
        session.show_decisions();
    }
    let search = Search { session: &session, arguments: &arguments, names: output::names() };
    let mut damaged = false;
    for part in &parts {
        let items: Vec<ItemId> = part.items();
        // Enough at once to keep all threads busy, and no more than a few megabytes of text.
        for batch in items.chunks(CHUNK * 16) {
            let written: Result<Vec<Written>, SourceGone> =
                batch.par_chunks(CHUNK).map(|items| search.write(part, items)).collect();
            for written in written? {
                out.write_all(&written.text)?;
                damaged |= written.damaged;
            }
            session.unless_interrupted()?;
        }
    }
    out.flush()?;
    Ok(u8::from(missing || damaged))
}

fn find_deleted(session: &Session, arguments: &Arguments) -> Result<u8, Stop> {
    let text = deleted::list(session, arguments, output::names())?;
    let mut out = output::stdout();
    if arguments.json {
        json_line(&mut out, &StreamHeader::new(&session.opened, decisions(&session.server)))?;
    } else {
        session.show_decisions();
    }
    out.write_all(&text)?;
    out.flush()?;
    Ok(0)
}
