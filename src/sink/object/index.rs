//! What a store held when a run began ([`Index`]): one listing in place of a request for every file.

use std::collections::HashMap;

use super::{Bucket, Object};
use crate::sink::Failure;

/// Objects held in memory at most; of more, the store is asked one by one.
const MOST: usize = 250_000;

/// Objects by the hash of their names; `None` for what other names go on after with a slash.
pub struct Index(HashMap<[u8; 16], Option<(u64, Box<str>)>>);

/// What has a name.
pub enum Named {
    /// An object.
    Object(Object),
    /// What would be a directory elsewhere.
    Directory,
}

impl Index {
    /// Lists what begins with `prefix`; `None` where that is too much to remember.
    pub fn of(bucket: &dyn Bucket, prefix: &str) -> Result<Option<Self>, Failure> {
        let mut objects = HashMap::new();
        bucket.list(prefix, false, &mut |key, object| {
            objects.insert(hash(key), Some((object.size, object.tag.into())));
            let mut above = key;
            while let Some((directory, _)) = above.rsplit_once("/")
                && directory.len() >= prefix.len()
                && objects.entry(hash(directory)).or_default().is_none()
            {
                above = directory;
            }
            objects.len() <= MOST
        })?;
        Ok((objects.len() <= MOST).then_some(Index(objects)))
    }

    /// What has a name.
    pub fn get(&self, key: &str) -> Option<Named> {
        let object = |(size, tag): &(u64, Box<str>)| Object { size: *size, tag: tag.to_string() };
        Some(self.0.get(&hash(key))?.as_ref().map_or(Named::Directory, |it| Named::Object(object(it))))
    }
}

fn hash(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    short
}
