//! Where a copy goes, as the user writes it: [`To`], and of what is not on this machine its [`Url`].
//!
//! `DIR`, `tar:FILE`, `tar:-`, or a URL by RFC 3986, `scheme://[user[:password]@]host[:port]/path`, percent-encoded.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::name::escaped;

/// Where a copy goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum To {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A tar stream: to a file, or to standard output where that is `-`.
    Tar(PathBuf),
    /// Another machine or service.
    Url(Url),
}

impl To {
    /// Understands what the user wrote.
    ///
    /// # Errors
    /// What is wrong with a URL, in words.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let bytes = text.as_bytes();
        if let Some(archive) = bytes.strip_prefix(b"tar:") {
            return Ok(To::Tar(PathBuf::from(OsStr::from_bytes(archive))));
        }
        match bytes.windows(3).position(|window| window == b"://") {
            Some(at) if is_scheme(&bytes[..at]) => Ok(To::Url(Url::parse(&bytes[..at], &bytes[at + 3..])?)),
            _ if is_remote(bytes) => Err(format!(
                "a directory with a colon is written ./{0}; a URL has two slashes after it: sftp://USER@HOST/PATH, \
                 s3://BUCKET/PREFIX",
                escaped(bytes)
            )),
            _ => Ok(To::Directory(PathBuf::from(text))),
        }
    }
}

/// True for `host:path`, as scp and rsync have it, and for a URL whose slashes are missing: what is meant is far away.
fn is_remote(text: &[u8]) -> bool {
    text.split(|&b| b == b'/').next().is_some_and(|first| first.contains(&b':'))
}

/// The address of a destination that is not on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// `sftp`, `s3`: in lower case.
    pub scheme: String,
    /// Before the `@`.
    pub user: Option<String>,
    /// After the user's `:`. Never shown.
    pub password: Option<String>,
    /// Machine, bucket or container; of an IPv6 address without its brackets.
    pub host: String,
    /// After the host's `:`.
    pub port: Option<u16>,
    /// With its leading slash and without one at its end; empty where the URL has none.
    pub path: Vec<u8>,
}

/// True for what may stand before `://`.
fn is_scheme(bytes: &[u8]) -> bool {
    let rest = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.iter().all(rest)
}

impl Url {
    fn parse(scheme: &[u8], rest: &[u8]) -> Result<Self, String> {
        let slash = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(slash);
        let at = authority.iter().rposition(|&b| b == b'@');
        let (login, host) = at.map_or((None, authority), |at| (Some(&authority[..at]), &authority[at + 1..]));
        let (user, password) = match login {
            None => (None, None),
            Some(login) => match login.iter().position(|&b| b == b':') {
                Some(colon) => (Some(text(&login[..colon])?), Some(text(&login[colon + 1..])?)),
                None => (Some(text(login)?), None),
            },
        };
        let (host, port) = host_and_port(host)?;
        let mut path = decoded(path);
        while path.last() == Some(&b'/') {
            path.pop();
        }
        if host.is_empty() {
            return Err("the URL names no host (or bucket): scheme://host/path".into());
        }
        if path.contains(&0) || path.split(|&b| b == b'/').any(|part| part == b"..") {
            return Err("the URL's path has a part that is not a name".into());
        }
        let scheme = String::from_utf8_lossy(scheme).to_ascii_lowercase();
        Ok(Url { scheme, user, password, host, port, path })
    }

    /// The path without its leading slash.
    pub fn key(&self) -> &[u8] {
        self.path.strip_prefix(b"/").unwrap_or(&self.path)
    }
}

fn host_and_port(text_of: &[u8]) -> Result<(String, Option<u16>), String> {
    let (host, rest) = match text_of.strip_prefix(b"[") {
        Some(inner) => {
            let end = inner.iter().position(|&b| b == b']').ok_or("the URL's [ has no ]")?;
            (&inner[..end], &inner[end + 1..])
        }
        None => text_of.split_at(text_of.iter().position(|&b| b == b':').unwrap_or(text_of.len())),
    };
    let port = match rest.strip_prefix(b":") {
        None | Some(b"") => None,
        Some(port) => Some(text(port)?.parse().map_err(|_| "the URL's port is no number of a port".to_owned())?),
    };
    Ok((text(host)?, port))
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(decoded(bytes)).map_err(|_| "the URL is not UTF-8 before its path".into())
}

/// Percent-decoded; what is no valid encoding stands for itself.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|&b| char::from(b).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&b) = bytes.get(at) {
        match (b, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8); // two digits of sixteen
                at += 3;
            }
            _ => {
                decoded.push(b);
                at += 1;
            }
        }
    }
    decoded
}

/// Shown without the password, for messages, manifests and the name of its state.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", escaped(&self.path))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        match To::parse(OsStr::new(text)) {
            Ok(To::Url(url)) => url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn urls_directories_and_archives() {
        assert_eq!(To::parse(OsStr::new("a/b")), Ok(To::Directory("a/b".into())));
        assert_eq!(To::parse(OsStr::new("./x://y")), Ok(To::Directory("./x://y".into())));
        assert_eq!(To::parse(OsStr::new("tar:-")), Ok(To::Tar("-".into())));
        assert_eq!(To::parse(OsStr::new("a/b:c")), Ok(To::Directory("a/b:c".into())));
        for far in ["root@host:/srv", "s3:bucket", "sftp:/host/x", "a:b"] {
            assert!(To::parse(OsStr::new(far)).is_err_and(|why| why.contains(&format!("./{far}"))), "{far}");
        }
        let full = url("SFTP://me:s%40cret@[::1]:2222/a%20b/c/");
        assert_eq!(
            (&*full.scheme, full.user.as_deref(), full.password.as_deref()),
            ("sftp", Some("me"), Some("s@cret"))
        );
        assert_eq!(
            (&*full.host, full.port, &full.path[..], full.key()),
            ("::1", Some(2222), &b"/a b/c"[..], &b"a b/c"[..])
        );
        assert_eq!(full.to_string(), "sftp://me@[::1]:2222/a b/c");
        assert_eq!(url("s3://bucket").path, b"");
        for bad in ["sftp:///x", "sftp://h:99999/x", "sftp://[::1/x", "sftp://h/../x"] {
            assert!(To::parse(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
