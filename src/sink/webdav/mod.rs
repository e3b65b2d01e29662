//! A WebDAV server as a destination ([`WebDav`]; RFC 4918).
//!
//! A file is sent as a stream under a temporary name in offmount's own folder and moved to its name when it is whole. The
//! protocol can not add to a file, so one that was half sent is begun anew. Modification times are kept where the server
//! takes the `X-OC-Mtime` header (ownCloud, Nextcloud, rclone); all else that the protocol does not hold the manifest keeps.

mod listing;
mod login;
mod reading;
mod sending;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::listing::Member;
use self::reading::Reading;
use self::sending::{Sending, Writing};
use super::budget::{Budget, Share};
use super::http::{Answer, CONNECTIONS, Header, Http, may_pass, unreached};
use super::store::{Options, Unopened, run_number};
use super::url::Url;
use super::{Drain, Entry, Failure, Found, Half, Limits, Made, Names, ReadBack, Sink, Standing, Store, key, lacks};
use crate::name::OWN_FOLDER as FOLDER;
use crate::node::Kind;

/// As messages name it.
const NAME: &str = "WebDAV";

/// Files taken at a time.
const LANES: usize = 12;

/// Bytes of larger files on their way at a time: what is lost of them with the connection, as none can be gone on with. Of a
/// file larger than half of that, half counts: two of those are on their way at most.
const ON_WAY: u64 = 64 << 20;

/// Longest name of one file: what filesystems take.
const NAME_MAX: usize = 255;

/// Longest path: what servers take in one line of a request, 8 KiB mostly, where each byte may need three, and less than
/// what their own filesystems take.
const PATH_MAX: usize = 2048;

/// Directories whose listings are remembered.
const LISTINGS: usize = 64;

/// A collection on a server, with all below it.
pub struct WebDav {
    server: Arc<Server>,
    found: Found,
    listings: Mutex<HashMap<Vec<u8>, Arc<Listing>>>,
    /// Tells its temporaries from those of other machines' runs.
    run: u64,
    next: AtomicU64,
    /// What others left was cleared away.
    is_swept: AtomicBool,
    on_way: Arc<Budget>,
    /// Files that may have been moved to their name when the connection was lost.
    doubtful: Mutex<HashSet<Vec<u8>>>,
    tags: Tags,
}

/// Whether what a server calls a file's contents stays the same when the file gets its name. Where it does, it need not be asked
/// for again after each.
#[derive(Default)]
struct Tags {
    kept: AtomicU64,
    lost: AtomicBool,
}

impl Tags {
    /// So many files show it.
    const ENOUGH: u64 = 8;

    fn note(&self, is_kept: bool) {
        match is_kept {
            true => drop(self.kept.fetch_add(1, Ordering::Relaxed)),
            false => self.lost.store(true, Ordering::Relaxed),
        }
    }

    fn are_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed) >= Self::ENOUGH && !self.lost.load(Ordering::Relaxed)
    }
}

/// The members of a directory, by name.
type Listing = HashMap<Vec<u8>, Member>;

/// Whom the requests go to.
pub struct Server {
    http: Http,
    /// Address of the destination, without a slash at its end.
    base: String,
    authorization: Option<String>,
}

impl Server {
    /// The address of a path below the destination.
    pub fn address(&self, path: &[u8]) -> String {
        match path {
            b"" => format!("{}/", self.base),
            path => format!("{}/{}", self.base, key::in_url(&key::encode(path), true)),
        }
    }

