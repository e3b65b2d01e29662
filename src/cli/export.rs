//! `offmount export`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::arguments::SourceArguments;
use super::copy::{image, planned};
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::copy::Order;
use crate::manifest::{Algorithm, FOLDER, Header, Line, NAME, Reader, parse};
use crate::report::export::{Export, Format, hashdeep_can_list};

/// Write a list of files in a form that examiners' tools read
#[derive(Args, Debug)]
#[command(after_help = "\
IMAGE may also be the destination of a copy, or its manifest: then the list is of what was copied, with its hashes. Of a \
disk it is what would be copied; where each file lies on it is told too, but nothing is hashed.

Exit status: 0 everything is listed; 1 some paths are not, and how many is said; 2 could not run.

Examples:
  offmount export testdata/server.img /etc --format bodyfile | sort -t '|' -k 9
  offmount copy testdata/server.img --to copied --hash md5; offmount export copied --format hashdeep")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// What to list of a disk; everything unless given
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// The form
    #[arg(long, value_name = "FORM")]
    format: FormatArgument,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FormatArgument {
    /// The Sleuth Kit's body file, for mactime
    Bodyfile,
    /// Digital Forensics XML, with byte runs
    Dfxml,
    /// What hashdeep audits against; needs a copy made with --hash md5, sha1 or sha256
    Hashdeep,
    /// Comma-separated values
    Csv,
}

impl FormatArgument {
    fn format(self) -> Format {
        match self {
            FormatArgument::Bodyfile => Format::Bodyfile,
            FormatArgument::Dfxml => Format::Dfxml,
            FormatArgument::Hashdeep => Format::Hashdeep,
            FormatArgument::Csv => Format::Csv,
        }
    }
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let left_out = match manifest_of(&arguments.source.image)? {
        Some(path) => of_manifest(&path, arguments.format.format())?,
        None => of_disk(&arguments, global)?,
    };
    if left_out > 0 {
        output::complain(&format!(
            "{left_out} paths are not in the list: they were not copied, or its form can not hold them"
        ));
    }
    Ok(u8::from(left_out > 0))
}

/// The manifest that a path is, or leads to; `None` for a disk.
fn manifest_of(path: &Path) -> Result<Option<PathBuf>, Stop> {
    if path.is_dir() {
        return Ok(Some(path.join(FOLDER).join(NAME)));
    }
    if !path.is_file() {
        return Ok(None);
    }
    let mut begin = Vec::new();
    let opened = File::open(path).map_err(|error| Stop::with_file("open", path, &error))?;
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(opened, 12), &mut begin);
    Ok((read.is_ok() && begin.starts_with(b"{\"manifest\"")).then(|| path.to_owned()))
}

fn of_manifest(path: &Path, format: Format) -> Result<u64, Stop> {
    let failed = |error: std::io::Error| Stop::with_file("read", path, &error);
    let (mut header, mut algorithms) = (Header::default(), Vec::new());
    let mut first: Option<Box<Header>> = None;
    each_line(path, &mut |line| {
        match line {
            Line::Header(it) => {
                first.get_or_insert(it);
            }
            Line::Record(record) => {
                let new: Vec<Algorithm> = record.digests.algorithms().filter(|it| !algorithms.contains(it)).collect();
                algorithms.extend(new);
            }
            Line::Trailer(_) | Line::Garbage => {}
        }
        Ok(())
    })
    .map_err(failed)?;
    header = first.map_or(header, |first| *first);
    if format == Format::Hashdeep && !hashdeep_can_list(&algorithms) {
        return Err(no_hashes());
    }
    let mut export = Export::begin(format, &header, algorithms, output::stdout())?;
    each_line(path, &mut |line| match line {
        Line::Record(record) => export.add(&record),
        _ => Ok(()),
    })?;
    Ok(export.finish()?)
}

fn each_line(path: &Path, visit: &mut dyn FnMut(Line) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, File::open(path)?));
    let mut line = Vec::new();
    while reader.next_line(&mut line)? {
        visit(parse(&line))?;
    }
    Ok(())
}

fn no_hashes() -> Stop {
    Stop::Failed(
        "hashdeep knows MD5, SHA-1 and SHA-256, and there are none: copy with --hash sha256, then export the copy"
            .into(),
    )
}

fn of_disk(arguments: &Arguments, global: Global) -> Result<u64, Stop> {
    if arguments.format == FormatArgument::Hashdeep {
        return Err(no_hashes());
    }
    let session = Session::open(&arguments.source, global)?;
    let header = Header::now(image(&session), Vec::new(), arguments.source.forced().into_iter().collect());
    let mut export = Export::begin(arguments.format.format(), &header, Vec::new(), output::stdout())?;
    let mut written = Ok(());
    let outcome = planned(&session, global, &arguments.paths, Order::Physical, &mut |record| {
        if written.is_ok() {
            written = export.add(record);
        }
    })?;
    written?;
    for problem in outcome.problems.iter().filter(|problem| problem.status.is_none()) {
        output::complain(&format!("{}: {}", crate::name::escaped(&problem.path), problem.what));
    }
    let missing = outcome.problems.iter().filter(|problem| problem.status.is_none()).count() as u64;
    Ok(export.finish()? + missing)
}
