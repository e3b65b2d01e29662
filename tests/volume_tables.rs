//! Partition tables: healthy ones read as sfdisk and fdisk read them, damaged ones cost no more than the damage.

mod common;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, run, system, tool, tool_fed, untouched};
use offmount::finding::{Code, Log};
use offmount::progress::Silent;
use offmount::source::{FileSource, Source};
use offmount::survey::{Disk, SurveyOptions, survey};
use offmount::volume::{Scheme, Table, codes, search_table, table};

const MIB: u64 = 1 << 20;

/// Layout of a server's disk, as sfdisk reads it: an ESP, a root, swap, a gap, data.
const GPT: &str = "label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\n\
    start=2048, size=8192, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=\"EFI system\"\n\
    size=32768, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=\"root ä\", attrs=\"LegacyBIOSBootable\"\n\
    size=8192, type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F\n\
    start=65536, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n";

/// Two primary partitions and three logical ones.
const MBR: &str = "label: dos\nlabel-id: 0x1234abcd\n\
    start=2048, size=8192, type=83, bootable\n\
    size=8192, type=82\n\
    start=20480, size=110592, type=5\n\
    start=22528, size=16384, type=83\n\
    start=40960, size=16384, type=8e\n\
    start=59392, size=16384, type=fd\n";

fn disk(scratch: &Scratch, script: &str) -> PathBuf {
    disk_of(scratch, "disk", 64 * MIB, script)
}

fn disk_of(scratch: &Scratch, name: &str, size: u64, script: &str) -> PathBuf {
    let path = scratch.sparse(name, size);
    tool_fed("sfdisk", &[Path::new("--quiet"), &path], script.as_bytes());
    path
}

fn source(path: &Path) -> Source {
    Arc::new(FileSource::open(path).unwrap())
}

fn read(path: &Path) -> (Option<Table>, Log) {
    let mut log = Log::new();
    let table = untouched(path, |path| table(&source(path), None, &mut log).unwrap());
    (table, log)
}

fn surveyed(path: &Path) -> Disk {
    untouched(path, |path| survey(source(path), &SurveyOptions::default(), &Silent).unwrap())
}

fn found(log: &Log) -> Vec<Code> {
    log.counts().map(|(code, _)| code).collect()
}

