//! What a server says of a directory: the answer to `PROPFIND` (RFC 4918, sections 9.1 and 14).

use std::collections::HashMap;

use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::sink::key;
use crate::time::Time;

/// What is asked.
pub const ASK: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><propfind xmlns=\"DAV:\"><prop><resourcetype/>\
                       <getcontentlength/><getlastmodified/><getetag/></prop></propfind>";

/// A file or directory on the server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Member {
    /// True for a directory.
    pub is_directory: bool,
    /// Length in bytes.
    pub size: u64,
    /// Contents last changed, in whole seconds.
    pub modified: Time,
    /// What the server calls its contents; see [`weak`].
    pub etag: Option<String>,
}

/// The members of the directory that was asked for, by name. It itself is the shortest of the answers, and is left out.
pub fn members(xml: &[u8]) -> Result<HashMap<Vec<u8>, Member>, String> {
    let mut all = responses(xml)?;
    let own = all.iter().map(|(path, _)| path.len()).min();
    all.retain(|(path, _)| Some(path.len()) != own);
    let name = |path: Vec<u8>| path.rsplit(|&b| b == b'/').next().unwrap_or_default().to_vec();
    Ok(all.into_iter().map(|(path, member)| (key::decode(&String::from_utf8_lossy(&name(path))), member)).collect())
}

/// Paths, decoded and without a slash at the end, with what is said of them.
fn responses(xml: &[u8]) -> Result<Vec<(Vec<u8>, Member)>, String> {
    let mut reader = NsReader::from_reader(xml);
    let (mut all, mut path, mut member) = (Vec::new(), Vec::new(), Member::default());
    // The element whose text is being read, and that text.
    let (mut inside, mut text) = (Vec::new(), String::new());
    // The answer's own element has ended.
    let mut whole = false;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| error.to_string())?;
        let is_dav = matches!(namespace, ResolveResult::Bound(it) if it.as_ref() == b"DAV:");
        match event {
            Event::Start(start) if is_dav => {
                inside = start.local_name().as_ref().to_vec();
                text.clear();
                member.is_directory |= inside == b"collection";
            }
            Event::Empty(empty) if is_dav => member.is_directory |= empty.local_name().as_ref() == b"collection",
            Event::Text(it) => text.push_str(&it.decode().map_err(|error| error.to_string())?),
            Event::CData(it) => text.push_str(&it.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(it) => match (it.resolve_char_ref(), it.decode()) {
                (Ok(Some(c)), _) => text.push(c),
                (_, Ok(name)) => text.push_str(quick_xml::escape::resolve_predefined_entity(&name).unwrap_or_default()),
                _ => {}
            },
            Event::End(end) if is_dav => {
                let name = end.local_name();
                let value = text.trim();
                match name.as_ref() {
                    b"href" if inside == b"href" && path.is_empty() => path = path_of(value),
                    b"getcontentlength" => member.size = value.parse().unwrap_or_default(),
                    b"getlastmodified" => member.modified = time(value).unwrap_or_default(),
                    b"getetag" if !value.is_empty() => member.etag = Some(weak(value)),
                    b"multistatus" => whole = true,
                    b"response" => all.push((std::mem::take(&mut path), std::mem::take(&mut member))),
                    _ => {}
                }
                text.clear();
            }
            Event::Eof if whole => return Ok(all),
            Event::Eof => return Err("the answer breaks off".into()),
            _ => {}
        }
    }
}

/// A tag as what it is on nearly every server: made of size and time, and no proof of contents (RFC 9110, section 8.8.1).
pub fn weak(tag: &str) -> String {
    format!("W/{}", tag.trim_start_matches("W/").trim_matches('"'))
}

/// The path in a reference, which may be a whole URL.
fn path_of(href: &str) -> Vec<u8> {
    let path = match href.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => href,
    };
    let mut path = key::unescaped(path);
    while path.last() == Some(&b'/') {
        path.pop();
    }
    path
}

/// A time in the form that HTTP prefers (RFC 9110, section 5.6.7).
fn time(text: &str) -> Option<Time> {
    let stamp = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Time::from_secs(stamp.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of RFC 4918, section 9.1.4, with names that are hard to write.
    const ANSWER: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:"><D:response><D:href>/container/</D:href><D:propstat><D:prop><D:resourcetype>
<D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
<D:response><D:href>http://host:80/container/a%20%26%2525FF</D:href><D:propstat><D:prop><D:getcontentlength>4525
</D:getcontentlength><D:getetag>"zzyzx"</D:getetag><D:getlastmodified>Mon, 12 Jan 1998 09:25:56 GMT</D:getlastmodified>
<D:resourcetype/></D:prop></D:propstat></D:response>
<D:response><D:href>/container/d&amp;e/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>
</D:prop></D:propstat></D:response></D:multistatus>"#;

    #[test]
    fn members_have_names_sizes_times_and_tags() {
        let members = members(ANSWER.as_bytes()).unwrap();
        assert_eq!(members.len(), 2);
        let file = &members[&b"a &%FF"[..]];
        assert_eq!((file.size, file.is_directory, file.etag.as_deref()), (4525, false, Some("W/zzyzx")));
        assert_eq!(file.modified, Time::from_secs(884_597_156));
        assert!(members[&b"d&e"[..]].is_directory);
    }

    #[test]
    fn what_breaks_off_is_no_listing() {
        assert!(members(&ANSWER.as_bytes()[..300]).is_err());
    }
}
