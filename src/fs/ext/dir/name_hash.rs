//! The hash of a name in a hashed directory: the ext4 documentation, `directory.rst`; half MD4 after RFC 1320, TEA after
//! Wheeler and Needham.

use super::super::disk::superblock::{Superblock, flags};

/// Version of the hash in unsigned form begins here.
const UNSIGNED: u8 = 3;
/// The seed where the superblock has none.
const DEFAULT_SEED: [u32; 4] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476];
/// The largest hash, which is kept for the end of a directory.
const END: u32 = 0xFFFF_FFFE;

/// How the names of one volume, or one directory, are hashed.
#[derive(Clone, Copy, Debug)]
pub struct NameHash {
    version: u8,
    seed: [u32; 4],
}

impl NameHash {
    /// The hash of a directory whose root names `version`; `None` for one that needs a key.
    pub fn of(sb: &Superblock, version: u8) -> Option<Self> {
        let seed = sb.s_hash_seed.map(|word| word.get());
        let unsigned = sb.s_flags.get() & flags::UNSIGNED_HASH != 0;
        let version = if version < UNSIGNED && unsigned { version + UNSIGNED } else { version };
        let seed = if seed == [0; 4] { DEFAULT_SEED } else { seed };
        (version < 2 * UNSIGNED).then_some(NameHash { version, seed })
    }

    /// True where any names have hashes all over the range: the oldest way puts like names near each other.
    pub fn is_even(&self) -> bool {
        !self.version.is_multiple_of(UNSIGNED)
    }

    /// The hash of a name. The lowest bit is never set: it marks collisions.
    pub fn hash(&self, name: &[u8]) -> u32 {
        let widen: fn(u8) -> u32 = if self.version >= UNSIGNED { u32::from } else { |byte| byte as i8 as u32 };
        let hash = match self.version % UNSIGNED {
            0 => legacy(name, widen),
            1 => self.half_md4(name, widen),
            _ => self.tea(name, widen),
        } & !1;
        if hash == END { END - 2 } else { hash }
    }

    fn half_md4(&self, name: &[u8], widen: fn(u8) -> u32) -> u32 {
        let mut state = self.seed;
        for at in (0..name.len()).step_by(32) {
            half_md4_round(&mut state, &words::<8>(&name[at..], widen));
        }
        state[1]
    }

    fn tea(&self, name: &[u8], widen: fn(u8) -> u32) -> u32 {
        let mut state = self.seed;
        for at in (0..name.len()).step_by(16) {
            tea_round(&mut state, &words::<4>(&name[at..], widen));
        }
        state[0]
    }
}

fn legacy(name: &[u8], widen: fn(u8) -> u32) -> u32 {
    let (mut last, mut before) = (0x12A3_FE2Du32, 0x37AB_E8F9u32);
    for &byte in name {
        let hash = before.wrapping_add(last ^ widen(byte).wrapping_mul(7_152_373));
        before = last;
        last = if hash >> 31 == 1 { hash.wrapping_sub(0x7FFF_FFFF) } else { hash };
    }
    last << 1
}

/// Packs what is left of a name into `N` words, padded with its length.
fn words<const N: usize>(rest: &[u8], widen: fn(u8) -> u32) -> [u32; N] {
    let len = rest.len() as u32;
    let pad = (len & 0xFF) * 0x0101_0101;
    let mut packed = [pad; N];
    for (word, chunk) in packed.iter_mut().zip(rest.chunks(4)) {
        *word = chunk.iter().fold(pad, |word, &byte| widen(byte).wrapping_add(word << 8));
    }
    packed
}

fn half_md4_round(state: &mut [u32; 4], block: &[u32; 8]) {
    const ORDERS: [[usize; 8]; 3] = [[0, 1, 2, 3, 4, 5, 6, 7], [1, 3, 5, 7, 0, 2, 4, 6], [3, 7, 2, 6, 1, 5, 0, 4]];
    const SHIFTS: [[u32; 4]; 3] = [[3, 7, 11, 19], [3, 5, 9, 13], [3, 9, 11, 15]];
    const ADDED: [u32; 3] = [0, 0x5A82_7999, 0x6ED9_EBA1];
    let [mut a, mut b, mut c, mut d] = *state;
    for round in 0..3 {
        for (i, &word) in ORDERS[round].iter().enumerate() {
            let mixed = match round {
                0 => d ^ (b & (c ^ d)),
                1 => (b & c).wrapping_add((b ^ c) & d),
                _ => b ^ c ^ d,
            };
            let sum = a.wrapping_add(mixed).wrapping_add(block[word]).wrapping_add(ADDED[round]);
            (a, d, c, b) = (d, c, b, sum.rotate_left(SHIFTS[round][i % 4]));
        }
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(mixed);
    }
}

fn tea_round(state: &mut [u32; 4], block: &[u32; 4]) {
    const DELTA: u32 = 0x9E37_79B9;
    let [a, b, c, d] = *block;
    let (mut x, mut y, mut sum) = (state[0], state[1], 0u32);
    for _ in 0..16 {
        sum = sum.wrapping_add(DELTA);
        x = x.wrapping_add((y << 4).wrapping_add(a) ^ y.wrapping_add(sum) ^ (y >> 5).wrapping_add(b));
        y = y.wrapping_add((x << 4).wrapping_add(c) ^ x.wrapping_add(sum) ^ (x >> 5).wrapping_add(d));
    }
    state[0] = state[0].wrapping_add(x);
    state[1] = state[1].wrapping_add(y);
}
