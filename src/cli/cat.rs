//! `offmount cat`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::arguments::SourceArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::bytes::{Buffer, Spans};
use crate::fs::content::Content;
use crate::name::escaped;
use crate::node::{Kind, Trust};
use crate::server::Resolved;

/// Bytes read and written at once.
const CHUNK: usize = 1 << 20;

/// Lost spans named for one file.
const NAMED: usize = 20;

/// Write the contents of files to standard output
#[derive(Args, Debug)]
#[command(after_help = "\
Bytes that are lost are written as zeros, and standard error says which they are.

Exit status: 0 done; 1 something asked for is missing or damaged; 2 could not run.

Example:
  offmount cat testdata/server.img /etc/fstab")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// Files to write, one after the other
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let (mut out, mut buffer, mut whole) = (output::stdout(), Buffer::default(), true);
    for path in &arguments.paths {
        whole &= match session.resolve(path, true)? {
            Some(found) => write(&session, &found, &mut buffer, &mut out)?,
            None => false,
        };
    }
    out.flush()?;
    session.show_decisions();
    Ok(u8::from(!whole))
}

/// Writes one file; false where something of it is missing or in doubt.
fn write(session: &Session, found: &Resolved, buffer: &mut Buffer, out: &mut dyn Write) -> Result<bool, Stop> {
    let path = escaped(&found.server_path);
    let (Some(fs), Some(node)) = (session.server.volume(found.volume).fs(), &found.node) else {
        output::complain(&format!("{path}: is a directory"));
        return Ok(false);
    };
    if node.kind != Kind::File {
        output::complain(&format!("{path}: is {}, and holds no contents", a_kind(node.kind)));
        return Ok(false);
    }
    let content = Content::open(&**fs, node)?;
    let lost = write_content(session, &content, buffer, out)?;
    tell_of_lost(&path.to_string(), &lost);
    let trust = found.trust.max(node.trust).max(content.mapping().trust);
    if trust > Trust::Partial || (trust == Trust::Unproven) {
        output::complain(&format!("{path}: {trust}; `offmount stat` says why"));
    }
    Ok(lost.is_empty() && trust < Trust::Unproven)
}

fn write_content(
    session: &Session,
    content: &Content<'_>,
    buffer: &mut Buffer,
    out: &mut dyn Write,
) -> Result<Spans, Stop> {
    let (mut lost, mut at) = (Spans::new(), 0);
    buffer.resize(content.size().min(CHUNK as u64) as usize);
    while at < content.size() {
        session.unless_interrupted()?;
        let n = content.read(at, buffer, &mut lost)?;
        out.write_all(&buffer[..n])?;
        at += n as u64;
    }
    Ok(lost)
}

fn tell_of_lost(path: &str, lost: &Spans) {
    for span in lost.iter().take(NAMED) {
        output::complain(&format!("{path}: bytes {} to {} are lost, zeros stand for them", span.start, span.end));
    }
    if lost.count() > NAMED {
        output::complain(&format!("{path}: and {} more spans; {} bytes in all", lost.count() - NAMED, lost.total()));
    }
}

fn a_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a file",
        Kind::Directory => "a directory",
        Kind::Symlink => "a symbolic link",
        Kind::Fifo => "a named pipe",
        Kind::Socket => "a socket",
        Kind::CharDevice => "a character device",
        Kind::BlockDevice => "a block device",
        Kind::Unknown => "of an unknown kind",
    }
}