fn write(path: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

fn bytes(path: &Path, at: u64, len: usize) -> Vec<u8> {
    let mut buf = vec![0; len];
    std::fs::File::open(path).unwrap().read_exact_at(&mut buf, at).unwrap();
    buf
}

fn resize(path: &Path, size: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(size).unwrap();
}

/// Number, first sector, sectors, type, name and PARTUUID of every partition.
type Facts = Vec<(u64, u64, u64, String, Option<String>, Option<String>)>;

fn ours(table: &Table) -> Facts {
    let sector = u64::from(table.sector_size);
    let facts = table.partitions.iter().map(|p| {
        let kind = p.kind.id.trim_start_matches("0x").trim_start_matches('0').to_lowercase();
        let uuid = (table.scheme == Scheme::Gpt).then(|| p.partuuid.clone());
        (u64::from(p.number), p.span.start / sector, p.span.len() / sector, kind, p.label.clone(), uuid)
    });
    facts.collect()
}

/// What sfdisk says of an image; the extended partition, which holds nothing itself, left out.
fn theirs(path: &Path) -> Facts {
    let json: serde_json::Value = serde_json::from_slice(&tool("sfdisk", &[Path::new("-J"), path])).unwrap();
    let prefix = path.to_str().unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let partitions = json["partitiontable"]["partitions"].as_array().unwrap().iter().map(|p| {
        let number = p["node"].as_str().unwrap().strip_prefix(prefix).unwrap().trim_start_matches('p').parse().unwrap();
        let kind = p["type"].as_str().unwrap().to_lowercase().trim_start_matches('0').to_owned();
        let uuid = text(&p["uuid"]).map(|uuid| uuid.to_lowercase());
        (number, p["start"].as_u64().unwrap(), p["size"].as_u64().unwrap(), kind, text(&p["name"]), uuid)
    });
    partitions.filter(|partition| !matches!(partition.3.as_str(), "5" | "f" | "85")).collect()
}

/// Checksums of a GPT header and its entries made right again after an edit.
fn reseal(path: &Path, header_at: u64, entries_at: u64) {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    write(path, header_at + 88, &crc.checksum(&bytes(path, entries_at, 128 * 128)).to_le_bytes());
    write(path, header_at + 16, &[0; 4]);
    write(path, header_at + 16, &crc.checksum(&bytes(path, header_at, 92)).to_le_bytes());
}

#[test]
fn a_gpt_reads_as_sfdisk_reads_it() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let (table, log) = read(&path);
    let table = table.unwrap();
    assert_eq!(ours(&table), theirs(&path));
    assert_eq!((table.scheme, table.sector_size), (Scheme::Gpt, 512));
    assert_eq!(table.id.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
    assert_eq!(table.partitions[0].kind.name, Some("EFI System"));
    assert_eq!(table.partitions.iter().map(|p| p.bootable).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(log.is_empty() && table.decisions.is_empty(), "{log:?}");
}

#[test]
fn an_mbr_with_logical_partitions_reads_as_sfdisk_reads_it() {
    let scratch = Scratch::new();
    let path = disk(&scratch, MBR);
    let (table, log) = read(&path);
    let table = table.unwrap();
    assert_eq!(ours(&table), theirs(&path));
    assert_eq!((table.scheme, table.id.as_deref()), (Scheme::Mbr, Some("1234abcd")));
    let numbers: Vec<&str> = table.partitions.iter().map(|p| p.partuuid.as_str()).collect();
    assert_eq!(numbers, ["1234abcd-01", "1234abcd-02", "1234abcd-05", "1234abcd-06", "1234abcd-07"]);
    assert!(table.partitions[0].bootable && !table.partitions[1].bootable);
    assert!(log.is_empty(), "{log:?}");
}

#[test]
fn partuuids_are_those_of_blkid() {
    let scratch = Scratch::new();
    for (script, name) in [(GPT, "gpt"), (MBR, "mbr")] {
        let path = disk_of(&scratch, name, 64 * MIB, script);
        let ptuuid = tool("blkid", &["-p", "-s", "PTUUID", "-o", "value", path.to_str().unwrap()]);
        assert_eq!(read(&path).0.unwrap().id.unwrap(), String::from_utf8(ptuuid).unwrap().trim());
    }
}

#[test]
fn sectors_of_4096_bytes_are_found_out() {
    let scratch = Scratch::new();
    for label in ["g", "o"] {
        let path = scratch.sparse(&format!("disk-{label}"), 256 * MIB);
        let script = format!(
            "{label}\nn\n{}\n\n+8M\nn\n{}\n\n+16M\nw\n",
            if label == "o" { "p\n1" } else { "" },
            if label == "o" { "p\n2" } else { "" }
        );
        run(system("fdisk").args(["-b", "4096"]).arg(&path), script.as_bytes()).exits(0);
        // A filesystem is what tells sectors of an MBR apart.
        tool_fed("mkfs.ext4", &["-q", "-E", "offset=1048576", path.to_str().unwrap(), "8M"], b"");
        let table = read(&path).0.unwrap();
        let columns = "Start,Sectors";
        let listed = run(system("fdisk").args(["-b", "4096", "-l", "-o", columns]).arg(&path), b"").exits(0);
        let theirs: Vec<Vec<u64>> = listed
            .lines()
            .iter()
            .filter_map(|line| line.split_whitespace().map(|field| field.parse().ok()).collect())
            .filter(|fields: &Vec<u64>| fields.len() == 2)
            .collect();
        let ours: Vec<Vec<u64>> = ours(&table).iter().map(|facts| vec![facts.1, facts.2]).collect();
        assert_eq!(table.sector_size, 4096, "{label}");
        assert_eq!(ours, theirs, "{label}");
        assert_eq!(ours.len(), 2, "{label}");
    }
}

#[test]
fn a_damaged_primary_gpt_is_read_from_the_backup() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());
    let backup_at = 64 * MIB - 512;
    for (name, at, len) in
        [("header-gone", 512, 512), ("header-flipped", 512 + 40, 1), ("entries-flipped", 1024 + 300, 1)]
    {
        let damaged = scratch.copy_of(&path, name);
        write(&damaged, at, &vec![0xff; len]);
        let (table, log) = read(&damaged);
        assert_eq!(ours(table.as_ref().unwrap()), healthy, "{name}");
        assert_eq!(found(&log), [codes::GPT_PRIMARY], "{name}");
        assert!(table.unwrap().decisions[0].contains(&backup_at.to_string()), "{name}");
    }
}

