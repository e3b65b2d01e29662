//! The Sleuth Kit's body file, version 3: `MD5|name|inode|mode|UID|GID|size|atime|mtime|ctime|crtime`, times in whole
//! seconds since 1970 (The Sleuth Kit's wiki, "Body file"). Names are escaped; a bar in one, which would end the
//! field, is written `\174`.

use std::io::{self, Write};

use super::hex;
use crate::manifest::{Algorithm, Record};
use crate::name::escaped;
use crate::node::Kind;
use crate::report::listing::mode;
use crate::time::Time;

/// Writes a record; every record has a place.
pub fn write(record: &Record, out: &mut impl Write) -> io::Result<bool> {
    let path = if record.path == b"." { &b""[..] } else { &record.path };
    let mut name = format!("/{}", escaped(path));
    if let Some(target) = &record.target {
        name.push_str(" -> ");
        name.push_str(&escaped(target).to_string());
    }
    let md5 = hex(record, Algorithm::Md5);
    let letter = letter(record.kind);
    let secs = |time: Option<Time>| time.map_or(0, |time| time.secs);
    writeln!(
        out,
        "{}|{}|{}|{letter}/{letter}{}|{}|{}|{}|{}|{}|{}|{}",
        if md5.is_empty() { "0" } else { &md5 },
        name.replace('|', "\\174"),
        record.inode,
        &mode(record.kind, record.mode)[1..],
        record.uid,
        record.gid,
        record.size,
        secs(record.times.accessed),
        secs(record.times.modified),
        secs(record.times.changed),
        secs(record.times.created),
    )?;
    Ok(true)
}

/// The Sleuth Kit's letter for a kind of file.
fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => 'r',
        Kind::Socket => 'h',
        Kind::Unknown => '-',
        other => other.letter(),
    }
}
