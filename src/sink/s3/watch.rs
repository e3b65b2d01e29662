//! Requests that are watched ([`Watch`]): one over which nothing moves any more is ended, however long a slow one may take.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use tokio::time::{Sleep, sleep, timeout};

use crate::sink::budget::answer_within;

type Bytes = <HttpRequestBody as Body>::Data;

/// Bytes of a body handed on at once: so often is seen that something moves.
const PIECE: usize = 64 << 10;

/// How long to wait for an answer that takes a store work: it may have to look at ten thousand parts.
const WORK: Duration = Duration::from_secs(300);

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(15);

/// What connections the client library is given.
#[derive(Clone)]
pub struct Watch {
    /// A connection over which nothing has moved for so long is lost.
    pub stall: Duration,
    /// Authorities that are trusted besides those of this machine, or of `SSL_CERT_FILE`.
    pub authorities: Vec<reqwest::Certificate>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("stall", &self.stall).finish_non_exhaustive()
    }
}

impl HttpConnector for Watch {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|it| it == "true");
        let builder = reqwest::Client::builder()
            .user_agent(concat!("offmount/", env!("CARGO_PKG_VERSION")))
            .https_only(!allows_http)
            .connect_timeout(CONNECT)
            .tls_certs_merge(self.authorities.iter().cloned());
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(self.stall);
        let failed = |error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) };
        Ok(HttpClient::new(Watched { client: builder.build().map_err(failed)?, stall: self.stall }))
    }
}

/// A client whose requests are watched.
#[derive(Debug)]
struct Watched {
    client: reqwest::Client,
    stall: Duration,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Watched {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answering<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(self.answer(request))
    }
}

impl Watched {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        // An upload is begun and made whole by POST.
        let work = if parts.method == "POST" { WORK } else { Duration::ZERO };
        let last = answer_within(self.stall, body.content_length() as u64).max(work);
        let no_address = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let url = reqwest::Url::parse(&parts.uri.to_string()).map_err(no_address)?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let (sent, size) = (Arc::new(AtomicU64::new(0)), body.content_length() as u64);
        if !body.is_end_stream() {
            let counted = Counted { body, piece: Bytes::default(), sent: sent.clone() };
            *request.body_mut() = Some(reqwest::Body::wrap(counted));
        }
        let mut answer = pin!(self.client.execute(request));
        let mut answer = loop {
            let before = sent.load(Ordering::Relaxed);
            let limit = if before < size { self.stall } else { last };
            match timeout(limit, &mut answer).await {
                Ok(answer) => break answer.map_err(error)?,
                Err(_) if sent.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(stalled(limit)),
            }
        };
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let timer = Box::pin(sleep(self.stall));
        let mut response =
            HttpResponse::new(HttpResponseBody::new(Answer { body: answer.into(), stall: self.stall, timer }));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

fn stalled(limit: Duration) -> HttpError {
    let why = format!("nothing has moved over the connection for {} s", limit.as_secs());
    HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(why))
}

/// What may be tried again at once, the library decides by the kind.
fn error(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_decode() => HttpErrorKind::Decode,
        error if error.is_builder() => HttpErrorKind::Unknown,
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error.without_url())
}

/// A body of which is counted what was taken.
struct Counted {
    body: HttpRequestBody,
    piece: Bytes,
    sent: Arc<AtomicU64>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let len = self.piece.len().min(PIECE);
        self.sent.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(self.piece.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let exact = self.body.size_hint().exact();
        exact.map_or_else(SizeHint::new, |rest| SizeHint::with_exact(rest + self.piece.len() as u64))
    }
}

/// An answer that may not stand still.
struct Answer {
    body: reqwest::Body,
    stall: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.timer = Box::pin(sleep(self.stall));
            return Poll::Ready(frame.map(|frame| frame.map_err(error)));
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Some(Err(stalled(self.stall))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
