//! Copies to a Swift whose users Keystone knows: the token, the catalogue, and tokens that are over before the copy is.

mod common;
mod copying;
mod servers;

use std::path::{Path, PathBuf};

use common::{Ran, Scratch, run, skipped, system};
use copying::ext4;
use servers::{Server, free_ports, swift_with};

struct Case {
    scratch: Scratch,
    image: PathBuf,
}

impl Case {
    fn offmount(&self, args: &[&str], settings: &[(&str, &str)]) -> Ran {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        let others = std::env::vars().filter(|(name, _)| name.starts_with("ST_") || name.starts_with("OS_"));
        others.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.args(args).env("XDG_STATE_HOME", self.scratch.join("state")).env("HOME", self.scratch.path());
        run(command.env("NO_COLOR", "1").envs(settings.iter().copied()), b"")
    }
}

fn keystone(directory: &Path, port: u16, swift: u16, token_life: &str) -> Server {
    let mut command = system("bash");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/keystone.sh")).arg(directory);
    command.args([port.to_string(), swift.to_string()]).env("TOKEN_LIFE", token_life);
    Server::start(command, port)
}

#[test]
fn keystone_says_where_swift_is_and_who_may_write() {
    if run(system("sh").args(["-c", "command -v keystone-manage"]), b"").code != 0 {
        skipped("Keystone is not installed (apt-get install keystone, some 130 packages)");
        return;
    }
    let scratch = Scratch::new();
    let files = "head -c 16000000 /dev/urandom > large; for i in $(seq 20); do echo $i > f$i; done";
    let case = Case { image: ext4(&scratch, 64 << 20, files), scratch };
    let (port, swift) = (free_ports(2), free_ports(5));
    // Tokens that are over in the middle of the copy.
    let _keystone = keystone(&case.scratch.dir("keystone"), port, swift, "4");
    let _swift = swift_with(&case.scratch.dir("swift"), swift, &[("KEYSTONE", &port.to_string())]);
    let url = format!("http://127.0.0.1:{port}/v3");
    let login = [
        ("OS_AUTH_URL", &*url),
        ("OS_USERNAME", "admin"),
        ("OS_PASSWORD", "secret"),
        ("OS_PROJECT_NAME", "admin"),
        ("OS_REGION_NAME", "here"),
    ];
    let image = case.image.to_str().unwrap();
    let slowly = ["copy", image, "--to", "swift://kept/x", "--bwlimit", "2MiB"];
    let ran = case.offmount(&slowly, &login).exits(0);
    assert!(ran.text().contains("21 files") && !ran.stderr.contains("trying again"), "{ran:?}");
    case.offmount(&["verify", "--read-back", "--to", "swift://kept/x"], &login).exits(0);

    let with = |name: &'static str, value: &'static str| login.map(|it| if it.0 == name { (name, value) } else { it });
    let copy = ["copy", image, "--to", "swift://other/x"];
    for (settings, words) in [
        (with("OS_PASSWORD", "wrong"), "refuses the credentials (401)"),
        (with("OS_PROJECT_NAME", "nowhere"), "refuses the credentials (401)"),
        (with("OS_REGION_NAME", "there"), "OS_REGION_NAME"),
    ] {
        let refused = case.offmount(&copy, &settings).exits(2);
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
    }
}
