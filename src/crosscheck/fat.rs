//! fatfs reads FAT12, FAT16 and FAT32 a second time.
//!
//! Version 0.3.6 knows code page 437 only in part (names without a long name must be ASCII to be compared), takes the
//! first table alone, reads sectors of 512 to 4096 bytes, loops for ever on a circular chain, panics on a first
//! cluster of 1, and tries to write when it is dropped after it counted free clusters, which is never asked of it.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use fatfs::{Dir, FileSystem, FsOptions};

use super::{Meter, Metered, Opened, Peer, Reader, Refusal, Seen, Visit};
use crate::node::{Kind, Mapping, Node};
use crate::source::Source;

/// fatfs, for volumes of the `fat` driver.
pub const FATFS: Peer = Peer { name: "fatfs 0.3.6", driver: "fat", open, node_limit, content_limit };

/// What reading the boot sector may cost.
const OPEN_BUDGET: u64 = 1 << 20;

/// What following a path and listing a directory may cost: a directory of 65,536 entries takes 2 MiB, and a step in a
/// chain a sector.
const CALL_BUDGET: u64 = 256 << 20;

/// How far the chain is walked again for each byte that is read.
const CHAIN_COST: u64 = 64;

struct Fatfs {
    fs: FileSystem<Metered>,
    meter: Arc<Meter>,
}

fn open(source: &Source, meter: Arc<Meter>) -> Opened {
    let metered = Metered::new(source.clone(), meter.clone());
    meter.allow(OPEN_BUDGET);
    let options = FsOptions::new().update_accessed_date(false);
    let fs = FileSystem::new(metered, options).map_err(|e| Refusal::Limit(e.to_string()))?;
    Ok(Box::new(Fatfs { fs, meter }))
}

fn node_limit(_node: &Node) -> Option<&'static str> {
    None
}

fn content_limit(_mapping: &Mapping) -> Option<&'static str> {
    None
}

fn fault(error: std::io::Error) -> Refusal {
    Refusal::Fault(error.to_string())
}

impl Fatfs {
    /// A path as fatfs takes it.
    fn text(path: &[u8]) -> Result<&str, Refusal> {
        std::str::from_utf8(path).map_err(|_| Refusal::Limit("a name that is not Unicode".to_owned()))
    }

    fn dir<'f>(&'f self, path: &str) -> Result<Dir<'f, Metered>, Refusal> {
        let root = self.fs.root_dir();
        if path.is_empty() { Ok(root) } else { root.open_dir(path).map_err(fault) }
    }
}

impl Reader for Fatfs {
    fn list(&mut self, dir: &[u8]) -> Result<Vec<Seen>, Refusal> {
        self.meter.allow(CALL_BUDGET);
        let mut seen = Vec::new();
        for entry in self.dir(Fatfs::text(dir)?)?.iter() {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name();
            if name == "." || name == ".." {
                continue;
            }
            if name.contains(char::REPLACEMENT_CHARACTER) {
                return Err(Refusal::Limit("a short name beyond ASCII".to_owned()));
            }
            let kind = if entry.is_dir() { Kind::Directory } else { Kind::File };
            let size = entry.is_file().then(|| entry.len());
            seen.push(Seen { name: name.into_bytes(), kind, size });
        }
        Ok(seen)
    }

    fn read(&mut self, path: &[u8], _kind: Kind, visit: &mut Visit<'_>) -> Result<(), Refusal> {
        self.meter.allow(CALL_BUDGET);
        let mut file = self.fs.root_dir().open_file(Fatfs::text(path)?).map_err(fault)?;
        let mut buf = vec![0; 256 << 10];
        loop {
            self.meter.allow(CALL_BUDGET.saturating_add(buf.len() as u64 * CHAIN_COST));
            let mut filled = 0;
            while filled < buf.len() {
                match file.read(&mut buf[filled..]).map_err(fault)? {
                    0 => break,
                    n => filled += n,
                }
            }
            if filled == 0 || visit(&buf[..filled]) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
    }
}
