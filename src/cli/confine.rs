//! The kernel is asked to refuse us all writing but where a command has to write: [`confine`].
//!
//! Landlock (Linux 5.13, Documentation/userspace-api/landlock.rst) takes rights away from a thread and all that it starts,
//! and never gives them back.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};
use serde_json::{Value, json};

/// What the kernel refuses us from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Confinement {
    /// All writing to files, and all making, naming and removing of what is no empty file, but below these directories;
    /// none, where there are none.
    Enforced(Vec<PathBuf>),
    /// Nothing, and why.
    Not(String),
}

impl Confinement {
    /// What it proves, for the log.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Confinement::Enforced(below) => json!({
                "landlock": "enforced",
                "writing_only_below": below.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
                "proves": "the kernel refused this program to open any other file or device for writing",
                "does_not_prove": "that nothing else on this machine wrote to the source",
            }),
            Confinement::Not(why) => json!({
                "landlock": "not enforced",
                "why": why,
                "proves": "only that the source was opened O_RDONLY",
            }),
        }
    }
}

/// Gives up all writing but below `directories`, for this thread and those it starts. A directory that is missing
/// counts as the nearest one above it.
pub(super) fn confine(directories: &[PathBuf]) -> Confinement {
    let below: Vec<PathBuf> = directories.iter().map(|directory| existing(directory)).collect();
    match restrict(&below) {
        Ok(status) if status.ruleset == RulesetStatus::FullyEnforced => Confinement::Enforced(below),
        Ok(_) => Confinement::Not("this kernel has no Landlock, or an older one".into()),
        Err(error) => Confinement::Not(error.to_string()),
    }
}

fn restrict(below: &[PathBuf]) -> Result<RestrictionStatus, RulesetError> {
    // The third version, of Linux 6.2, is the first to know of truncating. What came later is not about files' contents.
    // Making a file is not refused: to write into it, or to link or rename one to where it may not be written, is, and the
    // kernel asks about each file that gets its name, up to the root.
    let writing = AccessFs::from_write(ABI::V3) & !AccessFs::MakeReg;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writing)?
        .create()?
        .add_rules(path_beneath_rules(below, writing))?
        .restrict_self()
}

/// The nearest directory at or above a path that exists.
fn existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use super::*;

    #[test]
    fn the_kernel_refuses_to_write_elsewhere() {
        let (allowed, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let image = other.path().join("image");
        std::fs::write(&image, "contents").unwrap();
        let below = allowed.path().join("not/made/yet");
        let confined = std::thread::scope(|scope| {
            let confined = scope.spawn(|| {
                let confined = confine(&[below]);
                if let Confinement::Enforced(_) = confined {
                    assert!(OpenOptions::new().write(true).open(&image).is_err(), "an image was opened for writing");
                    assert!(OpenOptions::new().append(true).open(&image).is_err());
                    assert!(File::create(other.path().join("new")).is_err(), "a file was made and opened for writing");
                    let moved = std::fs::rename(&image, allowed.path().join("moved"));
                    assert!(moved.is_err(), "an image was moved");
                    assert!(std::fs::remove_file(&image).is_err(), "a file was removed");
                    assert_eq!(std::fs::read(&image).unwrap(), b"contents");
                    assert!(File::create(allowed.path().join("new")).is_ok(), "the destination is closed");
                }
                confined
            });
            confined.join().unwrap()
        });
        if let Confinement::Not(why) = confined {
            println!("skipped: the_kernel_refuses_to_write_elsewhere: {why}");
        }
        // Other threads go on as before.
        assert!(OpenOptions::new().write(true).open(&image).is_ok());
    }
}
