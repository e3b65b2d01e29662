//! One member of the archive: its headers ([`Member`]).

use tar::{EntryType, Header};

use super::acl;
use super::pax::{Records, time};
use crate::bytes::Span;
use crate::node::{Kind, Unkept, Xattr};
use crate::sink::Entry;
use crate::time::{Time, Times};

/// Bytes of a block of the archive.
const BLOCK: u64 = 512;

/// Most bytes of a name in the plain header.
const NAME: usize = 100;

/// Largest user or group number of the plain header: seven octal digits.
const MAX_ID: u64 = 0o777_7777;

/// Largest size and time of the plain header: eleven octal digits.
const MAX_SIZE: u64 = 0o777_7777_7777;

/// One member, ready to be written.
pub struct Member<'a> {
    name: Vec<u8>,
    kind: EntryType,
    link: &'a [u8],
    mode: u32,
    owner: (u32, u32),
    size: u64,
    times: Times,
    device: Option<(u32, u32)>,
    xattrs: &'a [Xattr],
    /// What of the file holds data; `None` where all of it does.
    data: Option<&'a [Span]>,
}

impl<'a> Member<'a> {
    /// The member of an entry.
    pub fn of(entry: &Entry<'a>) -> Self {
        let node = entry.node;
        let mut name = if entry.path.is_empty() { b".".to_vec() } else { entry.path.to_vec() };
        let kind = match node.kind {
            Kind::Directory => EntryType::Directory,
            Kind::Symlink => EntryType::Symlink,
            Kind::Fifo => EntryType::Fifo,
            Kind::CharDevice => EntryType::Char,
            Kind::BlockDevice => EntryType::Block,
            Kind::File | Kind::Socket | Kind::Unknown => EntryType::Regular,
        };
        if node.kind == Kind::Directory {
            name.push(b'/');
        }
        let is_file = node.kind == Kind::File;
        let is_whole = match entry.data {
            [] => node.size == 0,
            [span] => *span == Span::new(0, node.size),
            _ => false,
        };
        Member {
            name,
            kind,
            link: entry.target,
            mode: node.mode.into(),
            owner: (node.uid, node.gid),
            size: if is_file { node.size } else { 0 },
            times: node.times,
            device: node.device,
            xattrs: entry.xattrs,
            data: (is_file && !is_whole).then_some(entry.data),
        }
    }

    /// The member of a directory without its attributes.
    pub fn empty_directory(entry: &Entry<'a>) -> Self {
        Member { mode: 0o700, times: Times::default(), xattrs: &[], ..Member::of(entry) }
    }

    /// A further name of the member at `first`.
    pub fn link(entry: &Entry<'a>, first: &'a [u8]) -> Self {
        Member { kind: EntryType::Link, link: first, size: 0, data: None, xattrs: &[], ..Member::of(entry) }
    }

    /// A file of offmount's own.
    pub fn own_file(name: &str, size: u64) -> Self {
        let now = Time::from_secs(jiff::Timestamp::now().as_second());
        Member {
            name: name.into(),
            kind: EntryType::Regular,
            link: &[],
            mode: 0o644,
            owner: (0, 0),
            size,
            times: Times { modified: Some(now), ..Times::default() },
            device: None,
            xattrs: &[],
            data: None,
        }
    }

    /// A directory of offmount's own.
    pub fn own_directory(name: &str) -> Self {
        Member { kind: EntryType::Directory, mode: 0o755, ..Member::own_file(&format!("{name}/"), 0) }
    }

    /// What the archive can not hold of it.
    pub fn unkept(&self) -> Vec<Unkept> {
        let invalid = [self.times.modified, self.times.accessed].into_iter().flatten().any(|time| !time.is_valid());
        if invalid { vec![Unkept { what: "times".into(), why: "it is no point in time".into() }] } else { Vec::new() }
    }

