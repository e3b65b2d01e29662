//! hashdeep's list, version 1.0: sizes, hashes and names, against which `hashdeep -a -k LIST -r .` audits a directory. It knows
//! MD5, SHA-1 and SHA-256 (hashdeep(1)).

use std::io::{self, Write};

use super::hex;
use crate::manifest::{Algorithm, Record};
use crate::node::Kind;

/// The hashes that hashdeep knows, in the order in which it lists them.
const KNOWN: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256];

fn listed(algorithms: &[Algorithm]) -> impl Iterator<Item = Algorithm> {
    KNOWN.into_iter().filter(|known| algorithms.contains(known))
}

/// True if a list can be made with these hashes.
pub fn is_possible(algorithms: &[Algorithm]) -> bool {
    listed(algorithms).next().is_some()
}

/// Writes what comes before the files.
pub fn begin(algorithms: &[Algorithm], out: &mut impl Write) -> io::Result<()> {
    let names: Vec<&str> = listed(algorithms).map(Algorithm::name).collect();
    writeln!(out, "%%%% HASHDEEP-1.0\n%%%% size,{},filename\n## offmount export --format hashdeep\n##", names.join(","))
}

/// Writes a file's line; false for a file whose hashes or name the list can not hold.
pub fn write(record: &Record, algorithms: &[Algorithm], out: &mut impl Write) -> io::Result<bool> {
    if record.kind != Kind::File {
        return Ok(true);
    }
    let digests: Vec<String> = listed(algorithms).map(|algorithm| hex(record, algorithm)).collect();
    if digests.iter().any(String::is_empty) || record.path.iter().any(|&b| matches!(b, b'\n' | b'\r')) {
        return Ok(false);
    }
    write!(out, "{},{},./", record.size, digests.join(","))?;
    out.write_all(&record.path)?;
    out.write_all(b"\n")?;
    Ok(true)
}
