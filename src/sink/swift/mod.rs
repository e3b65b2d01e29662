//! OpenStack Swift ([`Swift`]): a container as a store of objects. (OpenStack Swift API, "Object Storage API".)
//!
//! Parts are objects of their own in `CONTAINER_segments`; a manifest makes one large object of them: a static one, or a
//! dynamic one where there are more parts than the service takes in a static one.

mod auth;

use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use self::auth::{Login, Session};
use super::Failure;
use super::http::{Answer, CONNECTIONS, Header, Http, may_pass, unreached};
use super::key::in_url;
use super::object::{Body, Bucket, Object, Objects, Part, Rules, tag};
use super::store::{Options, Store, Unopened};
use super::url::Url;

/// Longest name of an object, and names in a listing, where the service does not say otherwise.
const RULES: Rules = Rules { key_max: 1024, part_min: 1, parts_max: 10_000 };

/// Parts in a static large object where the service does not say how many it takes.
const STATIC_PARTS: usize = 1000;

/// What a request ends with that makes a static large object.
const MANIFEST: &str = "?multipart-manifest=put";

/// What a dynamic large object is called in listings, which give neither its size nor its tag.
const DYNAMIC: &str = "application/x-offmount-dynamic-large-object";

/// A container.
struct Swift {
    http: Http,
    login: Login,
    session: RwLock<Session>,
    container: String,
    static_parts: usize,
}

/// Opens `swift://CONTAINER/PREFIX`, making the container if it is missing.
///
/// # Errors
/// In words: what is not set, what the service refuses.
pub fn open(url: &Url, options: &Options) -> Result<Box<dyn Store>, Unopened> {
    let http = Http::new(CONNECTIONS, options.stall)?;
    let login = Login::of(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    let session = login.log_in(&http).map_err(|failure| login.unreached(failure).unopened())?;
    let mut swift =
        Swift { http, login, session: RwLock::new(session), container: url.host.clone(), static_parts: STATIC_PARTS };
    swift.static_parts = swift.most_static_parts();
    let account = swift.session().account;
    let unreached = |failure| unreached(&account, "OS_STORAGE_URL, or what the login names", failure).unopened();
    swift.find_container(options.look_only).map_err(unreached)?;
    Ok(Box::new(Objects::open(Arc::new(swift), url.key()).map_err(Failure::unopened)?))
}

/// One line of a listing.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    subdir: String,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    slo_etag: String,
    #[serde(default)]
    content_type: String,
}

