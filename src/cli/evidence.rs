//! The run's log (`--log`): what was asked, what was read, what was found, how it ended. See [`crate::evidence`].

use std::fs::File;
use std::io::{self, BufReader, Cursor};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use minisign::{PError, PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use serde_json::{Map, Value, json};

use super::confine::Confinement;
use super::interrupt;
use super::stop::Stop;
use crate::bytes::{Buffer, Spans};
use crate::evidence::{BEGIN, END, Log};
use crate::name;
use crate::progress::{Progress, Unit};
use crate::survey::Opened;

/// Bytes of the image hashed at a time.
const PIECE: usize = 4 << 20;

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
pub(super) struct EvidenceArguments {
    /// Append to FILE what this run does, in a chain of hashes that `offmount verify-log` checks
    #[arg(long, global = true, value_name = "FILE", help_heading = HEADING)]
    log: Option<PathBuf>,

    /// A field of the case for the log, as in case=2026-17 (several may be given)
    #[arg(long, global = true, value_name = "NAME=VALUE", requires = "log", help_heading = HEADING)]
    log_field: Vec<String>,

    /// Sign the log with this minisign secret key when the run ends [password: $OFFMOUNT_MINISIGN_PASSWORD, or asked for]
    #[arg(long, global = true, value_name = "KEY", requires = "log", help_heading = HEADING)]
    log_sign: Option<PathBuf>,

    /// Hash the whole image first, with BLAKE3 and SHA-256, for the log
    #[arg(long, global = true, requires = "log", help_heading = HEADING)]
    hash_image: bool,
}

const HEADING: &str = "Evidence";

struct Open {
    log: Log,
    path: PathBuf,
    key: Option<SecretKey>,
    hash_image: bool,
    failed: Option<io::Error>,
}

impl Open {
    fn add(&mut self, event: &str, details: Map<String, Value>) {
        let time = format!("{:.9}", jiff::Timestamp::now());
        if let Err(error) = self.log.add(event, &time, details) {
            self.failed.get_or_insert(error);
        }
    }
}

static OPEN: Mutex<Option<Open>> = Mutex::new(None);

/// Does something with the log, if there is one.
fn with<T>(act: impl FnOnce(&mut Open) -> T) -> Option<T> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
}

impl EvidenceArguments {
    /// Directories that the log is written to.
    pub(super) fn writes(&self) -> Option<PathBuf> {
        let folder = self.log.as_ref()?.parent()?;
        Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
    }

    /// Opens the log and writes what the run is.
    pub(super) fn begin(&self, words: &[std::ffi::OsString], confined: &Confinement) -> Result<(), Stop> {
        let Some(path) = &self.log else { return Ok(()) };
        let key = self.log_sign.as_deref().map(secret_key).transpose()?;
        let log = Log::open(path).map_err(|error| Stop::with_file("write the log to", path, &error))?;
        let mut fields = Map::new();
        for field in &self.log_field {
            let (name, value) = field.split_once('=').ok_or_else(|| {
                Stop::Failed(format!("--log-field {field}: expected a name and a value, as in case=2026-17"))
            })?;
            fields.insert(name.to_owned(), value.into());
        }
        let mut open = Open { log, path: path.clone(), key, hash_image: self.hash_image, failed: None };
        let words: Vec<String> = words.iter().map(|word| without_password(&word.to_string_lossy())).collect();
        let host = rustix::system::uname();
        open.add(
            BEGIN,
            details(json!({
                "tool": { "name": "offmount", "version": env!("CARGO_PKG_VERSION"), "blake3": own_hash() },
                "arguments": words,
                "directory": std::env::current_dir().ok().map(|path| path.to_string_lossy().into_owned()),
                "user": rustix::process::geteuid().as_raw(),
                "host": {
                    "name": host.nodename().to_string_lossy(),
                    "kernel": host.release().to_string_lossy(),
                    "machine": host.machine().to_string_lossy(),
                },
                "fields": fields,
                "no_write": confined.to_json(),
            })),
        );
        let begun = open.log.sync();
        begun.map_err(|error| Stop::with_file("write the log to", path, &error))?;
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
        Ok(())
    }
}

/// Adds an event, if there is a log.
pub(super) fn note(event: &str, what: Value) {
    with(|open| open.add(event, details(what)));
}

/// Notes what is read, and its hashes if they are asked for.
pub(super) fn source(opened: &Opened, progress: &dyn Progress) -> Result<(), Stop> {
    let Some(hash) = with(|open| open.hash_image) else { return Ok(()) };
    note(
        "source",
        json!({
            "path": opened.path.to_string_lossy(),
            "size": opened.size,
            "kind": if opened.is_device { "block device" } else { "file" },
            "opened": "O_RDONLY",
            "mounted": opened.mounted.iter().map(|it| json!({
                "device": it.device, "at": it.at.to_string_lossy(), "writable": it.writable,
            })).collect::<Vec<_>>(),
        }),
    );
    if hash { hash_image(opened, progress) } else { Ok(()) }
}

