//! Arguments that several commands share, and how their values are read.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::tz::Offset;

use crate::fs::OpenOptions;
use crate::survey::{SourceOptions, SurveyOptions};

/// What is read, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArguments {
    /// Disk image or block device, read and never written
    #[arg(value_name = "IMAGE")]
    pub(crate) image: PathBuf,

    /// Ignore the partition table: the volume begins here (bytes, 2048s for sectors of 512 bytes, 1MiB)
    #[arg(long, value_name = "POSITION", value_parser = position, help_heading = HOW)]
    offset: Option<u64>,

    /// A ddrescue map of the image: what it does not call finished reads as lost
    #[arg(long, value_name = "FILE", help_heading = HOW)]
    mapfile: Option<PathBuf>,

    /// Show the disk as it lies, without replaying the journal in memory
    #[arg(long, help_heading = HOW)]
    no_replay: bool,

    /// Use the superblock in this block
    #[arg(long, value_name = "BLOCK", help_heading = HOW)]
    superblock: Option<u64>,

    /// The block size, whatever the superblock says (1KiB to 64KiB)
    #[arg(long, value_name = "SIZE", value_parser = block_size, help_heading = HOW)]
    block_size: Option<u64>,

    /// Believe nothing but the primary metadata: no backups, no search
    #[arg(long, help_heading = HOW)]
    strict: bool,

    /// Code page of short names on FAT, as a number (437, 850, 1252)
    #[arg(long, value_name = "NUMBER", help_heading = HOW)]
    code_page: Option<u16>,

    /// Time zone as an offset from UTC (+02:00): that of the times FAT keeps, and that of listings
    #[arg(long, value_name = "OFFSET", value_parser = time_zone, allow_hyphen_values = true, help_heading = HOW)]
    timezone: Option<Offset>,
}

const HOW: &str = "How the disk is read";

impl SourceArguments {
    /// An image, read as it is read where nothing else is said.
    pub(crate) fn of(image: PathBuf) -> Self {
        SourceArguments {
            image,
            offset: None,
            mapfile: None,
            no_replay: false,
            superblock: None,
            block_size: None,
            strict: false,
            code_page: None,
            timezone: None,
        }
    }

    pub(crate) fn source_options(&self) -> SourceOptions {
        SourceOptions { mapfile: self.mapfile.clone() }
    }

    pub(crate) fn survey_options(&self) -> SurveyOptions {
        let open = OpenOptions {
            no_replay: self.no_replay,
            strict: self.strict,
            superblock: self.superblock,
            block_size: self.block_size,
            code_page: self.code_page,
            utc_offset: self.utc_offset().seconds(),
        };
        SurveyOptions { offset: self.offset, open, ..SurveyOptions::default() }
    }

    /// The time zone of listings.
    pub(crate) fn utc_offset(&self) -> Offset {
        self.timezone.unwrap_or(Offset::UTC)
    }

    /// What the user forces, by name of the option, for a manifest's header.
    pub(crate) fn forced(&self) -> Vec<(String, String)> {
        let yes = |set: bool| set.then(|| "yes".to_owned());
        let number = |n: Option<u64>| n.map(|n| n.to_string());
        let all = [
            ("offset", number(self.offset)),
            ("mapfile", self.mapfile.as_ref().map(|path| path.display().to_string())),
            ("no-replay", yes(self.no_replay)),
            ("superblock", number(self.superblock)),
            ("block-size", number(self.block_size)),
            ("strict", yes(self.strict)),
            ("code-page", number(self.code_page.map(u64::from))),
            ("timezone", self.timezone.map(|offset| offset.to_string())),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// The size of a block, as filesystems of the ext family have it.
fn block_size(text: &str) -> Result<u64, String> {
    let size = position(text)?;
    let is_possible = size.is_power_of_two() && (1 << 10..=1 << 16).contains(&size);
    is_possible.then_some(size).ok_or_else(|| "expected a power of two from 1KiB to 64KiB".to_owned())
}

/// A number of bytes: `1048576`, `2048s` (sectors of 512 bytes), `64K`, `64KiB`, `1M`, `1MiB`, `1G`, `1T`; units are
/// powers of 1024, save that `1MB` is a million bytes.
pub(crate) fn position(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "expected a number, as in 1048576, 2048s or 1MiB".to_owned())?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "s" => 512,
        "K" | "KiB" | "k" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        other => return Err(format!("unknown unit {other}: expected s, KiB, MiB, GiB or TiB")),
    };
    number.checked_mul(factor).ok_or_else(|| "more than 64 bits hold".to_owned())
}

/// A length of time: `20h`, `90m`, `1h 30m`, `45s`, and what else jiff reads; no less than nothing.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time, as in 20h, 90m or 1h30m".to_owned();
    let signed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| wrong())
}

