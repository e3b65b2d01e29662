//! Two machines copy to the same place at once: neither loses what the other has on record.

mod common;
mod copying;
#[path = "servers/far.rs"]
mod far;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Scratch, run, system};
use far::{Far, Machine, wait_until};
use proxy::Way;
use sshd::Sshd;

/// What one machine copies, and what the other.
const FILES: &str = "mkdir one two; for i in $(seq 30); do head -c 200000 /dev/urandom > one/f$i; done; \
                     for i in $(seq 10); do head -c 100000 /dev/urandom > two/f$i; done";

/// How the one copies, and how the other.
const ONE: [&str; 4] = ["--exclude=two", "--bwlimit=2MiB", "--checkpoint=1s", "--hash=md5"];
const TWO: [&str; 3] = ["--exclude=one", "--bwlimit=500KiB", "--hash=sha256"];

/// Which of them ends first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    One,
    Two,
}

/// Two machines that have copied at once: each was held back by its own way there, until the other one had ended.
#[track_caller]
fn at_once(to_one: &Far, to_two: &Far, first: First) -> [Machine; 2] {
    let one = Machine::new(FILES);
    let two = one.beside();
    let mut slow = one.begin(to_one, &ONE);
    wait_until("bytes of the one", &mut slow, || to_one.proxy.sent() > 1_000_000);
    to_one.proxy.goes(Way::Stands);
    let mut other = two.begin(to_two, &TWO);
    wait_until("bytes of the other", &mut other, || to_two.proxy.sent() > 200_000);
    if first == First::One {
        to_two.proxy.goes(Way::Stands);
        to_one.proxy.goes(Way::Open);
    }
    let (mut first, mut last) = match first {
        First::One => ((&one, slow), (&two, other)),
        First::Two => ((&two, other), (&one, slow)),
    };
    assert!(first.1.wait().unwrap().success(), "{}", first.0.said());
    assert!(last.1.try_wait().unwrap().is_none());
    [to_one, to_two].iter().for_each(|far| far.proxy.goes(Way::Open));
    assert!(last.1.wait().unwrap().success(), "{}", last.0.said());
    let said = last.0.said();
    assert!(said.contains("another run ended in the same place meanwhile"), "{said}");
    [one, two]
}

/// Side by side: they wait, mostly.
fn each_order(copy: impl Fn(First) + Sync) {
    std::thread::scope(|scope| {
        let copy = &copy;
        [First::One, First::Two].into_iter().for_each(|first| drop(scope.spawn(move || copy(first))));
    });
}

/// Both of them have records of all that either copied, and all of it is there.
#[track_caller]
fn all_is_on_record(machines: &[Machine], far: &Far) {
    for machine in machines {
        machine.verify(far);
        let again = machine.copy(far, &[]).exits(0);
        assert!(again.text().contains("40 already there"), "{again:?}");
        machine.verify(far);
    }
}

/// The names in a file of sums; all of them are right.
fn names_in(sums: &str, program: &str, copy: &Path) -> BTreeSet<String> {
    let sums = copy.join(".offmount").join(sums);
    run(system(program).args(["--quiet", "-c"]).arg(&sums).current_dir(copy), b"").exits(0);
    fs::read_to_string(sums).unwrap().lines().map(|line| line[line.find("  ").unwrap() + 2..].to_owned()).collect()
}

#[test]
fn sftp() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    each_order(|first| {
        let copy = there.join(format!("{first:?}"));
        let (to_one, to_two) = (Far::sftp(&sshd, &copy), Far::sftp(&sshd, &copy));
        let machines = at_once(&to_one, &to_two, first);
        let all = names_in("B3SUMS", "b3sum", &copy);
        assert_eq!(all.len(), 40);
        let of = |top: &str| all.iter().filter(|name| name.starts_with(top)).cloned().collect::<BTreeSet<_>>();
        assert_eq!(names_in("MD5SUMS", "md5sum", &copy), of("one/"));
        assert_eq!(names_in("SHA256SUMS", "sha256sum", &copy), of("two/"));
        all_is_on_record(&machines, &to_one);
    });
}

#[test]
fn swift() {
    let server = servers::swift();
    each_order(|first| {
        let place = format!("both/{first:?}");
        let (to_one, to_two) = (Far::swift(&server, &place), Far::swift(&server, &place));
        all_is_on_record(&at_once(&to_one, &to_two, first), &to_one);
    });
}

