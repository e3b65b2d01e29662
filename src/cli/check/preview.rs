//! `offmount check --preview-repair`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::super::output;
use super::super::session::Session;
use super::super::stop::Stop;
use super::{Arguments, chosen};
use crate::check::{Change, Outcome, Preview, PreviewError, preview};
use crate::name::escaped;
use crate::report::json_line;

/// Longest that a repair of the copy may take.
const LIMIT: Duration = Duration::from_secs(3600);

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

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<u8, Stop> {
    let (volumes, mut status) = chosen(session, &arguments.volumes);
    let mut out = output::stdout();
    for index in volumes {
        let volume = session.server.volume(index);
        let Some(fs) = volume.fs() else { continue };
        let name = format!("offmount-preview-{}-{index}", std::process::id());
        let copy = Temporary(std::env::temp_dir().join(name));
        let result = match preview(fs, &copy.0, LIMIT, &session.progress) {
            Ok(result) => result,
            Err(PreviewError::Gone(gone)) => return Err(gone.into()),
            Err(error) => {
                output::complain(&format!("{}: {error}", volume.name));
                status |= super::UNFINISHED;
                continue;
            }
        };
        session.progress.clear();
        if !matches!(result.outcome, Outcome::Ended { .. }) {
            status |= super::UNFINISHED;
        } else if !result.doomed.is_empty() || result.outcome != (Outcome::Ended { code: 0 }) {
            status |= super::DAMAGED;
        }
        if arguments.json {
            json_line(&mut out, &Record { preview: &volume.name, result: &result })?;
        } else {
            out.write_all(text(&volume.name, &result).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(status)
}

fn text(volume: &str, result: &Preview) -> String {
    let program = result.program;
    let outcome = match &result.outcome {
        Outcome::Ended { code: 0 } => format!("{program} would change nothing"),
        Outcome::Ended { code } if *code < 4 => format!("{program} would repair it"),
        Outcome::Ended { code } => format!("{program} would not repair it wholly (exit status {code})"),
        Outcome::Crashed { signal } => format!("{program} crashes on it (signal {signal}): do not run it on the disk"),
        Outcome::TimedOut => format!("{program} does not end on it: do not run it on the disk"),
        Outcome::NotInstalled { package } => format!("{program} is not installed; it is in the package {package}"),
    };
    let mut text = format!("{volume}: {outcome}\n");
    if matches!(result.outcome, Outcome::Ended { .. }) {
        text.push_str(&format!("  {} files change, {} stay as they are\n", result.doomed.len(), result.survive));
    }
    for (path, changes) in &result.doomed {
        for change in changes {
            let words = match change {
                Change::Lost => "lost".to_owned(),
                Change::Moved { to } => format!("moved to {}", escaped(to.as_bytes())),
                Change::Changed { what, from, to } => format!("{what} {from} becomes {to}"),
            };
            text.push_str(&format!("  {}: {words}\n", escaped(path.as_bytes())));
        }
    }
    text
}
