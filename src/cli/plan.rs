//! `offmount plan`.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::arguments::{SourceArguments, duration, position};
use super::copy::planned;
use super::session::Session;
use super::stop::Stop;
use super::{Global, output};
use crate::bytes::{Buffer, Span, Spans};
use crate::copy::{Order, worth};
use crate::report::json_line;
use crate::report::plan::{Plan, Tally};
use crate::source::SourceGone;

/// Bytes read to find out how fast the disk is read, at most.
const SAMPLE: u64 = 256 << 20;

/// And for how long.
const SAMPLE_TIME: Duration = Duration::from_secs(3);

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Show what a copy would bring out, in order of worth, how long it takes, and what will not fit in the time
#[derive(Args, Debug)]
#[command(after_help = "\
Files are grouped by what they are on a server: keys, configuration, databases with their logs, mail, people's files, web \
sites, ... `offmount copy --order worth --deadline 20h` copies in this order and stops in time.

The rate is that of reading and hashing a part of the files now; the way to the destination may be slower: say --rate then.

Examples:
  offmount plan testdata/server.img
  offmount plan testdata/server.img --rate 1MiB --deadline 10s")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// What would be copied; everything unless given
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// How much time there is (20h, 90m, 1h30m)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    deadline: Option<Duration>,

    /// Bytes a second that reach the destination (20MiB), instead of measuring how fast the disk is read
    #[arg(long, value_name = "SIZE", value_parser = position)]
    rate: Option<u64>,

    /// One line of JSON for each group, then one for the summary
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    let mut groups: Vec<Tally> = worth::all().map(Tally::new).collect();
    let mut sample: Vec<Span> = Vec::new();
    let mut sampled = 0u64;
    let outcome = planned(&session, global, &arguments.paths, Order::Worth, &mut |record| {
        let bytes = record.extents.iter().fold(0u64, |sum, extent| sum.saturating_add(extent.2));
        let (group, _) = worth::rank(&record.path);
        groups[group].add(record.kind, bytes);
        if sampled < SAMPLE {
            sample.extend(record.extents.iter().map(|extent| Span::new(extent.1, extent.2)));
            sampled = sampled.saturating_add(bytes);
        }
    })?;
    let rate = match arguments.rate {
        Some(rate) => rate.max(1),
        None => measure(&session, &sample)?,
    };
    session.progress.clear();
    session.unless_interrupted()?;
    let plan = Plan { groups, rate, measured: arguments.rate.is_none(), deadline: arguments.deadline };
    let mut out = output::stdout();
    match arguments.json {
        true => plan.records().iter().try_for_each(|record| json_line(&mut out, record))?,
        false => out.write_all(plan.to_text().as_bytes())?,
    }
    out.flush()?;
    for problem in outcome.problems.iter().filter(|problem| problem.status.is_none()) {
        output::complain(&format!("{}: {}", crate::name::escaped(&problem.path), problem.what));
    }
    Ok(u8::from(outcome.problems.iter().any(|problem| problem.status.is_none())))
}

/// Bytes read and hashed a second.
fn measure(session: &Session, sample: &[Span]) -> Result<u64, SourceGone> {
    let (mut buffer, mut lost, mut hasher) = (Buffer::new(PIECE), Spans::new(), blake3::Hasher::new());
    let (began, mut read) = (Instant::now(), 0u64);
    for span in sample {
        let mut at = span.start;
        while at < span.end && read < SAMPLE && began.elapsed() < SAMPLE_TIME {
            let piece = &mut buffer[..(span.end - at).min(PIECE as u64) as usize];
            session.opened.source.read(at, piece, &mut lost)?;
            hasher.update(piece);
            at += piece.len() as u64;
            read += piece.len() as u64;
        }
    }
    std::hint::black_box(hasher.finalize());
    Ok((read as f64 / began.elapsed().as_secs_f64().max(1e-6)).max(1.0) as u64)
}
