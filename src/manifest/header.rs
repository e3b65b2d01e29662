//! The first line of a manifest, [`Header`], and the last, [`Trailer`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The form of manifest that this version writes.
const FORM: u32 = 1;

/// What the image or device was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Image {
    /// Path it was opened by.
    pub file: String,
    /// Size in bytes.
    pub size: u64,
    /// Model and serial number of a device, where the kernel tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When an image file was last changed (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// A volume that files came from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct VolumeId {
    /// The name that records use.
    pub name: String,
    /// What users call its filesystem.
    pub kind: String,
    /// UUID or serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where on the image it begins, in bytes.
    pub start: u64,
    /// Where in the destination its root goes; empty for the top.
    pub at: String,
    /// What was decided about a damaged volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<String>,
}

/// What a run was: the first line.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Header {
    /// Form of the manifest.
    pub manifest: u32,
    /// Version of offmount that wrote it.
    pub offmount: String,
    /// When the run began (RFC 3339).
    pub started: String,
    /// What was read.
    pub image: Image,
    /// The volumes, in order of the image.
    pub volumes: Vec<VolumeId>,
    /// What was asked for, by name of the option.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Header {
    /// The header of a run that begins now.
    pub fn now(image: Image, volumes: Vec<VolumeId>, options: BTreeMap<String, String>) -> Self {
        let offmount = env!("CARGO_PKG_VERSION").into();
        Header { manifest: FORM, offmount, started: now(), image, volumes, options }
    }

    /// Appends it to `out` as one line of JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        line(self, out);
    }
}

/// How a run ended: the last line.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Trailer {
    /// When it ended (RFC 3339).
    pub ended: String,
    /// Why it stopped early, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// How many of what, by name.
    pub counts: BTreeMap<String, u64>,
}

impl Trailer {
    /// The trailer of a run that ends now.
    pub fn now(stopped: Option<String>, counts: BTreeMap<String, u64>) -> Self {
        Trailer { ended: now(), stopped, counts }
    }

    /// Appends it to `out` as one line of JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        line(self, out);
    }
}

fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    // Writing to memory can not fail, and the only maps have keys that are text.
    let _ = serde_json::to_writer(&mut *out, value);
    out.push(b'\n');
}

fn now() -> String {
    format!("{:.9}", jiff::Timestamp::now())
}
