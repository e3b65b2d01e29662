//! The system's own `ssh`, so that the user's configuration, keys, agent, known hosts, jump hosts and prompts hold.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::url::Url;

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// The command in place of `ssh`, with its arguments, as a shell reads them.
    pub command: String,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    /// A connection over which nothing has moved for so long is lost.
    pub stall: Duration,
}

/// Nothing is forwarded.
const ALWAYS: [&str; 3] = ["-oForwardX11=no", "-oForwardAgent=no", "-oClearAllForwardings=yes"];

/// How often a server is asked whether it is still there before it is taken for lost.
const ASKED: u64 = 4;

impl Way {
    /// The way to a URL's host.
    pub fn to(url: &Url, command: Option<&str>, stall: Duration) -> Result<Self, String> {
        if url.password.is_some() {
            return Err("ssh takes no password from a URL: leave it out, ssh asks for it, or use a key".into());
        }
        // What begins with a dash would be an option.
        let is_option = |text: &str| text.starts_with('-');
        if is_option(&url.host) || url.user.as_deref().is_some_and(is_option) {
            return Err(format!("{:?} is no name of a host or user", url.host));
        }
        let command = command.filter(|command| !command.trim().is_empty()).unwrap_or("ssh").to_owned();
        Ok(Way { command, user: url.user.clone(), host: url.host.clone(), port: url.port, stall })
    }

    /// Starts `ssh` with the subsystem `sftp`.
    pub fn sftp(&self) -> std::io::Result<Child> {
        self.start(&["-s"], "sftp")
    }

    /// Starts `ssh` with a command for the shell on the other side.
    pub fn shell(&self, command: &str) -> std::io::Result<Child> {
        self.start(&[], command)
    }

    /// A dead connection is noticed.
    fn watching(&self) -> [String; 3] {
        let seconds = self.stall.as_secs().max(1);
        [
            format!("-oConnectTimeout={seconds}"),
            format!("-oServerAliveInterval={}", seconds.div_ceil(ASKED)),
            format!("-oServerAliveCountMax={ASKED}"),
        ]
    }

    fn start(&self, options: &[&str], what: &str) -> std::io::Result<Child> {
        // An interrupt is ours to handle: without the connection the manifest could not be brought to its place.
        let script = format!("trap '' INT; exec {} \"$@\"", self.command);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "ssh"]).args(ALWAYS).args(self.watching()).args(options);
        if let Some(port) = self.port {
            command.arg(format!("-p{port}"));
        }
        if let Some(user) = &self.user {
            command.arg(format!("-l{user}"));
        }
        command.args(["--", &self.host, what]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// What to do about what `ssh` said, where that is known.
pub fn advice(said: &str) -> Option<&'static str> {
    found(said, &LASTING).or_else(|| found(said, &PASSING))
}

/// The same of what does not pass by itself. A host that was there may come back, and so may whoever knows its name.
pub fn lasting(said: &str) -> Option<&'static str> {
    found(said, &LASTING)
}

fn found(said: &str, known: &[(&str, &'static str)]) -> Option<&'static str> {
    known.iter().find(|(sign, _)| said.contains(sign)).map(|(_, advice)| *advice)
}

const PASSING: [(&str, &str); 5] = [
    ("Could not resolve hostname", "no such host is known: check the name"),
    ("Connection refused", "nothing listens there: is the port right (sftp://HOST:PORT/PATH), and does sshd run?"),
    ("No route to host", "the host can not be reached: look at its name and at the network"),
    ("timed out", "the host does not answer: look at its name, the port and the network"),
    ("kex_exchange_identification", "is it an SSH server that listens there? look at the port (sftp://HOST:PORT/PATH)"),
];

const LASTING: [(&str, &str); 7] = [
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the host's key is not the one known: make sure that it is the right host, then `ssh-keygen -R HOST`",
    ),
    (
        "Host key verification failed",
        "the host's key is not known: connect once with `ssh HOST` and compare its fingerprint",
    ),
    (
        "Permission denied",
        "the login was refused: try `ssh USER@HOST`; name a key in ~/.ssh/config or with --ssh 'ssh -i KEY'",
    ),
    (
        "Too many authentication failures",
        "the login was refused: name the key with --ssh 'ssh -oIdentitiesOnly=yes -i KEY'",
    ),
    ("subsystem request failed", "the server has no SFTP: enable the subsystem sftp in its sshd_config"),
    ("does not speak SFTP", "let the login print nothing where it is not interactive"),
    ("not found", "is OpenSSH's client installed? --ssh names another command"),
];