/// What is on record there of a run that is at work.
fn pieces(copy: &Path) -> BTreeSet<String> {
    let own = fs::read_dir(copy.join(".offmount")).into_iter().flatten().flatten();
    own.filter_map(|it| it.file_name().into_string().ok()).filter(|name| name.starts_with("running.")).collect()
}

/// The other one can not know whether the one lives whose records it finds half done, takes them over and clears them away.
#[test]
fn what_another_machine_cleared_away_is_put_on_record_again() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    let copy = there.join("copy");
    let (to_one, to_two) = (Far::sftp(&sshd, &copy), Far::sftp(&sshd, &copy));
    let one = Machine::new(FILES);
    // So slow that it is lost long before its end.
    let slowly = ["--exclude=two", "--bwlimit=200KiB", "--checkpoint=1s"];
    let mut slow = one.begin(&to_one, &slowly);
    wait_until("records", &mut slow, || !pieces(&copy).is_empty());
    let before = pieces(&copy);
    one.beside().copy(&to_two, &["--exclude=one"]).exits(0);
    wait_until("the same records", &mut slow, || pieces(&copy).is_superset(&before));
    assert!(to_one.on_record("manifest").starts_with("{\"manifest\":"));
    one.lose(slow);
    one.copy(&to_one, &["--exclude=two"]).exits(0);
    assert_eq!(pieces(&copy), BTreeSet::new());
    one.verify(&to_one);
}

/// The one has half of a large file there when the other begins, which clears away what it knows nothing of and sends the file
/// itself. What the one then gives its name is its own, whole, and not what the other has sent so far.
#[test]
fn a_large_file_that_both_send_is_whole() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    let copy = there.join("copy");
    let (to_one, to_two) = (Far::sftp(&sshd, &copy), Far::sftp(&sshd, &copy));
    let one = Machine::new("head -c 20000000 /dev/urandom > large; head -c 100000 /dev/urandom > small");
    let two = one.beside();
    let mut slow = one.begin(&to_one, &["--bwlimit=6MiB"]);
    wait_until("bytes of the one", &mut slow, || to_one.proxy.sent() > 8_000_000);
    to_one.proxy.goes(Way::Stands);
    let mut other = two.begin(&to_two, &["--bwlimit=6MiB", "--exclude=small"]);
    wait_until("bytes of the other", &mut other, || to_two.proxy.sent() > 4_000_000);
    to_two.proxy.goes(Way::Stands);
    to_one.proxy.goes(Way::Open);
    assert!(slow.wait().unwrap().success(), "{}", one.said());
    one.verify(&to_one);
    to_two.proxy.goes(Way::Open);
    // It came too late, and says so.
    assert_eq!(other.wait().unwrap().code(), Some(1), "{}", two.said());
    assert!(two.said().contains("large: ") && two.said().contains("was kept"), "{}", two.said());
    // What stands there is on record all the same: the other's.
    assert_eq!(names_in("B3SUMS", "b3sum", &copy), BTreeSet::from(["large".to_owned(), "small".to_owned()]));
    two.copy(&to_two, &[]).exits(0);
    two.verify(&to_two);
}

/// Another machine that begins clears away what it finds half sent, manifests too.
#[track_caller]
fn a_manifest_is_sent_again(far: &Far, to_two: &Far, temporaries: &Path) {
    let one = Machine::new("for i in $(seq 300); do echo $i > f$i; done");
    one.copy(far, &[]).exits(0);
    far.proxy.goes(Way::Trickles);
    let mut again = one.begin(far, &[]);
    let is_on_its_way = || fs::read_dir(temporaries).is_ok_and(|mut held| held.next().is_some());
    wait_until("a manifest", &mut again, is_on_its_way);
    far.proxy.goes(Way::Stands);
    one.beside().copy(to_two, &["--exclude=f*"]).exits(0);
    far.proxy.goes(Way::Open);
    assert!(again.wait().unwrap().success(), "{}", one.said());
    one.verify(far);
}

#[test]
fn a_manifest_that_was_cleared_away_on_its_way_is_sent_again() {
    let (sshd, served, port) = (Sshd::start(), Scratch::new(), servers::free_ports(1));
    let _server = servers::rclone_webdav(served.path(), port);
    let copy = served.join("sftp");
    a_manifest_is_sent_again(&Far::sftp(&sshd, &copy), &Far::sftp(&sshd, &copy), &copy.join(".offmount/tmp"));
    let temporaries = served.join("webdav/.offmount/tmp");
    a_manifest_is_sent_again(
        &Far::webdav(port, served.path(), "webdav"),
        &Far::webdav(port, served.path(), "webdav"),
        &temporaries,
    );
}
