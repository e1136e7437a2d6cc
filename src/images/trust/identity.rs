//! Whose signature it is: whether the name that was signed is that of the image that was asked for (containers-policy.json(5),
//! `signedIdentity`).

use crate::images::reference::{Reference, usual_spelling};

/// What the signed name must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    MatchExact,
    /// The repository of an image that is asked for by its digest, else the whole name.
    MatchRepoDigestOrExact,
    MatchRepository,
    ExactReference(String),
    ExactRepository(String),
    /// As `MatchRepoDigestOrExact`, after one beginning of the name was replaced by another.
    Remap {
        prefix: String,
        signed_prefix: String,
    },
}

/// A name that may have neither tag nor digest.
struct Name {
    repository: String,
    /// With its tag and digest; `None`: it has none.
    whole: Option<String>,
}

impl Name {
    fn of(text: &str) -> Option<Self> {
        let reference = text.parse::<Reference>().ok()?.usual();
        let last = text.rsplit('/').next().unwrap_or_default();
        let whole = last.contains([':', '@']).then(|| reference.to_string());
        Some(Self { repository: reference.name(), whole })
    }
}

impl Identity {
    /// Whether this signed name is one of the image.
    pub fn accepts(&self, image: &Reference, signed: &str) -> bool {
        let Some(signed) = Name::of(signed) else { return false };
        let image = &image.usual();
        match self {
            Self::MatchExact => signed.whole == Some(image.to_string()),
            Self::MatchRepoDigestOrExact => repo_digest_or_exact(image, &image.name(), &signed),
            Self::MatchRepository => signed.repository == image.name(),
            Self::ExactReference(wanted) => {
                Name::of(wanted).is_some_and(|wanted| wanted.whole.is_some() && wanted.whole == signed.whole)
            }
            Self::ExactRepository(wanted) => {
                Name::of(wanted).is_some_and(|wanted| wanted.repository == signed.repository)
            }
            Self::Remap { prefix, signed_prefix } => {
                let (name, signed_prefix) = (image.name(), usual_spelling(signed_prefix));
                let rest = name.strip_prefix(&usual_spelling(prefix));
                let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
                let moved = rest.map_or_else(|| name.clone(), |rest| format!("{signed_prefix}{rest}"));
                repo_digest_or_exact(image, &moved, &signed)
            }
        }
    }
}

/// `name`: the repository under which the image is to be signed.
fn repo_digest_or_exact(image: &Reference, name: &str, signed: &Name) -> bool {
    let is_tag = image.tag().is_some_and(|tag| signed.whole == Some(format!("{name}:{tag}")));
    signed.repository == name && (image.digest().is_some() || is_tag)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_matches_whom() {
        let digest = crate::images::digest::Digest::of(b"x");
        let tagged: Reference = "reg.example/team/app:1".parse().unwrap();
        let by_digest: Reference = format!("reg.example/team/app@{digest}").parse().unwrap();
        let remap = |prefix: &str, signed_prefix: &str| Identity::Remap {
            prefix: prefix.into(),
            signed_prefix: signed_prefix.into(),
        };
        let (same, tag, other) = ("reg.example/team/app", "reg.example/team/app:1", "reg.example/team/other:1");
        let moved = "vendor.example/x/app:1";
        for (identity, image, signed, wanted) in [
            (Identity::MatchExact, &tagged, tag, true),
            (Identity::MatchExact, &tagged, same, false),
            (Identity::MatchRepoDigestOrExact, &tagged, tag, true),
            (Identity::MatchRepoDigestOrExact, &tagged, "reg.example/team/app:2", false),
            (Identity::MatchRepoDigestOrExact, &tagged, same, false),
            (Identity::MatchRepoDigestOrExact, &by_digest, same, true),
            (Identity::MatchRepoDigestOrExact, &by_digest, other, false),
            (Identity::MatchRepository, &tagged, same, true),
            (Identity::MatchRepository, &tagged, "reg.example/team/app:2", true),
            (Identity::MatchRepository, &tagged, other, false),
            (Identity::MatchRepository, &tagged, "no name", false),
            (Identity::ExactReference(other.into()), &tagged, other, true),
            (Identity::ExactReference(other.into()), &tagged, tag, false),
            (Identity::ExactReference(same.into()), &tagged, same, false),
            (Identity::ExactRepository(same.into()), &tagged, tag, true),
            (Identity::ExactRepository(same.into()), &tagged, other, false),
            (remap("reg.example/team", "vendor.example/x"), &tagged, moved, true),
            (remap("reg.example/team", "vendor.example/x"), &tagged, tag, false),
            (remap("reg.example/te", "vendor.example/x"), &tagged, moved, false),
            (remap("other.example", "vendor.example/x"), &tagged, tag, true),
        ] {
            assert_eq!(identity.accepts(image, signed), wanted, "{identity:?} {image} {signed}");
        }
        // Registries are the same however they are spelled.
        let spelled_otherwise: Reference = "REG.example:443/team/app:1".parse().unwrap();
        for identity in [Identity::MatchExact, Identity::MatchRepoDigestOrExact, Identity::MatchRepository] {
            assert!(
                identity.accepts(&spelled_otherwise, tag) && identity.accepts(&tagged, "Reg.Example:443/team/app:1")
            );
            assert!(!identity.accepts(&spelled_otherwise, "reg.example:5000/team/app:1"));
        }
        assert!(remap("reg.example:443/team", "Vendor.example/x").accepts(&tagged, moved));
        // Docker Hub's names are completed on both sides.
        assert!(Identity::MatchRepository.accepts(&"nginx:1".parse().unwrap(), "index.docker.io/library/nginx"));
    }
}
