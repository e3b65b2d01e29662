//! OpenSSH's sshd on a port of its own, with keys and configuration of its own.
#![allow(dead_code, reason = "each test file is a crate of its own and uses what it needs")]

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{Ran, Scratch, run, system, tool};

/// A server, ended when dropped.
pub struct Sshd {
    scratch: Scratch,
    /// Where it listens.
    pub port: u16,
    child: Child,
}

impl Sshd {
    /// Starts one that lets the current user in with the key that [`Sshd::ssh`] names.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let at = |name: &str| scratch.join(name);
        for name in ["host", "user", "stranger"] {
            tool("ssh-keygen", &["-qt", "ed25519", "-N", "", "-f", at(name).to_str().unwrap()]);
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = scratch.path().display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host\nAuthorizedKeysFile {dir}/user.pub\nPidFile none\n\
             PermitRootLogin yes\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
             MaxStartups 100\nSubsystem sftp internal-sftp\n"
        );
        fs::write(at("sshd_config"), config).unwrap();
        let host = fs::read_to_string(at("host.pub")).unwrap();
        fs::write(at("known"), format!("offmount-test {host}")).unwrap();
        let other = fs::read_to_string(at("stranger.pub")).unwrap();
        fs::write(at("known-other"), format!("offmount-test {other}")).unwrap();
        for (name, key, known) in
            [("ssh", "user", "known"), ("ssh-stranger", "stranger", "known"), ("ssh-other", "user", "known-other")]
        {
            let config = format!(
                "Host *\n  IdentityFile {dir}/{key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {dir}/{known}\n  \
                 HostKeyAlias offmount-test\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
            );
            fs::write(at(name), config).unwrap();
        }
        // sshd wants its folder for the separation of privileges, and to be called by its whole path.
        fs::create_dir_all("/run/sshd").unwrap();
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f", at("sshd_config").to_str().unwrap(), "-E", at("log").to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .expect("sshd: `bash tests/run` installs what the tests need");
        let mut tries = 0;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            tries += 1;
            assert!(tries < 100, "sshd does not listen: {:?}", fs::read_to_string(at("log")));
            std::thread::sleep(Duration::from_millis(50));
        }
        Sshd { scratch, port, child }
    }

    /// The command in place of `ssh`, with one of the configurations: `ssh`, `ssh-stranger` (a key the server does not
    /// know), `ssh-other` (another host key is known).
    pub fn ssh(&self, config: &str) -> String {
        format!("ssh -F {}", self.scratch.join(config).display())
    }

    /// The URL of a directory, over a port that leads here.
    pub fn url(&self, port: u16, dir: &Path) -> String {
        format!("sftp://127.0.0.1:{port}{}", dir.display())
    }

    /// The program under test with what it needs to get here.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = system(env!("CARGO_BIN_EXE_offmount"));
        command
            .args(args)
            .env("OFFMOUNT_SSH", self.ssh("ssh"))
            .env("XDG_STATE_HOME", self.state())
            .env("NO_COLOR", "1");
        command
    }

    /// Where it keeps its state.
    pub fn state(&self) -> PathBuf {
        self.scratch.join("state")
    }

    /// Runs the program under test.
    pub fn offmount(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args), b"")
    }

    /// Kills the processes that serve connections, not the one that listens.
    pub fn kill_sessions(&self) {
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            for child in children(parent) {
                parents.push(child);
                kill(child);
            }
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill_sessions();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
