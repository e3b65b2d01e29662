//! `offmount stat`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::arguments::SourceArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::name::escaped;
use crate::node::Trust;
use crate::report::json_line;
use crate::report::stat::Stat;
use crate::server::{Resolved, link_target};

/// Show everything that is known of a file: inode, all times, extents, attributes, ACLs, trust
#[derive(Args, Debug)]
#[command(after_help = "\
Extents are shown as offsets on the disk and within the volume, in bytes, so that dd or a hex editor finds them. \
Symbolic links are not followed.

Exit status: 0 done; 1 something asked for is missing or damaged; 2 could not run.

Example:
  offmount stat testdata/server.img /etc/fstab")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// What to show
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Follow a symbolic link at the end of a path
    #[arg(short = 'L', long)]
    follow: bool,

    /// One line of JSON for each file
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let mut out = output::stdout();
    let mut worst = Trust::Intact;
    let mut missing = false;
    for (i, path) in arguments.paths.iter().enumerate() {
        let Some(found) = session.resolve(path, arguments.follow)? else {
            missing = true;
            continue;
        };
        if i > 0 && !arguments.json {
            writeln!(out)?;
        }
        match show(&session, &found, arguments.json, &mut out)? {
            Some(trust) => worst = worst.max(trust),
            None => missing = true,
        }
    }
    session.show_decisions();
    out.flush()?;
    session.unless_interrupted()?;
    Ok(u8::from(missing || worst > Trust::Journal))
}

/// Writes what is known of one file; returns how far it can be trusted.
fn show(session: &Session, found: &Resolved, json: bool, out: &mut impl Write) -> Result<Option<Trust>, Stop> {
    let volume = session.server.volume(found.volume);
    let (Some(fs), Some(node)) = (volume.fs(), &found.node) else {
        let path = escaped(&found.server_path);
        output::complain(&format!("{path}: made by offmount for what has no known name; it is on no disk"));
        return Ok(None);
    };
    let mapping = fs.mapping(node)?;
    let xattrs = fs.xattrs(node)?;
    let details = fs.details(node)?;
    let target = link_target(&**fs, node)?;
    let mut findings = mapping.findings.clone();
    findings.extend(xattrs.findings.iter().cloned());
    let trust = found.trust.max(node.trust).max(mapping.trust).max(xattrs.trust);
    let stat = Stat {
        path: &found.server_path,
        volume: &volume.name,
        volume_start: volume.span.start,
        node,
        trust,
        target: target.as_deref(),
        mapping: &mapping,
        xattrs: &xattrs.value,
        details: &details,
        findings: &findings,
    };
    if json {
        json_line(out, &stat.to_json())?;
    } else {
        out.write_all(stat.to_text().as_bytes())?;
    }
    Ok(Some(trust))
}
