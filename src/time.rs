//! Points in time as filesystems record them: nanoseconds where they have them, the raw value where it is not a time.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

impl Serialize for Time {
    /// As [`Display`](fmt::Display) shows it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match rfc3339(*self, &mut [0; 32]) {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point in time")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                parse(text).ok_or_else(|| E::custom("not a point in time"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Reads what [`Display`](fmt::Display) writes.
fn parse(text: &str) -> Option<Time> {
    if let Some(raw) = text.strip_prefix('@') {
        let (secs, nanos) = raw.split_once('.')?;
        return Some(Time { secs: secs.parse().ok()?, nanos: nanos.parse().ok()? });
    }
    let stamp: Timestamp = text.parse().ok()?;
    let nanos = stamp.as_nanosecond();
    let secs = nanos.div_euclid(1_000_000_000);
    Some(Time { secs: i64::try_from(secs).ok()?, nanos: nanos.rem_euclid(1_000_000_000) as u32 })
}

/// The same text as `Time`'s own, for the years 1970 to 9999, without going through a general formatter: lists
/// and manifests hold four of them a file.
fn rfc3339(time: Time, buf: &mut [u8; 32]) -> Option<&str> {
    if !(0..253_402_300_800 - 1).contains(&time.secs) || !time.is_valid() {
        return None;
    }
    let (days, secs) = ((time.secs / 86_400) as u32, (time.secs % 86_400) as u32);
    let (year, month, day) = civil(days);
    let mut at = 0;
    let mut put = |value: u32, width: usize, after: u8| {
        let mut rest = value;
        for place in (at..at + width).rev() {
            buf[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        buf[at + width] = after;
        at += width + 1;
    };
    put(year, 4, b'-');
    put(month, 2, b'-');
    put(day, 2, b'T');
    put(secs / 3600, 2, b':');
    put(secs / 60 % 60, 2, b':');
    put(secs % 60, 2, b'.');
    put(time.nanos, 9, b'Z');
    std::str::from_utf8(&buf[..30]).ok()
}

/// Year, month and day of a day counted from 1970-01-01: years begin in March, so that leap days end them, and 400
/// years make an era of 146,097 days.
fn civil(days: u32) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u32::from(month <= 2), month, day)
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

    #[test]
    fn the_quick_way_to_write_times_agrees_with_the_calendar() {
        for secs in (0..253_402_300_799i64).step_by(86_400 * 97 + 12_345) {
            let time = Time { secs, nanos: 7 };
            assert_eq!(rfc3339(time, &mut [0; 32]).map(str::to_owned), Some(time.to_string()));
            assert_eq!(parse(&time.to_string()), Some(time));
        }
        for time in [Time { secs: -5, nanos: 1 }, Time { secs: i64::MIN, nanos: 0 }, Time { secs: 1, nanos: u32::MAX }]
        {
            assert_eq!(rfc3339(time, &mut [0; 32]), None);
            assert_eq!(parse(&time.to_string()), Some(time));
        }
    }
}
