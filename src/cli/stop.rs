//! Why a command ends before it is done: [`Stop`].

use std::io;
use std::path::Path;

use crate::server::Unresolved;
use crate::source::SourceGone;
use crate::survey::OpenError;

/// Why a command ends before it is done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It could not be done, and this is why.
    Failed(String),
    /// Nobody reads the output any more.
    BrokenPipe,
    /// The user asked to stop.
    Interrupted,
}

impl Stop {
    /// A failure to do something with a file of this machine.
    pub(crate) fn with_file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Stop::Failed(format!("cannot {doing} {}: {}", path.display(), reason(error)))
    }
}

impl From<SourceGone> for Stop {
    fn from(gone: SourceGone) -> Self {
        Stop::Failed(format!("{gone}; check cable and power, or image the disk with ddrescue and go on from the image"))
    }
}

impl From<io::Error> for Stop {
    /// What befell standard output.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
            _ => Stop::Failed(format!("cannot write the output: {}", reason(&error))),
        }
    }
}

impl From<serde_json::Error> for Stop {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<OpenError> for Stop {
    fn from(OpenError { path, error }: OpenError) -> Self {
        let next = match error.kind() {
            io::ErrorKind::PermissionDenied => "; block devices need root: try sudo",
            io::ErrorKind::NotFound => "; `lsblk` lists this machine's disks",
            io::ErrorKind::InvalidInput => "; name a disk image or a block device such as /dev/sdb",
            _ => "",
        };
        Stop::Failed(format!("cannot open {}: {}{next}", path.display(), reason(&error)))
    }
}

/// An unresolved path is a fault of the run only where the disk is gone.
pub(crate) fn unless_gone(unresolved: Unresolved) -> Result<Unresolved, Stop> {
    match unresolved {
        Unresolved::Gone(gone) => Err(gone.into()),
        other => Ok(other),
    }
}

/// What the system says, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.find(" (os error").map_or(text.clone(), |at| text[..at].to_owned())
}
