//! Lists of hashes as `b3sum`, `sha256sum` and their kin write and check them.
//!
//! A line is the hash, two spaces and the name. Where the name holds a newline, a carriage return or a backslash, the line
//! begins with a backslash and those bytes are written `\n`, `\r` and `\\` (GNU coreutils manual, "md5sum invocation";
//! b3sum does the same for newlines and backslashes, and writes carriage returns as they are).

use super::{Algorithm, Record, Status};
use crate::json::push_hex;
use crate::node::Kind;

/// Appends a record's line to `out`. False where b3sum can not express the name: not UTF-8, with a replacement character,
/// or ending with a carriage return. Records without that hash have no line.
pub fn write(record: &Record, algorithm: Algorithm, out: &mut Vec<u8>) -> bool {
    let there = matches!(record.status, Status::Copied | Status::AlreadyThere);
    let Some(digest) = record.digests.get(algorithm).filter(|_| record.kind == Kind::File && there) else {
        return true;
    };
    let blake3 = algorithm == Algorithm::Blake3;
    if blake3 && !b3sum_takes(&record.path) {
        return false;
    }
    let is_plain = !record.path.iter().any(|&b| escape(b, blake3).is_some());
    if !is_plain {
        out.push(b'\\');
    }
    push_hex(digest, out);
    out.extend_from_slice(b"  ");
    if is_plain {
        out.extend_from_slice(&record.path);
    } else {
        push_escaped(&record.path, blake3, out);
    }
    out.push(b'\n');
    true
}

fn push_escaped(path: &[u8], blake3: bool, out: &mut Vec<u8>) {
    for &b in path {
        match escape(b, blake3) {
            Some(letter) => out.extend_from_slice(&[b'\\', letter]),
            None => out.push(b),
        }
    }
}

fn b3sum_takes(path: &[u8]) -> bool {
    std::str::from_utf8(path).is_ok_and(|path| !path.contains('\u{fffd}') && !path.ends_with('\r'))
}

/// The letter after the backslash that stands for a byte.
fn escape(b: u8, blake3: bool) -> Option<u8> {
    match b {
        b'\\' => Some(b'\\'),
        b'\n' => Some(b'n'),
        b'\r' if !blake3 => Some(b'r'),
        _ => None,
    }
}
