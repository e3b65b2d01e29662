//! The services, and how messages speak of them ([`Service`]).

use std::path::PathBuf;

/// Which of the services it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// Amazon S3, and what is compatible with it.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

/// Settings of Azure's that say who somebody is. On a virtual machine of Azure's none is needed.
const AZURE_LOGIN: [&str; 7] = ["KEY", "SAS", "TOKEN", "CLIENT", "IDENTITY", "USE_AZURE_CLI", "USE_EMULATOR"];

impl Service {
    /// By the scheme of a URL.
    pub fn of(scheme: &str) -> Self {
        match scheme {
            "gs" => Service::Google,
            "az" => Service::Azure,
            _ => Service::S3,
        }
    }

    /// What holds objects there.
    pub fn noun(self) -> &'static str {
        if self == Service::Azure { "container" } else { "bucket" }
    }

    /// The command that makes one.
    pub fn making(self, bucket: &str) -> String {
        match self {
            Service::S3 => format!("aws s3 mb s3://{bucket}"),
            Service::Google => format!("gcloud storage buckets create gs://{bucket}"),
            Service::Azure => format!("az storage container create --name {bucket}"),
        }
    }

    /// What to look at where credentials are refused.
    pub fn credentials(self) -> &'static str {
        match self {
            Service::S3 => "look at the access key, its secret and the region",
            Service::Google => "look at GOOGLE_APPLICATION_CREDENTIALS, and at what that account may do",
            Service::Azure => {
                "look at AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, and at this machine's clock"
            }
        }
    }

    /// What to look at where nobody answers.
    pub fn address(self) -> &'static str {
        match self {
            Service::S3 => "look at the network, and at AWS_ENDPOINT_URL and AWS_REGION",
            Service::Google => "look at the network",
            Service::Azure => "look at the network, and at AZURE_STORAGE_ACCOUNT_NAME",
        }
    }

    /// The settings by which it is reached.
    pub fn settings(self) -> &'static str {
        match self {
            Service::S3 => "the settings of S3 (AWS_...)",
            Service::Google => "the settings of Google Cloud Storage (GOOGLE_...)",
            Service::Azure => "the settings of Azure (AZURE_...)",
        }
    }

    /// Says what is missing where nothing tells who this user is: the client library would ask the host of a virtual
    /// machine, and wait. (S3's are looked at in [`super::aws`].)
    ///
    /// # Errors
    /// In words, what to set.
    pub fn has_credentials(self) -> Result<(), String> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Service::S3 => Ok(()),
            Service::Google if any_set("GOOGLE_", &[""]) || is_set("SERVICE_ACCOUNT") || has_gcloud_login() => Ok(()),
            Service::Google if is_machine_of("Google") => Ok(()),
            Service::Google => Err("no credentials: set GOOGLE_APPLICATION_CREDENTIALS to the file of a service \
                                    account's key, or log in (gcloud auth application-default login)"
                .into()),
            Service::Azure if any_set("AZURE_", &["USE_EMULATOR"]) => Ok(()),
            Service::Azure if !any_set("AZURE_", &["ACCOUNT_NAME"]) => Err("no storage account: set \
                AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY"
                .into()),
            Service::Azure if any_set("AZURE_", &AZURE_LOGIN) || is_machine_of("Microsoft Corporation") => Ok(()),
            Service::Azure => {
                Err("no credentials: set AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, \
                     AZURE_CLIENT_SECRET and AZURE_TENANT_ID"
                    .into())
            }
        }
    }
}

/// True if a variable of this beginning, with one of these words in its name, has a value.
fn any_set(prefix: &str, words: &[&str]) -> bool {
    std::env::vars_os().any(|(name, value)| {
        let name = name.to_string_lossy();
        name.strip_prefix(prefix).is_some_and(|rest| words.iter().any(|word| rest.contains(word))) && !value.is_empty()
    })
}

/// True where `gcloud` keeps what applications log in with.
fn has_gcloud_login() -> bool {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    home.join(".config/gcloud/application_default_credentials.json").exists()
}

/// True on a virtual machine of this maker's, which can ask its host for credentials.
pub fn is_machine_of(maker: &str) -> bool {
    std::fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default().trim() == maker
}
