//! What checking needs beyond one filesystem's own check: names for what was found ([`name_inodes`]), and which files
//! unreadable bytes hit ([`affected()`]).

pub mod codes;

mod affected;
mod paths;
mod preview;
mod repairs;

pub use affected::{Affected, affected, domain_map};
pub use paths::name_inodes;
pub use preview::{Change, Outcome, Preview, PreviewError, preview};
