//! Whether what a policy wants of an image is there.

use serde::{Deserialize, Serialize};

use super::error::{KEYLESS, TrustError};
use super::identity::Identity;
use super::requirement::{Rules, Signed};
use super::{bundle, simple};
use crate::images::digest::Digest;
use crate::images::origin::{Origin, Scheme, Signature};

/// So many faults are told of.
const FAULTS: usize = 3;

/// What was proven of an image: that a key has signed its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Of the manifest, or of the index that it was chosen from.
    pub digest: Digest,
    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub key: Digest,
    /// The name that was signed as well; a bundle has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Rules {
    /// Looks for the signatures that are wanted. `documents`: what the name stands for, and the manifest that was chosen from it: who
    /// has signed the first has signed what it leads to.
    ///
    /// # Errors
    /// Where one is missing, or can't be asked for.
    pub fn check(&self, origin: &dyn Origin, documents: &[(&Digest, &[u8])]) -> Result<Vec<Proof>, TrustError> {
        let mut proofs = Vec::new();
        for signed in &self.signed {
            proofs.push(self.prove(signed, origin, documents)?);
        }
        proofs.dedup();
        Ok(proofs)
    }

    /// Whether what was proven of an image when it was pulled is what is wanted.
    #[must_use]
    pub fn hold(&self, proofs: &[Proof], digests: &[&Digest]) -> bool {
        let is_met = |signed: &Signed| {
            let meets = |proof: &Proof| {
                digests.contains(&&proof.digest)
                    && signed.keys.iter().any(|key| key.fingerprint == proof.key)
                    && signed.check_name(proof.name.as_deref()).is_ok()
            };
            proofs.iter().any(meets)
        };
        self.signed.iter().all(is_met)
    }

    fn prove(&self, signed: &Signed, origin: &dyn Origin, documents: &[(&Digest, &[u8])]) -> Result<Proof, TrustError> {
        let mut faults: Vec<String> = Vec::new();
        for (number, (digest, document)) in documents.iter().enumerate() {
            if documents[..number].iter().any(|(known, _)| known == digest) {
                continue;
            }
            for scheme in [Scheme::Tag, Scheme::Referrers] {
                for signature in origin.signatures(digest, scheme).map_err(TrustError::Origin)? {
                    match signed.proof(&signature, digest, document) {
                        Ok(proof) => return Ok(proof),
                        Err(fault) if !faults.contains(&fault) && faults.len() < FAULTS => faults.push(fault),
                        Err(_) => {}
                    }
                }
            }
        }
        if faults.is_empty() {
            let digests: Vec<&str> = documents.iter().map(|(digest, _)| digest.hex()).collect();
            let first = digests.first().copied().unwrap_or_default();
            faults.push(format!("there is none (neither tag sha256-{first}.sig nor a bundle that refers to it)"));
        } else {
            faults.insert(0, "none of those that are there will do".to_owned());
        }
        Err(TrustError::Unsigned { path: self.path.clone(), place: signed.place.clone(), faults })
    }
}

impl Signed {
    fn proof(&self, signature: &Signature, digest: &Digest, document: &[u8]) -> Result<Proof, String> {
        let (key, name) = match signature {
            Signature::Simple { payload, signature, has_certificate } => {
                let found = simple::verify(payload, signature, digest, &self.keys);
                let (key, name) = found.map_err(|fault| if *has_certificate { KEYLESS.to_owned() } else { fault })?;
                (key, Some(name))
            }
            Signature::Bundle(text) => (bundle::verify(text, digest, document, &self.keys)?, None),
        };
        self.check_name(name.as_deref())?;
        Ok(Proof { digest: digest.clone(), key: key.fingerprint.clone(), name })
    }

    /// Whether the image may have this signed name. Where the policy is silent, a bundle, which has none, is enough: it is for this digest.
    fn check_name(&self, name: Option<&str>) -> Result<(), String> {
        let default = Identity::MatchRepoDigestOrExact;
        match (name, &self.identity) {
            (Some(name), identity) if identity.as_ref().unwrap_or(&default).accepts(&self.image, name) => Ok(()),
            (Some(name), None) if self.image.digest().is_none() && !name.rsplit('/').next().unwrap_or_default().contains(':') => {
                Err(format!(
                    "a signature for {name} without a tag, as cosign signs; \"signedIdentity\": {{\"type\": \"matchRepository\"}} \
                     accepts it"
                ))
            }
            (Some(name), _) => Err(format!("a signature for {name}")),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(
                "a bundle, which has no signed name that signedIdentity could be compared with; without signedIdentity its digest is \
                 enough"
                    .to_owned(),
            ),
        }
    }
}
