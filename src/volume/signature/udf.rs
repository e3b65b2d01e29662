//! UDF: recognised by its volume recognition sequence (ECMA-167, part 2), and named.

use super::{Role, Signature};
use crate::source::{Source, SourceGone, read_whole};

const ADVICE: &[&str] = &["mount -t udf -o ro DEVICE /mnt", "7z l DEVICE"];

/// Where the sequence begins, and how many descriptors of which size are looked at.
const FIRST: u64 = 32768;
const SIZE: u64 = 2048;
const MAX_DESCRIPTORS: u64 = 16;

pub(super) fn probe(source: &Source) -> Result<Option<Signature>, SourceGone> {
    for i in 0..MAX_DESCRIPTORS {
        let Some(descriptor) = read_whole(&**source, FIRST + i * SIZE, 6)? else { break };
        match &descriptor[1..6] {
            b"NSR02" | b"NSR03" => return Ok(Some(Signature::new("udf", Role::FileSystem, ADVICE))),
            b"BEA01" | b"CD001" | b"BOOT2" | b"CDW02" => {}
            _ => break,
        }
    }
    Ok(None)
}