    /// All that stands before the data: the extended header, the plain one, the map of holes.
    pub fn header(&self) -> Vec<u8> {
        let map = self.data.map(|data| hole_map(data, self.size)).unwrap_or_default();
        let stored = match self.data {
            Some(data) => map.len() as u64 + data.iter().map(|span| span.len()).sum::<u64>(),
            None => self.size,
        };
        let (records, mut plain) = (self.records(stored), self.plain(stored));
        plain.set_cksum();
        let mut out = Vec::with_capacity(2048);
        if let Some(records) = records.bytes() {
            let mut header = named(b"PaxHeaders/", &self.name);
            header.set_entry_type(EntryType::XHeader);
            header.set_size(records.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_cksum();
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(records);
            out.extend_from_slice(padding(records.len() as u64));
        }
        out.extend_from_slice(plain.as_bytes());
        out.extend_from_slice(&map);
        out
    }

    fn records(&self, stored: u64) -> Records {
        let mut records = Records::default();
        if self.data.is_some() {
            records.add("GNU.sparse.major", b"1");
            records.add("GNU.sparse.minor", b"0");
            records.add("GNU.sparse.name", &self.name);
            records.add("GNU.sparse.realsize", self.size.to_string().as_bytes());
        } else if self.name.len() > NAME {
            records.add("path", &self.name);
        }
        if self.link.len() > NAME {
            records.add("linkpath", self.link);
        }
        if stored > MAX_SIZE {
            records.add("size", stored.to_string().as_bytes());
        }
        for (key, id) in [("uid", self.owner.0), ("gid", self.owner.1)] {
            if u64::from(id) > MAX_ID {
                records.add(key, id.to_string().as_bytes());
            }
        }
        for (key, at) in [("mtime", self.times.modified), ("atime", self.times.accessed)] {
            if let Some(at) = at.filter(|at| at.is_valid()) {
                records.add(key, time(at).as_bytes());
            }
        }
        for xattr in self.xattrs {
            records.add_xattr(&xattr.name, &xattr.value);
            // For `tar --acls`, which restores them with no word about attributes.
            if let (Some(key), Some(list)) = (acl::record(&xattr.name), acl::text(&xattr.value)) {
                records.add(key, list.as_bytes());
            }
        }
        records
    }

    /// The plain header. Its fields hold what fits; the extended header has the rest.
    fn plain(&self, stored: u64) -> Header {
        let before: &[u8] = if self.data.is_some() { b"GNUSparseFile.0/" } else { b"" };
        let mut header = named(before, &self.name);
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(u64::from(self.owner.0).min(MAX_ID));
        header.set_gid(u64::from(self.owner.1).min(MAX_ID));
        header.set_size(stored.min(MAX_SIZE));
        let seconds = self.times.modified.map_or(0, |at| at.secs);
        header.set_mtime(u64::try_from(seconds).unwrap_or(0).min(MAX_SIZE));
        if let Some(fields) = header.as_ustar_mut() {
            let len = self.link.len().min(NAME);
            fields.linkname[..len].copy_from_slice(&self.link[..len]);
            if let Some((major, minor)) = self.device {
                fields.set_device_major(major);
                fields.set_device_minor(minor);
            }
        }
        header
    }
}

/// A plain header with as much of a name as it holds.
fn named(before: &[u8], name: &[u8]) -> Header {
    let mut header = Header::new_ustar();
    if let Some(fields) = header.as_ustar_mut() {
        let whole = before.iter().chain(name);
        fields.name.iter_mut().zip(whole).for_each(|(to, from)| *to = *from);
    }
    header
}

/// Where the data of a file with holes lies: the number of pieces, then offset and length of each, one number a line,
/// filled up to a block. An empty piece stands at the end, as GNU tar writes it: it gives the file its length.
fn hole_map(data: &[Span], size: u64) -> Vec<u8> {
    let mut map = format!("{}\n", data.len() + 1).into_bytes();
    for span in data.iter().chain([&Span::new(size, 0)]) {
        map.extend_from_slice(format!("{}\n{}\n", span.start, span.len()).as_bytes());
    }
    let fill = padding(map.len() as u64);
    map.extend_from_slice(fill);
    map
}

/// The zeros that fill the last block of `len` bytes.
pub fn padding(len: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    &ZEROS[..(len.wrapping_neg() % BLOCK) as usize]
}