/// An offset from UTC: `+02:00`, `-0530`, `+2`, `UTC`.
fn time_zone(text: &str) -> Result<Offset, String> {
    let wrong = || "expected an offset from UTC, as in +02:00".to_owned();
    if matches!(text, "UTC" | "Z") {
        return Ok(Offset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let digits = rest.replace(':', "");
    let (hours, minutes) = digits.split_at(digits.len().min(2));
    let number = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u16>().map_err(|_| wrong()) };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if digits.is_empty() || digits.len() == 3 || hours > 14 || minutes > 59 {
        return Err(wrong());
    }
    Offset::from_seconds(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)).map_err(|_| wrong())
}

/// A point in time: `2024-05-01`, `2024-05-01T12:00:00Z`, `2024-05-01 12:00` (UTC), `@1714564800`.
pub(crate) fn point_in_time(text: &str) -> Result<crate::time::Time, String> {
    use crate::time::Time;
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().map(Time::from_secs).map_err(|_| "expected seconds since 1970 after @".to_owned());
    }
    let stamp = text.parse::<jiff::Timestamp>().or_else(|_| {
        let civil = text.parse::<jiff::civil::DateTime>()?;
        Ok::<_, jiff::Error>(civil.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    });
    let stamp = stamp.map_err(|_| "expected a time, as in 2024-05-01 or 2024-05-01T12:00:00Z".to_owned())?;
    let nanos = stamp.as_nanosecond();
    // A time that jiff knows lies within the years -9999 to 9999.
    Ok(Time {
        secs: i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default(),
        nanos: nanos.rem_euclid(1_000_000_000) as u32,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_have_units() {
        let pairs = [("0", 0), ("2048s", 1 << 20), ("1MiB", 1 << 20), ("64K", 65536), ("3MB", 3_000_000)];
        for (text, bytes) in pairs {
            assert_eq!(position(text), Ok(bytes));
        }
        for text in ["", "x", "1x", "-1", "99999999999T"] {
            assert!(position(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_to_spend() {
        for (text, seconds) in [("20h", 72_000), ("90m", 5400), ("1h30m", 5400), ("45s", 45)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "20", "-1h", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_zones_are_offsets() {
        for (text, seconds) in [("+02:00", 7200), ("-0530", -19800), ("+2", 7200), ("UTC", 0)] {
            assert_eq!(time_zone(text).map(Offset::seconds), Ok(seconds), "{text}");
        }
        for text in ["", "+", "2", "+99:00", "+1:99", "Europe/Berlin"] {
            assert!(time_zone(text).is_err(), "{text}");
        }
    }

    #[test]
    fn points_in_time() {
        for text in ["2020-09-13T12:26:40Z", "@1600000000", "2020-09-13T14:26:40+02:00", "2020-09-13 12:26:40"] {
            assert_eq!(point_in_time(text).map(|time| time.secs), Ok(1_600_000_000), "{text}");
        }
        assert_eq!(point_in_time("1969-12-31T23:59:59.5Z"), Ok(crate::time::Time { secs: -1, nanos: 500_000_000 }));
        assert!(point_in_time("yesterday").is_err());
    }
}
