//! Sigstore bundles (version 0.3 and its like), as `cosign sign` of version 3 puts them beside an image: an in-toto statement about a
//! digest in a DSSE envelope, or a signature of the manifest itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::error::KEYLESS;
use super::key::Key;
use crate::images::digest::Digest;

const STATEMENT: &str = "application/vnd.in-toto+json";
/// What is said of a digest by who signs an image. Others (SLSA provenance, lists of faults) say nothing of whether it may run.
const SIGNS: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    #[serde(default)]
    verification_material: Value,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    subject: Vec<StatementSubject>,
}

#[derive(Deserialize)]
struct StatementSubject {
    digest: std::collections::BTreeMap<String, String>,
}

/// Which of the keys has signed the document of this digest.
pub fn verify<'a>(text: &[u8], digest: &Digest, document: &[u8], keys: &'a [Key]) -> Result<&'a Key, String> {
    let bundle: Bundle = serde_json::from_slice(text).map_err(|cause| format!("a bundle: {cause}"))?;
    let decoded =
        |text: &str| STANDARD.decode(text).map_err(|_| "a bundle with something that is no base64".to_owned());
    let is_keyless =
        ["certificate", "x509CertificateChain"].iter().any(|name| bundle.verification_material.get(name).is_some());
    let other = || if is_keyless { KEYLESS } else { "a bundle by another key" }.to_owned();
    match (bundle.message_signature, bundle.dsse_envelope) {
        (Some(message), None) => {
            let signature = decoded(&message.signature)?;
            keys.iter().find(|key| key.has_signed(document, &signature)).ok_or_else(other)
        }
        (None, Some(envelope)) => {
            let payload = decoded(&envelope.payload)?;
            let signed = encoded(&envelope.payload_type, &payload);
            let signatures: Vec<Vec<u8>> =
                envelope.signatures.iter().filter_map(|one| decoded(&one.sig).ok()).collect();
            let by = |key: &&Key| signatures.iter().any(|signature| key.has_signed(&signed, signature));
            let key = keys.iter().find(by).ok_or_else(other)?;
            if envelope.payload_type != STATEMENT {
                return Err(format!("a bundle with a {:?} in it", envelope.payload_type));
            }
            let statement: Statement =
                serde_json::from_slice(&payload).map_err(|cause| format!("a bundle's statement: {cause}"))?;
            if statement.predicate_type != SIGNS {
                return Err(format!("a statement of the type {:?}, which is no signature", statement.predicate_type));
            }
            let is_meant = |subject: &StatementSubject| {
                subject.digest.get(digest.algorithm().name()).is_some_and(|hex| hex == digest.hex())
            };
            if !statement.subject.iter().any(is_meant) {
                return Err("a bundle for another digest".to_owned());
            }
            Ok(key)
        }
        (None, None) | (Some(_), Some(_)) => Err("a bundle without one signature".to_owned()),
    }
}

/// What is signed of an envelope (DSSE, "Pre-Authentication Encoding").
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut text = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    text.extend(payload);
    text
}
