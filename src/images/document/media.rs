//! Media types, and what they say a document is.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::DocumentError;
use super::limits;

pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A plain tar archive.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's schema 1, signed and not.
const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
];

/// What a registry is asked for.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST];

/// What a name of an image may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Index,
    Manifest,
}

/// What tells a document's kind. Fields that stand twice in it are refused: others could take the other one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
    /// ORAS and the release candidates of OCI 1.1 had manifests of artifacts alone.
    blobs: Option<IgnoredAny>,
}

impl Kind {
    /// What media types say; parameters (`; charset=utf-8`) and case apart.
    ///
    /// # Errors
    /// Where it is Docker's schema 1.
    pub fn named(media_type: &str) -> Result<Option<Self>, DocumentError> {
        let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            OCI_INDEX | DOCKER_INDEX => Ok(Some(Self::Index)),
            OCI_MANIFEST | DOCKER_MANIFEST => Ok(Some(Self::Manifest)),
            name if SCHEMA_1.contains(&name) => Err(DocumentError::Schema1),
            _ => Ok(None),
        }
    }

    /// What these bytes are. `said`: the media type that came with them. It, the media type in the document and its fields may
    /// not contradict each other, so that nobody else takes the same bytes for something else (CVE-2021-41190).
    pub(super) fn of(bytes: &[u8], said: Option<&str>) -> Result<Self, DocumentError> {
        const WHAT: &str = "manifest";
        limits::check(WHAT, bytes, limits::LARGEST_MANIFEST)?;
        let head: Head = serde_json::from_slice(bytes).map_err(|cause| DocumentError::Json { what: WHAT, cause })?;
        if head.schema_version == Some(1) || head.fs_layers.is_some() {
            return Err(DocumentError::Schema1);
        }
        let by_fields = match (&head.manifests, head.config.is_some() || head.layers.is_some()) {
            (Some(_), true) => return Err(contradiction("manifests", "layers")),
            (Some(_), false) => Some(Self::Index),
            (None, true) => Some(Self::Manifest),
            (None, false) => None,
        };
        let written = head.media_type.as_deref().filter(|text| !text.is_empty());
        let by_name = match (said.map(Self::named).transpose()?.flatten(), written) {
            (by_header, None) => by_header,
            (by_header, Some(written)) => {
                let by_text = Self::named(written)?;
                if by_text.is_none() {
                    return Err(DocumentError::Artifact(written.to_owned()));
                }
                if by_header.is_some() && by_header != by_text {
                    return Err(contradiction(said.unwrap_or_default(), written));
                }
                by_text
            }
        };
        match (by_name, by_fields) {
            (Some(one), Some(other)) if one != other => {
                let fields = if other == Self::Index { "manifests" } else { "layers" };
                Err(contradiction(written.or(said).unwrap_or_default(), fields))
            }
            (_, Some(kind)) => Ok(kind),
            // An index of nothing, whose list is null.
            (Some(kind), None) if head.blobs.is_none() => Ok(kind),
            (_, None) => Err(match head.artifact_type {
                Some(artifact) => DocumentError::Artifact(artifact),
                None => DocumentError::Unknown(said.unwrap_or_default().to_owned()),
            }),
        }
    }
}

fn contradiction(said: &str, written: &str) -> DocumentError {
    DocumentError::Contradiction { said: said.to_owned(), written: written.to_owned() }
}
