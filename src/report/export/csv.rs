//! Comma-separated values (RFC 4180): one header line, one line a path. Names are escaped.

use std::io::{self, Write};

use serde::Serialize;

use super::hex;
use crate::manifest::{Algorithm, Record};
use crate::name::escaped;
use crate::time::Time;

const COLUMNS: &str = "path,kind,size,inode,volume,mode,uid,gid,links,modified,accessed,changed,created,target,trust,status,\
                       lost_bytes,blake3,sha256,sha1,md5";

/// Writes the header line.
pub fn begin(out: &mut impl Write) -> io::Result<()> {
    write!(out, "{COLUMNS}\r\n")
}

/// Writes a record; every record has a place.
pub fn write(record: &Record, out: &mut impl Write) -> io::Result<bool> {
    let time = |time: Option<Time>| time.map_or_else(String::new, |time| time.to_string());
    let lost: u64 = record.lost.iter().map(|span| span.len()).sum();
    let fields = [
        escaped(&record.path).to_string(),
        word(record.kind),
        record.size.to_string(),
        record.inode.to_string(),
        record.volume.to_string(),
        format!("{:04o}", record.mode),
        record.uid.to_string(),
        record.gid.to_string(),
        record.links.to_string(),
        time(record.times.modified),
        time(record.times.accessed),
        time(record.times.changed),
        time(record.times.created),
        record.target.as_ref().map_or_else(String::new, |target| escaped(target).to_string()),
        record.trust.to_string(),
        word(record.status),
        lost.to_string(),
        hex(record, Algorithm::Blake3),
        hex(record, Algorithm::Sha256),
        hex(record, Algorithm::Sha1),
        hex(record, Algorithm::Md5),
    ];
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    write!(out, "{}\r\n", fields.join(","))?;
    Ok(true)
}

/// A field in quotes where it needs them.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// The word that JSON has for a value.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
