//! What is copied, and in which order: [`Plan`].

use std::ops::Range;

use rayon::prelude::*;

use super::batch::Wholes;
use super::place::Places;
use super::select::{Mark, Selected};
use super::{Error, Order, Part, Request, worth};
use crate::fs::content::{Content, Run};
use crate::node::{Kind, Node, NodeId};
use crate::progress::{Progress, Unit};
use crate::source::SourceGone;
use crate::tree::ItemId;

/// Nodes asked for at a time.
const CHUNK: usize = 2048;

/// One thing to copy that is no directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Planned {
    /// What comes before what, whatever the place on the disk.
    pub rank: u64,
    /// Where its first byte lies on the image; 0 where it has none.
    pub offset: u64,
    /// Its node: what has no bytes is read in the order in which tables of inodes hold it.
    pub id: NodeId,
    /// Which part.
    pub part: u16,
    /// Which item.
    pub item: ItemId,
    /// Other names of the file are copied too.
    pub linked: bool,
    /// Bytes to read.
    pub bytes: u64,
    /// Length in bytes, holes counted; 0 for all but files.
    pub size: u64,
}

/// A further name of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// Which part.
    pub part: u16,
    /// Which item.
    pub item: ItemId,
    /// The item that is copied as a file.
    pub first: ItemId,
}

/// Everything to do, in the order in which it is done.
pub struct Plan {
    /// Directories, parents first.
    pub directories: Vec<(u16, ItemId)>,
    /// The rest, in the order asked for, and then that of the disk.
    pub files: Vec<Planned>,
    /// Further names, in the order of the tree.
    pub links: Vec<Link>,
    /// Small directories whose files are copied together.
    pub wholes: Wholes,
    /// Small files that are sent as one archive, in ascending order.
    pub packs: Vec<Range<usize>>,
    /// Up to how many bytes they have.
    pub packed: u64,
    /// Bytes to read.
    pub bytes: u64,
    /// Paths left out by time or size.
    pub filtered: u64,
}

impl Plan {
    /// Plans what `selected` wants; leaves out of it what time or size rule out.
    pub fn make(
        request: &Request<'_>,
        places: &Places<'_>,
        selected: &mut Selected,
        progress: &dyn Progress,
    ) -> Result<Self, Error> {
        let mut plan = Plan {
            directories: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            wholes: Wholes::new(),
            packs: Vec::new(),
            packed: 0,
            bytes: 0,
            filtered: 0,
        };
        let wanted: usize = request.parts.iter().map(|part| part.tree.len()).sum();
        progress.stage("planning", Some(wanted as u64), Unit::Items);
        for (n, part) in (0u16..).zip(&request.parts) {
            plan.add_files(request, (n, part), places, selected, progress)?;
        }
        let filters = request.selection.newer.is_some() || request.selection.max_size.is_some();
        selected.mark_ways(places, &request.parts, filters);
        for (n, part) in (0u16..).zip(&request.parts) {
            plan.add_directories(n, part, places, selected);
        }
        plan.files.par_sort_unstable();
        plan.bytes = plan.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes));
        Ok(plan)
    }

    fn add_files(
        &mut self,
        request: &Request<'_>,
        (n, part): (u16, &Part<'_>),
        places: &Places<'_>,
        selected: &mut Selected,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let is_wanted =
            |item: &ItemId| part.tree.kind(*item) != Kind::Directory && selected.mark(n, *item) == Mark::Yes;
        let mut items: Vec<(NodeId, ItemId)> =
            part.tree.items().filter(is_wanted).map(|item| (part.tree.id(item), item)).collect();
        items.par_sort_unstable();
        // Of several names of one node the first is copied, the others become links to it.
        let mut firsts: Vec<Planned> = Vec::new();
        let begin = self.links.len();
        for (id, item) in items {
            match firsts.last_mut() {
                Some(first) if part.tree.id(first.item) == id => {
                    first.linked = true;
                    self.links.push(Link { part: n, item, first: first.item });
                }
                _ => firsts.push(Planned { rank: 0, offset: 0, id, part: n, item, linked: false, bytes: 0, size: 0 }),
            }
        }
        let looked_at: Result<Vec<Vec<Option<Planned>>>, SourceGone> = firsts
            .par_chunks(CHUNK)
            .map(|chunk| {
                progress.advance(chunk.len() as u64);
                look_at(request, part, places, chunk)
            })
            .collect();
        for (planned, first) in looked_at?.into_iter().flatten().zip(&firsts) {
            match planned {
                Some(planned) => self.files.push(planned),
                None => selected.drop(n, first.item),
            }
        }
        for link in self.links.split_off(begin) {
            match selected.mark(n, link.first) {
                Mark::Yes => self.links.push(link),
                _ => {
                    selected.drop(n, link.item);
                    self.filtered += 1;
                }
            }
        }
        self.links[begin..].sort_by_key(|link| link.item);
        self.filtered += (firsts.len() - self.files.iter().filter(|file| file.part == n).count()) as u64;
        Ok(())
    }

    fn add_directories(&mut self, n: u16, part: &Part<'_>, places: &Places<'_>, selected: &Selected) {
        let directories = part.tree.items().filter(|&item| part.tree.kind(item) == Kind::Directory);
        let used = directories.filter(|&item| selected.mark(n, item) != Mark::No && !places.is_covered(n, item));
        self.directories.extend(used.map(|item| (n, item)));
    }
}

