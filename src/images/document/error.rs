//! Why an image's description can't be used.

use thiserror::Error;

use crate::images::digest::Digest;

/// Why an image's description can't be used. The text says what of it is wrong; whose it is says who asked.
#[derive(Debug, Error)]
pub enum DocumentError {
    #[error("the {what} has {size} bytes; {limit} are the most that is read")]
    Size { what: &'static str, size: u64, limit: u64 },
    #[error("the {what} can't be read: {cause}")]
    Json { what: &'static str, cause: serde_json::Error },
    #[error("it is neither an image nor an index of images (media type {0:?})")]
    Unknown(String),
    #[error("its media type is {said:?}, and in it stands {written:?}: it could be taken for two things")]
    Contradiction { said: String, written: String },
    #[error(
        "it is an image of Docker's schema 1, which was given up in 2017; push it again by a newer Docker, or copy it by \
         skopeo copy --format v2s2"
    )]
    Schema1,
    #[error("it is no container image but an artifact ({0}): nothing in it can be run")]
    Artifact(String),
    #[error("layer {number} is no file system but {media_type:?}; such images can't be run")]
    LayerKind { number: usize, media_type: String },
    #[error(
        "layer {number} is encrypted ({media_type}); encrypted images are not supported, decrypt it by skopeo copy"
    )]
    Encrypted { number: usize, media_type: String },
    #[error("the image has {count} layers; {limit} are the most that the kernel stacks")]
    Layers { count: usize, limit: usize },
    #[error("{what}: {size} is no size")]
    NegativeSize { what: String, size: i64 },
    #[error("the image's layers are larger than any disk")]
    Sum,
    #[error("it has no image for {wanted}; it has: {offered}. Another platform is asked for by --platform")]
    Platform { wanted: String, offered: String },
    #[error("the image is made for {found}, not for {wanted}; another platform is asked for by --platform")]
    OtherPlatform { found: String, wanted: String },
    #[error("the image's manifest has {layers} layers, its config {diff_ids}: they don't belong together")]
    DiffIds { layers: usize, diff_ids: usize },
    #[error("the image's config has a root file system of type {0:?}; only \"layers\" is known")]
    RootFs(String),
    #[error("{what}: {found} bytes came, its description says {wanted}")]
    Length { what: String, found: u64, wanted: u64 },
    #[error("{what}: the content has the digest {found}, and {wanted} was asked for")]
    Digest { what: String, found: Digest, wanted: Digest },
}
