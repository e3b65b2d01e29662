//! Lists for examiners' tools, judged by those tools.

mod common;
mod copying;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;

use common::{Scratch, offmount, run, system, testdata, tool, untouched};
use copying::{EVERYTHING, copy_with, ext4};
use offmount::copy::Destination;
use offmount::manifest::Algorithm;

/// The lines of a body file by name: all fields but the hash.
fn body(text: &[u8]) -> BTreeMap<String, Vec<String>> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let fields: Vec<String> = line.split('|').map(str::to_owned).collect();
        (fields[1].clone(), fields[2..].to_vec())
    };
    text.lines().map(line).collect()
}

#[test]
fn a_body_file_says_what_fls_says() {
    let scratch = Scratch::new();
    let script = r#"mkdir -p a/b; echo 1 > a/one; chmod 4755 a/one; ln -s one a/link; mkfifo a/pipe; mknod a/null c 1 3
        chmod 1777 a/b; chown 5:6 a/one; touch -d 2001-02-03T04:05:06Z a/one; ln a/one a/b/two; chmod 2644 a/pipe"#;
    let image = ext4(&scratch, 64 << 20, script);
    let ours = untouched(&image, |image| offmount(&["export", "--format", "bodyfile", image.to_str().unwrap()]));
    assert_eq!(ours.code, 0, "{ours:?}");
    let ours = body(&ours.stdout);
    let theirs = body(&tool("fls", &["-r", "-p", "-m", "/", image.to_str().unwrap()]));
    let mut compared = 0;
    for (name, fields) in &ours {
        let Some(theirs) = theirs.get(name) else {
            // fls lists no root directory, and puts no slash between the mount point and a name.
            assert!(name == "/", "fls does not list {name}");
            continue;
        };
        assert_eq!(fields, theirs, "{name}");
        compared += 1;
    }
    assert!(compared >= 7, "{ours:?}");
    let listed = run(system("mactime").args(["-y", "-d"]), &tool("fls", &["-r", "-m", "/", image.to_str().unwrap()]));
    assert_eq!(listed.code, 0, "{listed:?}");
}

#[test]
fn hashdeep_finds_a_copy_as_listed_and_a_changed_one_not() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 128 << 20, EVERYTHING);
    let to = scratch.join("copy");
    let hashes = |request: &mut offmount::copy::Request<'_>| {
        request.hashes.add(Algorithm::Sha256);
        request.hashes.add(Algorithm::Md5);
    };
    copy_with(&image, Destination::Directory(to.clone()), hashes).unwrap();
    let listed = offmount(&["export", to.to_str().unwrap(), "--format", "hashdeep"]);
    assert_eq!(listed.code, 1, "two names hold a newline or a return, which hashdeep's list can not: {listed:?}");
    let list = scratch.join("list");
    fs::write(&list, &listed.stdout).unwrap();
    fs::remove_dir_all(to.join(".offmount")).unwrap();
    fs::remove_file(to.join("home/alice/new\nline")).unwrap();
    fs::remove_file(to.join("home/alice/cr\r")).unwrap();
    let audit = || {
        let script = "find . -type f -print0 | xargs -0 hashdeep -l -a -v -k \"$1\"";
        run(system("bash").args(["-c", script, "audit"]).arg(&list).current_dir(&to), b"")
    };
    let whole = audit();
    assert!(whole.text().contains("Audit passed"), "{whole:?}");
    fs::write(to.join("var/log/f9"), "changed").unwrap();
    assert!(audit().text().contains("Audit failed"));
}

#[test]
fn byte_runs_lead_to_the_contents() {
    let scratch = Scratch::new();
    let image = ext4(
        &scratch,
        64 << 20,
        "seq 30000 > numbers; truncate -s 100000 hole; echo end >> hole; printf '<&>' > '<&>'",
    );
    let ran = offmount(&["export", "--format", "dfxml", image.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // An XML reader of its own, which stops at anything that is not well formed.
    let script = r#"
import sys, xml.etree.ElementTree as tree
space = '{http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML}'
for file in tree.parse(sys.stdin).getroot().iter(space + 'fileobject'):
    runs = ','.join('%s:%s:%s' % (run.get('file_offset'), run.get('img_offset'), run.get('len')) for run in file.iter(space + 'byte_run'))
    print(file.find(space + 'filename').text, file.find(space + 'filesize').text, runs)
"#;
    let read = run(system("python3").args(["-c", script]), &ran.stdout);
    assert_eq!(read.code, 0, "{read:?}");
    assert!(read.lines().iter().any(|line| line.starts_with("<&> 3 ")), "{read:?}");
    for (name, wanted) in [
        ("numbers", tool("seq", &["30000"])),
        ("hole", {
            let mut bytes = vec![0; 100_000];
            bytes.extend_from_slice(b"end\n");
            bytes
        }),
    ] {
        let line = read.lines().into_iter().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_owned();
        let fields: Vec<&str> = line.split(' ').collect();
        let mut bytes = vec![0; fields[1].parse().unwrap()];
        let disk = fs::File::open(&image).unwrap();
        for run in fields[2].split(',') {
            let numbers: Vec<u64> = run.split(':').map(|number| number.parse().unwrap()).collect();
            let [logical, place, len] = numbers[..] else { panic!("{run}") };
            let end = (logical + len).min(bytes.len() as u64) as usize;
            disk.read_exact_at(&mut bytes[logical as usize..end], place).unwrap();
        }
        assert_eq!(bytes, wanted, "{name}");
    }
}

#[test]
fn csv_is_read_by_others_and_hashes_are_asked_for() {
    let image = testdata("server.img");
    let ran = offmount(&["export", image.to_str().unwrap(), "/etc", "--format", "csv"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let script = "import csv, sys; rows = list(csv.DictReader(sys.stdin)); print(sorted(row['path'] for row in rows)[:2], {len(row) for row in rows})";
    let read = run(system("python3").args(["-c", script]), &ran.stdout);
    assert_eq!(read.text(), "['.', 'etc'] {21}\n");
    let refused = offmount(&["export", image.to_str().unwrap(), "--format", "hashdeep"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--hash sha256"), "{refused:?}");
}
