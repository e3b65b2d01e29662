//! Content hashes: which there are ([`Algorithm`]) and those of one file ([`Digests`]).

use std::fmt;
use std::str::FromStr;

/// A hash function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// BLAKE3, always computed.
    Blake3,
    /// SHA-256.
    Sha256,
    /// SHA-1, for old tools.
    Sha1,
    /// MD5, for old tools.
    Md5,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Algorithm; 4] = [Algorithm::Blake3, Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5];

    /// The name users give it.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Blake3 => "blake3",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha1 => "sha1",
            Algorithm::Md5 => "md5",
        }
    }

    /// The file of sums that its checking program reads.
    pub fn sums_name(self) -> &'static str {
        match self {
            Algorithm::Blake3 => "B3SUMS",
            Algorithm::Sha256 => "SHA256SUMS",
            Algorithm::Sha1 => "SHA1SUMS",
            Algorithm::Md5 => "MD5SUMS",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("{name} is none of blake3, sha256, sha1, md5"))
    }
}

/// The hashes of one file's content.
#[derive(Clone, Copy, PartialEq, Hash, Eq, Debug, Default)]
pub struct Digests {
    /// BLAKE3.
    pub blake3: Option<[u8; 32]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// MD5.
    pub md5: Option<[u8; 16]>,
}

impl Digests {
    /// The bytes of one of them.
    pub fn get(&self, algorithm: Algorithm) -> Option<&[u8]> {
        match algorithm {
            Algorithm::Blake3 => self.blake3.as_ref().map(|d| &d[..]),
            Algorithm::Sha256 => self.sha256.as_ref().map(|d| &d[..]),
            Algorithm::Sha1 => self.sha1.as_ref().map(|d| &d[..]),
            Algorithm::Md5 => self.md5.as_ref().map(|d| &d[..]),
        }
    }

    /// The algorithms of which there is a hash.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> + '_ {
        Algorithm::ALL.into_iter().filter(|&algorithm| self.get(algorithm).is_some())
    }

    /// True if no hash that both have differs, and both have at least one in common.
    pub fn agrees_with(&self, other: &Digests) -> bool {
        let mut common = 0;
        let same = Algorithm::ALL.into_iter().all(|algorithm| match (self.get(algorithm), other.get(algorithm)) {
            (Some(a), Some(b)) => {
                common += 1;
                a == b
            }
            _ => true,
        });
        same && common > 0
    }
}