fn hash_image(opened: &Opened, progress: &dyn Progress) -> Result<(), Stop> {
    use sha2::Digest;
    progress.stage("hashing the image", Some(opened.size), Unit::Bytes);
    let began = Instant::now();
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
    let (mut buffer, mut lost, mut at) = (Buffer::new(PIECE), Spans::new(), 0);
    while at < opened.size {
        let piece = &mut buffer[..(opened.size - at).min(PIECE as u64) as usize];
        opened.source.read(at, piece, &mut lost)?;
        rayon::join(|| blake3.update(piece), || sha256.update(&*piece));
        at += piece.len() as u64;
        progress.advance(piece.len() as u64);
        if interrupt::asked() {
            return Err(Stop::Interrupted);
        }
    }
    let sha256: String = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let unreadable: u64 = lost.iter().map(|span| span.len()).sum();
    note(
        "image-hash",
        json!({
            "blake3": blake3.finalize().to_hex().as_str(),
            "sha256": sha256,
            "bytes": opened.size,
            "unreadable_bytes_hashed_as_zero": unreadable,
            "seconds": began.elapsed().as_secs_f64(),
        }),
    );
    Ok(())
}

/// Ends the log with the run's exit status, and signs it. An error if anything of it could not be written.
pub(super) fn end(status: u8) -> Result<(), Stop> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut open) = open else { return Ok(()) };
    open.add(END, details(json!({ "exit_status": status })));
    let path = open.path.clone();
    let failed = |error: io::Error| Stop::with_file("write the log to", &path, &error);
    open.failed.take().map_or(Ok(()), Err).and_then(|()| open.log.sync()).map_err(failed)?;
    match &open.key {
        Some(key) => sign(key, &open.path),
        None => Ok(()),
    }
}

fn secret_key(path: &Path) -> Result<SecretKey, Stop> {
    let text = std::fs::read_to_string(path).map_err(|error| Stop::with_file("read", path, &error))?;
    let unusable = |error: PError| Stop::Failed(format!("{}: no usable minisign key: {error}", path.display()));
    // A key without a password (minisign -W) is the second line as it is. The library asks such keys for a checksum that
    // minisign does not write.
    let plain = text.lines().nth(1).and_then(name::from_base64).and_then(|raw| SecretKey::from_bytes(&raw).ok());
    match plain.filter(|key| !key.is_encrypted()) {
        Some(key) => Ok(key),
        None => {
            let password = std::env::var("OFFMOUNT_MINISIGN_PASSWORD").ok();
            SecretKeyBox::from_string(&text).and_then(|key| key.into_secret_key(password)).map_err(unusable)
        }
    }
}

/// Where the signature of a file is, as minisign names it.
pub(super) fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

fn sign(key: &SecretKey, path: &Path) -> Result<(), Stop> {
    let failed = |error: io::Error| Stop::with_file("sign", path, &error);
    let log = std::fs::read(path).map_err(failed)?;
    let comment = format!("offmount log, {} bytes, signed {}", log.len(), jiff::Timestamp::now());
    let signed = minisign::sign(None, key, Cursor::new(log), Some(&comment), Some("signature of an offmount log"))
        .map_err(|error| Stop::Failed(format!("cannot sign the log: {error}")))?;
    let to = signature_path(path);
    std::fs::write(&to, signed.into_string()).map_err(|error| Stop::with_file("write", &to, &error))
}

/// What verifying a log's signature gives.
pub(super) fn check_signature(path: &Path, key: &Path) -> Result<Result<String, String>, Stop> {
    let unusable = |path: &Path, what: String| Stop::Failed(format!("{}: {what}", path.display()));
    let key = PublicKey::from_file(key).map_err(|error| unusable(key, error.to_string()))?;
    let signature = signature_path(path);
    let signature = SignatureBox::from_file(&signature).map_err(|e| unusable(&signature, e.to_string()))?;
    let file = File::open(path).map_err(|error| Stop::with_file("open", path, &error))?;
    Ok(match minisign::verify(&key, &signature, BufReader::new(file), true, false, false) {
        Ok(()) => Ok(signature.trusted_comment().unwrap_or_default()),
        Err(error) => Err(error.to_string()),
    })
}

/// BLAKE3 of the program that runs.
fn own_hash() -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open("/proc/self/exe").ok()?).ok()?;
    Some(hasher.finalize().to_hex().to_string())
}

fn details(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("what".to_owned(), other)]),
    }
}

/// An argument as it may be shown: a URL without its password.
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((user, password)) => {
            format!("{scheme}://{}", rest.replacen(&format!("{user}:{password}@"), &format!("{user}:***@"), 1))
        }
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_logged() {
        for (word, shown) in [
            ("webdav://me:se:cret@host/a@b", "webdav://me:***@host/a@b"),
            ("sftp://me@host/path", "sftp://me@host/path"),
            ("p2:/etc/fstab", "p2:/etc/fstab"),
        ] {
            assert_eq!(without_password(word), shown);
        }
    }
}
