//! What a run did, told so that nothing can be changed or left out afterwards unseen: [`Log`], an append-only file of lines
//! of JSON of which each holds the BLAKE3 hash of all before it; and [`verify()`].
//!
//! A line is an object with `n` (its number), `time` (RFC 3339), `event`, what belongs to the event, and last `chain`: the
//! BLAKE3 hash, in hexadecimal digits, of the previous line's `chain` (64 zeros for the first) followed by the line without
//! `chain`. Who changes a line has to change all that follow; who cuts the end off leaves a run without its `end`. That the
//! whole file was not made anew, a signature tells.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde_json::{Map, Value};

/// What a run begins with, and ends with.
pub const BEGIN: &str = "begin";
/// The last event of a run.
pub const END: &str = "end";

/// Longest line believed to be one of ours.
const LONGEST: u64 = 64 << 20;

/// A log being written.
pub struct Log {
    file: File,
    number: u64,
    chain: String,
}

impl Log {
    /// Opens a log to append to, making it if it is missing.
    ///
    /// # Errors
    /// Those of opening and reading; `InvalidData` where what is there is no whole log, which is then left as it is.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let verified = verify(BufReader::new(&file))?;
        if let Some((line, what)) = verified.broken {
            let why = format!("line {line}: {what}; choose another file for the log, and keep this one as it is");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(Log { file, number: verified.entries, chain: verified.chain })
    }

    /// Appends an event with what belongs to it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn add(&mut self, event: &str, time: &str, details: Map<String, Value>) -> io::Result<()> {
        let mut entry = Map::new();
        entry.insert("n".into(), (self.number + 1).into());
        entry.insert("time".into(), time.into());
        entry.insert("event".into(), event.into());
        entry.extend(details);
        let body = serde_json::to_string(&Value::Object(entry))?;
        let chain = link(&self.chain, &body);
        let open = body.strip_suffix('}').unwrap_or(&body);
        self.file.write_all(format!("{open},\"chain\":\"{chain}\"}}\n").as_bytes())?;
        (self.number, self.chain) = (self.number + 1, chain);
        Ok(())
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The chain's next hash.
fn link(previous: &str, body: &str) -> String {
    blake3::Hasher::new().update(previous.as_bytes()).update(body.as_bytes()).finalize().to_hex().to_string()
}

/// What a log turned out to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Lines in order.
    pub entries: u64,
    /// Runs that began.
    pub runs: u64,
    /// Runs without an end: killed, or cut off.
    pub unended: u64,
    /// The first line that is not in order, and why. What follows it proves nothing.
    pub broken: Option<(u64, String)>,
    /// The last hash of the chain.
    pub chain: String,
}

impl Verified {
    /// True if every line is in order and every run ended.
    pub fn is_whole(&self) -> bool {
        self.broken.is_none() && self.unended == 0 && self.runs > 0
    }
}

/// Checks every line of a log.
///
/// # Errors
/// Those of reading.
pub fn verify(mut input: impl BufRead) -> io::Result<Verified> {
    let mut verified = Verified { chain: "0".repeat(64), ..Verified::default() };
    let (mut line, mut open) = (Vec::new(), false);
    loop {
        line.clear();
        if io::Read::take(&mut input, LONGEST).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let number = verified.entries + 1;
        match entry(&line, &verified.chain, number) {
            Err(what) => {
                verified.broken = Some((number, what));
                break;
            }
            Ok((event, chain)) => {
                if event == BEGIN {
                    verified.runs += 1;
                    verified.unended += u64::from(open);
                    open = true;
                } else if event == END {
                    open = false;
                }
                (verified.entries, verified.chain) = (number, chain);
            }
        }
    }
    verified.unended += u64::from(open);
    Ok(verified)
}

/// The event of a line, and its hash; or why it is not in order.
fn entry(line: &[u8], previous: &str, number: u64) -> Result<(String, String), String> {
    let text = line.strip_suffix(b"\n").ok_or("it has no end: the file was cut off, or a run was killed")?;
    let text = std::str::from_utf8(text).map_err(|_| "it is no text")?;
    let (open, chain) = text.rsplit_once(",\"chain\":\"").ok_or("it holds no hash")?;
    let chain = chain.strip_suffix("\"}").ok_or("it does not end with its hash")?;
    let body = format!("{open}}}");
    if link(previous, &body) != chain {
        return Err("its hash does not match: it, or a line before it, was changed, put in or taken out".into());
    }
    let value: Value = serde_json::from_str(&body).map_err(|error| format!("it is no JSON: {error}"))?;
    if value["n"].as_u64() != Some(number) {
        return Err(format!("it says it is line {}", value["n"]));
    }
    Ok((value["event"].as_str().unwrap_or_default().to_owned(), chain.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(path: &Path, events: &[&str]) {
        let mut log = Log::open(path).unwrap();
        for event in events {
            let details = Map::from_iter([("what".to_owned(), Value::from(",\"chain\":\"odd\"}"))]);
            log.add(event, "2026-01-01T00:00:00Z", details).unwrap();
        }
        log.sync().unwrap();
    }

    fn verified(path: &Path) -> Verified {
        verify(BufReader::new(File::open(path).unwrap())).unwrap()
    }

    #[test]
    fn runs_follow_each_other_in_one_chain() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        log(&path, &[BEGIN, "source", END]);
        log(&path, &[BEGIN, END]);
        let whole = verified(&path);
        assert_eq!((whole.entries, whole.runs, whole.is_whole()), (5, 2, true));
        log(&path, &[BEGIN]);
        assert_eq!((verified(&path).unended, verified(&path).is_whole()), (1, false));
    }

    #[test]
    fn every_change_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        log(&path, &[BEGIN, "a", "b", END]);
        let whole = std::fs::read(&path).unwrap();
        let lines: Vec<&[u8]> = whole.split_inclusive(|&b| b == b'\n').collect();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(!verify(&changed[..]).unwrap().is_whole(), "byte {at}");
        }
        for left_out in 0..lines.len() {
            let rest: Vec<u8> =
                lines.iter().enumerate().filter(|(n, _)| *n != left_out).flat_map(|(_, l)| l.to_vec()).collect();
            assert!(!verify(&rest[..]).unwrap().is_whole(), "line {left_out}");
        }
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        assert_eq!(verify(&swapped[..]).unwrap().broken.map(|(line, _)| line), Some(2));
    }

    #[test]
    fn what_is_no_log_is_not_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("letter");
        std::fs::write(&path, "Dear examiner\n").unwrap();
        assert_eq!(Log::open(&path).err().map(|error| error.kind()), Some(io::ErrorKind::InvalidData));
        assert_eq!(std::fs::read(&path).unwrap(), b"Dear examiner\n");
    }
}