    fn headers<'h>(&'h self, headers: &[Header<'h>]) -> Vec<Header<'h>> {
        let login = self.authorization.iter().map(|value| ("Authorization", &**value));
        login.chain(headers.iter().copied()).collect()
    }

    /// Sends a request whose body is in memory.
    pub fn send(&self, method: &str, url: &str, headers: &[Header<'_>], body: &[u8]) -> Result<Answer, Failure> {
        match method {
            "MOVE" => self.http.send_work(method, url, &self.headers(headers), body),
            method => self.http.send(method, url, &self.headers(headers), body),
        }
    }

    /// Sends a request whose body is read meanwhile.
    pub fn stream(&self, url: &str, headers: &[Header<'_>], body: impl Read) -> Result<Answer, Failure> {
        self.http.stream("PUT", url, &self.headers(headers), body)
    }
}

/// What an answer that is not good means (RFC 4918, section 11; RFC 9110, section 15).
fn bad(answer: Answer) -> Failure {
    let gone = |why: &str| Failure::Gone(std::io::Error::other(why));
    match answer.status() {
        401 => gone(login::REFUSED),
        403 => Failure::Refused("the server forbids it (403)".into()),
        404 | 409 => Failure::Refused("the server has no such directory".into()),
        412 => Failure::Stands("a file"),
        507 => Failure::Full,
        status if may_pass(status) => Failure::Busy(format!("the server answers {status}")),
        status => Failure::Refused(format!("the server refuses it ({status}): {}", answer.words())),
    }
}

/// Refuses what is no good answer.
fn good(answer: Answer) -> Result<Answer, Failure> {
    if answer.is_good() { Ok(answer) } else { Err(bad(answer)) }
}

/// Opens `webdav://[USER@]HOST[:PORT]/PATH` (not encrypted) or `webdavs://`.
///
/// # Errors
/// In words: a server that can not be reached, that refuses, or that speaks no WebDAV.
pub fn open(url: &Url, options: &Options) -> Result<Box<dyn Store>, Unopened> {
    let server = Server {
        http: Http::new(CONNECTIONS, options.stall)?,
        base: base(url),
        authorization: login::authorization(url)?,
    };
    let mut dav = WebDav {
        server: Arc::new(server),
        found: Found::Empty,
        listings: Mutex::default(),
        run: run_number(),
        next: AtomicU64::new(0),
        is_swept: AtomicBool::new(false),
        on_way: Budget::new(ON_WAY),
        doubtful: Mutex::default(),
        tags: Tags::default(),
    };
    dav.found = dav
        .look(options.look_only)
        .map_err(|failure| unreached(&dav.server.base, "host and port", failure).unopened())?;
    Ok(Box::new(dav))
}

fn base(url: &Url) -> String {
    let scheme = if url.scheme == "webdavs" { "https" } else { "http" };
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let port = url.port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", key::in_url(&key::encode(&url.path), true))
}

impl WebDav {
    fn look(&self, look_only: bool) -> Result<Found, Failure> {
        let members = match self.list(b"")? {
            Some(members) => members,
            None if look_only => {
                let why = format!("{} is not there", self.server.base);
                return Err(Failure::Gone(std::io::Error::other(why)));
            }
            None => {
                self.make_base()?;
                Listing::new()
            }
        };
        if !look_only {
            for folder in [FOLDER, self::sending::FOLDER] {
                self.make(folder.as_bytes()).map_err(|failure| match failure {
                    Failure::Refused(why) => {
                        let why =
                            format!("{}/{folder} can not be made: {why}; may this user write there?", self.server.base);
                        Failure::Gone(std::io::Error::other(why))
                    }
                    failure => failure,
                })?;
            }
        }
        Ok(match members {
            members if members.contains_key(FOLDER.as_bytes()) => Found::Copy,
            members if members.is_empty() => Found::Empty,
            _ => Found::Other,
        })
    }

    /// Makes the destination and the directories above it that are missing.
    fn make_base(&self) -> Result<(), Failure> {
        let base = &self.server.base;
        let root = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash));
        let Some(root) = root else { return Err(no_webdav(base, 404)) };
        let slashes = base[root + 1..].match_indices('/').map(|(at, _)| root + 1 + at);
        for end in slashes.chain([base.len()]) {
            let answer = self.server.send("MKCOL", &format!("{}/", &base[..end]), &[], b"")?;
            match answer.status() {
                // What is there already can not be made; that is found out when something is put into it.
                201 | 301 | 302 | 403 | 405 => {}
                _ => return Err(bad(answer)),
            }
        }
        match self.list(b"")? {
            Some(_) => Ok(()),
            None => Err(no_webdav(base, 404)),
        }
    }

    fn make(&self, path: &[u8]) -> Result<(), Failure> {
        let answer = self.server.send("MKCOL", &format!("{}/", self.server.address(path)), &[], b"")?;
        // 405: something has the name already (RFC 4918, section 9.3.1). Some say so of names that they can not hold.
        if answer.status() != 405 {
            return good(answer).map(drop);
        }
        let is_there = self.list(path)?.is_some();
        is_there.then_some(()).ok_or_else(|| Failure::Refused("the server does not make it (405)".into()))
    }

    /// What is in a directory; `None` where there is no such directory.
    fn list(&self, path: &[u8]) -> Result<Option<Listing>, Failure> {
        let mut url = self.server.address(path);
        if !url.ends_with('/') {
            url.push('/');
        }
        let headers = [("Depth", "1"), ("Content-Type", "application/xml; charset=utf-8")];
        let answer = self.server.send("PROPFIND", &url, &headers, listing::ASK.as_bytes())?;
        match answer.status() {
            207 => {
                let body = answer.body(256 << 20)?;
                listing::members(&body).map(Some).map_err(|why| Failure::Passing(format!("a listing broke off: {why}")))
            }
            404 => Ok(None),
            status @ (400 | 405 | 501 | 200..=299 | 301..=308) => Err(no_webdav(&self.server.base, status)),
            _ => Err(bad(answer)),
        }
    }

    /// What is in a directory, remembered.
    fn listing(&self, path: &[u8]) -> Result<Arc<Listing>, Failure> {
        let lock = || self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = lock().get(path) {
            return Ok(listing.clone());
        }
        let listing = Arc::new(self.list(path)?.unwrap_or_default());
        let mut listings = lock();
        if listings.len() >= LISTINGS {
            listings.clear();
        }
        listings.insert(path.to_vec(), listing.clone());
        Ok(listing)
    }

    /// A name that nothing has.
    fn temporary(&self) -> Vec<u8> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}/{:x}-{n}", sending::FOLDER, self.run).into_bytes()
    }
}

