//! Public keys, and what they have signed.

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use crate::images::digest::Digest;

/// What comes before the key itself in a SubjectPublicKeyInfo (RFC 5480, RFC 8410), which has no other form for these.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const ED25519_KEY: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Bytes of the keys.
const P256_LENGTH: usize = 65;
const ED25519_LENGTH: usize = 32;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    kind: Kind,
    bytes: Vec<u8>,
    /// Of all of the SubjectPublicKeyInfo: what the key is remembered by.
    pub fingerprint: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    Ed25519,
}

impl Key {
    /// From PEM, as `cosign public-key` and `openssl pkey -pubout` write it.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| "it has no PUBLIC KEY in PEM".to_owned())?;
        let known = [(Kind::P256, &P256[..], P256_LENGTH), (Kind::Ed25519, &ED25519_KEY[..], ED25519_LENGTH)];
        let one = |(kind, head, length): (Kind, &[u8], usize)| {
            let bytes = der.strip_prefix(head).filter(|rest| rest.len() == length)?;
            Some(Self { kind, bytes: bytes.to_vec(), fingerprint: Digest::of(&der) })
        };
        known.into_iter().find_map(one).ok_or_else(|| "only ECDSA P-256 and Ed25519 keys are supported".to_owned())
    }

    /// Whether it has signed this.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match self.kind {
            Kind::P256 => &ECDSA_P256_SHA256_ASN1,
            Kind::Ed25519 => &ED25519,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}
