//! What a copy would bring out, in order of worth, and when.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::text::{Align, Table, digits, size};
use crate::copy::worth::Group;
use crate::node::Kind;

/// What belongs to one group.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    group: Group,
    files: u64,
    bytes: u64,
}

impl Tally {
    /// Nothing yet.
    pub fn new(group: Group) -> Self {
        Tally { group, files: 0, bytes: 0 }
    }

    /// One more path, of which so many bytes are to be read.
    pub fn add(&mut self, kind: Kind, bytes: u64) {
        self.files += u64::from(kind != Kind::Directory);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A plan: the groups in their order, and how fast they come.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The groups, most urgent first.
    pub groups: Vec<Tally>,
    /// Bytes a second.
    pub rate: u64,
    /// True if the rate was measured by reading, false if the user gave it.
    pub measured: bool,
    /// How much time there is.
    pub deadline: Option<Duration>,
}

/// A group, or the sum of all, in JSON.
#[derive(Serialize)]
pub struct PlanRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
    files: u64,
    bytes: u64,
    /// Seconds from the beginning until it is copied.
    done_after: f64,
    /// Bytes of it that fit in the time given.
    #[serde(skip_serializing_if = "Option::is_none")]
    fitting_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u64>,
}

impl Plan {
    /// For programs: a record for each group that has files, then the sum.
    pub fn records(&self) -> Vec<PlanRecord> {
        let (mut files, mut bytes) = (0u64, 0u64);
        let room = self.room();
        let mut records: Vec<PlanRecord> = Vec::new();
        for tally in self.groups.iter().filter(|tally| tally.files > 0) {
            let before = bytes;
            files += tally.files;
            bytes = bytes.saturating_add(tally.bytes);
            records.push(PlanRecord {
                group: Some(tally.group.name),
                summary: None,
                files: tally.files,
                bytes: tally.bytes,
                done_after: self.seconds(bytes),
                fitting_bytes: room.map(|room| room.saturating_sub(before).min(tally.bytes)),
                rate: None,
            });
        }
        records.push(PlanRecord {
            group: None,
            summary: Some("plan"),
            files,
            bytes,
            done_after: self.seconds(bytes),
            fitting_bytes: room.map(|room| room.min(bytes)),
            rate: Some(self.rate),
        });
        records
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let heads =
            [("GROUP", Align::Left), ("FILES", Align::Right), ("SIZE", Align::Right), ("DONE AFTER", Align::Right)];
        let mut table = Table::new(&[&heads[..], &[("FITS", Align::Left), ("WHAT", Align::Left)]].concat());
        let records = self.records();
        for record in &records {
            let what = self.groups.iter().find(|tally| Some(tally.group.name) == record.group);
            table.row(vec![
                record.group.unwrap_or("all").into(),
                digits(record.files),
                size(record.bytes),
                span(record.done_after),
                fits(record),
                what.map_or("", |tally| tally.group.what).into(),
            ]);
        }
        let mut text = table.render();
        let how = if self.measured {
            "as the disk is read here; the way to the destination may be slower"
        } else {
            "as given"
        };
        let _ = writeln!(text, "at {}/s, {how}", size(self.rate));
        if let (Some(deadline), Some(sum)) = (self.deadline, records.last()) {
            let left = sum.bytes.saturating_sub(sum.fitting_bytes.unwrap_or(sum.bytes));
            let verdict = if left == 0 { "everything fits".to_owned() } else { format!("{} will not fit", size(left)) };
            let _ = writeln!(text, "in {}: {verdict}", span(deadline.as_secs_f64()));
        }
        text
    }

    /// Bytes that fit in the time given.
    fn room(&self) -> Option<u64> {
        self.deadline.map(|deadline| (deadline.as_secs_f64() * self.rate as f64) as u64)
    }

    fn seconds(&self, bytes: u64) -> f64 {
        bytes as f64 / self.rate.max(1) as f64
    }
}

fn fits(record: &PlanRecord) -> String {
    match record.fitting_bytes {
        None => String::new(),
        Some(fitting) if fitting == record.bytes => "yes".into(),
        Some(0) => "NO".into(),
        Some(fitting) => format!("only {}", size(fitting)),
    }
}

/// A time as people say it: `0.3 s`, `12 min`, `3 h 20 min`.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{} h {} min", digits((s / 3600.0) as u64), (s / 60.0) as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::worth;

    #[test]
    fn what_comes_first_fits_first() {
        let mut groups: Vec<Tally> = worth::all().map(Tally::new).collect();
        groups[0].add(Kind::File, 600);
        groups[1].add(Kind::File, 600);
        groups[2].add(Kind::File, 600);
        let plan = Plan { groups, rate: 100, measured: false, deadline: Some(Duration::from_secs(9)) };
        let records = plan.records();
        let fitting: Vec<Option<u64>> = records.iter().map(|record| record.fitting_bytes).collect();
        assert_eq!(fitting, [Some(600), Some(300), Some(0), Some(900)]);
        assert!(plan.to_text().ends_with("at 100 B/s, as given\nin 9.0 s: 900 B will not fit\n"), "{}", plan.to_text());
    }

    #[test]
    fn times_read_well() {
        for (seconds, text) in [(0.25, "0.2 s"), (59.0, "59 s"), (600.0, "10 min"), (12_000.0, "3 h 20 min")] {
            assert_eq!(span(seconds), text);
        }
    }
}
