//! What a lane takes at a time: neighbours on the disk, or all files of a small directory ([`Batch`]).

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use super::Part;
use super::place::Places;
use super::plan::{Plan, Planned};
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

/// Some of a plan's files, all of one part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// Which files.
    pub files: Range<usize>,
    /// The directory of which they are all that is made in it but links.
    pub whole: Option<ItemId>,
}

/// A directory of a part, by its item.
type Directory = (u16, ItemId);

/// Small directories whose files are copied together, with the number of their files.
pub type Wholes = HashMap<Directory, usize>;

/// The files of one directory, counted.
struct Company {
    files: usize,
    bytes: u64,
    rank: u64,
    /// They can be copied one after the other, and go to one directory.
    is_one: bool,
}

impl Company {
    fn new(rank: u64) -> Self {
        Company { files: 0, bytes: 0, rank, is_one: true }
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
        let mut companies: HashMap<Directory, Company> = HashMap::new();
        for file in &self.files {
            let company = companies.entry(directory_of(parts, file)).or_insert(Company::new(file.rank));
            company.files += 1;
            company.bytes = company.bytes.saturating_add(file.bytes);
            company.is_one &= file.rank == company.rank && !places.is_moved(file.part, file.item);
        }
        for &(part, item) in &self.directories {
            companies.remove(&(part, parts[usize::from(part)].tree.parent(item)));
        }
        let small =
            |company: &Company| company.is_one && company.bytes <= WHOLE_BYTES && WHOLE.contains(&company.files);
        companies.into_iter().filter(|(_, it)| small(it)).map(|(directory, it)| (directory, it.files)).collect()
    }

    /// The files cut into batches.
    pub fn batches(&self, parts: &[Part<'_>]) -> Vec<Batch> {
        let (mut batches, mut begin, mut bytes, mut i) = (Vec::new(), 0, 0u64, 0);
        while let Some(file) = self.files.get(i) {
            let directory = directory_of(parts, file);
            let whole = self.wholes.get(&directory);
            let other = file.part != self.files[begin].part;
            let large = bytes.saturating_add(file.bytes) > BYTES;
            if i > begin && (whole.is_some() || other || large || i - begin >= FILES) {
                batches.push(Batch { files: begin..i, whole: None });
                (begin, bytes) = (i, 0);
            }
            if let Some(files) = whole {
                i += files;
                batches.push(Batch { files: begin..i, whole: Some(directory.1) });
                (begin, bytes) = (i, 0);
            } else {
                bytes = bytes.saturating_add(file.bytes);
                i += 1;
            }
        }
        if begin < i {
            batches.push(Batch { files: begin..i, whole: None });
        }
        batches
    }
}

fn directory_of(parts: &[Part<'_>], file: &Planned) -> Directory {
    (file.part, parts[usize::from(file.part)].tree.parent(file.item))
}
