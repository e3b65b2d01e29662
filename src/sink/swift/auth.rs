//! Who we are to OpenStack Swift ([`Login`]) and what comes of saying so ([`Session`]).
//!
//! Version 1 (`ST_AUTH`, `ST_USER`, `ST_KEY`): OpenStack Swift documentation, "The Auth System", TempAuth. Keystone version
//! 3 (`OS_*`): Identity API v3, "Password authentication with scoped authorization", "Application credentials".

use serde_json::{Value, json};

use crate::sink::Failure;
use crate::sink::http::{Http, unreached};

/// How to log in.
pub enum Login {
    /// Version 1: address, user, key.
    V1(String, String, String),
    /// Keystone: address, what is asked, region and interface of the service wanted.
    V3 {
        /// Where tokens are given.
        url: String,
        /// The body of the request.
        ask: Value,
        /// The region, where one is wanted.
        region: Option<String>,
        /// `public`, `internal` or `admin`.
        interface: String,
    },
    /// Somebody else did: address of the account, token.
    Done(String, String),
}

/// A token and the account that it opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Sent with every request.
    pub token: String,
    /// Address of the account, without a slash at its end.
    pub account: String,
}

const HOW: &str = "set ST_AUTH, ST_USER and ST_KEY (version 1), or OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and \
                   OS_PROJECT_NAME (Keystone version 3)";

impl Login {
    /// From variables as the OpenStack clients use them.
    ///
    /// # Errors
    /// In words: what is not set.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        if let (Some(account), Some(token)) = (variable("OS_STORAGE_URL"), variable("OS_AUTH_TOKEN")) {
            return Ok(Login::Done(account, token));
        }
        if let (Some(url), Some(user), Some(key)) = (variable("ST_AUTH"), variable("ST_USER"), variable("ST_KEY")) {
            return Ok(Login::V1(address("ST_AUTH", url)?, user, key));
        }
        let Some(url) = variable("OS_AUTH_URL") else { return Err(format!("no credentials: {HOW}")) };
        let url = address("OS_AUTH_URL", url)?;
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v3").unwrap_or(url);
        let interface = variable("OS_INTERFACE").or_else(|| variable("OS_ENDPOINT_TYPE")).unwrap_or_default();
        Ok(Login::V3 {
            url: format!("{url}/v3/auth/tokens"),
            ask: keystone(variable)?,
            region: variable("OS_REGION_NAME"),
            interface: match interface.trim_end_matches("URL") {
                "" => "public".into(),
                other => other.to_owned(),
            },
        })
    }

    /// Says of a service that can not be reached which one it is.
    pub fn unreached(&self, failure: Failure) -> Failure {
        match self {
            Login::Done(..) => failure,
            Login::V1(url, ..) => unreached(url, "ST_AUTH", failure),
            Login::V3 { url, .. } => unreached(url, "OS_AUTH_URL", failure),
        }
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`Failure::Gone`] where the service refuses.
    pub fn log_in(&self, http: &Http) -> Result<Session, Failure> {
        match self {
            Login::Done(account, token) => Ok(session(account, token)),
            Login::V1(url, user, key) => {
                let answer = http.send("GET", url, &[("X-Auth-User", user), ("X-Auth-Key", key)], b"")?;
                match (answer.header("X-Storage-Url"), answer.header("X-Auth-Token")) {
                    (Some(account), Some(token)) if answer.is_good() => Ok(session(account, token)),
                    _ => Err(refused(url, answer.status())),
                }
            }
            Login::V3 { url, ask, region, interface } => {
                let headers = [("Content-Type", "application/json")];
                let answer = http.send("POST", url, &headers, ask.to_string().as_bytes())?;
                let token = answer.header("X-Subject-Token").map(str::to_owned);
                let Some(token) = token.filter(|_| answer.is_good()) else { return Err(refused(url, answer.status())) };
                let catalogue: Value = serde_json::from_slice(&answer.body(16 << 20)?).unwrap_or_default();
                let account = account(&catalogue, region.as_deref(), interface);
                account.map(|account| session(&account, &token)).ok_or_else(|| {
                    gone(format!("{url} names no object store for this project (OS_REGION_NAME, OS_INTERFACE)"))
                })
            }
        }
    }
}

/// An address that can be one.
fn address(setting: &str, url: String) -> Result<String, String> {
    match url.starts_with("http://") || url.starts_with("https://") {
        true => Ok(url),
        false => {
            Err(format!("{setting} is no address: {url}; it begins with https:// (or http://, which does not encrypt)"))
        }
    }
}

fn session(account: &str, token: &str) -> Session {
    Session { token: token.to_owned(), account: account.trim_end_matches('/').to_owned() }
}

fn gone(why: String) -> Failure {
    Failure::Gone(std::io::Error::other(why))
}

