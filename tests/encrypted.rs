//! Encrypted connections to servers whose certificates come from an authority that nobody knows: without it they are refused
//! with what to do, with it they serve.

mod common;
mod copying;
mod servers;

use std::fs;
use std::path::PathBuf;

use common::{Ran, Scratch, run, system, tool};
use copying::ext4;
use servers::{Server, free_ports, rclone, rclone_webdav, swift};

/// An authority of its own, and a certificate of it for this machine.
struct Authority {
    scratch: Scratch,
}

impl Authority {
    fn new() -> Self {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let own =
            ["req", "-x509", "-days", "2", "-subj", "/CN=nobody knows", "-addext", "keyUsage=critical,keyCertSign"];
        tool("openssl", &[&own[..], &key, &["-keyout", &at("ca.key"), "-out", &at("ca.pem")]].concat());
        let ask = ["req", "-subj", "/CN=127.0.0.1", "-keyout", &at("key"), "-out", &at("request")];
        tool("openssl", &[&ask[..], &key].concat());
        fs::write(scratch.join("names"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
        let sign = ["x509", "-req", "-days", "2", "-CAcreateserial", "-in", &at("request"), "-out", &at("certificate")];
        let by = ["-CA", &at("ca.pem"), "-CAkey", &at("ca.key"), "-extfile", &at("names")];
        tool("openssl", &[&sign[..], &by].concat());
        let both = fs::read_to_string(at("certificate")).unwrap() + &fs::read_to_string(at("key")).unwrap();
        fs::write(scratch.join("both"), both).unwrap();
        Authority { scratch }
    }

    fn certificate(&self) -> String {
        self.scratch.join("ca.pem").to_str().unwrap().to_owned()
    }

    /// Encryption before a server that has none.
    fn before(&self, port: u16) -> Server {
        let (here, both) = (free_ports(1), self.scratch.join("both"));
        let mut command = system("socat");
        command.arg(format!("OPENSSL-LISTEN:{here},bind=127.0.0.1,reuseaddr,fork,verify=0,cert={}", both.display()));
        command.arg(format!("TCP:127.0.0.1:{port}"));
        Server::start(command, here)
    }
}

struct Case {
    scratch: Scratch,
    image: PathBuf,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::new();
        let image = ext4(&scratch, 64 << 20, "head -c 12000000 /dev/urandom > large; echo 1 > small");
        Case { scratch, image }
    }

    fn offmount(&self, args: &[&str], settings: &[(&str, &str)]) -> Ran {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        run(command.env_remove("SSL_CERT_FILE").env("NO_COLOR", "1").envs(settings.iter().copied()), b"")
    }

    /// Refused without `authority`; with it, copied and verified.
    #[track_caller]
    fn needs(&self, to: &str, settings: &[(&str, &str)], authority: (&str, &str)) {
        let copy = ["copy", self.image.to_str().unwrap(), "--to", to];
        let refused = self.offmount(&copy, settings).exits(2);
        let said = &refused.stderr;
        assert!(said.contains("is not trusted") && said.contains("SSL_CERT_FILE"), "{refused:?}");
        let trusting = [settings, &[authority]].concat();
        self.offmount(&copy, &trusting).exits(0);
        self.offmount(&["verify", "--read-back", "--to", to], &trusting).exits(0);
        let missing = [settings, &[(authority.0, "/nowhere")]].concat();
        let missing = self.offmount(&copy, &missing).exits(2);
        assert!(missing.stderr.contains("/nowhere") || missing.stderr.contains("is not trusted"), "{missing:?}");
    }
}

#[test]
fn webdav() {
    let (case, authority, port) = (Case::new(), Authority::new(), free_ports(1));
    let served = case.scratch.dir("served");
    let _plain = rclone_webdav(&served, port);
    let server = authority.before(port);
    let to = format!("webdavs://user@127.0.0.1:{}/x", server.port);
    case.needs(&to, &[("OFFMOUNT_WEBDAV_PASSWORD", "word")], ("SSL_CERT_FILE", &authority.certificate()));
    assert_eq!(fs::read(served.join("x/small")).unwrap(), b"1\n");
}

#[test]
fn a_wrong_clock_is_told_with_what_to_do() {
    let (case, authority, port) = (Case::new(), Authority::new(), free_ports(1));
    let _plain = rclone_webdav(&case.scratch.dir("served"), port);
    let server = authority.before(port);
    let to = format!("webdavs://user@127.0.0.1:{}/x", server.port);
    for (clock, word) in [("-3000d", "not valid yet"), ("+30d", "expired")] {
        let mut command = system("faketime");
        command.args(["-f", clock, env!("CARGO_BIN_EXE_offmount"), "copy"]).arg(&case.image).args(["--to", &to]);
        command.env("XDG_STATE_HOME", case.scratch.join("state")).env("OFFMOUNT_WEBDAV_PASSWORD", "word");
        let ran = run(command.env("SSL_CERT_FILE", authority.certificate()), b"").exits(2);
        let said = &ran.stderr;
        assert!(said.contains(word) && said.contains("timedatectl") && !said.contains("SSL_CERT_FILE"), "{ran:?}");
    }
}

/// The addresses that Swift gives out begin as it was asked: without encryption here, so the account is named.
fn account(server: &Server, plain: u16) -> (String, String) {
    let auth = format!("http://127.0.0.1:{plain}/auth/v1.0");
    let asked = tool("curl", &["-si", "-H", "X-Auth-User: test:tester", "-H", "X-Auth-Key: testing", &auth]);
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let token = asked.lines().find_map(|line| line.strip_prefix("X-Auth-Token: ")).unwrap().trim().to_owned();
    (format!("https://127.0.0.1:{}/v1/AUTH_test", server.port), token)
}

#[test]
fn swift_and_s3() {
    let (case, authority, plain) = (Case::new(), Authority::new(), swift());
    let server = authority.before(plain.port);
    let (url, token) = account(&server, plain.port);
    let ours = authority.certificate();
    let known = [("OS_STORAGE_URL", &*url), ("OS_AUTH_TOKEN", &*token)];
    case.needs("swift://encrypted/x", &known, ("SSL_CERT_FILE", &ours));

    let remote = format!(
        ":s3,provider=Other,access_key_id='test:tester',secret_access_key=testing,endpoint='http://127.0.0.1:{}',force_path_style=true:",
        plain.port
    );
    run(rclone().args(["mkdir", &format!("{remote}bucket")]), b"").exits(0);
    let endpoint = format!("https://127.0.0.1:{}", server.port);
    let keys =
        [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", "test:tester"), ("AWS_SECRET_ACCESS_KEY", "testing")];
    case.needs("s3://bucket/x", &keys, ("SSL_CERT_FILE", &ours));
    case.needs("s3://bucket/y", &keys, ("AWS_CA_BUNDLE", &ours));
}
