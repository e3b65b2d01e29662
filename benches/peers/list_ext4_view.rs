//! Lists every file of an ext4 image with its metadata by ext4-view, for `benches/list.sh` to compare with.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

use ext4_view::{Ext4, Ext4Read, PathBuf};

struct Image(File);

impl Ext4Read for Image {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(self.0.read_exact_at(buf, offset)?)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args_os().nth(1).ok_or("usage: list-ext4-view IMAGE")?;
    let fs = Ext4::load(Box::new(Image(File::open(image)?)))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut folders = vec![PathBuf::new("/")];
    while let Some(folder) = folders.pop() {
        for entry in fs.read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == b".".as_slice() || name == b"..".as_slice() {
                continue;
            }
            let (path, meta) = (entry.path(), entry.metadata()?);
            let (mode, uid, gid, len) = (meta.mode(), meta.uid(), meta.gid(), meta.len());
            writeln!(out, "{mode:o} {uid} {gid} {len} {:?} {}", meta.modified(), path.display())?;
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(out.flush()?)
}
