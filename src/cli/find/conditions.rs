//! Which files `offmount find` shows: [`Conditions`].

use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};

use super::super::arguments::{point_in_time, position};
use crate::node::{Kind, Node, Trust};
use crate::time::Time;

/// Conditions on files; all that are given must hold.
#[derive(Args, Debug)]
pub(super) struct Conditions {
    /// The name matches this glob (*, ?, [a-z], {a,b})
    #[arg(long, value_name = "GLOB", value_parser = name_glob, help_heading = WHICH)]
    name: Option<GlobMatcher>,

    /// The same, upper and lower case alike
    #[arg(long, value_name = "GLOB", value_parser = any_case_glob, help_heading = WHICH)]
    iname: Option<GlobMatcher>,

    /// The whole path matches this glob; ** crosses directories
    #[arg(long, value_name = "GLOB", value_parser = path_glob, help_heading = WHICH)]
    path: Option<GlobMatcher>,

    /// Of these kinds
    #[arg(short = 't', long = "type", value_name = "KIND", value_delimiter = ',', help_heading = WHICH)]
    kind: Vec<KindArgument>,

    /// Larger (+1MiB), smaller (-1MiB) or of exactly this size
    #[arg(long, value_name = "[+-]SIZE", value_parser = size_range, allow_hyphen_values = true, help_heading = WHICH)]
    size: Option<SizeRange>,

    /// Changed after this time (2024-05-01, 2024-05-01T12:00:00Z, @SECONDS)
    #[arg(long, value_name = "TIME", value_parser = point_in_time, help_heading = WHICH)]
    newer: Option<Time>,

    /// Changed before this time
    #[arg(long, value_name = "TIME", value_parser = point_in_time, help_heading = WHICH)]
    older: Option<Time>,

    /// Owned by the user of this number
    #[arg(long, value_name = "UID", help_heading = WHICH)]
    uid: Option<u32>,

    /// Owned by the group of this number
    #[arg(long, value_name = "GID", help_heading = WHICH)]
    gid: Option<u32>,

    /// Trusted no further than this: `--trust renamed` finds what is renamed, unproven, partial or doubtful
    #[arg(long, value_name = "TRUST", help_heading = WHICH)]
    trust: Option<TrustArgument>,
}

const WHICH: &str = "Which files";

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindArgument {
    #[value(name = "f", alias = "file", help = "regular file")]
    File,
    #[value(name = "d", alias = "directory", help = "directory")]
    Directory,
    #[value(name = "l", alias = "symlink", help = "symbolic link")]
    Symlink,
    #[value(name = "p", alias = "fifo", help = "named pipe")]
    Fifo,
    #[value(name = "s", alias = "socket", help = "socket")]
    Socket,
    #[value(name = "c", alias = "char-device", help = "character device")]
    CharDevice,
    #[value(name = "b", alias = "block-device", help = "block device")]
    BlockDevice,
}

