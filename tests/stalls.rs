//! Lines over which nothing moves any more, though nobody cut them: that is noticed and told, and once the line is mended the
//! copy goes on. A slow line, over which something moves, is left alone.

mod common;
mod copying;
#[path = "servers/far.rs"]
mod far;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::Scratch;
use far::{Far, Machine, wait_until};
use proxy::Way;
use servers::{Server, free_ports, rclone_webdav};
use sshd::Sshd;

/// Large enough to be stopped in the middle, and small ones beside it.
const MANY: &str =
    "head -c 30000000 /dev/urandom > large; for i in $(seq 40); do head -c 90000 /dev/urandom > f$i; done";

/// The line stops in the middle of a copy; it is told, and when the line is mended the copy goes on.
#[track_caller]
fn a_stall_is_noticed(far: &Far, way: Way) {
    let machine = Machine::new(MANY);
    let mut child = machine.begin(far, &["--stall", "3s"]);
    wait_until("bytes", &mut child, || far.proxy.sent() > 6_000_000);
    far.proxy.goes(way);
    wait_until("words", &mut child, || machine.said().contains("trying again"));
    // What was swallowed is missing from what comes after it.
    far.proxy.cut();
    far.proxy.goes(Way::Open);
    assert!(child.wait().unwrap().success(), "{way:?}: {}", machine.said());
    machine.verify(far);
}

/// All of it takes many times longer than a connection may stand still.
#[track_caller]
fn a_slow_line_is_left_alone(far: &Far) {
    let machine = Machine::new("head -c 7000000 /dev/urandom > large; head -c 200000 /dev/urandom > small");
    far.proxy.goes(Way::Trickles);
    let began = Instant::now();
    let mut child = machine.begin(far, &["--stall", "5s"]);
    assert!(child.wait().unwrap().success(), "{}", machine.said());
    assert!(began.elapsed() > Duration::from_secs(10), "it was not slow");
    assert!(!machine.said().contains("trying again"), "{}", machine.said());
    far.proxy.goes(Way::Open);
    machine.verify(far);
}

/// All three side by side: they wait, mostly.
fn each(far: impl Fn(&str) -> Far + Sync) {
    std::thread::scope(|scope| {
        scope.spawn(|| a_stall_is_noticed(&far("swallowed"), Way::Swallows));
        scope.spawn(|| a_stall_is_noticed(&far("standing"), Way::Stands));
        scope.spawn(|| a_slow_line_is_left_alone(&far("slow")));
    });
}

#[test]
fn sftp() {
    let (sshd, there) = (Sshd::start(), Scratch::new());
    each(|name| Far::sftp(&sshd, &there.join(name)));
}

static SWIFT: OnceLock<Server> = OnceLock::new();

#[test]
fn swift() {
    let server = SWIFT.get_or_init(servers::swift);
    each(|name| Far::swift(server, &format!("{name}/below")));
}

#[test]
fn s3() {
    let server = SWIFT.get_or_init(servers::swift);
    each(|name| Far::s3(server, name));
}

#[test]
fn webdav() {
    let (served, port) = (Scratch::new(), free_ports(1));
    let _server = rclone_webdav(served.path(), port);
    each(|name| Far::webdav(port, served.path(), name));
}