impl WebDav {
    fn is_doubtful(&self, path: &[u8]) -> bool {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn doubt(&self, path: &[u8]) {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_vec());
    }

    /// A share of what may be on its way, for a file of this size; small ones need none.
    fn share(&self, size: u64) -> Option<Share> {
        (size > sending::SMALL).then(|| self.on_way.take(size.min(ON_WAY / 2)))
    }
}

fn no_webdav(base: &str, status: u16) -> Failure {
    let why = format!("{base} does not speak WebDAV (it answers {status}): look at the path, and at http or https");
    Failure::Gone(std::io::Error::other(why))
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

impl Sink for WebDav {
    fn limits(&self) -> Limits {
        let names = Names { longest: NAME_MAX, longest_path: PATH_MAX, length: key::length };
        Limits { lanes: Some(LANES), names, finish_in_order: false, is_far: true, packs: false }
    }

    fn standing(&self, path: &[u8]) -> Result<Option<Standing>, Failure> {
        let top = Member { is_directory: true, ..Member::default() };
        let (above, name) = split(path);
        let member = match name {
            b"" | b"." => Some(top),
            _ if self.is_doubtful(path) => self.list(above)?.unwrap_or_default().remove(name),
            _ if self.found == Found::Empty => None,
            name => self.listing(above)?.get(name).cloned(),
        };
        Ok(member.map(|member| Standing {
            kind: if member.is_directory { Kind::Directory } else { Kind::File },
            size: member.size,
            mode: 0,
            uid: 0,
            gid: 0,
            modified: member.modified,
            identity: (0, 0),
            device: None,
            target: Vec::new(),
            etag: member.etag,
        }))
    }

    fn read_back(&self, path: &[u8]) -> Result<Box<dyn ReadBack + '_>, Failure> {
        Ok(Box::new(Reading::new(self.server.clone(), self.server.address(path))))
    }

    fn restore(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::of(entry, NAME))
    }

    fn directory(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        if entry.path.is_empty() {
            return Ok(());
        }
        match self.standing(entry.path)? {
            Some(standing) if standing.kind == Kind::Directory => Ok(()),
            Some(_) => Err(Failure::Stands("a file")),
            None => self.make(entry.path),
        }
    }

    fn sweep(&self, _kept: &[&super::Token]) -> Result<(), Failure> {
        let own = format!("{:x}-", self.run);
        let is_first = !self.is_swept.load(Ordering::Relaxed);
        let left = self.list(sending::FOLDER.as_bytes())?.unwrap_or_default().into_keys();
        for name in left.filter(|name| is_first || name.starts_with(own.as_bytes())) {
            let path = [sending::FOLDER.as_bytes(), b"/", &name].concat();
            self.server.send("DELETE", &self.server.address(&path), &[], b"")?;
        }
        self.is_swept.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn create<'a>(&'a self, entry: &'a Entry<'a>, _half: Option<&Half>) -> Result<Box<dyn Drain + 'a>, Failure> {
        let sending = Sending::begin(self.server.clone(), self.temporary(), entry.node.size, entry.node.times.modified);
        Ok(Box::new(Writing::new(self, sending, entry)))
    }

    fn special(&self, _entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::itself(NAME))
    }

    fn link(&self, _entry: &Entry<'_>, _first: &[u8]) -> Result<Made, Failure> {
        Ok(lacks::itself(NAME))
    }

    fn finish_directory(&self, entry: &Entry<'_>) -> Result<Made, Failure> {
        Ok(lacks::of(entry, NAME))
    }
}

impl Store for WebDav {
    fn found(&self) -> Found {
        self.found
    }

    fn get_own(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, Failure> {
        let url = self.server.address(format!("{FOLDER}/{name}").as_bytes());
        let answer = self.server.send("GET", &url, &[], b"")?;
        match answer.status() {
            404 => Ok(None),
            _ => Ok(Some(Box::new(good(answer)?.into_reader()))),
        }
    }

    fn put_own(&self, name: &str, file: &File) -> Result<(), Failure> {
        sending::send_own(self.server.clone(), self.temporary(), name, file)
    }

    fn remove_own(&self, name: &str) -> Result<(), Failure> {
        let url = self.server.address(format!("{FOLDER}/{name}").as_bytes());
        let answer = self.server.send("DELETE", &url, &[], b"")?;
        if answer.status() == 404 { Ok(()) } else { good(answer).map(drop) }
    }

    fn names(&self, directory: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        Ok(self.list(directory)?.unwrap_or_default().into_keys().collect())
    }
}
