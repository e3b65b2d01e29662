//! `offmount ls`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::arguments::SourceArguments;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::node::{Kind, Trust};
use crate::report::disk::decisions;
use crate::report::file::FileRecord;
use crate::report::listing::{Line, Names, long};
use crate::report::{StreamHeader, json_line};
use crate::server::{Listed, Resolved, link_target};

/// List directories, in order of name
#[derive(Args, Debug)]
#[command(after_help = "\
Names that begin with a dot are listed like all others. On a terminal, control characters, backslashes and bytes that \
are not UTF-8 are shown escaped (\\n, \\033, \\377); elsewhere names are written as they are. Times are in UTC unless \
--timezone says otherwise. In a long listing, how far a file can be trusted stands before its name, where it is not \
intact: journal, renamed, unproven, partial, doubtful. Owners and groups are numbers.

Exit status: 0 done; 1 something asked for is missing or damaged; 2 could not run.

Example:
  offmount ls -l testdata/server.img /etc")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// What to list; / unless given
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Long lines: mode, links, owner, group, size, time of last change, trust, name
    #[arg(short)]
    long: bool,

    /// Directories below, too
    #[arg(short = 'R', long)]
    recursive: bool,

    /// Directories themselves, not what they hold
    #[arg(short, long)]
    directory: bool,

    /// Accepted, as everything is always listed
    #[arg(short, long)]
    all: bool,

    /// One line of JSON for each file, after a header line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let mut paths = arguments.paths.clone();
    if paths.is_empty() {
        paths.push("/".into());
    }
    let mut found = Vec::new();
    for path in &paths {
        // As ls does: what a link leads to is listed, and the link itself where it is looked at alone.
        found.extend(session.resolve(path, !arguments.directory && !arguments.long)?);
    }
    let mut listing = Listing {
        session: &session,
        arguments: &arguments,
        out: Vec::new(),
        damaged: false,
        first: true,
        header: arguments.json,
    };
    let several = paths.len() > 1;
    let is_alone =
        |it: &Resolved| arguments.directory || it.node.as_ref().is_some_and(|node| node.kind != Kind::Directory);
    let (alone, directories): (Vec<Resolved>, Vec<Resolved>) = found.iter().cloned().partition(is_alone);
    listing.alone(&alone)?;
    for directory in &directories {
        listing.directory(directory, several || arguments.recursive)?;
    }
    if !arguments.json {
        session.show_decisions();
    }
    session.unless_interrupted()?;
    Ok(u8::from(listing.damaged || found.len() < paths.len()))
}

struct Listing<'a> {
    session: &'a Session,
    arguments: &'a Arguments,
    out: Vec<u8>,
    /// True once a directory was not wholly readable, or an entry led nowhere.
    damaged: bool,
    first: bool,
    /// True while the header is still to be written: listing may come to decisions, which it tells of.
    header: bool,
}

impl Listing<'_> {
    /// Files, and directories that stand for themselves, by the paths they were asked for.
    fn alone(&mut self, found: &[Resolved]) -> Result<(), Stop> {
        let as_listed = |it: &Resolved| Listed {
            name: it.server_path.clone(),
            volume: it.volume,
            id: it.node.as_ref().map(|node| node.id),
            kind: it.node.as_ref().map_or(Kind::Directory, |node| node.kind),
            trust: it.trust.max(it.node.as_ref().map_or(Trust::Intact, |node| node.trust)),
            node: it.node.clone(),
        };
        let listed: Vec<Listed> = found.iter().map(as_listed).collect();
        self.lines(&listed, b"")?;
        self.first &= found.is_empty();
        self.flush()
    }

    fn directory(&mut self, top: &Resolved, with_head: bool) -> Result<(), Stop> {
        let mut waiting = vec![top.clone()];
        // Resolving each directory anew by its own path can not loop: a listing names each directory once.
        while let Some(dir) = waiting.pop() {
            let listed = self.session.server.list(&dir, &self.session.progress)?;
            self.session.progress.clear();
            self.session.unless_interrupted()?;
            if with_head && !self.arguments.json {
                if !self.first {
                    self.out.push(b'\n');
                }
                output::names().write(&dir.server_path, &mut self.out);
                self.out.extend_from_slice(b":\n");
            }
            self.first = false;
            self.lines(&listed, &dir.server_path)?;
            self.flush()?;
            if self.arguments.recursive {
                for child in listed.iter().rev().filter(|child| child.kind == Kind::Directory) {
                    waiting.extend(self.child(&dir, child)?);
                }
            }
        }
        Ok(())
    }

    fn child(&mut self, dir: &Resolved, child: &Listed) -> Result<Option<Resolved>, Stop> {
        let path = join(&dir.server_path, &child.name);
        match self.session.server.resolve(&path, false, &self.session.progress) {
            Ok(resolved) => Ok(Some(resolved)),
            Err(unresolved) => {
                let why = super::stop::unless_gone(unresolved)?;
                output::complain(&why.to_string());
                self.damaged = true;
                Ok(None)
            }
        }
    }

    fn lines(&mut self, listed: &[Listed], below: &[u8]) -> Result<(), Stop> {
        let server = &self.session.server;
        self.damaged |=
            listed.iter().any(|item| item.trust > Trust::Journal || (item.node.is_none() && item.id.is_some()));
        if !self.arguments.long && !self.arguments.json {
            for item in listed {
                output::names().write(&item.name, &mut self.out);
                self.out.push(b'\n');
            }
            return Ok(());
        }
        let mut targets = Vec::with_capacity(listed.len());
        for item in listed {
            targets.push(match (&item.node, server.volume(item.volume).fs()) {
                (Some(node), Some(fs)) => link_target(&**fs, node)?,
                _ => None,
            });
        }
        if self.arguments.json {
            for (item, target) in listed.iter().zip(&targets) {
                let path = if below.is_empty() { item.name.clone() } else { join(below, &item.name) };
                let volume = Some(server.volume(item.volume).name.as_str());
                let Listed { id, kind, trust, .. } = *item;
                let (node, target) = (item.node.as_ref(), target.as_deref());
                FileRecord { path: &path, volume, id, kind, node, target, trust }.write(&mut self.out);
            }
            return Ok(());
        }
        let lines: Vec<Line<'_>> = listed
            .iter()
            .zip(&targets)
            .map(|(item, target)| Line {
                name: &item.name,
                kind: item.kind,
                node: item.node.as_ref(),
                made_here: item.id.is_none(),
                target: target.as_deref(),
                trust: item.trust,
            })
            .collect();
        let names: Names = output::names();
        self.out.extend(long(&lines, names, self.arguments.source.utc_offset()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let mut out = output::stdout();
        if std::mem::take(&mut self.header) {
            json_line(&mut out, &StreamHeader::new(&self.session.opened, decisions(&self.session.server)))?;
        }
        out.write_all(&self.out)?;
        self.out.clear();
        Ok(out.flush()?)
    }
}

/// The path of a name in a directory.
fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if dir.ends_with(b"/") { b"" } else { b"/" };
    [dir, slash, name].concat()
}
