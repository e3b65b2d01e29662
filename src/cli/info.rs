//! `offmount info`.

use std::io::Write;

use clap::Args;

use super::arguments::SourceArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::report::{disk, json_document};

/// Show what is on a disk: partitions, filesystems, labels, space, and where the server mounts them
#[derive(Args, Debug)]
#[command(after_help = "\
Shows together what fdisk -l, blkid and df show. The START of a volume with an s after it is what --offset takes.

Example:
  offmount info testdata/server.img")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let mut out = output::stdout();
    if arguments.json {
        json_document(&mut out, &disk::to_json(&session.opened, &session.server))?;
    } else {
        session.show_decisions();
        out.write_all(disk::to_text(&session.opened, &session.server).as_bytes())?;
    }
    out.flush()?;
    Ok(0)
}
