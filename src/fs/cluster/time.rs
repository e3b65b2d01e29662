//! Dates and times in DOS form: local time, two-second steps, years from 1980.
//!
//! Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "Date and Time Formats"; Microsoft, "exFAT file
//! system specification", sections 7.4.8 to 7.4.10.

use jiff::civil;

use crate::time::Time;

/// The time that a DOS date and time stand for, `utc_offset` seconds east of UTC, with `centis` hundredths of a second
/// (0 to 199) added; `None` where the date is no date.
pub fn dos_time(date: u16, time: u16, centis: u8, utc_offset: i32) -> Option<Time> {
    let (year, month, day) = (1980 + (date >> 9) as i16, (date >> 5 & 15) as i8, (date & 31) as i8);
    let date = civil::Date::new(year, month, day).ok()?;
    let days = date.since((jiff::Unit::Day, civil::date(1970, 1, 1))).ok()?.get_days();
    let (hour, minute, second) = (time >> 11, time >> 5 & 63, (time & 31) * 2);
    let local = i64::from(days) * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let centis = u32::from(centis.min(199));
    Some(Time { secs: local + i64::from(centis / 100) - i64::from(utc_offset), nanos: centis % 100 * 10_000_000 })
}

/// True for a date and time that a calendar and a clock have.
pub fn is_dos_time(date: u16, time: u16) -> bool {
    dos_time(date, 0, 0, 0).is_some() && time >> 11 < 24 && (time >> 5 & 63) < 60 && time & 31 < 30
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_are_local() {
        // 2020-09-13 12:26:40, 150 hundredths: 40 << 9 | 9 << 5 | 13; 12 << 11 | 26 << 5 | 20.
        let (date, time) = (40 << 9 | 9 << 5 | 13, 12 << 11 | 26 << 5 | 20);
        assert_eq!(dos_time(date, time, 150, 0), Some(Time { secs: 1_600_000_001, nanos: 500_000_000 }));
        assert_eq!(dos_time(date, time, 0, 3600).map(|t| t.secs), Some(1_599_996_400));
        assert_eq!(dos_time(0, 0, 0, 0), None);
        assert!(!is_dos_time(date, 0xffff));
    }
}
