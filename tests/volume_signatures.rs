//! What no driver reads is named as blkid names it: type, label, UUID.

mod common;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Scratch, run, system, tool, tool_fed, untouched};
use offmount::progress::Silent;
use offmount::source::{FileSource, Source};
use offmount::survey::{Content, SurveyOptions, survey};
use offmount::volume::signature::{Role, Signature, identify};

const MIB: u64 = 1 << 20;

fn named(path: &Path) -> Option<Signature> {
    untouched(path, |path| {
        let source: Source = Arc::new(FileSource::open(path).unwrap());
        identify(&source).unwrap()
    })
}

/// What blkid says of an image: the value of a tag.
fn blkid(path: &Path, tag: &str) -> Option<String> {
    // Unsafe characters are printed as they are only with this format.
    let ran = run(system("blkid").args(["-p", "-s", tag, "-o", "value"]).arg(path), b"");
    Some(ran.text().trim_end_matches('\n').to_owned()).filter(|value| !value.is_empty())
}

/// Our name for an image, which must be blkid's.
#[track_caller]
fn same_as_blkid(path: &Path) -> Signature {
    let ours = named(path).unwrap_or_else(|| panic!("{} is not recognised", path.display()));
    let label = ours.label.as_ref().map(|label| String::from_utf8_lossy(label).into_owned());
    let theirs = (blkid(path, "TYPE"), blkid(path, "LABEL"), blkid(path, "UUID"));
    assert_eq!((Some(ours.kind.to_owned()), label, ours.uuid.clone()), theirs);
    ours
}

fn write(path: &Path, at: u64, bytes: &[u8]) {
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

fn made(scratch: &Scratch, size: u64, command: &[&str]) -> PathBuf {
    made_as(scratch, "image", size, command)
}

fn made_as(scratch: &Scratch, name: &str, size: u64, command: &[&str]) -> PathBuf {
    let path = scratch.sparse(name, size);
    tool(command[0], &[&command[1..], &[path.to_str().unwrap()]].concat());
    path
}

/// A loop device over an image; detached when dropped.
struct Loop(String);

impl Loop {
    fn over(path: &Path) -> Self {
        let out = tool("losetup", &[Path::new("--find"), Path::new("--show"), path]);
        Loop(String::from_utf8(out).unwrap().trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        run(system("losetup").args(["--detach", &self.0]), b"");
    }
}

fn fact<'s>(signature: &'s Signature, name: &str) -> Option<&'s str> {
    signature.facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str())
}

#[test]
fn xfs() {
    let scratch = Scratch::new();
    let path = made(&scratch, 320 * MIB, &["mkfs.xfs", "-q", "-L", "srv data"]);
    let found = same_as_blkid(&path);
    assert_eq!((found.size, fact(&found, "version")), (Some(320 * MIB), Some("5")));
    assert!(found.advice.iter().any(|line| line.contains("ro,norecovery")));
}

#[test]
fn btrfs() {
    let scratch = Scratch::new();
    let path = made(&scratch, 128 * MIB, &["mkfs.btrfs", "-q", "-L", "pool"]);
    let found = same_as_blkid(&path);
    assert_eq!(found.size, Some(128 * MIB));
    // The first superblock gone: blkid sees nothing, the copy at 64 MiB says the same.
    let damaged = scratch.copy_of(&path, "damaged");
    write(&damaged, 64 << 10, &[0; 4096]);
    assert_eq!(named(&damaged).unwrap().uuid, found.uuid);
}

#[test]
fn ntfs() {
    let scratch = Scratch::new();
    for (label, cluster) in [("Windows Server", "4096"), ("Überlänge\u{1f5c4}", "65536"), ("", "512")] {
        let path = made(&scratch, 32 * MIB, &["mkfs.ntfs", "-Q", "-F", "-q", "-c", cluster, "-L", label]);
        same_as_blkid(&path);
    }
}

#[test]
fn swap() {
    let scratch = Scratch::new();
    for page in ["4096", "8192", "65536"] {
        let path = made(&scratch, 16 * MIB, &["mkswap", "-p", page, "-L", "swap 1"]);
        let found = same_as_blkid(&path);
        assert_eq!((found.role, found.size), (Role::Swap, Some(16 * MIB)));
    }
}

#[test]
fn a_journal_on_a_device_of_its_own() {
    let scratch = Scratch::new();
    for block in ["1024", "4096"] {
        let path = made(&scratch, 16 * MIB, &["mke2fs", "-q", "-b", block, "-O", "journal_dev", "-L", "log 1"]);
        let found = same_as_blkid(&path);
        assert_eq!((found.role, found.size), (Role::Journal, Some(16 * MIB)));
    }
}

