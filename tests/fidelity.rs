//! A copy made as root is what rsync would make from a read-only mount: every path, every attribute.
//!
//! The images are written by the kernel: `mke2fs -d` would drop nanoseconds. The judge is rsync, with the kernel's
//! reading of the image on one side.

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::{Mounted, Scratch, offmount, run, skipped, system, tool, untouched, with_threads};

/// Fills the folder given with what filesystems find hard.
const FILL: &str = r#"
cd "$1"
mkdir -p a/b/c empty many ' spaces ' shared
printf plain >a/plain
: >a/nothing
seq 100000 >a/numbers
head -c 40 /dev/zero | tr '\0' x >a/small
for n in $(seq 2000); do echo $n >many/file-$n; done

# Links.
ln a/plain a/b/second; ln a/plain third
ln -s plain a/link; ln -s /absolute/target absolute; ln -s missing dangling
ln -s "$(printf 'x%.0s' $(seq 59))" longest-fast-link; ln -s "$(printf 'x%.0s' $(seq 60))" shortest-slow-link
ln -s "$(printf 'x%.0s' $(seq 300))" long-link
ln a/link a/second-name-of-a-link

# Holes, and what is allocated but not written (extents only).
truncate -s 5M sparse; printf middle | dd of=sparse bs=1 seek=3000000 conv=notrunc status=none
truncate -s 1M all-hole
printf end | dd of=starts-with-hole bs=1 seek=70000 status=none
fallocate -l 1M preallocated 2>/dev/null && printf start | dd of=preallocated conv=notrunc status=none
fallocate -n -l 64K a/numbers 2>/dev/null || true

# Specials.
mkfifo fifo; mknod null c 1 3; mknod disk b 8 17; mknod large-numbers c 511 70000
perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("socket")) or die'

# Names.
printf 1 >$'new\nline'; printf 2 >$'latin\xe9'; printf 3 >$'\xff\xfe'; printf 4 >$'tab\tand\x01control'
printf 5 >-dash; printf 6 >'*?["'; printf 7 >'back\slash'; printf 8 >"$(printf 'n%.0s' $(seq 255))"; printf 9 >'Grüße'
mkdir $'dir\xe9\n'; printf 10 >$'dir\xe9\n/inside'

# Owners and modes.
chown 1000:1000 a/small; chown 65534:12345 a/numbers; chown 100000:4000000000 third; chown -h 7:8 absolute
chmod 0000 a/nothing; printf su >setuid; chmod 4755 setuid; printf sg >setgid; chmod 2711 setgid
chmod 1777 empty; chmod 2775 shared

# Extended attributes, ACLs, capabilities.
setfattr -n user.tag -v value a/small; setfattr -n user.binary -v 0x00ff00 a/small; setfattr -n user.empty a/small
setfattr -n user.large -v "$(head -c 700 /dev/zero | tr '\0' y)" a/numbers
setfattr -n trusted.secret -v root a/plain; setfattr -h -n trusted.on-link -v x dangling; setfattr -n user.dir -v d a/b
setfacl -m u:1234:rwx,g:5:r-x,m:rx a/numbers; setfacl -d -m u:99:rw shared; setfacl -m g:42:--x shared
printf ping >capable; setcap cap_net_raw+ep capable

# Times, folders last.
touch -d '2001-02-03 04:05:06.789012345' a/small; touch -d '1955-11-05 06:00:00.500000001' third
touch -d '2040-01-01 00:00:00.999999999' a/numbers; touch -d '2300-06-07 08:09:10.11' setuid
touch -h -d '2011-12-13 14:15:16.171819202' dangling; touch -d '1999-12-31 23:59:59.999999999' fifo null
touch -d '2020-02-02 02:02:02.020202020' empty a/b/c a/b a .
"#;

