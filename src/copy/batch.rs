//! What a lane takes at a time: neighbours on the disk, all files of a small directory, or a pack of small files ([`Batch`]).

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use super::Part;
use super::place::Places;
use super::plan::{Plan, Planned};
use crate::sink::PACK;
use crate::tree::ItemId;

/// Files of a batch at most.
const FILES: usize = 128;

/// Bytes of a batch, from which on no further file is added.
const BYTES: u64 = 1 << 20;

/// How many files a directory has that is made whole: with fewer it is not worth while, and with more too much would have
/// to be done again after a killed run.
const WHOLE: RangeInclusive<usize> = 4..=512;

/// Bytes of a directory that is made whole, at most.
const WHOLE_BYTES: u64 = 4 << 20;

/// Files of a pack at most: what is known of them is held until it is sent.
const PACKED: usize = 1024;

/// Bytes of the headers of a file in an archive, mostly.
const HEADERS: u64 = 3 * 512;

/// Bytes of a pack that are left for longer headers.
const ROOM: u64 = 64 << 10;

/// Some of a plan's files, all of one part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Which files.
    pub files: Range<usize>,
    /// Why they go together.
    pub company: Company,
}

/// What brings files together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Company {
    /// They are neighbours on the disk.
    Neighbours,
    /// They are all that is made in this directory but links.
    Directory(ItemId),
    /// They are sent as one archive, those of at most so many bytes.
    Pack(u64),
}

/// A directory of a part, by its item.
type Directory = (u16, ItemId);

/// Small directories whose files are copied together, with the number of their files.
pub type Wholes = HashMap<Directory, usize>;

/// The files of one directory, counted.
struct Fellows {
    files: usize,
    bytes: u64,
    rank: u64,
    /// They can be copied one after the other, and go to one directory.
    is_one: bool,
}

impl Fellows {
    fn new(rank: u64) -> Self {
        Fellows { files: 0, bytes: 0, rank, is_one: true }
    }
}

impl Plan {
    /// Brings the files of small directories together, each directory to the place of its last file. Ranks stay in order,
    /// and so does the order of the disk within a directory.
    pub fn gather(&mut self, parts: &[Part<'_>], places: &Places<'_>) {
        let wholes = self.small_directories(parts, places);
        let mut waiting: HashMap<Directory, Vec<Planned>> = HashMap::new();
        let mut at = 0;
        for i in 0..self.files.len() {
            let file = self.files[i];
            let directory = directory_of(parts, &file);
            let Some(&files) = wholes.get(&directory) else {
                self.files[at] = file;
                at += 1;
                continue;
            };
            let company = waiting.entry(directory).or_default();
            company.push(file);
            if company.len() == files {
                self.files[at..at + files].copy_from_slice(company);
                at += files;
                waiting.remove(&directory);
            }
        }
        self.wholes = wholes;
    }

    /// Directories without subdirectories, few files in them, and those of one rank.
    fn small_directories(&self, parts: &[Part<'_>], places: &Places<'_>) -> Wholes {
        let mut directories: HashMap<Directory, Fellows> = HashMap::new();
        for file in &self.files {
            let fellows = directories.entry(directory_of(parts, file)).or_insert(Fellows::new(file.rank));
            fellows.files += 1;
            fellows.bytes = fellows.bytes.saturating_add(file.bytes);
            fellows.is_one &= file.rank == fellows.rank && !places.is_moved(file.part, file.item);
        }
        for &(part, item) in &self.directories {
            directories.remove(&(part, parts[usize::from(part)].tree.parent(item)));
        }
        let small =
            |fellows: &Fellows| fellows.is_one && fellows.bytes <= WHOLE_BYTES && WHOLE.contains(&fellows.files);
        directories.into_iter().filter(|(_, it)| small(it)).map(|(directory, it)| (directory, it.files)).collect()
    }

    /// Brings files of at most `longest` bytes, and half a pack, together in packs, each at the place of its first file: what
    /// comes first in the plan does not wait for a pack to be full.
    pub fn gather_packs(&mut self, longest: u64) {
        let longest = longest.min(PACK / 2);
        let (mut places, mut pack) = (Vec::with_capacity(self.files.len()), None::<Filling>);
        for (i, file) in self.files.iter().enumerate() {
            if file.size > longest {
                places.push(i);
                continue;
            }
            let room = pack.as_ref().filter(|pack| pack.takes(file));
            let first = room.map_or(i, |pack| pack.first);
            if first == i {
                pack = Some(Filling { first, part: file.part, files: 0, bytes: 0 });
            }
            pack.iter_mut().for_each(|pack| pack.add(file));
            places.push(first);
        }
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|&i| places[i]);
        let mut at = 0;
        for company in order.chunk_by(|a, b| places[*a] == places[*b]) {
            if company.len() > 1 {
                self.packs.push(at..at + company.len());
            }
            at += company.len();
        }
        self.packed = longest;
        self.files = order.into_iter().map(|i| self.files[i]).collect();
    }

    /// The files cut into batches.
    pub fn batches(&self, parts: &[Part<'_>]) -> Vec<Batch> {
        let (mut batches, mut at) = (Vec::new(), 0);
        for pack in &self.packs {
            self.cut(at..pack.start, parts, &mut batches);
            batches.push(Batch { files: pack.clone(), company: Company::Pack(self.packed) });
            at = pack.end;
        }
        self.cut(at..self.files.len(), parts, &mut batches);
        batches
    }

    /// Some of the files cut into batches.
    fn cut(&self, range: Range<usize>, parts: &[Part<'_>], batches: &mut Vec<Batch>) {
        let (mut begin, mut bytes, mut i) = (range.start, 0u64, range.start);
        while let Some(file) = self.files[..range.end].get(i) {
            let directory = directory_of(parts, file);
            let whole = self.wholes.get(&directory);
            let other = file.part != self.files[begin].part;
            let large = bytes.saturating_add(file.bytes) > BYTES;
            if i > begin && (whole.is_some() || other || large || i - begin >= FILES) {
                batches.push(Batch { files: begin..i, company: Company::Neighbours });
                (begin, bytes) = (i, 0);
            }
            if let Some(files) = whole {
                i += files;
                batches.push(Batch { files: begin..i, company: Company::Directory(directory.1) });
                (begin, bytes) = (i, 0);
            } else {
                bytes = bytes.saturating_add(file.bytes);
                i += 1;
            }
        }
        if begin < i {
            batches.push(Batch { files: begin..i, company: Company::Neighbours });
        }
    }
}

/// A pack that files are being added to.
struct Filling {
    first: usize,
    part: u16,
    files: usize,
    bytes: u64,
}

impl Filling {
    /// Bytes of a file in an archive: its contents in whole blocks, and headers.
    fn needed(file: &Planned) -> u64 {
        file.size.next_multiple_of(512) + HEADERS
    }

    fn takes(&self, file: &Planned) -> bool {
        self.part == file.part && self.files < PACKED && self.bytes + Self::needed(file) <= PACK - ROOM
    }

    fn add(&mut self, file: &Planned) {
        self.files += 1;
        self.bytes += Self::needed(file);
    }
}

fn directory_of(parts: &[Part<'_>], file: &Planned) -> Directory {
    (file.part, parts[usize::from(file.part)].tree.parent(file.item))
}
