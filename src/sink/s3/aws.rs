//! Credentials, region and endpoint as AWS tools find them ([`Settings`]): environment first, then the profile's sections
//! in `~/.aws/credentials` and `~/.aws/config` (AWS SDKs and Tools Reference Guide).

use std::path::PathBuf;

use object_store::aws::AmazonS3Builder;
use reqwest::Certificate;

use super::ini::Ini;
use super::service::is_machine_of;

/// What is known of how to reach S3.
#[derive(Default, Debug)]
pub struct Settings {
    profile: String,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    /// A file of certificates of authorities that are trusted too.
    ca_bundle: Option<String>,
}

/// Other ways to come by credentials, which the client library goes itself.
const ELSEWHERE: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

impl Settings {
    /// Reads environment and files.
    pub fn of_this_user() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |name: &str, default: &str| {
            let path = variable(name).map_or_else(|| home.join(".aws").join(default), PathBuf::from);
            Ini::parse(&std::fs::read_to_string(path).unwrap_or_default())
        };
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file("AWS_CONFIG_FILE", "config");
        Self::choose(&variable, &credentials, &config)
    }

    fn choose(variable: &dyn Fn(&str) -> Option<String>, credentials: &Ini, config: &Ini) -> Self {
        let profile = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let profile = profile.unwrap_or_else(|| "default".into());
        let section = if profile == "default" { profile.clone() } else { format!("profile {profile}") };
        let own = |text: Option<&str>| text.map(str::to_owned);
        let in_files = |name: &str| own(credentials.get(&profile, name).or_else(|| config.get(&section, name)));
        let mut settings = Settings {
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| in_files("region")),
            endpoint: variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL")),
            ca_bundle: variable("AWS_CA_BUNDLE").or_else(|| in_files("ca_bundle")),
            ..Settings::default()
        };
        if settings.endpoint.is_none() && variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_none() {
            let service =
                in_files("services").and_then(|name| own(config.get(&format!("services {name}"), "s3.endpoint_url")));
            settings.endpoint = service.or_else(|| in_files("endpoint_url"));
        }
        // A key and its secret belong together: they come from one place.
        let (key, secret) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"));
        (settings.access_key_id, settings.secret_access_key, settings.session_token) = match (key, secret) {
            (Some(key), Some(secret)) => (Some(key), Some(secret), variable("AWS_SESSION_TOKEN")),
            _ => (in_files("aws_access_key_id"), in_files("aws_secret_access_key"), in_files("aws_session_token")),
        };
        settings.profile = profile;
        settings
    }

    /// The address of the service, where it is not Amazon's.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// True if the endpoint was asked for without encryption.
    pub fn is_plain_http(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
    }

    /// The authorities that are trusted besides this machine's.
    ///
    /// # Errors
    /// In words: a file that can not be read.
    pub fn authorities(&self) -> Result<Vec<Certificate>, String> {
        let Some(path) = &self.ca_bundle else { return Ok(Vec::new()) };
        let text = std::fs::read(path).map_err(|error| format!("reading {path} (AWS_CA_BUNDLE): {error}"))?;
        Certificate::from_pem_bundle(&text).map_err(|error| format!("{path} (AWS_CA_BUNDLE): {error}"))
    }

    /// A client with these settings.
    ///
    /// # Errors
    /// In words: no credentials, or an endpoint that is no address.
    pub fn builder(&self) -> Result<AmazonS3Builder, String> {
        let mut builder = match (&self.access_key_id, &self.secret_access_key) {
            (Some(key), Some(secret)) => AmazonS3Builder::new().with_access_key_id(key).with_secret_access_key(secret),
            _ if ELSEWHERE.iter().any(|name| std::env::var_os(name).is_some()) || is_machine_of("Amazon EC2") => {
                AmazonS3Builder::from_env()
            }
            _ => return Err(self.no_credentials()),
        };
        if let Some(token) = &self.session_token {
            builder = builder.with_token(token);
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        match &self.endpoint {
            Some(endpoint) if endpoint.starts_with("http://") || endpoint.starts_with("https://") => {
                Ok(builder.with_endpoint(endpoint).with_virtual_hosted_style_request(false))
            }
            Some(endpoint) => Err(format!(
                "the endpoint {endpoint} is no address: it begins with https:// (or http://, which does not encrypt)"
            )),
            None => Ok(builder),
        }
    }

    fn no_credentials(&self) -> String {
        format!(
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put aws_access_key_id and \
             aws_secret_access_key under [{}] in ~/.aws/credentials (another file: AWS_SHARED_CREDENTIALS_FILE; another \
             section: AWS_PROFILE)",
            self.profile
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n\
                               [night]\naws_access_key_id = C\naws_secret_access_key = D\naws_session_token = E\n";
    const CONFIG: &str = "[default]\nregion = r1\n[profile night]\nregion = r2\nendpoint_url = https://night\n";

    fn chosen(variables: &[(&str, &str)]) -> [Option<String>; 5] {
        let find = |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        let it = Settings::choose(&find, &Ini::parse(CREDENTIALS), &Ini::parse(CONFIG));
        [it.access_key_id, it.secret_access_key, it.session_token, it.region, it.endpoint]
    }

    fn some(values: [&str; 5]) -> [Option<String>; 5] {
        values.map(|value| (!value.is_empty()).then(|| value.to_owned()))
    }

    #[test]
    fn environment_comes_before_files_and_profiles_are_followed() {
        assert_eq!(chosen(&[]), some(["A", "B", "", "r1", ""]));
        assert_eq!(chosen(&[("AWS_PROFILE", "night")]), some(["C", "D", "E", "r2", "https://night"]));
        let own = [("AWS_ACCESS_KEY_ID", "X"), ("AWS_SECRET_ACCESS_KEY", "Y"), ("AWS_REGION", "r3")];
        assert_eq!(chosen(&own), some(["X", "Y", "", "r3", ""]));
        let half =
            [("AWS_ACCESS_KEY_ID", "X"), ("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_S3", "http://s3")];
        assert_eq!(chosen(&half), some(["A", "B", "", "r1", "http://s3"]));
    }
}
