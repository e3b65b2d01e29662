//! What the tests of copying share: images with everything a kernel can put on them, and copying through the library.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use offmount::copy::{Destination, Error, Hashes, Order, Outcome, Part, Request, Selection, run};
use offmount::manifest::{Image, Line, Record, parse};
use offmount::progress::Silent;
use offmount::server::Server;
use offmount::survey::{SourceOptions, SurveyOptions, open_source, survey};

use crate::common::{Mounted, Scratch, system, tool};

/// Copies an image with the request that `change` makes of the plain one.
pub fn copy_with(
    image: &Path,
    destination: Destination,
    change: impl FnOnce(&mut Request<'_>),
) -> Result<Outcome, Error> {
    let opened = open_source(image, &SourceOptions::default()).expect("an image that can be opened");
    let disk = survey(opened.source.clone(), &SurveyOptions::default(), &Silent).expect("a source");
    let server = Server::assemble(disk, &Silent).expect("a source");
    let mut parts = Vec::new();
    for place in server.layout() {
        let volume = server.volume(place.volume);
        let Some(tree) = server.tree(place.volume, &Silent).expect("a source") else { continue };
        let (name, start) = (volume.name.clone(), volume.span.start);
        parts.push(Part { tree, volume: name, start, at: place.at, source: Vec::new() });
    }
    if let [only] = &mut parts[..] {
        only.at.clear();
    }
    let mut request = Request {
        parts,
        selection: Selection::default(),
        hashes: Hashes::default(),
        overwrite: false,
        dry_run: false,
        order: Order::Physical,
        deadline: None,
        bandwidth: None,
        patience: offmount::copy::PATIENCE,
        checkpoint: offmount::copy::CHECKPOINT,
        pack: None,
        threads: Some(2),
        check_space: true,
        image: Image::default(),
        image_path: Some(image.to_owned()),
        options: BTreeMap::new(),
    };
    change(&mut request);
    run(&request, destination, &Silent, &mut |_| {})
}

/// Copies all of an image to a directory.
pub fn copy(image: &Path, to: &Path) -> Outcome {
    copy_with(image, Destination::Directory(to.to_owned()), |_| {}).expect("a run that begins")
}

/// The records of a copy's manifest.
pub fn records(copy: &Path) -> Vec<Record> {
    let manifest = std::fs::read(copy.join(".offmount/manifest.jsonl")).expect("a manifest");
    let lines = manifest.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| if let Line::Record(record) = parse(line) { Some(*record) } else { None }).collect()
}

/// The record of one path.
pub fn record(copy: &Path, path: &str) -> Record {
    let found = records(copy).into_iter().find(|record| record.path == path.as_bytes());
    found.unwrap_or_else(|| panic!("no record of {path}"))
}

/// An ext4 that the kernel filled by `script`, a shell script run in its root.
pub fn ext4(scratch: &Scratch, size: u64, script: &str) -> PathBuf {
    let image = scratch.sparse("image.ext4", size);
    tool("mkfs.ext4", &[OsStr::new("-q"), OsStr::new("-Fb4096"), image.as_os_str()]);
    let mounted = Mounted::writable(&image, "");
    let shell = crate::common::run(system("bash").args(["-euc", script]).current_dir(mounted.path()), b"");
    assert_eq!(shell.code, 0, "{shell:?}");
    image
}

/// A shell script that makes one of everything.
pub const EVERYTHING: &str = r#"
mkdir -p etc/deep/er empty home/alice var/log "sp ace"
printf 'root:x:0:0\n' > etc/passwd
head -c 3000000 /dev/urandom > home/alice/big
for i in $(seq 400); do head -c $((i * 37 % 9000)) /dev/urandom > var/log/f$i; done
touch etc/nothing
cp /bin/true home/alice/suid; chown 1000:1001 home/alice/suid; chmod 6755 home/alice/suid
setcap cap_net_raw+ep var/log/f7
ln etc/passwd etc/deep/er/hard; ln etc/passwd hard2
ln -s ../etc/passwd etc/soft; ln -s /nowhere/$(printf 'x%.0s' $(seq 200)) etc/long
chown -h 1000:1000 etc/soft; touch -h -d '2001-02-03 04:05:06.123456789' etc/soft
ln etc/soft etc/soft-hard
mkfifo home/alice/pipe; chmod 640 home/alice/pipe; mknod home/alice/null c 1 3; mknod home/alice/disk b 259 70000
chmod 600 home/alice/disk; chown 5:6 home/alice/null
python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind("home/alice/sock")'
setfattr -n user.tag -v "va lue" etc/passwd; setfattr -n user.dir -v x home; setfattr -n trusted.t -v y etc
setfattr -h -n trusted.link -v z etc/soft
setfacl -m u:1000:rwx,g:4:r etc/nothing; setfacl -d -m u:1000:rx home; setfacl -m u:33:rwx home/alice
truncate -s 50000000 home/alice/sparse; printf middle | dd of=home/alice/sparse bs=1 seek=20000000 conv=notrunc status=none
truncate -s 7777777 home/alice/hole
fallocate -l 1000000 home/alice/prealloc; printf begin | dd of=home/alice/prealloc conv=notrunc status=none
printf 1 > $'home/alice/new\nline'; printf 2 > $'home/alice/back\\slash'; printf 3 > $'home/alice/latin\xe9'
printf 4 > $'home/alice/cr\r'; printf 5 > $'sp ace/ lead'; printf 6 > "home/alice/Grüße"; printf 7 > home/alice/-dash
printf 8 > home/alice/$(printf 'n%.0s' $(seq 255))
chmod 0 home/alice/-dash; chmod 4711 home/alice/Grüße
touch -d '1931-05-06 07:08:09.5' etc/nothing; touch -d '2380-01-01 00:00:00.000000001' var/log/f1
touch -d '1999-12-31 23:59:59.999999999' var/log/f2 home/alice; chmod 1777 empty; chmod 2750 var; chown 0:4 var
chmod 555 etc/deep/er; touch -d '2010-10-10 10:10:10.1' etc/deep/er etc empty .
"#;

/// What rsync would change of `copy` to make it like `original`, in its own words: nothing, if they are the same.
pub fn rsync_differences(original: &Path, copy: &Path) -> String {
    rsync_differences_but(original, copy, &[])
}

/// The same, but for paths that match one of `excluded`.
pub fn rsync_differences_but(original: &Path, copy: &Path, excluded: &[&str]) -> String {
    let mut command = system("rsync");
    command.args(["-aHAXSnic", "--delete", "--exclude=/.offmount", "--exclude=/lost+found", "--numeric-ids"]);
    command.args(excluded.iter().map(|path| format!("--exclude={path}")));
    for path in [original, copy] {
        let mut with_slash = path.as_os_str().to_owned();
        with_slash.push("/");
        command.arg(with_slash);
    }
    let ran = crate::common::run(&mut command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