#[track_caller]
fn copy_equals_mount(mke2fs: &[&str]) {
    if !common::is_root() {
        return skipped("mounting, and setting owners, needs root");
    }
    let scratch = Scratch::new();
    let image = scratch.sparse("image", 64 << 20);
    tool("mke2fs", &[&["-q", "-F", "-E", "lazy_itable_init=0"], mke2fs, &[image.to_str().unwrap()]].concat());
    fill(&Mounted::writable(&image, ""));

    untouched(&image, |image| {
        // The kernel's ext2 knows of no journal, and not of this option either.
        let source = Mounted::read_only(image, if mke2fs == ["-t", "ext2"] { "" } else { "noload" });
        with_threads(|threads| {
            let copy = scratch.join(format!("copy-{threads}"));
            let args = ["copy".as_ref(), image.as_os_str(), "--to".as_ref(), copy.as_os_str()];
            let args = [&args[..], &["--quiet".as_ref(), "--threads".as_ref(), threads.as_ref()]].concat();
            offmount(&args).exits(0);
            same_for_rsync(source.path(), &copy);
            same_listing(source.path(), &copy);
            let (theirs, ours) = (fs::metadata(source.join("sparse")), fs::metadata(copy.join("sparse")));
            let (theirs, ours) = (theirs.unwrap().blocks(), ours.unwrap().blocks());
            assert!(ours <= theirs.max(128) * 2, "holes were written: {ours} sectors, {theirs} on the image");
        });
    });
}

#[track_caller]
fn fill(mounted: &Mounted) {
    let ran = run(system("bash").args(["-ec", FILL, "bash"]).arg(mounted.path()), b"");
    // `fallocate` fails where there are no extents, which is no fault of the recipe.
    assert!(ran.stderr.is_empty(), "{ran:?}");
    assert!(mounted.join("empty").metadata().unwrap().mtime() == 1_580_608_922, "the recipe did not reach its end");
}

/// rsync, asked what it would change in the copy, names nothing.
#[track_caller]
fn same_for_rsync(source: &Path, copy: &Path) {
    let mut rsync = system("rsync");
    rsync.args(["-aHAXSnic", "--delete", "--numeric-ids", "--modify-window=-1", "--exclude=/.offmount"]);
    let changes = run(rsync.arg(source.join("")).arg(copy), b"").exits(0);
    assert!(changes.stdout.is_empty() && changes.stderr.is_empty(), "rsync would change: {changes:?}");
}

/// What rsync does not compare, or not always: link counts, and the nanoseconds of links and folders.
#[track_caller]
fn same_listing(source: &Path, copy: &Path) {
    let [theirs, ours] = [source, copy].map(|root| {
        let format = "%P\t%y\t%m\t%U:%G\t%T@\t%l";
        let find = ["-path", "./.offmount", "-prune", "-o", "-type", "d", "-printf"];
        let folders =
            run(system("find").arg(".").args(find).arg(format!("{format}\\0")).current_dir(root), b"").exits(0);
        let find = ["-path", "./.offmount", "-prune", "-o", "-not", "-type", "d", "-printf"];
        let others =
            run(system("find").arg(".").args(find).arg(format!("{format}\t%n\\0")).current_dir(root), b"").exits(0);
        let all = [folders.stdout, others.stdout].concat();
        let mut lines: Vec<String> = all.split(|&b| b == 0).map(|line| line.escape_ascii().to_string()).collect();
        lines.sort();
        lines
    });
    let differ: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).take(5).collect();
    assert!(differ.is_empty(), "not in the copy: {differ:#?}");
    assert_eq!(theirs.len(), ours.len());
}

#[test]
fn ext4() {
    copy_equals_mount(&["-t", "ext4"]);
}

#[test]
fn ext4_of_1k_blocks() {
    copy_equals_mount(&["-t", "ext4", "-b", "1024"]);
}

#[test]
fn ext4_inline_data() {
    copy_equals_mount(&["-t", "ext4", "-O", "inline_data"]);
}

#[test]
fn ext4_bigalloc() {
    copy_equals_mount(&["-t", "ext4", "-O", "bigalloc", "-C", "16384", "-N", "4000"]);
}

#[test]
fn ext4_meta_bg_without_checksums() {
    copy_equals_mount(&["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,^metadata_csum"]);
}

#[test]
fn ext4_ea_inode() {
    copy_equals_mount(&["-t", "ext4", "-O", "ea_inode,large_dir"]);
}

#[test]
fn ext3() {
    copy_equals_mount(&["-t", "ext3"]);
}

#[test]
fn ext2() {
    copy_equals_mount(&["-t", "ext2"]);
}
