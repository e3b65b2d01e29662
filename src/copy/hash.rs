//! Hashing while copying: BLAKE3 and what else is asked for, in one pass ([`Hasher`]).

use sha2::Digest;

use super::Hashes;
use crate::manifest::Digests;
use crate::progress::Progress;

/// Zeros hashed at a time in place of a hole.
static ZEROS: [u8; 128 << 10] = [0; 128 << 10];

/// Hashes of one file's content, growing.
pub struct Hasher {
    blake3: blake3::Hasher,
    sha256: Option<sha2::Sha256>,
    sha1: Option<sha1::Sha1>,
    md5: Option<md5::Md5>,
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(hashes: Hashes) -> Self {
        Hasher {
            blake3: blake3::Hasher::new(),
            sha256: hashes.sha256.then(sha2::Sha256::new),
            sha1: hashes.sha1.then(sha1::Sha1::new),
            md5: hashes.md5.then(md5::Md5::new),
        }
    }

    /// Forgets what was hashed.
    pub fn reset(&mut self) {
        self.blake3.reset();
        self.sha256.iter_mut().for_each(Digest::reset);
        self.sha1.iter_mut().for_each(Digest::reset);
        self.md5.iter_mut().for_each(Digest::reset);
    }

    /// The bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// `n` zeros that follow. False if the user asked to stop meanwhile.
    pub fn zeros(&mut self, n: u64, progress: &dyn Progress) -> bool {
        let mut left = n;
        while left > 0 {
            let now = left.min(ZEROS.len() as u64);
            self.update(&ZEROS[..now as usize]);
            left -= now;
            if progress.interrupted() {
                return false;
            }
        }
        true
    }

    /// The hashes of all that was hashed; nothing is hashed then.
    pub fn finish(&mut self) -> Digests {
        let blake3 = self.blake3.finalize().into();
        self.blake3.reset();
        Digests {
            blake3: Some(blake3),
            sha256: self.sha256.as_mut().map(|hash| hash.finalize_reset().into()),
            sha1: self.sha1.as_mut().map(|hash| hash.finalize_reset().into()),
            md5: self.md5.as_mut().map(|hash| hash.finalize_reset().into()),
        }
    }
}
