//! Digital Forensics XML: one `fileobject` a path, with byte runs on the image (DFXML schema 1.2). Names are escaped, so
//! that every one of them is text that XML can hold.

use std::io::{self, Write};

use super::hex;
use crate::manifest::{Algorithm, Header, Record};
use crate::name::escaped;
use crate::node::Kind;
use crate::time::Time;

/// Writes what comes before the files.
pub fn begin(header: &Header, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "<?xml version='1.0' encoding='UTF-8'?>")?;
    writeln!(out, "<dfxml version='1.2.0' xmlns='http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML'>")?;
    writeln!(out, "  <creator><program>offmount</program><version>{}</version></creator>", text(&header.offmount))?;
    writeln!(
        out,
        "  <source><image_filename>{}</image_filename><image_size>{}</image_size></source>",
        text(&escaped(header.image.file.as_bytes()).to_string()),
        header.image.size
    )
}

/// Writes a record; every record has a place.
pub fn write(record: &Record, out: &mut impl Write) -> io::Result<bool> {
    writeln!(out, "  <fileobject>")?;
    let mut field = |name: &str, value: String| writeln!(out, "    <{name}>{}</{name}>", text(&value));
    field("filename", escaped(&record.path).to_string())?;
    field("name_type", letter(record.kind).to_string())?;
    field("filesize", record.size.to_string())?;
    field("inode", record.inode.to_string())?;
    field("mode", format!("{:o}", record.mode))?;
    field("nlink", record.links.to_string())?;
    field("uid", record.uid.to_string())?;
    field("gid", record.gid.to_string())?;
    let times = record.times;
    let all =
        [("mtime", times.modified), ("atime", times.accessed), ("ctime", times.changed), ("crtime", times.created)];
    for (name, time) in
        all.into_iter().filter_map(|(name, time)| Some((name, time.filter(|time: &Time| time.is_valid())?)))
    {
        field(name, time.to_string())?;
    }
    if let Some(target) = &record.target {
        field("link_target", escaped(target).to_string())?;
    }
    if !record.extents.is_empty() {
        writeln!(out, "    <byte_runs>")?;
        for (logical, place, len) in &record.extents {
            writeln!(out, "      <byte_run file_offset='{logical}' img_offset='{place}' len='{len}'/>")?;
        }
        writeln!(out, "    </byte_runs>")?;
    }
    for algorithm in Algorithm::ALL.into_iter().filter(|&algorithm| record.digests.get(algorithm).is_some()) {
        let (name, digits) = (algorithm.name(), hex(record, algorithm));
        writeln!(out, "    <hashdigest type='{name}'>{digits}</hashdigest>")?;
    }
    writeln!(out, "  </fileobject>")?;
    Ok(true)
}

/// Writes what comes after the files.
pub fn end(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "</dfxml>")
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => 'r',
        Kind::Socket => 's',
        Kind::Unknown => '-',
        other => other.letter(),
    }
}

/// Text as XML holds it.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
