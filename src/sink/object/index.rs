//! What a store held when a run began ([`Index`]): one listing in place of a request for every file.

use std::collections::HashMap;

use super::{Bucket, Object};
use crate::sink::Failure;

/// Objects held in memory at most; of more, the store is asked one by one.
const MOST: usize = 250_000;

/// Objects by the hash of their names.
pub struct Index(HashMap<[u8; 16], (u64, Box<str>)>);

impl Index {
    /// Lists what begins with `prefix`; `None` where that is too much to remember.
    pub fn of(bucket: &dyn Bucket, prefix: &str) -> Result<Option<Self>, Failure> {
        let mut objects = HashMap::new();
        bucket.list(prefix, false, &mut |key, object| {
            objects.insert(hash(key), (object.size, object.tag.into()));
            objects.len() <= MOST
        })?;
        Ok((objects.len() <= MOST).then_some(Index(objects)))
    }

    /// An object by its name.
    pub fn get(&self, key: &str) -> Option<Object> {
        let (size, tag) = self.0.get(&hash(key))?;
        Some(Object { size: *size, tag: tag.to_string() })
    }
}

fn hash(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(key.as_bytes()).as_bytes()[..16]);
    short
}
