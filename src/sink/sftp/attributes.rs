//! Which attributes SFTP keeps: owner, mode, times in whole seconds up to the year 2106. The manifest keeps the others.

use super::super::{Entry, Made};
use super::packet::{Answer, Attributes, status};
use crate::node::{Node, Unkept};
use crate::time::Time;

/// setuid and setgid.
const SET_ID: u16 = 0o6000;

/// The owner, where the node has one.
pub fn owner(node: &Node) -> Option<Attributes> {
    // All bits set is no owner.
    let is_known = node.uid != u32::MAX && node.gid != u32::MAX;
    is_known.then(|| Attributes { owner: Some((node.uid, node.gid)), ..Attributes::default() })
}

/// True where the mode may be set only if the owner is right.
pub fn needs_owner(node: &Node) -> bool {
    node.mode & SET_ID != 0
}

/// The mode, without what would give rights to an owner who is not the file's own.
pub fn mode(node: &Node, owned: bool, unkept: &mut Made) -> Attributes {
    let mut mode = node.mode & 0o7777;
    if !owned && mode & SET_ID != 0 {
        mode &= !SET_ID;
        unkept.push(Unkept { what: "mode".into(), why: "setuid and setgid are for its own owner only".into() });
    }
    Attributes { mode: Some(mode.into()), ..Attributes::default() }
}

/// The times, where SFTP can say them.
pub fn times(node: &Node) -> Option<Attributes> {
    let seconds = |time: Time| u32::try_from(time.secs).ok();
    let modified = node.times.modified.or(node.times.accessed).and_then(seconds)?;
    let accessed = node.times.accessed.and_then(seconds).unwrap_or(modified);
    Some(Attributes { times: Some((accessed, modified)), ..Attributes::default() })
}

/// Owner, mode and times at once; `None` where one of them is to be set only if another was, or can not be said. Where a
/// server refuses some of it, nothing tells which.
pub fn together(node: &Node) -> Option<Attributes> {
    if needs_owner(node) {
        return None;
    }
    let (owner, times) = (owner(node)?.owner, times(node)?.times);
    Some(Attributes { size: None, owner, mode: Some((node.mode & 0o7777).into()), times })
}

/// What of an entry SFTP has no words for.
pub fn unkept(entry: &Entry<'_>) -> Made {
    let mut unkept = Made::new();
    let mut note = |what: &str, why: &str| unkept.push(Unkept { what: what.into(), why: why.into() });
    let node = entry.node;
    if owner(node).is_none() {
        note("owner", "it is none");
    }
    match times(node) {
        None if node.times.modified.is_some() => note("times", "SFTP has none before 1970 and after 2106"),
        Some(_) if [node.times.modified, node.times.accessed].into_iter().flatten().any(|time| time.nanos != 0) => {
            note(Unkept::NANOSECONDS, "SFTP has whole seconds only");
        }
        _ => {}
    }
    for xattr in entry.xattrs {
        note(&String::from_utf8_lossy(&xattr.name), "SFTP has no extended attributes");
    }
    unkept
}

/// Notes what a server did not take; true if it did.
pub fn note(unkept: &mut Made, what: &str, answer: &Answer) -> bool {
    let why = match answer {
        Answer::Status(status::OK, _) => return true,
        Answer::Status(status::PERMISSION_DENIED, _) => "needs root".to_owned(),
        Answer::Status(status::UNSUPPORTED, _) => "the server has no such thing".to_owned(),
        Answer::Status(_, why) if !why.is_empty() => format!("the server says: {why}"),
        _ => "the server refused it".to_owned(),
    };
    unkept.push(Unkept { what: what.into(), why });
    false
}