impl KindArgument {
    fn kind(self) -> Kind {
        match self {
            KindArgument::File => Kind::File,
            KindArgument::Directory => Kind::Directory,
            KindArgument::Symlink => Kind::Symlink,
            KindArgument::Fifo => Kind::Fifo,
            KindArgument::Socket => Kind::Socket,
            KindArgument::CharDevice => Kind::CharDevice,
            KindArgument::BlockDevice => Kind::BlockDevice,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum TrustArgument {
    Journal,
    Renamed,
    Unproven,
    Partial,
    Doubtful,
}

impl TrustArgument {
    fn trust(self) -> Trust {
        match self {
            TrustArgument::Journal => Trust::Journal,
            TrustArgument::Renamed => Trust::Renamed,
            TrustArgument::Unproven => Trust::Unproven,
            TrustArgument::Partial => Trust::Partial,
            TrustArgument::Doubtful => Trust::Doubtful,
        }
    }
}

/// Sizes from the first to the second, both included.
type SizeRange = (u64, u64);

fn size_range(text: &str) -> Result<SizeRange, String> {
    match text.split_at_checked(1) {
        Some(("+", rest)) => position(rest).map(|size| (size.saturating_add(1), u64::MAX)),
        Some(("-", rest)) => position(rest)?.checked_sub(1).map(|size| (0, size)).ok_or("nothing is smaller".into()),
        _ => position(text).map(|size| (size, size)),
    }
}

fn glob(text: &str, any_case: bool, whole_path: bool) -> Result<GlobMatcher, String> {
    let mut builder = GlobBuilder::new(text);
    let built = builder.case_insensitive(any_case).literal_separator(whole_path).backslash_escape(true).build();
    built.map(|glob| glob.compile_matcher()).map_err(|error| error.to_string())
}

fn name_glob(text: &str) -> Result<GlobMatcher, String> {
    glob(text, false, false)
}

fn any_case_glob(text: &str) -> Result<GlobMatcher, String> {
    glob(text, true, false)
}

fn path_glob(text: &str) -> Result<GlobMatcher, String> {
    glob(text, false, true)
}

fn matches_bytes(glob: &GlobMatcher, bytes: &[u8]) -> bool {
    let text: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(bytes);
    glob.is_match(text)
}

impl Conditions {
    /// Of those that need no node: cheap, and asked first.
    pub(super) fn holds_for_name(&self, name: &[u8], kind: Kind) -> bool {
        let matches = |glob: &Option<GlobMatcher>| glob.as_ref().is_none_or(|glob| matches_bytes(glob, name));
        matches(&self.name)
            && matches(&self.iname)
            && (self.kind.is_empty() || self.kind.iter().any(|wanted| wanted.kind() == kind))
    }

    pub(super) fn holds_for_path(&self, path: &[u8]) -> bool {
        self.path.as_ref().is_none_or(|glob| matches_bytes(glob, path))
    }

    pub(super) fn holds_for_node(&self, node: Option<&Node>, trust: Trust) -> bool {
        if self.trust.is_some_and(|wanted| trust < wanted.trust()) {
            return false;
        }
        let Some(node) = node else { return !self.asks_for_metadata() };
        let modified = node.times.modified;
        self.size.is_none_or(|(least, most)| (least..=most).contains(&node.size))
            && self.newer.is_none_or(|time| modified.is_some_and(|modified| modified > time))
            && self.older.is_none_or(|time| modified.is_some_and(|modified| modified < time))
            && self.uid.is_none_or(|uid| node.uid == uid)
            && self.gid.is_none_or(|gid| node.gid == gid)
    }

    /// True if only nodes can answer.
    pub(super) fn asks_for_nodes(&self) -> bool {
        self.trust.is_some() || self.asks_for_metadata()
    }

    fn asks_for_metadata(&self) -> bool {
        self.size.is_some() || self.newer.is_some() || self.older.is_some() || self.uid.is_some() || self.gid.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_ranges() {
        assert_eq!(size_range("+1KiB"), Ok((1025, u64::MAX)));
        assert_eq!(size_range("-1KiB"), Ok((0, 1023)));
        assert_eq!(size_range("5"), Ok((5, 5)));
        assert!(size_range("-0").is_err() && size_range("+").is_err() && size_range("").is_err());
    }

    #[test]
    fn globs_match_names_that_are_not_text() {
        assert!(matches_bytes(&name_glob("*.conf").unwrap(), b"\xff\xfe.conf"));
        assert!(!matches_bytes(&name_glob("*.conf").unwrap(), b"a.conf~"));
        assert!(matches_bytes(&any_case_glob("a*").unwrap(), b"ABC"));
        assert!(matches_bytes(&path_glob("/etc/**/*.d").unwrap(), b"/etc/a/b/c.d"));
        assert!(!matches_bytes(&path_glob("/etc/*.d").unwrap(), b"/etc/a/c.d"));
    }
}