#[test]
fn a_damaged_backup_gpt_costs_nothing() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());
    for (name, at, len) in [("header", 64 * MIB - 512, 512), ("entries", 64 * MIB - 33 * 512, 4)] {
        let damaged = scratch.copy_of(&path, name);
        write(&damaged, at, &vec![0xaa; len]);
        let (table, log) = read(&damaged);
        assert_eq!(ours(&table.unwrap()), healthy);
        assert_eq!(found(&log), [codes::GPT_BACKUP], "{name}");
    }
}

#[test]
fn a_disk_that_grew_or_was_cut_keeps_its_gpt() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());

    let grown = scratch.copy_of(&path, "grown");
    resize(&grown, 96 * MIB);
    let (table, log) = read(&grown);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy.clone(), vec![codes::GPT_GREW]));

    // Its primary gone as well: the protective MBR tells where the backup stands.
    write(&grown, 512, &[0; 512]);
    let (table, log) = read(&grown);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy.clone(), vec![codes::GPT_GREW, codes::GPT_PRIMARY]));

    // And the MBR gone too: only a search of the disk finds it.
    write(&grown, 0, &[0; 16 * 1024 + 1024]);
    assert!(read(&grown).0.is_none());
    let mut log = Log::new();
    let searched = search_table(&source(&grown), &mut log, &Silent).unwrap();
    assert_eq!(ours(&searched.unwrap()), healthy);

    let cut = scratch.copy_of(&path, "cut");
    resize(&cut, 48 * MIB);
    let (table, log) = read(&cut);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy.clone(), vec![codes::GPT_CUT, codes::PAST_END]));
    let disk = surveyed(&cut);
    assert_eq!(disk.volumes[3].source.len(), healthy[3].2 * 512, "the window keeps its nominal size");
}

#[test]
fn entries_without_a_header_are_recovered() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());
    // Both headers, and in turn one of the arrays.
    for (name, array) in [("primary-array-left", 64 * MIB - 33 * 512), ("backup-array-left", 1024)] {
        let damaged = scratch.copy_of(&path, name);
        write(&damaged, 512, &[0; 512]);
        write(&damaged, 64 * MIB - 512, &[0; 512]);
        write(&damaged, array, &[0; 32 * 512]);
        let (table, log) = read(&damaged);
        let table = table.unwrap();
        assert_eq!((ours(&table), found(&log), table.id), (healthy.clone(), vec![codes::GPT_HEADERS], None), "{name}");
    }
}

#[test]
fn where_no_checksum_holds_the_plausible_entries_are_used() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());
    write(&path, 512 + 56, &[0xee; 2]); // the disk's GUID in the primary header
    write(&path, 64 * MIB - 512 + 56, &[0xee; 2]); // and in the backup
    write(&path, 64 * MIB - 33 * 512 + 32, &[0xff; 8]); // the first entry of the backup makes no sense
    let (table, log) = read(&path);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy, vec![codes::GPT_DOUBTFUL]));
}

#[test]
fn copies_that_differ_are_told_and_the_primary_is_used() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());
    let (header, entries) = (64 * MIB - 512, 64 * MIB - 33 * 512);
    write(&path, entries + 56, b"X\0");
    reseal(&path, header, entries);
    let (table, log) = read(&path);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy, vec![codes::GPT_DIFFERS]));
}

#[test]
fn an_entry_that_ends_before_it_begins_is_left_out() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let mut healthy = ours(&read(&path).0.unwrap());
    write(&path, 1024 + 128 + 40, &[1, 0, 0, 0, 0, 0, 0, 0]); // the second partition ends at sector 1
    reseal(&path, 512, 1024);
    let (table, log) = read(&path);
    healthy.remove(1);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy, vec![codes::GPT_DIFFERS, codes::GPT_ENTRY]));
}

#[test]
fn partitions_that_overlap_are_both_shown() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    write(&path, 1024 + 40, &20000u64.to_le_bytes()); // the first partition ends in the second
    reseal(&path, 512, 1024);
    let (table, log) = read(&path);
    assert_eq!(table.unwrap().partitions.len(), 4);
    assert_eq!(found(&log), [codes::GPT_DIFFERS, codes::OVERLAP]);
}

