//! What `copy --only-doomed` copies: the files that a repair would destroy, move or change.

use std::path::Path;
use std::time::Duration;

use super::check::preview::{Doomed, ending, of_volume};
use super::output;
use super::session::Session;
use super::stop::Stop;
use crate::check::{Outcome, PreviewError};
use crate::copy::{Chosen, Part};

/// The doomed files of some volumes.
pub(super) struct Selected {
    pub(super) files: Chosen,
    /// Volumes of which it is not known what a repair would do, each named on standard error.
    pub(super) unknown: u64,
}

/// Previews the repair of the volumes of `parts`, or reads what `check --preview-repair --json` said before.
pub(super) fn select(
    session: &Session,
    parts: &[Part<'_>],
    earlier: Option<&Path>,
    limit: Duration,
) -> Result<Selected, Stop> {
    let mut selected = Selected { files: Chosen::new(), unknown: 0 };
    let earlier = earlier.map(read).transpose()?;
    for part in parts {
        let known = match &earlier {
            Some(records) => recorded(records, &part.volume),
            None => preview(session, part, limit)?,
        };
        match known {
            Ok(nodes) => {
                selected.files.insert(part.volume.clone(), nodes);
            }
            Err(why) => {
                output::complain(&format!("{}: what a repair would destroy is not known: {why}", part.volume));
                selected.unknown += 1;
            }
        }
    }
    match selected.unknown > 0 && selected.files.is_empty() {
        true => {
            Err(Stop::Failed("no repair could be previewed; without --only-doomed everything is copied".to_owned()))
        }
        false => Ok(selected),
    }
}

type Nodes = std::collections::BTreeSet<crate::node::NodeId>;

fn preview(session: &Session, part: &Part<'_>, limit: Duration) -> Result<Result<Nodes, String>, Stop> {
    let Some(index) = session.server.volume_named(part.volume.as_bytes()) else { return Ok(Ok(Nodes::new())) };
    match of_volume(session, index, limit) {
        Ok(preview) if matches!(preview.outcome, Outcome::Ended { .. }) => Ok(Ok(preview.nodes)),
        Ok(preview) => Ok(Err(ending(preview.program, &preview.outcome))),
        Err(PreviewError::Gone(gone)) => Err(gone.into()),
        Err(_) if session.unless_interrupted().is_err() => Err(Stop::Interrupted),
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn recorded(records: &[Doomed], volume: &str) -> Result<Nodes, String> {
    match records.iter().find(|record| record.preview == volume) {
        Some(record) if record.outcome == "ended" => Ok(record.nodes.iter().copied().collect()),
        Some(_) => Err("the earlier preview did not come to its end".to_owned()),
        None => Err("the earlier preview is not about it".to_owned()),
    }
}

/// The records of earlier previews, one a line.
fn read(path: &Path) -> Result<Vec<Doomed>, Stop> {
    let text = std::fs::read_to_string(path).map_err(|error| Stop::with_file("read", path, &error))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).map_err(|error| {
                Stop::Failed(format!("{} is no output of `check --preview-repair --json`: {error}", path.display()))
            })
        })
        .collect()
}
