//! `offmount check --preview-repair`.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::session::Session;
use super::super::stop::Stop;
use super::super::{evidence, output};
use super::{Arguments, chosen};
use crate::check::{Change, Outcome, Preview, PreviewError, preview};
use crate::name::escaped;
use crate::node::NodeId;
use crate::report::json_line;

/// A file that is removed at the end, however that comes about.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// One volume's preview, as JSON.
#[derive(Serialize)]
struct Record<'a> {
    preview: &'a str,
    #[serde(flatten)]
    result: &'a Preview,
}

/// What is needed of such a record to choose by it.
#[derive(Deserialize)]
pub(in crate::cli) struct Doomed {
    /// The volume.
    pub(in crate::cli) preview: String,
    /// How the repair ended.
    pub(in crate::cli) outcome: String,
    /// Files that it would destroy, move or change.
    pub(in crate::cli) nodes: Vec<NodeId>,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<u8, Stop> {
    let (volumes, mut status) = chosen(session, &arguments.volumes);
    let mut out = output::stdout();
    for index in volumes {
        let volume = &session.server.volume(index).name;
        let result = match of_volume(session, index, arguments.repair_limit) {
            Ok(result) => result,
            Err(PreviewError::Gone(gone)) => return Err(gone.into()),
            Err(error) => {
                session.unless_interrupted()?;
                output::complain(&format!("{volume}: {error}"));
                status |= super::UNFINISHED;
                continue;
            }
        };
        if !matches!(result.outcome, Outcome::Ended { .. }) {
            status |= super::UNFINISHED;
        } else if !result.only_packs() {
            status |= super::DAMAGED;
        }
        if arguments.json {
            json_line(&mut out, &Record { preview: volume, result: &result })?;
        } else {
            out.write_all(text(volume, &result).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(status)
}

/// Previews the repair of one volume on a copy in the folder for temporary files.
pub(in crate::cli) fn of_volume(session: &Session, index: usize, limit: Duration) -> Result<Preview, PreviewError> {
    let volume = session.server.volume(index);
    let fs = volume.fs().ok_or(PreviewError::NoRepair)?;
    let copy = Temporary(std::env::temp_dir().join(format!("offmount-preview-{}-{index}", std::process::id())));
    let result = preview(fs, &copy.0, limit, &session.progress);
    session.progress.clear();
    if let Ok(result) = &result
        && let Ok(record) = serde_json::to_value(Record { preview: &volume.name, result })
    {
        evidence::note("preview", record);
    }
    result
}

/// How a repair ends, in words.
pub(in crate::cli) fn ending(program: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ended { code: 0 } => format!("{program} would change nothing"),
        Outcome::Ended { code } if *code < 4 => format!("{program} would repair it"),
        Outcome::Ended { code } => format!("{program} would not repair it wholly (exit status {code})"),
        Outcome::Crashed { signal } => format!("{program} crashes on it (signal {signal}): do not run it on the disk"),
        Outcome::TimedOut => format!("{program} does not end on it in time: do not run it on the disk"),
        Outcome::NotInstalled { package } => {
            format!("{program} is not installed; it is in the package {package} (apt-get install {package})")
        }
    }
}

fn text(volume: &str, result: &Preview) -> String {
    let ending = match result.outcome {
        Outcome::Ended { code: 0 } if !result.doomed.is_empty() && result.only_packs() => {
            format!(
                "{} would find nothing wrong, and pack these directories anew; no name in them changes",
                result.program
            )
        }
        Outcome::Ended { code: 0 } if !result.doomed.is_empty() => {
            format!("{} would find nothing wrong, and change what follows all the same", result.program)
        }
        _ => ending(result.program, &result.outcome),
    };
    let mut text = format!("{volume}: {ending}\n");
    if matches!(result.outcome, Outcome::Ended { .. }) {
        let _ = writeln!(text, "  {} files change, {} stay as they are", result.doomed.len(), result.survive);
    }
    for (path, changes) in &result.doomed {
        for change in changes {
            let words = match change {
                Change::Lost => "lost".to_owned(),
                Change::Moved { to } => format!("moved to {}", escaped(to.as_bytes())),
                Change::Changed { what: "contents", from, to } => format!("{from} bytes of contents become {to}"),
                Change::Changed { what, from, to } => format!("{what} {from} becomes {to}"),
            };
            let _ = writeln!(text, "  {}: {words}", escaped(path.as_bytes()));
        }
    }
    text
}