impl Swift {
    fn session(&self) -> Session {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request below the account; logs in again where the token is no longer good.
    fn send(&self, method: &str, path: &str, headers: &[Header<'_>], body: &[u8]) -> Result<Answer, Failure> {
        let session = self.session();
        match self.send_as(&session, method, path, headers, body) {
            Ok(answer) if answer.status() == 401 => {}
            // A server may end the connection where it refuses the token, before it takes all of the body.
            Err(Failure::Passing(_)) if !body.is_empty() && self.is_expired(&session) => {}
            done => return done,
        }
        let renewed = self.renew(&session)?;
        self.send_as(&renewed, method, path, headers, body)
    }

    fn is_expired(&self, session: &Session) -> bool {
        self.send_as(session, "HEAD", "", &[], b"").is_ok_and(|answer| answer.status() == 401)
    }

    fn send_as(
        &self,
        session: &Session,
        method: &str,
        path: &str,
        headers: &[Header<'_>],
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let mut all: Vec<Header<'_>> = vec![("X-Auth-Token", &session.token)];
        all.extend_from_slice(headers);
        let url = format!("{}/{path}", session.account);
        // To make one object of a thousand parts, Swift looks at all of them.
        match path.ends_with(MANIFEST) {
            true => self.http.send_work(method, &url, &all, body),
            false => self.http.send(method, &url, &all, body),
        }
    }

    /// A new token in place of one that is no longer good; somebody else may have got it already.
    fn renew(&self, old: &Session) -> Result<Session, Failure> {
        let mut session = self.session.write().unwrap_or_else(PoisonError::into_inner);
        if *session == *old {
            *session = self.login.log_in(&self.http)?;
        }
        Ok(session.clone())
    }

    fn object(&self, key: &str) -> String {
        format!("{}/{}", in_url(&self.container, false), in_url(key, true))
    }

    fn segments(&self) -> String {
        format!("{}_segments", self.container)
    }

    fn segment(&self, upload: &str, number: usize) -> String {
        format!("{upload}/{number:08}")
    }

    /// Refuses what is no good answer.
    fn good(&self, answer: Answer) -> Result<Answer, Failure> {
        let gone = |why: String| Err(Failure::Gone(std::io::Error::other(why)));
        match answer.status() {
            200..=299 => Ok(answer),
            401 => gone("Swift refuses the credentials (401)".into()),
            403 => gone(format!("these credentials may not do this with the container {} (403)", self.container)),
            404 => Err(Failure::Refused(format!("Swift has no such object or container ({})", self.container))),
            413 if answer.header("Content-Length").is_some() || answer.status() == 413 => self.too_large(answer),
            // What arrived is not what was sent.
            422 => Err(Failure::Passing("it arrived damaged (422)".into())),
            507 => Err(Failure::Full),
            status if may_pass(status) => Err(Failure::Busy(format!("Swift answers {status}"))),
            status => Err(Failure::Refused(format!("Swift refuses it ({status}): {}", answer.words()))),
        }
    }

    fn too_large(&self, answer: Answer) -> Result<Answer, Failure> {
        let words = answer.words();
        // Middleware "account_quotas" and "container_quotas".
        match words.to_ascii_lowercase().contains("quota") {
            true => Err(Failure::Full),
            false => Err(Failure::Refused(format!("Swift takes no object as large (413): {words}"))),
        }
    }

    fn find_container(&self, look_only: bool) -> Result<(), Failure> {
        let container = in_url(&self.container, false);
        let answer = self.send("HEAD", &container, &[], b"")?;
        match answer.status() {
            404 if look_only => {
                let why = format!("there is no container {}", self.container);
                Err(Failure::Gone(std::io::Error::other(why)))
            }
            404 => self.make(&container),
            _ => self.good(answer).map(drop),
        }
    }

    fn make(&self, container: &str) -> Result<(), Failure> {
        let answer = self.send("PUT", container, &[], b"")?;
        self.good(answer).map(drop)
    }

    /// How many parts a static large object takes ("Discoverability").
    fn most_static_parts(&self) -> usize {
        let session = self.session();
        let Some((host, _)) = session.account.split_once("/v1") else { return STATIC_PARTS };
        let info = self.http.send("GET", &format!("{host}/info"), &[], b"").ok().filter(Answer::is_good);
        let info = info.and_then(|answer| answer.body(1 << 20).ok());
        let info: Value = info.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        match &info["slo"] {
            Value::Null if info.is_object() => 0,
            slo => slo["max_manifest_segments"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or(STATIC_PARTS),
        }
    }

    fn page(&self, container: &str, prefix: &str, shallow: bool, marker: &str) -> Result<Vec<Listed>, Failure> {
        let mut path = format!("{}?format=json&prefix={}", in_url(container, false), in_url(prefix, false));
        if shallow {
            path.push_str("&delimiter=/");
        }
        if !marker.is_empty() {
            path.push_str(&format!("&marker={}", in_url(marker, false)));
        }
        let answer = self.send("GET", &path, &[], b"")?;
        let body = self.good(answer)?.body(64 << 20)?;
        serde_json::from_slice(&body).map_err(|error| Failure::Passing(format!("a listing broke off: {error}")))
    }

    fn listed(&self, line: Listed) -> Result<Object, Failure> {
        if line.content_type == DYNAMIC {
            return Ok(self.find(&line.name)?.unwrap_or_default());
        }
        let tag = if line.slo_etag.is_empty() { line.hash } else { line.slo_etag };
        Ok(Object { size: line.bytes, tag: tag::plain(&tag) })
    }

    /// True if an object is made of the parts of an upload, or if that can not be found out.
    fn is_made_of(&self, key: &str, upload: &str) -> bool {
        let asked = self.send("GET", &format!("{}?multipart-manifest=get", self.object(key)), &[], b"");
        let Ok(answer) = asked else { return true };
        match answer.status() {
            404 => false,
            200..=299 => {
                let names = |text: &str| text.contains(upload);
                let is_dynamic = answer.header("X-Object-Manifest").is_some_and(|above| names(&decoded(above)));
                let is_static = answer.header("X-Static-Large-Object").is_some();
                is_dynamic
                    || is_static && answer.body(64 << 20).map_or(true, |body| names(&String::from_utf8_lossy(&body)))
            }
            _ => true,
        }
    }

    fn tag_of(answer: &Answer) -> String {
        answer.header("Etag").map(tag::plain).unwrap_or_default()
    }
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&super::key::unescaped(text)).into_owned()
}

impl Bucket for Swift {
    fn rules(&self) -> Rules {
        RULES
    }

    fn find(&self, key: &str) -> Result<Option<Object>, Failure> {
        let answer = self.send("HEAD", &self.object(key), &[], b"")?;
        if answer.status() == 404 {
            return Ok(None);
        }
        let answer = self.good(answer)?;
        let size = answer.header("Content-Length").and_then(|size| size.parse().ok()).unwrap_or_default();
        Ok(Some(Object { size, tag: Self::tag_of(&answer) }))
    }

    fn list(&self, prefix: &str, shallow: bool, each: &mut dyn FnMut(&str, Object) -> bool) -> Result<(), Failure> {
        let mut marker = String::new();
        loop {
            let page = self.page(&self.container, prefix, shallow, &marker)?;
            let Some(last) = page.last() else { return Ok(()) };
            marker = if last.subdir.is_empty() { last.name.clone() } else { last.subdir.clone() };
            for line in page {
                let name = if line.subdir.is_empty() { line.name.clone() } else { line.subdir.clone() };
                if !each(&name, self.listed(line)?) {
                    return Ok(());
                }
            }
        }
    }

    fn put(&self, key: &str, body: Body) -> Result<String, Failure> {
        let md5 = tag::hex(&tag::md5(&body));
        let answer = self.send("PUT", &self.object(key), &[("Etag", &md5)], &body)?;
        Ok(Self::tag_of(&self.good(answer)?))
    }

    fn begin(&self, key: &str) -> Result<String, Failure> {
        self.make(&in_url(&self.segments(), false))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let object = blake3::hash(key.as_bytes()).to_hex();
        Ok(format!("offmount/{}/{now:x}", &object[..16]))
    }

    fn put_part(&self, _key: &str, upload: &str, number: usize, body: Body, md5: &[u8; 16]) -> Result<String, Failure> {
        let path = format!("{}/{}", in_url(&self.segments(), false), in_url(&self.segment(upload, number), true));
        let md5 = tag::hex(md5);
        let answer = self.send("PUT", &path, &[("Etag", &md5)], &body)?;
        Ok(Self::tag_of(&self.good(answer)?))
    }

    fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<String, Failure> {
        let object = self.object(key);
        if parts.len() > self.static_parts {
            let above = format!("{}/{}/", in_url(&self.segments(), false), in_url(upload, true));
            let answer = self.send("PUT", &object, &[("X-Object-Manifest", &above), ("Content-Type", DYNAMIC)], b"")?;
            self.good(answer)?;
        } else {
            let segments = parts.iter().enumerate().map(|(number, part)| {
                let path = format!("/{}/{}", self.segments(), self.segment(upload, number));
                json!({ "path": path, "etag": tag::hex(&part.md5), "size_bytes": part.size })
            });
            let manifest = Value::from_iter(segments).to_string();
            let path = format!("{object}{MANIFEST}");
            let answer = self.send("PUT", &path, &[], manifest.as_bytes())?;
            if answer.status() == 400 {
                let words = answer.words();
                return Err(Failure::Forgotten(format!("the parts are not whole any more: {words}")));
            }
            self.good(answer)?;
        }
        Ok(tag::of_segments(parts))
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        let answer = self.send("DELETE", &self.object(key), &[], b"")?;
        if answer.status() == 404 { Ok(()) } else { self.good(answer).map(drop) }
    }

    fn abort(&self, key: &str, upload: &str) {
        if self.is_made_of(key, upload) {
            return;
        }
        let above = format!("{upload}/");
        while let Ok(page) = self.page(&self.segments(), &above, false, "") {
            let paths =
                page.iter().map(|line| format!("{}/{}", in_url(&self.segments(), false), in_url(&line.name, true)));
            let removed = paths.filter(|path| self.send("DELETE", path, &[], b"").is_ok_and(|it| it.is_good())).count();
            if removed == 0 {
                return;
            }
        }
    }

    fn get(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, Failure> {
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let answer = self.send("GET", &self.object(key), &[("Range", &bytes)], b"")?;
        self.good(answer)?.body(range.end - range.start + 1)
    }
}
