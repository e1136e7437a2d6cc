//! What was found behind an `image:`.

use std::path::PathBuf;

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

/// What `runtime::image` found behind an [`ImageSource`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageFacts {
    /// `imageID`: what the manifest's `image:` says, with an absolute path.
    pub id: String,
    /// The directory that becomes the root file system's lower layer, of several the highest. Absolute.
    pub rootfs: PathBuf,
    /// Further layers below that, from the highest to the lowest. Absolute.
    pub below: Vec<PathBuf>,
    /// Places for data that an image's config names (`Volumes`), as it names them.
    pub volumes: Vec<PathBuf>,
    /// What hooks of a bundle are told: its folder; `/` for others.
    pub bundle: PathBuf,
    /// The bundle's config.json, the default config for a plain rootfs, or what an image's config says.
    pub base: Spec,
    /// How many words of its command are the entrypoint, which a container's `args` don't replace (R10.1). A bundle doesn't
    /// tell: it is the first.
    pub entrypoint: usize,
    /// `USER[:GROUP]`, as an image's config has it; empty where that has none, and of bundles, which have ids in `base`.
    pub user: String,
    /// Text of /etc/passwd in it, resolved inside it; empty where there is none.
    pub passwd: String,
    /// Text of /etc/group in it, resolved inside it; empty where there is none.
    pub group: String,
    /// Number of the stop signal that the bundle asks for (annotation `org.opencontainers.image.stopSignal`), if any.
    pub stop_signal: Option<i32>,
}
