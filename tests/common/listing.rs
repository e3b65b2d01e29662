//! Everything a filesystem shows, path by path, in one form for every reader: [`ours`] through the program under
//! test, [`mounted`] through the kernel.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use offmount::bytes::Spans;
use offmount::fs::content::Content;
use offmount::fs::{FileSystem, Members, OpenOptions, ext};
use offmount::node::{Kind, Node};
use offmount::progress::Silent;
use offmount::source::{FileSource, Source};
use offmount::tree::Tree;

/// Paths without leading slash, the root's empty, with all that is known of each.
pub type Listing = BTreeMap<Vec<u8>, Shown>;

/// What is known of one path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    pub inode: u64,
    pub kind: char,
    pub mode: u32,
    pub owner: (u32, u32),
    pub links: u64,
    pub size: u64,
    pub modified: (i64, i64),
    pub changed: (i64, i64),
    pub accessed: (i64, i64),
    pub device: (u32, u32),
    /// Hash of a file's contents, or a link's target.
    pub contents: String,
    pub attributes: BTreeMap<String, Vec<u8>>,
}

/// Opens an ext2, ext3 or ext4 image.
#[track_caller]
pub fn open(image: &Path, options: &OpenOptions) -> Arc<dyn FileSystem> {
    let source: Source = Arc::new(FileSource::open(image).expect("the image"));
    (ext::DRIVER.open)(&Members::one(source), options, &Silent).expect("a source").expect("a filesystem")
}

/// All that the program shows of an image.
#[track_caller]
pub fn ours(image: &Path) -> Listing {
    of(open(image, &OpenOptions::default()))
}

/// All that an opened filesystem shows.
pub fn of(fs: Arc<dyn FileSystem>) -> Listing {
    let tree = Tree::whole(fs.clone(), &Silent).expect("a tree");
    let items: Vec<_> = tree.items().collect();
    let nodes = tree.nodes(&items).expect("nodes");
    items.iter().zip(nodes).filter_map(|(item, node)| Some((tree.path(*item), show(&*fs, &node?)))).collect()
}

fn show(fs: &dyn FileSystem, node: &Node) -> Shown {
    let time = |time: Option<offmount::time::Time>| time.map_or((0, 0), |t| (t.secs, t.nanos.into()));
    let attributes = fs.xattrs(node).expect("attributes").value;
    Shown {
        inode: node.id.0,
        kind: node.kind.letter(),
        mode: node.mode.into(),
        owner: (node.uid, node.gid),
        links: node.links.into(),
        size: node.size,
        modified: time(node.times.modified),
        changed: time(node.times.changed),
        accessed: time(node.times.accessed),
        device: node.device.unwrap_or((0, 0)),
        contents: contents(fs, node),
        attributes: attributes.into_iter().map(|a| (String::from_utf8(a.name).expect("a name"), a.value)).collect(),
    }
}

fn contents(fs: &dyn FileSystem, node: &Node) -> String {
    if !matches!(node.kind, Kind::File | Kind::Symlink) {
        return String::new();
    }
    let content = Content::open(fs, node).expect("contents");
    let mut lost = Spans::new();
    if node.kind == Kind::Symlink {
        let (target, _) = content.read_all(1 << 16).expect("a target").expect("a short target");
        return String::from_utf8_lossy(&target).into_owned();
    }
    let (mut hasher, mut buf, mut at) = (blake3::Hasher::new(), vec![0; 1 << 20], 0);
    loop {
        match content.read(at, &mut buf, &mut lost).expect("contents") {
            0 => break,
            n => {
                hasher.update(&buf[..n]);
                at += n as u64;
            }
        }
    }
    format!("{} lost {}", hasher.finalize(), lost.total())
}

/// All that the kernel shows below a mount point.
#[track_caller]
pub fn mounted(at: &Path) -> Listing {
    let mut listing = Listing::new();
    visit(at, Vec::new(), &mut listing);
    listing
}

fn visit(at: &Path, path: Vec<u8>, listing: &mut Listing) {
    let full = if path.is_empty() { at.to_owned() } else { at.join(OsStr::from_bytes(&path)) };
    let meta = fs::symlink_metadata(&full).expect("metadata");
    let kind = kind_of(&meta);
    let contents = match kind {
        '-' => {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(fs::File::open(&full).expect("a file")).expect("contents");
            format!("{} lost 0", hasher.finalize())
        }
        'l' => String::from_utf8_lossy(fs::read_link(&full).expect("a target").as_os_str().as_bytes()).into_owned(),
        _ => String::new(),
    };
    let is_device = matches!(kind, 'c' | 'b');
    let device = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
    let shown = Shown {
        inode: meta.ino(),
        kind,
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
        links: meta.nlink(),
        size: meta.size(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
        accessed: (meta.atime(), meta.atime_nsec()),
        device: if is_device { device } else { (0, 0) },
        contents,
        attributes: attributes(&full),
    };
    listing.insert(path.clone(), shown);
    if kind == 'd' {
        for entry in fs::read_dir(&full).expect("a directory") {
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend(entry.expect("an entry").file_name().into_vec());
            visit(at, below, listing);
        }
    }
}

fn kind_of(meta: &fs::Metadata) -> char {
    let kind = meta.file_type();
    match () {
        () if kind.is_dir() => 'd',
        () if kind.is_symlink() => 'l',
        () if kind.is_fifo() => 'p',
        () if kind.is_socket() => 's',
        () if kind.is_char_device() => 'c',
        () if kind.is_block_device() => 'b',
        () => '-',
    }
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let len = rustix::fs::llistxattr(path, &mut names[..]).expect("names of attributes");
    let names = names[..len].split(|&b| b == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = vec![0; 1 << 17];
        let len = rustix::fs::lgetxattr(path, name, &mut value[..]).expect("an attribute");
        value.truncate(len);
        (String::from_utf8_lossy(name).into_owned(), value)
    };
    names.map(value).collect()
}

/// Fails with the first paths that differ.
#[track_caller]
pub fn assert_same(ours: &Listing, theirs: &Listing, what: &str) {
    let mut told = Vec::new();
    for path in ours.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>() {
        let (a, b) = (ours.get(path), theirs.get(path));
        if a != b {
            told.push(format!("{:?}\n  ours   {a:?}\n  theirs {b:?}", String::from_utf8_lossy(path)));
        }
    }
    let more = told.len().saturating_sub(5);
    told.truncate(5);
    assert!(told.is_empty(), "{what}: {}\nand {more} more", told.join("\n"));
}
