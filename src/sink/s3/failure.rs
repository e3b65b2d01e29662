//! What a store's refusal means, and what to do about it ([`judge`]).

use std::error::Error as _;
use std::io;

use object_store::Error;

use super::service::Service;
use crate::sink::{Failure, trust};

/// Judges an error: by the code that the service gives (Amazon S3 API Reference, "Error responses"; Azure Storage REST API
/// Reference, "Common REST API error codes" and "Blob Storage error codes"), else by the status.
pub fn judge(error: &Error, service: Service, bucket: &str) -> Failure {
    let text = chain(error);
    let code = element(&text, "Code").unwrap_or_default();
    let noun = service.noun();
    match code {
        "NoSuchBucket" | "ContainerNotFound" => gone(format!(
            "there is no {noun} {bucket}: make it first ({}), or mend the URL or the endpoint",
            service.making(bucket)
        )),
        "RequestTimeTooSkewed" => gone(skew(&text)),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken" | "AuthenticationFailed" => {
            gone(format!("the store refuses the credentials ({code}): {}", service.credentials()))
        }
        "AccessDenied" | "AllAccessDisabled" | "AuthorizationFailure" | "AuthorizationPermissionMismatch" => gone(
            format!("these credentials may not do this with the {noun} {bucket} ({code}): {}", service.credentials()),
        ),
        "AccountIsDisabled" | "ContainerDisabled" => gone(format!("the storage account is disabled ({code})")),
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => Failure::Full,
        "SlowDown" | "InternalError" | "ServiceUnavailable" | "ServerBusy" | "RequestTimeout" | "OperationTimedOut" => {
            Failure::Busy(format!("the store is busy ({code})"))
        }
        "NoSuchUpload" | "InvalidPart" | "InvalidBlockList" => {
            Failure::Forgotten("the store does not know the parts any more that were sent".into())
        }
        // Swift's quotas, as its S3 interface tells them.
        "EntityTooLarge" if element(&text, "Message").is_some_and(|why| why.contains("quota")) => Failure::Full,
        "EntityTooLarge" => Failure::Refused("the store takes no object as large".into()),
        "KeyTooLongError" => Failure::Refused("the path is longer than the names that the store takes".into()),
        _ => by_kind(error, &text, service, bucket),
    }
}

/// The destination as a whole refuses.
fn gone(why: String) -> Failure {
    Failure::Gone(io::Error::other(why))
}

fn by_kind(error: &Error, text: &str, service: Service, bucket: &str) -> Failure {
    let noun = service.noun();
    match (error, status(text)) {
        // A token is asked for before each request that needs one: no other file would fare better.
        (_, Some(400..=499)) if text.contains("token request") => {
            gone(format!("whoever gives credentials gives none: {}; {}", last(error), service.credentials()))
        }
        (Error::PermissionDenied { .. }, _) => gone(format!(
            "the store refuses access to the {noun} {bucket} (403): wrong credentials, or they may not do this; {}",
            service.credentials()
        )),
        (Error::Unauthenticated { .. }, _) => {
            gone(format!("the store refuses the credentials (401): {}", service.credentials()))
        }
        (Error::NotFound { .. }, _) => Failure::Refused("the store has no such object".into()),
        (_, Some(507)) => Failure::Full,
        (_, Some(301 | 307)) => gone(format!("the bucket {bucket} is in another region: set AWS_REGION")),
        (_, Some(429 | 500..=599)) => Failure::Busy(format!("the store failed ({})", last(error))),
        (_, Some(_)) => {
            Failure::Refused(format!("the store refused: {}", element(text, "Message").unwrap_or(&last(error))))
        }
        (_, None) if text.contains("invalid peer certificate") => gone(format!(
            "the store is not trusted: {}; {}",
            last(error),
            trust::advice(text, "SSL_CERT_FILE or AWS_CA_BUNDLE")
        )),
        (Error::Generic { .. }, None) if !text.contains("builder error") => {
            let hint = trust::encryption(text).unwrap_or_default();
            Failure::Passing(format!("the connection to the store failed: {}{hint}", last(error)))
        }
        _ => Failure::Refused(last(error)),
    }
}

/// Why a client could not be made, in one sentence: the library's own first, which names the file or the setting.
pub fn spoken(error: &Error) -> String {
    let text = error.to_string();
    match (error, text.split_once(" error: ")) {
        (Error::Generic { .. }, Some((_, why))) => why.to_owned(),
        _ => text,
    }
}

fn chain(error: &Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(error) = next {
        text.push('\n');
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// The innermost cause, which says what happened.
fn last(error: &Error) -> String {
    chain(error).lines().last().unwrap_or_default().to_owned()
}

/// The status that the server answered with.
fn status(text: &str) -> Option<u16> {
    let after = text.split("status code: ").nth(1)?;
    after.get(..3)?.parse().ok()
}

/// The text of the first element of this name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let after = text.split_once(&format!("<{name}>"))?.1;
    Some(after.split_once('<')?.0)
}

/// How far this machine's clock is off, if the store says what time it is.
fn skew(text: &str) -> String {
    let server = element(text, "ServerTime").and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let off = server.map(|server| jiff::Timestamp::now().as_second() - server.as_second());
    let off = match off {
        Some(seconds) if seconds < 0 => format!("{} seconds behind", -seconds),
        Some(seconds) => format!("{seconds} seconds ahead of"),
        None => "too far from".into(),
    };
    format!("this machine's clock is {off} the store's, which refuses that: set it (timedatectl set-ntp true)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: &str, code: &str) -> Failure {
        let body = format!("Server returned non-2xx status code: {status}: <Error><Code>{code}</Code></Error>");
        judge(&Error::Generic { store: "S3", source: body.into() }, Service::S3, "b")
    }

    #[test]
    fn what_can_pass_is_told_from_what_can_not() {
        assert!(matches!(answered("503 Slow Down", "SlowDown"), Failure::Busy(_)));
        assert!(matches!(answered("502 Bad Gateway", ""), Failure::Busy(_)));
        assert!(matches!(answered("404 Not Found", "NoSuchBucket"), Failure::Gone(_)));
        assert!(matches!(answered("403 Forbidden", "SignatureDoesNotMatch"), Failure::Gone(_)));
        assert!(matches!(answered("507 Insufficient Storage", ""), Failure::Full));
        assert!(matches!(answered("400 Bad Request", "Odd"), Failure::Refused(_)));
        let lost = Error::Generic { store: "S3", source: "connection refused".into() };
        assert!(matches!(judge(&lost, Service::S3, "b"), Failure::Passing(_)));
    }

    #[test]
    fn a_wrong_clock_is_told_by_how_much() {
        let server = jiff::Timestamp::now().as_second() + 1000;
        let time = jiff::Timestamp::from_second(server).unwrap();
        let text = format!("<Code>RequestTimeTooSkewed</Code><ServerTime>{time}</ServerTime>");
        let failure = judge(&Error::Generic { store: "S3", source: text.into() }, Service::S3, "b").to_string();
        assert!(failure.contains("1000 seconds behind") || failure.contains("999 seconds behind"), "{failure}");
    }
}
