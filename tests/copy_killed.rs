//! A copy that is killed leaves no half file under a final name, and the next one goes on where it stopped.

mod common;
mod copying;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use common::{Mounted, Scratch, offmount, system};
use copying::{ext4, rsync_differences};

const MIB: u64 = 1 << 20;

/// Regular files below a directory, without offmount's own.
fn files(top: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_file() {
                found.push(entry.path());
            } else if kind.is_dir() && entry.file_name() != ".offmount" {
                open.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn killed_at_any_moment() {
    let scratch = Scratch::new();
    let script = "for d in $(seq 20); do mkdir d$d; for i in $(seq 60); do head -c $((i * 1013 % 60000)) /dev/urandom > d$d/f$i; \
                  done; ln d$d/f1 d$d/again; ln -s f2 d$d/link; done; head -c 20000000 /dev/urandom > big; \
                  touch -d 2001-02-03 d*/* d*";
    let image = ext4(&scratch, 192 * MIB, script);
    let mounted = Mounted::read_only(&image, "noload");
    let whole: BTreeMap<PathBuf, Vec<u8>> = files(mounted.path())
        .into_iter()
        .map(|path| (path.strip_prefix(mounted.path()).unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let began = Instant::now();
    offmount(&["copy", image_text, "--quiet", "--threads", "2", "--to", scratch.join("timed").to_str().unwrap()])
        .exits(0);
    let takes = began.elapsed();
    let mut there = 0;
    for round in 1..=12 {
        let mut child = system(env!("CARGO_BIN_EXE_offmount"))
            .args(["copy", "--quiet", "--threads", "2", "--to"])
            .args([&to, &image])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(takes * round / 13);
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        if !to.exists() {
            continue;
        }
        let found = files(&to);
        assert!(found.len() >= there, "what was there is gone");
        there = found.len();
        for path in found {
            let name = path.strip_prefix(&to).unwrap();
            assert!(fs::read(&path).unwrap() == whole[name], "{} is not whole", name.display());
        }
    }
    assert!(there > 0, "no round lasted long enough to copy a file");
    let to_text = to.to_str().unwrap();
    offmount(&["copy", image_text, "--quiet", "--to", to_text]).exits(0);
    assert_eq!(rsync_differences(mounted.path(), &to), "");
    offmount(&["verify", to_text]).exits(0);
    let own: Vec<_> = fs::read_dir(to.join(".offmount")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(own.len(), 2, "the manifest and one list of sums: {own:?}");
}

#[test]
fn without_root_what_is_not_ours_to_give_is_counted_and_the_rest_is_right() {
    let scratch = Scratch::new();
    let script = "mkdir -m 555 ro; echo 1 > ro/x; echo 2 > suid; chown 1:1 suid; chmod 6755 suid; mknod null c 1 3; \
                  mkfifo pipe; mkdir -m 0 closed; echo 3 > closed/y; chown -R 65534:65534 ro pipe closed; \
                  setfattr -n user.a -v b ro/x; setfattr -n trusted.a -v b ro/x; ln ro/x again";
    let image = ext4(&scratch, 32 * MIB, script);
    let (image, program) = (image.to_str().unwrap(), env!("CARGO_BIN_EXE_offmount"));
    // The test's own folders are closed to others.
    common::tool("chmod", &["755", scratch.path().to_str().unwrap()]);
    let to = scratch.dir("copy");
    common::tool("chown", &["65534:65534", to.to_str().unwrap()]);
    let as_nobody = |program: &str, args: &[&str]| {
        common::run(
            system("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", program]).args(args),
            b"",
        )
    };
    if as_nobody(program, &["--version"]).code != 0 {
        return common::skipped("the program lies where nobody else can run it");
    }
    let to_text = to.to_str().unwrap();
    let ran = as_nobody(program, &["copy", image, "--to", to_text]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.text().contains("null") && ran.text().contains("needs root"), "{ran:?}");
    let listed = common::run(
        system("find").args([".", "-not", "-path", "./.offmount*", "-printf", "%P %m %U\\n"]).current_dir(&to),
        b"",
    );
    let mut lines = listed.lines();
    lines.sort_unstable();
    let expected = [
        " 755 65534",
        "again 644 65534",
        "closed 0 65534",
        "closed/y 644 65534",
        "lost+found 700 65534",
        "pipe 644 65534",
        "ro 555 65534",
        "ro/x 644 65534",
        "suid 755 65534",
    ];
    assert_eq!(lines, expected);
    let again = as_nobody(program, &["copy", image, "--to", to_text]);
    assert_eq!(again.code, 1, "{again:?}");
    let verified = as_nobody(program, &["verify", to_text]);
    assert!(verified.code == 1 && verified.text().contains("closed/y: can not be read"), "{verified:?}");
}

#[test]
fn a_large_file_goes_on_where_a_killed_run_left_it() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 256 * MIB, "head -c 150000000 /dev/urandom > large; echo 1 > small");
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let mut child = system(env!("CARGO_BIN_EXE_offmount"))
        .args(["copy", "--quiet", image_text, "--to", to.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let half = || {
        fs::read_dir(to.join(".offmount/tmp"))
            .ok()?
            .flatten()
            .find(|it| it.metadata().is_ok_and(|it| it.len() > 40_000_000))
    };
    while half().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it was over before it could be killed");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!to.join("large").exists());
    let traced = scratch.join("trace");
    let ran = common::run(
        system("strace")
            .args(["-f", "-e", "trace=pwrite64", "-o", traced.to_str().unwrap(), env!("CARGO_BIN_EXE_offmount")])
            .args(["copy", "--quiet", image_text, "--to", to.to_str().unwrap()]),
        b"",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let written: u64 = fs::read_to_string(traced)
        .unwrap()
        .lines()
        .filter_map(|line| line.rsplit("= ").next()?.trim().parse::<u64>().ok())
        .sum();
    assert!(written < 150_000_000 - 32_000_000, "{written} bytes were written again");
    let mounted = common::Mounted::read_only(&image, "noload");
    assert_eq!(rsync_differences(mounted.path(), &to), "");
    offmount(&["verify", to.to_str().unwrap()]).exits(0);
    let own: Vec<_> = fs::read_dir(to.join(".offmount")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(own.len(), 2, "the manifest and one list of sums: {own:?}");
}

/// Ctrl-C ends a copy at once and in order: exit code 130, the manifest whole, what is left on record.
#[test]
fn an_interrupted_copy_ends_in_order() {
    let scratch = Scratch::new();
    let script = "for i in $(seq 200); do head -c 100000 /dev/urandom > f$i; done";
    let image = ext4(&scratch, 64 * MIB, script);
    let (to, image_text) = (scratch.join("copy"), image.to_str().unwrap());
    let child = system(env!("CARGO_BIN_EXE_offmount"))
        .args(["copy", "--bwlimit", "2M", image_text, "--to", to.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !to.exists() || files(&to).is_empty() {
        assert!(began.elapsed().as_secs() < 60, "no file comes");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    common::tool("kill", &["-INT", &child.id().to_string()]);
    let asked = Instant::now();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert!(asked.elapsed().as_secs() < 8, "it took {:?} to end", asked.elapsed());

    let there = files(&to).len();
    assert!(there < 200, "it was over before it could be interrupted");
    let manifest = fs::read_to_string(to.join(".offmount/manifest.jsonl")).unwrap();
    let with = |status: &str| manifest.lines().filter(|line| line.contains(&format!(r#""status":"{status}""#))).count();
    assert_eq!(with("left"), 200 - there, "what is left is on record");
    let mounted = Mounted::read_only(&image, "noload");
    for path in files(&to) {
        let name = path.strip_prefix(&to).unwrap();
        assert!(fs::read(&path).unwrap() == fs::read(mounted.join(name)).unwrap(), "{} is not whole", name.display());
    }
    offmount(&["copy", "--quiet", image_text, "--to", to.to_str().unwrap()]).exits(0);
    assert_eq!(rsync_differences(mounted.path(), &to), "");
}

/// A bit flips in what a killed run left of its manifest: it then has a file on record that nobody copied.
#[test]
fn a_damaged_record_of_a_killed_run_is_not_carried_over() {
    let scratch = Scratch::new();
    let image = ext4(&scratch, 16 * MIB, "mkdir d e; echo 1 > d/kept; echo 2 > d/lost; echo 3 > e/other");
    let (to, image) = (scratch.join("copy"), image.to_str().unwrap());
    let to_text = to.to_str().unwrap();
    let copy = |of: &[&str]| offmount(&[&["copy", "--to", to_text, image][..], of].concat()).exits(0);
    copy(&["d"]);
    let own = to.join(".offmount");
    let whole = fs::read_to_string(own.join("manifest.jsonl")).unwrap();
    let (lines, trailer) = whole.trim_end().rsplit_once('\n').unwrap();
    assert!(trailer.contains("ended") && lines.contains(r#""d/lost""#), "{whole}");
    fs::write(own.join("manifest.partial.jsonl"), lines.replace(r#""d/lost""#, r#""d/most""#) + "\n").unwrap();
    fs::remove_file(own.join("manifest.jsonl")).unwrap();

    let ran = copy(&["e"]);
    let paths: Vec<_> = copying::records(&to).into_iter().map(|it| String::from_utf8(it.path).unwrap()).collect();
    let has = |path: &str| paths.iter().any(|it| it == path);
    assert!(has("e/other") && has("d/kept") && !has("d/most"), "{paths:?}");
    assert!(ran.text().contains("1 records that a killed run left"), "{ran:?}");
    copy(&[]);
    offmount(&["verify", to_text]).exits(0);

    // What a run that came to its end put there is missed by who verifies, also after other runs.
    fs::remove_file(to.join("d/kept")).unwrap();
    copy(&["e"]);
    assert!(offmount(&["verify", to_text]).exits(1).text().contains("d/kept"));
}