#[test]
fn a_hibernated_system_is_told() {
    let scratch = Scratch::new();
    let path = made(&scratch, 16 * MIB, &["mkswap", "-q"]);
    write(&path, 4086, b"S1SUSPEND\0");
    let found = same_as_blkid(&path);
    assert_eq!(found.kind, "swsuspend");
}

#[test]
fn luks() {
    let scratch = Scratch::new();
    let format = ["cryptsetup", "luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    for (version, more) in [("luks1", &[][..]), ("luks2", &["--label", "vault"])] {
        let path = scratch.sparse("image", 32 * MIB);
        let args = [&format[1..], &["--type", version], more, &[path.to_str().unwrap(), "-"]].concat();
        tool_fed(format[0], &args, b"password");
        let found = same_as_blkid(&path);
        assert_eq!((found.role, fact(&found, "version")), (Role::Container, Some(&version[4..])));
    }
    // The first header of LUKS 2 gone: the second tells.
    let path = scratch.join("image");
    write(&path, 0, &[0; 4096]);
    same_as_blkid(&path);
}

#[test]
fn lvm() {
    let scratch = Scratch::new();
    let path = scratch.sparse("image", 32 * MIB);
    let device = Loop::over(&path);
    let quiet = "devices{use_devicesfile=0} global{use_lvmetad=0}";
    tool("pvcreate", &["-q", "--config", quiet, &device.0]);
    let pv = same_as_blkid(&path);
    assert_eq!((pv.size, fact(&pv, "volume group")), (Some(32 * MIB), None));
    let group = format!("vg_offmount_{}", std::process::id());
    tool("vgcreate", &["-q", "--config", quiet, &group, &device.0]);
    assert_eq!(fact(&named(&path).unwrap(), "volume group"), Some(group.as_str()));
    // Logical volumes come with the metadata, restored from its text: creating them would take a device mapper.
    let text = scratch.join("metadata");
    tool("vgcfgbackup", &["-q", "--config", quiet, "-f", text.to_str().unwrap(), &group]);
    let metadata = std::fs::read_to_string(&text).unwrap();
    let end = metadata.rfind("}\n").unwrap();
    let volumes =
        format!("logical_volumes {{\n{}{}}}\n", logical_volume("root", 'a', 0), logical_volume("srv", 'b', 1));
    std::fs::write(&text, format!("{}{volumes}{}", &metadata[..end], &metadata[end..])).unwrap();
    tool("vgcfgrestore", &["-q", "--config", quiet, "-f", text.to_str().unwrap(), &group]);
    let found = same_as_blkid(&path);
    assert_eq!(fact(&found, "volume group"), Some(group.as_str()));
    assert_eq!(fact(&found, "logical volumes"), Some("root, srv"));

    // Each is in one piece: pvs tells where the first extent is.
    let first =
        tool("pvs", &["--noheadings", "--nosuffix", "--units", "b", "-o", "pe_start", "--config", quiet, &device.0]);
    let first: u64 = String::from_utf8(first).unwrap().trim().parse().unwrap();
    let filesystem = made_as(&scratch, "filesystem", 4 * MIB, &["mkfs.ext4", "-q", "-L", "in a volume"]);
    write(&path, first + 4 * MIB, &std::fs::read(&filesystem).unwrap());
    drop(device);
    let disk = survey(Arc::new(FileSource::open(&path).unwrap()), &SurveyOptions::default(), &Silent).unwrap();
    let volumes: Vec<_> = disk.volumes.iter().map(|v| (v.name.clone(), v.span.start, v.kind())).collect();
    let expected = [
        ("disk".to_owned(), 0, Some("LVM2_member")),
        (format!("disk.{group}-root"), first, None),
        (format!("disk.{group}-srv"), first + 4 * MIB, Some("ext4")),
    ];
    assert_eq!(volumes, expected);
}

/// A logical volume of one extent, in LVM's metadata text.
fn logical_volume(name: &str, letter: char, extent: u32) -> String {
    format!(
        "{name} {{\nid = \"{letter}bcdef-0000-0000-0000-0000-0000-abcdef\"\nstatus = [\"READ\", \"WRITE\", \"VISIBLE\"]\n\
         segment_count = 1\nsegment1 {{\nstart_extent = 0\nextent_count = 1\ntype = \"striped\"\nstripe_count = 1\n\
         stripes = [ \"pv0\", {extent} ]\n}}\n}}\n"
    )
}

