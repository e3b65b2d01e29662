//! A file sent in part, and what is needed to go on with it: [`Half`].
//!
//! A large file is sent in parts of [`Sink::part_size`](super::Sink::part_size) bytes. Whoever drives the sink writes down,
//! in a journal, what [`Drain::token`](super::Drain::token) says when the file is begun, and of every part the hash of its
//! source bytes and the [`Mark`] by which the destination took it. After an interruption it hands both to
//! [`Sink::create`](super::Sink::create) again.

use serde::{Deserialize, Serialize};

/// What a sink needs to find a half-sent file again: the name of a temporary, an upload's id. Only the sink that gave it
/// understands it. Nothing secret is in it.
pub type Token = serde_json::Value;

/// A part that the destination took for good: a broken connection does not take it back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Bytes of the file, from its start and holes counted, that the destination holds with this part.
    pub end: u64,
    /// What the sink needs to know of the part later: an ETag. Null where there is nothing.
    #[serde(default, skip_serializing_if = "Token::is_null")]
    pub note: Token,
}

/// A file that an earlier attempt sent in part.
#[derive(Clone, PartialEq, Debug)]
pub struct Half {
    /// What [`Drain::token`](super::Drain::token) was.
    pub token: Token,
    /// The parts that were taken, in ascending order, without a gap from the start of the file.
    pub marks: Vec<Mark>,
}
