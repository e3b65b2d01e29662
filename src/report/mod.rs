//! Text for people and JSON for programs, of everything the lower floors find out.
//!
//! Nothing here prints: functions write to what they are given, or return text. Names are written escaped
//! ([`crate::name::escaped`]) save where a caller asks for their bytes.

pub mod affected;
pub mod check;
pub mod codes;
pub mod copy;
pub mod disk;
pub mod export;
pub mod file;
pub mod finding;
pub mod listing;
pub mod plan;
pub mod restore;
pub mod stat;
pub mod text;
pub mod verify;

use std::io::{self, Write};

use serde::Serialize;

use crate::survey::Opened;
use disk::Decision;

/// Writes one record of a stream: a line of JSON.
///
/// # Errors
/// Those of `out`.
pub fn json_line(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}

/// Writes the one answer of a command that has no stream, indented.
///
/// # Errors
/// Those of `out`.
pub fn json_document(out: &mut impl Write, document: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    out.write_all(b"\n")
}

/// The first line of a stream of records: what was read, and what was decided about it.
#[derive(Serialize)]
pub struct StreamHeader<'a> {
    offmount: &'static str,
    image: String,
    size: u64,
    decisions: Vec<Decision<'a>>,
}

impl<'a> StreamHeader<'a> {
    /// The header of a stream about this image.
    pub fn new(opened: &Opened, decisions: Vec<Decision<'a>>) -> Self {
        let image = opened.path.to_string_lossy().into_owned();
        StreamHeader { offmount: env!("CARGO_PKG_VERSION"), image, size: opened.size, decisions }
    }
}