fn refused(url: &str, status: u16) -> Failure {
    match status {
        401 | 403 => gone(format!("{url} refuses the credentials ({status}): {HOW}")),
        status if crate::sink::http::may_pass(status) => Failure::Busy(format!("{url} answers {status}")),
        status => gone(format!("{url} does not log us in ({status}): is it the address for authentication?")),
    }
}

/// What Keystone is asked.
fn keystone(variable: &dyn Fn(&str) -> Option<String>) -> Result<Value, String> {
    if let (Some(id), Some(secret)) =
        (variable("OS_APPLICATION_CREDENTIAL_ID"), variable("OS_APPLICATION_CREDENTIAL_SECRET"))
    {
        let credential = json!({ "id": id, "secret": secret });
        return Ok(json!({ "auth": { "identity": {
            "methods": ["application_credential"], "application_credential": credential } } }));
    }
    let password = variable("OS_PASSWORD").ok_or_else(|| format!("no password: {HOW}"))?;
    let domain = |id: &str, name: &str| match (variable(id), variable(name)) {
        (Some(id), _) => json!({ "id": id }),
        (None, Some(name)) => json!({ "name": name }),
        (None, None) => json!({ "id": "default" }),
    };
    let user = match (variable("OS_USER_ID"), variable("OS_USERNAME")) {
        (Some(id), _) => json!({ "id": id, "password": password }),
        (None, Some(name)) => json!({
            "name": name, "password": password, "domain": domain("OS_USER_DOMAIN_ID", "OS_USER_DOMAIN_NAME") }),
        (None, None) => return Err(format!("no user: {HOW}")),
    };
    let project_id = variable("OS_PROJECT_ID").or_else(|| variable("OS_TENANT_ID"));
    let project = match (project_id, variable("OS_PROJECT_NAME").or_else(|| variable("OS_TENANT_NAME"))) {
        (Some(id), _) => json!({ "id": id }),
        (None, Some(name)) => {
            json!({ "name": name, "domain": domain("OS_PROJECT_DOMAIN_ID", "OS_PROJECT_DOMAIN_NAME") })
        }
        (None, None) => return Err(format!("no project: {HOW}")),
    };
    Ok(json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": user } }, "scope": { "project": project } } }))
}

/// The address of the account in a token's catalogue.
fn account(answer: &Value, region: Option<&str>, interface: &str) -> Option<String> {
    let services = answer["token"]["catalog"].as_array()?;
    let endpoints =
        services.iter().filter(|it| it["type"] == "object-store").filter_map(|it| it["endpoints"].as_array());
    let wanted = |it: &&Value| {
        let is_there = region.is_none_or(|region| it["region"] == region || it["region_id"] == region);
        it["interface"] == interface && is_there
    };
    let url = endpoints.flatten().find(wanted)?["url"].as_str()?;
    Some(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(variables: &[(&str, &str)]) -> Result<Login, String> {
        Login::of(&|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn keystone_is_asked_as_its_documentation_shows() {
        let variables = [
            ("OS_AUTH_URL", "https://id/identity/v3/"),
            ("OS_USERNAME", "admin"),
            ("OS_PASSWORD", "secret"),
            ("OS_PROJECT_NAME", "demo"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
            ("OS_ENDPOINT_TYPE", "internalURL"),
        ];
        let Ok(Login::V3 { url, ask, interface, .. }) = login(&variables) else { panic!("not Keystone") };
        assert_eq!((&*url, &*interface), ("https://id/identity/v3/auth/tokens", "internal"));
        let user = json!({ "name": "admin", "domain": { "id": "default" }, "password": "secret" });
        let scope = json!({ "project": { "name": "demo", "domain": { "name": "Default" } } });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        assert_eq!(ask, json!({ "auth": { "identity": identity, "scope": scope } }));
    }

    #[test]
    fn the_account_is_found_in_the_catalogue() {
        let endpoint = |interface: &str, region: &str, url: &str| json!({ "interface": interface, "region": region, "region_id": region, "url": url });
        let endpoints = [endpoint("admin", "A", "no"), endpoint("public", "A", "a"), endpoint("public", "B", "b")];
        let catalogue = json!({ "token": { "catalog": [
            { "type": "compute", "endpoints": [endpoint("public", "A", "no")] },
            { "type": "object-store", "endpoints": endpoints } ] } });
        assert_eq!(account(&catalogue, None, "public").as_deref(), Some("a"));
        assert_eq!(account(&catalogue, Some("B"), "public").as_deref(), Some("b"));
        assert_eq!(account(&catalogue, Some("C"), "public"), None);
    }

    #[test]
    fn without_credentials_it_says_what_to_set() {
        assert!(login(&[]).is_err_and(|why| why.contains("ST_AUTH") && why.contains("OS_AUTH_URL")));
    }
}
