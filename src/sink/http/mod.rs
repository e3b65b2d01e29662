//! Requests over HTTP that wait for their answer ([`Http`]), for the services that are spoken to without a library of
//! their own.

use std::io::Read;
use std::time::Duration;

#[cfg(feature = "webdav")]
use ureq::SendBody;
use ureq::http::{Request, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

use super::Failure;
use super::budget::answer_within;
use super::trust;

/// Attempts at a request whose body can be sent again, in quick succession. Whoever copies waits longer, and goes on.
const ATTEMPTS: u32 = 3;

/// Requests that wait for answers at a time, and connections kept open.
pub const CONNECTIONS: usize = 24;

/// How long to wait for an answer that takes a server work: it may have to copy a large file to its name.
const WORK: Duration = Duration::from_secs(300);

/// Where Linux distributions keep the certificates of authorities, those of this machine's administrator among them.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A client with its open connections.
pub struct Http {
    agent: Agent,
    stall: Duration,
}

/// A header of a request.
pub type Header<'a> = (&'a str, &'a str);

/// What a server answered.
pub struct Answer {
    response: Response<Body>,
}

impl Http {
    /// A client for up to `connections` requests at a time; one over which nothing has moved for `stall` is lost. Authorities
    /// are those in the file that `SSL_CERT_FILE` names, else this machine's, else the web's.
    ///
    /// # Errors
    /// In words: a file of certificates that can not be read.
    pub fn new(connections: usize, stall: Duration) -> Result<Self, String> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("offmount/", env!("CARGO_PKG_VERSION")))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_per_write(Some(stall))
            .timeout_per_read(Some(stall));
        if let Some(roots) = authorities()? {
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Http { agent: config.build().into(), stall })
    }

    /// Sends a request whose body is in memory.
    ///
    /// # Errors
    /// [`Failure::Passing`] where no answer came.
    pub fn send(&self, method: &str, url: &str, headers: &[Header<'_>], body: &[u8]) -> Result<Answer, Failure> {
        self.send_and_wait(method, url, headers, body, answer_within(self.stall, body.len() as u64))
    }

    /// Sends a request whose body is in memory, and which takes the server work.
    ///
    /// # Errors
    /// [`Failure::Passing`] where no answer came.
    pub fn send_work(&self, method: &str, url: &str, headers: &[Header<'_>], body: &[u8]) -> Result<Answer, Failure> {
        self.send_and_wait(method, url, headers, body, self.stall.max(WORK))
    }

    fn send_and_wait(
        &self,
        method: &str,
        url: &str,
        headers: &[Header<'_>],
        body: &[u8],
        answer: Duration,
    ) -> Result<Answer, Failure> {
        let mut attempt = 1;
        loop {
            let request = request(method, url, headers)?.body(body).map_err(refused)?;
            let sent = match answer == self.stall {
                true => self.agent.run(request),
                false => self.agent.run(self.agent.configure_request(request).timeout_per_read(Some(answer)).build()),
            };
            match sent {
                Ok(response) if attempt < ATTEMPTS && may_pass(response.status().as_u16()) => {}
                Ok(response) => return Ok(Answer { response }),
                Err(error)
                    if attempt < ATTEMPTS && !is_lasting(&error) && !is_stall(&error) && !is_distrust(&error) => {}
                Err(error) => return Err(self.failure(&error)),
            }
            std::thread::sleep(Duration::from_millis(100 << attempt));
            attempt += 1;
        }
    }

    /// Sends a request whose body is read meanwhile, once.
    ///
    /// # Errors
    /// [`Failure::Passing`] where no answer came.
    #[cfg(feature = "webdav")]
    pub fn stream(
        &self,
        method: &str,
        url: &str,
        headers: &[Header<'_>],
        mut body: impl Read,
    ) -> Result<Answer, Failure> {
        let request = request(method, url, headers)?.body(SendBody::from_reader(&mut body)).map_err(refused)?;
        let answer = Some(self.stall.max(WORK));
        let request = self.agent.configure_request(request).timeout_per_read(answer).build();
        let response = self.agent.run(request).map_err(|error| self.failure(&error))?;
        Ok(Answer { response })
    }

    fn failure(&self, error: &ureq::Error) -> Failure {
        match error {
            error if is_distrust(error) => {
                let why = words(error);
                let advice = trust::advice(&why, "SSL_CERT_FILE");
                Failure::Gone(std::io::Error::other(format!("the server is not trusted: {why}; {advice}")))
            }
            error if is_lasting(error) => {
                Failure::Gone(std::io::Error::other(format!("the server can not be spoken to: {error}")))
            }
            error if is_stall(error) => {
                Failure::Passing(format!("nothing has moved over the connection for {} s", self.stall.as_secs()))
            }
            error => {
                let (why, hint) = (words(error), trust::encryption(&error.to_string()));
                Failure::Passing(format!("the connection failed: {why}{}", hint.unwrap_or_default()))
            }
        }
    }
}

/// Says of a server that can not be reached which one it is. `setting`: where its address comes from.
pub fn unreached(address: &str, setting: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Passing(why) => {
            Failure::Passing(format!("{address} can not be reached: {why}; look at {setting}, and at the network"))
        }
        failure => failure,
    }
}

/// What happened, without the name of the library's case.
fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn request(method: &str, url: &str, headers: &[Header<'_>]) -> Result<ureq::http::request::Builder, Failure> {
    let builder = Request::builder().method(method).uri(url);
    Ok(headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)))
}

fn refused(error: ureq::http::Error) -> Failure {
    Failure::Refused(format!("it can not be asked for: {error}"))
}

/// True for what no second attempt changes.
fn is_lasting(error: &ureq::Error) -> bool {
    use ureq::Error as E;
    matches!(error, E::BadUri(_) | E::Http(_) | E::Tls(_) | E::Rustls(_) | E::Pem(_) | E::TlsRequired)
}

/// True where the server's certificate is not trusted: what was met is told as an error of the connection.
fn is_distrust(error: &ureq::Error) -> bool {
    error.to_string().contains("invalid peer certificate")
}

/// True where the connection stands, and nothing moves over it.
fn is_stall(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite))
}

