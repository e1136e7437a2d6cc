//! Signatures beside an image under the tag `sha256-HEX.sig`: what cosign signs there is a text that names image and digest
//! (containers-signature(5), "The cryptographically signed payload").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::key::Key;
use crate::images::digest::Digest;

const KIND: &str = "cosign container image signature";

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: Image,
    identity: Identity,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Identity {
    docker_reference: String,
}

/// Which of the keys has signed that a name stands for this digest, and that name. Nothing of the text is believed before.
pub fn verify<'a>(
    payload: &[u8],
    signature: &str,
    digest: &Digest,
    keys: &'a [Key],
) -> Result<(&'a Key, String), String> {
    let signature = STANDARD.decode(signature).map_err(|_| "a signature that is no base64".to_owned())?;
    let key = keys.iter().find(|key| key.has_signed(payload, &signature));
    let key = key.ok_or_else(|| "a signature by another key".to_owned())?;
    let Payload { critical } = serde_json::from_slice(payload).map_err(|cause| format!("a signed text: {cause}"))?;
    if critical.kind != KIND {
        return Err(format!("a signature of the unknown type {:?}", critical.kind));
    }
    if critical.image.docker_manifest_digest != digest.to_string() {
        return Err(format!("a signature for {}", critical.image.docker_manifest_digest));
    }
    Ok((key, critical.identity.docker_reference))
}
