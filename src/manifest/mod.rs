//! What was copied, in a form that proves it: [`Record`]s, one a line, between a [`Header`] and a [`Trailer`].
//!
//! `manifest.jsonl` holds one JSON object a line. A line with `path` (or `path_b64`, where the name is not UTF-8) is the
//! record of one path of the destination; the first line is the header, the last the trailer. Lines with `path` that
//! follow another header stem from an earlier run into the same destination.
//!
//! [`sums`] writes the lists that `b3sum -c`, `sha256sum -c` and their kin accept.

mod digest;
mod header;
mod hex;
mod line;
mod reader;
mod record;
pub mod sums;

pub use digest::{Algorithm, Digests};
pub use header::{Header, Image, Trailer, VolumeId};
pub use reader::{Line, Reader, parse};
pub use record::{Flaw, Record, Status};

pub use crate::name::OWN_FOLDER as FOLDER;

/// The manifest's name in [`FOLDER`].
pub const NAME: &str = "manifest.jsonl";
/// Its name while a run writes it; what a killed run leaves.
pub const PARTIAL: &str = "manifest.partial.jsonl";
/// What of it is not in its place yet: records that wait for those before them.
pub const AHEAD: &str = "manifest.ahead.jsonl";