/// True for a status that asks for patience (RFC 9110, section 15.6; RFC 6585, section 4).
pub fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 498 | 500 | 502..=504)
}

/// The authorities that the user or this machine trusts; `None` where there is no list of them.
fn authorities() -> Result<Option<RootCerts>, String> {
    let text = match trust::named()? {
        Some(text) => text,
        None => match AUTHORITIES.iter().find_map(|path| std::fs::read(path).ok()) {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    let certificates = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    Ok((!certificates.is_empty()).then(|| certificates.into()))
}

impl Answer {
    /// The status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// True for 2xx.
    pub fn is_good(&self) -> bool {
        self.response.status().is_success()
    }

    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The body, of at most `most` bytes.
    ///
    /// # Errors
    /// [`Failure::Passing`] where it breaks off.
    pub fn body(mut self, most: u64) -> Result<Vec<u8>, Failure> {
        let body = self.response.body_mut().with_config().limit(most).read_to_vec();
        body.map_err(|error| Failure::Passing(format!("the answer broke off: {error}")))
    }

    /// The beginning of the body as a line of text, to show.
    pub fn words(self) -> String {
        let mut text = Vec::new();
        let _ = self.response.into_body().into_reader().take(400).read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        let bare = if text.contains('<') { without_tags(&text) } else { text.into_owned() };
        bare.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The body as a stream.
    #[cfg(feature = "webdav")]
    pub fn into_reader(self) -> impl Read {
        self.response.into_body().into_reader()
    }
}

fn without_tags(text: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        match *c {
            '<' => inside = true,
            '>' => {
                inside = false;
                return false;
            }
            _ => {}
        }
        !inside
    };
    text.chars().filter(keep).collect()
}
