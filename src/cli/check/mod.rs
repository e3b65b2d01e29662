//! `offmount check`.

mod affected;
pub(in crate::cli) mod preview;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rayon::prelude::*;

use super::arguments::{SourceArguments, duration};
use super::session::Session;
use super::stop::Stop;
use super::{Global, evidence, output};
use crate::check::codes::NOTHING_TO_CHECK;
use crate::check::name_inodes;
use crate::finding::{Finding, Place};
use crate::fs::CheckReport;
use crate::report::check::{Checked, is_damaged};
use crate::report::disk::decisions;
use crate::report::finding::FindingRecord;
use crate::report::{StreamHeader, json_line};
use crate::source::SourceGone;
use crate::survey::Volume;

/// Errors that fsck would correct, left as they are.
const DAMAGED: u8 = 4;

/// Longest that a repair of the copy may take, unless something else is asked for.
pub(in crate::cli) const REPAIR_LIMIT: &str = "1h";

/// Something could not be checked.
const UNFINISHED: u8 = 8;

/// Say what is wrong with filesystems, what it costs, and what a repair would do
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing is written: what fsck would change is only named. The state checked is the one after the journal was replayed in \
memory. `offmount explain CODE` says what a finding means.

With --affected, nothing is checked: the files are listed whose contents, or whose directory's entries, lie on parts of \
the disk that can not be read: what --mapfile does not call finished, and what lies past the end of a cut image. A PATH \
limits the list.

With --preview-repair, e2fsck, fsck.fat or fsck.exfat repairs a sparse copy of each volume in the folder for temporary \
files (TMPDIR); the disk is not touched. Contents of files nothing speaks against are left out of the copy. A repair that \
crashes on the copy, or does not end, would do so on the disk. `offmount copy --only-doomed` brings out what it would \
destroy.

Exit status, as fsck: 0 clean; 4 damage found; 8 could not finish; 12 both; 16 usage. With --preview-repair: 0 it would \
change nothing, or only pack directories anew; 4 it would change something; 8 it is not installed, crashes, or does not end.

Example:
  offmount check testdata/server.img")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    source: SourceArguments,

    /// Volumes to check (p2), all that are read unless given, but for remains of older filesystems (p2.old); paths for --affected
    #[arg(value_name = "VOLUME")]
    volumes: Vec<String>,

    /// List the files that unreadable parts of the disk hit, instead of checking
    #[arg(long)]
    affected: bool,

    /// Write a ddrescue domain map of what is still needed for these files (for ddrescue --domain-mapfile)
    #[arg(long, value_name = "FILE", requires = "affected")]
    domain_map: Option<PathBuf>,

    /// Repair a temporary copy as fsck would, and list the files that the repair would destroy, move or change
    #[arg(long, conflicts_with = "affected")]
    preview_repair: bool,

    /// With --preview-repair, end a repair that takes longer, and call it a danger
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = REPAIR_LIMIT, requires = "preview_repair")]
    repair_limit: Duration,

    /// One line of JSON for each finding, after a header line; then one for each volume
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Where on this machine the check writes, where all of it is known.
    pub(in crate::cli) fn writes(&self) -> Option<Vec<PathBuf>> {
        (!self.preview_repair && self.domain_map.is_none()).then(Vec::new)
    }
}

