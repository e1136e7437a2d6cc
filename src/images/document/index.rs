//! Indexes: several images under one name, one for each platform.

use serde::Deserialize;

use super::descriptor::Descriptor;
use super::error::DocumentError;
use super::limits;
use super::media::Kind;
use super::tolerant::nullable;
use crate::images::platform::Platform;

/// How many platforms an error names.
const SHOWN: usize = 20;

/// Several images under one name: an OCI index, or Docker's manifest list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(default, deserialize_with = "nullable")]
    manifests: Vec<Descriptor>,
}

impl Index {
    /// Reads one whose kind is known; [`Document::read`](super::Document::read) finds it out.
    ///
    /// # Errors
    /// Where it can't be read.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        const WHAT: &str = "index";
        limits::check(WHAT, bytes, limits::LARGEST_MANIFEST)?;
        let text: Text = serde_json::from_slice(bytes).map_err(|cause| DocumentError::Json { what: WHAT, cause })?;
        for (at, one) in text.manifests.iter().enumerate() {
            one.check_size(&format!("manifest {}", at + 1))?;
        }
        Ok(Self { manifests: text.manifests })
    }

    #[must_use]
    pub fn manifests(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// The image that suits a platform best; of equal ones the first. It may be an index again.
    ///
    /// What says of no platform is taken where it is alone: the image's config says it then.
    ///
    /// # Errors
    /// Where there is none. What the index has is in the error.
    pub fn choose(&self, wanted: &Platform) -> Result<&Descriptor, DocumentError> {
        // Proofs of where an image comes from and the like have no media type of an image.
        let images = self.manifests.iter().filter(|one| matches!(Kind::named(&one.media_type), Ok(Some(_))));
        let ranked = images.clone().filter_map(|one| Some((wanted.rank(one.platform.as_ref()?)?, one)));
        if let Some((_, best)) = ranked.min_by_key(|(rank, _)| *rank) {
            return Ok(best);
        }
        let mut without = images.clone().filter(|one| one.platform.as_ref().is_none_or(|it| it.os.is_empty()));
        if let (Some(only), None) = (without.next(), without.next()) {
            return Ok(only);
        }
        let known = images.filter_map(|one| one.platform.as_ref()).filter(|one| one.os != "unknown");
        let mut offered: Vec<String> = known.map(Platform::to_string).collect();
        offered.sort_unstable();
        offered.dedup();
        let more = offered.len().saturating_sub(SHOWN);
        offered.truncate(SHOWN);
        let mut text = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
        if more > 0 {
            text += &format!(" and {more} more");
        }
        Err(DocumentError::Platform { wanted: wanted.to_string(), offered: text })
    }
}
