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

    /// The same text as [`Display`](fmt::Display) shows, for the years 1970 to 9999, without going through a general
    /// formatter: lists and manifests hold four of them a file.
    pub fn rfc3339(self) -> Option<[u8; 30]> {
        if !(0..253_402_300_800 - 1).contains(&self.secs) || !self.is_valid() {
            return None;
        }
        let (days, secs) = ((self.secs / 86_400) as u32, (self.secs % 86_400) as u32);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |at: usize, number: u32| text[at..at + 2].copy_from_slice(&PAIRS[number as usize % 100]);
        put(0, year / 100);
        put(2, year);
        put(5, month);
        put(8, day);
        put(11, secs / 3600);
        put(14, secs / 60 % 60);
        put(17, secs % 60);
        put(20, self.nanos / 10_000_000);
        put(22, self.nanos / 100_000);
        put(24, self.nanos / 1000);
        put(26, self.nanos / 10);
        text[28] = b'0' + (self.nanos % 10) as u8;
        Some(text)
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
        let text = self.rfc3339();
        match text.as_ref().and_then(|text| str::from_utf8(text).ok()) {
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

/// Two decimal digits of each number below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    pairs
};

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
            let time = Time { secs, nanos: (secs.unsigned_abs() * 7919 % 1_000_000_000) as u32 };
            assert_eq!(time.rfc3339().as_ref().map(|text| text.as_slice()), Some(time.to_string().as_bytes()));
            assert_eq!(parse(&time.to_string()), Some(time));
        }
        for time in [Time { secs: -5, nanos: 1 }, Time { secs: i64::MIN, nanos: 0 }, Time { secs: 1, nanos: u32::MAX }]
        {
            assert_eq!(time.rfc3339(), None);
            assert_eq!(parse(&time.to_string()), Some(time));
        }
    }
}
