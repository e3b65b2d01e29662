//! Small files on their way into a store together ([`Gathered`]): one archive, one object.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Body, Objects};
use crate::bytes::Span;
use crate::name::PACKS;
use crate::node::{Packed, Unkept};
use crate::sink::budget::Share;
use crate::sink::tar::{END, Member, padding};
use crate::sink::{Committed, Drain, Entry, Failure, Half, Limits, Made, PACK, Pack, ReadBack, Sent, Sink, Standing};

/// Small files of one lane, in memory; all else goes to the store at once.
pub struct Gathered<'a> {
    objects: &'a Objects,
    /// Files up to so many bytes are taken.
    longest: u64,
    body: Mutex<Body>,
    _share: Share,
}

impl<'a> Gathered<'a> {
    /// Nothing yet.
    ///
    /// # Errors
    /// When there is no room in memory.
    pub fn new(objects: &'a Objects, longest: u64) -> std::io::Result<Self> {
        let share = objects.budget.take(PACK);
        let body = Mutex::new(Body::new(PACK as usize)?); // a constant
        Ok(Gathered { objects, longest, body, _share: share })
    }

    fn lock(&self) -> MutexGuard<'_, Body> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Gathered<'_> {
    fn limits(&self) -> Limits {
        self.objects.limits()
    }

    fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        self.objects.standing(path)
    }

    fn read_back(&self, path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        self.objects.read_back(path)
    }

    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        self.objects.directory(entry)
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, _half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        let size = entry.node.size;
        // Contents lie in it as they are, for others to read by place and length: without a map of holes.
        let whole = [Span::new(0, size)];
        let member = Member::of(&Entry { data: &whole[..usize::from(size > 0)], ..*entry });
        let header = member.header();
        let mut body = self.lock();
        let begin = body.len();
        let end = [header.len() as u64, size, padding(size).len() as u64, END.len() as u64];
        if size > self.longest || end.iter().sum::<u64>() > PACK - begin as u64 {
            return Err(Failure::Apart);
        }
        body.add(&header);
        let at = body.len() as u64;
        Ok(Box::new(Gathering { pack: self, begin, at, size, unkept: member.unkept(), is_whole: false }))
    }

    fn special(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        self.objects.special(entry)
    }

    fn link(&self, entry: &Entry<'_>, first: &[u8]) -> Result<Made, Failure> {
        self.objects.link(entry, first)
    }

    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        self.objects.finish_directory(entry)
    }
}

impl Pack for Gathered<'_> {
    fn send(self: Box<Self>) -> Result<Option<Sent>, Failure> {
        let Gathered { objects, body, _share, .. } = *self;
        let mut body = body.into_inner().unwrap_or_else(PoisonError::into_inner);
        if body.is_empty() {
            return Ok(None);
        }
        body.add(&END);
        // Whoever sends the same files again replaces what is the same.
        let pack = format!("{}.tar", &blake3::hash(&body).to_hex()[..32]);
        let key = objects.key(format!("{PACKS}/{pack}").as_bytes());
        let _on_line = Objects::line(&objects.line, body.len());
        let tag = objects.bucket.put(&key, body)?;
        Ok(Some(Sent { pack, etag: (!tag.is_empty()).then_some(tag) }))
    }
}

/// A file whose header is in the archive and whose bytes follow. Dropped before its end, it is taken out again.
struct Gathering<'a> {
    pack: &'a Gathered<'a>,
    /// Where its header begins, and where its contents do.
    begin: usize,
    at: u64,
    size: u64,
    unkept: Vec<Unkept>,
    is_whole: bool,
}

impl Gathering<'_> {
    fn zeros_to(&self, offset: u64) {
        static ZEROS: [u8; 4096] = [0; 4096];
        let mut body = self.pack.lock();
        while (body.len() as u64) < self.at + offset {
            let len = (self.at + offset - body.len() as u64).min(ZEROS.len() as u64) as usize;
            body.add(&ZEROS[..len]);
        }
    }
}

impl Drain for Gathering<'_> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
        if offset.saturating_add(bytes.len() as u64) > self.size {
            return Err(Failure::Refused("it is longer than was announced".into()));
        }
        self.zeros_to(offset);
        self.pack.lock().add(bytes);
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<Committed, Failure> {
        self.zeros_to(self.size);
        self.pack.lock().add(padding(self.size));
        self.is_whole = true;
        let packed = Packed { pack: String::new(), at: self.at };
        Ok(Committed { unkept: std::mem::take(&mut self.unkept), etag: None, packed: Some(packed) })
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.pack.lock().truncate(self.begin);
        }
    }
}
