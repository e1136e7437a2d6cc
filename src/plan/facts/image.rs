//! What was found behind an `image:`.

use std::path::PathBuf;

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

/// What `runtime::image` found behind an [`ImageSource`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageFacts {
    /// `imageID`: what the manifest's `image:` says, with an absolute path.
    pub id: String,
    /// The directory that becomes the root file system's lower layer. Absolute.
    pub rootfs: PathBuf,
    /// The bundle's config.json, or the default config for a plain rootfs.
    pub base: Spec,
    /// Text of /etc/passwd in it, resolved inside it; empty where there is none.
    pub passwd: String,
    /// Text of /etc/group in it, resolved inside it; empty where there is none.
    pub group: String,
    /// Number of the stop signal that the bundle asks for (annotation `org.opencontainers.image.stopSignal`), if any.
    pub stop_signal: Option<i32>,
}
