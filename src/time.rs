//! Points in time as filesystems record them: nanoseconds where they have them, the raw value where it is not a time.

use std::fmt;

use jiff::Timestamp;

/// Seconds and nanoseconds since 1970-01-01 00:00 UTC. `nanos` may be 1,000,000,000 or more only where a disk says so:
/// the value is kept as read, and [`Time::is_valid`] tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time {
    /// Seconds since the epoch, negative before it.
    pub secs: i64,
    /// Nanoseconds added to `secs`.
    pub nanos: u32,
}

impl Time {
    /// Whole seconds since the epoch.
    pub fn from_secs(secs: i64) -> Self {
        Time { secs, nanos: 0 }
    }

    /// False where the nanoseconds reach a whole second, which no writer produces.
    pub fn is_valid(self) -> bool {
        self.nanos < 1_000_000_000
    }

    fn timestamp(self) -> Option<Timestamp> {
        Timestamp::new(self.secs, i32::try_from(self.nanos).ok()?).ok()
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC with nine decimals; `@SECS.NANOS` where the calendar does not reach.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp().filter(|_| self.is_valid()) {
            Some(t) => write!(f, "{t:.9}"),
            None => write!(f, "@{}.{:09}", self.secs, self.nanos),
        }
    }
}

/// The times of a file. `None`: the filesystem records no such time (or the file is not deleted).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Contents last changed.
    pub modified: Option<Time>,
    /// Contents last read.
    pub accessed: Option<Time>,
    /// Inode last changed.
    pub changed: Option<Time>,
    /// File created.
    pub created: Option<Time>,
    /// File deleted.
    pub deleted: Option<Time>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_in_utc_with_nanoseconds() {
        assert_eq!(Time { secs: 1_600_000_000, nanos: 5 }.to_string(), "2020-09-13T12:26:40.000000005Z");
        assert_eq!(Time { secs: -1, nanos: 0 }.to_string(), "1969-12-31T23:59:59.000000000Z");
    }

    #[test]
    fn what_is_no_time_is_shown_raw() {
        assert_eq!(Time { secs: i64::MAX, nanos: 0 }.to_string(), "@9223372036854775807.000000000");
        assert_eq!(Time { secs: 0, nanos: 4_000_000_000 }.to_string(), "@0.4000000000");
    }
}
