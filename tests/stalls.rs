//! Lines over which nothing moves any more, though nobody cut them: that is noticed and told, and once the line is mended the
//! copy goes on. A slow line, over which something moves, is left alone.

mod common;
mod copying;
#[path = "servers/proxy.rs"]
mod proxy;
mod servers;
#[path = "servers/sshd.rs"]
mod sshd;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::{Scratch, run, system};
use copying::ext4;
use proxy::{Proxy, Way};
use servers::{Server, free_ports, rclone, rclone_webdav};
use sshd::Sshd;

const MIB: u64 = 1 << 20;

/// How a destination is reached through a proxy.
struct Far {
    proxy: Proxy,
    url: String,
    settings: Vec<(&'static str, String)>,
}

struct Case {
    scratch: Scratch,
    image: PathBuf,
}

impl Case {
    fn new(files: &str) -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 96 * MIB, files);
        Case { scratch, image }
    }

    fn offmount(&self, far: &Far, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        command.env("NO_COLOR", "1").envs(far.settings.iter().map(|(name, value)| (*name, value)));
        command
    }

    fn copy(&self, far: &Far, stall: &str) -> Child {
        let image = self.image.to_str().unwrap();
        let mut command = self.offmount(far, &["copy", image, "--to", &far.url, "--stall", stall]);
        let said = File::create(self.scratch.join("said")).unwrap();
        let both = said.try_clone().unwrap();
        command.stdin(Stdio::null()).stdout(both).stderr(said).spawn().expect("the program")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.scratch.join("said")).unwrap_or_default()
    }

    #[track_caller]
    fn verify(&self, far: &Far) {
        run(&mut self.offmount(far, &["verify", "--to", &far.url]), b"").exits(0);
    }
}

#[track_caller]
fn wait_until(what: &str, child: &mut Child, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "{what}: the run ended");
        assert!(began.elapsed() < Duration::from_secs(120), "{what}: it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Large enough to be stopped in the middle, and small ones beside it.
const MANY: &str =
    "head -c 30000000 /dev/urandom > large; for i in $(seq 40); do head -c 90000 /dev/urandom > f$i; done";

/// The line stops in the middle of a copy; it is told, and when the line is mended the copy goes on.
#[track_caller]
fn a_stall_is_noticed(far: &Far, way: Way) {
    let case = Case::new(MANY);
    let mut child = case.copy(far, "3s");
    wait_until("bytes", &mut child, || far.proxy.sent() > 6_000_000);
    far.proxy.goes(way);
    wait_until("words", &mut child, || case.said().contains("trying again"));
    // What was swallowed is missing from what comes after it.
    far.proxy.cut();
    far.proxy.goes(Way::Open);
    assert!(child.wait().unwrap().success(), "{way:?}: {}", case.said());
    case.verify(far);
}

/// All of it takes many times longer than a connection may stand still.
#[track_caller]
fn a_slow_line_is_left_alone(far: &Far) {
    let case = Case::new("head -c 7000000 /dev/urandom > large; head -c 200000 /dev/urandom > small");
    far.proxy.goes(Way::Trickles);
    let began = Instant::now();
    let mut child = case.copy(far, "5s");
    assert!(child.wait().unwrap().success(), "{}", case.said());
    assert!(began.elapsed() > Duration::from_secs(10), "it was not slow");
    assert!(!case.said().contains("trying again"), "{}", case.said());
    far.proxy.goes(Way::Open);
    case.verify(far);
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
    each(|name| {
        let proxy = Proxy::before(sshd.port);
        let url = sshd.url(proxy.port, &there.join(name));
        Far { proxy, url, settings: vec![("OFFMOUNT_SSH", sshd.ssh("ssh"))] }
    });
}

static SWIFT: OnceLock<Server> = OnceLock::new();

#[test]
fn swift() {
    let server = SWIFT.get_or_init(servers::swift);
    each(|name| {
        let proxy = Proxy::before(server.port);
        let auth = format!("http://127.0.0.1:{}/auth/v1.0", proxy.port);
        let settings = vec![("ST_AUTH", auth), ("ST_USER", "test:tester".into()), ("ST_KEY", "testing".into())];
        Far { proxy, url: format!("swift://{name}/below"), settings }
    });
}

#[test]
fn s3() {
    let server = SWIFT.get_or_init(servers::swift);
    let remote = format!(
        ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='http://127.0.0.1:{}',force_path_style=true:",
        server.port
    );
    run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
    each(|name| {
        let proxy = Proxy::before(server.port);
        let settings = vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", proxy.port)),
            ("AWS_ACCESS_KEY_ID", "test:tester".into()),
            ("AWS_SECRET_ACCESS_KEY", "testing".into()),
        ];
        Far { proxy, url: format!("s3://bucket/{name}"), settings }
    });
}

#[test]
fn webdav() {
    let (served, port) = (Scratch::new(), free_ports(1));
    let _server = rclone_webdav(served.path(), port);
    each(|name| {
        let proxy = Proxy::before(port);
        let url = format!("webdav://user@127.0.0.1:{}/{name}", proxy.port);
        Far { proxy, url, settings: vec![("OFFMOUNT_WEBDAV_PASSWORD", "word".into())] }
    });
}
