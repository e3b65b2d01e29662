//! What checking needs beyond one filesystem's own check: names for what was found ([`name_inodes`]), and which files
//! unreadable bytes hit ([`affected()`]); and what a repair would do ([`preview()`]).

pub mod codes;

mod affected;
mod attempt;
mod paths;
mod preview;
mod repairs;

pub use affected::{Affected, affected, domain_map};
pub use attempt::Outcome;
pub use paths::name_inodes;
pub use preview::{Change, Preview, PreviewError, preview};
