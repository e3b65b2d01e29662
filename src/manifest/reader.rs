//! Reading a manifest, line by line. Whatever stands in a line, reading goes on with the next.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::line::Wire;
use super::{Header, Record, Trailer};

/// Longer than any line that is written but those of files in millions of pieces; the rest of a longer one is skipped.
const LONGEST: u64 = 1 << 30;

/// One line of a manifest.
#[derive(Debug)]
pub enum Line {
    /// A run begins.
    Header(Box<Header>),
    /// A path of the destination.
    Record(Box<Record>),
    /// A run ended.
    Trailer(Box<Trailer>),
    /// None of them: the last line of a killed run, or damage.
    Garbage,
}

/// What tells the kinds of line apart.
#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    manifest: Option<IgnoredAny>,
    #[serde(default)]
    ended: Option<IgnoredAny>,
}

/// Understands one line.
pub fn parse(line: &[u8]) -> Line {
    if let Some(record) = serde_json::from_slice::<Wire<'_>>(line).ok().and_then(Wire::read) {
        return Line::Record(Box::new(record));
    }
    match serde_json::from_slice::<Probe>(line) {
        Ok(Probe { manifest: Some(_), .. }) => {
            serde_json::from_slice(line).map_or(Line::Garbage, |header| Line::Header(Box::new(header)))
        }
        Ok(Probe { ended: Some(_), .. }) => {
            serde_json::from_slice(line).map_or(Line::Garbage, |trailer| Line::Trailer(Box::new(trailer)))
        }
        _ => Line::Garbage,
    }
}

/// The lines of a manifest.
pub struct Reader<R> {
    input: R,
}

impl<R: BufRead> Reader<R> {
    /// The lines of `input`.
    pub fn new(input: R) -> Self {
        Reader { input }
    }

    /// Reads the next line into `line`, without its newline; false at the end.
    ///
    /// # Errors
    /// Those of reading.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> io::Result<bool> {
        line.clear();
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(read > 0)
    }
}
