//! crc32c as arithmetic: run backwards ([`rewind`]), and asked which bit flipped ([`flipped`]).

/// The reflected polynomial of crc32c.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// For each byte, the register that a register with that lowest byte is stepped with.
const FORWARD: [u32; 256] = forward();

/// For each byte, the index of the one [`FORWARD`] entry whose highest byte it is.
const BACKWARD: [u8; 256] = backward();

const fn forward() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut register, mut bit) = (byte as u32, 0);
        while bit < 8 {
            register = if register & 1 == 1 { register >> 1 ^ POLYNOMIAL } else { register >> 1 };
            bit += 1;
        }
        table[byte] = register;
        byte += 1;
    }
    table
}

const fn backward() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[(FORWARD[byte] >> 24) as usize] = byte as u8;
        byte += 1;
    }
    table
}

/// The register before `bytes` were run through it, given the one after.
pub fn rewind(after: u32, bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(after, |register, &byte| {
        let index = BACKWARD[(register >> 24) as usize];
        (register ^ FORWARD[usize::from(index)]) << 8 | u32::from(index ^ byte)
    })
}

/// The place of the one bit that changes the checksum of `len` bytes by `difference` when it flips: which byte, and the bit
/// in it. `None` where no single bit does. Of other changes to a block of 4 KiB one in 130,000 looks like a single bit.
pub fn flipped(len: usize, difference: u32) -> Option<(usize, u8)> {
    // What a bit of the last byte changes; each byte behind a bit steps that on.
    let mut effects: [u32; 8] = std::array::from_fn(|bit| FORWARD[1 << bit]);
    for byte in (0..len).rev() {
        if let Some(bit) = effects.iter().position(|effect| *effect == difference) {
            return Some((byte, 1 << bit));
        }
        for effect in &mut effects {
            *effect = FORWARD[(*effect & 0xFF) as usize] ^ (*effect >> 8);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::checksum::crc32c;
    use super::*;

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let bytes: Vec<u8> = (0..1012u32).map(|i| ((i * 37) >> 3) as u8).collect();
        let right = crc32c(0x1234_5678, &bytes);
        for (byte, bit) in [(0, 1), (1, 128), (500, 16), (1011, 2)] {
            let mut other = bytes.clone();
            other[byte] ^= bit;
            assert_eq!(flipped(bytes.len(), right ^ crc32c(0x1234_5678, &other)), Some((byte, bit)));
        }
        let mut other = bytes.clone();
        other[7] ^= 3;
        assert_eq!(flipped(bytes.len(), right ^ crc32c(0x1234_5678, &other)), None);
        assert_eq!(flipped(bytes.len(), 0), None);
    }

    #[test]
    fn what_ran_on_runs_back() {
        assert_eq!(rewind(crc32c(77, b"some bytes"), b"some bytes"), 77);
    }
}