#[test]
fn a_gpt_without_its_mbr_and_with_a_hybrid_one() {
    let scratch = Scratch::new();
    let path = disk(&scratch, GPT);
    let healthy = ours(&read(&path).0.unwrap());

    let bare = scratch.copy_of(&path, "bare");
    write(&bare, 0, &[0; 512]);
    let (table, log) = read(&bare);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy.clone(), vec![codes::GPT_UNPROTECTED]));

    tool("sgdisk", &["--hybrid=1:2", path.to_str().unwrap()]);
    let (table, log) = read(&path);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy, vec![codes::GPT_HYBRID]));
}

#[test]
fn a_bad_link_costs_only_the_logical_partitions_behind_it() {
    let scratch = Scratch::new();
    let path = disk(&scratch, MBR);
    let healthy = ours(&read(&path).0.unwrap());
    // The record of the second logical partition stands in front of it: sfdisk leaves 2048 sectors between.
    let second = healthy[3].1 * 512 - MIB;
    assert_eq!(bytes(&path, second + 510, 2), [0x55, 0xaa], "the recipe's place of the record");
    let (lost, swap) = (healthy[4].1 * 512, scratch.sparse("swap", 4 * MIB));
    tool("mkswap", &[swap.to_str().unwrap()]);
    write(&path, lost, &std::fs::read(&swap).unwrap());

    let broken = scratch.copy_of(&path, "broken");
    write(&broken, second + 510, &[0, 0]);
    let (table, log) = read(&broken);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy[..3].to_vec(), vec![codes::MBR_CHAIN]));
    let disk = surveyed(&broken);
    let volumes: Vec<_> = disk.volumes.iter().map(|v| v.name.clone()).collect();
    assert_eq!(volumes[..3], ["p1", "p2", "p5"]);
    assert_eq!((disk.log.count(codes::VOLUME_FOUND), &volumes[3]), (1, &format!("@{lost}")));

    let looped = scratch.copy_of(&path, "looped");
    let first_link = healthy[2].1 * 512 - MIB;
    // The second link names the record it stands in.
    let to_itself = ((second - first_link) / 512) as u32;
    write(&looped, second + 446 + 16 + 4, &[0x05, 0, 0, 0]);
    write(&looped, second + 446 + 16 + 8, &to_itself.to_le_bytes());
    let (table, log) = read(&looped);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy[..4].to_vec(), vec![codes::MBR_LOOP]));
}

#[test]
fn an_mbr_without_its_closing_bytes_is_used_where_it_makes_sense() {
    let scratch = Scratch::new();
    let path = disk(&scratch, MBR);
    let healthy = ours(&read(&path).0.unwrap());
    write(&path, 510, &[0, 0]);
    let (table, log) = read(&path);
    assert_eq!((ours(&table.unwrap()), found(&log)), (healthy, vec![codes::MBR_SIGNATURE]));
}

#[test]
fn an_image_shorter_than_a_sector_is_no_disk() {
    let scratch = Scratch::new();
    let path = scratch.sparse("short", 100);
    let (table, log) = read(&path);
    assert_eq!((table, found(&log)), (None, vec![codes::TABLE_UNREADABLE]));
}

#[test]
fn a_filesystem_on_the_whole_disk_is_no_table() {
    let scratch = Scratch::new();
    let image = |name: &str, mkfs: &[&str]| {
        let path = scratch.sparse(name, 64 * MIB);
        tool(mkfs[0], &[&mkfs[1..], &[path.to_str().unwrap()]].concat());
        path
    };
    for (name, mkfs) in [
        ("fat12", &["mkfs.fat", "-F12"][..]),
        ("fat16", &["mkfs.fat", "-F16"]),
        ("fat32", &["mkfs.fat", "-F32", "-s1"]),
        ("fat32-with-mbr", &["mkfs.fat", "-F32", "-s1", "--mbr=y"]),
        ("ntfs", &["mkfs.ntfs", "-Q", "-F"]),
        ("exfat", &["mkfs.exfat"]),
        ("ext4", &["mkfs.ext4", "-q"]),
    ] {
        let path = image(name, mkfs);
        assert_eq!(read(&path).0, None, "{name}");
        let disk = surveyed(&path);
        assert_eq!(disk.volumes.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["disk"], "{name}");
        assert!(disk.table.is_none() && disk.log.is_empty(), "{name}: {:?}", disk.log);
    }
}