/// Where the files begin and how much there is to read; `None` for those that time or size rule out.
fn look_at(
    request: &Request<'_>,
    part: &Part<'_>,
    places: &Places<'_>,
    files: &[Planned],
) -> Result<Vec<Option<Planned>>, SourceGone> {
    let items: Vec<ItemId> = files.iter().map(|file| file.item).collect();
    let nodes = part.tree.nodes(&items)?;
    files
        .iter()
        .zip(nodes)
        .map(|(file, node)| {
            let Some(node) = node else { return Ok(Some(*file)) };
            if !passes(request, &node) {
                return Ok(None);
            }
            let mut planned = *file;
            if node.kind == Kind::File && node.size > 0 {
                planned.size = node.size;
                (planned.offset, planned.bytes) = place_of(part, &node)?;
            }
            planned.rank = rank(request.order, places, &planned, &node);
            Ok(Some(planned))
        })
        .collect()
}

/// What comes before what: lower ranks first.
fn rank(order: Order, places: &Places<'_>, file: &Planned, node: &Node) -> u64 {
    match order {
        Order::Physical => 0,
        Order::Worth => {
            let (group, place) = worth::rank(&places.path(file.part, file.item));
            (group as u64) << 32 | place as u64
        }
        // Sizes alike to a factor of two stay in the order of the disk.
        Order::SmallFirst => file.bytes.checked_ilog2().map_or(0, |log| u64::from(log) + 1),
        Order::Newest => {
            let age = node.times.modified.map_or(i64::MAX, |time| time.secs.saturating_neg());
            age.cast_unsigned() ^ 1 << 63
        }
    }
}

/// Where on the image a file begins, and how many bytes of it there are to read.
fn place_of(part: &Part<'_>, node: &Node) -> Result<(u64, u64), SourceGone> {
    let content = Content::open(&**part.tree.fs(), node)?;
    let (mut offset, mut bytes) = (0, 0u64);
    for run in content.runs() {
        if let Run::Data(span, place) = run {
            bytes = bytes.saturating_add(span.len());
            if let Some(place) = place.filter(|_| offset == 0) {
                offset = part.start.saturating_add(place);
            }
        }
    }
    Ok((offset, bytes))
}

fn passes(request: &Request<'_>, node: &Node) -> bool {
    let selection = &request.selection;
    let old = selection.newer.is_some_and(|newer| node.times.modified.is_none_or(|modified| modified <= newer));
    let large = selection.max_size.is_some_and(|max| node.kind == Kind::File && node.size > max);
    !old && !large
}