pub(in crate::cli) fn run(arguments: Arguments, global: Global) -> Result<u8, Stop> {
    let session = Session::open(&arguments.source, global)?;
    if arguments.affected {
        return affected::run(&session, &arguments);
    }
    if arguments.preview_repair {
        return preview::run(&session, &arguments);
    }
    let (volumes, mut status) = chosen(&session, &arguments.volumes);
    let reports: Result<Vec<Option<CheckReport>>, SourceGone> =
        volumes.par_iter().map(|&volume| check(&session, volume)).collect();
    let reports = reports?;
    session.progress.clear();
    session.unless_interrupted()?;
    let table = CheckReport { log: session.server.disk().log.clone(), ..CheckReport::default() };
    let mut checked = Vec::new();
    if !table.log.is_empty() {
        checked.push(Checked { volume: "table", kind: "partition table", report: &table });
    }
    for (&index, report) in volumes.iter().zip(&reports) {
        let volume = session.server.volume(index);
        match report {
            Some(report) => checked.push(Checked { volume: &volume.name, kind: volume.kind().unwrap_or("?"), report }),
            None => status |= UNFINISHED,
        }
    }
    for Checked { report, .. } in &checked {
        status |= if is_damaged(&report.log) { DAMAGED } else { 0 };
        status |= if report.unfinished.is_empty() { 0 } else { UNFINISHED };
    }
    let nothing = nothing_to_check();
    if checked.is_empty() && status == 0 {
        checked.push(Checked { volume: "disk", kind: "no filesystem", report: &nothing });
        status = UNFINISHED;
    }
    show(&session, &checked, arguments.json)?;
    Ok(status)
}

/// The report of a disk without a filesystem of a kind that is checked.
fn nothing_to_check() -> CheckReport {
    let mut report = CheckReport::default();
    report.log.add(Finding::new(NOTHING_TO_CHECK, Place::volume(), "", "a filesystem"));
    report.unfinished.push("there is no filesystem to check; `offmount info` shows what there is".to_owned());
    report
}

/// The volumes asked for, and the exit status so far.
fn chosen(session: &Session, names: &[String]) -> (Vec<usize>, u8) {
    let all = 0..session.server.disk().volumes.len();
    if names.is_empty() {
        let is_whole = |volume: &Volume| volume.fs().is_some() && !volume.is_older;
        return (all.filter(|&volume| is_whole(session.server.volume(volume))).collect(), 0);
    }
    let (mut volumes, mut status) = (Vec::new(), 0);
    for name in names {
        match session.server.volume_named(name.as_bytes()) {
            Some(volume) if session.server.volume(volume).fs().is_some() => volumes.push(volume),
            Some(volume) => {
                let kind = session.server.volume(volume).kind().unwrap_or("nothing known");
                output::complain(&format!("{name} holds {kind}, which is not checked"));
                status = UNFINISHED;
            }
            None => {
                let there: Vec<&str> = session.server.disk().volumes.iter().map(|it| it.name.as_str()).collect();
                output::complain(&format!("no volume is named {name}; the volumes are: {}", there.join(", ")));
                status = UNFINISHED;
            }
        }
    }
    (volumes, status)
}

/// Checks a volume, and says which paths the findings are about.
fn check(session: &Session, volume: usize) -> Result<Option<CheckReport>, SourceGone> {
    let Some(fs) = session.server.volume(volume).fs() else { return Ok(None) };
    let mut report = fs.check(&session.progress)?;
    if report.log.findings().any(|finding| finding.place.inode.is_some() && finding.place.path.is_none())
        && let Some(tree) = session.server.tree(volume, &session.progress)?
    {
        name_inodes(&mut report.log, tree);
    }
    Ok(Some(report))
}

fn show(session: &Session, checked: &[Checked<'_>], json: bool) -> Result<(), Stop> {
    let mut out = output::stdout();
    for it in checked {
        for finding in it.report.log.findings() {
            evidence::note("finding", serde_json::to_value(FindingRecord::new(it.volume, finding))?);
        }
        evidence::note("check", serde_json::to_value(it.to_json())?);
    }
    if json {
        json_line(&mut out, &StreamHeader::new(&session.opened, decisions(&session.server)))?;
        for Checked { volume, report, .. } in checked {
            for finding in report.log.findings() {
                json_line(&mut out, &FindingRecord::new(volume, finding))?;
            }
        }
        for it in checked {
            json_line(&mut out, &it.to_json())?;
        }
    } else {
        session.show_decisions();
        for it in checked {
            out.write_all(it.to_text().as_bytes())?;
        }
    }
    Ok(out.flush()?)
}
