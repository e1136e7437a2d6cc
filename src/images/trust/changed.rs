//! Policies and signed texts that were changed by chance. What is signed is signed after the change: nothing else is read.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::key::Key;
use super::{Policy, Subject, bundle, simple};
use crate::images::digest::Digest;
use crate::images::tests::fuzz;

/// A key pair, and its public half in PEM.
fn pair() -> (Ed25519KeyPair, String) {
    let pair =
        Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap().as_ref()).unwrap();
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], pair.public_key().as_ref()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
    (pair, pem)
}

/// Whatever stands in it: it is refused, or has rules for every image, or says which requirement can't be met.
#[test]
fn policies_do_no_harm() {
    let key = STANDARD.encode(pair().1);
    let text = json!({
        "default": [{"type": "reject"}],
        "transports": {
            "docker": {
                "reg.example/team": [{"type": "sigstoreSigned", "keyData": key, "signedIdentity": {"type": "matchRepository"}}],
                "*.example": [{"type": "sigstoreSigned", "keyPath": "/nothing",
                    "signedIdentity": {"type": "remapIdentity", "prefix": "a.example", "signedPrefix": "b.example"}}],
                "": [{"type": "insecureAcceptAnything"}, {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}],
            },
            "oci": {"/srv": [{"type": "insecureAcceptAnything"}]},
        },
    })
    .to_string();
    let images =
        ["reg.example/team/app:1", "a.b.example/x", "nginx"].map(|name| Subject::Registry(name.parse().unwrap()));
    let file = Subject::File { transport: "oci", path: "/srv/web".into(), name: None };
    fuzz::live(&[&text], fuzz::JSON, |bytes| match Policy::parse(Path::new("/policy.json"), bytes) {
        Ok(policy) => {
            let _ = policy.accepts_everything();
            let mut all = images.iter().chain([&file]);
            all.try_for_each(|image| policy.rules(image).map(drop).or_else(|error| fuzz::is_fit(&error, bytes)))
        }
        Err(error) => fuzz::is_fit(&error, bytes),
    });
}

/// What is signed but isn't what cosign signs is refused with words.
#[test]
fn signed_texts_do_no_harm() {
    let (pair, pem) = pair();
    let keys = [Key::read(pem.as_bytes()).unwrap()];
    let digest = Digest::of(b"the manifest");
    let name = "reg.example/team/app:1";
    let payload = json!({"critical": {"identity": {"docker-reference": name}, "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature"}, "optional": null});
    fuzz::live(&[&payload.to_string()], fuzz::JSON, |bytes| {
        let signature = STANDARD.encode(pair.sign(bytes));
        simple::verify(bytes, &signature, &digest, &keys).map(drop).or_else(|said| fuzz::is_fit(&said, bytes))
    });
    let kind = "application/vnd.in-toto+json";
    let envelope = |payload: &[u8]| {
        let signed = [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat();
        json!({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": {"publicKey": {"hint": ""}},
            "dsseEnvelope": {"payloadType": kind, "payload": STANDARD.encode(payload),
                "signatures": [{"sig": STANDARD.encode(pair.sign(&signed))}]}})
        .to_string()
    };
    let statement =
        json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "subject": [{"digest": {"sha256": digest.hex()}}], "predicate": {}})
        .to_string();
    let check = |bytes: &[u8]| {
        bundle::verify(bytes, &digest, b"the manifest", &keys).map(drop).or_else(|said| fuzz::is_fit(&said, bytes))
    };
    fuzz::live(&[&statement], fuzz::JSON, |bytes| check(envelope(bytes).as_bytes()));
    fuzz::live(&[&envelope(statement.as_bytes())], fuzz::JSON, check);
}