/// A superblock of md version 1 (`struct mdp_superblock_1`), its checksum made as mdadm makes it.
fn md_1(at: u64, size: u64, level: i32) -> Vec<u8> {
    let mut sb = vec![0; 256 + 2 * 2];
    let mut put = |at: usize, bytes: &[u8]| sb[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xa92b_4efc_u32.to_le_bytes());
    put(4, &1u32.to_le_bytes());
    put(16, &std::array::from_fn::<u8, 16, _>(|i| i as u8 + 1));
    put(32, b"server:0");
    put(64, &1_600_000_000u64.to_le_bytes());
    put(72, &level.to_le_bytes());
    put(80, &(size / 512 - 4096).to_le_bytes());
    put(92, &2u32.to_le_bytes());
    put(128, &(if at == size - 8192 { 0u64 } else { 2048 }).to_le_bytes());
    put(136, &(size / 512 - 4096).to_le_bytes());
    put(144, &(at / 512).to_le_bytes());
    put(168, &std::array::from_fn::<u8, 16, _>(|i| 0x80 + i as u8));
    put(220, &2u32.to_le_bytes());
    put(258, &1u16.to_le_bytes());
    let sum: u64 = sb.chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    sb[216..220].copy_from_slice(&(((sum & 0xffff_ffff) + (sum >> 32)) as u32).to_le_bytes());
    sb
}

#[test]
fn md_members_of_version_1() {
    let scratch = Scratch::new();
    let size = 16 * MIB;
    for (version, at) in [("1.0", size - 8192), ("1.1", 0), ("1.2", 4096)] {
        let path = scratch.sparse("image", size);
        write(&path, at, &md_1(at, size, 5));
        let examined = run(system("mdadm").args(["--examine", "--export"]).arg(&path), b"");
        assert!(examined.text().contains("MD_LEVEL=raid5"), "mdadm accepts the recipe: {examined:?}");
        let found = same_as_blkid(&path);
        assert_eq!((fact(&found, "version"), fact(&found, "level")), (Some(version), Some("raid5")));
        assert_eq!(fact(&found, "device uuid"), blkid(&path, "UUID_SUB").as_deref());
    }
}

#[test]
fn the_data_of_a_mirror_is_a_volume_of_its_own() {
    let scratch = Scratch::new();
    let size = 16 * MIB;
    for (version, at) in [("1.1", 0), ("1.2", 4096)] {
        let path = scratch.sparse("image", size);
        write(&path, at, &md_1(at, size, 1));
        let filesystem = made_as(&scratch, "filesystem", 8 * MIB, &["mkfs.ext4", "-q"]);
        write(&path, MIB, &std::fs::read(&filesystem).unwrap());
        let disk = survey(Arc::new(FileSource::open(&path).unwrap()), &SurveyOptions::default(), &Silent).unwrap();
        let volumes: Vec<_> = disk.volumes.iter().map(|v| (v.name.as_str(), v.span.start, v.kind())).collect();
        assert_eq!(volumes, [("disk", 0, Some("linux_raid_member")), ("disk.md", MIB, Some("ext4"))], "{version}");
    }
}

