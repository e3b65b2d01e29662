//! Files, directories and all else made over SFTP.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::super::{Drain, Entry, Failure, Half, Limits, Made, Names, ReadBack, Sink, Standing, Token};
use super::file::Writing;
use super::packet::{Answer, Ask, Attributes, kind, status};
use super::{LANES, PART, Sftp, TEMPORARY, is_top, key, lock, split, word};
use crate::name::OWN_FOLDER;
use crate::node::{Kind, Unkept};
use crate::time::Time;

/// Longest path that Linux takes, a slash and the byte at its end among it (`PATH_MAX`).
const PATH_MAX: usize = 4096 - 2;

impl Sink for Sftp {
    fn limits(&self) -> Limits {
        let longest_path = PATH_MAX.saturating_sub(self.root.len());
        let names = Names { longest_path, ..Names::plain(self.name_max) };
        Limits { lanes: Some(LANES), names, finish_in_order: !self.is_root, is_far: true, packs: false }
    }

    fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        let (parent, name) = split(path);
        let is_doubtful = lock(&self.doubtful).contains(&key(path));
        let found = if is_top(path) {
            self.look(path)?
        } else {
            match self.know(parent)? {
                None => None,
                Some(false) if !is_doubtful => None,
                Some(_) if is_doubtful => self.look(path)?,
                Some(_) => self.listing(parent)?.get(name).copied(),
            }
        };
        let Some(found) = found else { return Ok(None) };
        let kind_found = Kind::from_mode(found.mode.unwrap_or(0));
        let mut target = Vec::new();
        if kind_found == Kind::Symlink {
            let line = self.line()?;
            if let Answer::Names(names) = self.ask(&line, &Ask::new(kind::READLINK).bytes(&self.below(path)))? {
                target = names.into_iter().next().map(|(name, _)| name).unwrap_or_default();
            }
        }
        let (uid, gid) = found.owner.unwrap_or((u32::MAX, u32::MAX));
        Ok(Some(Standing {
            kind: kind_found,
            size: found.size.unwrap_or(0),
            mode: (found.mode.unwrap_or(0) & 0o7777) as u16,
            uid,
            gid,
            modified: Time::from_secs(found.times.map_or(0, |(_, modified)| modified.into())),
            // SFTP does not tell which names are of one file.
            identity: (0, u64::from_le_bytes(key(path)[..8].try_into().unwrap_or_default())),
            device: None,
            target,
            etag: None,
        }))
    }

    fn is_older(&self, path: &[u8]) -> bool {
        lock(&self.directories).get(&key(path)).copied().unwrap_or(false)
    }

    fn read_back(&self, path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        let place = self.place(path)?;
        match self.look(path)?.map(|found| Kind::from_mode(found.mode.unwrap_or(0))) {
            Some(Kind::File) => {}
            _ => return Err(Failure::Refused("no file stands there".into())),
        }
        let reading = self.reading(&place)?.ok_or_else(|| Failure::Refused("it is gone".into()))?;
        Ok(Box::new(reading))
    }

    fn restore(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        self.restore_at(entry, &self.place(entry.path)?)
    }

    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        if is_top(entry.path) {
            return Ok(());
        }
        let (place, line) = (self.place(entry.path)?, self.line()?);
        let private = Attributes { mode: Some(0o700), ..Attributes::default() };
        let make = || self.ask(&line, &Ask::new(kind::MKDIR).bytes(&place).attributes(&private));
        let mut made = make()?;
        let mut is_older = false;
        if !matches!(made, Answer::Status(status::OK, _)) {
            match self.look(entry.path)? {
                None => {}
                Some(found) if Kind::from_mode(found.mode.unwrap_or(0)) == Kind::Directory => {
                    let mode = found.mode.unwrap_or(0) & 0o7777;
                    if mode & 0o700 != 0o700 && !self.is_root {
                        let open = Attributes { mode: Some(mode | 0o700), ..Attributes::default() };
                        self.ask(&line, &Ask::new(kind::SETSTAT).bytes(&place).attributes(&open))?;
                    }
                    (made, is_older) = (Answer::Status(status::OK, String::new()), true);
                }
                Some(_) if entry.overwrite => {
                    self.ask(&line, &Ask::new(kind::REMOVE).bytes(&place))?;
                    made = make()?;
                }
                Some(found) => return Err(Failure::Stands(word(Kind::from_mode(found.mode.unwrap_or(0))))),
            }
        }
        self.success("making a directory", &made)?;
        lock(&self.directories).insert(key(entry.path), is_older);
        Ok(())
    }

    fn part_size(&self, size: u64) -> Option<u64> {
        (size >= PART * 2).then_some(PART)
    }

    fn sweep(&self, kept: &[&Token]) -> Result<(), Failure> {
        let kept: HashSet<&str> = kept.iter().filter_map(|token| token.get("name")?.as_str()).collect();
        let (folder, line) = (format!("{OWN_FOLDER}/{TEMPORARY}"), self.line()?);
        let is_first = !self.is_swept.load(Ordering::Relaxed);
        let is_left = |name: &str| (is_first || self.is_own(name)) && !kept.contains(name);
        for name in self.list(folder.as_bytes())?.keys() {
            if std::str::from_utf8(name).map_or(is_first, is_left) {
                let place = [&self.below(folder.as_bytes())[..], b"/", name].concat();
                self.ask(&line, &Ask::new(kind::REMOVE).bytes(&place))?;
            }
        }
        self.is_swept.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        self.place(entry.path)?;
        Ok(Box::new(Writing::begin(self, entry, half)?))
    }

    fn special(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        let place = self.place(entry.path)?;
        match entry.node.kind {
            Kind::Symlink => {}
            Kind::Unknown => return Err(Failure::Refused("it is of a kind that no filesystem can hold".into())),
            _ => {
                return Ok(vec![Unkept { what: Unkept::ITSELF.into(), why: "SFTP makes no such thing".into() }]);
            }
        }
        let line = self.line()?;
        let ask = || Ask::new(kind::SYMLINK).bytes(entry.target).bytes(&place);
        self.make("making a link", &line, entry, &place, ask)?;
        self.restore_at(entry, &place)
    }

    fn link(&self, entry: &Entry<'_>, first: &[u8]) -> Result<Made, Failure> {
        const HARD: &str = "hardlink@openssh.com";
        let (first, place, line) = (self.place(first)?, self.place(entry.path)?, self.line()?);
        if !line.has(HARD) {
            return Err(Failure::Refused("the server makes no hard links".into()));
        }
        let ask = || Ask::extended(HARD).bytes(&first).bytes(&place);
        self.make("making a hard link", &line, entry, &place, ask)?;
        Ok(Made::new())
    }

    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        let place = if is_top(entry.path) { self.root.clone() } else { self.place(entry.path)? };
        match self.know(entry.path)? {
            Some(_) => self.restore_at(entry, &place),
            None => Err(Failure::Refused("it could not be made".into())),
        }
    }
}
