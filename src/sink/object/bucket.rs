//! What every store of objects can do: [`Bucket`].

use std::ops::Range;

use super::Body;
use crate::sink::Failure;

/// What a store takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Longest name of an object, in bytes.
    pub key_max: usize,
    /// Least bytes of a part that is not the last.
    pub part_min: u64,
    /// Most parts of an object.
    pub parts_max: u64,
}

/// What a store says of an object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Object {
    /// Length in bytes.
    pub size: u64,
    /// What tells one content from another, without quotes; empty where the store has none. See [`super::tag`].
    pub tag: String,
}

/// A part that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// What the store calls it.
    pub tag: String,
    /// MD5 of what was sent.
    pub md5: [u8; 16],
    /// Length in bytes.
    pub size: u64,
}

/// A flat store of named objects. All calls block.
pub trait Bucket: Send + Sync {
    /// What it takes.
    fn rules(&self) -> Rules;

    /// An object by its name.
    ///
    /// # Errors
    /// [`Failure`].
    fn find(&self, key: &str) -> Result<Option<Object>, Failure>;

    /// Every object whose name begins with `prefix`, until `each` has enough and says false. `shallow`: of those with a
    /// slash after the prefix only what stands before it, once, with its slash.
    ///
    /// # Errors
    /// [`Failure`].
    fn list(&self, prefix: &str, shallow: bool, each: &mut dyn FnMut(&str, Object) -> bool) -> Result<(), Failure>;

    /// Makes an object in one piece; returns its tag.
    ///
    /// # Errors
    /// [`Failure`].
    fn put(&self, key: &str, body: Body) -> Result<String, Failure>;

    /// Begins an object of parts; returns the name of the upload.
    ///
    /// # Errors
    /// [`Failure`].
    fn begin(&self, key: &str) -> Result<String, Failure>;

    /// Sends one part, whose MD5 is known; returns its tag. Parts come in any order.
    ///
    /// # Errors
    /// [`Failure`].
    fn put_part(&self, key: &str, upload: &str, number: usize, body: Body, md5: &[u8; 16]) -> Result<String, Failure>;

    /// Makes the object of its parts; returns its tag.
    ///
    /// # Errors
    /// [`Failure`].
    fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<String, Failure>;

    /// Forgets an upload and its parts, unless the object was made of them.
    fn abort(&self, key: &str, upload: &str);

    /// Removes an object, if it is there.
    ///
    /// # Errors
    /// [`Failure`].
    fn delete(&self, key: &str) -> Result<(), Failure>;

    /// Some bytes of an object.
    ///
    /// # Errors
    /// [`Failure`].
    fn get(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, Failure>;
}
