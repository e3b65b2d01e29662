//! What a store that holds only contents does not keep of a file: all of it stands in the manifest.

use super::{Entry, Made, key};
use crate::node::Unkept;

/// What is not kept of a file or directory whose contents are.
pub fn of(entry: &Entry<'_>, store: &str) -> Made {
    let why = || format!("{store} keeps none");
    let xattrs = entry.xattrs.iter().map(|xattr| String::from_utf8_lossy(&xattr.name).into_owned());
    let what = ["owner", "mode", "times"].map(String::from).into_iter().chain(xattrs);
    let mut made: Made = what.map(|what| Unkept { what, why: why() }).collect();
    let name = key::encode(entry.path);
    if name.as_bytes() != entry.path {
        made.push(Unkept { what: "name".into(), why: format!("a name there is text: it is {name}") });
    }
    made
}

/// What is not kept of something that the store has no such thing as.
pub fn itself(store: &str) -> Made {
    vec![Unkept { what: Unkept::ITSELF.into(), why: format!("{store} has no such thing") }]
}