#[test]
fn md_members_of_version_0() {
    let scratch = Scratch::new();
    let path = scratch.sparse("image", 16 * MIB);
    let mut sb = vec![0; 4096];
    for (word, value) in [
        (0, 0xa92b_4efc),
        (1, 0),
        (2, 90),
        (5, 0x0102_0304),
        (6, 1_600_000_000),
        (7, 5),
        (8, 8192),
        (9, 2),
        (10, 2),
        (13, 0x0506_0708),
        (14, 0x090a_0b0c),
        (15, 0x0d0e_0f10_u32),
    ] {
        sb[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
    }
    let sum: u64 = sb.chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    sb[152..156].copy_from_slice(&(((sum & 0xffff_ffff) + (sum >> 32)) as u32).to_le_bytes());
    write(&path, 16 * MIB - 65536, &sb);
    let found = same_as_blkid(&path);
    assert_eq!((fact(&found, "version"), found.size), (Some("0.90"), Some(8 * MIB)));
    let examined = run(system("mdadm").args(["--examine", "--export"]).arg(&path), b"");
    // mdadm writes the same digits in groups of eight.
    assert!(examined.text().contains("MD_UUID=01020304:05060708:090a0b0c:0d0e0f10"), "{examined:?}");
    let digits: String = found.uuid.unwrap().chars().filter(|c| *c != '-').collect();
    assert_eq!(digits, "0102030405060708090a0b0c0d0e0f10");
}

#[test]
fn a_mirror_with_its_superblock_at_the_end_is_what_it_holds() {
    let scratch = Scratch::new();
    let size = 320 * MIB;
    let path = made(&scratch, size - MIB, &["mkfs.xfs", "-q"]);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
    for (level, kind) in [(1, "xfs"), (5, "linux_raid_member")] {
        write(&path, size - 8192, &md_1(size - 8192, size, level));
        assert_eq!(named(&path).unwrap().kind, kind);
    }
}

#[test]
fn squashfs() {
    let scratch = Scratch::new();
    let path = scratch.join("image");
    let args = ["-comp", "zstd", "-quiet", "-no-progress"].map(String::from);
    tool(
        "mksquashfs",
        &[&[common::testdata("").display().to_string(), path.display().to_string()], &args[..]].concat(),
    );
    let found = same_as_blkid(&path);
    assert_eq!((fact(&found, "version"), fact(&found, "compression")), (Some("4.0"), Some("zstd")));
}

#[test]
fn iso9660() {
    let scratch = Scratch::new();
    let folder = common::testdata("").display().to_string();
    for options in [
        &["-V", "RESCUE_CD"][..],
        &["-J", "-V", "Rescue CD"],
        &["-J", "-V", "A_VOLUME_WITH_A_LONG_NAME"],
        &["-udf", "-V", "DVD"],
    ] {
        let path = scratch.join("image");
        tool("genisoimage", &[&["-quiet"], options, &["-o", path.to_str().unwrap(), &folder]].concat());
        let found = named(&path).unwrap();
        if options[0] == "-udf" {
            assert_eq!(found.kind, "udf");
        } else {
            same_as_blkid(&path);
        }
    }
}

#[test]
fn fat_and_exfat() {
    let scratch = Scratch::new();
    for (size, options) in [(4, ["mkfs.fat", "-F12", "-n", "BOOT 12"]), (64, ["mkfs.fat", "-F32", "-n", "EFI"])] {
        same_as_blkid(&made(&scratch, size * MIB, &options));
    }
    let path = made(&scratch, 16 * MIB, &["mkfs.exfat"]);
    let found = named(&path).unwrap();
    assert_eq!((Some(found.kind.to_owned()), found.uuid), (blkid(&path, "TYPE"), blkid(&path, "UUID")));
}

#[test]
fn files_that_are_no_raw_image_are_named_with_the_way_to_make_one() {
    let scratch = Scratch::new();
    let raw = scratch.sparse("raw", MIB);
    for (format, kind) in [("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vpc", "vhd"), ("vhdx", "vhdx"), ("vdi", "vdi")] {
        let path = scratch.join(kind);
        tool("qemu-img", &["convert", "-O", format, raw.to_str().unwrap(), path.to_str().unwrap()]);
        assert_converts(&path, kind, "qemu-img convert -O raw");
    }
    for (program, kind, command) in
        [("gzip", "gzip", "gunzip"), ("xz", "xz", "xz -"), ("zstd", "zstd", "zstd -"), ("bzip2", "bzip2", "bzip2 -")]
    {
        let path = scratch.join(format!("raw.{kind}"));
        std::fs::write(&path, tool_fed(program, &["-c"], &std::fs::read(&raw).unwrap())).unwrap();
        assert_converts(&path, kind, command);
    }
}

#[track_caller]
fn assert_converts(path: &Path, kind: &str, command: &str) {
    let source: Source = Arc::new(FileSource::open(path).unwrap());
    let disk = survey(source, &SurveyOptions::default(), &Silent).unwrap();
    let [volume] = disk.volumes.as_slice() else { panic!("{} volumes", disk.volumes.len()) };
    let Content::Known(found) = &volume.content else { panic!("{kind} is not recognised") };
    assert_eq!((found.kind, found.role), (kind, Role::Image));
    let advice = volume.advice(Path::new("/tmp/my disk.img"), false);
    assert!(advice[0].contains(command) && advice[0].contains("'/tmp/my disk.img'"), "{advice:?}");
}

#[test]
fn advice_names_the_bytes_of_the_volume() {
    let scratch = Scratch::new();
    let path = scratch.sparse("disk", 32 * MIB);
    tool_fed("sfdisk", &["-q", path.to_str().unwrap()], b"label: gpt\nstart=2048, size=8192\n");
    let swap = made(&scratch, 4 * MIB, &["mkswap", "-q"]);
    write(&path, MIB, &std::fs::read(&swap).unwrap());
    let luks = ["luksFormat", "--batch-mode", "--type", "luks1", "--pbkdf-force-iterations", "1000"];
    let inner = scratch.sparse("inner", 4 * MIB);
    tool_fed("cryptsetup", &[&luks[..], &[inner.to_str().unwrap(), "-"]].concat(), b"password");
    write(&path, MIB, &std::fs::read(&inner).unwrap());
    let disk = survey(Arc::new(FileSource::open(&path).unwrap()), &SurveyOptions::default(), &Silent).unwrap();
    let advice = disk.volumes[0].advice(Path::new("disk.img"), false);
    assert_eq!(advice[0], "DEVICE=$(losetup --find --show --read-only --offset 1048576 --sizelimit 4194304 disk.img)");
    assert_eq!(advice[2], "cryptsetup open --readonly $DEVICE opened");
}
