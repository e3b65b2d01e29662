//! What comes first in a copy, how long it may take and how fast it may go; and what a plan says of it beforehand.

mod common;
mod copying;

use std::time::{Duration, Instant};

use common::{Scratch, offmount, testdata, untouched};
use copying::{copy_with, ext4, record, records};
use offmount::copy::{Destination, Order, Stopped};
use offmount::manifest::{Record, Status};
use offmount::node::Kind;

const MIB: u64 = 1 << 20;

/// A server in small; the sizes are such that the orders differ.
const SERVER: &str = r#"
mkdir -p usr/bin etc/ssh home/alice/.ssh var/lib/mysql/db var/log var/cache var/www
head -c 300000 /dev/urandom > usr/bin/program; head -c 200000 /dev/urandom > var/cache/thing
head -c 90000 /dev/urandom > var/log/syslog; echo page > var/www/index.html
head -c 50000 /dev/urandom > var/lib/mysql/db/table; head -c 50000 /dev/urandom > var/lib/mysql/ib_logfile0
echo secret > etc/ssh/key; echo secret > home/alice/.ssh/id; echo 127.0.0.1 > etc/hosts
touch -d 2020-01-01 etc/hosts; touch -d 2021-01-01 var/www/index.html; touch -d 2019-01-01 usr/bin/program
touch -d 2018-01-01 var/cache/thing var/log/syslog var/lib/mysql/db/table var/lib/mysql/ib_logfile0 etc/ssh/key home/alice/.ssh/id
"#;

/// Paths of the files of a copy in the order in which they were copied: one thread takes one after the other.
fn order(order: Order) -> Vec<String> {
    let scratch = Scratch::new();
    let (image, to) = (ext4(&scratch, 64 * MIB, SERVER), scratch.join("copy"));
    let outcome = copy_with(&image, Destination::Directory(to.clone()), |request| request.order = order).unwrap();
    assert!(outcome.is_complete(), "{outcome:?}");
    let files = records(&to).into_iter().filter(|record| record.kind == Kind::File);
    files.map(|record| String::from_utf8(record.path).unwrap()).collect()
}

fn at(paths: &[String], path: &str) -> usize {
    paths.iter().position(|it| it == path).unwrap_or_else(|| panic!("{path} is not in {paths:?}"))
}

#[test]
fn worth_brings_keys_first_and_caches_last() {
    let paths = order(Order::Worth);
    let wanted = [
        "etc/ssh/key",
        "etc/hosts",
        "var/lib/mysql/ib_logfile0",
        "var/www/index.html",
        "var/log/syslog",
        "usr/bin/program",
        "var/cache/thing",
    ];
    let places: Vec<usize> = wanted.iter().map(|path| at(&paths, path)).collect();
    assert!(places.is_sorted(), "{paths:?}");
    assert!(at(&paths, "home/alice/.ssh/id") < 2, "{paths:?}");
    assert_eq!(at(&paths, "var/lib/mysql/ib_logfile0").abs_diff(at(&paths, "var/lib/mysql/db/table")), 1);
}

#[test]
fn small_files_first_and_newest_first() {
    let small = order(Order::SmallFirst);
    assert_eq!(&small[small.len() - 2..], ["var/cache/thing", "usr/bin/program"]);
    let newest = order(Order::Newest);
    assert_eq!(&newest[..3], ["var/www/index.html", "etc/hosts", "usr/bin/program"]);
}

#[test]
fn at_the_deadline_what_matters_is_there_and_the_rest_is_listed() {
    let scratch = Scratch::new();
    let (image, to) = (ext4(&scratch, 64 * MIB, SERVER), scratch.join("copy"));
    let began = Instant::now();
    let outcome = untouched(&image, |image| {
        copy_with(image, Destination::Directory(to.clone()), |request| {
            request.order = Order::Worth;
            request.threads = Some(1);
            request.bandwidth = Some(40_000);
            request.deadline = Some(Instant::now() + Duration::from_secs(3));
        })
        .unwrap()
    });
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert_eq!(outcome.stopped, Some(Stopped::Deadline));
    assert!(!outcome.is_complete() && outcome.counts.left > 0);
    assert_eq!(record(&to, "etc/ssh/key").status, Status::Copied);
    let left = record(&to, "usr/bin/program");
    assert_eq!(left.status, Status::Left);
    assert!(!to.join("usr/bin/program").exists(), "no half file stands under its name");

    // Run again: what is there stays, the rest follows.
    let outcome = copy_with(&image, Destination::Directory(to.clone()), |_| {}).unwrap();
    assert!(outcome.is_complete() && outcome.counts.already_there > 0, "{outcome:?}");
    assert!(to.join("usr/bin/program").exists());
}

#[test]
fn a_copy_goes_no_faster_than_asked() {
    let scratch = Scratch::new();
    let (image, to) = (ext4(&scratch, 64 * MIB, SERVER), scratch.join("copy"));
    let outcome = copy_with(&image, Destination::Directory(to), |request| request.bandwidth = Some(300_000)).unwrap();
    assert!(outcome.is_complete());
    // The first second's worth may go at once.
    let least = (outcome.counts.bytes as f64 - 300_000.0) / 300_000.0;
    assert!(outcome.seconds >= least, "{} bytes in {} s", outcome.counts.bytes, outcome.seconds);
}

#[test]
fn a_plan_counts_what_a_copy_copies() {
    let scratch = Scratch::new();
    let (image, to) = (ext4(&scratch, 64 * MIB, SERVER), scratch.join("copy"));
    let outcome = copying::copy(&image, &to);
    let planned = untouched(&image, |image| {
        offmount(&["plan", "--json", "--rate", "100KiB", "--deadline", "1s", image.to_str().unwrap()])
    });
    assert_eq!(planned.code, 0, "{planned:?}");
    let lines: Vec<serde_json::Value> =
        planned.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = lines.last().unwrap();
    assert_eq!(sum["bytes"].as_u64(), Some(outcome.counts.bytes));
    assert_eq!(sum["fitting_bytes"].as_u64(), Some(102_400));
    let is_no_directory = |record: &&Record| record.kind != Kind::Directory;
    assert_eq!(sum["files"].as_u64(), Some(records(&to).iter().filter(is_no_directory).count() as u64));
    let groups: Vec<&str> = lines.iter().filter_map(|line| line["group"].as_str()).collect();
    assert_eq!(groups, ["keys", "config", "databases", "www", "logs", "system", "caches"]);
}

#[test]
fn a_plan_names_paths_that_are_not_there() {
    let image = testdata("server.img");
    let ran = offmount(&["plan", image.to_str().unwrap(), "/no/such/path"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("no such file"), "{ran:?}");
}
