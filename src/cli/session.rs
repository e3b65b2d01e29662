//! An opened disk, ready for a command: [`Session`].

use std::path::Path;

use super::arguments::SourceArguments;
use super::progress::Bar;
use super::stop::{Stop, unless_gone};
use super::{Global, evidence, interrupt, output};
use crate::name::escaped;
use crate::report::disk::{decision_text, decisions};
use crate::server::{Resolved, Server, Unresolved};
use crate::survey::{Opened, SurveyOptions, open_source, survey};

/// An opened disk and what a command needs to work on it.
pub(crate) struct Session {
    pub(crate) opened: Opened,
    pub(crate) server: Server,
    pub(crate) progress: Bar,
    quiet: bool,
}

/// Nothing can be said of a disk of no bytes, nor of what lies behind the end.
fn refuse_nothing(opened: &Opened, offset: Option<u64>) -> Result<(), Stop> {
    let path = opened.path.display();
    match offset {
        _ if opened.size == 0 => Err(Stop::Failed(format!("{path} is empty: it holds 0 bytes"))),
        Some(offset) if offset >= opened.size => {
            Err(Stop::Failed(format!("--offset {offset} is behind the end of {path}, which has {} bytes", opened.size)))
        }
        _ => Ok(()),
    }
}

impl Session {
    /// Opens the image and finds out what is on it. Warnings go to standard error.
    pub(crate) fn open(arguments: &SourceArguments, global: Global) -> Result<Self, Stop> {
        let opened = open_source(&arguments.image, &arguments.source_options())?;
        warn_of_mounts(&opened);
        let options = SurveyOptions { sector_size: opened.sector_size, ..arguments.survey_options() };
        refuse_nothing(&opened, options.offset)?;
        let progress = Bar::new(global.quiet);
        evidence::source(&opened, &progress)?;
        let disk = survey(opened.source.clone(), &options, &progress)?;
        let server = Server::assemble(disk, &progress)?;
        progress.clear();
        if interrupt::asked() {
            return Err(Stop::Interrupted);
        }
        Ok(Session { opened, server, progress, quiet: global.quiet })
    }

    /// Shows on standard error what was decided about damaged volumes, so far.
    pub(crate) fn show_decisions(&self) {
        self.progress.clear();
        if self.quiet {
            return;
        }
        for decision in decisions(&self.server) {
            output::complain(&decision_text(&decision));
        }
    }

    /// Follows a path; says on standard error where it leads nowhere.
    pub(crate) fn resolve(&self, path: &Path, follow: bool) -> Result<Option<Resolved>, Stop> {
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
        let resolved = self.server.resolve(bytes, follow, &self.progress);
        self.progress.clear();
        match resolved {
            Ok(resolved) => Ok(Some(resolved)),
            Err(unresolved) => {
                self.explain(bytes, &unless_gone(unresolved)?);
                Ok(None)
            }
        }
    }

    /// What `p3:file` may have meant: `p3:/file`, if there is such a volume.
    fn volume_meant(&self, path: &[u8]) -> Option<Vec<u8>> {
        let colon = path.iter().position(|&byte| byte == b':')?;
        let (name, rest) = (&path[..colon], &path[colon + 1..]);
        let is_volume = self.server.disk().volumes.iter().any(|volume| volume.name.as_bytes() == name);
        (is_volume && !rest.starts_with(b"/")).then(|| [name, b":/", rest].concat())
    }

    fn explain(&self, path: &[u8], unresolved: &Unresolved) {
        let next = match unresolved {
            Unresolved::NotRead(volume) => {
                let volume = self.server.volume(*volume);
                let kind = volume.kind().unwrap_or("nothing known");
                let message = format!("{}: it lies on {}, which holds {kind}", escaped(path), volume.name);
                return output::complain(&format!("{message}; `offmount info` says what to try next"));
            }
            Unresolved::NoSuchVolume(_) | Unresolved::NoRoot => {
                let names: Vec<&str> = self.server.disk().volumes.iter().map(|volume| volume.name.as_str()).collect();
                format!("; the volumes are: {}", names.join(", "))
            }
            _ => self.volume_meant(path).map(|meant| format!("; on a volume: {}", escaped(&meant))).unwrap_or_default(),
        };
        output::complain(&format!("{unresolved}{next}"));
    }

    /// An error if the user asked to stop.
    pub(crate) fn unless_interrupted(&self) -> Result<(), Stop> {
        if interrupt::asked() { Err(Stop::Interrupted) } else { Ok(()) }
    }
}

fn warn_of_mounts(opened: &Opened) {
    for mount in opened.mounted.iter().filter(|mount| mount.writable) {
        output::complain(&format!(
            "WARNING: {} is mounted read-write at {}: what is read may change while it is read. Unmount it, or remount \
             it read-only",
            mount.device,
            mount.at.display()
        ));
    }
}