#[test]
fn a_filesystem_over_an_old_table_is_believed() {
    let scratch = Scratch::new();
    for (name, script) in [("gpt", GPT), ("mbr", MBR)] {
        let path = disk_of(&scratch, name, 320 * MIB, script);
        let before = bytes(&path, 0, 512);
        tool("mkfs.xfs", &["-q", "-f", path.to_str().unwrap()]);
        // Boot code that is written later leaves the old entries where they were.
        write(&path, 446, &before[446..]);
        if name == "gpt" {
            write(&path, 446, &[0; 66]);
        }
        let disk = surveyed(&path);
        assert_eq!(
            disk.volumes.iter().map(|v| (v.name.as_str(), v.kind())).collect::<Vec<_>>(),
            [("disk", Some("xfs"))],
            "{name}"
        );
    }
}

#[test]
fn volumes_are_found_where_the_table_was_wiped() {
    let scratch = Scratch::new();
    for (name, script) in [("gpt", GPT), ("mbr", MBR)] {
        let path = disk_of(&scratch, name, 64 * MIB, script);
        let partitions = read(&path).0.unwrap().partitions;
        let swap = scratch.sparse(&format!("{name}-swap"), 4 * MIB);
        tool("mkswap", &[swap.to_str().unwrap()]);
        write(&path, partitions[0].span.start, &std::fs::read(&swap).unwrap());
        let squashed = scratch.join(format!("{name}-squashed"));
        tool("mksquashfs", &[common::testdata(""), squashed.clone()].map(|p| p.display().to_string()));
        write(&path, partitions[1].span.start, &std::fs::read(&squashed).unwrap());
        write(&path, 0, &[0; 34 * 512]);
        write(&path, 64 * MIB - 33 * 512, &[0; 33 * 512]);

        let disk = surveyed(&path);
        let volumes: Vec<_> = disk.volumes.iter().map(|v| (v.name.clone(), v.kind())).collect();
        let at = |i: usize| format!("@{}", partitions[i].span.start);
        assert_eq!(volumes, [(at(0), Some("swap")), (at(1), Some("squashfs"))], "{name}");
        assert_eq!(disk.log.count(codes::TABLE_LOST), 2);
    }
}

/// With blocks of 1024 bytes the copy of an ext superblock stands just where that of a volume at 8 MiB would.
#[test]
fn a_copy_of_a_superblock_is_no_start_of_a_volume() {
    let scratch = Scratch::new();
    let alone = scratch.sparse("alone", 24 * MIB);
    tool("mkfs.ext4", &["-q", "-b", "1024", "-L", "lost", alone.to_str().unwrap()]);
    let volumes = |disk: &Disk| disk.volumes.iter().map(|v| (v.name.clone(), v.kind())).collect::<Vec<_>>();

    let divided = disk(&scratch, "label: gpt\nstart=4096, size=49152\n");
    write(&divided, 2 * MIB, &std::fs::read(&alone).unwrap());
    write(&divided, 0, &[0; 34 * 512]);
    write(&divided, 64 * MIB - 33 * 512, &[0; 33 * 512]);
    assert_eq!(volumes(&surveyed(&divided)), [(format!("@{}", 2 * MIB), Some("ext4"))]);

    // Both are lost, the table and the superblock: it lies where another volume ends.
    let swap = scratch.sparse("swap", MIB);
    tool("mkswap", &[swap.to_str().unwrap()]);
    write(&divided, MIB, &std::fs::read(&swap).unwrap());
    write(&divided, 2 * MIB + 1024, &[0; 1024]);
    let expected = [(format!("@{MIB}"), Some("swap")), (format!("@{}", 2 * MIB), Some("ext4"))];
    assert_eq!(volumes(&surveyed(&divided)), expected);

    write(&alone, 1024, &[0; 1024]);
    let disk = surveyed(&alone);
    assert_eq!(volumes(&disk), [("disk".to_owned(), Some("ext4"))]);
    assert_eq!(disk.volumes[0].label().as_deref(), Some(b"lost".as_slice()));
    assert!(disk.log.is_empty());
}

#[test]
fn every_code_is_provoked_in_this_file() {
    let tests = include_str!("volume_tables.rs");
    let codes = include_str!("../src/volume/codes.rs");
    let names = codes.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(" = \"")).map(|(name, _)| name);
    let unprovoked: Vec<&str> = names.filter(|name| !tests.contains(&format!("codes::{name}"))).collect();
    assert!(unprovoked.is_empty(), "{unprovoked:?}");
}
