//! What verifying a copy found.

use std::fmt::Write as _;

use serde::Serialize;

use super::text::{count, digits, size};
use crate::copy::{Difference, Verified, What};
use crate::name;

/// A difference as a record in JSON.
#[derive(Serialize)]
pub struct DifferenceRecord<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
}

impl<'a> From<&'a Difference> for DifferenceRecord<'a> {
    fn from(difference: &'a Difference) -> Self {
        let (path, path_b64) = name::to_json(&difference.path);
        let record = |what| DifferenceRecord { path, path_b64, what, property: None, recorded: None, found: None };
        match &difference.what {
            What::Missing => record("missing"),
            What::Extra => record("extra"),
            What::Unreadable(why) => DifferenceRecord { found: Some(why), ..record("unreadable") },
            What::Differs(property, recorded, found) => DifferenceRecord {
                property: Some(property),
                recorded: Some(recorded),
                found: Some(found),
                ..record("differs")
            },
        }
    }
}

/// The summary in JSON.
#[derive(Serialize)]
pub struct VerifiedRecord {
    summary: &'static str,
    clean: bool,
    paths: u64,
    bytes: u64,
    not_copied: u64,
    unhashed: u64,
    differing: u64,
    missing: u64,
    extra: u64,
    damaged_lines: u64,
    unfinished: bool,
}

impl From<&Verified> for VerifiedRecord {
    fn from(verified: &Verified) -> Self {
        let Verified { paths, bytes, not_copied, unhashed, differing, missing, extra, garbage, unfinished, .. } =
            *verified;
        let clean = verified.is_clean();
        let damaged_lines = garbage;
        VerifiedRecord {
            summary: "verify",
            clean,
            paths,
            bytes,
            not_copied,
            unhashed,
            differing,
            missing,
            extra,
            damaged_lines,
            unfinished,
        }
    }
}

/// A difference in a line.
pub fn line(difference: &Difference) -> String {
    let path = name::escaped(&difference.path);
    let safe = |text: &str| name::escaped(text.as_bytes()).to_string();
    match &difference.what {
        What::Missing => format!("{path}: missing"),
        What::Extra => format!("{path}: in no record of the manifest"),
        What::Unreadable(why) => format!("{path}: can not be read: {}", safe(why)),
        What::Differs(property, recorded, found) => {
            format!("{path}: {property} is {}, recorded was {}", safe(found), safe(recorded))
        }
    }
}

/// The summary for people.
pub fn summary(verified: &Verified) -> String {
    let mut text = String::new();
    let verdict = if verified.is_clean() { "as the manifest says" } else { "NOT as the manifest says" };
    let _ = writeln!(text, "{}, {} read: {verdict}", count(verified.paths, "path"), size(verified.bytes));
    for (n, what) in [
        (verified.differing, "differ"),
        (verified.missing, "missing"),
        (verified.extra, "in no record"),
        (verified.garbage, "damaged lines in the manifest"),
        (verified.not_copied, "recorded as not copied"),
        (verified.unhashed, "without a hash that covers the contents"),
    ] {
        if n > 0 {
            let _ = writeln!(text, "  {:>9} {what}", digits(n));
        }
    }
    if verified.unfinished {
        text.push_str("the copy was never finished: run it again\n");
    }
    text
}
