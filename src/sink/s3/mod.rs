//! Stores of objects that the `object_store` crate speaks with: S3 and what is compatible with it, Google Cloud Storage,
//! Azure Blob Storage ([`Cloud`]).
//!
//! The crate is asynchronous. Its runtime lives in here; whoever calls waits.

mod aws;
mod failure;
mod ini;
mod service;
mod watch;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};

use self::failure::{judge, spoken};
use self::service::Service;
use self::watch::Watch;
use super::object::{Body, Bucket, Object, Objects, Part, Rules, tag};
use super::store::{Options, Store, Unopened};
use super::url::Url;
use super::{Failure, trust};

/// What of the crate is used.
trait Backend: ObjectStore + MultipartStore + PaginatedListStore {}
impl<T: ObjectStore + MultipartStore + PaginatedListStore> Backend for T {}

/// A bucket (Azure: a container) of one of the services.
struct Cloud {
    backend: Arc<dyn Backend>,
    runtime: tokio::runtime::Runtime,
    rules: Rules,
    service: Service,
    /// Its name.
    bucket: String,
}

/// S3: at most 10,000 parts, each but the last of at least 5 MiB; keys of up to 1024 bytes (Amazon S3 User Guide,
/// "Multipart upload limits", "Naming Amazon S3 objects"). The others take at least as much.
const RULES: Rules = Rules { key_max: 1024, part_min: 5 << 20, parts_max: 10_000 };

/// Opens `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`.
///
/// # Errors
/// In words: credentials or bucket missing, an endpoint that can not be reached.
pub fn open(url: &Url, options: &Options) -> Result<Box<dyn Store>, Unopened> {
    trust_in_ring();
    let (bucket, service) = (url.host.clone(), Service::of(&url.scheme));
    service.has_credentials()?;
    let failed = |error: Error| Unopened::from(format!("{} are of no use: {}", service.settings(), spoken(&error)));
    let mut place = url.to_string();
    // The library reads it too, and says nothing where it can not.
    trust::named()?;
    let mut watch = Watch { stall: options.stall, authorities: Vec::new() };
    let backend: Arc<dyn Backend> = match service {
        Service::Google => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&bucket);
            Arc::new(builder.with_http_connector(watch).with_retry(retries()).build().map_err(failed)?)
        }
        Service::Azure => {
            let builder = MicrosoftAzureBuilder::from_env().with_container_name(&bucket);
            let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
            let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
            if let Some(endpoint) = endpoint {
                place = format!("{place} at {endpoint}");
            }
            let builder = builder.with_client_options(ClientOptions::new().with_allow_http(is_plain));
            Arc::new(builder.with_http_connector(watch).with_retry(retries()).build().map_err(failed)?)
        }
        Service::S3 => {
            let settings = aws::Settings::of_this_user();
            if let Some(endpoint) = settings.endpoint() {
                place = format!("{place} at {endpoint}");
            }
            let builder = settings.builder()?.with_bucket_name(&bucket);
            watch.authorities = settings.authorities()?;
            let options = ClientOptions::new().with_allow_http(settings.is_plain_http());
            let builder = builder.with_client_options(options).with_http_connector(watch);
            Arc::new(builder.with_retry(retries()).build().map_err(failed)?)
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting threads: {error}"))?;
    let cloud = Cloud { backend, runtime, rules: RULES, service, bucket };
    let opened = Objects::open(Arc::new(cloud), url.key()).map_err(|failure| match failure {
        Failure::Passing(why) => format!("{place} can not be reached: {why}; {}", service.address()).into(),
        failure => failure.unopened(),
    });
    Ok(Box::new(opened?))
}

/// Encryption is rustls' with ring as its provider, for the whole process.
fn trust_in_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Fails only where somebody chose a provider before, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A few attempts in quick succession; whoever copies waits longer, and goes on.
fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(2), base: 2.0 };
    RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_secs(60) }
}

impl Cloud {
    fn wait<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
        self.runtime.block_on(future).map_err(|error| judge(&error, self.service, &self.bucket))
    }

    fn tag(etag: Option<String>) -> String {
        etag.map(|etag| tag::plain(&etag)).unwrap_or_default()
    }
}

fn payload(body: Body) -> PutPayload {
    Bytes::from_owner(body).into()
}

fn path(key: &str) -> Result<Path, Failure> {
    Path::parse(key).map_err(|_| Failure::Refused("the store can not hold a file of this name".into()))
}

impl Bucket for Cloud {
    fn rules(&self) -> Rules {
        self.rules
    }

    fn find(&self, key: &str) -> Result<Option<Object>, Failure> {
        let path = path(key)?;
        match self.runtime.block_on(self.backend.head(&path)) {
            Ok(meta) => Ok(Some(Object { size: meta.size, tag: Self::tag(meta.e_tag) })),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(judge(&error, self.service, &self.bucket)),
        }
    }

    fn list(&self, prefix: &str, shallow: bool, each: &mut dyn FnMut(&str, Object) -> bool) -> Result<(), Failure> {
        let mut page_token = None;
        loop {
            let delimiter = shallow.then_some(Cow::Borrowed("/"));
            let options = PaginatedListOptions { page_token, delimiter, ..PaginatedListOptions::default() };
            let page = self.wait(self.backend.list_paginated(Some(prefix), options))?;
            for above in page.result.common_prefixes {
                if !each(&format!("{above}/"), Object::default()) {
                    return Ok(());
                }
            }
            for meta in page.result.objects {
                let object = Object { size: meta.size, tag: Self::tag(meta.e_tag) };
                if !each(meta.location.as_ref(), object) {
                    return Ok(());
                }
            }
            page_token = page.page_token;
            if page_token.is_none() {
                return Ok(());
            }
        }
    }

    fn put(&self, key: &str, body: Body) -> Result<String, Failure> {
        let path = path(key)?;
        let put = self.wait(self.backend.put(&path, payload(body)))?;
        Ok(Self::tag(put.e_tag))
    }

    fn begin(&self, key: &str) -> Result<String, Failure> {
        let path = path(key)?;
        self.wait(self.backend.create_multipart(&path))
    }

    fn put_part(&self, key: &str, upload: &str, number: usize, body: Body, _md5: &[u8; 16]) -> Result<String, Failure> {
        let path = path(key)?;
        let part = self.wait(self.backend.put_part(&path, &upload.to_owned(), number, payload(body)))?;
        Ok(part.content_id)
    }

    fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<String, Failure> {
        let path = path(key)?;
        let parts = parts.iter().map(|part| PartId { content_id: part.tag.clone() }).collect();
        let put = self.wait(self.backend.complete_multipart(&path, &upload.to_owned(), parts))?;
        Ok(Self::tag(put.e_tag))
    }

    fn abort(&self, key: &str, upload: &str) {
        if let Ok(path) = path(key) {
            // Where it can not be, the store's own rules remove it some day.
            let _ = self.wait(self.backend.abort_multipart(&path, &upload.to_owned()));
        }
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        let path = path(key)?;
        match self.runtime.block_on(self.backend.delete(&path)) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(judge(&error, self.service, &self.bucket)),
        }
    }

    fn get(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, Failure> {
        let path = path(key)?;
        Ok(self.wait(self.backend.get_range(&path, range))?.into())
    }
}
