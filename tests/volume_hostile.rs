//! Random damage to partition tables and headers: nothing panics, loops or reads without end, and what is found stays
//! within bounds.

mod common;

use std::sync::{Arc, LazyLock};

use common::{Scratch, tool_fed};
use offmount::finding::Log;
use offmount::progress::Silent;
use offmount::source::faulty::{Fault, Faulty};
use offmount::source::{MemorySource, Source};
use offmount::survey::{SurveyOptions, survey};
use offmount::volume::{search_table, signature, table};
use proptest::prelude::*;

const SIZE: u64 = 2 << 20;

/// More partitions than four entries and 256 links, or the largest array of GPT entries that is read, can name.
const MOST: usize = 8192;

fn disk(script: &str) -> Vec<u8> {
    let scratch = Scratch::new();
    let path = scratch.sparse("disk", SIZE);
    tool_fed("sfdisk", &["--quiet", path.to_str().unwrap()], script.as_bytes());
    std::fs::read(&path).unwrap()
}

/// Three partitions, as close to the start as they may be.
static GPT: LazyLock<Vec<u8>> =
    LazyLock::new(|| disk("label: gpt\nfirst-lba: 34\nstart=40, size=64\nsize=64\nsize=64\n"));

/// A primary partition and two logical ones.
static MBR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    disk(
        "label: dos\nstart=64, size=64, type=83\nstart=256, size=3072, type=5\nstart=512, size=64\nstart=1024, size=64\n",
    )
});

/// Reads a disk in every way there is; what it finds is bounded.
fn survives(bytes: Vec<u8>) {
    let len = bytes.len() as u64;
    let source: Source = Arc::new(MemorySource(bytes));
    for sector_size in [None, Some(512), Some(4096)] {
        let table = table(&source, sector_size, &mut Log::new()).unwrap();
        assert!(table.is_none_or(|table| table.partitions.len() <= MOST));
    }
    search_table(&source, &mut Log::new(), &Silent).unwrap();
    signature::identify(&source).unwrap();
    signature::image(&source).unwrap();
    let disk = survey(source, &SurveyOptions::default(), &Silent).unwrap();
    assert!(!disk.volumes.is_empty() && disk.volumes.len() <= MOST);
    assert!(disk.table.is_some() || disk.volumes.iter().all(|volume| volume.span.end <= len));
}

/// Where a byte of a table is changed: the first sectors, the last, and the records of logical partitions.
fn place() -> impl Strategy<Value = usize> {
    let size = SIZE as usize;
    prop_oneof![446..512usize, 512..604usize, 1024..2048usize, size - 17 * 1024..size, 131_518..131_584usize, 0..size]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn flipped_bytes(flips in prop::collection::vec((place(), any::<u8>()), 1..12), label in 0..2) {
        let mut bytes = if label == 0 { GPT.clone() } else { MBR.clone() };
        for (at, byte) in flips {
            bytes[at] = byte;
        }
        survives(bytes);
    }

    #[test]
    fn random_sectors(seed in prop::collection::vec(any::<u8>(), 512), at in 0..64usize, label in 0..2) {
        let mut bytes = if label == 0 { GPT.clone() } else { MBR.clone() };
        bytes[at * 512..(at + 1) * 512].copy_from_slice(&seed);
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        survives(bytes);
    }

    #[test]
    fn cut_anywhere(len in 0..SIZE as usize, label in 0..2) {
        let mut bytes = if label == 0 { GPT.clone() } else { MBR.clone() };
        bytes.truncate(len);
        survives(bytes);
    }
}

#[test]
fn a_search_goes_on_behind_a_volume_of_exabytes() {
    let mut bytes = vec![0; 4 << 20];
    bytes[100] = 1; // no empty disk
    let xfs = &mut bytes[1 << 20..];
    xfs[..4].copy_from_slice(b"XFSB");
    xfs[4..8].copy_from_slice(&4096u32.to_be_bytes());
    xfs[8..16].copy_from_slice(&(u64::MAX >> 12).to_be_bytes()); // blocks: nearly all bytes that 64 bits count
    survives(bytes);
}

#[test]
fn a_partition_of_exabytes_is_not_searched() {
    let mut bytes = MBR.clone();
    bytes[446..512].fill(0);
    bytes[446 + 4] = 0x83;
    bytes[446 + 8] = 64;
    bytes[446 + 12..446 + 16].fill(0xff);
    bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
    survives(bytes);
    let mut bytes = GPT.clone();
    bytes[1024 + 40..1024 + 48].copy_from_slice(&(u64::MAX >> 12).to_le_bytes()); // the end of the first partition
    bytes[SIZE as usize - 512..].fill(0);
    survives(bytes);
}

#[test]
fn random_bytes_behind_every_mark() {
    let marks: &[(usize, &[u8])] = &[
        (0, b"XFSB"),
        (0x10040, b"_BHRfS_M"),
        (3, b"NTFS    "),
        (3, b"EXFAT   "),
        (4086, b"SWAPSPACE2"),
        (0, b"hsqs"),
        (512, b"LABELONE"),
        (0, b"LUKS\xba\xbe\0\x02"),
        (0x8001, b"CD001"),
        (0x8001, b"BEA01"),
        (1024, b"\x10\x20\xf5\xf2"),
        (0, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
        (4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"),
        (512, b"EFI PART"),
        (0x2_0000, b"\x0c\xb1\xba\0\0\0\0\0"),
        (0x10034, b"ReIsEr2Fs"),
        (0, b"QFI\xfb"),
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..6 {
        for (at, mark) in marks {
            let mut bytes: Vec<u8> = (0..1 << 17).flat_map(|_| random().to_le_bytes()).collect();
            // Small numbers reach further into a parser than large ones.
            if round % 2 == 0 {
                bytes.iter_mut().for_each(|byte| *byte &= if *byte & 0x80 == 0 { 0 } else { 0x0f });
            }
            bytes[*at..at + mark.len()].copy_from_slice(mark);
            survives(bytes);
        }
    }
}

#[test]
fn every_read_in_turn_is_lost_or_the_last() {
    for bytes in [&*GPT, &*MBR] {
        for fault in [Fault::Lost, Fault::Gone] {
            for at in 0..200 {
                let source = Arc::new(Faulty::new(Arc::new(MemorySource(bytes.clone())), fault, at));
                let result = survey(source.clone(), &SurveyOptions::default(), &Silent);
                assert_eq!(result.is_err(), fault == Fault::Gone && source.reads() > at, "read {at}");
            }
        }
    }
}
